from __future__ import annotations

import base64

import pytest

from hookflash.runtime.voice_level import QUIET_SECONDS, UNHEARD_SECONDS, VoiceLevel

VOICE, HISS, SILENCE = 0x22, 0xE5, 0xFF


def take(level: VoiceLevel, byte: int, seconds: float) -> int:
    """Let a caller make a sound; return how often they were found to have become silent."""
    payload = base64.b64encode(bytes([byte]) * 160).decode()
    return sum(level.take(payload, 160) for _ in range(round(seconds * 50)))


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
    click = base64.b64encode(bytes([VOICE] * 3 + [SILENCE] * 157)).decode()
    assert sum(level.take(click, 160) for _ in range(500)) == 1
    assert not level.unheard


@pytest.mark.parametrize("payload", ["", "A", "AAA", "!!!!", "=", "\u00e9"])
def test_a_payload_that_is_no_base64_is_no_sound(payload: str) -> None:
    level = VoiceLevel()
    assert level.take(payload, 160) is False
    assert not level.unheard
