"""One telephone in a browser: what its owner does, and what its page is shown.

    idle -> calling ------> talking -> idle          calling: this phone has dialled
      +---> ringing ----------^  |
               +-- declined, missed, answered elsewhere --> idle

A phone lives longer than its page: a page that was loaded again takes up the phone, call and all,
by its token. Sound that comes while there is no page is lost, as on any telephone laid down.

resource                   | acquired        | released
following a call, by Tasks | `_begin`        | when the leg is over
holding, by Tasks          | `hold(True)`    | `hold(False)`, or when the leg is over
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Protocol

from hookflash_local.carrier.exchange import Exchange
from hookflash_local.carrier.legs.leg import Leg
from hookflash_local.carrier.legs.timeline import Event
from hookflash_local.carrier.media import sounds
from hookflash_local.carrier.parties import Line
from hookflash_local.carrier.phones.jitter_buffer import JitterBuffer
from hookflash_local.carrier.phones.messages import PhoneState, Role, Shown

_ENDS = {
    "completed": "over",
    "busy": "busy",
    "no-answer": "no-answer",
    "failed": "failed",
    "canceled": "over",
}
"""What a page says of a leg's last status."""


class Page(Protocol):
    """Where a phone is shown. None of these waits."""

    def show(self, shown: Shown) -> None: ...
    def hear(self, frame: bytes) -> None: ...
    def replaced(self) -> None: ...


@dataclass
class OnCall:
    """The call that a phone has. `choice` is set while it rings: True answers, False declines."""

    leg: Leg
    line: Line
    microphone: JitterBuffer
    choice: asyncio.Future[bool] | None = None
    said: tuple[str, ...] = ()
    wants_key: bool = False
    hears: set[str] = field(default_factory=set)
    """Who is at the other end: a bridge, a conference, streams. Of a caller who moves from one to
    another, the first may be told to be over after the second has begun."""
    muted: bool = False
    holding: asyncio.Task[None] | None = field(default=None, repr=False)


class Phone:
    def __init__(self, exchange: Exchange, token: str, number: str, role: Role) -> None:
        self.token = token
        self.number = number
        self.role = role
        self.call: OnCall | None = None
        self.page: Page | None = None
        self._ended = ""
        self._exchange = exchange

    @property
    def shown(self) -> Shown:
        """The whole state, as a page gets it."""
        call = self.call
        if call is None:
            return Shown(self.token, self.number, self.role, ended=self._ended)
        about = call.leg.about
        dialled = about.direction == "inbound"
        state: PhoneState = "talking"
        if call.choice is not None:
            state = "ringing"
        elif about.answered is None:
            state = "calling" if dialled else "ringing"
        return Shown(
            self.token,
            self.number,
            self.role,
            state=state,
            peer=about.to if dialled else about.from_,
            seconds=call.leg.seconds or 0.0,
            muted=call.muted,
            held=call.holding is not None,
            wants_key=call.wants_key,
            connected=bool(call.hears),
            said=call.said,
            call_sid=call.leg.sid,
        )

    def attach(self, page: Page) -> None:
        """Be shown on `page` from now on, and no longer where it was."""
        if self.page is not None:
            self.page.replaced()
        self.page = page
        self._show()

    def dialled(self, leg: Leg) -> None:
        """This phone has placed the call `leg`."""
        self._begin(self._on(leg))

    def ring(self, leg: Leg) -> asyncio.Future[bool]:
        """Ring for `leg`; what comes back tells whether its owner picked up or declined.

        Call `pick_up` or `stop_ringing` when it is decided.
        """
        choice = asyncio.get_running_loop().create_future()
        self.call = self._on(leg)
        self.call.choice = choice
        self._show()
        return choice

    def pick_up(self) -> None:
        """This phone has the call for which it rang."""
        if self.call is not None:
            self.call.choice = None
            self._begin(self.call)

    def stop_ringing(self, ended: str) -> None:
        """Stop ringing: the call is not this phone's. `ended` says what happened to it instead."""
        self.call = None
        self._ended = ended
        self._show()

    def decide(self, answer: bool) -> bool:
        """Answer or decline; False if it does not ring."""
        choice = self.call.choice if self.call is not None else None
        if choice is None or choice.done():
            return False
        choice.set_result(answer)
        return True

    async def hang_up(self) -> None:
        """End the call, or decline it while it rings."""
        if self.call is not None and not self.decide(False):
            await self.call.line.hang_up()

    def press(self, key: str) -> None:
        if self.call is not None and self.call.leg.about.answered is not None:
            self.call.leg.press(key)

    def mute(self, on: bool) -> None:
        if self.call is not None:
            self.call.muted = on
            self._show()

    def hold(self, on: bool) -> None:
        """Let the other side hear music, and this page nothing, until it is taken back."""
        call = self.call
        if call is None or call.leg.about.answered is None or on == (call.holding is not None):
            return
        if on:
            work = self._play_music(call)
            call.holding = self._exchange.tasks.start(work, f"hold {call.leg.sid}")
        else:
            self._stop_holding(call)
        self._show()

    def speak(self, frame: bytes) -> None:
        """Say 20 ms into the line, unless there is nobody to hear them."""
        call = self.call
        if (
            call is None
            or not call.leg.outbound_audio.is_open
            or call.muted
            or call.holding is not None
        ):
            return
        call.microphone.speak(frame, self._exchange.clock.now())

    def _on(self, leg: Leg) -> OnCall:
        self._ended = ""
        return OnCall(
            leg, Line(leg, self._exchange.settings.speak), JitterBuffer(leg.inbound_audio)
        )

    def _begin(self, call: OnCall) -> None:
        self.call = call
        self._show()
        self._exchange.tasks.start(self._follow(call), f"phone {call.leg.sid}")

    async def _follow(self, call: OnCall) -> None:
        tasks = self._exchange.tasks
        following = (
            tasks.start(self._watch(call), f"phone events {call.leg.sid}"),
            tasks.start(self._listen(call), f"phone sound {call.leg.sid}"),
        )
        try:
            await call.leg.ended()
        finally:
            for task in following:
                task.cancel()
            self._stop_holding(call)
        if self.call is call:
            self.call = None
            self._ended = _ENDS[call.leg.status]
            self._show()

    async def _watch(self, call: OnCall) -> None:
        """Keep up with what happens on the leg."""
        timeline, seen = call.leg.timeline, 0
        while True:
            events = await timeline.after(seen)
            seen += len(events)
            for event in events:
                if event.call_sid == call.leg.sid:
                    self._happened(call, event)

    def _happened(self, call: OnCall, event: Event) -> None:
        match event.kind:
            case "say":
                call.said = (*call.said, str(event.detail["text"]))
            case "gathering":
                call.wants_key = True
            case "gathered":
                call.wants_key = False
            case "bridged" | "conference-joined" | "stream-started":
                call.hears.add(_end_of(event))
                call.wants_key = False
            case "unbridged" | "left" | "stream-stopped":
                call.hears.discard(_end_of(event))
            case "answered":
                """Shown below: the clock of the call runs from here."""
            case _:
                return
        self._show()

    async def _listen(self, call: OnCall) -> None:
        """Let the page hear what the leg hears."""
        if not await call.leg.answered():
            return
        async for frame in call.line.frames():
            if self.page is not None and call.holding is None:
                self.page.hear(frame)

    async def _play_music(self, call: OnCall) -> None:
        clock = self._exchange.clock
        while True:
            call.leg.inbound_audio.play(sounds.hold_music(), clock.now())
            await clock.sleep_until(call.leg.inbound_audio.end)

    def _stop_holding(self, call: OnCall) -> None:
        if call.holding is not None:
            call.holding.cancel()
            call.holding = None
            call.leg.inbound_audio.clear(self._exchange.clock.now())

    def _show(self) -> None:
        if self.page is not None:
            self.page.show(self.shown)


def _end_of(event: Event) -> str:
    """Return which end an event is about."""
    match event.kind:
        case "bridged" | "unbridged":
            return "bridge"
        case "conference-joined" | "left":
            return f"conference {event.detail['conference']}"
    return f"stream {event.detail['stream']}"
