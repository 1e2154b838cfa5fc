"""What a log line shows of an event or a command."""

from __future__ import annotations

from hookflash.core.commands import PlayAudio
from hookflash.core.events import CallArrived, DigitPressed, HumanAsked
from hookflash.runtime.log import describe


def test_an_event_is_shown_without_whole_numbers() -> None:
    shown = describe(CallArrived("CA1", "+15550142", "+15550100"))
    assert shown.startswith("CallArrived(call_sid=CA1, caller=…42, called=…00")


def test_a_typed_digit_is_not_shown() -> None:
    assert describe(DigitPressed("7")) == "DigitPressed(digit=•)"
    assert "digit=•" in describe(HumanAsked(1, 0, "CA2", "pressed", "1"))
    assert "digit" not in describe(HumanAsked(1, 0, "CA2", "answered"))


def test_sound_is_not_shown() -> None:
    assert describe(PlayAudio("AAAA", 3)) == "PlayAudio(size=3)"
