"""What an author may write as a function of the call instead of a value."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from hookflash.agents.context import CallContext
from hookflash.errors import ConfigError

TextFunction: TypeAlias = Callable[[CallContext], str | None | Awaitable[str | None]]
"""A function of the call, plain or async, that returns a text."""

Condition: TypeAlias = Callable[[CallContext], bool | Awaitable[bool]]
"""A function of the call, plain or async, that returns True or False."""


def check_takes_call(function: Callable[..., object], where: str) -> None:
    """Raise `ConfigError` unless `function` can be called with one argument, the `CallContext`."""
    if isinstance(function, type):
        raise ConfigError(
            f"{where}: expected a function of the call, such as `def owner(call): ...`, got the"
            f" class {function.__name__}"
        )
    try:
        inspect.signature(function).bind("call")
    except (TypeError, ValueError) as error:
        name = getattr(function, "__name__", type(function).__name__)
        raise ConfigError(
            f"{where}: {name} must take one argument, the call, such as `def {name}(call): ...`:"
            f" {error}"
        ) from error
