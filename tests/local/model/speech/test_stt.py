import re
from concurrent.futures import ThreadPoolExecutor

import jiwer
import numpy as np
import pytest

from hookflash_local import audio
from hookflash_local.model.speech.pcm import pcm16_to_mulaw, to_pcm16
from hookflash_local.model.speech.stt import pieces
from hookflash_local.model.speech.vad import RATE

AT = np.arange(8000 * 2) / 8000
SILENCE = b"\xff"


def sound(values):
    return pcm16_to_mulaw(to_pcm16(np.asarray(values)))


def plain(text):
    return " ".join(re.sub(r"[^a-z' ]", " ", text.lower()).split())


def wrong_words(reference, hypothesis):
    found = jiwer.process_words(plain(reference), plain(hypothesis))
    return found.substitutions + found.deletions + found.insertions


@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("speak-to-customer-support", 1),
        ("sb_spk1_snt1", 1),
        ("sb_spk1_snt3", 1),
        ("sb_spk2_snt1", 1),
        ("sb_spk2_snt5", 1),
        ("librivox_0920", 2),
        ("tts-human-flite-slt", 1),
        ("tts-emergency-piper-joe", 1),
        ("tts-appointment-flite-slt", 1),
    ],
)
def test_recordings_are_heard_with_few_wrong_words(components, name, most):
    recording = audio.load(name)
    assert (
        wrong_words(recording.transcript, components.transcriber.transcribe(recording.audio))
        <= most
    )


@pytest.mark.parametrize("lead_ms", [0, 50, 333, 1000])
def test_a_repeated_word_does_not_become_a_loop_wherever_the_recording_begins(components, lead_ms):
    sound = SILENCE * (8 * lead_ms) + audio.load("cards_004").audio + SILENCE * 12800
    assert len(components.transcriber.transcribe(sound)) <= len("five five, five.")


def test_digits_are_heard_in_their_order(components):
    heard = components.transcriber.transcribe(audio.load("tts-order-flite-slt").audio)
    assert re.sub(r"\D", "", heard) == "4571"


@pytest.mark.parametrize(
    "nothing",
    [
        b"",
        SILENCE * 100,
        SILENCE * 16000,
        sound(np.random.default_rng(1).standard_normal(16000) * 0.01),
        sound(np.random.default_rng(2).standard_normal(16000) * 0.1),
        sound(np.random.default_rng(2).standard_normal(16000) * 0.4),
        sound(0.4 * np.sin(2 * np.pi * 440 * AT)),
        sound(0.2 * np.sin(2 * np.pi * 770 * AT) + 0.2 * np.sin(2 * np.pi * 1336 * AT)),
        sound(0.3 * np.sin(2 * np.pi * 50 * AT)),
        (b"\x80" + SILENCE * 1999) * 8,
    ],
    ids=["empty", "short", "silence", "hiss", "noise", "loud", "tone", "key-5", "hum", "clicks"],
)
def test_no_text_comes_out_of_what_is_no_speech(components, nothing):
    assert components.transcriber.transcribe(nothing) == ""


def test_what_lasts_longer_than_the_window_is_heard_to_its_end(components):
    names = ["librivox_0870", "sb_spk1_snt1", "jfk", "sb_spk2_snt5", "librivox_0920"]
    recordings = [audio.load(name) for name in names]
    long = (SILENCE * 4000).join(recording.audio for recording in recordings)
    assert len(long) > 8000 * 28
    said = " ".join(recording.transcript for recording in recordings)
    wrong = wrong_words(said.replace("mister", "mr"), components.transcriber.transcribe(long))
    assert wrong <= len(said.split()) * 0.12


def test_long_sound_is_cut_where_it_is_quiet_and_nothing_is_lost():
    loud = np.full(RATE * 40, 0.5, dtype=np.float32)
    loud[RATE * 13 : RATE * 13 + RATE // 2] = 0.0
    cut = pieces(loud)
    assert np.array_equal(np.concatenate(cut), loud)
    assert all(len(piece) <= RATE * 18 for piece in cut)
    assert RATE * 13 < len(cut[0]) < RATE * 13.5


def test_two_threads_may_transcribe_at_once(components):
    names = ["tts-human-piper-joe", "tts-hours-piper-joe"] * 2
    with ThreadPoolExecutor(2) as pool:
        heard = list(
            pool.map(lambda n: components.transcriber.transcribe(audio.load(n).audio), names)
        )
    assert heard[0] == heard[2] and heard[1] == heard[3]
    assert "human" in heard[0] and "Saturday" in heard[1]
