"""One call against an agent, that a test plays line by line on the virtual clock.

Each method does one thing and returns when it is over in the call: a sentence was said, a tool has
answered, a human was reached or not. Between two of them the call stands still.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from hookflash import CallRecord, Delivery, HandoffAttempt
from hookflash.core.builtin_tools import TRANSFER_TOOL
from hookflash.core.call import Call
from hookflash.core.handoff.states import HandoffState
from hookflash.core.phases import Phase
from hookflash.replay.journal_json import read_lines
from hookflash.server.assembly import Line as ServedLine
from hookflash_local.carrier import Leg, StandinCarrier
from hookflash_local.carrier.media.sounds import is_sound
from hookflash_local.model.components import Say
from hookflash_local.model.server import ModelServer
from hookflash_local.testing.call_report import Row, call_report, call_rows
from hookflash_local.testing.expectations import Expectations
from hookflash_local.testing.scripted_dialogue import ScriptedDialogue, tool_call
from hookflash_local.testing.virtual_thread import VirtualThread

T = TypeVar("T")

NO_ANSWER = "All right."
"""What the agent says if the test goes on without an answer for it."""

_LOOK_SECONDS = 0.1
_QUIET_SECONDS = 1.0
"""A pause that is longer than any within one turn of the agent."""
_TURN_SECONDS = 60.0
"""How long one line of a test may take, in the time of the call."""
_HANDOFF_SECONDS = 1200.0
_RECORD_SECONDS = 60.0

_SETTLED = (
    HandoffState.IDLE,
    HandoffState.WITH_HUMAN,
    HandoffState.MESSAGE,
    HandoffState.DONE,
    HandoffState.FAILED,
)
"""The states in which a hand-off has come to its outcome."""


class PlayedCall:
    """A call that was placed by `AgentLine.call`.

    `expect` has the checks. All times are seconds of the call.
    """

    def __init__(
        self,
        thread: VirtualThread,
        carrier: StandinCarrier,
        served: ServedLine,
        model_server: ModelServer,
        dialogue: ScriptedDialogue | None,
        leg: Leg,
        *,
        journals: Path,
    ) -> None:
        self.leg = leg
        """The caller's leg at the local carrier: what was heard, and its events."""
        self.model = dialogue
        """What a test scripts; None if rules or a chat model answer."""
        self._thread = thread
        self._carrier = carrier
        self._served = served
        self._model_server = model_server
        self._phone = carrier.line(leg)
        self._journal = journals / f"{leg.sid}.jsonl"
        self._record: CallRecord | None = None

    # --- what a test can look at --------------------------------------------------------------

    @property
    def sid(self) -> str:
        """The SID of the call."""
        return self.leg.sid

    @property
    def seconds(self) -> float:
        """How long the call has lasted."""
        return self._carrier.now() - self.leg.timeline.start

    @property
    def over(self) -> bool:
        """Whether the call has ended."""
        return not self.leg.live

    @property
    def record(self) -> CallRecord | None:
        """The record of the call; None until it has ended and `ends` or `caller_hangs_up` ran."""
        return self._record

    @property
    def rows(self) -> list[Row]:
        """What has happened so far, in order: (seconds, who, what)."""
        return call_rows(self.journal)

    @property
    def journal(self) -> list[dict[str, Any]]:
        """The decoded lines of the call's journal so far."""
        return read_lines(self._journal) if self._journal.exists() else []

    @property
    def deliveries(self) -> list[Delivery]:
        """What the call has left for its owner so far: voicemails, callbacks and messages."""
        found = {
            command["delivery"]["id"]: msgspec.convert(command["delivery"], Delivery)
            for line in self.journal
            if (command := line.get("command", {})).get("type") == "Deliver"
        }
        return list(found.values())

    @property
    def attempts(self) -> list[HandoffAttempt]:
        """Each attempt to reach a human so far."""
        if self._record is not None:
            return list(self._record.handoffs)
        call = self._call()
        return list(call.handoff.attempts) if call is not None else []

    @property
    def talks_now(self) -> list[tuple[str, str, str]]:
        """A talk with a human that goes on, as (destination, `bridged`, reason); or nothing."""
        call = self._call()
        if call is None or call.handoff.request is None or not self._is_with_human(call):
            return []
        request = call.handoff.request
        return [(request.destination.key, "bridged", request.reason)]

    @property
    def told(self) -> list[str]:
        """What the model was told so far: instructions of single responses, outputs of tools."""
        if self.model is None:
            return self._outputs()
        return [*self.model.told, *self._outputs()]

    @property
    def humans_heard(self) -> list[str]:
        """What the carrier's own voice said to humans so far: whispers and prompts."""
        others = {leg.sid for leg in self._carrier.calls if leg.sid != self.sid}
        return [
            str(event.detail["text"])
            for leg in self._carrier.calls
            for event in leg.timeline.find("say", leg.sid)
            if leg.sid in others
        ]

    @property
    def expect(self) -> Expectations:
        """The checks. Each raises AssertionError with the timeline of the call."""
        return Expectations(self)

    def report(self) -> str:
        """Return the timeline of the call as text."""
        return call_report(self.rows)

    # --- the caller ---------------------------------------------------------------------------

    async def caller_says(self, text: str, *, interrupting: bool = False) -> None:
        """Let the caller say something, and wait until the agent is to answer.

        The caller lets the agent finish first. With `interrupting` the caller speaks at once.
        """
        if not text.strip():
            raise ValueError("caller_says: expected what the caller says, got an empty text")

        async def says() -> None:
            if not interrupting:
                await self._let_agent_finish()
            self._check_live(f"the caller cannot say {text!r}")
            await self._phone.say(text)
            # The model's turn begins after half a second of silence.
            await self._until(lambda: self._model_waits or self.over, 2.0)
            if self.model is None:
                await self._let_agent_finish()

        self._run(says())

    async def caller_presses(self, keys: str) -> None:
        """Let the caller press keys, such as `"1234#"`; `w` waits half a second."""

        async def presses() -> None:
            self._check_live(f"the caller cannot press {keys!r}")
            await self._phone.press(keys)
            await asyncio.sleep(_LOOK_SECONDS)

        self._run(presses())

    async def caller_waits(self, seconds: float) -> None:
        """Let so many seconds of the call pass. It ends early if the call ends."""
        self._run(self._until(lambda: self.over, seconds))

    async def caller_hangs_up(self) -> CallRecord:
        """End the call from the caller's side, and return its record."""

        async def hangs_up() -> None:
            if not self.over:
                await self._phone.hang_up()

        self._run(hangs_up())
        return await self.ends()

    # --- the model ----------------------------------------------------------------------------

    async def model_says(self, text: str, *, wait: bool = True) -> None:
        """Let the agent's model say something, and wait until the caller has heard it.

        Without `wait` it returns when the agent begins to speak, for a caller who interrupts.
        """

        async def says() -> None:
            await self._model_is_asked(f"say {text!r}")
            self._scripted.give([Say(text)])
            await self._until(self._agent_is_heard, _TURN_SECONDS)
            if wait:
                await self._agent_is_quiet()

        self._run(says())

    async def model_calls(self, tool: str, saying: str = "", /, **arguments: object) -> str:
        """Let the agent's model call a tool, and return what the tool gave to the model.

        `saying` is what the model says in the same turn, before the tool. Other names are the
        tool's arguments. The tools of hand-offs can be called too, such as `transfer_to_human`.
        """

        async def calls() -> str:
            await self._model_is_asked(f"call {tool}")
            known = self._tool_names()
            if tool not in known:
                raise self.failure(
                    f"the model cannot call {tool!r}: expected one of {', '.join(sorted(known))}"
                )
            before = len(self._outputs())
            said = [Say(saying)] if saying else []
            self._scripted.give([*said, tool_call(tool, arguments)])
            if not await self._until(
                lambda: len(self._outputs()) > before or self.over, _TURN_SECONDS
            ):
                raise self.failure(f"the tool {tool} gave no answer in {_TURN_SECONDS:g} s")
            outputs = self._outputs()
            return outputs[before] if len(outputs) > before else ""

        return self._run(calls())

    async def model_hands_off(
        self,
        destination: str,
        *,
        reason: str = "the caller asks for a person",
        summary: str = "",
        saying: str = "I am connecting you. One moment please.",
    ) -> str:
        """Let the agent's model bring in a human, and wait for the outcome.

        It returns when the caller and a human hear each other, or when the caller is back with the
        agent. The result is the outcome, such as `bridged`, `busy` or `no-answer`.
        """
        before = len(self.attempts)
        await self.model_calls(
            TRANSFER_TOOL, saying, destination=destination, reason=reason, summary=summary
        )
        return await self.handoff_ends(before=before)

    async def handoff_ends(self, *, before: int = 0) -> str:
        """Wait until the hand-off is over, and return the last outcome; `""` without an attempt.

        `before` is how many attempts do not count.
        """

        self._run(self._handoff_ends())
        if self.talks_now:
            # The attempt is recorded when the human is gone.
            return "bridged"
        tried = self.attempts[before:]
        return tried[-1].outcome if tried else ""

    async def settles(self) -> None:
        """Wait until a hand-off that is under way has its outcome, if there is one."""
        if not self._is_settled():
            self._run(self._handoff_ends())

    def _is_settled(self) -> bool:
        call = self._call()
        return (
            self.over or call is None or call.handoff.state in _SETTLED or self._is_with_human(call)
        )

    def _is_with_human(self, call: Call) -> bool:
        if self.over or call.phase not in (Phase.HANDING_OFF, Phase.WITH_HUMAN):
            return False
        # Somebody who takes a caller out of a queue is known to the carrier first.
        last = [
            event.kind
            for event in self.leg.timeline.events
            if event.call_sid == self.sid and event.kind in ("bridged", "unbridged")
        ]
        return call.phase is Phase.WITH_HUMAN or last[-1:] == ["bridged"]

    async def _handoff_ends(self) -> None:
        # The check of opening hours may come first.
        await self._until(lambda: not self._is_settled() or self.over, 5.0)
        await self._until(self._is_settled, _HANDOFF_SECONDS)
        call = self._call()
        if call is None or self.over or self._is_with_human(call):
            await asyncio.sleep(1.0)
            return
        await self._until(lambda: self._agent_is_heard() or self._model_waits or self.over, 10.0)
        await self._agent_is_quiet()

    # --- the human ----------------------------------------------------------------------------

    async def human_says(self, text: str) -> None:
        """Let the human who was called last say something."""

        async def says() -> None:
            legs = [leg for leg in self._carrier.calls if leg.sid != self.sid and leg.live]
            if not legs:
                raise self.failure(f"no human is on a line who could say {text!r}")
            await self._carrier.line(legs[-1]).say(text)
            await asyncio.sleep(1.0)

        self._run(says())

    async def human_hangs_up(self) -> None:
        """Let the human who was called last hang up, and wait for what comes then."""

        async def hangs_up() -> None:
            for leg in reversed(self._carrier.calls):
                if leg.sid != self.sid and leg.live:
                    await self._carrier.line(leg).hang_up()
                    break
            await self._until(lambda: self.over or self._agent_is_heard(), 5.0)

        self._run(hangs_up())

    # --- the end ------------------------------------------------------------------------------

    async def ends(self, *, within_seconds: float = 120.0) -> CallRecord:
        """Wait until the call has ended, and return its record.

        Raises AssertionError if it still runs after `within_seconds`.
        """

        async def ends() -> CallRecord:
            if not self.over:
                await self._let_agent_finish()
            if not await self._until(lambda: self.over, within_seconds):
                raise self.failure(f"expected the call to end within {within_seconds:g} s")
            await self._carrier.callbacks_sent()
            await self._until(self._is_stored, _RECORD_SECONDS)
            await self._served.writer.flush()
            record = await self._served.store.get(self.sid)
            if record is None:
                raise self.failure(f"expected a record within {_RECORD_SECONDS:g} s of the end")
            return record

        if self._record is None:
            self._record = self._run(ends())
        return self._record

    def failure(self, what: str) -> AssertionError:
        """Return the error of a failed expectation, with the timeline of the call."""
        return AssertionError(f"{what}\n\nThe call so far:\n{self.report()}")

    # --- how ----------------------------------------------------------------------------------

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._thread.run(work)

    async def settle(self) -> None:
        """Wait until the greeting was heard, or until there is none."""
        await self.leg.answered()
        await self._until(lambda: self._agent_is_heard() or self._model_waits or self.over, 5.0)
        await self._agent_is_quiet()

    def _call(self) -> Call | None:
        driver = self._served.switchboard.find(self.sid)
        return driver.call if driver is not None else None

    def _is_stored(self) -> bool:
        call = self._call()
        return call is None or call.phase is Phase.ENDED

    @property
    def _scripted(self) -> ScriptedDialogue:
        if self.model is None:
            raise self.failure(
                "expected a scripted model, but rules or a chat model answer in this call"
            )
        return self.model

    @property
    def _model_waits(self) -> bool:
        return self.model is not None and self.model.waits

    def _check_live(self, what: str) -> None:
        if self.over:
            raise self.failure(f"{what}: the call is over")

    async def _model_is_asked(self, what: str) -> None:
        if not await self._until(lambda: self._scripted.waits or self.over, 10.0) or self.over:
            raise self.failure(
                f"the model cannot {what}: nothing was asked of it. Expected something that it"
                " answers before, such as caller_says(...) or the output of a tool"
            )

    def _tool_names(self) -> set[str]:
        return {
            str(tool["name"])
            for session in self._model_server.sessions
            for tool in session.conversation.session.get("tools") or ()
            if tool.get("type") == "function"
        }

    def _outputs(self) -> list[str]:
        """Return what tools gave to the model, in order."""
        return [
            str(entry.item.get("output", ""))
            for session in self._model_server.sessions
            for entry in session.conversation.items
            if entry.item["type"] == "function_call_output"
        ]

    async def _let_agent_finish(self) -> None:
        """Give the default answer where one is owed, and hear the agent to the end."""
        if self.model is not None and self.model.waits:
            self.model.give([Say(NO_ANSWER)])
            await self._until(self._agent_is_heard, 5.0)
        await self._agent_is_quiet()

    async def _agent_is_quiet(self) -> None:
        """Wait until the caller has heard nothing for a second, or the call is over."""
        quiet = 0.0
        for _ in range(round(_TURN_SECONDS / _LOOK_SECONDS)):
            quiet = 0.0 if self._agent_is_heard() else quiet + _LOOK_SECONDS
            if quiet >= _QUIET_SECONDS or self.over or self._model_waits:
                return
            await asyncio.sleep(_LOOK_SECONDS)

    def _agent_is_heard(self) -> bool:
        """Whether the caller has heard a sound within the last 200 ms."""
        return is_sound(bytes(self.leg.outbound_audio.recording[-1600:]))

    async def _until(self, true: Callable[[], bool], seconds: float) -> bool:
        """Wait until something is true, for at most `seconds`; return whether it is."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while not true():
            if loop.time() >= end:
                return False
            await asyncio.sleep(min(_LOOK_SECONDS, end - loop.time()))
        return True
