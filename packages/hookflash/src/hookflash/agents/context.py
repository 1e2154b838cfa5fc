"""What a tool may know and do about the call it runs in.

The context knows no driver: it is built over a `post` that takes events and small callables
that answer questions. A tool that is a plain function runs in a thread, where the core must not
be used. So its requests are carried out in the event loop's thread.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Literal, TypeVar

import msgspec

from hookflash.core.events import HandoffRequested, HangUpRequested, RecordingRefused
from hookflash.core.record import Utterance
from hookflash.errors import ConfigError, ToolError
from hookflash.runtime.ports import EventSink

_T = TypeVar("_T")

Via = Literal["hook", "console"]
AskHuman = Callable[[str, Via | None, float], Coroutine[Any, Any, str]]
"""(question, via, seconds) -> the answer, or a sentence that says that there is none."""

ASK_SECONDS = 60.0
DIGIT_SECONDS = 20.0


class DigitRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a tool asks for with `CallContext.collect_digits`."""

    count: int
    secret: bool = False
    finish_on_key: str = "#"
    seconds: float = DIGIT_SECONDS
    prompt: str | None = None


Press = Callable[[str], Coroutine[Any, Any, None]]
"""The keys to press."""

CollectDigits = Callable[[DigitRequest], Coroutine[Any, Any, str]]
"""What is asked for -> the digits, which may be fewer."""


def _nowhere(event: object) -> None:
    """Take an event that nobody waits for: a context made by hand, in a test of a tool."""


def _nothing_heard() -> Sequence[Utterance]:
    return ()


async def _nobody_there(question: str, via: Via | None, seconds: float) -> str:
    """Answer a question for a context made by hand: there is nobody to ask."""
    return nobody_answered(seconds)


async def _nothing_typed(request: DigitRequest) -> str:
    """Collect digits for a context made by hand: nobody types."""
    return ""


async def _nothing_pressed(digits: str) -> None:
    """Press keys for a context made by hand: there is no telephone."""


def nobody_answered(seconds: float) -> str:
    """Return what a tool gets when nobody has answered its question."""
    return f"Nobody answered within {seconds:g} seconds."


class _LoopThread:
    """The thread that the context was made in, if an event loop runs there."""

    def __init__(self) -> None:
        self._thread = threading.get_ident()
        try:
            self._loop: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
        except RuntimeError:
            self._loop = None

    def call(self, function: Callable[[], _T]) -> _T:
        """Run `function` in that thread and return what it returns."""
        if self._loop is None or threading.get_ident() == self._thread:
            return function()
        answer: concurrent.futures.Future[_T] = concurrent.futures.Future()

        def run() -> None:
            try:
                answer.set_result(function())
            except BaseException as error:
                # It belongs to the thread that waits: raised here, it would end the event loop.
                answer.set_exception(error)

        self._loop.call_soon_threadsafe(run)
        return answer.result()

    def wait(self, method: str, coroutine: Coroutine[Any, Any, _T]) -> _T:
        """Run `coroutine`, which `method` returned, in that thread's event loop and wait for its
        end."""
        if self._loop is None:
            return asyncio.run(coroutine)
        if threading.get_ident() == self._thread:
            coroutine.close()
            raise ConfigError(
                f"context.{method}_blocking would hold up every call; in an async tool write"
                f" `await context.{method}(...)`"
            )
        try:
            return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()
        except concurrent.futures.CancelledError as error:
            raise ToolError("The tool has already ended, so no answer can be used.") from error


class CallContext:
    """The call that a tool runs in. Declare a parameter of this type to get it.

    - `call_sid`, `caller`, `called`: as the carrier gave them.
    - `direction`: `"inbound"`, or `"outbound"` if the line has placed the call to `called`.
    - `agent`: the agent's name.
    - `state`: a dict for your own data, shared by all tools, as long as the call lasts.

    `ask_human` and `collect_digits` wait for somebody, as do their `_blocking` forms. The other
    methods return at once, and plain and async tools may call them alike.

    To test a tool, make a context yourself: `CallContext(call_sid="CA1", caller="+15550100")`. It
    does nothing unless you give it functions: `post` gets the events, `transcript` returns the
    utterances, and `destinations` are the known keys. `ask` answers questions, `collect` returns
    digits, and `presses` presses keys.
    """

    def __init__(
        self,
        *,
        call_sid: str,
        caller: str = "",
        called: str = "",
        direction: Literal["inbound", "outbound"] = "inbound",
        agent: str = "agent",
        post: EventSink = _nowhere,
        transcript: Callable[[], Sequence[Utterance]] = _nothing_heard,
        destinations: Sequence[str] | None = None,
        ask: AskHuman = _nobody_there,
        collect: CollectDigits = _nothing_typed,
        presses: Press = _nothing_pressed,
    ) -> None:
        self.call_sid = call_sid
        self.caller = caller
        self.called = called
        self.direction = direction
        self.agent = agent
        self.state: dict[str, Any] = {}
        self._post = post
        self._transcript = transcript
        self._destinations = destinations
        self._ask = ask
        self._collect = collect
        self.presses = presses
        self._loop_thread = _LoopThread()

    def __repr__(self) -> str:
        return f"CallContext(call_sid={self.call_sid!r}, agent={self.agent!r})"

    @property
    def transcript(self) -> tuple[Utterance, ...]:
        """Who said what so far, as heard: in order, times in seconds since the call arrived."""
        return self._loop_thread.call(lambda: tuple(self._transcript()))

    def handoff(self, destination: str, reason: str, summary: str = "") -> None:
        """Bring a human onto the call, as if the model had asked for it.

        `destination` is the key of one of the agent's hand-offs; `reason` and `summary` are for
        the human. A second request while a hand-off runs changes nothing. Raises `ConfigError` if
        the agent has no such destination.
        """
        if self._destinations is not None and destination not in self._destinations:
            known = ", ".join(self._destinations) or "none"
            raise ConfigError(
                f"context.handoff: the agent has no destination {destination!r};"
                f" its destinations: {known}"
            )
        event = HandoffRequested(destination, reason, summary, source="tool")
        self._loop_thread.call(lambda: self._post(event))

    def hang_up(self, reason: str = "") -> None:
        """End the call once the caller has heard what the agent is saying."""
        self._loop_thread.call(lambda: self._post(HangUpRequested(reason)))

    def stop_recording(self) -> None:
        """Stop recording this call, and delete what was recorded, because the caller objects."""
        self._loop_thread.call(lambda: self._post(RecordingRefused()))

    async def ask_human(
        self, question: str, *, via: Via | None = None, seconds: float = ASK_SECONDS
    ) -> str:
        """Ask a human something while the caller stays with the agent; return the answer.

        `via` is `"hook"` (the function given by `@agent.answers`) or `"console"`; None takes the
        hook, if there is one. If nobody answers within `seconds`, a sentence that says so
        is returned. The tool's `timeout_seconds` does not run while it waits. Raises `ConfigError`
        if the question cannot be asked, for example with `via="hook"` and no hook.
        """
        return await self._ask(question, via, seconds)

    def ask_human_blocking(
        self, question: str, *, via: Via | None = None, seconds: float = ASK_SECONDS
    ) -> str:
        """Ask a human as `ask_human` does, from a tool that is a plain function.

        Raises `ConfigError` in an async tool, where it would block every call.
        """
        return self._loop_thread.wait("ask_human", self._ask(question, via, seconds))

    async def press(self, digits: str) -> None:
        """Press telephone keys during the call, such as an extension: `await call.press("1w2")`.

        The other side hears the tones. `digits` is 1 to 32 of `0-9`, `*`, `#` and `w`, which waits
        half a second. The agent finishes its sentence first. Then the call leaves the agent for the
        time of the tones, and comes back to it; nothing that is said meanwhile is heard by the
        agent. It returns when the agent has the call again.

        The tool's `timeout_seconds` does not run while it waits. The digits are in the journal.
        Raises `ToolError` if the keys were not pressed because the call goes elsewhere or ends, and
        `ConfigError` for digits that are no keys.
        """
        await self.presses(digits)

    def press_blocking(self, digits: str) -> None:
        """Press keys as `press` does, from a tool that is a plain function.

        Raises `ConfigError` in an async tool, where it would block every call.
        """
        self._loop_thread.wait("press", self.press(digits))

    async def collect_digits(
        self,
        count: int,
        *,
        secret: bool = False,
        finish_on_key: str = "#",
        seconds: float = DIGIT_SECONDS,
        prompt: str | None = None,
    ) -> str:
        """Let the caller type digits on their keypad; return them.

        They are complete with `count` digits, 1 to 64. The key `finish_on_key` ends them sooner and
        is not returned; "" is no such key. They also end when the caller presses no key for
        `seconds`, 1 to 300. So the text may be shorter, or empty. The agent says `prompt` first,
        word for word. Without it, the agent asks in its own words unless it is speaking already. A
        caller who types nothing is asked again once.

        The digits go to this tool only, not to the model, the transcript, the journal or the log.
        With `secret`, nobody hears the caller meanwhile: the model gets no sound, and the recording
        and listeners get silence. What the tool returns goes to the model, so do not return them.

        The tool's `timeout_seconds` does not run while it waits. Raises `ToolError` if the call
        moves or ends, the line is interrupted, or another tool is collecting digits. Raises
        `ConfigError` if a value is invalid.
        """
        return await self._collect(
            DigitRequest(
                count=count,
                secret=secret,
                finish_on_key=finish_on_key,
                seconds=seconds,
                prompt=prompt,
            )
        )

    def collect_digits_blocking(
        self,
        count: int,
        *,
        secret: bool = False,
        finish_on_key: str = "#",
        seconds: float = DIGIT_SECONDS,
        prompt: str | None = None,
    ) -> str:
        """Collect digits as `collect_digits` does, from a tool that is a plain function.

        Raises `ConfigError` in an async tool, where it would block every call.
        """
        return self._loop_thread.wait(
            "collect_digits",
            self.collect_digits(
                count,
                secret=secret,
                finish_on_key=finish_on_key,
                seconds=seconds,
                prompt=prompt,
            ),
        )
