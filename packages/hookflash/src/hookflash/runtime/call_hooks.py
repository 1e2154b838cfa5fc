"""Tell the owner's hooks and webhook about calls: arrived, said, handed off, ended.

    the call --an event--> a queue of the call --one after another--> the agent's hook
                     \\----> `post`, which stores it for the webhook

A call never waits for a hook. A hook gets the events of one call in order, each once, for a limited
time. A hook that raises or is late is logged. Plain functions run in threads of their own, so that
hooks that hang cannot use up the threads of the tools.

    resource                acquired             released
    a task for a call       an event for a hook  when its queue is empty, close()
    a followed call         follow()             forget(), when the driver is released
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import logging
from collections import deque
from collections.abc import Callable, Collection, Mapping

from msgspec.structs import replace

from hookflash.agents.hooks import CallHook
from hookflash.core.call import Call
from hookflash.core.call_events import (
    KINDS,
    AnyCallEvent,
    CallEvent,
    CallStarted,
    EventKind,
    HandoffEnded,
    TranscriptLine,
    event_of,
    kind_of,
)
from hookflash.core.record import CallRecord
from hookflash.core.summary import summarise
from hookflash.runtime.owner_code import run_owner_code
from hookflash.runtime.ports import RecordSink
from hookflash.runtime.settled_lines import SettledLines
from hookflash.runtime.tool_runner import ToolThreads
from hookflash.runtime.wait_within import wait_within

_log = logging.getLogger("hookflash.call.hooks")

HOOK_SECONDS = 10.0
"""How long a hook may take for one event."""

CLOSE_SECONDS = 5.0
"""How long the hooks of ended calls may run on when the process ends."""

THREADS = 16
WAITING = 500
"""How many events of a call may wait for its hooks. Further ones are dropped, with a log line."""

NAMES: dict[EventKind, str] = {
    "call.started": "on_call_started",
    "transcript.line": "on_transcript",
    "handoff.ended": "on_handoff",
    "call.ended": "on_call_ended",
}


class CallHooks:
    """The hooks of all calls of one process. Use it in the event loop's thread.

    `post` stores an event of one of the `kinds` for the webhook; None if there is no webhook.
    """

    def __init__(
        self,
        *,
        now: Callable[[], float],
        threads: ToolThreads | None = None,
        post: Callable[[CallEvent], None] | None = None,
        kinds: Collection[EventKind] = KINDS,
        seconds: float = HOOK_SECONDS,
        waiting: int = WAITING,
    ) -> None:
        self.now = now
        self.post = post
        self.kinds = frozenset(kinds) if post is not None else frozenset()
        self.threads = threads or ToolThreads(THREADS)
        self.seconds = seconds
        self.waiting = waiting
        self.tasks: set[asyncio.Task[None]] = set()
        """The calls whose hooks are being called."""
        self._followed: dict[str, FollowedCall] = {}

    def follow(self, call_sid: str, call: Call, hooks: Mapping[EventKind, CallHook]) -> None:
        """Follow a call from now on. What happened before, in another process, is not told
        again."""
        if hooks or self.kinds:
            self._followed[call_sid] = FollowedCall(self, call, hooks)

    def started(self, call_sid: str) -> None:
        """Tell that a call has arrived."""
        if (followed := self._followed.get(call_sid)) is not None:
            followed.started()

    def look(self, call_sid: str) -> None:
        """Tell what is new in a call that has handled an event."""
        if (followed := self._followed.get(call_sid)) is not None:
            followed.look()

    def ended(self, record: CallRecord) -> None:
        """Tell that a call is over, or that its record was completed."""
        if (followed := self._followed.get(record.call_sid)) is not None:
            followed.ended(record)

    def forget(self, call_sid: str) -> None:
        """Follow a call no longer. Events that are waiting still reach its hooks."""
        self._followed.pop(call_sid, None)

    async def close(self, seconds: float = CLOSE_SECONDS) -> None:
        """Let the hooks take what is waiting, for at most `seconds`; then cancel them."""
        self._followed.clear()
        if not self.tasks:
            return
        _, late = await asyncio.wait(self.tasks, timeout=seconds)
        if late:
            _log.warning("! hooks of %d calls were not called to the end", len(late))
            for task in late:
                task.cancel()
            await asyncio.wait(late)


class FollowedCall:
    """One call, and the events that wait for its hooks."""

    def __init__(self, line: CallHooks, call: Call, hooks: Mapping[EventKind, CallHook]) -> None:
        self._line = line
        self._call = call
        self._hooks = hooks
        self._lines = SettledLines(call.conversation.transcript)
        self._attempts = list(call.handoff.attempts)
        self._waiting: deque[tuple[CallHook, AnyCallEvent]] = deque()
        self._dropped = 0
        self._task: asyncio.Task[None] | None = None

    def started(self) -> None:
        info = self._call.info
        self._tell(
            CallStarted(
                call_sid=info.call_sid,
                agent=self._call.setup.agent,
                caller=info.caller,
                called=info.called,
                direction="outbound" if info.outbound else "inbound",
                arrived_at=info.arrived_at,
            )
        )

    def look(self) -> None:
        info, agent = self._call.info, self._call.setup.agent
        for said in self._lines.changes():
            if said.speaker == "note":
                continue
            self._tell(
                TranscriptLine(
                    call_sid=info.call_sid,
                    agent=agent,
                    speaker=said.speaker,
                    text=said.text,
                    started_at=round(said.started_at - info.arrived_at, 3),
                    ended_at=round(max(said.ended_at, said.started_at) - info.arrived_at, 3),
                    cut=said.cut,
                )
            )
        attempts = self._call.handoff.attempts
        for number, attempt in enumerate(attempts):
            # An attempt that seemed to fail may turn out to have succeeded.
            if number < len(self._attempts) and self._attempts[number] is attempt:
                continue
            at = round(attempt.started_at - info.arrived_at, 3)
            self._tell(
                HandoffEnded(
                    call_sid=info.call_sid,
                    agent=agent,
                    caller=info.caller,
                    attempt=replace(attempt, started_at=at),
                )
            )
        self._attempts[:] = attempts

    def ended(self, record: CallRecord) -> None:
        self.look()
        self._tell(replace(record, summary=record.summary or summarise(record)))

    def _tell(self, about: AnyCallEvent) -> None:
        kind = kind_of(about)
        if self._line.post is not None and kind in self._line.kinds:
            try:
                self._line.post(event_of(about, self._line.now()))
            except Exception:
                # An event that cannot be written as JSON must not harm the call.
                _log.exception("%s ! %s was not posted", about.call_sid, kind)
        hook = self._hooks.get(kind)
        if hook is None:
            return
        if len(self._waiting) >= self._line.waiting:
            self._dropped += 1
            if self._dropped == 1:
                _log.error(
                    "%s ! its hooks are too slow: %d events wait, and further ones are dropped",
                    about.call_sid,
                    len(self._waiting),
                )
            return
        self._waiting.append((hook, about))
        if self._task is None:
            self._task = task = asyncio.get_running_loop().create_task(self._call_hooks())
            self._line.tasks.add(task)
            task.add_done_callback(self._line.tasks.discard)

    async def _call_hooks(self) -> None:
        try:
            while self._waiting:
                await self._call_hook(*self._waiting.popleft())
        finally:
            self._task = None

    async def _call_hook(self, hook: CallHook, about: AnyCallEvent) -> None:
        name, seconds = NAMES[kind_of(about)], self._line.seconds
        try:
            await wait_within(run_owner_code(self._run, hook, about), seconds)
        except TimeoutError:
            _log.warning("%s ! @agent.%s took longer than %g s", about.call_sid, name, seconds)
        except Exception:
            # The hook is the owner's function and may raise anything; the call goes on.
            _log.exception("%s ! @agent.%s failed", about.call_sid, name)

    async def _run(self, hook: CallHook, about: AnyCallEvent) -> None:
        if inspect.iscoroutinefunction(hook):
            await hook(about)
            return
        result = await self._line.threads.call(functools.partial(hook, about), "hook")
        if inspect.isawaitable(result):
            # A decorated coroutine function may look like a plain function.
            await result


class HookedRecords:
    """Passes records on to `records`, and tells the hooks: satisfies `RecordSink`."""

    def __init__(self, records: RecordSink, hooks: CallHooks) -> None:
        self._records = records
        self._hooks = hooks

    def put(self, record: CallRecord) -> None:
        """Take the record of an ended call. Never waits."""
        self._records.put(record)
        self._hooks.ended(record)
