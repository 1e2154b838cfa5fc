"""What the verbs and the REST side share: settings, the machinery, and what is alive.

No behaviour of its own beyond looking things up; `carrier.py` makes it, one for each carrier.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hookflash_local.carrier import ids
from hookflash_local.carrier.clock import Clock
from hookflash_local.carrier.entropy import Entropy
from hookflash_local.carrier.faults import Faults
from hookflash_local.carrier.humans import Human
from hookflash_local.carrier.leg import About, Leg, Tools
from hookflash_local.carrier.notices import Notices, Unconfirmed
from hookflash_local.carrier.party import Speak
from hookflash_local.carrier.pump import Pump
from hookflash_local.carrier.reports import StatusReports
from hookflash_local.carrier.tasks import Tasks
from hookflash_local.carrier.webhooks import Webhooks

if TYPE_CHECKING:
    from hookflash_local.carrier.queue import Queue
    from hookflash_local.carrier.room import Room
    from hookflash_local.carrier.tape import Tape


Transcribe = Callable[[bytes], str | Awaitable[str]]
"""Mu-law to text: what stands in for Twilio's transcription."""


@dataclass(frozen=True)
class NumberConfig:
    """What the owner of a number has set for it."""

    voice_url: str
    fallback_url: str | None = None
    status_callback: str | None = None
    voice_method: str = "POST"
    fallback_method: str = "POST"


@dataclass(frozen=True)
class Settings:
    """`speak` turns text to mu-law; `network_seconds` is the delay of the media road, each way;
    `entropy` is where random numbers come from."""

    account_sid: str
    auth_token: str
    speak: Speak
    network_seconds: float = 0.0
    allow_insecure: bool = False
    calls_per_second: float = 1.0
    transcribe: Transcribe | None = None
    recordings_need_auth: bool = True
    entropy: Entropy = field(default_factory=Entropy)


@dataclass
class Directory:
    """Numbers of the account, who answers elsewhere, and which caller ids were verified."""

    numbers: dict[str, NumberConfig] = field(default_factory=dict)
    humans: dict[str, Human] = field(default_factory=dict)
    verified: set[str] = field(default_factory=set)

    def human(self, address: str) -> Human | None:
        """Find who answers `address`: a number, `client:name`, or `sip:...` (without headers)."""
        base = address.partition("?")[0]
        for known in (address, base, base.partition(";")[0]):
            if known in self.humans:
                return self.humans[known]
        return None

    def owns(self, number: str) -> bool:
        return number in self.numbers or number in self.verified


@dataclass
class Live:
    """Everything that has a name and may be looked up. Legs stay listed when they are over, and
    conferences too, by SID; `rooms` are those that live, by name.

    `next_call` is the carrier time from which the next call made by REST may start.
    """

    legs: dict[str, Leg] = field(default_factory=dict)
    rooms: dict[str, Room] = field(default_factory=dict)
    conferences: dict[str, Room] = field(default_factory=dict)
    queues: dict[str, Queue] = field(default_factory=dict)
    tapes: dict[str, Tape] = field(default_factory=dict)
    next_call: float = 0.0
    api_url: str = ""


@dataclass(frozen=True)
class Exchange:
    settings: Settings
    clock: Clock
    tasks: Tasks
    pump: Pump
    faults: Faults
    notices: Notices
    webhooks: Webhooks
    unconfirmed: Unconfirmed
    directory: Directory = field(default_factory=Directory)
    live: Live = field(default_factory=Live)

    def new_sid(self, prefix: str) -> str:
        """Return a fresh SID."""
        return ids.new_sid(prefix, self.settings.entropy.sids)

    def new_leg(
        self,
        from_: str,
        to: str,
        direction: str,
        *,
        parent: Leg | None = None,
        reports: StatusReports | None = None,
        extra: dict[str, str] | None = None,
    ) -> Leg:
        """Make a leg and list it."""
        about = About(
            sid=self.new_sid("CA"),
            account_sid=self.settings.account_sid,
            from_=from_,
            to=to,
            direction=direction,
            parent_sid=parent.sid if parent else "",
            extra=extra or {},
        )
        tools = Tools(self.clock, self.pump, self.webhooks)
        leg = Leg(tools, about, parent=parent, reports=reports)
        self.live.legs[leg.sid] = leg
        return leg

    def notice(self, code: int, text: str, leg: Leg | None = None) -> None:
        self.notices.add(code, text, leg.sid if leg else "", self.clock.now())

    def leftovers(self) -> list[str]:
        """Say what is still alive: legs, media sockets, rooms, callers in queues, recordings."""
        found = [
            f"leg {leg.sid} ({leg.about.direction}) is {leg.status}"
            for leg in self.live.legs.values()
            if leg.live
        ]
        found += [
            f"stream {stream.sid} of {leg.sid} is open"
            for leg in self.live.legs.values()
            for stream in leg.streams
            if stream.open
        ]
        found += [
            f"conference {room.name} has members {', '.join(room.members)}"
            for room in self.live.conferences.values()
            if room.members
        ]
        found += [
            f"queue {queue.name}: {waiting.leg.sid} waits"
            for queue in self.live.queues.values()
            for waiting in queue.waiting
        ]
        found += [
            f"recording {tape.sid} of {tape.leg.sid} is {tape.status}"
            for tape in self.live.tapes.values()
            if tape.running
        ]
        return found
