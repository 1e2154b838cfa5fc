"""A call and its clock, driven by hand: `scene(event)` returns the commands that follow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from hookflash.core import events as e
from hookflash.core.call import Call
from hookflash.core.commands import (
    AnyCommand,
    PlayPrepared,
    RequestResponse,
    SendMark,
    StoreRecord,
)
from hookflash.core.handoff_plan import Destination, HandoffPlan, Target
from hookflash.core.record import CallRecord
from hookflash.core.setup import CallSetup

START = 1_764_000_000.0
ANNA = Target.phone("+15550102")
BEN = Target.sip("sip:ben@example.com")


class Scene:
    """One call, its time, and all commands so far. Marks are returned when a test says so.

    Requests are shown without their ids, which are in `request_ids`. Prepared sounds are fetched by
    nobody: `PlayPrepared` is in `log` only, and `prepared` posts the newest one.
    """

    def __init__(self, setup: CallSetup) -> None:
        self.call = Call(setup)
        self.now = START
        self.log: list[AnyCommand] = []
        self.request_ids: list[str] = []
        self._marks: list[str] = []

    def __call__(self, event: e.AnyEvent) -> list[AnyCommand]:
        return self._keep(self.call.receive(event, self.now))

    def after(self, seconds: float, event: e.AnyEvent) -> list[AnyCommand]:
        self.now += seconds
        return self(event)

    def wait(self, seconds: float) -> list[AnyCommand]:
        """Let time pass; the timer rings when it is due, and never twice at the same time."""
        end = self.now + seconds
        commands: list[AnyCommand] = []
        while (deadline := self.call.deadline) is not None and deadline <= end:
            self.now = max(self.now, deadline)
            commands += self._keep(self.call.expire(self.now))
            later = self.call.deadline
            assert later is None or later > self.now, "the timer rings without end"
        self.now = end
        return commands

    def _keep(self, commands: list[AnyCommand]) -> list[AnyCommand]:
        commands = [self._without_id(each) for each in commands]
        self.log += commands
        for name in [each.name for each in commands if isinstance(each, SendMark)]:
            if name.endswith("probe"):
                # Nothing was buffered: it comes back at once.
                assert self.call.receive(e.MarkReturned(name), self.now) == []
            else:
                self._marks.append(name)
        return [each for each in commands if not isinstance(each, PlayPrepared)]

    def _without_id(self, command: AnyCommand) -> AnyCommand:
        if not isinstance(command, RequestResponse):
            return command
        self.request_ids.append(command.request_id)
        return msgspec.structs.replace(command, request_id="")

    # --- the carrier --------------------------------------------------------------------------

    def arrive(self) -> list[AnyCommand]:
        return self(e.CallArrived("CA1", "+15550100", "+15550101"))

    def stream(self, stream_sid: str = "MZ1") -> list[AnyCommand]:
        return self(e.StreamStarted(stream_sid, self.call.caller_leg.route.step))

    def returned(self) -> list[AnyCommand]:
        """Every outstanding mark comes back."""
        marks, self._marks = self._marks, []
        commands: list[AnyCommand] = []
        for name in marks:
            commands += self(e.MarkReturned(name))
        return commands

    def asks(
        self, step: int, point: str = "connect", outcome: Any = None, leg: str = ""
    ) -> list[AnyCommand]:
        return self(e.InstructionsAsked(step, point, leg, outcome))  # type: ignore[arg-type]

    def press(self, digit: str) -> list[AnyCommand]:
        """The caller presses a key: the driver hides the digit from the call."""
        return self(self.call.without_digits(e.DigitPressed(digit)))

    # --- the model ----------------------------------------------------------------------------

    def talk(self) -> Scene:
        """Bring the call to where the agent is asked to greet."""
        self.arrive()
        self(e.ModelReady("S1"))
        self.stream()
        return self

    def greet(self) -> Scene:
        """As `talk`, with a greeting of one second that was heard."""
        self.talk()
        self.say("hello", "r-hello", 1000, text="Hello.")
        self.now += 1.0
        self.returned()
        return self

    def say(
        self,
        item: str,
        response: str,
        ms: int,
        *,
        text: str = "",
        ended: bool = True,
        asked: bool = False,
    ) -> list[AnyCommand]:
        """The model speaks an item in a response of its own, as one piece. `asked`: it says that
        this is what it was asked for last."""
        commands = self(e.ResponseStarted(response, self.request_ids[-1] if asked else ""))
        commands += self.sound(item, response, ms)
        if text:
            self(e.AgentTranscribed(item, text))
        if ended:
            commands += self(e.ModelAudioEnded(response, item))
            commands += self(e.ResponseEnded(response, "completed"))
        return commands

    def sound(self, item: str, response: str, ms: int) -> list[AnyCommand]:
        return self(e.ModelAudio(response, item, "", ms * 8))

    def transfer(self, destination: str = "billing", call_id: str = "t1") -> list[AnyCommand]:
        arguments = f'{{"destination": "{destination}", "reason": "a refund", "summary": "x"}}'
        return self(e.ToolCallRequested(call_id, "transfer_to_human", arguments, "r-transfer"))

    def leave(self) -> list[AnyCommand]:
        """Greet, ask for a human and hear the farewell out; return the move."""
        self.greet()
        self(e.ResponseStarted("r-bye"))
        self.sound("bye", "r-bye", 1000)
        self.transfer()
        self(e.AgentTranscribed("bye", "One moment."))
        self(e.ResponseEnded("r-bye", "completed"))
        self.now += 1.0
        return self.returned()

    def moved(self) -> Scene:
        """As `leave`, and the carrier has moved the call."""
        self.leave()
        self(e.CallMoved(2))
        self(e.StreamStopped("MZ1", "stop"))
        return self

    # --- sounds that need no model ------------------------------------------------------------

    @property
    def fetched(self) -> list[str]:
        """The lines that were fetched so far."""
        return [each.line for each in self.sent(PlayPrepared)]

    def prepared(self, ms: int, *, text: str = "") -> list[AnyCommand]:
        """The newest sound that was fetched is there."""
        newest = self.sent(PlayPrepared)[-1]
        return self(e.PreparedAudio(newest.item_id, "", ms * 8, text))

    # --- humans -------------------------------------------------------------------------------

    def reach(self) -> list[AnyCommand]:
        """Greet, and have the model ask for a human while nothing is to be heard."""
        self.greet()
        self(e.ResponseStarted("r-transfer"))
        commands = self.transfer()
        self(e.ResponseEnded("r-transfer", "completed"))
        return commands

    def human(self, point: str, digit: str = "", *, leg: int = 0, by: str = "") -> list[AnyCommand]:
        """The carrier asks about a human's leg of the wave of now."""
        wave = self.call.handoff.wave
        sid = f"CA-{wave}-{leg}"
        return self(e.HumanAsked(wave, leg, sid, point, digit, by))  # type: ignore[arg-type]

    def news(self, status: str, outcome: Any = None, *, leg: int = 0) -> list[AnyCommand]:
        """The carrier tells of a human's leg of the wave of now."""
        wave = self.call.handoff.wave
        sid = f"CA-{wave}-{leg}"
        return self(e.LegChanged(sid, status, wave, outcome, leg))  # type: ignore[arg-type]

    def placed(self, *, leg: int = 0) -> list[AnyCommand]:
        wave = self.call.handoff.wave
        return self(e.LegPlaced(wave, leg, f"CA-{wave}-{leg}"))

    def accompanied(self) -> Scene:
        """As `reach`, and the agent has said that it is trying."""
        self.reach()
        self.placed()
        self.say("company", "r-company", 500)
        self.now += 0.5
        self.returned()
        return self

    def screened(self) -> Scene:
        """A human has answered and hears the whisper."""
        self.accompanied()
        self.news("ringing")
        self.news("answered")
        self.human("answered")
        return self

    def closed(self) -> Scene:
        """The human has accepted, the closing line was heard, and the caller is let in."""
        self.screened()
        self.human("pressed", "1")
        self.say("closing", "r-closing", 800)
        self.now += 0.8
        self.returned()
        return self

    def met(self) -> Scene:
        """Both are in the room and hear each other."""
        self.closed()
        self(e.CallMoved(self.call.caller_leg.route.step))
        self(e.StreamStopped("MZ1", "stop"))
        self(e.RoomChanged(self.call.handoff.wave, "started"))
        return self

    # --- the caller ---------------------------------------------------------------------------

    def speaks(self, item: str = "c1") -> list[AnyCommand]:
        return self(e.CallerSpeechStarted(item))

    def pauses(self, item: str = "c1") -> list[AnyCommand]:
        return self(e.CallerSpeechStopped(item))

    # --- reading it ---------------------------------------------------------------------------

    @property
    def record(self) -> CallRecord:
        return [each.record for each in self.log if isinstance(each, StoreRecord)][-1]

    def sent(self, kind: type[Any]) -> list[Any]:
        return [command for command in self.log if isinstance(command, kind)]


SceneMaker = Callable[..., Scene]


@pytest.fixture
def scene() -> SceneMaker:
    """Make a scene: options of `CallSetup`, and `plan`, the plan of the destination `billing`."""

    def make(plan: HandoffPlan | None = None, **setup: Any) -> Scene:
        plan = plan or HandoffPlan(targets=(ANNA,))
        # A caller who says nothing is left alone, unless a test is about that.
        setup.setdefault("away_timeout", None)
        setup.setdefault(
            "destinations", (Destination(key="billing", when="an invoice is wrong", plan=plan),)
        )
        return Scene(CallSetup(**setup))

    return make
