"""How the text of a setting becomes its value.

Each reader takes a text that is not empty and raises `ValueError` saying what was expected.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from hookflash.core.handoff_plan import E164

Read = Callable[[str], Any]

OFF = "off"
"""The value of a setting that turns something off."""


def read_text(text: str) -> str:
    return text


def integer_reader(low: int, high: int) -> Read:
    def read(text: str) -> int:
        if not re.fullmatch(r"-?\d{1,12}", text) or not low <= int(text) <= high:
            raise ValueError(f"a whole number from {low} to {high}")
        return int(text)

    return read


def number_reader(low: float, high: float) -> Read:
    def read(text: str) -> float:
        expected = f"a number from {low:g} to {high:g}"
        try:
            value = float(text)
        except ValueError:
            raise ValueError(expected) from None
        if not low <= value <= high:
            raise ValueError(expected)
        return value

    return read


def read_delivery_days(text: str) -> float:
    """A journal is searched for a day for what was left behind: what is kept for a shorter time
    than that would come again."""
    value = float(number_reader(0, 36_500)(text))
    if 0 < value < 2:
        raise ValueError("0, or a number from 2 to 36500")
    return value


def read_number(text: str) -> str:
    if not E164.fullmatch(text):
        raise ValueError("a telephone number in E.164 form such as +15550100")
    return text


def choice_reader(*allowed: str) -> Read:
    def read(text: str) -> str:
        if text.lower() not in allowed:
            raise ValueError("one of " + ", ".join(allowed))
        return text.lower()

    return read


def read_switch(text: str) -> bool:
    if text.lower() in ("1", "true", "yes", "on"):
        return True
    if text.lower() in ("0", "false", "no", "off"):
        return False
    raise ValueError("true or false")


def read_names(text: str) -> tuple[str, ...]:
    return tuple(name for name in (part.strip() for part in text.split(",")) if name)


def read_prices(text: str) -> tuple[float, float, float, str]:
    """Read what a minute of the line, of listening and of speaking costs, and the currency."""
    found = re.fullmatch(r"((?:\d{1,6}(?:\.\d{1,9})?,){3})([A-Z]{3})", text.replace(" ", ""))
    if found is None:
        raise ValueError("three prices a minute and a currency, such as 0.0125,0.02,0.08,USD")
    line, listened, spoken = map(float, found[1].rstrip(",").split(","))
    return line, listened, spoken, found[2]


def read_token_prices(text: str) -> tuple[float, ...]:
    """Read what a million tokens cost, in the order of `core.tokens.COUNTS`."""
    prices = text.replace(" ", "").split(",")
    if len(prices) != 6 or not all(re.fullmatch(r"\d{1,6}(\.\d{1,9})?", each) for each in prices):
        raise ValueError("six prices of a million tokens, such as 4,0.4,32,0.4,16,64")
    return tuple(map(float, prices))


def read_account_sid(text: str) -> str:
    if not re.fullmatch(r"AC[0-9a-fA-F]{32}", text):
        raise ValueError("an account SID: AC and 32 hex digits, from the Twilio console")
    return text


def url_reader(secure: str, plain: str) -> Read:
    """Read a URL that may be unencrypted only where it does not leave this machine."""
    expected = f"a {secure}:// URL (or {plain}:// on this machine), without user or query"

    def read(text: str) -> str:
        if not _is_safe(text, secure, plain) or urlsplit(text).query:
            raise ValueError(expected)
        return text.rstrip("/")

    return read


def read_webhook_url(text: str) -> str:
    """Read the address of somebody else's, which is kept to the letter and may have a query."""
    if not _is_safe(text, "https", "http"):
        raise ValueError("a https:// URL (or http:// on this machine), without user")
    return text


def read_speech_url(text: str) -> str:
    """Read the address of a speech API, or that there is none."""
    if text.lower() == OFF:
        return OFF
    if not _is_safe(text, "https", "http"):
        raise ValueError(
            "a https:// URL (or http:// on this machine) such as"
            " https://api.openai.com/v1/audio/speech, or off"
        )
    return text


def _is_safe(text: str, secure: str, plain: str) -> bool:
    try:
        parts = urlsplit(text)
        whole = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    safe = parts.scheme == secure or (parts.scheme == plain and is_loopback(text))
    return whole and safe and not parts.username and not parts.fragment


def read_database_url(text: str) -> str:
    if not re.match(r"(sqlite|postgres|postgresql)(\+\w+)?://", text):
        raise ValueError("sqlite:///path/to/file.db or postgresql://user:password@host/database")
    return text


def is_loopback(url: str | None) -> bool:
    """Say whether `url` stays on this machine (localhost, 127.0.0.0/8, ::1)."""
    try:
        host = urlsplit(url or "").hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
