"""The live calls of this process by call SID: find, restore and drain them.

A webhook may arrive for a call that this process does not know, because the process that had it has
crashed or was replaced. The call is then rebuilt from its journal and continues. If the journal
cannot be replayed, for example because another version wrote it, a new call continues from its
facts: who called and what was said (`journal_facts.py`). Without a journal the call is treated as
new. The carrier always gets an answer. Consultations (`consults`) have drivers too, but do not
count as calls.

A call is rebuilt from its journal (`journal_replay.py`), in slices (`sliced_work.py`), so that
other calls are not delayed. Requests for the call wait meanwhile and are handled in order.

    resource            acquired                         released
    a driver            arrive(), or when restored       a while after its call has ended
    the journals        passed in                        close()
    closing tasks       when a driver is released        close()
    asking tasks        a new call with functions        their end, or close()
    restoring tasks     a request for an unknown call    their end, or close()
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections import ChainMap
from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any, TypeVar, cast

import msgspec

from hookflash.agents.context import AskHuman, CallContext, CollectDigits
from hookflash.core.call import Call
from hookflash.core.caller_number import is_withheld
from hookflash.core.commands import (
    AnswerCarrier,
    AnyCommand,
    CheckTargets,
    HangUp,
    Instruction,
    LeaveQueue,
    Message,
    Redirect,
    Speak,
)
from hookflash.core.events import (
    AnyEvent,
    CallArrived,
    CallCompleted,
    CallPlaced,
    CallRecovered,
    HumanAsked,
    InstructionsAsked,
    LegChanged,
    LegPlaced,
    QueueAsked,
    RecordingReady,
    ShutdownRequested,
    StreamStarted,
    TargetsChecked,
    VoicemailTranscribed,
)
from hookflash.core.handoff_plan import E164, Destination, HandoffPlan
from hookflash.core.phases import Phase
from hookflash.core.phrases import phrases_of
from hookflash.core.record import HumanOutcome
from hookflash.core.setup import Brought, CallSetup, ModelSetup, Outbound
from hookflash.errors import ConfigError, HookflashError
from hookflash.runtime.agents import AgentLike, DirectoryLike
from hookflash.runtime.brought_calls import BroughtCalls
from hookflash.runtime.call_hooks import CallHooks
from hookflash.runtime.call_limits import CallLimits
from hookflash.runtime.call_observers import OBSERVED, CallObservers
from hookflash.runtime.call_ports import CallPorts, Traffic
from hookflash.runtime.call_values import VALUES_SECONDS, CallValues, values_of_call
from hookflash.runtime.consults import ConsultCalls, NoRecords
from hookflash.runtime.current_agent import CurrentChecks, CurrentSpeech, CurrentTools
from hookflash.runtime.driver import Driver
from hookflash.runtime.journal import Journal, Journals
from hookflash.runtime.journal_facts import (
    JournalFacts,
    bridge_completed,
    call_from_facts,
    legs_to_end,
    reading_facts,
)
from hookflash.runtime.journal_replay import rebuilding
from hookflash.runtime.ownership import OwnedControl, Ownership
from hookflash.runtime.ports import (
    CarrierControl,
    CarrierStream,
    Clock,
    Deliveries,
    EventSink,
    ModelConnector,
    RecordSink,
)
from hookflash.runtime.prepared_speech import PreparedSpeech
from hookflash.runtime.pressed_keys import PressedKeys
from hookflash.runtime.recorder import Recordings
from hookflash.runtime.sliced_work import RestoreTask, in_slices
from hookflash.runtime.target_checks import AgentChecks
from hookflash.runtime.tool_runner import (
    OUTPUT_CHARS,
    OfferedTool,
    ToolDefinition,
    ToolRunner,
    ToolThreads,
)
from hookflash.runtime.typed_digits import TypedDigits
from hookflash.runtime.valid_text import made_valid
from hookflash.world import SYSTEM

__all__ = ["AgentLike", "DirectoryLike", "Switchboard", "Watch"]

log = logging.getLogger("hookflash.call")

_T = TypeVar("_T")

Watch = Callable[[str, AnyEvent | None, list[AnyCommand]], None]

_ORDER_SECONDS = 3.0
"""How long the first webhook of a placed call waits for the carrier's answer to its order."""

_ENDED_CALL_SECONDS = 60.0
"""How long an ended call is held, for late webhooks."""

_LAST_HANDOFF_SECONDS = 45.0
"""How long the last calls may take to reach a human at shutdown: a phone has to ring."""

_MEDIA_SECONDS = 5.0
"""How long a new call may take until its media begins. Then its carrier asks another process."""

BROUGHT = "human"
"""The key of the destination of a call that comes for a human."""

MakeContext = Callable[[AgentLike, Call, EventSink, AskHuman, CollectDigits], object]
"""Creates the context that the owner's tools get."""

MakePrepared = Callable[[AgentLike], PreparedSpeech]
"""Creates an agent's prepared lines for one call."""

HandOverAll = Callable[[], Awaitable[bool]]

MoreTools = Callable[[AgentLike], Mapping[str, OfferedTool]]
"""Returns the tools that an agent has from elsewhere, by name. The mapping may change later."""


class Switchboard:
    """All calls of one process. Use it in the event loop's thread.

    `record` overrides whether calls are recorded; None means as each agent says. `limits` decides
    whether a new call is taken. Only telephone numbers that begin with one of `dial_prefixes` are
    rung; empty: every number.

    Blocking tools run in `threads`. The model reads at most `tool_output_chars` characters of a
    tool's result. Ids of questions and of collections of digits are generated from `entropy`.
    `chance` adds jitter to repeated ring requests. `prepared` has what can be played without a
    model. `more_tools` are those of MCP servers. If several nodes serve the line,
    `ownership` says which calls this one may act for.
    """

    def __init__(
        self,
        directory: DirectoryLike,
        *,
        clock: Clock,
        control: CarrierControl,
        connector: ModelConnector,
        records: RecordSink,
        journals: Journals,
        make_context: MakeContext,
        deliveries: Deliveries | None = None,
        call_hooks: CallHooks | None = None,
        lead_ms: int = 5000,
        max_call_seconds: float = 0,
        dial_prefixes: tuple[str, ...] = (),
        limits: CallLimits | None = None,
        recordings: Recordings | None = None,
        record: bool | None = None,
        watch: Watch | None = None,
        threads: ToolThreads | None = None,
        tool_output_chars: int = OUTPUT_CHARS,
        entropy: Random = SYSTEM.entropy("questions"),
        chance: Callable[[], float] = SYSTEM.entropy("ring-retry").random,
        prepared: MakePrepared = lambda agent: PreparedSpeech.tones_only(),
        more_tools: MoreTools = lambda agent: {},
        ownership: Ownership | None = None,
    ) -> None:
        self.draining = False
        self._handing_over = False
        self.hand_over_all: HandOverAll | None = None
        """Gives the remaining calls to other nodes at shutdown. It returns False if there are
        none."""
        self.on_released: Callable[[str], None] = lambda call_sid: None
        """Called with a call SID when nothing of that call is held any more."""
        self.on_ended: Callable[[Driver], None] = lambda driver: None
        """Called with each call that has ended, once its record was stored or refused."""
        self.claim: Callable[[str], Awaitable[None]] = _unclaimed
        """Called with the SID of a call that was placed, so that other workers learn of it."""
        self._placing: set[asyncio.Future[None]] = set()
        """Orders that the carrier has not answered: webhooks of unknown calls wait for them."""
        self.traffic = Traffic()
        self._directory = directory
        self._clock = clock
        self._control = control
        self._ownership = ownership
        self._connector = connector
        self._records = records
        self._deliveries = deliveries
        self._call_hooks = call_hooks or CallHooks(now=clock.now)
        self._journals = journals
        self._make_context = make_context
        self._lead_ms = lead_ms
        self._max_call_seconds = max_call_seconds
        self._dial_prefixes = dial_prefixes
        self._limits = limits or CallLimits()
        self._recordings = recordings
        self._record = record
        self._watch = watch
        self._threads = threads or ToolThreads()
        self._tool_output_chars = tool_output_chars
        self._entropy = entropy
        self._chance = chance
        self._prepared = prepared
        self._more_tools = more_tools
        self._drivers: dict[str, Driver] = {}
        self._observers: dict[str, CallObservers] = {}
        self.brought = BroughtCalls()
        """Calls of other applications that come for a human."""
        self._consults = ConsultCalls(self.find, self._start_consult)
        self._closing: set[asyncio.Task[None]] = set()
        self._asking: dict[str, asyncio.Task[None]] = {}
        """The tasks that ask the functions of calls that have just arrived."""
        self._asked: dict[str, tuple[CallContext, CallValues]] = {}
        """What they said, until the call begins."""
        self._states: dict[str, dict[str, Any]] = {}
        """What they have left in `CallContext.state` for the call's tools."""
        self._restoring: dict[str, RestoreTask] = {}
        self._legs_to_end: dict[str, list[LegPlaced]] = {}
        """Legs of humans who were with a caller whose journal could not be replayed.

        They end when the caller's leg comes back from them.
        """
        self._changed = asyncio.Event()

    @property
    def live(self) -> list[Driver]:
        """Return the drivers of callers' calls that have not ended."""
        return [
            each
            for each in self._drivers.values()
            if each.call.phase is not Phase.ENDED and each.call.setup.consult is None
        ]

    # --- requests of the carrier --------------------------------------------------------------

    async def arrive(self, arrived: CallArrived) -> tuple[Instruction, ...]:
        """Handle an incoming call, or a repeated request for one. Return the instructions.

        Raises `CallRefused` if the call is new, and a limit is reached.
        """
        if arrived.direction == "outbound":
            await self._ordered(arrived.call_sid)
        is_new = self._restored(arrived.call_sid) is None and arrived.call_sid not in self._drivers
        if is_new and not self.brought.expects(arrived.call_sid):
            await self._ask_functions(arrived)
        return await self._when_restored(arrived.call_sid, lambda: self._arrive(arrived))

    async def _ask_functions(self, arrived: CallArrived) -> None:
        """Ask the agent's functions of this call, if it has any; a repeated request waits too."""
        agent = self._find_agent(arrived)
        if agent is None or not (agent.text_functions or agent.tool_conditions):
            return
        call_sid = arrived.call_sid
        asking = self._asking.get(call_sid)
        if asking is None:
            waiting = len(self.live) + len(self._asking)
            self._limits.check(call_sid, waiting, agent.language)
            asking = asyncio.get_running_loop().create_task(self._values(agent, arrived))
            self._asking[call_sid] = asking
            asking.add_done_callback(lambda done: self._asking.pop(call_sid, None))
        # The carrier may give up its request; its next one finds the answers.
        await asyncio.shield(asking)

    async def _values(self, agent: AgentLike, arrived: CallArrived) -> None:
        context = CallContext(
            call_sid=arrived.call_sid,
            caller=arrived.caller,
            called=arrived.called,
            direction="outbound" if arrived.direction == "outbound" else "inbound",
            agent=agent.name,
            destinations=[each.key for each in agent.destinations],
        )
        values = await values_of_call(
            agent,
            context,
            call_sid=arrived.call_sid,
            threads=self._threads,
            seconds=self._clock.delay(VALUES_SECONDS),
        )
        self._asked[arrived.call_sid] = (context, values)

    def _find_agent(self, arrived: CallArrived) -> AgentLike | None:
        at = datetime.fromtimestamp(self._clock.now(), UTC)
        return self._directory.find(arrived.called, at)

    async def ask(
        self,
        call_sid: str,
        asked: InstructionsAsked | HumanAsked | QueueAsked,
        *,
        leg_sid: str = "",
    ) -> tuple[Instruction, ...]:
        """Handle the carrier's request for instructions. Return the instructions.

        `leg_sid` is the human's leg of this call that requests them, if it is one.
        """

        def act() -> tuple[Instruction, ...]:
            return self._ask(call_sid, asked, leg_sid)

        if leg_sid:
            # The consultation on that leg may have been in another process, too.
            await self._when_restored(leg_sid, lambda: None)
        return await self._when_restored(call_sid, act)

    async def post(self, call_sid: str, event: AnyEvent) -> bool:
        """Handle an event of a call. Return False if the call is unknown."""
        await self._ordered(call_sid)
        if call_sid in self._restoring or restores_call(event):
            return await self._when_restored(call_sid, lambda: self._post(call_sid, event))
        return self._post(call_sid, event)

    async def place(
        self,
        agent: str,
        outbound: Outbound,
        *,
        caller: str,
        called: str,
        order: Callable[[], Awaitable[str]],
    ) -> Driver:
        """Place a call with the agent of this name. Return its driver.

        `order` orders it at the carrier and returns its SID. Raises what `order` raises, and
        `ConfigError` if there is no such agent.
        """
        speaks = self._speaks(agent)
        placing: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._placing.add(placing)
        try:
            call_sid = await order()
            await self.claim(call_sid)
            arrived = CallArrived(call_sid, caller, called, "outbound")
            if speaks.text_functions or speaks.tool_conditions:
                await self._values(speaks, arrived)
            context, values = self._asked.pop(call_sid, (None, CallValues()))
            if context is not None:
                self._states[call_sid] = context.state
            setup = made_valid(values.apply(self._setup(speaks)))
            setup = msgspec.structs.replace(setup, outbound=made_valid(outbound))
            journal = self._journals.begin(call_sid, setup)
            driver = self._drive(call_sid, Call(setup), speaks, journal, arrived)
            driver.post(CallPlaced(call_sid, caller, called))
            self._call_hooks.started(call_sid)
            return driver
        finally:
            self._placing.discard(placing)
            placing.set_result(None)

    def _speaks(self, name: str) -> AgentLike:
        agents = self._directory.answering
        found = self._directory.get(name) if name else agents[0] if len(agents) == 1 else None
        if found is None:
            known = ", ".join(each.name for each in self._directory.agents)
            raise ConfigError(f"place: expected the name of an agent ({known}), got {name!r}")
        return found

    async def _ordered(self, call_sid: str) -> None:
        """Wait for orders that may be about this call, if it is unknown."""
        if self._placing and call_sid not in self._drivers:
            await asyncio.wait(set(self._placing), timeout=_ORDER_SECONDS)

    def _arrive(self, arrived: CallArrived) -> tuple[Instruction, ...]:
        driver = self._drivers.get(arrived.call_sid)
        setup = self.brought.take(arrived.call_sid)
        if setup is not None:
            if driver is not None:
                # It came for a human before, and went back to its application.
                self._consults.call_ended(driver)
                self._replace(driver)
            journal = self._journals.begin(arrived.call_sid, setup)
            return self._drive(
                arrived.call_sid, Call(setup), self._agent(setup), journal, arrived
            ).ask(arrived)
        if driver is None:
            agent = self._find_agent(arrived)
            if agent is None:
                log.warning("%s ! no agent answers this line now", arrived.call_sid)
                language = self._directory.agents[0].language
                return (Speak(phrases_of(language).sorry, language), HangUp())
            context, values = self._asked.pop(arrived.call_sid, (None, CallValues()))
            self._limits.check(arrived.call_sid, len(self.live), agent.language)
            setup = made_valid(values.apply(self._setup(agent)))
            if context is not None:
                self._states[arrived.call_sid] = context.state
            journal = self._journals.begin(arrived.call_sid, setup)
            driver = self._drive(arrived.call_sid, Call(setup), agent, journal, arrived)
            answer = driver.ask(arrived)
            self._call_hooks.started(arrived.call_sid)
            return answer
        self._end_remaining_legs(driver)
        return driver.ask(arrived)

    def _ask(
        self, call_sid: str, asked: InstructionsAsked | HumanAsked | QueueAsked, leg_sid: str
    ) -> tuple[Instruction, ...]:
        driver = self._drivers.get(call_sid)
        if driver is not None and not leg_sid:
            self._end_remaining_legs(driver)
        if driver is not None and leg_sid and isinstance(asked, InstructionsAsked):
            driver = self._drivers.get(leg_sid)
        if driver is not None:
            if isinstance(asked, InstructionsAsked) and asked.outcome == "bridged":
                bridge_completed(driver.call)
            return driver.ask(asked)
        if leg_sid or isinstance(asked, HumanAsked):
            log.warning(
                "%s ! a human's leg asks for instructions, but its call has ended", call_sid
            )
            return (HangUp(),)
        if isinstance(asked, QueueAsked):
            return (LeaveQueue(),)
        if asked.outcome == "bridged":
            return (HangUp(),)
        log.warning("%s ! the call has no journal, so it continues as a new call", call_sid)
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
            self._end_remaining_legs(driver)
        driver.post(made_valid(event))
        if isinstance(event, LegChanged) and event.status == "completed":
            self._consults.leg_ended(event.leg_sid)
        return True

    def attach(self, call_sid: str, stream: CarrierStream) -> EventSink | None:
        """Connect a media stream with a valid token. Return where its events go; None: close it."""
        # This process issued the token, so the call is here if it exists at all.
        driver = self._drivers.get(call_sid)
        return driver.attach(stream) if driver is not None else None

    def find(self, call_sid: str) -> Driver | None:
        """Return the driver of a call, if it is in this process."""
        return self._drivers.get(call_sid)

    def has(self, call_sid: str) -> bool:
        """Return whether a call is in this process, or is being restored by it."""
        known = call_sid in self._drivers or call_sid in self._restoring
        return known or self.brought.expects(call_sid)

    def arrived(self, call_sid: str) -> CallArrived | None:
        """Return what the carrier said when a call arrived.

        For the leg of a consultation, it is the arrival of the parent call.
        """
        driver = self._drivers.get(call_sid)
        if driver is not None and driver.call.setup.consult is not None:
            driver = self._drivers.get(driver.call.setup.consult.parent_sid)
        return driver.arrived if driver is not None else None

    def rings(self, is_number: Callable[[str], bool], caller: str, *, call_sid: str) -> bool:
        """Return whether the call `call_sid` is a ring request of this line, forwarded back to it.

        A human's phone may forward calls to the line. `is_number` says whether a number is that
        phone's. True if a live call is reaching that number and `caller` is a number it may show:
        the caller's, the dialled one, the plan's, the phone's own, or none. Any other forwarded
        call is a normal caller, and so is a call that is already known.
        """
        if call_sid in self._drivers:
            return False
        if not E164.fullmatch(caller) or is_withheld(caller) or is_number(caller):
            return any(self._reached(is_number))
        return any(caller in shown for shown in self._reached(is_number))

    def _reached(self, is_number: Callable[[str], bool]) -> Iterator[tuple[str | None, ...]]:
        """Yield the numbers that may be shown by each call that is reaching such a phone."""
        for driver in self.live:
            handoff, facts = driver.call.handoff, driver.call.info
            if handoff.running and any(is_number(each.address) for each in handoff.plan.targets):
                yield facts.caller, facts.called, handoff.plan.caller_id

    # --- other nodes --------------------------------------------------------------------------

    async def restore(self, call_sid: str) -> bool:
        """Restore a call from its journal, if there is one. Return whether the call is here."""
        await self._when_restored(call_sid, lambda: None)
        return call_sid in self._drivers

    async def give_up(self, call_sid: str, *, seconds: float = 0.0) -> None:
        """Stop driving a call that another node continues. The carrier is told nothing.

        Requests to the carrier that are under way get `seconds` to end. The call's consultations
        are given up with it.
        """
        if (restoring := self._restoring.get(call_sid)) is not None:
            await restoring.close()
        for consult_sid in self.consults_of(call_sid):
            await self.give_up(consult_sid)
        driver = self._drivers.get(call_sid)
        if driver is None:
            return
        if seconds:
            await driver.settle(seconds)
        self._drivers.pop(call_sid, None)
        self._call_hooks.forget(call_sid)
        self._legs_to_end.pop(call_sid, None)
        if (observers := self._observers.pop(call_sid, None)) is not None:
            observers.close()
        await driver.close()
        self._changed.set()

    def consults_of(self, call_sid: str) -> list[str]:
        """Return the legs on which the agent talks with a human about this call."""
        return [
            each.call_sid
            for each in self._drivers.values()
            if each.call.setup.consult is not None
            and each.call.setup.consult.parent_sid == call_sid
        ]

    # --- calls of other applications ----------------------------------------------------------

    async def check_plan(self, plan: HandoffPlan) -> TargetsChecked:
        """Return whether a plan is open now, and which of its targets are free."""
        to = Destination(key=BROUGHT, when="", plan=plan)
        hook = self._directory.agents[0].presence_hook
        return await AgentChecks((to,), hook, self._clock).check(CheckTargets(1, BROUGHT))

    def expect(
        self, call_sid: str, plan: HandoffPlan, *, reason: str, summary: str, return_url: str
    ) -> asyncio.Future[HumanOutcome]:
        """Expect a live call of another application, which comes for a human.

        The future has the outcome when a human has the call, or when it is over. Raises
        `ConfigError` if the call has an agent here, or if a human is being brought already.
        """
        driver = self._drivers.get(call_sid)
        if driver is not None and driver.call.phase is not Phase.ENDED:
            if driver.call.setup.brought is not None:
                raise ConfigError(
                    f"bring_human: {call_sid} is with a human, or one is rung already"
                )
            raise ConfigError(
                f"bring_human: {call_sid} is a call of this line; its agent hands it off"
            )
        setup = msgspec.structs.replace(
            self._setup(self._directory.agents[0]),
            destinations=(Destination(key=BROUGHT, when="", plan=plan),),
            fallback=None,
            key_to_human=None,
            key_destination=None,
            record=False,
            brought=Brought(
                destination=BROUGHT, reason=reason, summary=summary, return_url=return_url
            ),
        )
        return self.brought.expect(call_sid, made_valid(setup))

    # --- shutdown -----------------------------------------------------------------------------

    async def drain(self, seconds: float) -> None:
        """Wait for the calls to end, for at most `seconds`; then hand the rest off.

        A call whose media has not begun is waited for only for a few seconds.
        """
        self.draining = True
        if self.live and seconds:
            log.info(
                "stopping: %d live calls go on for at most %g s (HOOKFLASH_DRAIN_SECONDS), and then"
                " go to another process or a human; a second Ctrl-C ends them at once",
                *(len(self.live), seconds),
            )
        first = min(seconds, _MEDIA_SECONDS)
        await self._wait_for_calls(first, self._no_call_is_live)
        await self._wait_for_calls(seconds - first, self._no_call_has_media)
        if self.live and self.hand_over_all is not None and await self.hand_over_all():
            return
        self._handing_over = True
        for driver in self.live:
            # A new call without media cannot be moved; its carrier asks another process.
            if not _awaits_first_media(driver):
                driver.post(ShutdownRequested())
        await self._wait_for_calls(_LAST_HANDOFF_SECONDS, self._all_are_safe)

    async def close(self) -> None:
        """Release every call at once."""
        for asking in self._asking.values():
            asking.cancel()
        await asyncio.gather(*self._asking.values(), return_exceptions=True)
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
            if self._handing_over and isinstance(event, StreamStarted):
                # Its caller came while the others were handed over already.
                began = self._drivers[call_sid]
                asyncio.get_running_loop().call_soon(began.post, ShutdownRequested())
        if type(event) in OBSERVED and call_sid in self._observers:
            self._observers[call_sid].observe(event)
        if self._watch is not None:
            self._watch(call_sid, event, commands)
        if (driver := self._drivers.get(call_sid)) is not None:
            self.brought.look(call_sid, driver.call, self._clock.now())
            asked = isinstance(event, CallArrived | InstructionsAsked)
            if asked and driver.call.setup.brought is not None and any(map(_leaves, commands)):
                # Nobody will report its end: its application gets the status callbacks.
                asyncio.get_running_loop().call_soon(driver.post, CallCompleted())
        self._call_hooks.look(call_sid)

    def _no_call_is_live(self) -> bool:
        return not self.live

    def _no_call_has_media(self) -> bool:
        return all(map(_awaits_first_media, self.live))

    def _all_are_safe(self) -> bool:
        # A leg that is ringing may still be busy; this process must then answer the carrier.
        safe = (Phase.WITH_HUMAN, Phase.ENDING)
        return all(
            _awaits_first_media(each)
            or (each.call.phase in safe and each.call.caller_leg.route.deadline is None)
            for each in self.live
        )

    # --- drivers ------------------------------------------------------------------------------

    async def _when_restored(self, call_sid: str, act: Callable[[], _T]) -> _T:
        """Run `act` and return its result: at once, or as soon as the call is restored."""
        restoring = self._restored(call_sid)
        return act() if restoring is None else await restoring.then(act)

    def _restored(self, call_sid: str) -> RestoreTask | None:
        """Return the restore of another process's call, started if needed.

        None means that the call is in this process, or has no journal.
        """
        if call_sid in self._drivers:
            return None
        restoring = self._restoring.get(call_sid)
        if restoring is None and (path := self._journals.find(call_sid)) is not None:
            restoring = self._restoring[call_sid] = RestoreTask(
                self._restore(call_sid, path),
                name=f"restore {call_sid}",
                on_end=lambda: self._restoring_ended(call_sid),
            )
        return restoring

    def _restoring_ended(self, call_sid: str) -> None:
        del self._restoring[call_sid]
        # Later, because a waiting request may start the call as a new one.
        asyncio.get_running_loop().call_soon(self._release_unless_restored, call_sid)

    def _release_unless_restored(self, call_sid: str) -> None:
        if not self.has(call_sid):
            self.on_released(call_sid)

    async def _restore(self, call_sid: str, path: Path) -> None:
        """Rebuild another process's call from its journal."""
        try:
            data = await asyncio.to_thread(path.read_bytes)
            await self._rebuild(call_sid, path.name, data)
        except Exception:
            # The carrier still gets an answer: the call continues as one without a journal.
            log.exception("%s ! its journal cannot be read", call_sid)

    async def _rebuild(self, call_sid: str, name: str, data: bytes) -> None:
        facts: JournalFacts | None = None
        try:
            call, arrived = await in_slices(rebuilding(name, data))
        except Exception as error:
            if not isinstance(error, HookflashError):
                # A replay that raises is no reason to drop the call: continue from the facts.
                log.exception("%s ! its journal cannot be replayed", call_sid)
            facts = await in_slices(reading_facts(data))
            if not facts.lines:
                raise
            if facts.setup.get("consult") is not None:
                log.warning(
                    "%s ! the consultation with a human is not continued: %s", call_sid, error
                )
                return
            log.warning("%s ! the call continues from its transcript: %s", call_sid, error)
            call = self._call_from_facts(call_sid, facts)
            arrived = facts.arrived
        parent_sid = call.setup.consult.parent_sid if call.setup.consult is not None else ""
        if parent_sid and (parent := self._restored(parent_sid)) is not None:
            await parent.then(lambda: None)
        if parent_sid and parent_sid not in self._drivers:
            return
        self._resume(call_sid, call, arrived, facts)

    def _call_from_facts(self, call_sid: str, facts: JournalFacts) -> Call:
        name = str(facts.setup.get("agent", ""))
        agent = self._directory.get(name) or self._directory.agents[0]
        return call_from_facts(call_sid, facts, self._setup(agent), self._clock.now())

    def _resume(
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
            self._call_ended(driver)
        driver.post(CallRecovered())
        if facts is None:
            return
        self._legs_to_end[call_sid] = legs_to_end(facts)
        if not facts.with_human:
            self._end_remaining_legs(driver)

    def _end_remaining_legs(self, driver: Driver) -> None:
        for leg in self._legs_to_end.pop(driver.call_sid, ()):
            driver.post(leg)

    def _setup(self, agent: AgentLike) -> CallSetup:
        # Made valid, because the owner's texts (such as the greeting) go into the journal.
        setup = made_valid(
            agent.call_setup(lead_ms=self._lead_ms, max_call_seconds=self._max_call_seconds)
        )
        lines = {
            name: len(tool.filler)
            for name, tool in self._more_tools(agent).items()
            if tool.filler is not None
        }
        setup = msgspec.structs.replace(
            setup,
            dial_prefixes=self._dial_prefixes,
            tool_fillers={**lines, **setup.tool_fillers},
        )
        if self._record is None:
            return setup
        return msgspec.structs.replace(setup, record=self._record)

    def _agent(self, setup: CallSetup) -> AgentLike:
        return self._directory.get(setup.agent) or self._directory.agents[0]

    def _start_consult(self, arrived: CallArrived, setup: CallSetup) -> Driver:
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
        first = agent

        def speaks() -> AgentLike:
            name = call.setup.agent
            return first if name == first.name else self._directory.get(name) or first

        async def bring_agent(key: str) -> CallSetup | None:
            other = speaks().colleagues.get(key)
            if other is None:
                return None
            setup = self._setup(other)
            if other.text_functions or other.tool_conditions:
                asked = await values_of_call(
                    other,
                    contexts[0],
                    call_sid=call_sid,
                    threads=self._threads,
                    seconds=self._clock.delay(VALUES_SECONDS),
                )
                setup = made_valid(asked.apply(setup))
            return setup

        contexts: list[object] = []
        """The context of the owner's functions, once it is made."""

        def offered(tool: str) -> bool:
            return tool not in call.setup.tools_left_out

        def model_setup(history: tuple[Message, ...]) -> ModelSetup:
            name = _pseudonym(call.info.party)
            if consult is None:
                recorded = call.setup.record
                agent = speaks()
                for context in contexts:
                    if isinstance(context, CallContext):
                        context.agent = agent.name
                setup = agent.model_setup(history, safety_identifier=name, recorded=recorded)
                more = tuple(tool.spec for tool in self._more_tools(agent).values())
                return made_valid(
                    msgspec.structs.replace(
                        setup,
                        instructions=call.setup.instructions or setup.instructions,
                        tools=tuple(each for each in setup.tools if offered(each.name)) + more,
                    )
                )
            parent = self._drivers.get(consult.parent_sid)
            said = parent.call.conversation.transcript.history() if parent is not None else ()
            setup = speaks().consult_setup(
                consult,
                said,
                history,
                instructions=call.setup.instructions,
                safety_identifier=name,
            )
            return made_valid(setup)

        def make_checks(agent: AgentLike) -> AgentChecks:
            checks = AgentChecks(
                agent.destinations,
                agent.presence_hook,
                self._clock,
                functions=agent.address_functions,
                threads=self._threads,
            )
            checks.context = contexts[0]
            return checks

        def tools_of(agent: AgentLike) -> Mapping[str, ToolDefinition]:
            own = {name: tool for name, tool in agent.tools.items() if offered(name)}
            # A view, because an MCP server may change its tools during the call.
            return ChainMap(own, cast(Any, self._more_tools(agent)))

        def make_tools(post: EventSink, digits: TypedDigits, keys: PressedKeys) -> ToolRunner:
            observers = self._observers[call_sid] = CallObservers(
                agent, call, post, clock=self._clock, entropy=self._entropy
            )
            context = self._make_context(agent, call, post, observers.ask, digits.collect)
            if isinstance(context, CallContext):
                context.state = self._states.pop(call_sid, context.state)
                context.presses = keys.press
            contexts.append(context)
            if arrived is not None and isinstance(context, CallContext):
                # The call itself learns them from its first event, which comes after this.
                context.call_sid = arrived.call_sid
                context.caller, context.called = arrived.caller, arrived.called
                context.direction = "outbound" if arrived.direction == "outbound" else "inbound"
            tools: Mapping[str, ToolDefinition] = {}
            if consult is None:
                tools = CurrentTools(speaks, tools_of)
            return ToolRunner(
                tools,
                context,
                post,
                call_sid=call_sid,
                threads=self._threads,
                output_chars=self._tool_output_chars,
            )

        control = self._control
        if self._ownership is not None:
            owned = call_sid if consult is None else consult.parent_sid
            control = OwnedControl(control, self._ownership, owned)
        ports = CallPorts(
            clock=self._clock,
            control=control,
            checks=CurrentChecks(speaks, make_checks),
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
            prepared=CurrentSpeech(speaks, self._prepared),
            bring_agent=bring_agent,
            entropy=self._entropy,
        )
        watch = self._observe if consult is None else None
        driver = Driver(
            call_sid, call, ports, on_ended=self._call_ended, watch=watch, arrived=arrived
        )
        self._drivers[call_sid] = driver
        if consult is not None:
            self._consults.add(driver)
        else:
            self._call_hooks.follow(call_sid, call, agent.call_hooks)
        return driver

    def _call_ended(self, driver: Driver) -> None:
        """Release the call's observers now and its driver later, after late webhooks."""
        self.on_ended(driver)
        self._consults.call_ended(driver)
        if driver.call.conversation.length.ended:
            log.info(
                "%s = the agent ended the call: HOOKFLASH_MAX_CALL_SECONDS, or the agent's"
                " max_call_seconds, is used up (%g s)",
                *(driver.call_sid, driver.call.setup.max_call_seconds),
            )
        if (observers := self._observers.pop(driver.call_sid, None)) is not None:
            observers.close()
        delay = self._clock.delay(_ENDED_CALL_SECONDS)
        asyncio.get_running_loop().call_later(delay, self._release, driver)

    def _replace(self, driver: Driver) -> None:
        """Release a driver at once, because another one follows for the same call."""
        del self._drivers[driver.call_sid]
        self._call_hooks.forget(driver.call_sid)
        task = asyncio.get_running_loop().create_task(driver.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def _release(self, driver: Driver) -> None:
        if self._drivers.get(driver.call_sid) is not driver or driver.call.phase is not Phase.ENDED:
            return
        del self._drivers[driver.call_sid]
        self._call_hooks.forget(driver.call_sid)
        self._legs_to_end.pop(driver.call_sid, None)
        task = asyncio.get_running_loop().create_task(driver.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
        self.on_released(driver.call_sid)


async def _unclaimed(call_sid: str) -> None:
    """Claim nothing: no other worker serves the line."""


def _awaits_first_media(driver: Driver) -> bool:
    """Return whether a call is new, so that no caller is on its media yet."""
    call = driver.call
    return call.phase is Phase.RINGING and not call.conversation.streams


def _leaves(command: AnyCommand) -> bool:
    """Return whether the carrier is told to ask another application, or to hang up."""
    return isinstance(command, AnswerCarrier) and any(
        isinstance(each, Redirect | HangUp) for each in command.instructions
    )


def restores_call(event: AnyEvent) -> bool:
    """Return whether this event restores a call that no process has.

    It does if the call's record is still to be written, a voicemail goes to the owner, or a human's
    leg has to be ended.
    """
    if isinstance(event, LegChanged):
        return event.leg is not None
    return isinstance(event, CallCompleted | RecordingReady | VoicemailTranscribed)


def _pseudonym(caller: str) -> str | None:
    """Return a stable name for a caller that does not reveal the number."""
    if is_withheld(caller):
        # Callers without a number must not share one name.
        return None
    return hashlib.sha256(f"hookflash:{caller}".encode()).hexdigest()[:32]
