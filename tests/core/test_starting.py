from __future__ import annotations

from typing import Any

import pytest

from hookflash.core import builtin_tools, prompts
from hookflash.core import events as e
from hookflash.core.commands import (
    AddMessage,
    CheckTargets,
    DialHumans,
    EndLeg,
    HangUp,
    Message,
    MoveCall,
    ReferCaller,
    RequestResponse,
    RingHuman,
    SendToolOutput,
)
from hookflash.core.handoff.states import HandoffState
from hookflash.core.handoff_plan import Destination, HandoffPlan, Target
from hookflash.core.phases import Phase

ANNA, BEN = Target.phone("+15550102"), Target.phone("+15550103")
DESK = Target.sip("sip:desk@example.com")
WARM = HandoffPlan(targets=(ANNA, BEN), manner="warm")


def checked(plan: HandoffPlan) -> dict[str, Any]:
    return {"destinations": (Destination(key="billing", when="", plan=plan, checked=True),)}


def output(commands: list[Any]) -> str:
    (told,) = [each.output for each in commands if isinstance(each, SendToolOutput)]
    return str(told)


# --- warm -------------------------------------------------------------------------------------


def test_a_warm_hand_off_rings_while_the_agent_goes_on(scene: Any) -> None:
    line = scene(WARM)
    commands = line.reach()
    assert commands[0] == RingHuman(1, 0, ANNA, 20)
    assert '"status":"ringing"' in output(commands)
    assert line.log[-1] == RequestResponse(), "the model is asked to go on"
    assert line.call.handoff.state is HandoffState.RINGING
    assert not line.sent(MoveCall)


def test_a_warm_hand_off_that_a_supervisor_asks_for_is_told_to_the_model(scene: Any) -> None:
    line = scene(WARM).greet()
    rung, told, asked = line(e.HandoffRequested("billing", "they shout", source="policy"))
    assert rung == RingHuman(1, 0, ANNA, 20)
    assert told == AddMessage(Message("system", prompts.ringing(line.call.handoff.destination)))
    assert asked == RequestResponse(tools="none")


def test_a_plan_of_a_supervisors_own_is_carried_out(scene: Any) -> None:
    plan = HandoffPlan(targets=(BEN,), manner="warm")
    line = scene().greet()
    rung = line(e.HandoffRequested("anna", "takes over", plan=plan, by="anna"))[0]
    assert rung == RingHuman(1, 0, BEN, 20)
    assert line.call.handoff.destination.key == "anna"


def test_a_second_request_is_answered_with_the_state_of_the_first(scene: Any) -> None:
    line = scene(WARM)
    line.reach()
    assert '"already under way","detail":"ringing"' in output(line.transfer(call_id="t2"))
    assert line(e.HandoffRequested("billing", "again")) == []


def test_a_destination_that_is_none_is_an_answer_and_no_error(scene: Any) -> None:
    line = scene(WARM).greet()
    assert "must be one of: billing; got 'mars'" in output(line.transfer("mars"))
    assert line.call.handoff.state is HandoffState.IDLE


def test_the_key_for_a_human_asks_for_one(scene: Any) -> None:
    line = scene(WARM, key_to_human="0").greet()
    assert line.press("0") == []
    assert line.wait(1.6)[0] == RingHuman(1, 0, ANNA, 20)
    assert line.call.handoff.request.source == "caller"


def test_the_key_inside_a_number_is_part_of_the_number(scene: Any) -> None:
    line = scene(WARM, key_to_human="0", key_destination="billing").greet()
    for digit in "402":
        line.press(digit)
    assert line.wait(1.6)[0] == AddMessage(Message("system", prompts.typed_hidden(3)))


def test_the_key_means_nothing_where_there_is_nobody(scene: Any) -> None:
    line = scene(destinations=(), key_to_human="0").greet()
    line.press("0")
    assert line.wait(1.6)[0] == AddMessage(Message("system", prompts.typed_hidden(1)))


# --- who is there -----------------------------------------------------------------------------


def test_hours_and_presence_are_looked_up_first_and_the_tool_waits(scene: Any) -> None:
    line = scene(**checked(WARM))
    assert line.reach() == [CheckTargets(1, "billing")]
    assert line.call.handoff.state is HandoffState.CHECKING
    commands = line(e.TargetsChecked(1, free=(1,)))
    assert commands[0] == RingHuman(1, 0, BEN, 20)
    assert '"status":"ringing"' in output(commands)
    assert line(e.TargetsChecked(1)) == [], "once"


def test_a_closed_destination_is_told_with_when_it_opens(scene: Any) -> None:
    plan = HandoffPlan(targets=(ANNA,), offers=("voicemail",))
    line = scene(**checked(plan))
    line.reach()
    commands = line(e.TargetsChecked(1, open=False, opens="tomorrow at nine"))
    assert "is closed now and opens tomorrow at nine" in output(commands)
    assert "record a message" in output(commands)
    assert line.call.handoff.state is HandoffState.IDLE
    assert [each.outcome for each in line.call.handoff.attempts] == ["closed"]


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (e.TargetsChecked(1, open=False), "billing is closed now."),
        (e.TargetsChecked(1, open=False, opens="on Monday"), "closed now and opens on Monday"),
        (e.TargetsChecked(1, free=()), "nobody is free at billing"),
    ],
)
def test_a_supervisor_who_asks_for_nobody_has_the_agent_say_so(
    scene: Any, event: e.TargetsChecked, said: str
) -> None:
    line = scene(**checked(WARM)).greet()
    line(e.HandoffRequested("billing", "help"))
    told, asked = line(event)
    assert isinstance(told, AddMessage)
    assert said in asked.instructions


def test_a_check_of_before_says_nothing_about_now(scene: Any) -> None:
    line = scene(**checked(WARM)).greet()
    line(e.HandoffRequested("billing", "help"))
    assert line(e.TargetsChecked(7, open=False)) == []


def test_who_does_not_say_in_time_counts_as_there(scene: Any) -> None:
    line = scene(**checked(WARM))
    line.reach()
    assert line.wait(2.1)[0] == RingHuman(1, 0, ANNA, 20)


def test_a_cold_hand_off_is_accepted_when_it_is_known_who_is_there(scene: Any) -> None:
    line = scene(**checked(HandoffPlan(targets=(ANNA,))))
    line.reach()
    commands = line(e.TargetsChecked(1))
    assert '"status":"accepted"' in output(commands)
    assert "connecting you with billing" in commands[-1].instructions


def test_a_model_that_dies_during_the_check_moves_the_caller(scene: Any) -> None:
    line = scene(**checked(WARM))
    line.reach()
    moved = line(e.ModelLost("wrong key", "none"))[-1]
    assert moved.instructions == (DialHumans(2, (ANNA,), 20, None, 1),), "cold, and screened"
    assert line(e.TargetsChecked(1)) == []


# --- refer ------------------------------------------------------------------------------------


def test_a_caller_who_came_by_sip_is_referred(scene: Any) -> None:
    plan = HandoffPlan(targets=(DESK,), manner="refer")
    line = scene(plan)
    line.call.info.caller = ""
    line(e.CallArrived("CA1", "sip:joe@example.com", "sip:line@example.com"))
    line(e.ModelReady("S1"))
    line.stream()
    line(e.HandoffRequested("billing", "x"))
    line.wait(8.1)
    assert line.sent(MoveCall)[-1].instructions == (ReferCaller(2, DESK),)


def test_any_other_caller_is_handed_off_cold(scene: Any) -> None:
    line = scene(HandoffPlan(targets=(DESK,), manner="refer")).greet()
    line(e.HandoffRequested("billing", "x"))
    line.wait(8.1)
    assert line.sent(MoveCall)[-1].instructions == (DialHumans(2, (DESK,), 20),)


# --- calling it off ---------------------------------------------------------------------------


def cancels(line: Any) -> list[Any]:
    line(e.ResponseStarted("r-cancel"))
    return line(e.ToolCallRequested("t9", builtin_tools.CANCEL_TOOL, "{}", "r-cancel"))  # type: ignore[no-any-return]


def test_every_ringing_leg_is_cancelled_when_the_caller_changes_their_mind(scene: Any) -> None:
    line = scene(WARM)
    line.reach()
    line.placed()
    commands = cancels(line)
    assert commands[0] == EndLeg("CA-1-0")
    assert '"status":"cancelled"' in output(commands)
    assert line.call.handoff.state is HandoffState.IDLE
    assert [each.outcome for each in line.call.handoff.attempts] == ["cancelled"]


def test_nothing_to_cancel_is_an_answer(scene: Any) -> None:
    line = scene(WARM).greet()
    assert '"nothing to cancel"' in output(cancels(line))


def test_a_check_is_called_off_and_its_tool_answered(scene: Any) -> None:
    line = scene(**checked(WARM))
    line.reach()
    told = line(e.HandoffCancelled("anna"))
    assert '"status":"cancelled"' in output(told)
    assert told[-1] == AddMessage(Message("system", prompts.cancelled("anna")))
    assert line(e.HandoffCancelled("anna")) == []


def test_a_supervisor_calls_off_a_farewell(scene: Any) -> None:
    line = scene().greet()
    line(e.HandoffRequested("billing", "x"))
    line(e.HandoffCancelled())
    assert line.call.conversation.farewell.purpose is None
    assert line.call.handoff.state is HandoffState.IDLE


def test_an_accepted_human_is_thanked_when_it_is_called_off(scene: Any) -> None:
    line = scene(WARM).screened()
    line.human("pressed", "1")
    assert EndLeg("CA-1-0") in line(e.HandoffCancelled("anna"))
    assert line.call.conversation.farewell.purpose is None
    assert not line.call.conversation.requests.protected


def test_who_says_goodbye_while_it_rings_is_not_called_any_more(scene: Any) -> None:
    line = scene(WARM)
    line.reach()
    line.placed()
    line(e.ResponseStarted("r-end"))
    commands = line(e.ToolCallRequested("t9", "end_call", "{}", "r-end"))
    assert EndLeg("CA-1-0") in commands
    assert line.call.handoff.state is HandoffState.IDLE


def test_hanging_up_for_the_owner_calls_it_off_too(scene: Any) -> None:
    line = scene(WARM)
    line.reach()
    line.placed()
    assert line(e.HangUpRequested())[0] == EndLeg("CA-1-0")


# --- say-do -----------------------------------------------------------------------------------


def test_an_agent_that_says_it_transfers_is_asked_to_do_it(scene: Any) -> None:
    line = scene(WARM).greet()
    commands = line.say("a1", "r1", 900, text="I am connecting you with billing now.")
    assert commands[-1] == RequestResponse(prompts.SAY_DO, "transfer_to_human")


def test_an_agent_that_names_nobody_is_reminded_and_decides(scene: Any) -> None:
    line = scene(WARM).greet()
    commands = line.say("a1", "r1", 900, text="Transferring you now.")
    reminder = AddMessage(Message("system", prompts.SAY_DO_REMINDER))
    assert commands[-2:] == [reminder, RequestResponse()]
    again = line.say("a2", "r2", 900, text="Transferring you now.")
    assert not [each for each in again if isinstance(each, AddMessage | RequestResponse)]
    assert not [each for each in line.sent(RequestResponse) if each.tools == "transfer_to_human"]


def test_a_reminder_asks_for_no_response_of_its_own_when_another_one_follows(scene: Any) -> None:
    line = scene(WARM).greet()
    line(e.ResponseStarted("r1"))
    line(e.AgentTranscribed("a1", "Transferring you now."))
    line.press("7")
    line.wait(2.0)
    commands = line(e.ResponseEnded("r1", "completed"))
    assert [type(each) for each in commands] == [AddMessage, RequestResponse]


def test_an_agent_without_destinations_owes_nothing(scene: Any) -> None:
    line = scene(destinations=()).greet()
    commands = line.say("a1", "r1", 900, text="I am connecting you with a colleague.")
    assert not [each for each in commands if isinstance(each, AddMessage | RequestResponse)]


def test_an_agent_that_does_it_is_not_asked(scene: Any) -> None:
    line = scene(WARM).greet()
    line(e.ResponseStarted("r1"))
    line(e.AgentTranscribed("a1", "I am connecting you with billing now."))
    line.transfer()
    assert line(e.ResponseEnded("r1", "completed"))[-1] == RequestResponse()


def test_the_line_before_a_hand_off_is_no_announcement(scene: Any) -> None:
    line = scene().greet()
    line(e.HandoffRequested("billing", "x"))
    line.say("bye", "r1", 900, text="I am connecting you with billing now.")
    assert not [each for each in line.sent(RequestResponse) if each.tools == "transfer_to_human"]


@pytest.mark.parametrize("manner", ["cold", "warm"])
def test_a_destination_that_is_only_the_line_itself_is_closed(scene: Any, manner: Any) -> None:
    itself = HandoffPlan(targets=(Target.phone("+15550101"),), manner=manner)
    line = scene(itself).greet()
    known, asked = line(e.HandoffRequested("billing", "x"))
    assert "Nobody is free at billing" in known.message.text
    assert "nobody is free at billing" in asked.instructions
    (output,) = line.transfer()
    assert '"closed"' in output.output
    assert [each.outcome for each in line.call.handoff.attempts] == ["closed", "closed"]
    assert not line.call.handoff.running


@pytest.mark.parametrize("manner", ["cold", "warm"])
def test_without_an_agent_a_destination_that_is_only_the_line_itself_is_no_human(
    scene: Any, manner: Any
) -> None:
    plan = HandoffPlan(targets=(Target.phone("+15550101"),), manner=manner)
    itself = Destination(key="billing", when="", plan=plan, checked=True)
    line = scene(destinations=(itself,)).greet()
    line(e.HandoffRequested("billing", "x"))
    assert line(e.ShutdownRequested())[-1].instructions[-1] == HangUp()
    assert line.call.phase is Phase.ENDING
    assert [each.outcome for each in line.call.handoff.attempts] == ["closed"]
