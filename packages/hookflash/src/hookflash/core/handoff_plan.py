"""A hand-off plan as a call plays it: who is to be reached, how, and what happens if nobody is.

Users write one of the classes in `agents/plans.py`, which have only the fields of one manner.

The model never sees a number. It chooses the key of a destination, and the numbers come from the
plan, which is the owner's configuration.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from hookflash.core.field_checks import Rule, check_fields, check_rules
from hookflash.core.phrases import ENGLISH
from hookflash.errors import ConfigError

E164 = re.compile(r"\+[1-9][0-9]{5,14}")
"""A telephone number in E.164 form, with ASCII digits only."""

_SIP = re.compile(r"sips?:[!-~]+@[!-~]+", re.IGNORECASE)
_NOT_IN_SIP = re.compile(r"[<>\"']|@.*@")
_EXTENSION = re.compile(r"[wW,]*[0-9*#][0-9*#wW,]*")
_IDENTITY = re.compile(r"[A-Za-z0-9_.@+-]{1,256}")
_QUEUE = re.compile(r"[A-Za-z0-9_. -]{1,64}")
_DAY = r"^([0-9]{4}-)?(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])(\s.*)?\Z"

EXTENSION_KEYS = 32
"""The most keys and pauses that Twilio sends."""


class Target(msgspec.Struct, frozen=True):
    """One place where a human can be reached.

    Make one with `Target.phone`, `Target.sip` or `Target.client`, which check the address and raise
    `ConfigError` if it is invalid.
    """

    kind: Literal["phone", "sip", "client", "queue", "function"]
    """What the address is. `"function"`: it is computed during the call (`agents/plans.py`)."""
    address: str
    """The number, SIP URI, identity, name or workflow SID of the queue, or name of the function."""
    extension: str = ""
    """The keys to send after a telephone has answered; empty for the other kinds."""

    @property
    def keys(self) -> str:
        """The extension as Twilio takes it: each comma is written as `WW`."""
        return self.extension.replace(",", "WW")

    @classmethod
    def phone(cls, number: str, extension: str = "") -> Target:
        """Return the target for a telephone number in E.164 form, such as `+15550100`.

        `extension` is sent as keys when the number has answered, for a human behind a switchboard.
        It holds digits, `*`, `#` and pauses: `w` is half a second, `W` one second, `,` two seconds.
        `"ww123"` waits a second, then sends 123. It has at most 32 keys and pauses; a comma counts
        as two. Raises `ConfigError` if the number or the extension is invalid.
        """
        if not E164.fullmatch(number):
            raise ConfigError(
                f"Target.phone: expected a number in E.164 form such as +15550100, got {number!r}"
            )
        target = cls("phone", number, extension)
        if extension != "" and not (
            isinstance(extension, str)
            and _EXTENSION.fullmatch(extension)
            and len(target.keys) <= EXTENSION_KEYS
        ):
            raise ConfigError(
                f"Target.phone: extension must be a text of at most {EXTENSION_KEYS} digits, *, #"
                f' and pauses, such as "ww123"; got {extension!r}. Pauses: w (half a second),'
                " W (one second) and a comma (two seconds, and it counts as two)"
            )
        return target

    @classmethod
    def sip(cls, uri: str) -> Target:
        """Return the target for a SIP address, such as `sip:anna@example.com`.

        Raises `ConfigError` if it is no SIP URI of fewer than 255 characters.
        """
        if not _SIP.fullmatch(uri) or _NOT_IN_SIP.search(uri) or len(uri) >= 255:
            raise ConfigError(
                "Target.sip: expected a SIP URI of fewer than 255 characters such as"
                f" sip:desk@example.com, got {uri!r}"
            )
        return cls("sip", uri)

    @classmethod
    def client(cls, identity: str) -> Target:
        """Return the target for a browser or app phone (Twilio Voice SDK) by its identity.

        Raises `ConfigError` if the identity is not 1 to 256 letters, digits and `_ . @ + -`.
        """
        if not _IDENTITY.fullmatch(identity):
            raise ConfigError(
                "Target.client: expected an identity of letters, digits and _ . @ + -,"
                f" got {identity!r}"
            )
        return cls("client", identity)


def queue_target(name: str) -> Target:
    """Return the target for a queue: its name, or a TaskRouter workflow (`WW`, 32 hex digits).

    Raises `ConfigError` if the name is not 1 to 64 letters, digits, spaces and `_ . -`.
    """
    if not isinstance(name, str) or not _QUEUE.fullmatch(name):
        raise ConfigError(
            "Queue: expected a workflow SID (WW...) or a queue name of at most 64 letters,"
            f" digits, spaces and _ . -, got {name!r}"
        )
    return Target("queue", name)


Targets = Annotated[
    tuple[Target, ...],
    Meta(min_length=1, description='a tuple of targets, such as (Target.phone("+15550102"),)'),
]
RingSeconds = Annotated[
    int, Meta(ge=5, le=600, description="a whole number from 5 to 600 (Twilio's limits)")
]
Attempts = Annotated[int, Meta(ge=1, le=10)]
TotalSeconds = Annotated[int, Meta(ge=5, le=4 * 3600)]
TalkSeconds = Annotated[int, Meta(ge=60, le=24 * 3600)]
Holiday = Annotated[str, Meta(pattern=_DAY, description="a date such as 2026-12-25")]
CallerId = Annotated[
    str,
    Meta(
        pattern=rf"^(caller|{E164.pattern})\Z",
        description='one of your numbers in E.164 form such as +15550100, or "caller",',
    ),
]
Key = Annotated[str, Meta(pattern=r"^[0-9*#]?\Z", description="one key of a telephone, or empty")]
Manner = Literal["cold", "warm", "consult", "refer"]
Accept = Literal["press-1", "any-answer", "human-detected"]

WHISPER = ENGLISH.whisper
"""The whisper, unless the plan has its own. See `HandoffPlan.whisper`."""

WHISPER_FIELDS = ("destination", "caller", "reason", "summary", "learned", "agent")
"""What a whisper may contain, each between { and }."""


class HandoffPlan(msgspec.Struct, frozen=True, kw_only=True):
    """How one destination is reached, and what happens when it is not.

    Raises `ConfigError` if a value is invalid, or if two of them exclude each other.
    """

    targets: Targets
    """Where to ring: one target or more, at most 10 with `order="ring"`."""
    order: Literal["hunt", "ring"] = "hunt"
    """`"hunt"` rings one target after another; `"ring"` rings all at once, without queues."""
    manner: Manner = "cold"
    """What the caller does until a human is there.

    - `"cold"`: the caller's leg moves at once, and the caller hears it ring.
    - `"warm"`: the agent talks with the caller until a human has accepted; then both meet in a
      room.
    - `"consult"`: as `"warm"`, and the agent itself talks with the human first.
    - `"refer"`: a caller who came by SIP is transferred to a SIP address and leaves Hookflash;
      any other caller is handed off as with `"cold"`.
    """
    accept: Accept | None = None
    """What makes an answer count; None is `"press-1"` for warm and consult, else `"any-answer"`.

    - `"press-1"`: the human presses 1. A mailbox never does; 2 declines.
    - `"any-answer"`: the first to answer has the call.
    - `"human-detected"`: the carrier detects a human, and asks for the key where it cannot tell.
      Not possible with an extension.
    """
    whisper: str | None = None
    """What a human hears first; None takes a standard text where a key is asked for.

    The text may hold {destination}, {caller}, {reason}, {summary}, {agent} and {learned}: what the
    caller has said since. A cold hand-off without key and whisper connects both at once.
    """
    accept_prompt: str = ENGLISH.accept_prompt
    """What the human hears after the whisper, if a key is asked for."""
    language: str | None = None
    """The language of the texts that the carrier speaks: a BCP 47 tag such as `"de-DE"`."""
    ring_seconds: RingSeconds = 20
    """How long each target rings, in seconds, 5 to 600."""
    attempts: Attempts = 1
    """How often all targets are tried, 1 to 10."""
    total_seconds: TotalSeconds = 180
    """How long to try, or to wait in a queue, in seconds, 5 to 14400."""
    hours: str | None = None
    """When the destination is open, such as `"mon-fri 09:00-17:30 Europe/Berlin"`; None: always."""
    holidays: tuple[Holiday, ...] = ()
    """Days when it is closed: `2026-12-25`, or `12-25 Christmas Day` for every year."""
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
    give_back: bool = True
    """Whether a human in a room may press `*` and 2 to give the caller back to the agent."""
    notes: bool = False
    """Whether the talk in the room is transcribed, for the record and for the agent."""
    interruptible: bool = True
    """Whether the caller can stop the farewell, and so the hand-off, by speaking."""
    caller_id: CallerId | None = None
    """The number that the human sees.

    One of yours in E.164 form, or `"caller"` for the caller's own (not for callers by SIP). None is
    the number that the caller dialled, which the carrier always allows.
    """
    sorry: str = ENGLISH.sorry
    """What the caller hears before the end, with `otherwise="hang-up"`."""
    voicemail_prompt: str = ENGLISH.voicemail_prompt
    """What the caller hears before the tone."""
    queue_announce_seconds: Annotated[int, Meta(ge=5, le=600)] = 30
    """How often callers in a queue hear their position, in seconds, 5 to 600."""
    queue_leave_key: Key = "1"
    """The key that takes a caller out of the queue; empty for none."""
    talk_seconds: TalkSeconds | None = None
    """How long the caller may talk with the human, in seconds, 60 to 86400; None: no limit.

    Afterwards the talk ends as if the human had hung up (`afterwards`). Not possible for queues and
    with `manner="refer"`.
    """

    @property
    def acceptance(self) -> Accept:
        """What takes the call: `accept`, or the default of the manner."""
        if self.accept is not None:
            return self.accept
        return "any-answer" if self.manner in ("cold", "refer") else "press-1"

    @property
    def stays(self) -> bool:
        """Whether the caller stays with the agent until a human has accepted."""
        return self.manner in ("warm", "consult")

    @property
    def screened(self) -> bool:
        """Whether a human on a dialled leg hears something before the legs are bridged."""
        return self.acceptance != "any-answer" or bool(self.whisper)

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of the targets: phone, sip, client, queue, function."""
        return frozenset(target.kind for target in self.targets)

    @property
    def unknown_fields(self) -> list[str]:
        """The fields of the whisper that nothing fills in."""
        return unknown_fields(self.whisper)

    def __post_init__(self) -> None:
        check_fields(self)
        check_rules(self, _RULES)


def unknown_fields(whisper: str | None) -> list[str]:
    """Return the fields of a whisper that nothing fills in."""
    return [each for each in re.findall(r"{([^{}]*)}", whisper or "") if each not in WHISPER_FIELDS]


# What cannot be together in one plan.
_RULES: tuple[Rule[HandoffPlan], ...] = (
    (
        lambda plan: plan.order == "ring" and len(plan.targets) > 10,
        'at most 10 targets can ring at once; use order="hunt"',
    ),
    (
        lambda plan: plan.order == "ring" and "queue" in plan.kinds and len(plan.targets) > 1,
        'a queue cannot ring with others; use order="hunt"',
    ),
    (
        lambda plan: "queue" in plan.kinds and plan.stays,
        "a queue cannot be reached {0.manner}: its humans take the caller from it themselves;"
        ' use manner="cold"',
    ),
    (
        lambda plan: (
            plan.talk_seconds is not None and ("queue" in plan.kinds or plan.manner == "refer")
        ),
        "talk_seconds is not possible in a queue, whose humans take the caller themselves, or with"
        ' manner="refer", after which the caller has left this system; leave it out',
    ),
    (
        lambda plan: (
            plan.accept == "human-detected" and any(target.extension for target in plan.targets)
        ),
        'accept="human-detected" is not possible with an extension: Twilio does not detect machines'
        ' where it sends keys; use accept="press-1"',
    ),
    (
        lambda plan: plan.manner == "refer" and not plan.kinds <= {"sip", "function"},
        'manner="refer" hands the caller to SIP addresses only; use Target.sip',
    ),
    (
        lambda plan: plan.unknown_fields,
        "whisper has {0.unknown_fields}, which nothing fills in; it knows "
        + ", ".join(WHISPER_FIELDS)
        + "; write the text out instead",
    ),
)


class Destination(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of `Agent.destinations`: what `agent.handoff` was given."""

    key: str
    """What the model chooses, such as `billing`."""
    when: str
    """When the model should choose it."""
    plan: HandoffPlan
    """How it is reached."""
    checked: bool = False
    """Whether hours or `@agent.presence` are asked before anybody is rung."""
