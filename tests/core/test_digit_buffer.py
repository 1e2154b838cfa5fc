from __future__ import annotations

from hookflash.core.conversation.digit_buffer import DigitBuffer


def test_an_entry_ends_with_a_hash() -> None:
    digits = DigitBuffer()
    assert digits.press("4", 0.0) == ""
    assert digits.press("2", 0.5) == ""
    assert digits.press("#", 1.0) == "42#"
    assert digits.deadline is None
    assert digits.take(1.0) == ""


def test_an_entry_ends_with_a_pause_after_the_last_digit() -> None:
    digits = DigitBuffer()
    digits.press("4", 0.0)
    digits.press("2", 1.0)
    assert digits.deadline == 2.5
    assert digits.expire(2.4) == ""
    assert digits.expire(2.5) == "42"
    assert digits.expire(9.0) == ""
