"""Capture both directions of a call as stereo on one sample clock, for recordings and listeners.

    carrier --CallerAudio--> +----------------+
                             |  AudioCapture  | --Block--> a recording (recorder.py)
    PlayAudio, and the       |                | --Block--> listeners (live_audio.py)
    ledger's state ------->  +----------------+

Left is the caller. Right is what the caller heard: audio that was sent but cut never appears. A
capture exists only while a sink wants its blocks. In the event loop's thread it only computes
positions; sinks decode the blocks, and another thread writes to the disk.

A block is emitted when both sides are settled up to its end. Audio waits for its mark, so a block
comes some tenths of a second late, at most `_MAX_LATE_MS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal

from hookflash.core.audio import BYTES_PER_MS
from hookflash.core.call import Call
from hookflash.core.commands import AnyCommand, PlayAudio, SendMark
from hookflash.core.events import CallerAudio
from hookflash.runtime.audio_timeline import AgentTimeline, CallerTimeline
from hookflash.runtime.recorder import Recording, Recordings
from hookflash.runtime.tracks import FRAME_SAMPLES, Block, Sink, Track

_MAX_LATE_MS = 4000.0
"""One chunk of 1 s, one round trip and 1 s for its mark, with a margin."""

_LONGEST = 2 * 1000 * BYTES_PER_MS
"""The longest block, so that a long silence does not use much memory."""


class AudioCapture:
    """The audio capture of one call. Use it in the event loop's thread.

    `on_unused` is called when the last sink was removed.
    """

    def __init__(
        self,
        call: Call,
        now: Callable[[], float],
        recordings: Recordings | None = None,
        *,
        on_unused: Callable[[], None],
    ) -> None:
        self.zero = now()
        """The time of sample 0, in seconds since 1970."""
        self._call = call
        self._now = now
        self._recordings = recordings
        self._on_unused = on_unused
        zero_ms = self.zero * 1000
        self._left, self._right = Track(), Track()
        self._caller = CallerTimeline(self._left, zero_ms)
        self._agent = AgentTimeline(self._right, zero_ms)
        self._human = CallerTimeline(self._right, zero_ms)
        self._stream_sid = call.caller_leg.stream_sid
        self._open = True
        self._in_notes = False
        self._emitted = 0
        self._sinks: list[Sink] = []
        self._recording: Recording | None = None
        self._every = self._due = 1

    # --- sinks --------------------------------------------------------------------------------

    def add(self, sink: Sink) -> None:
        self._sinks.append(sink)
        self._sinks_changed()

    def remove(self, sink: Sink) -> None:
        """Remove a sink. It gets no more blocks. An unknown sink is ignored."""
        if sink not in self._sinks:
            return
        self._sinks.remove(sink)
        self._sinks_changed()

    def record(self, since: float) -> None:
        """Start recording the call, if recordings are configured. Ignored if it is being
        recorded."""
        if self._recording is None and self._recordings is not None:
            call_sid = self._call.info.call_sid
            self._recording = self._recordings.begin(call_sid, since=since, zero=self.zero)
            self.add(self._recording)
        self._sinks_changed()

    def stop_recording(self) -> None:
        """Delete the recording, including that of an earlier process, and stop recording."""
        recording, self._recording = self._recording, None
        if recording is not None:
            self._sinks.remove(recording)
        if self._recordings is not None:
            self._recordings.discard(self._call.info.call_sid)
        self._sinks_changed()

    def close(self) -> None:
        """Emit all remaining audio and end every sink: the call has ended."""
        self.follow(())
        self._flush()
        sinks, self._sinks = self._sinks, []
        for sink in sinks:
            sink.end()
        self._on_unused()

    def _sinks_changed(self) -> None:
        if self._sinks:
            self._every = self._due = min(each.block_frames for each in self._sinks)
        else:
            self._on_unused()

    # --- audio in -----------------------------------------------------------------------------

    def add_caller_audio(self, event: CallerAudio) -> None:
        """Take a frame from the caller. As this happens fifty times a second, it also drives the
        blocks."""
        now = self._now()
        self._caller.heard.append((event, now))
        self._due -= 1
        if self._due <= 0:
            self._due = self._every
            self._emit_settled(now * 1000)

    def follow(self, commands: Iterable[AnyCommand]) -> None:
        """Follow the ledger after the core has handled an event and returned `commands`."""
        now_ms = self._now() * 1000
        sent: list[PlayAudio] = []
        marks = False
        for command in commands:
            if type(command) is PlayAudio:
                sent.append(command)
            elif type(command) is SendMark:
                marks = True
        played = self._call.conversation.playout.played()
        stream_sid = self._call.caller_leg.stream_sid
        if stream_sid != self._stream_sid and stream_sid is not None:
            self._stream_sid = stream_sid
            self._in_notes = False
            self._caller.restart()
        cut_ms = now_ms
        over = self._open and not played.open
        if over:
            # The caller heard nothing after the last audio that came from them.
            self._caller.flush()
            last_ms = self.zero * 1000 + self._left.end / BYTES_PER_MS
            cut_ms = min(now_ms, last_ms - played.round_trip_ms)
        self._open = played.open
        if marks and not sent:
            self._agent.mark_sent(now_ms)
        self._agent.follow(played, sent, now_ms, cut_ms)
        if over:
            self._flush()

    def notes_audio(self, event: CallerAudio, track: Literal["inbound", "outbound"]) -> None:
        """Take a frame of a notes stream, while the caller talks with a human.

        `inbound` is the caller, `outbound` is what the caller hears.
        """
        if track == "inbound":
            self.add_caller_audio(event)
        else:
            self._human.heard.append((event, self._now()))

    def begin_notes(self) -> None:
        """Begin a notes stream, which has its own presentation clock."""
        self._in_notes = True
        self._caller.restart()
        self._human.restart()

    # --- blocks -------------------------------------------------------------------------------

    def _emit_settled(self, now_ms: float) -> None:
        """Emit what is settled, in whole frames."""
        self._caller.flush()
        self._human.flush()
        until = min(self._left.end, self._agent.settled(now_ms))
        if self._in_notes:
            until = min(until, self._right.end)
        late = round((now_ms - _MAX_LATE_MS - self.zero * 1000) * BYTES_PER_MS)
        self._emit(max(until, late) // FRAME_SAMPLES * FRAME_SAMPLES)

    def _flush(self) -> None:
        """Emit everything that was placed: no more audio is expected for now."""
        self._caller.flush()
        self._human.flush()
        self._emit(max(self._left.end, self._right.end))

    def _emit(self, until: int) -> None:
        while self._emitted < until:
            end = min(until, self._emitted + _LONGEST)
            left, right = self._left.take(end), self._right.take(end)
            if left or right or end == until:
                block = Block(self._emitted, end - self._emitted, left, right)
                for sink in tuple(self._sinks):
                    sink.put(block)
            self._emitted = end
