from __future__ import annotations

import pytest

from hookflash.replay.sound import BINS_PER_SECOND, Tracks, envelope, fit_to_recording
from hookflash.replay.timeline import Spoken, Timeline

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
