"""REST: Recordings (of calls, and all of them), their sound, and one-way Streams. No I/O.

    Calls/{CA}/Recordings.json         start, list; /{RE | Twilio.CURRENT}.json fetch, pause, stop
    Recordings.json, Recordings/{RE}.json   list, fetch, delete
    Recordings/{RE}, Recordings/{RE}.wav    the sound, 16-bit PCM at 8 kHz
    Calls/{CA}/Streams.json            start; /{MZ | name}.json stop

Source: Twilio, Recordings resource, Streams resource.
"""

from __future__ import annotations

import re
from typing import Any

from hookflash_local.carrier import forks, recorder
from hookflash_local.carrier.exchange import Exchange
from hookflash_local.carrier.ids import API_VERSION, rfc2822
from hookflash_local.carrier.rest_bodies import GONE, Refusal
from hookflash_local.carrier.rest_request import (
    Answer,
    Asked,
    Resource,
    Sound,
    page,
    report_to,
)
from hookflash_local.carrier.stream import Stream
from hookflash_local.carrier.tape import Tape, tape_wish

CURRENT = "Twilio.CURRENT"


def _body(exchange: Exchange, tape: Tape) -> dict[str, Any]:
    account = exchange.settings.account_sid
    path = f"/{API_VERSION}/Accounts/{account}/Recordings/{tape.sid}"
    over = tape.status in ("completed", "absent")
    return {
        "account_sid": account,
        "api_version": API_VERSION,
        "call_sid": tape.leg.sid,
        "channels": tape.wish.channels,
        "conference_sid": None,
        "date_created": rfc2822(tape.created),
        "date_updated": rfc2822(exchange.clock.wall()),
        "duration": str(tape.seconds) if over else None,
        "error_code": None,
        "media_url": recorder.url_of(exchange, tape) if over else None,
        "price": None,
        "price_unit": "USD",
        "sid": tape.sid,
        "source": tape.wish.source,
        "start_time": rfc2822(tape.created),
        "status": tape.status,
        "track": tape.wish.track,
        "uri": f"{path}.json",
    }


def _tape(asked: Asked) -> Tape:
    """Find a recording, of one call if the path names one. Raises Refusal."""
    name = asked.names["recording"]
    of_call = asked.names.get("call")
    found = [
        tape
        for tape in asked.exchange.live.tapes.values()
        if of_call in (None, tape.leg.sid)
        and (tape.sid == name or (name == CURRENT and tape.running))
    ]
    if not found:
        raise asked.gone()
    return found[-1]


def fetch(asked: Asked) -> Answer:
    return 200, _body(asked.exchange, _tape(asked))


def list_(asked: Asked) -> Answer:
    wanted = asked.names.get("call", asked.query.get("CallSid"))
    tapes = asked.exchange.live.tapes.values()
    found = [_body(asked.exchange, tape) for tape in tapes if wanted in (None, tape.leg.sid)]
    return page(asked, "recordings", found)


def create(asked: Asked) -> Answer:
    leg = asked.leg()
    if leg.status != "in-progress":
        raise Refusal(400, GONE, "Requested resource is not eligible for recording")
    wish = tape_wish(
        "StartCallRecordingAPI",
        asked.fields,
        report_to(asked, "RecordingStatusCallback", "RecordingStatusCallbackMethod"),
        asked.many("RecordingStatusCallbackEvent"),
        trim="do-not-trim",
    )
    return 201, _body(asked.exchange, recorder.start(asked.exchange, leg, wish))


def update(asked: Asked) -> Answer:
    tape, status = _tape(asked), asked.fields.get("Status")
    if not tape.running:
        raise asked.gone()
    if status == "paused":
        tape.pause(silence=asked.fields.get("PauseBehavior") != "skip")
    elif status == "in-progress":
        tape.resume()
    elif status == "stopped":
        tape.stop()
    return 200, _body(asked.exchange, tape)


def delete(asked: Asked) -> Answer:
    tape = _tape(asked)
    tape.stop()
    del asked.exchange.live.tapes[tape.sid]
    return 204, None


def sound(asked: Asked) -> Answer:
    tape = _tape(asked)
    if tape.status != "completed":
        raise asked.gone()
    return 200, Sound(recorder.wav_of(tape))


def _stream_body(asked: Asked, stream: Stream, status: str) -> dict[str, Any]:
    account, call = asked.exchange.settings.account_sid, asked.names["call"]
    path = f"/{API_VERSION}/Accounts/{account}/Calls/{call}/Streams/{stream.sid}.json"
    return {
        "account_sid": account,
        "call_sid": call,
        "date_updated": rfc2822(asked.exchange.clock.wall()),
        "name": stream.name,
        "sid": stream.sid,
        "status": status,
        "uri": path,
    }


def create_stream(asked: Asked) -> Answer:
    leg, fields = asked.leg(), asked.fields
    if leg.status != "in-progress":
        raise Refusal(400, GONE, "Call is not in-progress")
    parameters = {
        fields[name]: fields.get(f"{name.partition('.')[0]}.Value", "")
        for name in fields
        if re.fullmatch(r"Parameter\d+\.Name", name)
    }
    stream = forks.fork(
        asked.exchange,
        leg,
        fields["Url"],
        parameters,
        track=fields.get("Track", "inbound_track"),
        name=fields.get("Name", ""),
        report_to=report_to(asked, "StatusCallback", "StatusCallbackMethod"),
    )
    return 201, _stream_body(asked, stream, "stopped" if stream.error else "in-progress")


def stop_stream(asked: Asked) -> Answer:
    stream = forks.find(asked.leg(), asked.names["stream"])
    if stream is None:
        raise asked.gone()
    stream.stop()
    return 200, _stream_body(asked, stream, "stopped")


_OF_CALL = "/Calls/{call}/Recordings"
_STREAMS = "/Calls/{call}/Streams"

RESOURCES = (
    Resource("GET", f"{_OF_CALL}.json", list_),
    Resource("POST", f"{_OF_CALL}.json", create, "recordings.create"),
    Resource("GET", f"{_OF_CALL}/{{recording}}.json", fetch),
    Resource("POST", f"{_OF_CALL}/{{recording}}.json", update, "recordings.update"),
    Resource("DELETE", f"{_OF_CALL}/{{recording}}.json", delete),
    Resource("GET", "/Recordings.json", list_),
    Resource("GET", "/Recordings/{recording}.json", fetch),
    Resource("DELETE", "/Recordings/{recording}.json", delete),
    Resource("GET", "/Recordings/{recording}.wav", sound, media=True),
    Resource("GET", "/Recordings/{recording}", sound, media=True),
    Resource("POST", f"{_STREAMS}.json", create_stream, "streams.create"),
    Resource("POST", f"{_STREAMS}/{{stream}}.json", stop_stream, "streams.update"),
)
