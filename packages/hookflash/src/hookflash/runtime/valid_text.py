"""Make text from outside valid Unicode before it becomes an event.

A Python string may hold half of a surrogate pair, which cannot be encoded as UTF-8. The journal,
the model, the database and the console would all reject it.
"""

from __future__ import annotations

from enum import Enum
from typing import Any, TypeVar

import msgspec

_T = TypeVar("_T")


def valid_text(text: str) -> str:
    """Return `text` with each unpaired surrogate replaced by U+FFFD, as a plain `str`.

    Two halves that belong together become their character.
    """
    if type(text) is not str:
        text = str.__str__(text)
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def made_valid(value: _T) -> _T:
    """Return `value` with every text in it made valid: strings, structs, lists, tuples and dicts.

    A value that is already valid is returned as it is.
    """
    made: Any = _made_valid(value)
    return made  # type: ignore[no-any-return]  # a value of the same type


def _made_valid(value: Any) -> Any:
    if isinstance(value, str):
        return value if isinstance(value, Enum) else valid_text(value)
    if isinstance(value, msgspec.Struct):
        changes = {}
        for name in value.__struct_fields__:
            old = getattr(value, name)
            new = _made_valid(old)
            if new is not old:
                changes[name] = new
        return msgspec.structs.replace(value, **changes) if changes else value
    if isinstance(value, list | tuple):
        items = [_made_valid(each) for each in value]
        if all(new is old for new, old in zip(items, value, strict=True)):
            return value
        # A named tuple takes its fields as arguments, not one sequence.
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    if isinstance(value, dict):
        made = {_made_valid(key): _made_valid(each) for key, each in value.items()}
        same = all(
            new is old
            for pair, other in zip(made.items(), value.items(), strict=False)
            for new, old in zip(pair, other, strict=True)
        )
        return value if same and len(made) == len(value) else made
    return value
