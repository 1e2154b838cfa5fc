"""Plays a plan: the line, the carrier, the model and the people on one virtual clock.

    played = play(draw(seed))
    played.violations, played.timeline, played.files, played.visits

Everything follows from the plan's seed: the same plan gives the same bytes. The line is a process
of its own (`PROCESS`), so that it can be killed in the middle and started again on the same folder.
"""

from __future__ import annotations

import asyncio
import contextvars
import gc
import itertools
import logging
import math
import resource
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

from hookflash import Agent, CallContext, CallRecord, CallView, Settings, Target
from hookflash.core.call import Call
from hookflash.core.commands import AnyCommand, RequestResponse
from hookflash.core.events import (
    AnyEvent,
    GiveBackRequested,
    HandoffCancelled,
    HandoffRequested,
    HangUpRequested,
    HintGiven,
    PreparedAudio,
    RecordingRefused,
    ResponseEnded,
    SayRequested,
)
from hookflash.core.handoff.states import HandoffState
from hookflash.core.handoff_plan import queue_target
from hookflash.core.phases import Phase
from hookflash.errors import ConfigError
from hookflash.models import phone_audio
from hookflash.server.app import serve
from hookflash.server.assembly import Line, open_line
from hookflash_local.carrier import Leg, NumberConfig, StandinCarrier, faults
from hookflash_local.carrier.parties import Line as Telephone
from hookflash_local.model.scripted import ScriptedModel
from hookflash_local.model.session import Session
from hookflash_local.model.validation import Refusal
from hookflash_local.simulation.loop import PROCESS, Spinning, TimeLimitReached, VirtualLoop
from hookflash_local.simulation.network import Connection
from hookflash_local.simulation.threads import inline_worker_threads
from hookflash_local.simulation.world import SimulatedWorld, make_database

from ..plans import plan_of
from ..settings_parts import settings_of
from .checks import Checks, Violation
from .model import SimulatedModel
from .people import bridged, caller_script, human
from .plan import Fault, Order, Plan
from .visits import Cell
from .voices import Voices

PUBLIC = "https://line.example.test"
LINE = "+15550100001"
CALLER = "+15550100009"
SIP_CALLER = "sip:anna@example.test"
SIP_DESK = "sip:desk@example.test"
QUEUE = "support"
DESKS = ("+15550100002", "+15550100003", "+15550100004")
LOOK_SECONDS = 0.25
RESTART_SECONDS = 1.0
LIMIT_SECONDS = 900.0
"""Virtual time after which a call has not come to its end."""

_FILE_LIMITS = resource.getrlimit(resource.RLIMIT_FSIZE)

_NOISY_LOGGERS = ("hookflash.model.socket", "hookflash.socket", "uvicorn.error")
"""They tell of a killed process's connections, and of answers that are broken off."""

SPEECH_SEEDS = 10
"""One seed in so many renders prepared speech at the start."""

LIMITED_SEEDS = 8
"""One seed in so many has a call that may be over before anybody ends it. The others have no limit,
because it costs a request to REST, and a fault is to strike the requests that move the call."""

LIMITED_SECONDS = 75.0

CODE_DIGITS = 4
CODE_SECONDS = 6.0

SECRET_SEEDS = 2
"""In one seed of so many, nobody hears the caller while they type their code."""

SETTLE_SECONDS = 6.0
"""What a call that is over may still have to do: last reports, its record."""


_COLLECT_EVERY = 8
"""Collecting takes as long as a fifth of a call, and a call leaves some ten megabytes."""

_plays = itertools.count(1)

_filtered = cache(phone_audio._filtered)
"""Speech that is rendered sounds alike in all simulations: the arithmetic is done once."""


@dataclass
class Played:
    """What became of a plan."""

    plan: Plan
    violations: list[Violation]
    timeline: list[str]
    files: dict[str, bytes]
    visits: Counter[Cell]
    disposition: str
    virtual_seconds: float
    longest_silence: float
    said: list[str] = field(default_factory=list)
    """What the carrier's voice has said, and the prepared lines that were played."""
    asked: list[str] = field(default_factory=list)
    """What the model was asked to say."""


def play(plan: Plan) -> Played:
    """Play a plan from the call's ring to its record."""
    folder = Path(tempfile.mkdtemp(prefix="hookflash-simulation-"))
    loop = VirtualLoop(limit_seconds=LIMIT_SECONDS)
    simulation: Simulation | None = None
    try:
        with (
            inline_worker_threads(),
            patch.object(phone_audio, "_filtered", _filtered),
            asyncio.Runner(loop_factory=lambda: loop) as runner,
        ):
            simulation = Simulation(plan, folder, loop)
            try:
                runner.run(simulation.run())
            except (Spinning, TimeLimitReached) as error:
                simulation.checks.broken("endless", str(error))
            finally:
                loop.limit_seconds = math.inf
                # The server freezes what it finds and collects seldom: good for one that runs for
                # days. Closing the loop collects what a killed process left.
                gc.unfreeze()
        return simulation.played()
    finally:
        if simulation is not None:
            # One that was broken off has not closed the files of its processes.
            simulation.close()
        shutil.rmtree(folder, ignore_errors=True)
        resource.setrlimit(resource.RLIMIT_FSIZE, _FILE_LIMITS)
        if next(_plays) % _COLLECT_EVERY == 0:
            gc.collect()


SHOP = "You answer the phone of a bicycle shop."
_FUNCTIONS = ("hookflash.call.values", "hookflash.call.targets")
GREETINGS = {
    None: "Hello, this is the bicycle shop. How can I help you?",
    "de": "Guten Tag, hier ist der Fahrradladen. Was kann ich für Sie tun?",
}
FILLERS = {None: "I am asking a colleague.", "de": "Ich frage eine Kollegin."}


class _Watchman(logging.Handler):
    """Notes what the product logs, and counts its errors as violations."""

    def __init__(self, simulation: Simulation) -> None:
        super().__init__(logging.INFO)
        self._sim = simulation

    def emit(self, record: logging.LogRecord) -> None:
        self._sim.note(f"log {record.levelname.lower()}: {record.getMessage()}")
        if record.name in _FUNCTIONS:
            # A plan's functions fail on purpose, and the product says so.
            return
        if record.levelno >= logging.ERROR and not self._sim.expects_errors:
            self._sim.checks.broken("error", record.getMessage())


@dataclass
class _Process:
    """A process of the line. `gone` is done when it has ended or was killed.

    A killed process never ends: its task stays where it was. So wait for `gone`, not for `task`.
    """

    name: str
    task: asyncio.Task[None]
    world: SimulatedWorld
    stop: asyncio.Event
    ready: asyncio.Future[int]
    gone: asyncio.Future[None]
    killed: bool = False


def _context_of(process: str) -> contextvars.Context:
    """Return a context whose tasks and timers belong to a process."""
    context = contextvars.copy_context()
    context.run(PROCESS.set, process)
    return context


class Simulation:
    """One plan being played."""

    def __init__(self, plan: Plan, folder: Path, loop: VirtualLoop) -> None:
        self.plan = plan
        self.loop = loop
        self.caller: Leg | None = None
        self.record: CallRecord | None = None
        self.timeline: list[str] = []
        self.visits: Counter[Cell] = Counter()
        self.expected_errors: set[str | None] = {
            "conversation_already_has_active_response",
            "response_cancel_not_active",
        }
        self.struck: dict[str, float] = {}
        self._full_disks = 0
        """Troubles, faults and orders that have happened, and when first."""
        self.killed = False
        self.expects_errors = False
        """Whether the product may log errors now: something is broken that it must tell of."""
        self.expects_losses = False
        """Whether journal and record may have lost something."""
        self.checks = Checks(self)
        self._folder = folder
        self._left_files: dict[str, bytes] = {}
        self.said: list[str] = []
        self.asked: list[str] = []
        self._voices = Voices()
        self._states: dict[str, str] = {}
        self._asked: dict[Session, Leg] = {}
        """The leg of the human whom a session talks to, for each session of a consult."""
        self.cancels: list[float] = []
        self.ended_at = 0.0
        self.finished: set[str] = set()
        """The responses of which the product was told that they are complete."""
        self._entered = {state.value: asyncio.Event() for state in HandoffState}
        self._line: Line | None = None
        self._processes: list[_Process] = []
        self._starting = asyncio.Lock()
        self._placed = 0.0
        self.model: SimulatedModel
        self.carrier: StandinCarrier

    # --- what the checks ask ----------------------------------------------------------------------

    def clock(self) -> float:
        """Return the carrier's seconds."""
        return self.carrier.now()

    def now(self) -> float:
        """Return the seconds since the call was placed."""
        return self.loop.time() - self._placed

    def note(self, text: str) -> None:
        self.timeline.append(f"{self.now():8.2f} {text}")

    @property
    def call(self) -> Call | None:
        """The product's state of the call, as far as a process has it."""
        if self._line is None or self.caller is None:
            return None
        driver = self._line.switchboard.find(self.caller.sid)
        return driver.call if driver is not None else None

    @property
    def arrived(self) -> bool:
        """Whether the line has ever heard of the call."""
        return self.caller is not None and self.caller.sid in self._states

    def bridged(self, leg: Leg) -> bool:
        """Whether the caller and a human hear each other."""
        return bridged(leg)

    def referring(self, leg: Leg) -> bool:
        """Whether the caller's device was told to call somebody, and has not said what came."""
        asked, told = (leg.timeline.find(kind, leg.sid) for kind in ("referring", "referred"))
        return len(asked) > len(told) or (bool(told) and told[-1].detail["status"] == "in-progress")

    def cancelled(self, at: float) -> bool:
        """Whether somebody called the hand-off off that a human accepted `at` this time."""
        return any(at - 40.0 < when < at + 10.0 for when in self.cancels)

    def strike(self, kind: str) -> None:
        """Note that a trouble, a fault or an order has really happened."""
        self.struck.setdefault(kind, self.now())

    def sessions_left(self) -> int:
        """Return how many sessions of the model the line has not closed.

        The model cannot know that the line has closed a connection that carries nothing any more,
        until its own time for that is over. Then only the line's end shows it.
        """
        if "model-frozen" not in self.struck:
            return sum(session.open for session in self.model.server.sessions)
        port = urlsplit(self.model.server.url).port
        connections = self.loop.network.connections
        return sum(each.port == port and not each.up.sender.lost for each in connections)

    def listener(self, session: Session) -> Leg | None:
        """Return the leg that hears a session: the caller's, or that of a human who is asked."""
        if not _is_consult(session):
            return self.caller
        for each, opened in self.model.opened.items():
            if each not in self._asked and _is_consult(each):
                self._match(each, opened)
        return self._asked.get(session)

    def _match(self, session: Session, opened: float) -> None:
        """Note which human a session talks to: the first who has a stream and no session yet.

        Sessions are opened in the order in which streams begin.
        """
        taken = [leg for other, leg in self._asked.items() if other.open]
        free = [
            leg
            for leg in self.carrier.calls
            if leg is not self.caller and leg not in taken and _stream_began(leg) <= opened
        ]
        free = [leg for leg in free if leg.streams[-1].open] or free
        if free:
            self._asked[session] = min(free, key=_stream_began)

    # --- the play ---------------------------------------------------------------------------------

    async def run(self) -> None:
        root = logging.getLogger("hookflash")
        watchman = _Watchman(self)
        level = root.level
        root.addHandler(watchman)
        noisy = {name: logging.getLogger(name).level for name in _NOISY_LOGGERS}
        for name in noisy:
            logging.getLogger(name).setLevel(logging.CRITICAL)
        root.setLevel(logging.INFO)
        self.loop.set_exception_handler(self._failed)
        try:
            await self._play()
        finally:
            root.removeHandler(watchman)
            root.setLevel(level)
            for name, before in noisy.items():
                logging.getLogger(name).setLevel(before)
            self._left_files = self._files()

    def close(self) -> None:
        """Close what the processes have open."""
        for process in self._processes:
            process.world.close()

    def played(self) -> Played:
        """Return what became of the plan."""
        return Played(
            self.plan,
            self.checks.violations,
            self.timeline,
            self._left_files,
            self.visits,
            self.record.disposition if self.record is not None else "none",
            self.now(),
            self.checks.longest_silence,
            self.said
            + [
                str(each.detail["text"])
                for leg in self.carrier.calls
                for each in leg.timeline.find("say", leg.sid)
            ],
            self.asked,
        )

    async def _play(self) -> None:
        plan = self.plan
        outer = SimulatedWorld(f"{plan.seed}/outer")
        await make_database(self._folder / "hookflash.db")
        self.model = SimulatedModel(
            plan,
            self._voices,
            outer.entropy("model"),
            self.note,
            self.strike,
            outer.wall,
            self.checks,
        )
        self.carrier = StandinCarrier(
            network_ms=plan.network_ms,
            entropy=outer.entropy("carrier"),
            wall=outer.wall,
            media_frame_ms=plan.frame_ms,
            listen=self.loop.listen,  # type: ignore[arg-type]  # as much of a socket as is used
            calls_per_second=10.0,
        )
        # A server of its own, so that its connections are not counted as sessions.
        self.speech = ScriptedModel(
            network_ms=plan.network_ms, entropy=outer.entropy("speech"), wall=outer.wall
        )
        async with self.model.server, self.speech, self.carrier:
            self.carrier.numbers[LINE] = NumberConfig(
                f"{PUBLIC}/twilio/voice",
                fallback_url=f"{PUBLIC}/twilio/voice",
                status_callback=f"{PUBLIC}/twilio/status",
            )
            numbers = (SIP_DESK,) if plan.to == "sip" else DESKS
            for number, each in zip(numbers, plan.humans, strict=False):
                self.carrier.humans[number] = human(
                    each,
                    self._voices,
                    self.note,
                    self._human_pressed,
                    consulted=plan.manner == "consult",
                )
            if plan.to == "queue":
                self.carrier.staff(QUEUE, DESKS[0], after=plan.humans[0].answer_after)
            self.loop.network.connected = self._connected
            await self._start()
            watching = asyncio.create_task(self._look())
            troubling = [asyncio.create_task(self._cause(fault)) for fault in plan.faults]
            troubling += [asyncio.create_task(self._order(order)) for order in plan.orders]
            try:
                await self._call()
            finally:
                for task in (watching, *troubling):
                    task.cancel()
                for ended in await asyncio.gather(watching, *troubling, return_exceptions=True):
                    if isinstance(ended, Exception):
                        raise ended
            if self._line is None:
                await self._start()
            assert self._line is not None and self.caller is not None
            await self._line.writer.flush()
            self.record = await self._line.store.get(self.caller.sid)
            self._line.journals.flush()
            self.checks.finish(self._folder)
            live = self._line.switchboard.live
            if live:
                self.checks.broken("leftover", f"{len(live)} calls are live")
            await self._stop_process()

    async def _call(self) -> None:
        self._placed = self.loop.time()
        script = caller_script(
            self.plan, self._voices, self.note, self._caller_spoke, self.carrier.now, self._typed
        )
        self.caller = await self.carrier.place_call(
            from_=SIP_CALLER if self.plan.by_sip else CALLER, to=LINE, script=script
        )
        await self.caller.ended()
        self.ended_at = self.carrier.now()
        self.note("the call has ended")
        await self.carrier.callbacks_sent()
        for connection in self.loop.network.connections:
            # The network works again, so that what was closed is seen to be closed.
            connection.thaw()
        await asyncio.sleep(SETTLE_SECONDS)
        if self.plan.to == "queue":
            # Whoever works at the queue may be rung for the next caller, who is not ours.
            for leg in self.carrier.calls:
                if leg is not self.caller:
                    leg.end("canceled", by="simulation")
        await self.carrier.callbacks_sent()

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self.checks.look()

    # --- the line's process -----------------------------------------------------------------------

    def _spawn(self) -> _Process:
        """Begin to start the next process."""
        name = f"line {len(self._processes) + 1}"
        world = SimulatedWorld(f"{self.plan.seed}/{name}")
        ready: asyncio.Future[int] = self.loop.create_future()
        gone: asyncio.Future[None] = self.loop.create_future()
        stop = asyncio.Event()

        async def run() -> None:
            async with open_line(
                self._settings(), self._agent(), watch=self._watch, world=world
            ) as line:
                self._line = line
                await serve(
                    line.app,
                    line.switchboard,
                    drain_seconds=0,
                    on_listening=ready.set_result,
                    stop=stop,
                    listener=self.loop.listen("127.0.0.1", 0),  # type: ignore[arg-type]  # as above
                )

        task = self.loop.create_task(run(), name=name, context=_context_of(name))
        process = _Process(name, task, world, stop, ready, gone)
        task.add_done_callback(lambda _: self._gone(process))
        self._processes.append(process)
        return process

    def _gone(self, process: _Process) -> None:
        if not process.gone.done():
            process.gone.set_result(None)
            process.world.close()
            self._line = None

    async def _start(self) -> None:
        """Start the next process, as a service manager does: once more until it serves.

        Whoever finds that no process serves calls this; one process at a time is started.
        """
        async with self._starting:
            while self._line is None or not self._processes[-1].ready.done():
                process = self._processes[-1] if self._processes else None
                if process is None or process.gone.done():
                    process = self._spawn()
                await asyncio.wait(
                    (process.ready, process.gone), return_when=asyncio.FIRST_COMPLETED
                )
                if process.ready.done():
                    port = process.ready.result()
                    self.carrier.tunnel[PUBLIC] = f"http://127.0.0.1:{port}"
                    self.note(f"{process.name} serves")
                    return
                if not process.killed:
                    try:
                        process.task.result()
                    except ConfigError as error:
                        self.note(f"cannot start: {error}")
                    else:
                        raise RuntimeError(f"{process.name} ended before it served")
                await asyncio.sleep(RESTART_SECONDS)

    async def _within(self, process: _Process, work: Coroutine[Any, Any, object]) -> None:
        """Do something in a process: the timers and tasks that it starts there die with it."""
        task = self.loop.create_task(work, context=_context_of(process.name))
        await asyncio.wait((task, process.gone), return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()

    async def _stop_process(self) -> None:
        """Ask the process to end and wait until it has ended, or somebody killed it meanwhile."""
        process = self._processes[-1]
        process.stop.set()
        # Whoever stops waiting does not cancel the process.
        await asyncio.wait((process.gone,))
        if not process.killed:
            process.task.result()

    async def _kill(self) -> None:
        process = self._processes[-1]
        if process.gone.done():
            return
        self.killed = process.killed = True
        self.note(f"kill -9 {process.name}")
        self.loop.kill(process.name)
        self._gone(process)
        await asyncio.sleep(RESTART_SECONDS)
        await self._start()

    def _settings(self) -> Settings:
        return settings_of(
            public_url=PUBLIC,
            openai_api_key="any",
            twilio_account_sid=self.carrier.account_sid,
            twilio_auth_token=self.carrier.auth_token,
            twilio_api_url=self.carrier.api_url,
            model_url=self.model.server.url,
            data_dir=self._folder,
            console=False,
            max_call_seconds=LIMITED_SECONDS if self.plan.seed % LIMITED_SEEDS == 5 else 0,
            # The line is also tried without: prepared speech covers for a silent model.
            speech_url=self.speech.server.speech_url
            if self.plan.seed % SPEECH_SEEDS == 0
            else "off",
        )

    def _agent(self) -> Agent:
        plan = self.plan
        agent = Agent(
            "shop",
            instructions=SHOP if plan.functions == "none" else self._told,
            instructions_fallback=None if plan.functions == "none" else SHOP,
            greeting=GREETINGS[plan.language] if plan.functions == "none" else self._greeting,
            language=plan.language,
            greeting_interruptible=plan.greeting_interruptible,
            fallback="desk",
            record=plan.record,
            key_to_human="0",
        )

        @agent.tool(filler=False)
        async def order_status(number: str) -> str:
            """Tell where an order is."""
            await asyncio.sleep(0.3)
            return f"Order {number} arrives on Friday."

        @agent.tool(filler=False)
        async def type_code(call: CallContext) -> str:
            """Let the caller type their code."""
            digits = await call.collect_digits(
                CODE_DIGITS, secret=plan.seed % SECRET_SEEDS == 0, seconds=CODE_SECONDS
            )
            self.checks.code_given(digits)
            return f"{len(digits)} digits came."

        @agent.tool(filler=FILLERS[plan.language])
        async def ask_colleague(call: CallContext) -> str:
            """Ask a colleague."""
            return await call.ask_human("What does it cost?", seconds=10.0)

        @agent.answers
        async def answers(question: str, view: CallView) -> str:
            await asyncio.sleep(4.0)
            return "Ninety euros."

        if plan.asks != "nobody":

            @agent.presence
            async def presence(target: Target) -> bool:
                await asyncio.sleep(5.0 if plan.asks == "slow" else 0.5)
                return plan.asks != "closed"

        targets = tuple(Target.phone(number) for number, _ in zip(DESKS, plan.humans, strict=False))
        if plan.to == "queue":
            targets = (queue_target(QUEUE),)
        elif plan.to == "sip":
            targets = (Target.sip(SIP_DESK),)
        rung: tuple[Any, ...] = targets
        if plan.functions != "none" and plan.to == "phones":
            # A target that is known stays, for the time without a model.
            rung = (self._first_target, *(targets[1:] or targets))
        agent.handoff(
            "desk",
            when="the caller asks for a person",
            plan=plan_of(
                rung,
                order=plan.order,
                manner=plan.manner,
                accept=plan.accept,
                ring_seconds=plan.ring_seconds,
                attempts=plan.attempts,
                otherwise=plan.otherwise,
                afterwards=plan.afterwards,
                notes=plan.notes,
            ),
        )
        return agent

    async def _told(self, call: CallContext) -> str:
        await self._think(call)
        return SHOP

    async def _greeting(self, call: CallContext) -> str:
        await self._think(call)
        return GREETINGS[self.plan.language]

    async def _first_target(self, call: CallContext) -> Target | None:
        await self._think(call)
        return Target.phone(DESKS[0]) if len(self.plan.humans) > 1 else None

    async def _think(self, call: CallContext) -> None:
        """Do what the plan's functions of the call do: answer soon, too late or not at all."""
        await asyncio.sleep(30.0 if self.plan.functions == "slow" else 0.4)
        if self.plan.functions == "failing":
            raise RuntimeError("the database of customers is down")

    def _connected(self, connection: Connection) -> None:
        if connection.port == urlsplit(self.model.server.url).port:
            self.model.connected()

    # --- faults -----------------------------------------------------------------------------------

    async def _moment(self, when: Fault | Order) -> None:
        """Wait until a fault or an order is due."""
        if when.during:
            await self._entered[when.during].wait()
        await asyncio.sleep(when.at)

    async def _cause(self, fault: Fault) -> None:
        await self._moment(fault)
        phase = self.call.phase if self.call is not None else Phase.RINGING
        self.visits[fault.kind, phase.value] += 1
        self.note(f"fault: {fault.kind} ({phase.value})")
        self.strike(fault.kind)
        if fault.kind == "kill":
            await self._kill()
        elif fault.kind == "restart":
            await self._restart()
        elif fault.kind == "disk-full":
            await self._fill_disk(10.0)
        elif fault.kind in ("stream-frozen", "model-frozen"):
            await self._freeze(fault)
        else:
            _FAULTS[fault.kind](self, fault)

    async def _restart(self) -> None:
        """A deploy on one machine: the process is asked to end, then the next one starts."""
        process = self._processes[-1]
        if process.stop.is_set() or process.gone.done():
            return
        self.note(f"SIGTERM {process.name}")
        await self._stop_process()
        # One that was killed before it had ended is started again by whoever killed it.
        if not process.killed:
            await self._start()

    async def _fill_disk(self, seconds: float) -> None:
        """No file can grow for a while: the kernel refuses each write."""
        self.expects_errors = self.expects_losses = True
        self._full_disks += 1
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, _FILE_LIMITS[1]))
        try:
            await asyncio.sleep(seconds)
        finally:
            # Two such faults may overlap.
            self._full_disks -= 1
            if not self._full_disks:
                resource.setrlimit(resource.RLIMIT_FSIZE, _FILE_LIMITS)

    async def _freeze(self, fault: Fault) -> None:
        """A connection, if there is one, carries nothing more, and neither end is told."""
        port = urlsplit(self.model.server.url).port
        streams = [
            stream.transport for leg in self.carrier.calls for stream in leg.streams if stream.open
        ]
        # The newest one is in use.
        for connection in reversed(self.loop.network.connections):
            socket = connection.up.sender in streams
            frozen = socket if fault.kind == "stream-frozen" else connection.port == port
            if frozen and connection.open:
                connection.freeze()
                return

    async def _order(self, order: Order) -> None:
        """Somebody does something of a sudden."""
        await self._moment(order)
        if self._line is None or self.caller is None or not self.caller.live:
            return
        self.note(f"order: {order.kind}")
        self.strike(order.kind)
        if order.kind in ("cancel", "hang-up", "caller-speaks", "human-hangs-up"):
            self.cancels.append(self.carrier.now())
        if order.kind == "caller-hangs-up":
            self.caller.end("completed" if self.caller.about.answered else "canceled", by="party")
        elif order.kind == "caller-speaks":
            began = self.carrier.now()
            sentence = self._voices.caller("What does it cost?", 800)
            await self.carrier.line(self.caller).play(sentence.sound)
            self.checks.caller_spoke(sentence.text, began, self.carrier.now())
        elif order.kind == "caller-presses":
            self.checks.caller_typed("5")
            await self.carrier.line(self.caller).press("5")
        elif order.kind == "human-hangs-up":
            for leg in self.carrier.calls:
                if leg is not self.caller and leg.live and leg.about.answered is not None:
                    leg.end("completed", by="party")
        else:
            await self._within(
                self._processes[-1],
                self._line.switchboard.post(self.caller.sid, _ORDERS[order.kind]),
            )

    def _drop_model(self, fault: Fault) -> None:
        """The newest connection to the model breaks."""
        port = urlsplit(self.model.server.url).port
        for connection in reversed(self.loop.network.connections):
            if connection.port == port and connection.open:
                connection.cut()
                return

    def _complain(self, fault: Fault) -> None:
        """The model sends an error that is about nothing that we did."""
        if self.model.server.sessions and self.model.server.sessions[-1].open:
            session = self.model.server.sessions[-1]
            session.apply([session.conversation.refused(Refusal("server_error", "As planned."))])

    def _cut_stream(self, fault: Fault) -> None:
        if self.caller is not None and self.caller.streams and self.caller.streams[-1].open:
            self.caller.streams[-1].cut()

    def _caller_spoke(self, text: str, began: float, ended: float) -> None:
        if text == "cancel":
            self.cancels.append(ended)
        self.checks.caller_spoke(text, began, ended)

    def _typed(self, digits: str) -> None:
        self.checks.caller_typed(digits)

    def _human_pressed(self, telephone: Telephone) -> None:
        leg = telephone.leg
        by_agent = any(self.listener(each.session) is leg for each in self.model.spoken)
        asked = by_agent or leg.timeline.find("say", leg.sid)
        if asked or self.plan.manner != "consult":
            # Who is to talk with the agent, and speaks before it is there, has accepted nothing.
            self.checks.human_pressed(leg, self.carrier.now())

    # --- watching ---------------------------------------------------------------------------------

    def _watch(self, call_sid: str, event: AnyEvent | None, commands: list[AnyCommand]) -> None:
        kind = type(event).__name__ if event is not None else "(timer)"
        if isinstance(event, ResponseEnded) and event.status == "completed":
            self.finished.add(event.response_id)
        if isinstance(event, PreparedAudio):
            self.said.append(event.text)
        self.asked += [
            each.instructions
            for each in commands
            if isinstance(each, RequestResponse) and each.instructions
        ]
        before = self._states.get(call_sid, "idle")
        self.visits[before, kind] += 1
        line = self._line
        driver = line.switchboard.find(call_sid) if line is not None else None
        self._states.setdefault(call_sid, before)
        if driver is not None:
            after = driver.call.handoff.state.value
            self._states[call_sid] = after
            if after != before:
                self.checks.handoff_became(after)
                self.visits[before, f"-> {after}"] += 1
                self._entered[after].set()
                self.note(f"hand-off: {before} -> {after} ({kind})")
        if kind not in _QUIET:
            told = ", ".join(type(command).__name__ for command in commands)
            self.note(f"{call_sid[:6]} < {kind} > {told}")

    def _failed(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        self.checks.broken("error", f"{context.get('message')}: {error!r}")

    def _files(self) -> dict[str, bytes]:
        return {
            path.name: path.read_bytes() for path in sorted((self._folder / "journals").glob("*"))
        }


_ORDERS: dict[str, AnyEvent] = {
    "hint": HintGiven("They are a good customer.", by="Kim"),
    "say": SayRequested("We have a sale today.", by="Kim"),
    "hand-off": HandoffRequested("desk", "a supervisor asks", source="console", by="Kim"),
    "cancel": HandoffCancelled(by="Kim"),
    "give-back": GiveBackRequested(by="Kim"),
    "hang-up": HangUpRequested("closing time"),
    "stop-recording": RecordingRefused(),
}

_QUIET = frozenset({"MarkReturned", "ModelAudio", "CallerAudio", "TokensUsed", "AgentTranscribed"})


def _stream_began(leg: Leg) -> float:
    began = leg.timeline.find("stream-started", leg.sid)
    return leg.timeline.start + began[0].at if began else math.inf


def _is_consult(session: Session) -> bool:
    tools = session.conversation.session.get("tools") or ()
    return any(tool["name"] == "connect_caller" for tool in tools)


def _rest(fault: faults.RestFault) -> Callable[[Simulation, Fault], None]:
    return lambda simulation, _: simulation.carrier.faults.requests.append(fault)


_FAULTS: dict[str, Callable[[Simulation, Fault], None]] = {
    "rest-500": _rest(faults.Refused(500)),
    "rest-429": _rest(faults.Refused(429)),
    "rest-silent": _rest(faults.Silent()),
    "rest-late": _rest(faults.Late(3.0)),
    "rest-broken": _rest(faults.BrokenOff(done=True)),
    "webhook-twice": lambda sim, _: sim.carrier.faults.webhooks.append(faults.Twice()),
    "webhook-never": lambda sim, _: sim.carrier.faults.webhooks.append(faults.Never("/twilio/leg")),
    "webhook-late": lambda sim, _: sim.carrier.faults.webhooks.append(
        faults.OutOfOrder("/twilio/leg")
    ),
    "stream-cut": Simulation._cut_stream,
    "model-dropped": Simulation._drop_model,
    "model-complains": Simulation._complain,
    "marks-not-returned": lambda sim, _: setattr(
        sim.carrier.faults, "returns_cleared_marks", False
    ),
    "jitter": lambda sim, _: setattr(sim.carrier.faults, "jitter_ms", 80.0),
}
