"""Runs the owner's tools for one call: every `RunTool` ends in exactly one `ToolFinished`.

A cancelled tool ends in none, because nobody waits for its answer any more. Nothing that a tool
does can delay a call: coroutine functions are tasks with a deadline, other functions run in
threads. A thread cannot be stopped, so one that is late goes on, unheard; it is a daemon, so
that it never keeps the process alive, and it keeps its place until it ends, so that hanging
tools cannot use up the machine. While a tool waits for a human its time stands still.

    resource                acquired           released
    a task for each call    run()              its end, cancel(), close()
    a thread                a blocking tool    when the function returns
    a place for a thread    with the thread    with the thread

What the model reads is the tool's result (a text as it is, anything else as JSON), the text of a
`ToolError`, or a neutral sentence; the traceback of anything else goes to the log. It reads at most
`output_chars` characters of it, and is told what was cut.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import msgspec

from hookflash.core.commands import RunTool
from hookflash.core.events import ToolFinished
from hookflash.errors import ToolError
from hookflash.runtime.fence import failure, fenced
from hookflash.runtime.ports import EventSink
from hookflash.runtime.tool_time import timed_by
from hookflash.runtime.valid_text import made_valid, valid_text
from hookflash.world import SYSTEM

_log = logging.getLogger("hookflash.call.tools")

NOTHING = "Done."
"""What the model reads of a tool that returns None."""

OUTPUT_CHARS = 20_000
"""How many characters of a tool's result the model reads, unless the owner says otherwise."""

BROKEN = "This did not work because of a technical problem."
_BUSY = "This is not possible right now because too much is going on. Try again in a moment."


class ToolDefinition(Protocol):
    """A tool, as far as running it goes.

    `bind` decodes the model's arguments (JSON text) and returns the call ready to be made; it
    raises `ToolError` when they are wrong. A `blocking` tool is called in a thread.
    """

    @property
    def name(self) -> str: ...

    @property
    def timeout_seconds(self) -> float: ...

    @property
    def blocking(self) -> bool: ...

    def bind(self, arguments: str, context: Any, /) -> Callable[[], object]: ...


class ToolThreads:
    """Threads for blocking tools, at most `limit` at a time, shared by all calls.

    `start` starts a thread: a `World`'s `start_thread`.
    """

    def __init__(
        self,
        limit: int = 64,
        *,
        start: Callable[[Callable[[], None], str], None] = SYSTEM.start_thread,
    ) -> None:
        self._places = threading.BoundedSemaphore(limit)
        self._start = start

    async def call(self, function: Callable[[], object], name: str) -> object:
        """Run `function` in a thread and return what it returns; `ToolError` when all are busy."""
        if not self._places.acquire(blocking=False):
            _log.error("! no thread is free for tool %s: too many tools hang", name)
            raise ToolError(_BUSY)
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[object] = loop.create_future()
        context = contextvars.copy_context()

        def run() -> None:
            try:
                deliver = functools.partial(_resolve, answer, context.run(function))
            except BaseException as error:
                deliver = functools.partial(_reject, answer, error)
            finally:
                self._places.release()
            try:
                loop.call_soon_threadsafe(deliver)
            except RuntimeError:
                # The loop is closed: the process ends, and nobody waits any more.
                return

        self._start(run, f"hookflash-tool-{name}")
        return await answer


def _resolve(answer: asyncio.Future[object], value: object) -> None:
    if not answer.done():
        answer.set_result(value)


def _reject(answer: asyncio.Future[object], error: BaseException) -> None:
    if not answer.done():
        answer.set_exception(failure(error))


class ToolRunner:
    """Runs the tools of one call. `context` is handed to each; `post` gets each `ToolFinished`.

    Made and used in the event loop's thread. `call_sid` is for the log. The model reads at most
    `output_chars` characters of a result.
    """

    def __init__(
        self,
        tools: Mapping[str, ToolDefinition],
        context: object,
        post: EventSink,
        *,
        call_sid: str = "",
        threads: ToolThreads,
        output_chars: int = OUTPUT_CHARS,
    ) -> None:
        self._tools = tools
        self._context = context
        self._post = post
        self._call_sid = call_sid
        self._threads = threads
        self._output_chars = output_chars
        self._running: dict[str, asyncio.Task[None]] = {}
        self._leaving: set[asyncio.Task[None]] = set()

    def run(self, command: RunTool) -> None:
        """Start a tool. Returns at once; a `call_id` that already runs is not started again."""
        if command.call_id in self._running:
            return
        task = asyncio.get_running_loop().create_task(self._carry_out(command))
        self._running[command.call_id] = task

    def cancel(self, call_id: str) -> None:
        """Stop a tool and forget its answer. Nothing happens if it has already answered."""
        task = self._running.pop(call_id, None)
        if task is not None:
            task.cancel()
            # Kept until it has really ended: it may have to clean up first.
            self._leaving.add(task)
            task.add_done_callback(self._leaving.discard)

    async def close(self, seconds: float = 5.0) -> None:
        """Cancel every tool and wait until they have cleaned up, for at most `seconds`."""
        for call_id in list(self._running):
            self.cancel(call_id)
        if self._leaving:
            _, late = await asyncio.wait(self._leaving, timeout=seconds)
            if late:
                _log.warning("%s ! %d tools do not end when cancelled", self._call_sid, len(late))

    async def _carry_out(self, command: RunTool) -> None:
        task = asyncio.current_task()
        output, failed = await self._answer(command)
        output = _shortened(output, self._output_chars)
        # A tool that swallowed its cancellation ends here too; its answer is not wanted.
        if self._running.get(command.call_id) is task:
            del self._running[command.call_id]
            self._post(ToolFinished(command.call_id, output, failed))

    async def _answer(self, command: RunTool) -> tuple[str, bool]:
        """Return what the model is to read, and whether the tool failed. Raises only its
        cancellation."""
        tool = self._tools.get(command.name)
        if tool is None:
            known = ", ".join(self._tools) or "none"
            return f"There is no tool named {command.name}; tools: {known}.", True
        try:
            async with asyncio.timeout(tool.timeout_seconds) as deadline:
                with timed_by(deadline):
                    return await fenced(self._call, tool, command.arguments), False
        except ToolError as error:
            return str(error) or BROKEN, True
        except TimeoutError:
            if deadline.expired():
                _log.warning(
                    "%s ! tool %s did not answer within %g s",
                    self._call_sid,
                    tool.name,
                    tool.timeout_seconds,
                )
                return f"{tool.name} did not answer within {tool.timeout_seconds:g} seconds.", True
            # Its own TimeoutError is a failure like any other.
            self._report(tool.name)
        except Exception:
            self._report(tool.name)
        return BROKEN, True

    async def _call(self, tool: ToolDefinition, arguments: str) -> str:
        """Call a tool, and return what it returns as text. All of it may run the owner's code."""
        call = tool.bind(arguments, self._context)
        result = await self._threads.call(call, tool.name) if tool.blocking else call()
        # A plain function may return an awaitable: a decorator around a coroutine function does.
        return _text(await result if inspect.isawaitable(result) else result)

    def _report(self, name: str) -> None:
        _log.exception("%s ! tool %s failed", self._call_sid, name)


def _text(result: object) -> str:
    if isinstance(result, str):
        return result
    if result is None:
        return NOTHING
    try:
        return msgspec.json.encode(result).decode()
    except UnicodeEncodeError:
        plain = msgspec.to_builtins(result, str_keys=True)
        return msgspec.json.encode(made_valid(plain)).decode()


def _shortened(text: str, limit: int) -> str:
    """Return `text` as valid text, and only its beginning when it is longer than `limit`."""
    if len(text) <= limit:
        return valid_text(text)
    note = f"[The rest was cut: these are the first {limit:,} of {len(text):,} characters.]"
    return f"{valid_text(text[:limit])}\n{note}"
