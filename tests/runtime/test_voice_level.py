from __future__ import annotations

import pytest

from hookflash.runtime.voice_level import QUIET_SECONDS, UNHEARD_SECONDS, VoiceLevel

VOICE, HISS, SILENCE = 0x22, 0xE5, 0xFF


def take(level: VoiceLevel, byte: int, seconds: float) -> int:
    """Let a caller make a sound; return how often they were found to have become silent."""
    return sum(level.take(bytes([byte]) * 160) for _ in range(round(seconds * 50)))


@pytest.mark.parametrize("quiet", [HISS, SILENCE])
def test_a_caller_becomes_silent_once_after_each_sound(quiet: int) -> None:
    level = VoiceLevel()
    take(level, VOICE, 1.0)
    assert take(level, quiet, QUIET_SECONDS - 0.02) == 0
    assert take(level, quiet, 10.0) == 1
    take(level, VOICE, 0.1)
    assert take(level, quiet, 10.0) == 1


def test_a_word_that_the_model_has_not_detected_was_not_heard() -> None:
    level = VoiceLevel()
    take(level, VOICE, UNHEARD_SECONDS - 0.02)
    assert not level.unheard
    take(level, VOICE, 0.02)
    assert level.unheard
    level.detected()
    assert not level.unheard


def test_a_click_is_no_voice() -> None:
    level = VoiceLevel()
    click = bytes([VOICE] * 3 + [SILENCE] * 157)
    assert sum(level.take(click) for _ in range(500)) == 1
    assert not level.unheard


def test_nothing_is_no_sound() -> None:
    level = VoiceLevel()
    assert level.take(b"") is False
    assert not level.unheard
