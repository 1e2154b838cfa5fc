"""Digits that the caller types: hidden from everything but the tool that collects them.

    the carrier --DigitPressed("4")--> hide() --DigitPressed()--> the core, journal, log, watcher
                                         |
    a tool <--collect()-- the digits <---+     the core says with `GiveDigits` when they are given

Only this object has the digits, and only while a tool collects them. The core counts keys and
decides when the collection ends. So a journal can be replayed without the digits.

A secret that a tool has collected is also taken out of what the tool returns and of what is logged
if the tool fails (`hiding_secrets`).
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from random import Random
from typing import NamedTuple

from hookflash.agents.context import DigitRequest
from hookflash.core.call import Call
from hookflash.core.commands import GiveDigits
from hookflash.core.events import AnyEvent, DigitPressed, DigitsUnwanted, DigitsWanted
from hookflash.errors import ConfigError, ToolError
from hookflash.runtime.ports import EventSink
from hookflash.runtime.tool_deadline import paused_deadline

MAX_DIGITS = 64
MAX_SECONDS = 300.0
MAX_PROMPT = 500
_KEYS = "0123456789ABCD*#"
_MASK = "\u2026"

_NO_DIGITS = {
    "busy": "Another tool is collecting digits from the caller. Try again when it has ended.",
    "cancelled": "The tool has already ended, so no digits can be used.",
    "interrupted": (
        "The digits could not be collected: the call has moved or ended, or the line was"
        " interrupted. Nobody has the digits. If the caller is still there, begin again."
    ),
}
"""The text of the `ToolError`. The model gets it too, unless the tool catches the error."""


class _Waiting(NamedTuple):
    """The tool that waits for digits."""

    collection_id: str
    digits: asyncio.Future[str]


class TypedDigits:
    """What the caller of one call types. Use it in the event loop's thread.

    `post` takes the events. Ids of collections are generated from `entropy`.
    """

    def __init__(self, call: Call, post: EventSink, *, entropy: Random) -> None:
        self._call = call
        self._post = post
        self._entropy = entropy
        self._waiting: _Waiting | None = None
        self._digits = ""

    def hide(self, event: AnyEvent) -> AnyEvent:
        """Return the event as the core, the journal and the log may know it.

        A digit that a tool waits for is remembered for the tool. Call it right before
        `Call.receive`.
        """
        hidden = self._call.without_digits(event)
        if type(event) is DigitPressed and self._waiting is not None:
            finishes = type(hidden) is DigitPressed and hidden.ends
            if self._call.conversation.collection.open and not finishes:
                self._digits += event.digit
        return hidden

    def give(self, command: GiveDigits) -> None:
        """Give the digits to the tool that waits for them. Ignored if none does."""
        waiting = self._waiting
        if waiting is None or waiting.collection_id != command.collection_id:
            return
        digits, self._digits, self._waiting = self._digits, "", None
        if waiting.digits.done():
            return
        if command.ending in _NO_DIGITS:
            waiting.digits.set_exception(ToolError(_NO_DIGITS[command.ending]))
        else:
            waiting.digits.set_result(digits)

    async def collect(self, request: DigitRequest) -> str:
        """Wait for digits. See `CallContext.collect_digits`."""
        check(request)
        if self._waiting is not None:
            raise ToolError(_NO_DIGITS["busy"])
        collection_id = f"D{self._entropy.randbytes(8).hex()}"
        waiting = _Waiting(collection_id, asyncio.get_running_loop().create_future())
        with paused_deadline():
            self._waiting, self._digits = waiting, ""
            try:
                self._post(
                    DigitsWanted(
                        collection_id,
                        request.count,
                        request.secret,
                        request.finish_on_key,
                        float(request.seconds),
                        request.prompt or "",
                    )
                )
                digits = await waiting.digits
            finally:
                if self._waiting is waiting:
                    # The tool was cancelled.
                    self._waiting, self._digits = None, ""
                    self._post(DigitsUnwanted(collection_id))
        if request.secret:
            _remember(digits)
        return digits

    def close(self) -> None:
        """End a collection, because the call is released and no digits will come."""
        if self._waiting is not None:
            self.give(GiveDigits(self._waiting.collection_id, 0, "interrupted"))


def check(request: DigitRequest) -> None:
    """Check what a tool asks for. Raises `ConfigError`."""
    where = "context.collect_digits"
    count, seconds = request.count, request.seconds
    if type(count) is not int or not 1 <= count <= MAX_DIGITS:
        raise ConfigError(
            f"{where}: count must be a whole number from 1 to {MAX_DIGITS}, got {count!r}"
        )
    if type(request.secret) is not bool:
        raise ConfigError(f"{where}: secret must be True or False, got {request.secret!r}")
    key = request.finish_on_key
    if not isinstance(key, str) or (key and (len(key) > 1 or key not in _KEYS)):
        raise ConfigError(
            f"{where}: finish_on_key must be one key of 0-9, A-D, * and #, or '' for none, got"
            f" {key!r}"
        )
    if type(seconds) not in (int, float) or not 1 <= seconds <= MAX_SECONDS:
        raise ConfigError(f"{where}: seconds must be 1 to {MAX_SECONDS:g}, got {seconds!r}")
    prompt = request.prompt
    if prompt is not None and (
        not isinstance(prompt, str) or not prompt.strip() or len(prompt) > MAX_PROMPT
    ):
        raise ConfigError(
            f"{where}: prompt must be a text of at most {MAX_PROMPT} characters, or None, got"
            f" {_shown(prompt)}"
        )


def _shown(value: object) -> str:
    return f"{len(value)} characters" if isinstance(value, str) else repr(value)


# --- secrets of a running tool --------------------------------------------------------------------

_secrets: ContextVar[list[str] | None] = ContextVar("hookflash_tool_secrets", default=None)
_SHORTEST_HIDDEN = 3
"""A card's security code. Shorter secrets are not hidden: they occur too often in other text."""

_ANYWHERE = 4
"""From this length on, a secret is also hidden within other digits, and if it is grouped."""

_BETWEEN = r"[\s.,:/_\u2010-\u2015-]{0,2}"
"""What may stand between the digits of a secret: tools show a card number in groups of four."""


@contextlib.contextmanager
def hiding_secrets() -> Iterator[Callable[[str], str]]:
    """Run a tool in this block. Yield a function that removes the tool's secrets from a text.

    They are the secrets that the tool has collected. They are forgotten at the end of the block.
    """
    secrets: list[str] = []
    token = _secrets.set(secrets)

    def hide(text: str) -> str:
        for secret in sorted(secrets, key=len, reverse=True):
            text = re.sub(_pattern(secret), _MASK, text)
        return text

    try:
        yield hide
    finally:
        _secrets.reset(token)


def _pattern(secret: str) -> str:
    if len(secret) < _ANYWHERE:
        return rf"(?<!\d){re.escape(secret)}(?!\d)"
    return _BETWEEN.join(map(re.escape, secret))


def _remember(digits: str) -> None:
    secrets = _secrets.get()
    if secrets is not None and len(digits) >= _SHORTEST_HIDDEN:
        secrets.append(digits)
