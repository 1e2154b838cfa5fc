import numpy as np
import pytest

from hookflash_local import audio
from hookflash_local.model.components import SpeechBegan, SpeechEnded
from hookflash_local.model.speech.pcm import (
    mulaw_to_pcm16,
    pcm16_to_mulaw,
    to_floats,
    to_pcm16,
)

SILENCE = b"\xff"
SECOND = SILENCE * 8000


def listen(components, sound, frame=160, **turn_detection):
    detector = components.new_turn_detector(turn_detection)
    return [e for at in range(0, len(sound), frame) for e in detector.feed(sound[at : at + frame])]


def noise(seconds, level, seed=7):
    rng = np.random.default_rng(seed)
    return pcm16_to_mulaw(to_pcm16(rng.standard_normal(int(8000 * seconds)) * level))


def with_noise(sound, snr_db):
    speech = to_floats(mulaw_to_pcm16(sound))
    loud = np.sqrt(np.mean(np.square(speech[np.abs(speech) > 0.02])))
    hiss = np.random.default_rng(3).standard_normal(len(speech)) * loud / 10 ** (snr_db / 20)
    return pcm16_to_mulaw(to_pcm16(speech + hiss))


def tones(*hertz, seconds=2.0):
    at = np.arange(int(8000 * seconds)) / 8000
    return pcm16_to_mulaw(to_pcm16(sum(0.25 * np.sin(2 * np.pi * hz * at) for hz in hertz)))


def test_a_stream_of_two_utterances_is_split_into_two(components):
    one, two = audio.load("tts-human-piper-joe"), audio.load("tts-hours-piper-joe")
    stream = SECOND + one.audio + SECOND * 2 + two.audio + SECOND
    events = listen(components, stream)
    assert [type(event) for event in events] == [SpeechBegan, SpeechEnded] * 2
    assert 1000 <= events[0].at_ms < events[1].at_ms < events[2].at_ms < events[3].at_ms
    heard = [components.transcriber.transcribe(event.audio) for event in events[1::2]]
    assert "human" in heard[0] and "Saturday" not in heard[0]
    assert "Saturday" in heard[1] and "human" not in heard[1]


def test_the_audio_of_an_utterance_is_the_stream_between_its_two_times(components):
    stream = SECOND + audio.load("tts-agent-flite-slt").audio + SECOND
    began, ended = listen(components, stream)
    assert ended.audio == stream[began.at_ms * 8 : ended.at_ms * 8]


def test_frames_of_any_size_give_the_same_events(components):
    stream = SECOND + audio.load("tts-yes-piper-joe").audio + SECOND
    expected = listen(components, stream)
    assert len(expected) == 2
    assert listen(components, stream, frame=37) == expected
    assert listen(components, stream, frame=len(stream)) == expected


def test_more_silence_joins_what_less_silence_cuts(components):
    stream = audio.load("one-two-three").audio + SECOND * 2
    ends = [e for e in listen(components, stream) if isinstance(e, SpeechEnded)]
    joined = [
        e
        for e in listen(components, stream, silence_duration_ms=1000)
        if isinstance(e, SpeechEnded)
    ]
    assert (len(ends), len(joined)) == (3, 1)


@pytest.mark.parametrize("snr_db", [20, 10, 5])
@pytest.mark.parametrize("name", ["speak-to-customer-support", "sb_spk2_snt5", "librivox_0880"])
def test_speech_is_found_in_noise(components, name, snr_db):
    sound = audio.load(name).audio
    clean = [e.at_ms for e in listen(components, sound + SECOND)]
    noisy = listen(components, with_noise(sound + SECOND, snr_db))
    assert isinstance(noisy[0], SpeechBegan)
    assert abs(noisy[0].at_ms - clean[0]) <= 400
    last = [e for e in noisy if isinstance(e, SpeechEnded)][-1]
    assert abs(last.at_ms - clean[-1]) <= 700


@pytest.mark.parametrize(
    "sound",
    [
        SECOND * 3,
        noise(3, 0.003),
        noise(3, 0.03),
        noise(3, 0.2),
        tones(440),
        tones(697, 1209),
        tones(350, 440),
        (b"\x80" + SILENCE * 3999) * 6,
    ],
    ids=["silence", "faint", "noise", "loud", "tone", "key-1", "dial-tone", "clicks"],
)
def test_nobody_is_heard_where_nobody_speaks(components, sound):
    assert listen(components, sound) == []


def test_hours_of_silence_take_no_memory(components):
    detector = components.new_turn_detector({})
    for _ in range(60):
        assert detector.feed(SECOND) == []
    assert len(detector._audio) < 8 * 1000
