from __future__ import annotations

from typing import Any, get_args

import pytest

from hookflash.core import call as module
from hookflash.core import commands as c
from hookflash.core import events as e
from hookflash.core.call import Call
from hookflash.core.phases import NEXT, Phase
from hookflash.core.setup import CallSetup
from hookflash.errors import IllegalTransition


def test_every_event_has_an_answer() -> None:
    assert set(module._HANDLERS) == set(get_args(e.AnyEvent))
    assert set(e.Event.__subclasses__()) == set(get_args(e.AnyEvent))
    assert set(c.Command.__subclasses__()) == set(get_args(c.AnyCommand))


def test_a_call_begins_ringing_and_waits_for_nothing() -> None:
    call = Call(CallSetup())
    assert call.phase is Phase.RINGING
    assert call.deadline is None
    assert call.expire(1000.0) == []


def test_a_phase_that_cannot_follow_is_a_mistake_of_ours() -> None:
    call = Call(CallSetup())
    call.enter(Phase.ENDING, 1.0)
    with pytest.raises(IllegalTransition, match="in state ending"):
        call.enter(Phase.TALKING, None)
    assert call.phase is Phase.ENDING


def test_every_phase_has_its_followers() -> None:
    assert set(NEXT) == set(Phase)


def test_early_and_late_timers_are_harmless(scene: Any) -> None:
    line = scene().greet()
    assert line.call.expire(line.now) == []
    assert line.call.expire(line.now + 3600) == []


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
