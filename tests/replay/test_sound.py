from __future__ import annotations

import wave

import numpy as np
import pytest

from hookflash import g711
from hookflash.replay.sound import BINS_PER_SECOND, Tracks, envelope, fit_to_recording, write_stereo
from hookflash.replay.timeline import Spoken, Timeline
from hookflash_local import audio

LOUD, QUIET = b"\x00", b"\xff"


def said(*parts: tuple[bytes, float]) -> Tracks:
    return Tracks(b"".join(byte * int(seconds * 8000) for byte, seconds in parts), b"")


def test_silence_has_no_envelope_and_full_scale_fills_it() -> None:
    assert envelope(QUIET * 800) == [0.0] * 5
    assert envelope(LOUD * 320) == [1.0, 1.0]
    assert len(envelope(LOUD * 8001)) == BINS_PER_SECOND + 1


def test_the_callers_span_ends_where_the_voice_fell_silent() -> None:
    tracks = said((QUIET, 1.0), (LOUD, 1.0), (QUIET, 3.0))
    timeline = Timeline(seconds=4.0, spoken=[Spoken("caller", 1.1, 2.6, "hello")])
    (one,) = fit_to_recording(timeline, tracks).spoken
    assert (one.start, one.end) == (1.0, 2.0)
    assert fit_to_recording(timeline, tracks).seconds == 5.0


def test_a_click_is_no_voice() -> None:
    tracks = said((LOUD, 1.0), (QUIET, 0.5), (LOUD, 0.02), (QUIET, 1.0))
    timeline = Timeline(spoken=[Spoken("caller", 0.0, 2.0)])
    assert fit_to_recording(timeline, tracks).spoken[0].end == pytest.approx(1.0, abs=0.05)


def test_without_voice_the_reported_span_is_unchanged() -> None:
    timeline = Timeline(spoken=[Spoken("caller", 0.5, 1.5), Spoken("agent", 2.0, 3.0)])
    assert fit_to_recording(timeline, said((QUIET, 4.0))).spoken == timeline.spoken


def test_tracks_that_begin_later_shift_what_they_tell() -> None:
    tracks = Tracks(LOUD * 8000, b"", starts_at=10.0)
    timeline = Timeline(spoken=[Spoken("caller", 10.0, 12.0)])
    assert fit_to_recording(timeline, tracks).spoken[0].end == 11.0


def test_two_tracks_are_written_side_by_side_and_the_shorter_is_filled_up(tmp_path):
    left, right = audio.load("yes").audio, audio.load("nope").audio
    write_stereo(tmp_path / "both.wav", left, right)
    with wave.open(str(tmp_path / "both.wav")) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (2, 2, 8000)
        frames = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)
    assert len(frames) == len(right) > len(left)
    assert np.array_equal(frames[: len(left), 0], g711.decode(left))
    assert not frames[len(left) :, 0].any()
    assert np.array_equal(frames[:, 1], g711.decode(right))
