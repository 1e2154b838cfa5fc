"""A leg: one party's connection, with its status, its audio and its keys. It has a call SID.

    queued -> ringing -> in-progress -> completed
       +---------+--> busy | no-answer | failed | canceled

A leg decides nothing: TwiML (`twiml/execution.py`), a verb or its party does, and calls `ring`,
`answer` or `end`. Every change is written on the call's timeline. `inbound_audio` is what the party
says, `outbound_audio` what it hears: Twilio's names of the two tracks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hookflash_local.carrier.clock import Clock
from hookflash_local.carrier.ids import API_VERSION
from hookflash_local.carrier.legs.timeline import Event, Timeline
from hookflash_local.carrier.media.frame_clock import FrameClock
from hookflash_local.carrier.media.playout import FRAME_SAMPLES, Playout, sample_at, seconds_at
from hookflash_local.carrier.media.sources import QUIET, OutboundAudio, Source
from hookflash_local.carrier.webhooks import FINAL_STATUSES, StatusCallback, Webhooks

if TYPE_CHECKING:
    from hookflash_local.carrier.media.streams import Stream
    from hookflash_local.carrier.twiml.fetch import Entry


@dataclass
class About:
    """The facts that REST shows. Times are seconds since 1970, on the carrier's clock."""

    sid: str
    account_sid: str
    from_: str
    to: str
    direction: str
    parent_sid: str = ""
    status: str = "queued"
    created: float = 0.0
    answered: float | None = None
    ended: float | None = None
    extra: dict[str, str] = field(default_factory=dict)
    """Further webhook parameters, such as CallerName or StirVerstat."""
    answered_by: str = ""
    """What machine detection found."""
    refer_answer: str = "202"
    """What the device of this party answers to a SIP REFER."""
    queue_ms: int = 0
    """How long a call made by REST waited for its turn."""


@dataclass
class Execution:
    """Which TwiML runs on the leg. `pending` is what a REST update put in its place."""

    task: asyncio.Task[None] | None = None
    document_task: asyncio.Task[object] | None = None
    pending: Entry | None = None
    fallback: tuple[str, str] | None = None
    """The URL that is asked when a document fails, and its method."""
    left_dial: asyncio.Event = field(default_factory=asyncio.Event)
    """A dialled leg was moved by REST: it is no longer its parent's."""
    script_started: bool = False
    """The script of the called party has begun."""
    limit: asyncio.Task[None] | None = None
    """The task that ends the leg at its `TimeLimit`."""


@dataclass(frozen=True)
class Tools:
    """The services of the carrier that every leg uses."""

    clock: Clock
    frame_clock: FrameClock
    webhooks: Webhooks


@dataclass(frozen=True)
class Recording:
    """What one party heard and said since it was answered: mu-law, equally long, no gaps.

    `answered_at` is the time of the first sample, in seconds since the call began; with it the
    recordings of several legs can be laid side by side.
    """

    heard: bytes
    said: bytes
    answered_at: float | None
    events: list[Event]


class Leg:
    """`legs` are this one and those that were dialled from it; `streams` its media streams."""

    def __init__(
        self,
        tools: Tools,
        about: About,
        *,
        parent: Leg | None = None,
        status_callback: StatusCallback | None = None,
    ) -> None:
        # On a whole sample, so that the recordings of a call's legs can be laid side by side.
        now = seconds_at(sample_at(tools.clock.now()))
        self.tools = tools
        self.about = about
        self.timeline: Timeline = parent.timeline if parent else Timeline(now)
        self.status_callback = status_callback or StatusCallback()
        self.outbound_audio = OutboundAudio()
        self.inbound_audio = Playout(now)
        self.execution = Execution()
        self.children: list[Leg] = []
        self.streams: list[Stream] = []
        self.on_key: Callable[[str], None] | None = None
        self._answered = asyncio.Event()
        self._ended = asyncio.Event()
        about.created = tools.clock.wall()
        if parent:
            parent.children.append(self)

    @property
    def sid(self) -> str:
        return self.about.sid

    @property
    def status(self) -> str:
        return self.about.status

    @property
    def live(self) -> bool:
        """Not over: queued, ringing or in progress."""
        return self.status not in FINAL_STATUSES

    @property
    def legs(self) -> list[Leg]:
        return [self, *(leg for child in self.children for leg in child.legs)]

    @property
    def seconds(self) -> float | None:
        """How long it has been, or was, answered."""
        if self.about.answered is None:
            return None
        return (self.about.ended or self.tools.clock.wall()) - self.about.answered

    def form(self) -> dict[str, str]:
        """Return the parameters that every webhook of this leg carries."""
        about = self.about
        form = {
            "CallSid": about.sid,
            "AccountSid": about.account_sid,
            "From": about.from_,
            "To": about.to,
            "Caller": about.from_,
            "Called": about.to,
            "CallStatus": about.status,
            "ApiVersion": API_VERSION,
            "Direction": about.direction,
        }
        if about.parent_sid:
            form["ParentCallSid"] = about.parent_sid
        return {**form, **about.extra}

    def note(self, kind: str, **detail: object) -> None:
        self.timeline.add(kind, self.sid, self.tools.clock.now(), **detail)

    def initiate(self) -> None:
        """The call is being made. REST still shows it as queued, callbacks say `initiated`."""
        self._become(self.status, "initiated")

    def ring(self) -> None:
        self._become("ringing", "ringing")

    def answer(self) -> None:
        """Pick up. Does nothing if it is answered already."""
        if self.status not in ("queued", "ringing"):
            return
        now = self.tools.clock.now()
        self.about.answered = self.tools.clock.wall()
        self.outbound_audio.open(now)
        self.tools.frame_clock.add(self._frame_is_over)
        self._become("in-progress", "answered")
        self._answered.set()

    def end(self, status: str, by: str) -> None:
        """Be over. `by` says whose doing it was: party, twiml, rest, dial, carrier."""
        if not self.live:
            return
        now = self.tools.clock.now()
        self.tools.frame_clock.remove(self._frame_is_over)
        self.outbound_audio.close(now)
        self.inbound_audio.clear(now)
        self.about.ended = self.tools.clock.wall()
        self.about.status = status
        self.note("ended", status=status, by=by)
        self.status_callback.notify(
            "completed",
            self.form(),
            self.tools.webhooks,
            wall=self.tools.clock.wall(),
            seconds=self.seconds,
        )
        self._answered.set()
        self._ended.set()
        if self.execution.document_task:
            self.execution.document_task.cancel()

    def listen_to(self, source: Source | None) -> None:
        """Let the party hear `source` from this sample on; None is silence."""
        self.outbound_audio.switch(source or QUIET, self.tools.clock.now())

    def press(self, digit: str) -> None:
        """Press a key; the current listener for keys gets it."""
        self.note("digit", digit=digit)
        if self.on_key:
            self.on_key(digit)

    async def answered(self) -> bool:
        """Wait until this leg is answered (True) or over without that (False)."""
        await self._answered.wait()
        return self.about.answered is not None

    async def ended(self) -> None:
        """Wait until this leg is over."""
        await self._ended.wait()

    def recording(self) -> Recording:
        """Return what this leg heard and said so far."""
        events = [event for event in self.timeline.events if event.call_sid == self.sid]
        opened = self.outbound_audio.opened_at
        if opened is None:
            return Recording(b"", b"", None, events)
        heard = bytes(self.outbound_audio.recording)
        first = sample_at(opened)
        said = self.inbound_audio.read(first, first + len(heard))
        return Recording(heard, said, opened - self.timeline.start, events)

    def _frame_is_over(self, frame: int) -> None:
        self.outbound_audio.advance((frame + 1) * FRAME_SAMPLES)

    def _become(self, status: str, event: str) -> None:
        self.about.status = status
        self.note(event)
        form = self.form()
        if event == "initiated":
            form["CallStatus"] = event
        self.status_callback.notify(
            event,
            form,
            self.tools.webhooks,
            wall=self.tools.clock.wall(),
            seconds=self.seconds,
        )
