"""The switchboard: the live calls of this process by call SID; finds, restores and drains them.

A webhook may come for a call that this process does not know, because another process has died
or was replaced. Then the call is rebuilt from its journal and goes on. A journal that cannot be
replayed, that of another version for example, gives a new call which knows who called and what was
said (`journal_facts.py`). Without a journal the call is taken as a new one. In no case is the
carrier left without an answer. The agent's talks with humans (`consults`) have drivers too, and are
no calls of anybody's.

A call is rebuilt in slices (`restoring.py`), so that the other calls go on meanwhile. What comes
for it before it is there waits, in order.

    resource            acquired                        released
    a driver            arrive(), or when restored      a while after its call has ended
    the journals        given                           close()
    closing tasks       when a driver is let go         close()
    restoring tasks     what needs a call of elsewhere  their end, or close()
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import TypeVar

import msgspec

from hookflash.agents.context import AskHuman
from hookflash.core.call import Call
from hookflash.core.caller_number import is_withheld
from hookflash.core.commands import (
    AnyCommand,
    HangUp,
    Instruction,
    LeaveQueue,
    Message,
    Speak,
)
from hookflash.core.events import (
    AnyEvent,
    CallArrived,
    CallCompleted,
    CallRecovered,
    HumanAsked,
    InstructionsAsked,
    LegChanged,
    LegPlaced,
    QueueAsked,
    RecordingReady,
    ShutdownRequested,
    VoicemailTranscribed,
)
from hookflash.core.handoff_plan import E164
from hookflash.core.phases import Phase
from hookflash.core.setup import CallSetup, ModelSetup
from hookflash.errors import HookflashError
from hookflash.runtime.agents import AgentLike, DirectoryLike
from hookflash.runtime.call_observers import OBSERVED, CallObservers
from hookflash.runtime.call_ports import CallPorts, Traffic
from hookflash.runtime.checks import AgentChecks
from hookflash.runtime.consults import Consulting, NoRecords
from hookflash.runtime.driver import Driver
from hookflash.runtime.journal import Journal, Journals, rebuilding
from hookflash.runtime.journal_facts import (
    JournalFacts,
    go_on,
    legs_to_end,
    met_after_all,
    reading_facts,
)
from hookflash.runtime.ports import (
    CarrierControl,
    CarrierStream,
    Clock,
    Deliveries,
    EventSink,
    ModelConnector,
    RecordKeeper,
)
from hookflash.runtime.prepared_speech import PreparedSpeech
from hookflash.runtime.recorder import Recordings
from hookflash.runtime.restoring import Restoring, in_slices
from hookflash.runtime.tool_runner import OUTPUT_CHARS, ToolRunner, ToolThreads
from hookflash.runtime.valid_text import made_valid
from hookflash.world import SYSTEM

__all__ = ["AgentLike", "DirectoryLike", "Switchboard", "Watch"]

log = logging.getLogger("hookflash.call")

_T = TypeVar("_T")

Watch = Callable[[str, AnyEvent | None, list[AnyCommand]], None]

_LINGER_SECONDS = 60.0
"""How long an ended call is kept, for webhooks that come late."""

_SETTLE_SECONDS = 45.0
"""How long the last calls have to reach somebody when the process stops: a telephone rings."""

NOBODY = "I am sorry, nobody is here to take your call. Please call again later."


MakeContext = Callable[[AgentLike, Call, EventSink, AskHuman], object]
"""Makes what the owner's tools are given."""

MakePrepared = Callable[[AgentLike], PreparedSpeech]
"""Makes an agent's prepared lines for one call."""


class Switchboard:
    """All calls of one process. Used in the event loop's thread.

    `record` is whether calls are recorded, if not as each agent has it. Tools that block run in
    `threads`; the model reads at most `tool_output_chars` characters of what a tool returns.
    Questions to humans get their ids from `entropy`; `chance` spreads the repetitions of orders
    that the carrier had no time for.
    Questions to humans get their ids from `entropy`. `prepared` has what is played without a model.
    """

    def __init__(
        self,
        directory: DirectoryLike,
        *,
        clock: Clock,
        control: CarrierControl,
        connector: ModelConnector,
        records: RecordKeeper,
        journals: Journals,
        make_context: MakeContext,
        deliveries: Deliveries | None = None,
        lead_ms: int = 5000,
        recordings: Recordings | None = None,
        record: bool | None = None,
        watch: Watch | None = None,
        threads: ToolThreads | None = None,
        tool_output_chars: int = OUTPUT_CHARS,
        entropy: Random = SYSTEM.entropy("questions"),
        chance: Callable[[], float] = SYSTEM.entropy("ring-retry").random,
        prepared: MakePrepared = lambda agent: PreparedSpeech.tones_only(),
    ) -> None:
        self.draining = False
        self.on_let_go: Callable[[str], None] = lambda call_sid: None
        """Called with a call SID when its call is over and nothing is kept of it any more."""
        self.traffic = Traffic()
        self._directory = directory
        self._clock = clock
        self._control = control
        self._connector = connector
        self._records = records
        self._deliveries = deliveries
        self._journals = journals
        self._make_context = make_context
        self._lead_ms = lead_ms
        self._recordings = recordings
        self._record = record
        self._watch = watch
        self._threads = threads or ToolThreads()
        self._tool_output_chars = tool_output_chars
        self._entropy = entropy
        self._chance = chance
        self._prepared = prepared
        self._drivers: dict[str, Driver] = {}
        self._observers: dict[str, CallObservers] = {}
        self._consults = Consulting(self.find, self._begin_talk)
        self._closing: set[asyncio.Task[None]] = set()
        self._restoring: dict[str, Restoring] = {}
        self._legs_left: dict[str, list[LegPlaced]] = {}
        """The legs of humans who were with a caller when the journal could not be replayed: they
        end when the caller's leg comes back from them."""
        self._changed = asyncio.Event()

    @property
    def live(self) -> list[Driver]:
        """The drivers of callers' calls that are not over."""
        return [
            each
            for each in self._drivers.values()
            if each.call.phase is not Phase.ENDED and each.call.setup.consult is None
        ]

    # --- what the carrier brings --------------------------------------------------------------

    async def arrive(self, arrived: CallArrived) -> tuple[Instruction, ...]:
        """A call comes in, or the carrier asks again for one that has. Return what it shall do."""
        return await self._when_there(arrived.call_sid, lambda: self._arrive(arrived))

    async def ask(
        self,
        call_sid: str,
        asked: InstructionsAsked | HumanAsked | QueueAsked,
        *,
        leg_sid: str = "",
    ) -> tuple[Instruction, ...]:
        """The carrier asks what is next. Return what it shall do.

        `leg_sid` is a human's leg of this call, if it is that which asks.
        """

        def act() -> tuple[Instruction, ...]:
            return self._ask(call_sid, asked, leg_sid)

        if leg_sid:
            # The agent's talk on that leg may have been another process's, too.
            await self._when_there(leg_sid, lambda: None)
        return await self._when_there(call_sid, act)

    async def post(self, call_sid: str, event: AnyEvent) -> bool:
        """Something happened to a call. Return False if nothing is known of it."""
        if call_sid in self._restoring or brings_back(event):
            return await self._when_there(call_sid, lambda: self._post(call_sid, event))
        return self._post(call_sid, event)

    def _arrive(self, arrived: CallArrived) -> tuple[Instruction, ...]:
        driver = self._drivers.get(arrived.call_sid)
        if driver is None:
            at = datetime.fromtimestamp(self._clock.now(), UTC)
            agent = self._directory.find(arrived.called, at)
            if agent is None:
                log.warning("%s ! no agent answers this line now", arrived.call_sid)
                return (Speak(NOBODY), HangUp())
            setup = self._setup(agent)
            journal = self._journals.begin(arrived.call_sid, setup)
            driver = self._drive(arrived.call_sid, Call(setup), agent, journal, arrived)
        self._end_legs_left(driver)
        return driver.ask(arrived)

    def _ask(
        self, call_sid: str, asked: InstructionsAsked | HumanAsked | QueueAsked, leg_sid: str
    ) -> tuple[Instruction, ...]:
        driver = self._drivers.get(call_sid)
        if driver is not None and not leg_sid:
            self._end_legs_left(driver)
        if driver is not None and leg_sid and isinstance(asked, InstructionsAsked):
            driver = self._drivers.get(leg_sid)
        if driver is not None:
            if isinstance(asked, InstructionsAsked) and asked.outcome == "bridged":
                met_after_all(driver.call)
            return driver.ask(asked)
        if leg_sid or isinstance(asked, HumanAsked):
            log.warning("%s ! a human's leg belongs to no call any more", call_sid)
            return (HangUp(),)
        if isinstance(asked, QueueAsked):
            return (LeaveQueue(),)
        if asked.outcome == "bridged":
            return (HangUp(),)
        log.warning("%s ! a call without a journal goes on as a new one", call_sid)
        agents = self._directory.agents
        setup = self._setup(agents[0])
        journal = self._journals.begin(call_sid, setup)
        driver = self._drive(call_sid, Call(setup), agents[0], journal)
        return driver.ask(CallArrived(call_sid, "", ""))

    def _post(self, call_sid: str, event: AnyEvent) -> bool:
        driver = self._drivers.get(call_sid)
        if driver is None:
            return False
        if isinstance(event, CallCompleted):
            self._end_legs_left(driver)
        driver.post(made_valid(event))
        if isinstance(event, LegChanged) and event.status == "completed":
            self._consults.leg_over(event.leg_sid)
        return True

    def attach(self, call_sid: str, stream: CarrierStream) -> EventSink | None:
        """A media stream with a good token. Return where its events go; None: close it."""
        # Its token was minted by an answer of this process, so the call is here if it is anywhere.
        driver = self._drivers.get(call_sid)
        return driver.attach(stream) if driver is not None else None

    def find(self, call_sid: str) -> Driver | None:
        """Return the driver of a call of this process."""
        return self._drivers.get(call_sid)

    def has(self, call_sid: str) -> bool:
        """Whether a call is this process's, also while it is being restored."""
        return call_sid in self._drivers or call_sid in self._restoring

    def arrived(self, call_sid: str) -> CallArrived | None:
        """Return what the carrier said when a call came; for a leg on which the agent talks with a
        human, when the call came that it belongs to."""
        driver = self._drivers.get(call_sid)
        if driver is not None and driver.call.setup.consult is not None:
            driver = self._drivers.get(driver.call.setup.consult.parent_sid)
        return driver.arrived if driver is not None else None

    def rings(self, is_number: Callable[[str], bool], caller: str, *, call_sid: str) -> bool:
        """Return whether a call of this process is reaching a human whose telephone number
        `is_number`, and that telephone may show `caller`: the number of the call's caller, the one
        that was dialled, the plan's, that telephone's own, or none at all.

        It is asked about the call `call_sid`, which that telephone has forwarded to us. Somebody
        else whose call it forwards is a caller as any other; so is one whose call we know.
        """
        if call_sid in self._drivers:
            return False
        if not E164.fullmatch(caller) or is_withheld(caller) or is_number(caller):
            return any(self._reached(is_number))
        return any(caller in shown for shown in self._reached(is_number))

    def _reached(self, is_number: Callable[[str], bool]) -> Iterator[tuple[str | None, ...]]:
        """Yield, of each call that is reaching such a telephone, the numbers it may show."""
        for driver in self.live:
            handoff, facts = driver.call.handoff, driver.call.info
            if handoff.running and any(is_number(each.address) for each in handoff.plan.targets):
                yield facts.caller, facts.called, handoff.plan.caller_id

    # --- the end of the process ---------------------------------------------------------------

    async def drain(self, seconds: float) -> None:
        """Wait for the calls to end, for at most `seconds`; then bring the rest somewhere safe."""
        self.draining = True
        await self._wait_for_calls(seconds, self._nobody_is_live)
        for driver in self.live:
            driver.post(ShutdownRequested())
        await self._wait_for_calls(_SETTLE_SECONDS, self._all_are_safe)

    async def close(self) -> None:
        """Let go of every call at once."""
        await asyncio.gather(*(each.close() for each in list(self._restoring.values())))
        for observers in self._observers.values():
            observers.close()
        drivers, self._drivers = list(self._drivers.values()), {}
        await asyncio.gather(*(driver.close() for driver in drivers), *self._closing)

    async def _wait_for_calls(self, seconds: float, done: Callable[[], bool]) -> None:
        try:
            async with asyncio.timeout(self._clock.delay(seconds)):
                while not done():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return

    def _observe(self, call_sid: str, event: AnyEvent | None, commands: list[AnyCommand]) -> None:
        if self.draining:
            self._changed.set()
        if type(event) in OBSERVED and call_sid in self._observers:
            self._observers[call_sid].observe(event)
        if self._watch is not None:
            self._watch(call_sid, event, commands)

    def _nobody_is_live(self) -> bool:
        return not self.live

    def _all_are_safe(self) -> bool:
        # One that still rings may come back busy, and then we must be there to answer.
        safe = (Phase.WITH_HUMAN, Phase.ENDING)
        return all(
            each.call.phase in safe and each.call.caller_leg.route.deadline is None
            for each in self.live
        )

    # --- drivers ------------------------------------------------------------------------------

    async def _when_there(self, call_sid: str, act: Callable[[], _T]) -> _T:
        """Do `act` and return its result: at once, or as soon as the call is restored."""
        restoring = self._restored(call_sid)
        return act() if restoring is None else await restoring.then(act)

    def _restored(self, call_sid: str) -> Restoring | None:
        """Return what restores a call of another process, begun now if need be. None: it is here,
        or left no journal."""
        if call_sid in self._drivers:
            return None
        restoring = self._restoring.get(call_sid)
        if restoring is None and (path := self._journals.find(call_sid)) is not None:
            restoring = self._restoring[call_sid] = Restoring(
                self._restore(call_sid, path),
                name=f"restore {call_sid}",
                on_end=lambda: self._restoring_ended(call_sid),
            )
        return restoring

    def _restoring_ended(self, call_sid: str) -> None:
        del self._restoring[call_sid]
        # Later, because what has waited may begin the call anew.
        asyncio.get_running_loop().call_soon(self._give_up_unless_here, call_sid)

    def _give_up_unless_here(self, call_sid: str) -> None:
        if not self.has(call_sid):
            self.on_let_go(call_sid)

    async def _restore(self, call_sid: str, path: Path) -> None:
        """Rebuild a call of another process from its journal."""
        try:
            data = await asyncio.to_thread(path.read_bytes)
            await self._rebuild(call_sid, path.name, data)
        except Exception:
            # The carrier is answered all the same: the call goes on as one without a journal.
            log.exception("%s ! its journal cannot be read", call_sid)

    async def _rebuild(self, call_sid: str, name: str, data: bytes) -> None:
        facts: JournalFacts | None = None
        try:
            call, arrived = await in_slices(rebuilding(name, data))
        except Exception as error:
            if not isinstance(error, HookflashError):
                # A core that cannot live through what another one has is no reason to drop a call.
                log.exception("%s ! its journal cannot be replayed", call_sid)
            facts = await in_slices(reading_facts(data))
            if not facts.lines:
                raise
            if facts.setup.get("consult") is not None:
                log.warning("%s ! a talk with a human is not gone on with: %s", call_sid, error)
                return
            log.warning("%s ! goes on from its transcript: %s", call_sid, error)
            call = self._gone_on(call_sid, facts)
            arrived = facts.arrived
        parent_sid = call.setup.consult.parent_sid if call.setup.consult is not None else ""
        if parent_sid and (parent := self._restored(parent_sid)) is not None:
            await parent.then(lambda: None)
        if parent_sid and parent_sid not in self._drivers:
            return
        self._go_on(call_sid, call, arrived, facts)

    def _gone_on(self, call_sid: str, facts: JournalFacts) -> Call:
        name = str(facts.setup.get("agent", ""))
        agent = self._directory.named(name) or self._directory.agents[0]
        return go_on(call_sid, facts, self._setup(agent), self._clock.now())

    def _go_on(
        self,
        call_sid: str,
        call: Call,
        arrived: CallArrived | None,
        facts: JournalFacts | None,
    ) -> None:
        log.info("%s = restored from its journal, %s", call_sid, call.phase.value)
        now = self._clock.now()
        journal = self._journals.resume(call_sid, now)
        driver = self._drive(call_sid, call, self._agent(call.setup), journal, arrived)
        if call.phase is Phase.ENDED:
            self._linger(driver)
        driver.post(CallRecovered())
        if facts is None:
            return
        self._legs_left[call_sid] = legs_to_end(facts)
        if not facts.with_human:
            self._end_legs_left(driver)

    def _end_legs_left(self, driver: Driver) -> None:
        for leg in self._legs_left.pop(driver.call_sid, ()):
            driver.post(leg)

    def _setup(self, agent: AgentLike) -> CallSetup:
        # Made valid: an owner's texts (a greeting, say) are in the journal too.
        setup = made_valid(agent.call_setup(lead_ms=self._lead_ms))
        if self._record is None:
            return setup
        return msgspec.structs.replace(setup, record=self._record)

    def _agent(self, setup: CallSetup) -> AgentLike:
        return self._directory.named(setup.agent) or self._directory.agents[0]

    def _begin_talk(self, arrived: CallArrived, setup: CallSetup) -> Driver:
        journal = self._journals.begin(arrived.call_sid, setup)
        return self._drive(arrived.call_sid, Call(setup), self._agent(setup), journal, arrived)

    def _drive(
        self,
        call_sid: str,
        call: Call,
        agent: AgentLike,
        journal: Journal,
        arrived: CallArrived | None = None,
    ) -> Driver:
        consult = call.setup.consult

        def model_setup(history: tuple[Message, ...]) -> ModelSetup:
            name = _pseudonym(call.info.caller)
            if consult is None:
                recorded = call.setup.record
                return made_valid(
                    agent.model_setup(history, safety_identifier=name, recorded=recorded)
                )
            parent = self._drivers.get(consult.parent_sid)
            said = parent.call.conversation.transcript.history() if parent is not None else ()
            setup = agent.consult_setup(consult, said, history, safety_identifier=name)
            return made_valid(setup)

        def make_tools(post: EventSink) -> ToolRunner:
            observers = self._observers[call_sid] = CallObservers(
                agent, call, post, clock=self._clock, entropy=self._entropy
            )
            context = self._make_context(agent, call, post, observers.ask)
            tools = agent.tools if consult is None else {}
            return ToolRunner(
                tools,
                context,
                post,
                call_sid=call_sid,
                threads=self._threads,
                output_chars=self._tool_output_chars,
            )

        outside = CallPorts(
            clock=self._clock,
            control=self._control,
            checks=AgentChecks(agent.destinations, agent.presence_hook, self._clock),
            consults=self._consults,
            deliveries=self._deliveries,
            connector=self._connector,
            model_setup=model_setup,
            make_tools=make_tools,
            records=self._records if consult is None else NoRecords(),
            journal=journal,
            traffic=self.traffic,
            recordings=self._recordings,
            chance=self._chance,
            prepared=self._prepared(agent),
        )
        watch = self._observe if consult is None else None
        driver = Driver(
            call_sid, call, outside, on_ended=self._linger, watch=watch, arrived=arrived
        )
        self._drivers[call_sid] = driver
        if consult is not None:
            self._consults.begun(driver)
        return driver

    def _linger(self, driver: Driver) -> None:
        """The call is over; its webhooks may not be."""
        self._consults.over(driver)
        if (observers := self._observers.pop(driver.call_sid, None)) is not None:
            observers.close()
        delay = self._clock.delay(_LINGER_SECONDS)
        asyncio.get_running_loop().call_later(delay, self._let_go, driver)

    def _let_go(self, driver: Driver) -> None:
        if self._drivers.get(driver.call_sid) is not driver or driver.call.phase is not Phase.ENDED:
            return
        del self._drivers[driver.call_sid]
        self._legs_left.pop(driver.call_sid, None)
        task = asyncio.get_running_loop().create_task(driver.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
        self.on_let_go(driver.call_sid)


def brings_back(event: AnyEvent) -> bool:
    """Whether a call that nobody has any more is restored for this event: its record is still to be
    made, a voicemail goes to its owner, or a human's leg is to go with it."""
    if isinstance(event, LegChanged):
        return event.leg is not None
    return isinstance(event, CallCompleted | RecordingReady | VoicemailTranscribed)


def _pseudonym(caller: str) -> str | None:
    """Return a stable name for a caller that does not reveal the number."""
    if is_withheld(caller):
        # One name for all of them would have each answer for what another one said.
        return None
    return hashlib.sha256(f"hookflash:{caller}".encode()).hexdigest()[:32]
