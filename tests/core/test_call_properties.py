"""A call under any order of events: valid ones and nonsense, early, late and twice."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hookflash.core import events as e
from hookflash.core.call import Call
from hookflash.core.commands import (
    AddMessage,
    AnswerCarrier,
    AnyCommand,
    CancelResponse,
    CloseModel,
    CloseStream,
    ConnectAgent,
    DeleteItem,
    DialHumans,
    GiveDigits,
    Instruction,
    JoinQueue,
    MoveCall,
    OpenModel,
    PlayAudio,
    RequestResponse,
    SendCallerAudio,
    SendToolOutput,
    StartRecording,
    StoreRecord,
    TruncateItem,
)
from hookflash.core.conversation.states import SessionState
from hookflash.core.handoff_plan import Destination, HandoffPlan, Target, queue_target
from hookflash.core.phases import Phase
from hookflash.core.setup import CallSetup

START = 1_764_000_000.0
TO_MODEL = (
    SendCallerAudio,
    RequestResponse,
    CancelResponse,
    TruncateItem,
    DeleteItem,
    AddMessage,
    SendToolOutput,
)
TARGETS = (Target.phone("+15550102"), Target.phone("+15550103"), queue_target("support"))


HARMLESS = AnswerCarrier | CloseStream | GiveDigits | StoreRecord
"""What may follow from an event that comes after the call's end."""


class Witness:
    """Drives a call, and knows what must hold after every single step."""

    def __init__(self, setup: CallSetup) -> None:
        self.call = Call(setup)
        self.now = START
        self.session = False
        self.steps: set[int] = set()
        self.answers: dict[tuple[int, str], tuple[Instruction, ...]] = {}
        self.endings = 0
        self.records = 0
        self.tool_answers: set[str] = set()
        self.recordable = setup.record

    def receive(self, event: e.AnyEvent) -> None:
        before = self.call.phase
        commands = self.call.receive(event, self.now)
        if isinstance(event, e.RecordingRefused):
            self.recordable = False
        self.check(before, commands)
        if isinstance(event, e.CallArrived | e.InstructionsAsked):
            answer = commands[-1]
            assert isinstance(answer, AnswerCarrier)
            assert answer.instructions
            if isinstance(event, e.InstructionsAsked) and event.step in self.steps:
                question = (event.step, event.leg_sid)
                assert self.answers.setdefault(question, answer.instructions) == (
                    answer.instructions
                )
        else:
            assert not any(isinstance(each, AnswerCarrier) for each in commands)

    def expire(self) -> None:
        before = self.call.phase
        self.check(before, self.call.expire(self.now))
        deadline = self.call.deadline
        assert deadline is None or deadline > self.now, "the timer rings without end"

    def wait(self, seconds: float) -> None:
        end = self.now + seconds
        while (deadline := self.call.deadline) is not None and deadline <= end:
            self.now = max(self.now, deadline)
            self.expire()
        self.now = end

    def check(self, before: Phase, commands: list[AnyCommand]) -> None:
        over = before is Phase.ENDED and self.call.caller_leg.completed
        for command in commands:
            if isinstance(command, PlayAudio):
                assert before is Phase.TALKING or self.call.phase is Phase.TALKING
            if isinstance(command, TO_MODEL):
                assert self.session, f"{command} to nobody"
            if isinstance(command, SendToolOutput):
                assert command.call_id not in self.tool_answers
                self.tool_answers.add(command.call_id)
            if isinstance(command, StartRecording):
                assert self.recordable
                assert (
                    self.call.setup.consent is None
                    or self.call.conversation.transcript.agent_was_heard
                )
            if isinstance(command, OpenModel | CloseModel):
                self.session = isinstance(command, OpenModel)
            if isinstance(command, AnswerCarrier | MoveCall):
                self.steps |= {
                    each.step
                    for each in command.instructions
                    if isinstance(each, ConnectAgent | DialHumans | JoinQueue)
                }
            if isinstance(command, StoreRecord):
                self.records += not over
                msgspec.json.encode(command)
                # Made anew only where a human had the caller after all.
                assert not over or command.record.handoffs[-1].outcome == "bridged"
            assert not over or isinstance(command, HARMLESS)
        self.endings += self.call.phase is Phase.ENDED and before is not Phase.ENDED
        assert self.records == self.endings
        self.check_no_dead_end()

    def check_no_dead_end(self) -> None:
        call = self.call
        if call.phase is Phase.ENDED:
            assert not self.session
            assert call.deadline is None
        elif call.phase is Phase.TALKING and call.caller_leg.stream_sid is not None:
            assert call.conversation.model.state not in (SessionState.CLOSED, SessionState.DEAD)
        else:
            assert call.deadline is not None, f"{call.phase} could last for ever"


few = st.integers(0, 3)
ids = st.sampled_from(["1", "2", "3"])
outcomes = st.sampled_from(
    [None, "bridged", "busy", "no-answer", "declined", "failed", "cancelled", "machine"]
    + ["caller-gone"]
)
events: st.SearchStrategy[Any] = st.one_of(
    st.just(e.CallArrived("CA1", "+15550100", "+15550101")),
    st.builds(e.StreamStarted, ids, few),
    st.builds(e.StreamStarted, ids, few),
    st.just(e.CallerAudio("", 160, 0)),
    st.builds(e.MarkReturned, st.sampled_from(["", "x", "1:1:probe", "1:3:1:100", "9:1:1:1"])),
    st.builds(e.DigitPressed, st.sampled_from(["", "2"]), st.booleans(), st.booleans()),
    st.builds(
        e.DigitsWanted,
        ids,
        few,
        st.booleans(),
        st.just("#"),
        st.just(9.0),
        st.sampled_from(["", "?"]),
    ),
    st.builds(e.DigitsUnwanted, ids),
    st.builds(e.StreamStopped, ids, st.sampled_from(["stop", ""])),
    st.builds(
        e.InstructionsAsked, st.just(-1), st.sampled_from(["connect", "dial", "queue"]), st.just("")
    ),
    st.builds(e.InstructionsAsked, few, st.just("connect"), ids),
    st.builds(e.InstructionsAsked, st.just(-1), st.just("dial"), ids, outcomes),
    st.builds(e.InstructionsAsked, st.just(-1), st.just("dial"), ids, outcomes),
    st.builds(
        e.LegChanged,
        ids,
        st.sampled_from(["initiated", "ringing", "answered", "completed"]),
        st.sampled_from([-1, -1, 1]),
        outcomes,
    ),
    st.builds(e.CallMoved, st.sampled_from([-1, 1])),
    st.builds(e.CarrierRefused, st.sampled_from([-1, 1]), gone=st.just(False)),
    st.builds(e.CarrierRefused, st.just(-1), gone=st.booleans()),
    st.just(e.CallCompleted()),
    st.just(e.ModelReady("S")),
    st.just(e.ModelReady("S")),
    st.builds(e.ModelLost, st.just(""), st.sampled_from(["rotate", "none"])),
    st.builds(e.CallerQuiet, st.booleans()),
    st.builds(
        e.ModelRefused,
        st.sampled_from(["conversation_already_has_active_response", "other"]),
        st.just(""),
        st.booleans(),
    ),
    st.builds(e.ResponseStarted, ids),
    st.builds(
        e.ResponseEnded, ids, st.sampled_from(["completed", "cancelled", "failed", "incomplete"])
    ),
    st.builds(e.ModelAudio, ids, ids, st.just(""), st.integers(0, 40_000)),
    st.builds(e.ModelAudio, ids, ids, st.just(""), st.integers(0, 40_000)),
    st.builds(e.ModelAudioEnded, ids, ids),
    st.builds(e.AgentTranscribed, ids, st.sampled_from(["", "one two"])),
    st.builds(e.CallerSpeechStarted, ids),
    st.builds(e.CallerSpeechStopped, ids),
    st.builds(e.CallerTranscribed, ids, st.just("words")),
    st.builds(
        e.ToolCallRequested,
        ids,
        st.sampled_from(["lookup", "transfer_to_human", "end_call", "stop_recording"]),
        st.sampled_from(["{}", "no", '{"destination": "billing"}']),
        ids,
    ),
    st.builds(e.ToolFinished, ids, st.just("42")),
    st.builds(e.HandoffRequested, st.sampled_from(["billing", "mars"]), st.just("")),
    st.just(e.HangUpRequested()),
    st.just(e.RecordingRefused()),
    st.just(e.CallRecovered()),
    st.just(e.ShutdownRequested()),
)
moments = st.one_of(events, events, events, st.sampled_from([0.0, 0.1, 1.0, 3.0, 9.0, 70.0]))
setups = st.builds(
    lambda targets, order, otherwise, afterwards, interruptible, fallback, protected, consent: (
        CallSetup(
            destinations=(
                Destination(
                    key="billing",
                    when="",
                    plan=HandoffPlan(
                        targets=TARGETS[:targets],
                        order=order if targets < 3 else "hunt",
                        otherwise=otherwise,
                        afterwards=afterwards,
                        interruptible=interruptible,
                    ),
                ),
            ),
            fallback="billing" if fallback else None,
            greeting_interruptible=protected,
            record=consent is not None,
            consent=consent or None,
        )
    ),
    st.integers(1, 3),
    st.sampled_from(["hunt", "ring"]),
    st.sampled_from(["return", "hang-up"]),
    st.sampled_from(["return", "hang-up"]),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.sampled_from([None, "", "This call is recorded."]),
)


def settled(event: e.AnyEvent, call: Call) -> e.AnyEvent:
    """Steps are drawn relative to the newest: -1 stands for it."""
    if getattr(event, "step", None) == -1:
        return msgspec.structs.replace(event, step=call.caller_leg.route.step)
    return event


def play(witness: Witness, script: list[Any]) -> None:
    for moment in script:
        if isinstance(moment, float):
            witness.wait(moment)
            witness.expire()
        else:
            witness.receive(settled(moment, witness.call))


ARRIVED: list[Any] = [e.CallArrived("CA1", "+15550100", "+15550101")]
TALKING: list[Any] = [*ARRIVED, e.ModelReady("S"), e.StreamStarted("1", 1)]
MOVED: list[Any] = [*TALKING, e.HandoffRequested("billing", ""), 9.0]


@settings(max_examples=400, deadline=None)
@given(
    setup=setups,
    begin=st.sampled_from([ARRIVED, TALKING, MOVED]),
    script=st.lists(moments, max_size=40),
)
# REST says that the call is gone, and then the caller comes back from a bridge.
@example(
    setup=CallSetup(
        destinations=(
            Destination(
                key="billing",
                when="",
                plan=HandoffPlan(targets=TARGETS[:1], otherwise="return", afterwards="return"),
            ),
        )
    ),
    begin=MOVED,
    script=[e.CarrierRefused(-1, gone=True), e.InstructionsAsked(-1, "dial", "1", "bridged")],
)
def test_no_order_of_events_leads_to_a_state_without_an_end(
    setup: CallSetup, begin: list[Any], script: list[Any]
) -> None:
    witness = Witness(setup)
    play(witness, [*begin, *script])
    witness.receive(e.CallCompleted())
    assert witness.call.phase is Phase.ENDED
    assert not witness.session
    play(witness, script)
    assert witness.call.phase is Phase.ENDED, "a call that is over stays over"
    assert witness.records == witness.endings


@settings(max_examples=150, deadline=None)
@given(setup=setups, begin=st.sampled_from([ARRIVED, TALKING, MOVED]), script=st.lists(moments))
def test_a_call_without_events_ends_by_its_deadlines(
    setup: CallSetup, begin: list[Any], script: list[Any]
) -> None:
    witness = Witness(setup)
    play(witness, [*begin, *script])
    if witness.call.caller_leg.stream_sid is not None:
        witness.receive(e.StreamStopped(witness.call.caller_leg.stream_sid))
    witness.wait(2 * 4 * 3600.0)
    assert witness.call.phase is Phase.ENDED
    assert witness.records == witness.endings > 0


@settings(max_examples=100, deadline=None)
@given(setup=setups, begin=st.sampled_from([TALKING, MOVED]), script=st.lists(moments))
def test_the_same_events_give_the_same_commands(
    setup: CallSetup, begin: list[Any], script: list[Any]
) -> None:
    """Which lets a call be replayed from its journal."""
    first, second = Call(setup), Call(setup)
    for number, moment in enumerate([*begin, *script]):
        now = START + number
        for call in (first, second):
            call.expire(now)
        if not isinstance(moment, float):
            event = settled(moment, first)
            assert first.receive(event, now) == second.receive(event, now)
    assert first.deadline == second.deadline
