"""One-way streams: they hear a leg beside whatever its TwiML does, for `<Start>` and for REST.

A leg has at most four tracks in forks at once, and a name is used once. Who is heard: `inbound` is
what the party says, `outbound` what the party hears. Source: Twilio, `<Stream>`, Streams resource.

resource | acquired | released
task     | `fork`   | when the stream was stopped, or the call is over; `Tasks`
"""

from __future__ import annotations

from hookflash_local.carrier import notices
from hookflash_local.carrier.exchange import Exchange
from hookflash_local.carrier.leg import Leg
from hookflash_local.carrier.stream import Stream
from hookflash_local.carrier.stream_url import url_problem

MOST_TRACKS = 4

TRACKS: dict[str, tuple[str, ...]] = {
    "inbound_track": ("inbound",),
    "outbound_track": ("outbound",),
    "both_tracks": ("inbound", "outbound"),
}


def fork(
    exchange: Exchange,
    leg: Leg,
    url: str,
    parameters: dict[str, str],
    *,
    track: str = "inbound_track",
    name: str = "",
    report_to: tuple[str, str] | None = None,
) -> Stream:
    """Open a stream; whether it comes about is told in its status callback."""
    running = [each for each in leg.streams if each.tracks and not each.over]
    tracks = TRACKS.get(track, ())
    stream = Stream(
        exchange,
        leg,
        url,
        parameters,
        name=name,
        report_to=report_to,
        tracks=tracks or ("inbound",),
    )
    problem = url_problem(exchange, url)
    if not tracks:
        problem = notices.STREAM_TRACK, f"unknown track {track!r}"
    elif problem is None and name and any(each.name == name for each in running):
        problem = notices.STREAM_FAILED, f"a stream named {name!r} runs already"
    elif problem is None and sum(len(each.tracks) for each in running) + len(tracks) > MOST_TRACKS:
        problem = notices.STREAM_FAILED, f"more than {MOST_TRACKS} tracks of one call"
    if problem:
        stream.fail(*problem)
    else:
        exchange.tasks.start(stream.run_beside(), f"fork {stream.sid}")
    return stream


def find(leg: Leg, name: str) -> Stream | None:
    """Find a running one-way stream by SID or name."""
    running = (each for each in leg.streams if each.tracks and not each.over)
    return next((each for each in running if name in (each.sid, each.name)), None)
