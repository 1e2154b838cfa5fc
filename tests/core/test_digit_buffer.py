from __future__ import annotations

from hookflash.core.conversation.digit_buffer import DigitBuffer, Entry
from hookflash.core.events import DigitPressed

HASH = DigitPressed("#", ends=True)
HUMAN = DigitPressed(to_human=True)


def test_an_entry_ends_with_a_hash() -> None:
    digits = DigitBuffer()
    assert digits.press(DigitPressed("4"), 0.0) is None
    assert digits.press(DigitPressed("2"), 0.5) is None
    assert digits.press(HASH, 1.0) == Entry(3, "42#")
    assert digits.deadline is None
    assert digits.take(1.0) == Entry(0)


def test_an_entry_ends_with_a_pause_after_the_last_digit() -> None:
    digits = DigitBuffer()
    digits.press(DigitPressed("4"), 0.0)
    digits.press(DigitPressed("2"), 1.0)
    assert digits.deadline == 2.5
    assert digits.expire(2.4) is None
    assert digits.expire(2.5) == Entry(2, "42")
    assert digits.expire(9.0) is None


def test_hidden_digits_are_counted() -> None:
    digits = DigitBuffer()
    for _ in range(3):
        digits.press(DigitPressed(), 0.0)
    assert digits.expire(1.5) == Entry(3)


def test_only_a_single_key_can_be_the_one_for_a_human() -> None:
    digits = DigitBuffer()
    digits.press(HUMAN, 0.0)
    assert digits.expire(1.5) == Entry(1, to_human=True)
    for keys in ([HUMAN, HUMAN], [HUMAN, DigitPressed()], [DigitPressed(), HUMAN], [HUMAN, HASH]):
        for key in keys:
            digits.press(key, 2.0)
        assert not digits.take(2.0).to_human
