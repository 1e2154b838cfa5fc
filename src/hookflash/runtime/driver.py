"""The driver of one call: runs the core on what happens, and carries out what it wants.

It lives in the event loop's thread. `post` carries out the commands at once: there is no inbox
to wait in, no queue to hop over and no lock, because the core never waits. Links queue what they
send; REST and tools are tasks whose end, good or bad, is an event. So nothing slow can delay a
barge-in.

    resource              acquired                       released
    the timer             whenever the deadline changes  when the call is over
    the media stream      attach()                       CloseStream, or the carrier
    the model's session   OpenModel                      CloseModel, which every ending contains
    a task for REST       MoveCall                       its end, at most the move's seconds
    the tools' tasks      RunTool                        their end, or close()
    the journal           given                          close()
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Literal

from hookflash.core.call import Call
from hookflash.core.commands import (
    AddMessage,
    AnswerCarrier,
    AnyCommand,
    CancelResponse,
    CancelTool,
    ClearAudio,
    CloseModel,
    CloseStream,
    DeleteItem,
    Instruction,
    Message,
    MoveCall,
    OpenModel,
    PlayAudio,
    RequestResponse,
    RunTool,
    SendCallerAudio,
    SendMark,
    SendToolOutput,
    StoreRecord,
    TruncateItem,
)
from hookflash.core.events import AnyEvent, CallMoved, CarrierRefused, StreamStopped
from hookflash.core.phases import Phase
from hookflash.core.setup import ModelSetup
from hookflash.errors import CarrierError
from hookflash.runtime.journal import Journal, State
from hookflash.runtime.log import brief
from hookflash.runtime.ports import (
    CarrierControl,
    CarrierStream,
    Clock,
    EventSink,
    ModelConnector,
    ModelLink,
    RecordKeeper,
)
from hookflash.runtime.tool_runner import ToolRunner

log = logging.getLogger("hookflash.call")

_TO_MODEL = (
    AddMessage,
    CancelResponse,
    DeleteItem,
    RequestResponse,
    SendCallerAudio,
    SendToolOutput,
    TruncateItem,
)


class Outside:
    """The ports of one call: everything that its driver may touch."""

    def __init__(
        self,
        *,
        clock: Clock,
        control: CarrierControl,
        connector: ModelConnector,
        model_setup: Callable[[tuple[Message, ...]], ModelSetup],
        make_tools: Callable[[EventSink], ToolRunner],
        records: RecordKeeper,
        journal: Journal,
    ) -> None:
        self.clock = clock
        self.control = control
        self.connector = connector
        self.model_setup = model_setup
        self.make_tools = make_tools
        self.records = records
        self.journal = journal


class Driver:
    """Drives `call`. `on_ended` is called once, when the record was handed over."""

    def __init__(
        self,
        call_sid: str,
        call: Call,
        outside: Outside,
        *,
        on_ended: Callable[[Driver], None],
        watch: Callable[[str, AnyEvent | None, list[AnyCommand]], None] | None = None,
    ) -> None:
        self.call_sid = call_sid
        self.call = call
        self._outside = outside
        self._on_ended = on_ended
        self._watch = watch
        self._tools = outside.make_tools(self.post)
        self._stream: CarrierStream | None = None
        self._model: ModelLink | None = None
        self._answer: tuple[Instruction, ...] = ()
        self._inbox: deque[AnyEvent] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._tasks: set[asyncio.Task[None]] = set()
        self._carry_out: dict[type, Callable[..., None]] = self._shells()

    # --- events in ----------------------------------------------------------------------------

    def post(self, event: AnyEvent) -> None:
        """Take an event. One that arises while another is carried out is taken right after it."""
        if self._inbox is not None:
            self._inbox.append(event)
            return
        self._inbox = deque((event,))
        try:
            while self._inbox:
                self._take(self._inbox.popleft())
        finally:
            self._inbox = None
        self._set_timer()

    def ask(self, event: AnyEvent) -> tuple[Instruction, ...]:
        """Take an event that the core answers with instructions, and return them."""
        self._answer = ()
        self.post(event)
        return self._answer

    def attach(self, stream: CarrierStream) -> EventSink | None:
        """Give the call its media stream. Return where its events go, or None when the call has
        one already: a second socket would be a second voice."""
        if self.call.phase is Phase.ENDED:
            return None
        if self._stream is not None:
            if self.call.facts.stream_sid is not None:
                return None
            self._stream.close()
        self._stream = stream
        return self.post

    async def close(self) -> None:
        """Let go of everything at once; for a process that ends."""
        if self._timer is not None:
            self._timer.cancel()
        if self._model is not None:
            self._model.close()
        if self._stream is not None:
            self._stream.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._tools.close()
        self._outside.journal.close()

    # --- the core -----------------------------------------------------------------------------

    def _take(self, event: AnyEvent) -> None:
        now = self._outside.clock.now()
        if type(event) is StreamStopped and self._stream is not None:
            if self._stream.stream_sid == event.stream_sid:
                self._stream = None
        if log.isEnabledFor(logging.DEBUG):
            log.debug("%s < %s", self.call_sid, brief(event))
        self._done(now, event, self.call.receive(event, now))

    def _expire(self) -> None:
        self._timer = None
        now = self._outside.clock.now()
        deadline = self.call.deadline
        if deadline is not None and now >= deadline:
            # Held open so that what the commands cause is taken afterwards, in order.
            self._inbox = deque()
            try:
                self._done(now, "expired", self.call.expire(now))
                while self._inbox:
                    self._take(self._inbox.popleft())
            finally:
                self._inbox = None
        self._set_timer()

    def _done(
        self, now: float, cause: AnyEvent | Literal["expired"], commands: list[AnyCommand]
    ) -> None:
        for command in commands:
            self._carry_out[type(command)](command)
        state = State(self.call.phase.value, self.call.handoff.state.value)
        self._outside.journal.write(now, cause, commands, state)
        if self._watch is not None:
            self._watch(self.call_sid, None if cause == "expired" else cause, commands)
        if commands and log.isEnabledFor(logging.DEBUG):
            for command in commands:
                log.debug("%s > %s", self.call_sid, brief(command))

    def _set_timer(self) -> None:
        deadline = self.call.deadline
        if self._timer is not None:
            # A timer that is early only finds nothing to do and is set again: cheaper than
            # moving it with every frame.
            if deadline is not None and self._timer_at <= deadline:
                return
            self._timer.cancel()
            self._timer = None
        if deadline is not None:
            seconds = max(0.0, deadline - self._outside.clock.now())
            delay = self._outside.clock.delay(seconds)
            self._timer = asyncio.get_running_loop().call_later(delay, self._expire)
            self._timer_at = deadline

    # --- commands out -------------------------------------------------------------------------

    def _shells(self) -> dict[type, Callable[..., None]]:
        shells: dict[type, Callable[..., None]] = {
            PlayAudio: self._play,
            SendMark: self._mark,
            ClearAudio: self._clear,
            AnswerCarrier: self._keep_answer,
            MoveCall: self._move,
            CloseStream: self._close_stream,
            OpenModel: self._open_model,
            CloseModel: self._close_model,
            RunTool: self._run_tool,
            CancelTool: self._cancel_tool,
            StoreRecord: self._store,
        }
        return shells | dict.fromkeys(_TO_MODEL, self._tell_model)

    def _play(self, command: PlayAudio) -> None:
        if self._stream is not None:
            self._stream.play(command.payload)

    def _mark(self, command: SendMark) -> None:
        if self._stream is not None:
            self._stream.mark(command.name)

    def _clear(self, command: ClearAudio) -> None:
        if self._stream is not None:
            self._stream.clear()

    def _close_stream(self, command: CloseStream) -> None:
        if self._stream is not None:
            self._stream.close()

    def _keep_answer(self, command: AnswerCarrier) -> None:
        self._answer = command.instructions

    def _open_model(self, command: OpenModel) -> None:
        if self._model is not None:
            self._model.close()
        setup = self._outside.model_setup(command.history)
        self._model = self._outside.connector.open(setup, self.post)

    def _close_model(self, command: CloseModel) -> None:
        if self._model is not None:
            self._model.close()
            self._model = None

    def _tell_model(self, command: AnyCommand) -> None:
        if self._model is not None:
            self._model.carry_out(command)

    def _run_tool(self, command: RunTool) -> None:
        self._tools.run(command)

    def _cancel_tool(self, command: CancelTool) -> None:
        self._tools.cancel(command.call_id)

    def _store(self, command: StoreRecord) -> None:
        self._outside.records.put(command.record)
        self._on_ended(self)

    def _move(self, command: MoveCall) -> None:
        task = asyncio.get_running_loop().create_task(self._ask_to_move(command))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _ask_to_move(self, command: MoveCall) -> None:
        seconds = self._outside.clock.delay(command.seconds)
        try:
            await self._outside.control.move(self.call_sid, command.instructions, seconds=seconds)
        except CarrierError as error:
            level = logging.INFO if error.gone else logging.WARNING
            log.log(level, "%s ! the carrier did not move the call: %s", self.call_sid, error)
            refused = CarrierRefused(command.step, error.status, error.carrier_code, error.gone)
            self.post(refused)
        except Exception:
            # The call must go on by its second road, whatever it was.
            log.exception("%s ! moving the call failed", self.call_sid)
            self.post(CarrierRefused(command.step))
        else:
            self.post(CallMoved(command.step))
