"""Notes: what a caller and a human say to each other is written down.

    carrier --inbound---> caller --> a session that only listens --CallerTranscribed--+
            --outbound--> human  --> another one ------------------CallerTranscribed--+
                |                                                                     |
                +--> the call's tap, for recordings and listeners     HumanSaid --> the call

A session for each of both, so that it is known who says what and neither talks over the other.
They are the model's, and answer nothing. The talk does not depend on any of it: what fails here is
logged and tried again a few times, and the talk goes on without notes.

The notes are over when the caller is with humans no more, whatever becomes of the stream, which
would go on to hear the agent. What was said last is waited for: `_LAST_SECONDS`, and no longer than
the call.

    resource            acquired   released
    the stream          attach()   the carrier's stop, the end of the talk, a newer one, close()
    a call's sessions   attach()   `_LAST_SECONDS` after the stream, or close()
    a timer             the end    when it is due, or close()
"""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import Callable
from typing import Literal

from msgspec.structs import replace

from hookflash.core.audio import SILENCE
from hookflash.core.commands import SendCallerAudio
from hookflash.core.events import (
    AnyEvent,
    CallerAudio,
    CallerSpeechStarted,
    CallerSpeechStopped,
    CallerTranscribed,
    HumanSaid,
    ModelLost,
    ModelReady,
)
from hookflash.core.phases import Phase
from hookflash.runtime.allowance import FRAME_PRICE, Allowance
from hookflash.runtime.driver import Driver
from hookflash.runtime.ports import EventSink, ListeningStream, ModelConnector, ModelLink
from hookflash.runtime.tap import Tap

log = logging.getLogger("hookflash.call")

Speaker = Literal["caller", "human"]

INSTRUCTIONS = "You only listen to a conversation between others. Never answer."

_WITH_HUMANS = (Phase.HANDING_OFF, Phase.WITH_HUMAN)

_LAST_SECONDS = 5.0
"""What the last words may take to be written down, once the talk is over."""

_RETRY_SECONDS = (1.0, 5.0, 20.0, 60.0)
"""A session that is lost is opened again after so long, this often in a row."""

_ITEMS = 32
"""So many turns of a speaker may wait for their words."""

_QUIET_BYTES = 1600
_QUIET = base64.b64encode(bytes([SILENCE]) * _QUIET_BYTES).decode()
_QUIET_PIECES = 5
"""A second without sound, by which a session finds that the last turn is over."""

Open = Callable[[EventSink], ModelLink]


class Notes:
    """The notes of all calls of this process. `find` gives a call's driver.

    `connector` opens sessions while somebody talks already: none is kept warm for them.
    """

    def __init__(self, find: Callable[[str], Driver | None], connector: ModelConnector) -> None:
        self._find = find
        self._connector = connector
        self._all: set[CallNotes] = set()

    def attach(self, call_sid: str, step: int, stream: ListeningStream) -> CallNotes | None:
        """A stream with a good token. Return who listens to it; None if the call is elsewhere."""
        driver = self._find(call_sid)
        if driver is None or driver.call.phase not in _WITH_HUMANS:
            return None
        if step != driver.call.caller_leg.route.step:
            return None
        for before in self._all:
            if before.call_sid == call_sid:
                before.end()
        setup = driver.outside.model_setup(())
        listening = replace(setup, instructions=INSTRUCTIONS, tools=(), history=(), listens=True)
        notes = CallNotes(
            driver,
            stream,
            lambda on_event: self._connector.open(listening, on_event),
            on_over=self._all.discard,
        )
        self._all.add(notes)
        return notes

    def close(self) -> None:
        """Let go of everything at once; for a process that ends."""
        for notes in tuple(self._all):
            notes.close()


class CallNotes:
    """The notes of one stream: satisfies `carriers.twilio.notes.Ears`."""

    def __init__(
        self,
        driver: Driver,
        stream: ListeningStream,
        open_session: Open,
        *,
        on_over: Callable[[CallNotes], None],
    ) -> None:
        self.call_sid = driver.call_sid
        self._driver = driver
        self._stream = stream
        self._on_over = on_over
        self._tap: Tap | None = None
        self._sides: dict[Speaker, _Side] = {
            "caller": _Side(driver, "caller", open_session),
            "human": _Side(driver, "human", open_session),
        }
        self._ending = False
        self._timer: asyncio.TimerHandle | None = None

    def hear(self, speaker: Speaker, sound: CallerAudio) -> None:
        """Something was said, or heard by the caller: fifty times a second for each."""
        if self._ending:
            return
        driver = self._driver
        if driver.call.phase not in _WITH_HUMANS or not self._sides[speaker].hear(sound):
            self.end()
            return
        tap = driver.tap
        if tap is not None:
            if tap is not self._tap:
                tap.notes_begin()
            tap.notes(sound, "inbound" if speaker == "caller" else "outbound")
        self._tap = tap

    def ended(self) -> None:
        """The stream is over, whoever has ended it."""
        self.end()

    def end(self) -> None:
        """Listen no more; what was said is still written down."""
        if self._ending:
            return
        self._ending = True
        self._stream.close()
        for side in self._sides.values():
            side.rest()
        delay = self._driver.outside.clock.delay(_LAST_SECONDS)
        self._timer = asyncio.get_running_loop().call_later(delay, self.close)

    def close(self) -> None:
        """Let go of stream and sessions at once."""
        self._ending = True
        if self._timer is not None:
            self._timer.cancel()
        self._stream.close()
        for side in self._sides.values():
            side.close()
        self._on_over(self)


class _Side:
    """One of both: what they say goes into a session, and their words come out of it."""

    def __init__(self, driver: Driver, speaker: Speaker, open_session: Open) -> None:
        self._driver = driver
        self._speaker = speaker
        self._open = open_session
        self._now = driver.outside.clock.now
        self._allowance = Allowance(self._now)
        self._losses = 0
        self._retry_at: float | None = None
        self._items: dict[str, list[float]] = {}
        """When each turn began, and ended, that waits for its words."""
        self._closed = False
        self._link: ModelLink | None = open_session(self._take)

    def hear(self, sound: CallerAudio) -> bool:
        """Take a frame. Return False for one too many: the carrier floods the stream."""
        allowance = self._allowance
        allowance.left -= sound.size + FRAME_PRICE
        if allowance.left < 0 and allowance.overdrawn(sound.size):
            if allowance.spent:
                log.warning("%s ! the carrier floods the notes", self._driver.call_sid)
            return not allowance.spent
        if self._link is None and self._retry_at is not None and self._now() >= self._retry_at:
            self._retry_at = None
            self._link = self._open(self._take)
        if self._link is not None:
            self._link.carry_out(SendCallerAudio(sound.payload, sound.size))
        return True

    def rest(self) -> None:
        """Nothing more comes: what is being said is over."""
        self._retry_at = None
        if self._link is not None:
            for _ in range(_QUIET_PIECES):
                self._link.carry_out(SendCallerAudio(_QUIET, _QUIET_BYTES))

    def close(self) -> None:
        self._closed = True
        if self._link is not None:
            self._link.close()
            self._link = None

    def _take(self, event: AnyEvent) -> None:
        match event:
            case CallerSpeechStarted(item_id=item):
                while len(self._items) >= _ITEMS:
                    del self._items[next(iter(self._items))]
                self._items[item] = [self._now()]
            case CallerSpeechStopped(item_id=item):
                if item in self._items:
                    self._items[item].append(self._now())
            case CallerTranscribed(item_id=item, text=text):
                self._write(self._items.pop(item, []), text.strip())
            case ModelReady():
                log.debug("%s = notes of the %s", self._driver.call_sid, self._speaker)
            case ModelLost():
                self._lost(event)

    def _write(self, times: list[float], text: str) -> None:
        self._losses = 0
        driver = self._driver
        if self._closed or not text or driver.call.phase is Phase.ENDED:
            return
        now = self._now()
        began, ended = (*times, now, now)[:2]
        driver.post(HumanSaid(self._speaker, text, began, ended))

    def _lost(self, event: ModelLost) -> None:
        self._link = None
        self._items.clear()
        if event.remedy == "rotate" and self._losses < len(_RETRY_SECONDS):
            self._retry_at = self._now() + _RETRY_SECONDS[self._losses]
            self._losses += 1
        log.warning(
            "%s ! notes of the %s%s: %s",
            self._driver.call_sid,
            self._speaker,
            "" if self._retry_at is not None else " are given up",
            event.reason,
        )
