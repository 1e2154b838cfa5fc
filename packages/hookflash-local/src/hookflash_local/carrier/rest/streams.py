"""REST: Streams, the one-way media streams of a call. No I/O.

    Calls/{CA}/Streams.json                 start
    Calls/{CA}/Streams/{MZ | name}.json     stop

Source: Twilio, Streams resource.
"""

from __future__ import annotations

import re
from typing import Any

from hookflash_local.carrier.ids import API_VERSION, rfc2822
from hookflash_local.carrier.media.streams import Stream, find, start_one_way_stream
from hookflash_local.carrier.rest.rest_request import (
    GONE,
    Answer,
    Resource,
    RestError,
    RestRequest,
    callback,
)


def _stream_body(request: RestRequest, stream: Stream, status: str) -> dict[str, Any]:
    account, call = request.exchange.settings.account_sid, request.names["call"]
    path = f"/{API_VERSION}/Accounts/{account}/Calls/{call}/Streams/{stream.sid}.json"
    return {
        "account_sid": account,
        "call_sid": call,
        "date_updated": rfc2822(request.exchange.clock.wall()),
        "name": stream.name,
        "sid": stream.sid,
        "status": status,
        "uri": path,
    }


def create_stream(request: RestRequest) -> Answer:
    leg, fields = request.leg(), request.fields
    if leg.status != "in-progress":
        raise RestError(400, GONE, "Call is not in-progress")
    parameters = {
        fields[name]: fields.get(f"{name.partition('.')[0]}.Value", "")
        for name in fields
        if re.fullmatch(r"Parameter\d+\.Name", name)
    }
    stream = start_one_way_stream(
        request.exchange,
        leg,
        fields["Url"],
        parameters,
        track=fields.get("Track", "inbound_track"),
        name=fields.get("Name", ""),
        callback=callback(request, "StatusCallback", "StatusCallbackMethod"),
    )
    return 200, _stream_body(request, stream, "stopped" if stream.error else "in-progress")


def stop_stream(request: RestRequest) -> Answer:
    stream = find(request.leg(), request.names["stream"])
    if stream is None:
        raise request.gone()
    stream.stop()
    return 200, _stream_body(request, stream, "stopped")


_STREAMS = "/Calls/{call}/Streams"

RESOURCES = (
    Resource("POST", f"{_STREAMS}.json", create_stream, "streams.create"),
    Resource("POST", f"{_STREAMS}/{{stream}}.json", stop_stream, "streams.update"),
)
