from __future__ import annotations

from typing import Any, get_args

import msgspec

from hookflash.core import call as module
from hookflash.core import commands as c
from hookflash.core import events as e
from hookflash.core import signals as s
from hookflash.core.call import Call
from hookflash.core.caller_leg.limits import LIMITS
from hookflash.core.caller_leg.states import PHASES, CallerLegState
from hookflash.core.conversation.dispatch import WHILE_SPEAKING
from hookflash.core.handoff.states import HandoffState
from hookflash.core.handoff_plan import Destination, HandoffPlan, Target
from hookflash.core.phases import Phase
from hookflash.core.setup import CallSetup

WARM = HandoffPlan(targets=(Target.phone("+15550102"),), manner="warm")
WARM_DESTINATION = Destination(key="billing", when="", plan=WARM)


def test_every_event_has_an_answer() -> None:
    of_sound = {e.CallerAudio, e.ModelAudio, *WHILE_SPEAKING}
    assert set(module._OWNERS) | of_sound == set(get_args(e.AnyEvent))
    assert set(e.Event.__subclasses__()) == set(get_args(e.AnyEvent))
    assert set(module._ROUTES) == set(s.Signal.__subclasses__())
    assert set(c.Command.__subclasses__()) == set(get_args(c.AnyCommand))


def test_a_call_begins_ringing_and_waits_for_nothing() -> None:
    call = Call(CallSetup())
    assert call.phase is Phase.RINGING
    assert call.deadline is None
    assert call.expire(1000.0) == []


def test_every_place_has_its_phase_and_its_limit() -> None:
    assert set(PHASES) == set(LIMITS) == set(CallerLegState)
    assert set(PHASES.values()) == set(Phase)


def test_early_and_late_timers_are_harmless(scene: Any) -> None:
    line = scene().greet()
    assert line.call.expire(line.now) == []
    assert line.call.expire(line.now + 3000) == []


def test_the_deadline_is_the_nearest_of_all(scene: Any) -> None:
    line = scene()
    line.arrive()
    assert line.call.deadline == line.now + 10.0, "the model's"
    line(e.ModelReady("S1"))
    assert line.call.deadline == line.now + 15.0, "the stream's"


def test_a_whole_call(scene: Any) -> None:
    line = scene(agent="reception", greeting="Hello.").greet()
    line.speaks()
    line.now += 1.0
    line.pauses()
    line(e.CallerTranscribed("c1", "A human, please."))
    line(e.ResponseStarted("r1"))
    line.sound("bye", "r1", 1500)
    line(e.AgentTranscribed("bye", "One moment, please."))
    line.transfer()
    line(e.ModelAudioEnded("r1", "bye"))
    line(e.ResponseEnded("r1", "completed"))
    line.now += 1.5
    assert [type(each) for each in line.returned()] == [c.CloseModel, c.MoveCall]
    line(e.CallMoved(2))
    line(e.StreamStopped("MZ1", "stop"))
    line(e.LegChanged("CA2", "ringing", 2))
    line.now += 4.0
    line(e.LegChanged("CA2", "answered", 2))
    line.now += 30.0
    assert line.asks(2, "dial", "bridged", "CA2")[-1] == c.AnswerCarrier((c.HangUp(),))
    line(e.CallCompleted())
    record = line.record
    assert record.disposition == "handed_off"
    assert [each.text for each in record.utterances] == [
        "Hello.",
        "A human, please.",
        "One moment, please.",
    ]
    assert record.handoffs[0].seconds_to_human == 5.5


def test_a_call_hears_the_caller_while_somebody_listens(scene: Any) -> None:
    line = scene()
    assert not line.call.hears
    assert line.greet().call.hears
    assert not scene().moved().call.hears


def test_a_caller_who_stays_silent_in_words_has_said_nothing(scene: Any) -> None:
    line = scene().greet()
    line.speaks("c1")
    assert line(e.CallerTranscribed("c1", "  ")) == []


def test_the_key_for_a_human_changes_nothing_while_the_last_words_are_said(scene: Any) -> None:
    line = scene(key_to_human="0").greet()
    line(e.HangUpRequested())
    line.press("0")
    assert line.wait(1.5) == []
    assert line.call.handoff.state is HandoffState.IDLE


def test_a_session_that_has_not_called_a_tool_is_told_in_words_what_came_of_it(scene: Any) -> None:
    """The session that asked is lost while it is found out who is there."""
    checked = msgspec.structs.replace(WARM_DESTINATION, checked=True)
    line = scene(destinations=(checked,)).greet()
    line(e.ResponseStarted("r-transfer"))
    line.transfer()
    line(e.ModelLost("gone"))
    line.wait(0.0)
    told = line(e.TargetsChecked(1, open=False))
    assert not any(isinstance(each, c.SendToolOutput) for each in told)
    (note,) = [each for each in told if isinstance(each, c.AddMessage)]
    assert "billing is closed" in note.message.text.lower()


def test_a_message_cannot_be_left_where_nobody_takes_any(scene: Any) -> None:
    line = scene(destinations=()).greet()
    line(e.ResponseStarted("r1"))
    output = line(e.ToolCallRequested("t1", "take_voicemail", "{}", "r1"))[0]
    assert "takes no messages" in output.output


def test_a_message_cannot_be_left_while_the_call_ends(scene: Any) -> None:
    line = scene().greet()
    line(e.ResponseStarted("r1"))
    line.sound("bye", "r1", 1000)
    line(e.ToolCallRequested("t1", "end_call", "{}", "r1"))
    (output,) = line(e.ToolCallRequested("t2", "take_voicemail", "{}", "r1"))
    assert "about to end" in output.output


def test_an_event_of_another_room_does_not_change_the_move(scene: Any) -> None:
    line = scene(WARM).closed()
    line.call.caller_leg.route.in_force = ()
    line(e.RoomChanged(1, "started"))
    assert line.call.caller_leg.moving_until is not None
