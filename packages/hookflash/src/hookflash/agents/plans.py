"""How a destination is reached: one class for each manner, with the fields that apply to it.

    Cold      the caller's leg moves at once, and the caller hears it ring
    Warm      the agent talks with the caller until a human has accepted
    Consult   as warm, and the agent itself talks with the human first
    Refer     a caller who came by SIP is transferred to a SIP address, and leaves Hookflash
    Queue     the caller waits in a queue at the carrier for any free human

The core plays `HandoffPlan` (`core/handoff_plan.py`), which `handoff_plan` returns. No I/O.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Literal, TypeAlias, cast

import msgspec
from msgspec import Meta

from hookflash.agents.context import CallContext
from hookflash.agents.functions_of_call import check_takes_call
from hookflash.agents.hours import parse_hours
from hookflash.core.field_checks import Rule, check_fields, check_rules
from hookflash.core.handoff_plan import (
    WHISPER_FIELDS,
    Accept,
    Attempts,
    CallerId,
    HandoffPlan,
    Holiday,
    Key,
    Manner,
    RingSeconds,
    TalkSeconds,
    Target,
    TotalSeconds,
    queue_target,
    unknown_fields,
)
from hookflash.core.phrases import ENGLISH, Phrases
from hookflash.errors import ConfigError

AddressFunction: TypeAlias = Callable[[CallContext], Target | None | Awaitable[Target | None]]
"""A function of the call, plain or async, that returns whom to ring."""

Targets = Target | AddressFunction | Sequence[Target | AddressFunction]

Times = Annotated[int, Meta(ge=5, le=600)]


class _Plan(msgspec.Struct, frozen=True, kw_only=True):
    hours: str | None = None
    """When the destination is open, such as `"mon-fri 09:00-17:30 Europe/Berlin"`; None: always."""
    holidays: tuple[Holiday, ...] = ()
    """Days when it is closed: `2026-12-25`, or `12-25 Christmas Day` for every year."""
    total_seconds: TotalSeconds = 180
    """How long to try, or to wait in a queue, in seconds, 5 to 14400."""
    otherwise: Literal["return", "voicemail", "callback", "hang-up"] = "return"
    """What happens when nobody was reached.

    - `"return"`: the agent goes on, and knows why nobody came.
    - `"voicemail"`: the caller leaves a message.
    - `"callback"`: the agent takes a number and a wish.
    - `"hang-up"`: the caller hears `sorry`, and the call ends.
    """
    offers: tuple[Literal["voicemail", "callback"], ...] = ()
    """What the agent may offer when it goes on after `"return"`."""
    afterwards: Literal["hang-up", "return"] = "hang-up"
    """What happens when the human hangs up first: the call ends, or the agent goes on."""
    sorry: str | None = None
    """What the caller hears before the end, with `otherwise="hang-up"`; None: the phrase."""
    voicemail_prompt: str | None = None
    """What the caller hears before the tone; None: the phrase of the agent's language."""
    language: str | None = None
    """The language of this plan's texts, a BCP 47 tag such as `"de-DE"`; None: the agent's."""

    def __post_init__(self) -> None:
        check_fields(self, but=("targets", "name", "first"))
        check_rules(self, _RULES)
        if self.hours is not None:
            parse_hours(self.hours, self.holidays)


class _ToTargets(_Plan, frozen=True):
    targets: Targets
    """Where to ring: a target, or several in a list or tuple; at most 10 with `order="ring"`.

    A function of the call may take the place of a target. It is called with the `CallContext` when
    a human is needed. It returns a target, or None to leave it out. It may be async, and has one
    second. If it raises or is late, it is left out.
    """


class _Rung(_ToTargets, frozen=True, kw_only=True):
    order: Literal["hunt", "ring"] = "hunt"
    """`"hunt"` rings one target after another; `"ring"` rings all at once."""
    ring_seconds: RingSeconds = 20
    """How long each target rings, in seconds, 5 to 600."""
    attempts: Attempts = 1
    """How often all targets are tried, 1 to 10."""
    caller_id: CallerId | None = None
    """The number that the human sees.

    One of yours in E.164 form, or `"caller"` for the caller's own (not for callers by SIP). None is
    the number that the caller dialled, which the carrier always allows.
    """
    whisper: str | None = None
    """What a human hears first; None: the agent's phrase where a key is asked for.

    The text may hold {destination}, {caller}, {reason}, {summary}, {agent} and {learned}: what the
    caller has said since.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_targets(self, self.targets)
        if len(targets_of(self)) > 10 and self.order == "ring":
            raise ConfigError(
                f'{_name(self)}: at most 10 targets can ring at once; use order="hunt"'
            )


class Cold(_Rung, frozen=True, kw_only=True):
    """A cold hand-off: the caller's leg moves at once, and the caller hears it ring.

    Raises `ConfigError` if a value is invalid, or if two of them exclude each other.
    """

    accept: Accept = "any-answer"
    """What makes an answer count.

    - `"any-answer"`: the first to answer has the call. Without a `whisper`, both are connected at
      once.
    - `"press-1"`: the human presses 1. A mailbox never does; 2 declines.
    - `"human-detected"`: the carrier detects a human, and asks for the key where it cannot tell.
      Not possible with an extension.
    """
    accept_prompt: str | None = None
    """What the human hears after the whisper, if a key is asked for; None: the phrase."""
    interruptible: bool = True
    """Whether the caller can stop the farewell, and so the hand-off, by speaking."""
    talk_seconds: TalkSeconds | None = None
    """How long the caller may talk with the human, in seconds, 60 to 86400; None: no limit.

    Afterwards the talk ends as if the human had hung up (`afterwards`).
    """


class _InRoom(_Rung, frozen=True, kw_only=True):
    give_back: bool = True
    """Whether the human may press `*` and 2 to give the caller back to the agent."""
    notes: bool = False
    """Whether the talk is transcribed, for the record and for the agent."""
    talk_seconds: TalkSeconds | None = None
    """How long the caller may talk with the human, in seconds, 60 to 86400; None: no limit.

    Afterwards the talk ends as if the human had hung up (`afterwards`).
    """


class Warm(_InRoom, frozen=True, kw_only=True):
    """A warm hand-off: the agent talks with the caller until a human accepts; both meet in a room.

    Raises `ConfigError` if a value is invalid, or if two of them exclude each other.
    """

    accept: Accept = "press-1"
    """What makes an answer count.

    - `"press-1"`: the human presses 1. A mailbox never does; 2 declines.
    - `"any-answer"`: the first to answer has the call, after the whisper.
    - `"human-detected"`: the carrier detects a human, and asks for the key where it cannot tell.
      Not possible with an extension.
    """
    accept_prompt: str | None = None
    """What the human hears after the whisper, if a key is asked for; None: the phrase."""


class Consult(_InRoom, frozen=True, kw_only=True):
    """A consult: as `Warm`, and the agent itself talks with the human before the caller does.

    The agent is briefed with the `whisper`, and says it in its own words. Raises `ConfigError` if a
    value is invalid, or if two of them exclude each other.
    """


class Refer(_Rung, frozen=True, kw_only=True):
    """A transfer by SIP: a caller who came by SIP goes to a `Target.sip`, and leaves Hookflash.

    Any other caller is handed off as with `Cold`. Raises `ConfigError` if a value is invalid, or if
    two of them exclude each other.
    """

    accept: Accept = "any-answer"
    """What makes an answer count for a caller who did not come by SIP, as with `Cold`."""
    accept_prompt: str | None = None
    """What the human hears after the whisper, if a key is asked for; None: the phrase."""
    interruptible: bool = True
    """Whether the caller can stop the farewell, and so the hand-off, by speaking."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for target in targets_of(self):
            if target.kind not in ("sip", "function"):
                raise ConfigError(
                    "Refer: hands the caller to SIP addresses only; expected"
                    f' Target.sip("sip:desk@example.com"), got {target!r}'
                )


class _InQueue(_Plan, frozen=True):
    name: str
    """The queue's name, or a TaskRouter workflow (`WW` and 32 hex digits).

    A name has 1 to 64 letters, digits, spaces and `_ . -`.
    """


class Queue(_InQueue, frozen=True, kw_only=True):
    """A queue at the carrier: the caller waits with music for any free human.

    Raises `ConfigError` if a value is invalid.
    """

    announce_seconds: Times = 30
    """How often the caller hears their position, in seconds, 5 to 600."""
    leave_key: Key = "1"
    """The key that takes the caller out of the queue; empty for none."""
    first: Targets = ()
    """Targets to ring before the caller joins the queue, one after another."""
    ring_seconds: RingSeconds = 20
    """How long each target of `first` rings, in seconds, 5 to 600."""
    interruptible: bool = True
    """Whether the caller can stop the farewell, and so the hand-off, by speaking."""

    def __post_init__(self) -> None:
        super().__post_init__()
        queue_target(self.name)
        if self.first != ():
            _check_targets(self, self.first, field="first")


Plan: TypeAlias = Cold | Warm | Consult | Refer | Queue

PLANS = (Cold, Warm, Consult, Refer, Queue)

_MANNERS: dict[type[_Plan], Manner] = {
    Cold: "cold",
    Warm: "warm",
    Consult: "consult",
    Refer: "refer",
    Queue: "cold",
}


def handoff_plan(plan: Plan, phrases: Phrases = ENGLISH) -> HandoffPlan:
    """Return the plan as the core plays it; `phrases` has the texts that it does not set."""
    fields = {name: getattr(plan, name) for name in plan.__struct_fields__}
    # None takes the phrase of the agent's language, or the default of the core's plan.
    fields = {name: value for name, value in fields.items() if value is not None}
    for name in ("accept_prompt", "sorry", "voicemail_prompt"):
        fields.setdefault(name, getattr(phrases, name))
    if isinstance(plan, Queue):
        del fields["name"], fields["first"]
        fields["queue_announce_seconds"] = fields.pop("announce_seconds")
        fields["queue_leave_key"] = fields.pop("leave_key")
    return HandoffPlan(**fields | {"targets": targets_of(plan), "manner": _MANNERS[type(plan)]})


def targets_of(plan: _Plan) -> tuple[Target, ...]:
    """Return the targets of a plan, in order; a queue comes last."""
    rung = tuple(
        each if isinstance(each, Target) else Target("function", name_of(each))
        for each in _listed(plan)
    )
    return (*rung, queue_target(plan.name)) if isinstance(plan, Queue) else rung


def address_functions(plan: Plan) -> dict[int, AddressFunction]:
    """Return the functions among the targets of a plan, by their place."""
    return {place: each for place, each in enumerate(_listed(plan)) if not isinstance(each, Target)}


def name_of(function: Callable[..., object]) -> str:
    """Return the name of a function, or that of the class of another callable."""
    return str(getattr(function, "__name__", type(function).__name__))


def _listed(plan: _Plan) -> tuple[Target | AddressFunction, ...]:
    targets: Targets = plan.first if isinstance(plan, Queue) else getattr(plan, "targets", ())
    return (targets,) if isinstance(targets, Target) or callable(targets) else tuple(targets)


def _check_targets(plan: _Plan, given: object, field: str = "targets") -> None:
    """Raise `ConfigError` unless `given` is a target or a list of targets that can be rung."""
    expected = (
        f'{_name(plan)}: {field} must be a target such as Target.phone("+15550102"), a function of'
        " the call that returns one, or a list of them"
    )
    one = isinstance(given, Target) or callable(given)
    if isinstance(given, str) or not (one or isinstance(given, Sequence)):
        raise ConfigError(f"{expected}; got {given!r}")
    items: Sequence[object] = (given,) if one else tuple(cast("Sequence[object]", given))
    if not items:
        raise ConfigError(f"{expected}; got an empty list")
    for place, item in enumerate(items, 1):
        if callable(item):
            check_takes_call(item, f"{_name(plan)}: {field}")
            continue
        if not isinstance(item, Target):
            raise ConfigError(f"{expected}; the {_ordinal(place)} is {item!r}")
        if item.kind == "queue":
            raise ConfigError(f"{expected}; a queue is Queue({item.address!r}), not a target")


def _ordinal(place: int) -> str:
    return {1: "first", 2: "second", 3: "third"}.get(place, f"{place}th")


def _name(plan: _Plan) -> str:
    return type(plan).__name__


_RULES: tuple[Rule[_Plan], ...] = (
    (
        lambda plan: plan.holidays and plan.hours is None,
        "holidays need the time zone of the hours: add hours='daily 00:00-24:00 Europe/Berlin'",
    ),
    (
        lambda plan: (
            getattr(plan, "accept", "") == "human-detected"
            and any(target.extension for target in targets_of(plan))
        ),
        'accept="human-detected" is not possible with an extension: Twilio does not detect machines'
        ' where it sends keys; use accept="press-1"',
    ),
    (
        lambda plan: unknown_fields(getattr(plan, "whisper", None)),
        "whisper has {0.whisper!r}, and nothing fills in some of its fields; it knows "
        + ", ".join(WHISPER_FIELDS)
        + "; write the text out instead",
    ),
)
