"""Compares what REST answers with Twilio's OpenAPI description, by the table derived from it."""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime
from typing import Any

from hookflash_local.carrier.rest.fields import load_table

TABLE = load_table()
TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "object": dict,
    "array": list,
}
MORE_SOURCES = ("StartCallRecordingTwiML",)
"""The source of `<Start><Recording>`: on Twilio's page of the verb, not in the description."""


def operation_of(method: str, path: str) -> str | None:
    """Return the operation of a request; `path` is below the account. None: not described."""
    for name in TABLE["operations"]:
        wanted, _, template = name.partition(" ")
        pattern = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(template))
        if wanted == method and re.fullmatch(pattern, path):
            return str(name)
    return None


def body_problems(operation: str, body: dict[str, Any]) -> list[str]:
    """Say where a body differs from the description: names, types, enumerations, formats."""
    return _problems(TABLE["operations"][operation]["body"], body)


def _problems(name: str, body: dict[str, Any]) -> list[str]:
    described = TABLE["bodies"][name]
    found = [f"{name}: {each} is missing" for each in sorted(set(described) - set(body))]
    found += [f"{name}: {each} is not described" for each in sorted(set(body) - set(described))]
    for each in sorted(set(described) & set(body)):
        value, rule = body[each], described[each]
        if isinstance(rule.get("items"), str):
            for item in value:
                found += _problems(rule["items"], item)
        elif problem := _problem(each, value, rule):
            found.append(f"{name}: {each} {problem}")
    return found


def _problem(name: str, value: Any, rule: dict[str, Any]) -> str:
    if value is None:
        return ""  # the description marks nearly everything as nullable, by no rule of its pages
    kind = rule.get("type")
    if kind is not None and (
        not isinstance(value, TYPES[kind]) or (isinstance(value, bool) and kind != "boolean")
    ):
        return f"is not of type {kind}: {value!r}"
    if "enum" in rule and value not in (*rule["enum"], *MORE_SOURCES):
        return f"is none of {rule['enum']}: {value!r}"
    if "pattern" in rule and not re.search(rule["pattern"], value):
        return f"does not match {rule['pattern']}: {value!r}"
    if rule.get("format") == "date-time-rfc-2822":
        try:
            parsedate_to_datetime(value)
        except ValueError:
            return f"is no RFC 2822 date: {value!r}"
    # Twilio's pages show paths in `uri` and the like, whole addresses in `media_url`.
    front = r"https?://" if name.endswith("_url") else "/2010-04-01/"
    if rule.get("format") == "uri" and not re.match(front, value):
        return f"does not begin with {front}: {value!r}"
    return ""
