"""The tap of a call: both directions as stereo on one sample clock, for whoever keeps or hears it.

    carrier --CallerAudio--> +--------+
                             |  Tap   | --Block--> a recording (recorder.py)
    PlayAudio, and what the  |        | --Block--> those who listen (listening.py)
    ledger says of it ---->  +--------+

Left is the caller; right is all that the caller heard: what was sent and cut never appears. There
is a tap only while somebody wants its blocks, and all that it does in the event loop's thread is
to count; decoding is left to who takes the blocks, and the disk to another thread.

A block is cut off when both sides are settled so far. Sound waits for its mark, so that is some
tenths of a second after the moment, and `_MOST_LATE_MS` at the very most.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal

from hookflash.core.audio import BYTES_PER_MS
from hookflash.core.call import Call
from hookflash.core.commands import AnyCommand, PlayAudio, SendMark
from hookflash.core.events import CallerAudio
from hookflash.runtime.recorder import Recording, Recordings
from hookflash.runtime.sides import AgentSide, CallerSide
from hookflash.runtime.tracks import FRAME_SAMPLES, Block, Sink, Track

_MOST_LATE_MS = 4000.0
"""A chunk of a second, a road, and a second's patience with its mark; and some room."""

_LONGEST = 2 * 1000 * BYTES_PER_MS
"""Blocks are not longer, so that a long silence is not one great piece of memory."""


class Tap:
    """The tap of one call. Used in the event loop's thread; `on_unused` when the last sink left."""

    def __init__(
        self,
        call: Call,
        now: Callable[[], float],
        recordings: Recordings | None = None,
        *,
        on_unused: Callable[[], None],
    ) -> None:
        self.zero = now()
        """The moment of sample 0, in seconds since 1970."""
        self._call = call
        self._now = now
        self._recordings = recordings
        self._on_unused = on_unused
        zero_ms = self.zero * 1000
        self._left, self._right = Track(), Track()
        self._caller = CallerSide(self._left, zero_ms)
        self._agent = AgentSide(self._right, zero_ms)
        self._human = CallerSide(self._right, zero_ms)
        self._stream_sid = call.caller_leg.stream_sid
        self._open = True
        self._noting = False
        self._taken = 0
        self._sinks: list[Sink] = []
        self._recording: Recording | None = None
        self._every = self._due = 1

    # --- who wants it -------------------------------------------------------------------------

    def add(self, sink: Sink) -> None:
        self._sinks.append(sink)
        self._sinks_changed()

    def remove(self, sink: Sink) -> None:
        """Let go of a sink, which gets no more blocks; one that is gone already changes nothing."""
        if sink not in self._sinks:
            return
        self._sinks.remove(sink)
        self._sinks_changed()

    def record(self, since: float) -> None:
        """Have the call recorded, where anything is; again while it is changes nothing."""
        if self._recording is None and self._recordings is not None:
            call_sid = self._call.info.call_sid
            self._recording = self._recordings.begin(call_sid, since=since, zero=self.zero)
            self.add(self._recording)
        self._sinks_changed()

    def stop_recording(self) -> None:
        """Have the recording deleted, of this process or one before, and what is to come too."""
        recording, self._recording = self._recording, None
        if recording is not None:
            self._sinks.remove(recording)
        if self._recordings is not None:
            self._recordings.discard(self._call.info.call_sid)
        self._sinks_changed()

    def close(self) -> None:
        """The call is over: hand out all there is, and end every sink."""
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

    # --- what happens -------------------------------------------------------------------------

    def caller(self, event: CallerAudio) -> None:
        """The caller was heard: fifty times a second, so it drives the blocks too."""
        now = self._now()
        self._caller.heard.append((event, now))
        self._due -= 1
        if self._due <= 0:
            self._due = self._every
            self._cut_off(now * 1000)

    def follow(self, commands: Iterable[AnyCommand]) -> None:
        """The core has taken something other than the caller's sound, and wants `commands`."""
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
            self._noting = False
            self._caller.restart()
        cut_ms = now_ms
        over = self._open and not played.open
        if over:
            # The caller heard nothing after the last that we heard of them.
            self._caller.lay()
            last_ms = self.zero * 1000 + self._left.end / BYTES_PER_MS
            cut_ms = min(now_ms, last_ms - played.round_trip_ms)
        self._open = played.open
        if marks and not sent:
            self._agent.mark_sent(now_ms)
        self._agent.follow(played, sent, now_ms, cut_ms)
        if over:
            self._flush()

    def notes(self, event: CallerAudio, track: Literal["inbound", "outbound"]) -> None:
        """A stream that only listens, while the caller speaks with a human: what the caller says
        (`inbound`), or what they hear (`outbound`)."""
        if track == "inbound":
            self.caller(event)
        else:
            self._human.heard.append((event, self._now()))

    def notes_begin(self) -> None:
        """Such a stream begins, with a clock of its own."""
        self._noting = True
        self._caller.restart()
        self._human.restart()

    # --- blocks -------------------------------------------------------------------------------

    def _cut_off(self, now_ms: float) -> None:
        """Hand out what is settled, in whole frames."""
        self._caller.lay()
        self._human.lay()
        until = min(self._left.end, self._agent.settled(now_ms))
        if self._noting:
            until = min(until, self._right.end)
        late = round((now_ms - _MOST_LATE_MS - self.zero * 1000) * BYTES_PER_MS)
        self._hand_out(max(until, late) // FRAME_SAMPLES * FRAME_SAMPLES)

    def _flush(self) -> None:
        """Hand out all that was laid: nothing more comes for now."""
        self._caller.lay()
        self._human.lay()
        self._hand_out(max(self._left.end, self._right.end))

    def _hand_out(self, until: int) -> None:
        while self._taken < until:
            end = min(until, self._taken + _LONGEST)
            left, right = self._left.take(end), self._right.take(end)
            if left or right or end == until:
                block = Block(self._taken, end - self._taken, left, right)
                for sink in tuple(self._sinks):
                    sink.put(block)
            self._taken = end
