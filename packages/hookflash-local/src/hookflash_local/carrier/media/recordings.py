"""Call recordings: REST, `<Record>`, `<Dial record>` and `<Start><Recording>`.

    in-progress <-> paused -> processing -> completed | absent (nothing was recorded) -> transcribed

A recording copies nothing while it runs: a leg keeps its past audio, so a recording is a list of
spans of it. The transcription comes from the carrier's `transcribe`, or else from what the scripts
said (`Line.say`) while the recording ran.
Source: Twilio, Recordings resource, `<Record>` (status, channels, track, trim, PauseBehavior).

resource          | acquired | released
recording's task  | `start`  | after its last callback; `Tasks` (named `callback ...`)
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from hookflash_local.carrier import alerts
from hookflash_local.carrier.exchange import Exchange
from hookflash_local.carrier.ids import API_VERSION, rfc2822
from hookflash_local.carrier.legs.leg import Leg
from hookflash_local.carrier.media import sounds
from hookflash_local.carrier.media.playout import (
    FRAME_SAMPLES,
    SAMPLES_PER_SECOND,
    SILENCE,
    sample_at,
)
from hookflash_local.carrier.tasks import first_of

Status = Literal["in-progress", "paused", "processing", "completed", "absent"]
Track = Literal["inbound", "outbound", "both"]


@dataclass(frozen=True)
class RecordingOptions:
    """How to record. `callback` is a URL and a method, `events` the events sent to it."""

    source: str
    channels: int = 1
    track: Track = "both"
    trim: bool = False
    callback: tuple[str, str] | None = None
    events: frozenset[str] = frozenset({"completed"})


def recording_options(
    source: str,
    fields: Mapping[str, str],
    callback: tuple[str, str] | None,
    events: frozenset[str],
    *,
    trim: str,
) -> RecordingOptions:
    """Read the REST names RecordingChannels, RecordingTrack and Trim (with its default)."""
    track = fields.get("RecordingTrack", "both")
    return RecordingOptions(
        source,
        2 if fields.get("RecordingChannels") == "dual" else 1,
        "inbound" if track == "inbound" else "outbound" if track == "outbound" else "both",
        fields.get("Trim", trim) == "trim-silence",
        callback,
        events or frozenset({"completed"}),
    )


@dataclass
class _Span:
    first: int
    last: int | None = None
    silent: bool = False


@dataclass
class CallRecording:
    """`stopped` is set when nothing more is recorded; `text` is its transcription, if any."""

    leg: Leg
    options: RecordingOptions
    sid: str
    status: Status = "in-progress"
    created: float = 0.0
    stopped: asyncio.Event = field(default_factory=asyncio.Event)
    spans: list[_Span] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.created = self.leg.tools.clock.wall()
        self.spans.append(_Span(self._here()))

    @property
    def running(self) -> bool:
        return self.status in ("in-progress", "paused")

    def pause(self, *, silence: bool) -> None:
        """Record nothing, or silence, until `resume`."""
        if self.status == "in-progress":
            self._close()
            self.status = "paused"
            if silence:
                self.spans.append(_Span(self._here(), silent=True))

    def resume(self) -> None:
        if self.status == "paused":
            self._close()
            self.status = "in-progress"
            self.spans.append(_Span(self._here()))

    def stop(self, longest: float | None = None) -> None:
        """Stop recording. `start` then processes what was recorded.

        A recording that was never paused is cut to at most `longest` seconds.
        """
        if self.running:
            self._close()
            span = self.spans[0]
            if longest is not None and span.last is not None:
                span.last = min(span.last, span.first + round(longest * SAMPLES_PER_SECOND))
            self.status = "processing"
            self.leg.note("recording-stopped", recording=self.sid)
            self.stopped.set()

    def channels(self) -> list[bytes]:
        """Return what was recorded, mu-law, one or two channels: the party's first."""
        inbound = b"".join(self._read(span, inbound=True) for span in self.spans)
        outbound = b"".join(self._read(span, inbound=False) for span in self.spans)
        tracks = {"inbound": [inbound], "outbound": [outbound], "both": [inbound, outbound]}
        found = tracks[self.options.track]
        if self.options.channels == 1:
            found = [sounds.mix(found)]
        return _trimmed(found) if self.options.trim else found

    @property
    def seconds(self) -> int:
        """The duration as Twilio gives it, whole seconds."""
        return round(len(self.channels()[0]) / SAMPLES_PER_SECOND)

    @property
    def is_empty(self) -> bool:
        """Whether nothing was said."""
        return all(not _sounding(channel) for channel in self.channels())

    def _here(self) -> int:
        """Return the present sample, or the last one of a leg that is over."""
        outbound = self.leg.outbound_audio
        if self.leg.live or outbound.opened_at is None:
            return sample_at(self.leg.tools.clock.now())
        return sample_at(outbound.opened_at) + len(outbound.recording)

    def _close(self) -> None:
        if self.spans[-1].last is None:
            self.spans[-1].last = self._here()

    def _read(self, span: _Span, *, inbound: bool) -> bytes:
        last = span.last if span.last is not None else self._here()
        if span.silent:
            return SILENCE * (last - span.first)
        source = self.leg.inbound_audio if inbound else self.leg.outbound_audio
        return source.read(span.first, last)


def _sounding(channel: bytes) -> list[int]:
    """Return the frames of a channel in which something is heard."""
    return [
        at
        for at in range(0, len(channel), FRAME_SAMPLES)
        if sounds.is_sound(channel[at : at + FRAME_SAMPLES])
    ]


def _trimmed(channels: list[bytes]) -> list[bytes]:
    """Cut silence from both ends, the same from every channel."""
    heard = sorted(at for channel in channels for at in _sounding(channel))
    if not heard:
        return [b"" for _ in channels]
    return [channel[heard[0] : heard[-1] + FRAME_SAMPLES] for channel in channels]


PROCESSING_SECONDS = 1.0
"""From the end of a recording to its file."""

LONGEST_TRANSCRIBED_SECONDS = 120


def start(
    exchange: Exchange,
    leg: Leg,
    options: RecordingOptions,
    *,
    transcribe_to: tuple[str, str] | None = None,
) -> CallRecording:
    """Record a leg from this very sample on, until `CallRecording.stop` or its end.

    With `transcribe_to` (a URL and a method) the transcription is sent there.
    """
    recording = CallRecording(leg, options, exchange.new_sid("RE"))
    exchange.live.recordings[recording.sid] = recording
    leg.note("recording-started", recording=recording.sid, source=options.source)
    _notify(exchange, recording, "in-progress")
    exchange.tasks.start(_live(exchange, recording, transcribe_to), f"callback of {recording.sid}")
    return recording


def url_of(exchange: Exchange, recording: CallRecording) -> str:
    """Return the RecordingUrl: on the stand-in's own address, with neither .wav nor .json."""
    account = exchange.settings.account_sid
    return f"{exchange.live.api_url}/{API_VERSION}/Accounts/{account}/Recordings/{recording.sid}"


def wav_of(recording: CallRecording) -> bytes:
    return sounds.write_wav(recording.channels())


async def _live(
    exchange: Exchange, recording: CallRecording, transcribe_to: tuple[str, str] | None
) -> None:
    await first_of(recording.leg.ended(), recording.stopped.wait())
    recording.stop()
    ended = exchange.clock.now() - recording.leg.timeline.start
    await exchange.clock.sleep(PROCESSING_SECONDS)
    recording.status = "absent" if not recording.channels()[0] else "completed"
    _notify(exchange, recording, recording.status)
    if transcribe_to is not None:
        await _transcribe(exchange, recording, transcribe_to, ended)


def _notify(exchange: Exchange, recording: CallRecording, status: str) -> None:
    if recording.options.callback is None or status not in recording.options.events:
        return
    form = {
        "AccountSid": exchange.settings.account_sid,
        "CallSid": recording.leg.sid,
        "RecordingSid": recording.sid,
        "RecordingStatus": status,
        "RecordingChannels": str(recording.options.channels),
        "RecordingStartTime": rfc2822(recording.created) or "",
        "RecordingSource": recording.options.source,
        "RecordingTrack": recording.options.track,
        "ErrorCode": "0",
    }
    if status == "completed":
        form["RecordingUrl"] = url_of(exchange, recording)
        form["RecordingDuration"] = str(recording.seconds)
    exchange.webhooks.notify(*recording.options.callback, form, call_sid=recording.leg.sid)


async def _transcribe(
    exchange: Exchange, recording: CallRecording, to: tuple[str, str], ended: float
) -> None:
    """Send the transcription; `failed` if there is no text, or the length is out of range."""
    shortest = exchange.unconfirmed.shortest_transcribed_seconds
    text: str | None = None
    if (
        shortest <= len(recording.channels()[0]) / 8000
        and recording.seconds <= LONGEST_TRANSCRIBED_SECONDS
    ):
        text = await _text_of(exchange, recording, ended)
    form = {
        **recording.leg.form(),
        "TranscriptionSid": exchange.new_sid("TR"),
        "TranscriptionStatus": "completed" if text else "failed",
        "TranscriptionText": text or "",
        "TranscriptionType": "fast",
        "RecordingSid": recording.sid,
        "RecordingUrl": url_of(exchange, recording),
    }
    exchange.webhooks.notify(*to, form, call_sid=recording.leg.sid)


async def _text_of(exchange: Exchange, recording: CallRecording, ended: float) -> str:
    began = recording.spans[0].first / SAMPLES_PER_SECOND - recording.leg.timeline.start
    return await text_of(exchange, recording.leg, recording.channels()[0], began, ended)


async def text_of(exchange: Exchange, leg: Leg, sound: bytes, began: float, ended: float) -> str:
    """Return `sound` (mu-law) as text, from the carrier's `transcribe`.

    Without one, return what the leg's script has said between `began` and `ended`, in seconds since
    the call began.
    """
    transcribe = exchange.settings.transcribe
    if transcribe is None:
        return " ".join(
            str(event.detail["text"])
            for event in leg.timeline.find("party-says", leg.sid)
            if began - 0.02 <= event.at <= ended
        )
    try:
        text = transcribe(sound)
        return await text if inspect.isawaitable(text) else text
    except Exception as error:
        # The transcriber is the user's function and may raise anything. A recording without text is
        # what Twilio has then, too; the alert fails a test that did not expect it.
        exchange.alert(alerts.NOT_SIMULATED, f"transcribe failed: {error!r}", leg)
        return ""
