"""The lines of the log: their two formats, what they never show, and a limit for repeated ones.

    text   2026-11-30 19:42:52,118 WARNING hookflash.call CA... ! the media stream has stalled
    json   {"time": "2026-11-30T19:42:52.118Z", "level": "WARNING", "logger": "hookflash.call",
            "message": "CA... ! the media stream has stalled", "call_sid": "CA..."}

A line shows no whole telephone number and no secret, even if an exception's text contains one.
Control characters and other invisible ones are escaped. In the text format, a message stays on its
line; only a traceback takes several.
"""

from __future__ import annotations

import contextlib
import logging
import logging.handlers
import re
import sys
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from datetime import UTC, datetime
from typing import Literal

import msgspec

from hookflash.world import SYSTEM

LogFormat = Literal["text", "json"]

_NOISY = ("alembic", "asyncio", "httpx", "httpcore", "aiosqlite", "uvicorn")
"""Loggers of libraries, of which only warnings and errors are shown."""

_REPEATING = ("asyncio", "uvicorn.error")
"""Loggers of libraries that log a line for each request of a stranger."""

_CALL_SID = re.compile(r"\bCA[0-9a-fA-F]{32}\b")
_NUMBER = re.compile(r"(?<![\w.])\+[0-9]{5,13}([0-9]{2})(?![0-9])")
_SECRET = re.compile(r"\bsk-[\w*-]{4,}|\b((?:Bearer|Basic) )[\w.~+/=-]{8,}", re.ASCII)


def without_secrets(text: str) -> str:
    """Return `text` with API keys hidden, and of telephone numbers all but the last two digits."""
    if "+" in text:
        text = _NUMBER.sub(r"…\1", text)
    return _SECRET.sub(lambda found: f"{found[1] or ''}(hidden)", text)


def on_one_line(text: str) -> str:
    """Return `text` with control characters and other invisible ones escaped."""
    return _escaped(text, keep="")


def _escaped(text: str, *, keep: str = "\n\t") -> str:
    """Return `text` with its invisible characters escaped, except those in `keep`."""
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() or each in keep else each.encode("unicode_escape").decode()
        for each in text
    )


# --- formats ------------------------------------------------------------------------------------


class TextFormatter(logging.Formatter):
    """One line per record: local time, level, logger, message; then the traceback, if any."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        record.message = on_one_line(record.message)
        return super().formatMessage(record)

    def format(self, record: logging.LogRecord) -> str:
        # A traceback has the text of an exception, which may come from a stranger.
        return _escaped(without_secrets(super().format(record)))


class JsonFormatter(logging.Formatter):
    """One JSON object per line. `call_sid` and `exception` are left out if there is none.

    `time` is UTC (ISO 8601), `level` is Python's name of it. The call's SID is the record's own
    (`extra={"call_sid": ...}`), else the first in the message.
    """

    def format(self, record: logging.LogRecord) -> str:
        message = record.getMessage()
        line = {
            "time": _iso(record.created),
            "level": record.levelname,
            "logger": record.name,
            "message": without_secrets(message),
        }
        if call_sid := _call_sid(record, message):
            line["call_sid"] = call_sid
        if exception := self._exception(record):
            line["exception"] = without_secrets(exception)
        return msgspec.json.encode(_valid(line)).decode()

    def _exception(self, record: logging.LogRecord) -> str:
        parts = []
        if record.exc_info:
            parts.append(record.exc_text or self.formatException(record.exc_info))
        if record.stack_info:
            parts.append(self.formatStack(record.stack_info))
        return "\n".join(parts)


def _iso(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _call_sid(record: logging.LogRecord, message: str) -> str:
    own = getattr(record, "call_sid", None)
    if own:
        return str(own)
    found = _CALL_SID.search(message)
    return found[0] if found is not None else ""


def _valid(line: dict[str, str]) -> dict[str, str]:
    """Return `line` as valid UTF-8 and visible: a text from outside may have lone surrogates, or
    characters such as U+202E, which JSON does not escape."""
    return {name: _escaped(text.encode("utf-8", "replace").decode()) for name, text in line.items()}


# --- setting up ---------------------------------------------------------------------------------


@contextlib.contextmanager
def log_to_stderr(*, verbose: bool = False) -> Iterator[Callable[[LogFormat], None]]:
    """Log to standard error while the block runs. It calls the given function with the format.

    Lines that are logged before are held and written then. If the block ends without that call,
    they are written as text.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(TextFormatter())
    held = logging.handlers.MemoryHandler(10_000, logging.CRITICAL + 1, handler)
    repeated = _RepeatFilter(LineLimit())
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.DEBUG if verbose else logging.INFO)
    root.addHandler(held)
    for noisy in _NOISY:
        logging.getLogger(noisy).setLevel(logging.WARNING)
    for repeating in _REPEATING:
        logging.getLogger(repeating).addFilter(repeated)

    def choose(log_format: LogFormat) -> None:
        if log_format == "json":
            handler.setFormatter(JsonFormatter())
            logging.captureWarnings(True)
        root.addHandler(handler)
        root.removeHandler(held)
        held.close()

    try:
        yield choose
    finally:
        logging.captureWarnings(False)
        for repeating in _REPEATING:
            logging.getLogger(repeating).removeFilter(repeated)
        root.removeHandler(held)
        root.removeHandler(handler)
        held.close()
        root.setLevel(level)


@contextlib.contextmanager
def only_errors() -> Iterator[None]:
    """Log nothing of Hookflash below an error while the block runs."""
    logger = logging.getLogger("hookflash")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


# --- repeated lines -----------------------------------------------------------------------------


class LineLimit:
    """Limits lines that somebody else can cause: at most `most` of one kind in `seconds`.

    The kinds of the newest `kinds` are remembered, so memory is bounded. `now` is a clock in
    seconds. Use it like this:

        if (ending := limit.ending("403")) is not None:
            log.warning("! 403, ...%s", ending)
    """

    def __init__(
        self,
        *,
        most: int = 10,
        seconds: float = 60.0,
        kinds: int = 1000,
        now: Callable[[], float] = SYSTEM.monotonic,
    ) -> None:
        self._most = most
        self._seconds = seconds
        self._kinds = kinds
        self._now = now
        self._counted: OrderedDict[Hashable, tuple[float, int]] = OrderedDict()

    def ending(self, kind: Hashable) -> str | None:
        """Count a line. Return what to add to it, or None if it is left out.

        The last line says that more are left out. The first one afterwards says how many were.
        """
        now = self._now()
        since, count = self._counted.pop(kind, (now, 0))
        left_out = 0
        if now - since >= self._seconds:
            left_out = max(0, count - self._most)
            since, count = now, 0
        self._counted[kind] = since, count + 1
        if len(self._counted) > self._kinds:
            self._counted.popitem(last=False)
        if count >= self._most:
            return None
        if count == self._most - 1:
            return f" (more such lines are left out for {self._seconds:g} s)"
        return f" ({left_out} such lines were left out before)" if left_out else ""


class _RepeatFilter(logging.Filter):
    """Leaves out lines of a library that repeat too often."""

    def __init__(self, limit: LineLimit) -> None:
        super().__init__()
        self._limit = limit

    def filter(self, record: logging.LogRecord) -> bool:
        ending = self._limit.ending((record.name, str(record.msg)[:200]))
        if ending:
            record.msg, record.args = f"{record.getMessage()}{ending}", None
        return ending is not None
