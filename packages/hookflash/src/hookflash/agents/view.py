"""A call as an owner's hooks see it: plain facts, read only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import overload

import msgspec

from hookflash.core.record import Utterance


class Utterances(Sequence[Utterance]):
    """What was said up to one moment: reads and compares like a tuple, and never changes.

    It is `count` utterances of `before`, then those of `after`. `before` is shared with later
    moments, which only append to it: taking a moment costs the same however long the call is.
    """

    __slots__ = ("_after", "_before", "_count")

    def __init__(
        self, before: list[Utterance], count: int, after: tuple[Utterance, ...] = ()
    ) -> None:
        self._before = before
        self._count = count
        self._after = after

    def __len__(self) -> int:
        return self._count + len(self._after)

    @overload
    def __getitem__(self, index: int) -> Utterance: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Utterance, ...]: ...

    def __getitem__(self, index: int | slice) -> Utterance | tuple[Utterance, ...]:
        if isinstance(index, slice):
            return tuple(self._at(place) for place in range(*index.indices(len(self))))
        place = index + len(self) if index < 0 else index
        if not 0 <= place < len(self):
            raise IndexError(f"utterance {index} of {len(self)}")
        return self._at(place)

    def __iter__(self) -> Iterator[Utterance]:
        return chain(islice(self._before, self._count), self._after)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Utterances | tuple):
            return len(self) == len(other) and all(
                mine == theirs for mine, theirs in zip(self, other, strict=True)
            )
        return NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return repr(tuple(self))

    def _at(self, place: int) -> Utterance:
        return self._before[place] if place < self._count else self._after[place - self._count]


class CallView(msgspec.Struct, frozen=True, kw_only=True):
    """A call at one moment, as policies and `@agent.answers` get it. It never changes."""

    call_sid: str
    """The carrier's identifier of the call."""
    agent: str = ""
    """The agent's name."""
    caller: str = ""
    """Who called: a number in E.164 form, a `sip:` or `client:` address, or `anonymous`."""
    called: str = ""
    """What the caller dialled."""
    seconds: float = 0.0
    """How long ago the call arrived, in seconds."""
    transcript: Sequence[Utterance] = ()
    """Who said what so far, as heard; `transcript[-6:]` are the last six utterances."""
    said: str = ""
    """What the caller has just said."""
    failed_tools: int = 0
    """How many tool calls have failed."""
    barge_ins: int = 0
    """How often the caller has interrupted the agent."""
