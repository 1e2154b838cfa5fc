"""What TwiML and REST share: settings, services, and every live call, conference and queue.

It only looks things up; `carrier.py` creates one for each carrier.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hookflash_local.carrier import ids
from hookflash_local.carrier.alerts import Alerts, Unconfirmed
from hookflash_local.carrier.clock import Clock
from hookflash_local.carrier.faults import Faults
from hookflash_local.carrier.legs.leg import About, Leg, Tools
from hookflash_local.carrier.media.frame_clock import FrameClock
from hookflash_local.carrier.parties import Human, Speak
from hookflash_local.carrier.randomness import RandomStreams
from hookflash_local.carrier.tasks import Tasks
from hookflash_local.carrier.webhooks import StatusCallback, Webhooks

if TYPE_CHECKING:
    from hookflash_local.carrier.conferences import Conference
    from hookflash_local.carrier.media.recordings import CallRecording
    from hookflash_local.carrier.queues import Queue


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
    status_method: str = "POST"


@dataclass(frozen=True)
class Settings:
    """`speak` turns text to mu-law; `network_seconds` is the latency of media streams, each way;
    `random` is the source of random numbers."""

    account_sid: str
    auth_token: str
    speak: Speak
    network_seconds: float = 0.0
    allow_insecure: bool = False
    calls_per_second: float = 1.0
    transcribe: Transcribe | None = None
    recordings_need_auth: bool = True
    random: RandomStreams = field(default_factory=RandomStreams)


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
    conferences too, by SID; `conferences_by_name` holds the live ones.

    `next_call` is the carrier time from which the next call made by REST may start.
    """

    legs: dict[str, Leg] = field(default_factory=dict)
    conferences_by_name: dict[str, Conference] = field(default_factory=dict)
    conferences: dict[str, Conference] = field(default_factory=dict)
    queues: dict[str, Queue] = field(default_factory=dict)
    recordings: dict[str, CallRecording] = field(default_factory=dict)
    conference_sids: dict[str, str] = field(default_factory=dict)
    """SIDs that REST gave to conferences that nobody has joined yet, by name."""
    next_call: float = 0.0
    api_url: str = ""


@dataclass(frozen=True)
class Exchange:
    settings: Settings
    clock: Clock
    tasks: Tasks
    frame_clock: FrameClock
    faults: Faults
    alerts: Alerts
    webhooks: Webhooks
    unconfirmed: Unconfirmed
    directory: Directory = field(default_factory=Directory)
    live: Live = field(default_factory=Live)

    def new_sid(self, prefix: str) -> str:
        """Return a fresh SID."""
        return ids.new_sid(prefix, self.settings.random.sids)

    def new_leg(
        self,
        from_: str,
        to: str,
        direction: str,
        *,
        parent: Leg | None = None,
        status_callback: StatusCallback | None = None,
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
        tools = Tools(self.clock, self.frame_clock, self.webhooks)
        leg = Leg(tools, about, parent=parent, status_callback=status_callback)
        self.live.legs[leg.sid] = leg
        return leg

    def alert(self, code: int, text: str, leg: Leg | None = None) -> None:
        self.alerts.add(code, text, leg.sid if leg else "", self.clock.now())

    def leftovers(self) -> list[str]:
        """Describe what is still running: legs, media sockets, conferences, queues, recordings."""
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
            f"conference {conference.name} has participants {', '.join(conference.participants)}"
            for conference in self.live.conferences.values()
            if conference.participants
        ]
        found += [
            f"queue {queue.name}: {member.leg.sid} waits"
            for queue in self.live.queues.values()
            for member in queue.members
        ]
        found += [
            f"recording {recording.sid} of {recording.leg.sid} is {recording.status}"
            for recording in self.live.recordings.values()
            if recording.running
        ]
        return found
