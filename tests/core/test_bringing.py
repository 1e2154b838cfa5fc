"""A call of another application that comes for a human: it is dialled at once, and goes back."""

from __future__ import annotations

from typing import Any

from hookflash.core import events as e
from hookflash.core.commands import (
    AnswerCarrier,
    DialHumans,
    HangUp,
    OpenModel,
    Redirect,
    ReferCaller,
    StoreRecord,
    TakeVoicemail,
)
from hookflash.core.handoff_plan import Destination, HandoffPlan, Target
from hookflash.core.phases import Phase
from hookflash.core.setup import Brought, CallSetup

from .conftest import Scene

ANNA, BEN = Target.phone("+15550102"), Target.phone("+15550103")
BACK = "https://shop.example.com/incoming-call"


def brought(plan: HandoffPlan, *, back: str = BACK, **setup: Any) -> Scene:
    return Scene(
        CallSetup(
            destinations=(Destination(key="human", when="", plan=plan),),
            brought=Brought(
                destination="human", reason="a refund", summary="Order 7.", return_url=back
            ),
            **setup,
        )
    )


def arrives(line: Scene, caller: str = "+15550109") -> tuple[Any, ...]:
    return answer(line(e.CallArrived("CA1", caller, "+15550101")))


def answer(commands: list[Any]) -> tuple[Any, ...]:
    (found,) = [each for each in commands if isinstance(each, AnswerCarrier)]
    return found.instructions


def dial_over(line: Scene, step: int, outcome: str) -> tuple[Any, ...]:
    return answer(line.after(5, e.InstructionsAsked(step, "dial", outcome=outcome)))


def test_one_human_after_another_is_rung_and_then_the_application_goes_on() -> None:
    line = brought(HandoffPlan(targets=(ANNA, BEN)))
    assert arrives(line) == (DialHumans(1, (ANNA,), 20),)
    assert dial_over(line, 1, "busy") == (DialHumans(2, (BEN,), 20),)
    assert dial_over(line, 2, "no-answer") == (Redirect(BACK),)
    commands = line(e.CallCompleted())
    (record,) = [each.record for each in commands if isinstance(each, StoreRecord)]
    assert [each.outcome for each in record.handoffs] == ["busy", "no-answer"]
    assert [each.source for each in record.handoffs] == ["application", "application"]
    assert record.disposition == "failed"
    assert not [each for each in line.log if isinstance(each, OpenModel)]


def test_a_human_who_takes_the_call_has_it_to_the_end() -> None:
    line = brought(HandoffPlan(targets=(ANNA,)))
    arrives(line)
    line.after(2, e.LegChanged("CAleg", "answered", 1))
    assert line.call.phase is Phase.WITH_HUMAN
    assert dial_over(line, 1, "bridged") == (HangUp(),)
    (record,) = [each.record for each in line(e.CallCompleted()) if isinstance(each, StoreRecord)]
    assert record.disposition == "handed_off"


def test_after_the_human_the_application_goes_on_if_the_plan_says_so() -> None:
    line = brought(HandoffPlan(targets=(ANNA,), afterwards="return"))
    arrives(line)
    line.after(2, e.LegChanged("CAleg", "answered", 1))
    assert dial_over(line, 1, "bridged") == (Redirect(BACK),)
    (record,) = [each.record for each in line(e.CallCompleted()) if isinstance(each, StoreRecord)]
    assert record.disposition == "handed_off"


def test_without_an_address_to_go_back_to_the_call_ends() -> None:
    line = brought(HandoffPlan(targets=(ANNA,)), back="")
    arrives(line)
    assert dial_over(line, 1, "busy") == (HangUp(),)


def test_a_warm_plan_asks_for_the_key_and_the_caller_hears_it_ring() -> None:
    line = brought(HandoffPlan(targets=(ANNA,), manner="warm"))
    (dialled,) = arrives(line)
    assert isinstance(dialled, DialHumans)
    assert dialled.wave == 1


def test_a_caller_by_sip_can_be_referred() -> None:
    to = Target.sip("sip:anna@example.com")
    line = brought(HandoffPlan(targets=(to,), manner="refer"))
    assert arrives(line, "sip:caller@example.com") == (ReferCaller(1, to),)


def test_a_voicemail_is_taken_if_nobody_answers_and_the_plan_says_so() -> None:
    line = brought(HandoffPlan(targets=(ANNA,), otherwise="voicemail"))
    arrives(line)
    (message,) = dial_over(line, 1, "no-answer")
    assert isinstance(message, TakeVoicemail)


def test_whom_no_dial_prefix_permits_is_not_rung() -> None:
    line = brought(HandoffPlan(targets=(ANNA,)), dial_prefixes=("+44",))
    assert arrives(line) == (Redirect(BACK),)
    (attempt,) = line.call.handoff.attempts
    assert attempt.outcome == "closed"


def test_a_caller_who_counted_as_gone_and_is_there_goes_back_to_the_application() -> None:
    line = brought(HandoffPlan(targets=(ANNA,)))
    arrives(line)
    line.wait(3600)
    assert line.call.phase is Phase.ENDED
    assert answer(line(e.InstructionsAsked(1, "dial", outcome="no-answer"))) == (Redirect(BACK),)
