"""REST: Recordings (of a call, and of the account) and their audio. No I/O.

    Calls/{CA}/Recordings.json         start, list; /{RE | Twilio.CURRENT}.json fetch, pause, stop
    Recordings.json, Recordings/{RE}.json   list, fetch, delete
    Recordings/{RE}, Recordings/{RE}.wav    the audio, 16-bit PCM at 8 kHz

Source: Twilio, Recordings resource.
"""

from __future__ import annotations

from typing import Any

from hookflash_local.carrier.ids import API_VERSION, rfc2822, snake_case
from hookflash_local.carrier.media import recordings
from hookflash_local.carrier.media.recordings import CallRecording, recording_options
from hookflash_local.carrier.rest.rest_request import (
    GONE,
    Answer,
    Resource,
    RestError,
    RestRequest,
    Sound,
    callback,
    page,
)

CURRENT = "Twilio.CURRENT"


def _body(request: RestRequest, recording: CallRecording) -> dict[str, Any]:
    """Return the body: below a call it has `track`, below the account `media_url` and others."""
    exchange = request.exchange
    account = exchange.settings.account_sid
    path = f"/{API_VERSION}/Accounts/{account}/Recordings/{recording.sid}"
    over = recording.status in ("completed", "absent")
    body = {
        "account_sid": account,
        "api_version": API_VERSION,
        "call_sid": recording.leg.sid,
        "channels": recording.options.channels,
        "conference_sid": None,
        "date_created": rfc2822(recording.created),
        "date_updated": rfc2822(exchange.clock.wall()),
        "duration": str(recording.seconds) if over else None,
        "encryption_details": None,
        "error_code": None,
        "price": None,
        "price_unit": "USD",
        "sid": recording.sid,
        "source": recording.options.source,
        "start_time": rfc2822(recording.created),
        "status": recording.status,
        "uri": f"{path}.json",
    }
    if "call" in request.names:
        return {**body, "track": recording.options.track}
    subresources = ("AddOnResults", "Transcriptions")
    return {
        **body,
        "media_url": recordings.url_of(exchange, recording) if over else None,
        "subresource_uris": {snake_case(name): f"{path}/{name}.json" for name in subresources},
    }


def _recording(request: RestRequest) -> CallRecording:
    """Find a recording, of one call if the path names one. Raises RestError."""
    name = request.names["recording"]
    of_call = request.names.get("call")
    found = [
        recording
        for recording in request.exchange.live.recordings.values()
        if of_call in (None, recording.leg.sid)
        and (recording.sid == name or (name == CURRENT and recording.running))
    ]
    if not found:
        raise request.gone()
    return found[-1]


def fetch(request: RestRequest) -> Answer:
    return 200, _body(request, _recording(request))


def list_(request: RestRequest) -> Answer:
    wanted = request.names.get("call", request.query.get("CallSid"))
    recordings = request.exchange.live.recordings.values()
    found = [
        _body(request, recording) for recording in recordings if wanted in (None, recording.leg.sid)
    ]
    return page(request, "recordings", found)


def create(request: RestRequest) -> Answer:
    leg = request.leg()
    if leg.status != "in-progress":
        raise RestError(400, GONE, "Requested resource is not eligible for recording")
    options = recording_options(
        "StartCallRecordingAPI",
        request.fields,
        callback(request, "RecordingStatusCallback", "RecordingStatusCallbackMethod"),
        request.many("RecordingStatusCallbackEvent"),
        trim="do-not-trim",
    )
    return 201, _body(request, recordings.start(request.exchange, leg, options))


def update(request: RestRequest) -> Answer:
    recording, status = _recording(request), request.fields.get("Status")
    if not recording.running:
        raise request.gone()
    if status == "paused":
        recording.pause(silence=request.fields.get("PauseBehavior") != "skip")
    elif status == "in-progress":
        recording.resume()
    elif status == "stopped":
        recording.stop()
    return 200, _body(request, recording)


def delete(request: RestRequest) -> Answer:
    recording = _recording(request)
    recording.stop()
    del request.exchange.live.recordings[recording.sid]
    return 204, None


def sound(request: RestRequest) -> Answer:
    recording = _recording(request)
    if recording.status != "completed":
        raise request.gone()
    return 200, Sound(recordings.wav_of(recording))


_OF_CALL = "/Calls/{call}/Recordings"

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
)
