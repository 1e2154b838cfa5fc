"""The scripted model: expects and emits, keeps the truth, and says what was not met.

    async with ScriptedModel([
        {"expect": "session.update"},
        {"expect": {"type": "response.create"}},
        {"say": {"item": "greeting", "ms": 2000, "byte": 1, "rate": 5}},
    ], speed=20, network_ms=40) as model:
        ...                        # connect to model.url
        await model.finished()
        model.assert_met()

Or without an order of its own, reacting:

    model.on("response.create", [{"say": {"item": "sorry", "ms": 900}}],
             where={"response": {"instructions": {"$contains": "nobody"}}})

The conversation behind it is the real one: items, truncation, responses one at a time, refusals. So
a client's mistakes show in `refused`, and what it did in `received`, `truncations`, `deletions`.

    task              | acquired   | released
    the script        | __aenter__ | by itself; at the latest __aexit__
    one a reaction    | on()       | by itself; with the session
    one a `say`       | the step   | by itself, by Halt, or with the session
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
from hookflash_local.model.conversation import Hear, Job, Respond
from hookflash_local.model.items import BYTES_PER_MS, Entry
from hookflash_local.model.performance import Performance, Unmet
from hookflash_local.model.received import Received
from hookflash_local.model.script import Pattern, Script, Step, checked_script, difference
from hookflash_local.model.server import ModelServer
from hookflash_local.model.session import Session
from hookflash_local.model.timing import Faults, Timing


class Reaction:
    """Steps that are done whenever a client event of this type matches.

    `times` is how often it may answer (None: always); with `needed`, `assert_met` complains if it
    never did. `answered` counts.
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
        if event["type"] != self.kind or difference(event, self.where) is not None:
            return False
        return self.times is None or self.answered < self.times


class Watch:
    """What stands behind each session of a scripted model: it notes, and starts reactions."""

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
        # A reaction to response.create speaks into that very response, once it is there.
        self._event = None
        if not refusals:
            if event["type"] == "response.create":
                self._event = event
            else:
                model.react(session, event, None)

    def perform(self, session: Session, job: Job) -> None:
        if isinstance(job, Hear):
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
    """A Realtime server that follows a script; in this process, on the loopback.

    Public, for tests: `url`, `server` (sessions, faults), `received` (what the client sent, over
    all sessions), `sent` (server events), `refused` (bodies of the errors sent), `truncations` as
    (item id, audio_end_ms) and `deletions` that were accepted, `caller_audio` (mu-law) and `heard`,
    the same for each session. `entropy` and `wall` are the server's.
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
            lambda: Watch(self),
            port=port,
            timing=timing,
            faults=faults,
            entropy=entropy,
            wall=wall,
        )
        self.received = Received()
        self.sent: list[dict[str, Any]] = []
        self.refused: list[dict[str, Any]] = []
        self.truncations: list[tuple[str, int]] = []
        self.deletions: list[str] = []
        self.caller_audio = bytearray()
        self.heard: defaultdict[Session, bytearray] = defaultdict(bytearray)
        self._reactions: list[Reaction] = []
        self._performance = Performance(self.server, self.received, checked_script(script))
        self._task: asyncio.Task[None] | None = None
        self._numbers = itertools.count(1)

    @property
    def url(self) -> str:
        """Where to connect, without `?model=`."""
        return self.server.url

    @property
    def faults(self) -> Faults:
        """What goes wrong; set its fields at any time."""
        return self.server.faults

    @property
    def session(self) -> Session:
        """The newest session."""
        return self.server.sessions[-1]

    @property
    def items(self) -> dict[str, Entry]:
        """The items of the newest session by id, in order: what the model remembers."""
        return {entry.id: entry for entry in self.session.conversation.items}

    @property
    def caller_ms(self) -> float:
        """How much of the caller's sound has come in."""
        return len(self.caller_audio) / BYTES_PER_MS

    async def __aenter__(self) -> Self:
        await self.server.__aenter__()
        self._task = asyncio.create_task(self._performance.run())
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
        """Do `steps` whenever the client sends an event of this type that matches `where`.

        Reactions are asked in the order in which they were made, and the first that matches
        answers. An event that was refused starts none.
        """
        steps_checked = checked_script(steps)
        reaction = Reaction(event_type, steps_checked, where or {}, times, needed)
        self._reactions.append(reaction)
        return reaction

    def react(self, session: Session, event: dict[str, Any], response_id: str | None) -> None:
        """Start the first reaction that answers this event."""
        for reaction in self._reactions:
            if reaction.answers(event):
                reaction.answered += 1
                performance = self._performance.aside(session, reaction.steps, response_id)
                session.spawn(f"reaction {next(self._numbers)}", performance.run())
                return

    async def perform(self, steps: Script, *, session: Session | None = None) -> None:
        """Do these steps now, on the newest session or on this one. Raises `Unmet` where an
        expectation fails."""
        performance = self._performance.aside(session or self.session, checked_script(steps), None)
        performance.unmet = []  # Told to the caller, and not by `assert_met` a second time.
        await performance.run()
        if performance.unmet:
            raise performance.unmet[0]

    async def until(
        self, event_type: str, *, where: Pattern = None, within_seconds: float = 10.0
    ) -> dict[str, Any]:
        """Wait until the client has sent a matching event (or return at once); return it."""
        try:
            async with asyncio.timeout(within_seconds):
                place = await self.received.find(event_type, where or {}, 0)
        except TimeoutError:
            came = self.received.instead(event_type, where or {}, 0)
            raise Unmet(f"expected {event_type}; came instead: {came}") from None
        return self.received.events[place - 1]

    async def finished(self, within_seconds: float = 30.0) -> None:
        """Wait until the script is over (or stuck: `assert_met` then says where)."""
        if self._task is not None:
            await asyncio.wait([self._task], timeout=within_seconds)

    def assert_met(self) -> None:
        """Raise `Unmet`, an AssertionError, that says exactly what was not met and what came."""
        problems = [str(unmet) for unmet in self._performance.unmet]
        problems += self._performance.not_reached()
        problems += [
            f"nothing answered to: {one.kind} where {one.where}"
            for one in self._reactions
            if one.needed and not one.answered
        ]
        if problems:
            came = ", ".join(self.received.types()) or "nothing"
            refused = "; ".join(one["message"] for one in self.refused) or "nothing"
            raise Unmet("\n".join([*problems, f"received: {came}", f"refused: {refused}"]))
