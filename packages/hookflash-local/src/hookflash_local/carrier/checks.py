"""What a value may be: the kinds that TwiML attributes and REST parameters share. No I/O."""

from __future__ import annotations

import re
from collections.abc import Callable

Check = Callable[[str], bool]
"""Whether a value is allowed."""


def matches(pattern: str) -> Check:
    compiled = re.compile(pattern)
    return lambda value: compiled.fullmatch(value) is not None


def number(low: int, high: int) -> Check:
    return lambda value: value.isdecimal() and low <= int(value) <= high


def words(*allowed: str) -> Check:
    """One or more of `allowed`, separated by spaces."""
    return lambda value: bool(value.split()) and set(value.split()) <= set(allowed)


def one_of(*allowed: str) -> Check:
    return lambda value: value in allowed


def at_most(letters: int) -> Check:
    return lambda value: len(value) <= letters


def any_text(value: str) -> bool:
    return True


def url(value: str) -> bool:
    return bool(value) and not re.search(r"\s", value)


def absolute_url(value: str) -> bool:
    """An absolute http(s) URL, whose host has no underscore."""
    found = re.fullmatch(r"https?://([^\s/?#]+)\S*", value)
    return found is not None and "_" not in found[1]


BOOL = one_of("true", "false")
METHOD = one_of("GET", "POST")
CALL_EVENTS = words("initiated", "ringing", "answered", "completed")
RECORDING_EVENTS = words("in-progress", "completed", "absent")
LABEL = matches(r"(?!CA[0-9a-f]{32}$)[^/]{1,128}")
BUFFER = one_of("small", "medium", "large", "off")
REGION = one_of("us1", "ie1", "de1", "sg1", "br1", "au1", "jp1")
TRIM = one_of("trim-silence", "do-not-trim")
BEEP = one_of("true", "false", "onEnter", "onExit")
CALL_SID = matches("CA[0-9a-f]{32}")
