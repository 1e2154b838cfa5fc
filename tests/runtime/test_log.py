"""What a log line shows of an event or a command."""

from __future__ import annotations

from hookflash.core.commands import PlayAudio, SendToolOutput
from hookflash.core.events import (
    CallArrived,
    CallerTranscribed,
    DigitPressed,
    HumanAsked,
    ToolCallRequested,
    ToolFinished,
)
from hookflash.core.handoff_plan import Target
from hookflash.runtime.log import describe

FAKE = "fine\nhookflash.server ! all calls are lost\u202e"


def test_texts_from_outside_stay_on_one_line_and_hide_nothing() -> None:
    for event in (
        ToolFinished("t1", FAKE),
        ToolCallRequested("t1", FAKE, FAKE),
        CallerTranscribed("i1", FAKE),
        SendToolOutput("t1", FAKE),
    ):
        shown = describe(event)
        assert shown.isprintable()
        assert "fine\\nhookflash" in shown and "\\u202e" in shown


def test_a_long_text_is_cut() -> None:
    shown = describe(ToolFinished("t1", "x" * 20_000))
    assert len(shown) < 200 and "x\u2026" in shown


def test_values_within_values_are_shown_like_texts() -> None:
    shown = describe(Target.client("anna"))
    assert "anna" in shown and shown.isprintable()


def test_phone_numbers_are_masked() -> None:
    assert "+15550100" not in describe(ToolFinished("t1", "call +15550100"))


def test_an_event_is_shown_without_whole_numbers() -> None:
    shown = describe(CallArrived("CA1", "+15550142", "+15550100"))
    assert shown.startswith("CallArrived(call_sid=CA1, caller=…42, called=…00")


def test_a_typed_digit_is_not_shown() -> None:
    assert describe(DigitPressed("7")).startswith("DigitPressed(digit=•, ")
    assert "digit=•" in describe(HumanAsked(1, 0, "CA2", "pressed", "1"))
    assert "digit" not in describe(HumanAsked(1, 0, "CA2", "answered"))


def test_sound_is_not_shown() -> None:
    assert describe(PlayAudio("AAAA", 3)) == "PlayAudio(size=3)"
