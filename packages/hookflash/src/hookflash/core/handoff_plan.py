"""A hand-off plan: who is to be reached, how, and what happens if nobody is.

The model never sees a number. It chooses the key of a destination, and the numbers come from the
plan, which is the owner's configuration.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from hookflash.core.field_checks import Rule, check_fields, check_rules
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
    """One address of a human: `Target.phone`, `.sip`, `.client`, `.queue`.

    `extension` is sent as keys when the number has answered. Only telephone numbers have one.
    """

    kind: Literal["phone", "sip", "client", "queue"]
    address: str
    extension: str = ""

    @property
    def keys(self) -> str:
        """The extension as the carrier sends it: keys, `w` and `W`, because Twilio has no comma."""
        return self.extension.replace(",", "WW")

    @classmethod
    def phone(cls, number: str, extension: str = "") -> Target:
        """A telephone number in E.164 form, such as `+15550100`.

        `extension` is what is dialled when the number has answered, for a human behind a
        switchboard: digits, `*`, `#`, and pauses: `w` for half a second, `W` for one second, `,`
        for two. `"ww123"` waits a second, then dials 123. At most 32, where a comma counts twice.
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
                " and pauses (w half a second, W one second, a comma two seconds and two"
                f' places), such as "ww123"; got {extension!r}'
            )
        return target

    @classmethod
    def sip(cls, uri: str) -> Target:
        """A SIP address, such as `sip:desk@example.com` (fewer than 255 characters)."""
        if not _SIP.fullmatch(uri) or _NOT_IN_SIP.search(uri) or len(uri) >= 255:
            raise ConfigError(
                "Target.sip: expected a SIP URI of fewer than 255 characters such as"
                f" sip:desk@example.com, got {uri!r}"
            )
        return cls("sip", uri)

    @classmethod
    def client(cls, identity: str) -> Target:
        """A browser or app phone (Twilio Voice SDK) by its identity, such as `anna`."""
        if not _IDENTITY.fullmatch(identity):
            raise ConfigError(
                "Target.client: expected an identity of letters, digits and _ . @ + -,"
                f" got {identity!r}"
            )
        return cls("client", identity)

    @classmethod
    def queue(cls, name: str) -> Target:
        """A queue: a TaskRouter workflow (`WW` and 32 hex digits) or the name of a plain queue."""
        if not _QUEUE.fullmatch(name):
            raise ConfigError(
                "Target.queue: expected a workflow SID (WW...) or a queue name of at most 64"
                f" letters, digits, spaces and _ . -, got {name!r}"
            )
        return cls("queue", name)


Targets = Annotated[
    tuple[Target, ...],
    Meta(min_length=1, description='a tuple of targets, such as (Target.phone("+15550102"),)'),
]
RingSeconds = Annotated[
    int, Meta(ge=5, le=600, description="a whole number from 5 to 600 (Twilio's limits)")
]
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

WHISPER = "Call for {destination}. {caller} is on the line: {reason}. {summary} {learned}"
"""The whisper, unless the plan has its own. See `HandoffPlan.whisper`."""

FIELDS = ("destination", "caller", "reason", "summary", "learned", "agent")
"""What a whisper may contain, each between { and }."""


class HandoffPlan(msgspec.Struct, frozen=True, kw_only=True):
    """How one destination is reached, and what happens when it is not.

    `targets` are rung one after another (`order="hunt"`) or all at once (`"ring"`), each for
    `ring_seconds`. That is repeated `attempts` times, for at most `total_seconds` in all.

    `manner` says what the caller does meanwhile. `"cold"`: their leg moves at once and hears it
    ring. `"warm"`: the agent stays with them until a human has accepted, then both are bridged.
    `"consult"`: as warm, and the agent itself talks with the human first. `"refer"`: a caller who
    came by SIP is referred to a SIP address and leaves this system (others: as cold).

    `accept` says what takes the call. `"press-1"`: the key 1, which a mailbox never presses (2
    declines). `"any-answer"`. `"human-detected"`: the carrier detects a human, and the key is asked
    for where it cannot tell; it is not possible with an extension. The default is a key for warm,
    any answer for cold.

    `whisper` is what the human hears first, with {destination}, {caller}, {reason}, {summary},
    {learned} (what the caller said since) and {agent}; `accept_prompt` follows it. Cold, with any
    answer and without a whisper, nothing is said and the legs are bridged at once. `language` is
    that of the spoken texts (BCP 47, as the carrier knows it).

    `hours` (`"mon-fri 09:00-17:30 Europe/Berlin"`) and `holidays` (dates such as `2026-12-25`, or
    `12-25 Christmas Day` for every year) close a destination.

    `otherwise` says what happens if nobody is reached: `"return"`, the agent goes on and knows why;
    `"voicemail"`; `"callback"`, the agent notes a number and a wish; `"hang-up"`, after `sorry`.
    `offers` are what the agent may offer on `"return"`. `afterwards` says what happens when the
    human hangs up first. In a room (warm, consult), `give_back` lets the human press `*` and 2 to
    give the caller back to the agent. With `notes`, what they say is transcribed.

    With `interruptible=False` the caller cannot stop a farewell by speaking. `caller_id` is shown
    to the human: a number of yours, `"caller"` for the caller's own (not after SIP), or None for
    the number that the caller dialled, which is always allowed. `queue_announce_seconds` is how
    often a caller hears their position in a queue, `queue_leave_key` the key that leaves it.
    """

    targets: Targets
    order: Literal["hunt", "ring"] = "hunt"
    manner: Manner = "cold"
    accept: Accept | None = None
    whisper: str | None = None
    accept_prompt: str = "Press 1 to take the call, or 2 to decline it."
    language: str | None = None
    ring_seconds: RingSeconds = 20
    attempts: Annotated[int, Meta(ge=1, le=10)] = 1
    total_seconds: Annotated[int, Meta(ge=5, le=4 * 3600)] = 180
    hours: str | None = None
    holidays: tuple[Holiday, ...] = ()
    otherwise: Literal["return", "voicemail", "callback", "hang-up"] = "return"
    offers: tuple[Literal["voicemail", "callback"], ...] = ()
    afterwards: Literal["hang-up", "return"] = "hang-up"
    give_back: bool = True
    notes: bool = False
    interruptible: bool = True
    caller_id: CallerId | None = None
    sorry: str = "I am sorry, nobody can take your call right now. Please call again later."
    voicemail_prompt: str = (
        "Please leave your message after the tone, and hang up or press the hash key when you are"
        " done."
    )
    queue_announce_seconds: Annotated[int, Meta(ge=5, le=600)] = 30
    queue_leave_key: Key = "1"

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
        """The kinds of the targets: phone, sip, client, queue."""
        return frozenset(target.kind for target in self.targets)

    @property
    def unknown_fields(self) -> list[str]:
        """The fields of the whisper that nothing fills in."""
        return [
            each for each in re.findall(r"{([^{}]*)}", self.whisper or "") if each not in FIELDS
        ]

    def __post_init__(self) -> None:
        check_fields(self)
        check_rules(self, _RULES)


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
            plan.accept == "human-detected" and any(target.extension for target in plan.targets)
        ),
        'accept="human-detected" is not possible with an extension: Twilio does not detect machines'
        ' where it sends keys; use accept="press-1"',
    ),
    (
        lambda plan: plan.manner == "refer" and plan.kinds != {"sip"},
        'manner="refer" hands the caller to SIP addresses only; use Target.sip',
    ),
    (
        lambda plan: plan.unknown_fields,
        "whisper has {0.unknown_fields}, which nothing fills in; it knows "
        + ", ".join(FIELDS)
        + "; write the text out instead",
    ),
)


class Destination(msgspec.Struct, frozen=True, kw_only=True):
    """One destination of an agent: the key that the model chooses, when to choose it, the plan."""

    key: str
    when: str
    plan: HandoffPlan
    checked: bool = False
    """Whether its hours, or who is free, are checked before anybody is rung."""
