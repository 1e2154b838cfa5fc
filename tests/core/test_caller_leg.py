"""The caller's leg: a new call is connected, the call is moved, and a broken stream is resumed."""

from __future__ import annotations

from typing import Any

import pytest

from hookflash.core import events as e
from hookflash.core import prompts
from hookflash.core.commands import (
    AnswerCarrier,
    CloseModel,
    CloseStream,
    ConnectAgent,
    DialHumans,
    HangUp,
    Message,
    MoveCall,
    OpenModel,
    RequestResponse,
    Speak,
    StoreRecord,
    TakeVoicemail,
)
from hookflash.core.handoff_plan import Destination, HandoffPlan, Target, queue_target
from hookflash.core.phases import Phase

ANNA = Target.phone("+15550102")
BEN = Target.sip("sip:ben@example.com")
DESK = queue_target("support")
BILLING = Destination(key="billing", when="", plan=HandoffPlan(targets=(ANNA,)))


def dial(step: int, *targets: Target) -> tuple[DialHumans]:
    return (DialHumans(step, targets or (ANNA,), 20),)


# --- arriving ---------------------------------------------------------------------------------


def test_a_call_that_arrives_is_connected_and_a_model_opened(scene: Any) -> None:
    line = scene()
    assert line.arrive() == [OpenModel(()), AnswerCarrier((ConnectAgent(1),))]
    assert line.call.phase is Phase.RINGING


def test_the_first_webhook_twice_is_answered_alike_and_opens_nothing(scene: Any) -> None:
    line = scene()
    line.arrive()
    assert line.arrive() == [AnswerCarrier((ConnectAgent(1),))]


def test_the_first_webhook_again_after_the_stream_was_lost_resumes(scene: Any) -> None:
    """The carrier's fallback URL: it could not reach us when it asked what is next."""
    line = scene().greet()
    line(e.StreamStopped("MZ1"))
    opened, answer = line.arrive()
    assert type(opened) is OpenModel
    assert answer == AnswerCarrier((ConnectAgent(2),))


def test_the_first_webhook_again_during_a_hand_off_goes_on_with_it(scene: Any) -> None:
    line = scene().moved()
    assert line.arrive() == [AnswerCarrier(dial(2))]


def test_the_first_webhook_again_after_the_end_hangs_up(scene: Any) -> None:
    line = scene().greet()
    line(e.CallCompleted())
    assert line.arrive() == [AnswerCarrier((HangUp(),))]


# --- the two roads ----------------------------------------------------------------------------


def test_a_call_is_moved_by_rest_and_rung(scene: Any) -> None:
    line = scene()
    assert line.leave() == [CloseModel(), MoveCall(2, dial(2), 2.0)]
    assert line.call.phase is Phase.HANDING_OFF
    assert line(e.CallMoved(2)) == []
    assert line(e.StreamStopped("MZ1", "stop")) == [], "expected, and ends nothing"
    assert line(e.LegChanged("CA2", "ringing", 2)) == []
    assert line(e.LegChanged("CA2", "answered", 2)) == []
    assert line.call.phase is Phase.WITH_HUMAN  # type: ignore[comparison-overlap]


@pytest.mark.parametrize("status", [500, 429, None])
def test_a_refused_move_uses_the_connect_action_with_the_same_instructions(
    scene: Any, status: int | None
) -> None:
    line = scene()
    line.leave()
    assert line(e.CarrierRefused(2, status)) == [CloseStream()]
    assert line(e.CarrierRefused(2, status)) == [], "one closing is enough"
    line(e.StreamStopped("MZ1"))
    assert line.asks(1) == [AnswerCarrier(dial(2))]
    assert line.call.caller_leg.route.deadline is None


def test_a_move_without_an_answer_in_time_uses_the_connect_action(scene: Any) -> None:
    line = scene()
    line.leave()
    assert line.wait(2.2) == []
    assert line.wait(0.1) == [CloseStream()]
    assert line.asks(1) == [AnswerCarrier(dial(2))]


def test_when_the_connect_action_fails_rest_is_tried_again(scene: Any) -> None:
    line = scene()
    line.leave()
    line(e.CarrierRefused(2, 500))
    assert line.wait(5.1) == [MoveCall(2, dial(2), 2.0)]
    assert line(e.CallMoved(2)) == []


def test_after_three_attempts_by_each_way_the_call_has_failed(scene: Any) -> None:
    line = scene()
    line.leave()
    line.wait(30.0)
    assert len(line.sent(MoveCall)) == 3
    assert len(line.sent(CloseStream)) == 3
    assert line.record.disposition == "failed"


def test_a_goodbye_that_cannot_be_followed_by_hanging_up_is_no_failure(scene: Any) -> None:
    line = scene().greet()
    line(e.HangUpRequested())
    line.say("bye", "r1", 500)
    line.now += 0.5
    line.returned()
    line.wait(30.0)
    assert line.record.disposition == "handled_by_agent"


def test_a_refusal_of_an_older_move_changes_nothing(scene: Any) -> None:
    line = scene().moved()
    assert line(e.CarrierRefused(1, 500)) == []
    assert line(e.CarrierRefused(2, 500)) == [], "it was accepted before"
    assert line(e.CallMoved(1)) == []


def test_a_question_that_comes_twice_does_not_end_a_move_under_way(scene: Any) -> None:
    """The old answer brings nobody to the human: the move must still be watched."""
    line = scene().greet()
    line(e.StreamStopped("MZ1"))
    resumed = line.asks(1)[-1]
    line(e.ModelReady("S2"))
    line.stream("MZ2")
    line(e.HandoffRequested("billing", ""))
    line.wait(8.1)
    assert line.call.phase is Phase.HANDING_OFF
    assert line.asks(1) == [resumed]
    assert line(e.CarrierRefused(3, 500)) == [CloseStream()]


def test_a_call_that_is_gone_is_over(scene: Any) -> None:
    """21220, 20404: the caller hung up while the call was being moved."""
    line = scene()
    line.leave()
    close, stored = line(e.CarrierRefused(2, 400, 21220, gone=True))
    assert (close, type(stored)) == (CloseModel(), StoreRecord)
    assert line.call.phase is Phase.ENDED
    assert line.record.disposition == "abandoned"


def test_a_stream_that_opens_when_the_call_is_to_go_elsewhere_is_closed(scene: Any) -> None:
    line = scene(fallback="billing")
    line.arrive()
    line(e.ModelLost("no key", "none"))
    assert line.call.phase is Phase.HANDING_OFF
    assert line.stream() == [CloseStream()]
    line(e.StreamStopped("MZ1"))
    assert line.asks(1) == [AnswerCarrier(dial(2))]


# --- the stream breaks ------------------------------------------------------------------------


def test_a_lost_stream_is_resumed_with_what_was_heard(scene: Any) -> None:
    line = scene().greet()
    line.say("a", "r1", 4000, text="This was heard and this was not.")
    line.now += 2.0
    assert line(e.StreamStopped("MZ1")) == [CloseModel()]
    assert line(e.StreamStopped("MZ1", "stop")) == []
    opened, answer = line.asks(1)
    assert answer == AnswerCarrier((ConnectAgent(2),))
    assert opened.history == (
        Message("assistant", "Hello."),
        Message("assistant", "This was heard"),
    )
    line(e.ModelReady("S2"))
    assert line.stream("MZ2")[-1] == RequestResponse(prompts.CUT_OFF)


def test_a_carrier_that_asks_before_the_socket_is_seen_to_be_gone_is_believed(scene: Any) -> None:
    line = scene().greet()
    line.say("a", "r1", 4000, text="This was heard and this was not.")
    line.now += 2.0
    close, opened, answer = line.asks(1)
    assert (close, answer) == (CloseModel(), AnswerCarrier((ConnectAgent(2),)))
    assert opened.history[-1].text == "This was heard"
    assert line(e.StreamStopped("MZ1")) == []
    assert line.wait(14.0) == [CloseModel("not-ready"), opened], (
        "only the model's own time runs out"
    )


def test_a_farewell_that_is_cut_off_by_a_lost_stream_leads_to_the_human(scene: Any) -> None:
    line = scene().greet()
    line(e.ResponseStarted("r1"))
    line.sound("bye", "r1", 3000)
    line.transfer()
    line(e.StreamStopped("MZ1"))
    assert line.wait(4.0) == []
    assert line.asks(1) == [CloseModel(), AnswerCarrier(dial(2))]


def test_a_goodbye_that_is_cut_off_by_a_lost_stream_ends_the_call(scene: Any) -> None:
    line = scene().greet()
    line(e.HangUpRequested())
    line(e.StreamStopped("MZ1"))
    assert line.asks(1) == [CloseModel(), AnswerCarrier((HangUp(),))]


def test_streams_that_never_open_lead_to_a_human(scene: Any) -> None:
    line = scene(fallback="billing")
    line.arrive()
    for step in (1, 2, 3):
        assert line.asks(step)[-1] == AnswerCarrier((ConnectAgent(step + 1),))
    assert line.asks(4) == [CloseModel(), AnswerCarrier(dial(5))]
    (message,) = line.asks(5, "dial", "no-answer")[-1].instructions
    assert type(message) is TakeVoicemail, "there is no agent to come back to"


def test_a_plan_that_ends_calls_says_so_where_there_is_no_agent(scene: Any) -> None:
    plan = HandoffPlan(targets=(ANNA,), otherwise="hang-up")
    line = scene(plan, fallback="billing")
    line.arrive()
    for step in (1, 2, 3, 4):
        line.asks(step)
    assert line.asks(5, "dial", "no-answer")[-1] == AnswerCarrier((Speak(plan.sorry), HangUp()))


def test_streams_that_never_open_lead_to_an_apology_where_there_is_no_human(scene: Any) -> None:
    line = scene(apology="Sorry.")
    line.arrive()
    for step in (1, 2, 3):
        line.asks(step)
    assert line.asks(4) == [CloseModel(), AnswerCarrier((Speak("Sorry."), HangUp()))]
    line(e.CallCompleted())
    assert line.record.disposition == "failed"


def test_streams_that_never_open_lead_to_a_human_even_when_each_took_too_long(scene: Any) -> None:
    line = scene(fallback="billing")
    line.arrive()
    for step in (1, 2, 3):
        line.wait(16)
        assert line.call.phase is Phase.ENDED
        assert line.asks(step)[-1] == AnswerCarrier((ConnectAgent(step + 1),))
    line.wait(16)
    assert line.asks(4) == [CloseModel(), AnswerCarrier(dial(5))]


def test_a_webhook_of_an_unknown_step_is_answered_with_the_agent(scene: Any) -> None:
    """The journal's last lines were lost: the carrier knows a step that we do not."""
    line = scene().greet()
    assert line.asks(7, "dial", "busy")[-1] == AnswerCarrier((ConnectAgent(2),))
    assert line.asks(7, "dial", "busy") == [AnswerCarrier((ConnectAgent(2),))]
