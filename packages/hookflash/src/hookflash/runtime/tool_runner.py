"""Run the owner's tools for one call: each `RunTool` ends in exactly one `ToolFinished`.

A cancelled tool posts nothing, because its answer is no longer needed. A tool cannot delay the
call: coroutine functions are tasks with a deadline, other functions run in threads.

A thread cannot be stopped, so a late function keeps running and its result is dropped. Threads are
daemons, so they do not keep the process alive. A thread occupies its slot until it ends, so hanging
tools cannot start an unlimited number. While a tool waits for a human, its deadline is paused.

    resource                acquired           released
    a task for each call    run()              its end, cancel(), close()
    a thread                a blocking tool    when the function returns
    a slot for a thread     with the thread    with the thread

The model reads the tool's result (text as it is, anything else as JSON), the text of a `ToolError`,
or a neutral sentence. The traceback of any other exception is logged. The model reads at most
`output_chars` characters, and a note says if the rest was cut.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
import logging
import threading
import traceback
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import msgspec

from hookflash.core.commands import RunTool
from hookflash.core.events import ToolFinished
from hookflash.core.setup import ToolSpec
from hookflash.errors import ToolError
from hookflash.runtime.owner_code import as_exception, run_owner_code
from hookflash.runtime.ports import EventSink
from hookflash.runtime.tool_deadline import tool_deadline
from hookflash.runtime.typed_digits import hiding_secrets
from hookflash.runtime.valid_text import made_valid, valid_text
from hookflash.world import SYSTEM

_log = logging.getLogger("hookflash.call.tools")

NOTHING = "Done."
"""What the model reads if a tool returns None."""

OUTPUT_CHARS = 20_000
"""How many characters of a tool's result the model reads, by default."""

BROKEN = "This did not work because of a technical problem."
_BUSY = "This is not possible right now because too much is going on. Try again in a moment."


class ToolDefinition(Protocol):
    """A tool as the runner uses it.

    `bind` decodes the model's arguments (JSON text) and returns a function without parameters; it
    raises `ToolError` if they are invalid. A `blocking` tool is called in a thread.
    """

    @property
    def name(self) -> str: ...

    @property
    def timeout_seconds(self) -> float: ...

    @property
    def blocking(self) -> bool: ...

    def bind(self, arguments: str, context: Any, /) -> Callable[[], object]: ...


class OfferedTool(ToolDefinition, Protocol):
    """A tool that the agent itself does not have: from an MCP server.

    `filler` has the lines that a waiting caller hears: empty: a tone, None: the agent's own.
    """

    @property
    def spec(self) -> ToolSpec: ...

    @property
    def filler(self) -> tuple[str, ...] | None: ...


class ToolThreads:
    """Threads for blocking tools, at most `limit` at once, shared by all calls.

    `start` starts a thread: `World.start_thread`.
    """

    def __init__(
        self,
        limit: int = 64,
        *,
        start: Callable[[Callable[[], None], str], None] = SYSTEM.start_thread,
    ) -> None:
        self._slots = threading.BoundedSemaphore(limit)
        self._start = start

    async def call(self, function: Callable[[], object], name: str) -> object:
        """Run `function` in a thread and return its result. Raises `ToolError` if no slot is
        free."""
        if not self._slots.acquire(blocking=False):
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
                self._slots.release()
            try:
                loop.call_soon_threadsafe(deliver)
            except RuntimeError:
                # The event loop is closed: the process is ending.
                return

        self._start(run, f"hookflash-tool-{name}")
        return await answer


def _resolve(answer: asyncio.Future[object], value: object) -> None:
    if not answer.done():
        answer.set_result(value)


def _reject(answer: asyncio.Future[object], error: BaseException) -> None:
    if not answer.done():
        answer.set_exception(as_exception(error))


class ToolRunner:
    """Runs the tools of one call. Each tool gets `context`; `post` gets each `ToolFinished`.

    Create and use it in the event loop's thread. `call_sid` is for the log. The model reads at most
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
        """Start a tool and return at once. A `call_id` that is already running is ignored."""
        if command.call_id in self._running:
            return
        task = asyncio.get_running_loop().create_task(self._carry_out(command))
        self._running[command.call_id] = task

    def cancel(self, call_id: str) -> None:
        """Cancel a tool and drop its answer. Ignored if it has already answered."""
        task = self._running.pop(call_id, None)
        if task is not None:
            task.cancel()
            # Hold a reference until the task has ended: it may have to clean up.
            self._leaving.add(task)
            task.add_done_callback(self._leaving.discard)

    async def close(self, seconds: float = 5.0) -> None:
        """Cancel every tool and wait for the clean-up, for at most `seconds`."""
        for call_id in list(self._running):
            self.cancel(call_id)
        if self._leaving:
            _, late = await asyncio.wait(self._leaving, timeout=seconds)
            if late:
                _log.warning("%s ! %d tools do not end when cancelled", self._call_sid, len(late))

    async def _carry_out(self, command: RunTool) -> None:
        task = asyncio.current_task()
        with hiding_secrets() as hide:
            output, failed = await self._answer(command, hide)
            output = hide(output)
        output = _shortened(output, self._output_chars)
        # A tool that ignored its cancellation ends here too; its answer is dropped.
        if self._running.get(command.call_id) is task:
            del self._running[command.call_id]
            self._post(ToolFinished(command.call_id, output, failed))

    async def _answer(self, command: RunTool, hide: Callable[[str], str]) -> tuple[str, bool]:
        """Return the text for the model, and whether the tool failed. Raises only on
        cancellation.

        `hide` takes the digits that the tool has collected as secrets out of what is logged.
        """
        tool = self._tools.get(command.name)
        if tool is None:
            known = ", ".join(self._tools) or "none"
            return f"There is no tool named {command.name}; tools: {known}.", True
        try:
            async with asyncio.timeout(tool.timeout_seconds) as deadline:
                with tool_deadline(deadline):
                    return await run_owner_code(self._call, tool, command.arguments), False
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
            # The tool itself raised TimeoutError: a failure like any other.
            self._report(tool.name, hide)
        except Exception:
            self._report(tool.name, hide)
        return BROKEN, True

    async def _call(self, tool: ToolDefinition, arguments: str) -> str:
        """Call a tool and return its result as text. Everything here may run the owner's code."""
        call = tool.bind(arguments, self._context)
        result = await self._threads.call(call, tool.name) if tool.blocking else call()
        # A decorated coroutine function may be a plain function that returns an awaitable.
        return _text(await result if inspect.isawaitable(result) else result)

    def _report(self, name: str, hide: Callable[[str], str]) -> None:
        raised = traceback.format_exc()
        if hide(raised) == raised:
            _log.exception("%s ! tool %s failed", self._call_sid, name)
        else:
            _log.error("%s ! tool %s failed\n%s", self._call_sid, name, hide(raised).rstrip())


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
    """Return `text` as valid text, cut to `limit` characters with a note."""
    if len(text) <= limit:
        return valid_text(text)
    note = f"[The rest was cut: these are the first {limit:,} of {len(text):,} characters.]"
    return f"{valid_text(text[:limit])}\n{note}"
