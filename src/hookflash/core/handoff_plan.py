"""A hand-off plan is data: who is to be reached, how, and what happens when nobody is.

The model never sees a number: it picks a plan's key, and the numbers come from here, from the
owner's own configuration.
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from hookflash.errors import ConfigError

_E164 = re.compile(r"\+[1-9]\d{5,14}")
_SIP = re.compile(r"sips?:[^\s@<>\"']+@[^\s@<>\"']+", re.IGNORECASE)
_IDENTITY = re.compile(r"[A-Za-z0-9_.@+-]{1,256}")
_QUEUE = re.compile(r"[A-Za-z0-9_. -]{1,64}")


class Target(msgspec.Struct, frozen=True):
    """One place where a human can be reached: `Target.phone`, `.sip`, `.client`, `.queue`."""

    kind: Literal["phone", "sip", "client", "queue"]
    address: str

    @classmethod
    def phone(cls, number: str) -> Target:
        """A telephone number in E.164 form, such as `+15550100`."""
        if not _E164.fullmatch(number):
            raise ConfigError(
                f"Target.phone: expected a number in E.164 form such as +15550100, got {number!r}"
            )
        return cls("phone", number)

    @classmethod
    def sip(cls, uri: str) -> Target:
        """A SIP address, such as `sip:desk@example.com` (fewer than 255 characters)."""
        if not _SIP.fullmatch(uri) or len(uri) >= 255:
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


class HandoffPlan(msgspec.Struct, frozen=True, kw_only=True):
    """How one destination is reached, and what happens when it is not.

    `targets` are rung one after another (`order="hunt"`) or all at once (`"ring"`), each for
    `ring_seconds`. `manner` is `"cold"`: the caller's leg moves at once and hears it ring.
    `otherwise` says what happens when nobody is reached: `"return"` brings the caller back to
    the agent, which knows why; `"hang-up"` says `sorry` and ends the call. `afterwards` says
    what happens when the human hangs up first. With `interruptible=False` the caller cannot
    stop the farewell by speaking. `caller_id` is shown to the human: by default the called
    number, which is always allowed.
    """

    targets: tuple[Target, ...]
    order: Literal["hunt", "ring"] = "hunt"
    manner: Literal["cold"] = "cold"
    ring_seconds: int = 20
    otherwise: Literal["return", "hang-up"] = "return"
    afterwards: Literal["hang-up", "return"] = "hang-up"
    interruptible: bool = True
    caller_id: str | None = None
    sorry: str = "I am sorry, nobody can take your call right now. Please call again later."

    def __post_init__(self) -> None:
        if not self.targets:
            raise ConfigError("HandoffPlan: targets is empty; give at least one Target")
        if len(self.targets) > 10 and self.order == "ring":
            raise ConfigError(
                f"HandoffPlan: at most 10 targets can ring at once, got {len(self.targets)};"
                ' use order="hunt"'
            )
        if any(target.kind == "queue" for target in self.targets) and len(self.targets) > 1:
            if self.order == "ring":
                raise ConfigError('HandoffPlan: a queue cannot ring with others; use order="hunt"')
        if not 5 <= self.ring_seconds <= 600:
            raise ConfigError(
                f"HandoffPlan: ring_seconds must be 5 to 600 (Twilio's limits),"
                f" got {self.ring_seconds}"
            )
        for name, value, allowed in (
            ("order", self.order, ("hunt", "ring")),
            ("manner", self.manner, ("cold",)),
            ("otherwise", self.otherwise, ("return", "hang-up")),
            ("afterwards", self.afterwards, ("hang-up", "return")),
        ):
            if value not in allowed:
                raise ConfigError(
                    f"HandoffPlan: {name} must be one of {', '.join(allowed)}; got {value!r}"
                )
        if self.caller_id is not None and not _E164.fullmatch(self.caller_id):
            raise ConfigError(
                "HandoffPlan: caller_id must be one of your numbers in E.164 form such as"
                f" +15550100, got {self.caller_id!r}"
            )


class Destination(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of an agent's directory: the key the model chooses, when to, and the plan."""

    key: str
    when: str
    plan: HandoffPlan
