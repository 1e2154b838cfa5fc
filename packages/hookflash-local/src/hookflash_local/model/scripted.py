"""A Realtime model that follows a script, records what the client does, and checks expectations.

    async with ScriptedModel([
        {"expect": "session.update"},
        {"expect": {"type": "response.create"}},
        {"say": {"item": "greeting", "ms": 2000, "byte": 1, "rate": 5}},
    ], speed=20, network_ms=40) as model:
        ...                        # connect to model.url
        await model.finished()
        model.assert_met()

It can also react to events in any order:

    model.on("response.create", [{"say": {"item": "sorry", "ms": 900}}],
             where={"response": {"instructions": {"$contains": "nobody"}}})

Sessions behave as with the local model: items, truncation, one response at a time, refusals. A
client's invalid events are in `refused`; what it did is in `received`, `truncations`, `deletions`.

    task                | acquired   | released
    the script          | __aenter__ | when done; at the latest __aexit__
    one per reaction    | on()       | when done, or with the session
    one per `say`       | the step   | when done, by StopResponse, or with the session
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections import defaultdict
from collections.abc import Callable, Sequence
from random import Random
from types import TracebackType
from typing import Any, Self

from hookflash.world import SYSTEM
from hookflash_local.model.items import BYTES_PER_MS, Entry
from hookflash_local.model.realtime_conversation import FeedAudio, Job, Respond
from hookflash_local.model.script import Pattern, Script, Step, checked_script, difference
from hookflash_local.model.script_run import ReceivedEvents, ScriptRun, Unmet
from hookflash_local.model.server import ModelServer
from hookflash_local.model.session import Session
from hookflash_local.model.timing import Faults, Timing


class Reaction:
    """Steps that run whenever a client event of this type matches.

    `times` is how often it may run (None: always); `answered` counts the runs. With `needed`,
    `assert_met` fails if it never ran.
    """

    def __init__(
        self, kind: str, steps: list[Step], where: Pattern, times: int | None, needed: bool
    ) -> None:
        self.kind = kind
        self.steps = steps
        self.where = where
        self.times = times
        self.needed = needed
        self.answered = 0

    def answers(self, event: dict[str, Any]) -> bool:
        """Return whether the reaction runs for this event."""
        if event["type"] != self.kind or difference(event, self.where) is not None:
            return False
        return self.times is None or self.answered < self.times


class ScriptedBehaviour:
    """Records the events of a session of a scripted model, and starts reactions."""

    def __init__(self, model: ScriptedModel) -> None:
        self._model = model
        self._event: dict[str, Any] | None = None

    def received(self, session: Session, event: Any, refusals: Sequence[dict[str, Any]]) -> None:
        model = self._model
        if not isinstance(event, dict) or not isinstance(event.get("type"), str):
            return
        model.received.add(event)
        if event["type"] == "conversation.item.truncate" and not refusals:
            model.truncations.append((event["item_id"], event["audio_end_ms"]))
        elif event["type"] == "conversation.item.delete" and not refusals:
            model.deletions.append(event["item_id"])
        # A reaction to response.create writes into that response, so it waits for the Respond job.
        self._event = None
        if not refusals:
            if event["type"] == "response.create":
                self._event = event
            else:
                model.react(session, event, None)

    def perform(self, session: Session, job: Job) -> None:
        if isinstance(job, FeedAudio):
            self._model.caller_audio += job.audio
            self._model.heard[session] += job.audio
            self._model.received.wake()
        elif isinstance(job, Respond) and self._event is not None:
            event, self._event = self._event, None
            self._model.react(session, event, job.response_id)

    def sent(self, session: Session, event: dict[str, Any]) -> None:
        self._model.sent.append(event)
        if event["type"] == "error":
            self._model.refused.append(event["error"])
        self._model.received.wake()

    def closed(self, session: Session) -> None:
        self._model.received.wake()


class ScriptedModel:
    """A Realtime server that follows a script, in this process, on the loopback.

    For tests: `url`, `server` (sessions, faults), `received` (client events of all sessions),
    `sent` (server events), `refused` (bodies of `error` events), accepted `truncations` as (item
    ID, audio_end_ms) and accepted `deletions`. `caller_audio` is the caller's audio (mu-law),
    `heard` the same for each session. `entropy` and `wall` are those of `ModelServer`.
    """

    def __init__(
        self,
        script: Script = (),
        *,
        speed: float = 1.0,
        network_ms: float = 0.0,
        session_seconds: float = 3600.0,
        faults: Faults | None = None,
        port: int = 0,
        entropy: Random | None = None,
        wall: Callable[[], float] = SYSTEM.wall,
    ) -> None:
        timing = Timing(speed=speed, network_ms=network_ms, session_seconds=session_seconds)
        self.server = ModelServer(
            lambda: ScriptedBehaviour(self),
            port=port,
            timing=timing,
            faults=faults,
            entropy=entropy,
            wall=wall,
        )
        self.received = ReceivedEvents()
        self.sent: list[dict[str, Any]] = []
        self.refused: list[dict[str, Any]] = []
        self.truncations: list[tuple[str, int]] = []
        self.deletions: list[str] = []
        self.caller_audio = bytearray()
        self.heard: defaultdict[Session, bytearray] = defaultdict(bytearray)
        self._reactions: list[Reaction] = []
        self._run = ScriptRun(self.server, self.received, checked_script(script))
        self._task: asyncio.Task[None] | None = None
        self._numbers = itertools.count(1)

    @property
    def url(self) -> str:
        """The URL to connect to, without `?model=`."""
        return self.server.url

    @property
    def faults(self) -> Faults:
        """The injected faults; their fields can be set at any time."""
        return self.server.faults

    @property
    def session(self) -> Session:
        """The newest session."""
        return self.server.sessions[-1]

    @property
    def items(self) -> dict[str, Entry]:
        """The items of the newest session by ID, in order."""
        return {entry.id: entry for entry in self.session.conversation.items}

    @property
    def caller_ms(self) -> float:
        """The length of the caller's audio so far."""
        return len(self.caller_audio) / BYTES_PER_MS

    async def __aenter__(self) -> Self:
        await self.server.__aenter__()
        self._task = asyncio.create_task(self._run.run())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.server.__aexit__(kind, error, trace)
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def on(
        self,
        event_type: str,
        steps: Script,
        *,
        where: Pattern = None,
        times: int | None = None,
        needed: bool = False,
    ) -> Reaction:
        """Run `steps` whenever the client sends an event of this type that matches `where`.

        Of several matching reactions, the first one made runs. A refused event starts none.
        """
        steps_checked = checked_script(steps)
        reaction = Reaction(event_type, steps_checked, where or {}, times, needed)
        self._reactions.append(reaction)
        return reaction

    def react(self, session: Session, event: dict[str, Any], response_id: str | None) -> None:
        """Start the first reaction that matches this event."""
        for reaction in self._reactions:
            if reaction.answers(event):
                reaction.answered += 1
                run = self._run.child(session, reaction.steps, response_id)
                session.spawn(f"reaction {next(self._numbers)}", run.run())
                return

    async def perform(self, steps: Script, *, session: Session | None = None) -> None:
        """Run these steps now, on `session` or else the newest one.

        Raises `Unmet` if an expectation fails.
        """
        run = self._run.child(session or self.session, checked_script(steps), None)
        run.unmet = []  # Raised here, so `assert_met` does not report it again.
        await run.run()
        if run.unmet:
            raise run.unmet[0]

    async def until(
        self, event_type: str, *, where: Pattern = None, within_seconds: float = 10.0
    ) -> dict[str, Any]:
        """Wait until the client has sent a matching event, and return the event.

        Raises `Unmet` if it does not come `within_seconds` (real time).
        """
        try:
            async with asyncio.timeout(within_seconds):
                place = await self.received.find(event_type, where or {}, 0)
        except TimeoutError:
            came = self.received.describe_since(event_type, where or {}, 0)
            raise Unmet(f"expected {event_type}; came instead: {came}") from None
        return self.received.events[place - 1]

    async def finished(self, within_seconds: float = 30.0) -> None:
        """Wait for the end of the script, at most `within_seconds`; `assert_met` then reports."""
        if self._task is not None:
            await asyncio.wait([self._task], timeout=within_seconds)

    def assert_met(self) -> None:
        """Raise `Unmet` (an AssertionError) with everything that was not met, and what came."""
        problems = [str(unmet) for unmet in self._run.unmet]
        problems += self._run.not_reached()
        problems += [
            f"nothing answered to: {one.kind} where {one.where}"
            for one in self._reactions
            if one.needed and not one.answered
        ]
        if problems:
            came = ", ".join(self.received.types()) or "nothing"
            refused = "; ".join(one["message"] for one in self.refused) or "nothing"
            raise Unmet("\n".join([*problems, f"received: {came}", f"refused: {refused}"]))
