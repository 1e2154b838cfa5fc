"""Speech brought to one level, without the silence around it."""

from __future__ import annotations

import math

import pytest

from hookflash.errors import ModelError
from hookflash.g711 import LINEAR, RATE, encode
from hookflash.runtime.loudness import SPEECH_DBFS, amplitude, level_dbfs, normalized

SILENCE = b"\xff"


def sine(seconds: float, dbfs: float, hz: float = 300.0) -> bytes:
    peak = amplitude(dbfs) * math.sqrt(2)
    turn = 2 * math.pi * hz / RATE
    return encode(round(peak * math.sin(turn * n)) for n in range(round(seconds * RATE)))


@pytest.mark.parametrize("dbfs", [-38.0, -26.0, -20.0, -6.0])
def test_whatever_was_rendered_has_the_same_level(dbfs: float) -> None:
    assert level_dbfs(sine(1.0, dbfs)) == pytest.approx(dbfs, abs=0.3)
    assert level_dbfs(normalized(sine(1.0, dbfs))) == pytest.approx(SPEECH_DBFS, abs=0.3)


def test_pauses_do_not_count() -> None:
    halves = sine(0.5, -12.0) + SILENCE * RATE + sine(0.5, -12.0)
    level = normalized(halves)
    assert len(level) == len(halves)
    assert level_dbfs(level[: RATE // 2]) == pytest.approx(SPEECH_DBFS, abs=0.3)


def test_noise_is_not_made_into_speech_by_more_than_twenty_decibels() -> None:
    assert level_dbfs(normalized(sine(1.0, -46.0))) == pytest.approx(-26.0, abs=0.5)


def test_a_peak_is_not_clipped() -> None:
    click = encode([32_000] * 8)
    sound = normalized(sine(1.0, -40.0) + click + sine(1.0, -40.0))
    assert max(abs(LINEAR[code]) for code in sound) <= amplitude(-1.0) + 1_000


def test_the_silence_at_the_ends_is_cut_off_up_to_a_rest() -> None:
    sound = normalized(SILENCE * RATE + sine(0.4, -20.0) + SILENCE * RATE)
    assert len(sound) == 320 + round(0.4 * RATE) + 1280
    assert sound.startswith(SILENCE * 320) and sound.endswith(SILENCE * 1280)


@pytest.mark.parametrize("sound", [b"", SILENCE * RATE, sine(1.0, -60.0)])
def test_silence_is_no_speech(sound: bytes) -> None:
    with pytest.raises(ModelError, match="expected speech, got silence"):
        normalized(sound)


def test_the_level_of_nothing_is_minus_infinity() -> None:
    assert level_dbfs(b"") == level_dbfs(SILENCE) == -math.inf
