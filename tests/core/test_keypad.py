from __future__ import annotations

from hookflash.core.conversation.keypad import Keypad


def test_an_entry_ends_with_a_hash() -> None:
    keypad = Keypad()
    assert keypad.press("4", 0.0) == ""
    assert keypad.press("2", 0.5) == ""
    assert keypad.press("#", 1.0) == "42#"
    assert keypad.deadline is None
    assert keypad.take(1.0) == ""


def test_an_entry_ends_with_a_pause_after_the_last_digit() -> None:
    keypad = Keypad()
    keypad.press("4", 0.0)
    keypad.press("2", 1.0)
    assert keypad.deadline == 2.5
    assert keypad.expire(2.4) == ""
    assert keypad.expire(2.5) == "42"
    assert keypad.expire(9.0) == ""
