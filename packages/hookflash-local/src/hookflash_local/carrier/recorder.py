"""Makes tapes, tells what becomes of them, and has them transcribed.

    start -> (in-progress) ... stop, or the leg is over -> processing -> completed -> transcribed

The text of a recording comes from the carrier's `transcribe`, or else from what the scripts said
(`Line.say`) while it ran. Source: Twilio, `<Record>`, Recordings resource.

resource     | acquired | released
task of tape | `start`  | when everything about it was told; `Tasks` (named `report ...`)
"""

from __future__ import annotations

import inspect

from hookflash_local.carrier import notices, sounds
from hookflash_local.carrier.bridge import first_of
from hookflash_local.carrier.exchange import Exchange
from hookflash_local.carrier.ids import API_VERSION, rfc2822
from hookflash_local.carrier.leg import Leg
from hookflash_local.carrier.tape import Tape, TapeWish

PROCESSING_SECONDS = 1.0
"""From the end of a recording to its file."""

LONGEST_TRANSCRIBED_SECONDS = 120


def start(
    exchange: Exchange, leg: Leg, wish: TapeWish, *, transcribe_to: tuple[str, str] | None = None
) -> Tape:
    """Record a leg from this very sample on, until `Tape.stop` or its end.

    With `transcribe_to` (a URL and a method) the text is told there.
    """
    tape = Tape(leg, wish, exchange.new_sid("RE"))
    exchange.live.tapes[tape.sid] = tape
    leg.note("recording-started", recording=tape.sid, source=wish.source)
    _tell(exchange, tape, "in-progress")
    exchange.tasks.start(_live(exchange, tape, transcribe_to), f"report of {tape.sid}")
    return tape


def url_of(exchange: Exchange, tape: Tape) -> str:
    """Return the RecordingUrl: on the stand-in's own address, with neither .wav nor .json."""
    account = exchange.settings.account_sid
    return f"{exchange.live.api_url}/{API_VERSION}/Accounts/{account}/Recordings/{tape.sid}"


def wav_of(tape: Tape) -> bytes:
    return sounds.write_wav(tape.channels())


async def _live(exchange: Exchange, tape: Tape, transcribe_to: tuple[str, str] | None) -> None:
    await first_of(tape.leg.ended(), tape.stopped.wait())
    tape.stop()
    ended = exchange.clock.now() - tape.leg.timeline.start
    await exchange.clock.sleep(PROCESSING_SECONDS)
    tape.status = "absent" if not tape.channels()[0] else "completed"
    _tell(exchange, tape, tape.status)
    if transcribe_to is not None:
        await _transcribe(exchange, tape, transcribe_to, ended)


def _tell(exchange: Exchange, tape: Tape, status: str) -> None:
    if tape.wish.report_to is None or status not in tape.wish.events:
        return
    form = {
        "AccountSid": exchange.settings.account_sid,
        "CallSid": tape.leg.sid,
        "RecordingSid": tape.sid,
        "RecordingStatus": status,
        "RecordingChannels": str(tape.wish.channels),
        "RecordingStartTime": rfc2822(tape.created) or "",
        "RecordingSource": tape.wish.source,
        "RecordingTrack": tape.wish.track,
        "ErrorCode": "0",
    }
    if status == "completed":
        form["RecordingUrl"] = url_of(exchange, tape)
        form["RecordingDuration"] = str(tape.seconds)
    exchange.webhooks.tell(*tape.wish.report_to, form, call_sid=tape.leg.sid)


async def _transcribe(exchange: Exchange, tape: Tape, to: tuple[str, str], ended: float) -> None:
    """Tell the text of a tape; `failed` if it has none, or is too short or long for Twilio."""
    shortest = exchange.unconfirmed.shortest_transcribed_seconds
    text: str | None = None
    if shortest <= len(tape.channels()[0]) / 8000 and tape.seconds <= LONGEST_TRANSCRIBED_SECONDS:
        text = await _text_of(exchange, tape, ended)
    form = {
        **tape.leg.form(),
        "TranscriptionSid": exchange.new_sid("TR"),
        "TranscriptionStatus": "completed" if text else "failed",
        "TranscriptionText": text or "",
        "TranscriptionType": "fast",
        "RecordingSid": tape.sid,
        "RecordingUrl": url_of(exchange, tape),
    }
    exchange.webhooks.tell(*to, form, call_sid=tape.leg.sid)


async def _text_of(exchange: Exchange, tape: Tape, ended: float) -> str:
    transcribe = exchange.settings.transcribe
    if transcribe is None:
        began = tape.spans[0].first / 8000 - tape.leg.timeline.start
        return " ".join(
            str(event.detail["text"])
            for event in tape.leg.timeline.find("party-says", tape.leg.sid)
            if began - 0.02 <= event.at <= ended
        )
    try:
        text = transcribe(tape.channels()[0])
        return await text if inspect.isawaitable(text) else text
    except Exception as error:  # The owner's transcriber: what it raises is its answer.
        exchange.notice(notices.NOT_SIMULATED, f"transcribe failed: {error!r}", tape.leg)
        return ""
