"""Scripts for the scripted model: the steps, and how an event is matched. No I/O.

A script is a list of steps. A step is an object with one key, or only its name:

    expect            "response.create", or {"type": ..., "where": {...}, "within_seconds": 10}
    expect_audio_ms   1000                        wait for this much audio of the caller
    wait_ms           500                         in the call's time
    say               {"item": "a", "ms": 3000, "byte": 1, "rate": 5.0, "chunk_ms": 100,
                       "text": "", "audio": base64, "done": true, "wait": true}
    call_tool         {"name": ..., "arguments": {...}, "call_id": ..., "done": true}
    finish            {"status": "completed", "reason": ..., "error": {"code": ...}}
    speech_started    {"at_ms": ...}              cancels the response if the session says so
    speech_stopped    {"at_ms": ..., "ms": 500, "text": ..., "respond": false}
    hears             {"text": "hello", "ms": 800, "respond": false}     both, `ms` apart
    transcript        {"text": "hello"}           of the caller's last turn
    send              {"type": ...}               any event, unchanged
    send_text         "not JSON"                  any frame
    error             {"code": ..., "message": ...}
    close             {"code": 1011, "reason": ""}
    drop              {}                          break the connection

`say` writes into the running response, or begins one as turn detection would. With `done` false the
response stays open for another item. With `respond` true, the end of the caller's turn begins a
response that the next step writes into. `rate` is a multiple of real time; without it everything is
sent at once. With `wait` false the script continues while the model speaks.

A pattern (`where`) names only the fields to compare. Values are compared with `==`. Also allowed:
`{"$contains": "text"}`, `{"$any": true}` (present), `{"$absent": true}`, a compiled regular
expression (searched), a function of the value. Lists are compared entry by entry.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hookflash.errors import ConfigError

Pattern = Any
Script = Sequence[Mapping[str, Any] | str]
Step = tuple[str, Any]

_FIELDS: dict[str, frozenset[str]] = {
    "expect": frozenset({"type", "where", "within_seconds"}),
    "say": frozenset({"item", "ms", "byte", "rate", "chunk_ms", "text", "audio", "done", "wait"}),
    "call_tool": frozenset({"name", "arguments", "call_id", "item", "done"}),
    "finish": frozenset({"status", "reason", "error"}),
    "speech_started": frozenset({"at_ms"}),
    "speech_stopped": frozenset({"at_ms", "ms", "text", "respond"}),
    "hears": frozenset({"ms", "text", "respond"}),
    "transcript": frozenset({"text"}),
    "error": frozenset({"code", "message", "type", "param"}),
    "close": frozenset({"code", "reason"}),
    "drop": frozenset(),
}
_REQUIRED = {"expect": "type", "call_tool": "name", "transcript": "text", "error": "code"}
_PLAIN: dict[str, tuple[type, ...]] = {
    "expect_audio_ms": (int, float),
    "wait_ms": (int, float),
    "send": (dict,),
    "send_text": (str,),
}


def checked_script(script: Script) -> list[Step]:
    """Return the steps as (name, value). Raises `ConfigError`, which names an invalid step."""
    return [_checked(step, place) for place, step in enumerate(script, 1)]


def _checked(step: Mapping[str, Any] | str, place: int) -> Step:
    if isinstance(step, str):
        step = {step: {}}
    if len(step) != 1:
        raise ConfigError(f"script step {place}: expected one key, got {sorted(step)}")
    ((name, given),) = step.items()
    if name in _PLAIN:
        if not isinstance(given, _PLAIN[name]):
            kinds = " or ".join(kind.__name__ for kind in _PLAIN[name])
            raise ConfigError(f"script step {place}: {name}: expected {kinds}, got {given!r}")
        return name, given
    if name not in _FIELDS:
        known = ", ".join(sorted([*_FIELDS, *_PLAIN]))
        raise ConfigError(f"script step {place}: expected one of {known}, got {name!r}")
    if name == "expect" and isinstance(given, str):
        given = {"type": given}
    if not isinstance(given, Mapping):
        raise ConfigError(f"script step {place}: {name}: expected an object, got {given!r}")
    unknown = sorted(set(given) - _FIELDS[name])
    if unknown:
        raise ConfigError(
            f"script step {place}: {name}: expected fields {sorted(_FIELDS[name])}, got {unknown}"
        )
    if name in _REQUIRED and _REQUIRED[name] not in given:
        raise ConfigError(f"script step {place}: {name}: the field {_REQUIRED[name]!r} is missing")
    return name, dict(given)


def say_audio(given: Mapping[str, Any]) -> bytes:
    """Return the audio of a `say` as mu-law: the given base64 `audio`, or `ms` of one `byte`."""
    if "audio" in given:
        return base64.b64decode(given["audio"])
    return bytes([given.get("byte", 0x55)]) * int(given.get("ms", 1000) * 8)


def difference(value: Any, pattern: Pattern, path: str = "") -> str | None:
    """Return a description of the first difference from `pattern`, or None if it matches."""
    here = path or "it"
    if isinstance(pattern, re.Pattern):
        found = isinstance(value, str) and pattern.search(value)
        return None if found else f"{here}: expected /{pattern.pattern}/, got {value!r}"
    if isinstance(pattern, Mapping):
        return _object_difference(value, pattern, path)
    if isinstance(pattern, list | tuple):
        if not isinstance(value, list) or len(value) != len(pattern):
            return f"{here}: expected {len(pattern)} entries, got {value!r}"
        pairs = enumerate(zip(value, pattern, strict=True))
        return _first(difference(one, wanted, f"{path}[{at}]") for at, (one, wanted) in pairs)
    if callable(pattern):
        return None if pattern(value) else f"{here}: the pattern's function refused {value!r}"
    return None if value == pattern else f"{here}: expected {pattern!r}, got {value!r}"


def _object_difference(value: Any, pattern: Mapping[str, Any], path: str) -> str | None:
    here = path or "it"
    if "$contains" in pattern:
        found = isinstance(value, str) and pattern["$contains"] in value
        return None if found else f"{here}: expected {pattern['$contains']!r} in {value!r}"
    if not isinstance(value, dict):
        return f"{here}: expected an object, got {value!r}"
    for name, wanted in pattern.items():
        at = f"{path}.{name}" if path else name
        if wanted == {"$absent": True}:
            if name in value:
                return f"{at}: expected to be absent, got {value[name]!r}"
        elif name not in value:
            return f"{at}: absent"
        elif wanted != {"$any": True}:
            found_difference = difference(value[name], wanted, at)
            if found_difference:
                return found_difference
    return None


def _first(differences: Iterable[str | None]) -> str | None:
    return next((one for one in differences if one is not None), None)
