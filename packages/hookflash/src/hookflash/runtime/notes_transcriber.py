"""Notes: transcribe what a caller and a human say to each other.

    carrier --inbound---> caller --> a listening session ------CallerTranscribed--+
            --outbound--> human  --> another one --------------CallerTranscribed--+
                |                                                                 |
                +--> the call's audio capture                   HumanSaid --> the call

Each speaker has a session of their own, so it is known who says what, even if both talk at once.
The sessions are the model's and never answer. If a session fails, it is logged and opened again a
few times; the conversation continues without notes.

Notes end when the caller is no longer with a human, even if the stream stays open. The last words
are awaited for `_LAST_SECONDS`, and no longer than the call.

    resource            acquired   released
    the stream          attach()   the carrier's stop, the end of the bridge, a newer one, close()
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
from hookflash.runtime.audio_capture import AudioCapture
from hookflash.runtime.audio_rate_limit import FRAME_COST, AudioRateLimit
from hookflash.runtime.driver import Driver
from hookflash.runtime.ports import EventSink, ListeningStream, ModelConnector, ModelLink

log = logging.getLogger("hookflash.call")

Speaker = Literal["caller", "human"]

INSTRUCTIONS = "You only listen to a conversation between others. Never answer."

_WITH_HUMANS = (Phase.HANDING_OFF, Phase.WITH_HUMAN)

_LAST_SECONDS = 5.0
"""How long the last words may take to be transcribed after the conversation."""

_RETRY_SECONDS = (1.0, 5.0, 20.0, 60.0)
"""Seconds before a lost session is opened again. The number of entries limits the retries in a
row."""

_ITEMS = 32
"""How many turns of one speaker may wait for their transcription."""

_QUIET_BYTES = 1600
_QUIET = base64.b64encode(bytes([SILENCE]) * _QUIET_BYTES).decode()
_QUIET_PIECES = 5
"""How many silent pieces are sent at the end: one second, so that the session ends the last
turn."""

Open = Callable[[EventSink], ModelLink]


class NotesTranscriber:
    """Transcribes the notes of all calls of this process. `find` returns a call's driver.

    `connector` opens sessions while people are already talking: none is opened in advance.
    """

    def __init__(self, find: Callable[[str], Driver | None], connector: ModelConnector) -> None:
        self._find = find
        self._connector = connector
        self._all: set[CallTranscriber] = set()

    def attach(self, call_sid: str, step: int, stream: ListeningStream) -> CallTranscriber | None:
        """Accept a stream with a valid token. Return its receiver, or None if the call is
        elsewhere."""
        driver = self._find(call_sid)
        if driver is None or driver.call.phase not in _WITH_HUMANS:
            return None
        if step != driver.call.caller_leg.route.step:
            return None
        for before in self._all:
            if before.call_sid == call_sid:
                before.end()
        setup = driver.ports.model_setup(())
        listening = replace(setup, instructions=INSTRUCTIONS, tools=(), history=(), listens=True)
        notes = CallTranscriber(
            driver,
            stream,
            lambda on_event: self._connector.open(listening, on_event),
            on_over=self._all.discard,
        )
        self._all.add(notes)
        return notes

    def close(self) -> None:
        """Release everything at once, when the process ends."""
        for notes in tuple(self._all):
            notes.close()


class CallTranscriber:
    """Transcribes one stream: satisfies `carriers.twilio.notes_stream.NotesReceiver`."""

    def __init__(
        self,
        driver: Driver,
        stream: ListeningStream,
        open_session: Open,
        *,
        on_over: Callable[[CallTranscriber], None],
    ) -> None:
        self.call_sid = driver.call_sid
        self._driver = driver
        self._stream = stream
        self._on_over = on_over
        self._capture: AudioCapture | None = None
        self._sides: dict[Speaker, _SpeakerTranscriber] = {
            "caller": _SpeakerTranscriber(driver, "caller", open_session),
            "human": _SpeakerTranscriber(driver, "human", open_session),
        }
        self._ending = False
        self._timer: asyncio.TimerHandle | None = None

    def hear(self, speaker: Speaker, sound: CallerAudio) -> None:
        """Take one frame of one speaker: fifty times a second each."""
        if self._ending:
            return
        driver = self._driver
        if driver.call.phase not in _WITH_HUMANS or not self._sides[speaker].hear(sound):
            self.end()
            return
        capture = driver.audio_capture
        if capture is not None:
            if capture is not self._capture:
                capture.begin_notes()
            capture.notes_audio(sound, "inbound" if speaker == "caller" else "outbound")
        self._capture = capture

    def ended(self) -> None:
        """Handle the end of the stream."""
        self.end()

    def end(self) -> None:
        """Stop listening. Words already spoken are still transcribed."""
        if self._ending:
            return
        self._ending = True
        self._stream.close()
        for side in self._sides.values():
            side.end_turn()
        delay = self._driver.ports.clock.delay(_LAST_SECONDS)
        self._timer = asyncio.get_running_loop().call_later(delay, self.close)

    def close(self) -> None:
        """Release the stream and the sessions at once."""
        self._ending = True
        if self._timer is not None:
            self._timer.cancel()
        self._stream.close()
        for side in self._sides.values():
            side.close()
        self._on_over(self)


class _SpeakerTranscriber:
    """Sends one speaker's audio to a session and posts the transcribed words."""

    def __init__(self, driver: Driver, speaker: Speaker, open_session: Open) -> None:
        self._driver = driver
        self._speaker = speaker
        self._open = open_session
        self._now = driver.ports.clock.now
        self._audio_limit = AudioRateLimit(self._now)
        self._losses = 0
        self._retry_at: float | None = None
        self._items: dict[str, list[float]] = {}
        """Start, and end if known, of each turn that waits for its transcription."""
        self._closed = False
        self._link: ModelLink | None = open_session(self._take)

    def hear(self, sound: CallerAudio) -> bool:
        """Take a frame. Return False if the carrier exceeds the audio rate limit."""
        limit = self._audio_limit
        limit.left -= sound.size + FRAME_COST
        if limit.left < 0 and limit.over_limit(sound.size):
            if limit.exceeded:
                log.warning(
                    "%s ! the carrier sends audio for notes too fast: the notes end",
                    self._driver.call_sid,
                )
            return not limit.exceeded
        if self._link is None and self._retry_at is not None and self._now() >= self._retry_at:
            self._retry_at = None
            self._link = self._open(self._take)
        if self._link is not None:
            self._link.carry_out(SendCallerAudio(sound.payload, sound.size))
        return True

    def end_turn(self) -> None:
        """End the current turn: no more audio follows."""
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
