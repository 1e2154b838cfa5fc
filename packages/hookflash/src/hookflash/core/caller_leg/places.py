"""Every place where the caller's leg can be, how long it may stay there, and what happens then."""

from __future__ import annotations

from enum import Enum

from hookflash.core.phases import Phase
from hookflash.core.timers import Limit


class Place(Enum):
    NEW = "not arrived"
    CONNECTING = "waits for a stream"
    STREAM = "on the stream"
    STOPPED = "the stream has stopped"
    BROKEN = "the stream is broken"
    LEFT_BEHIND = "where another version has left it"
    TO_HUMAN = "on the way to a human"
    WITH_HUMAN = "with a human"
    RECORDING = "leaves a message"
    ENDING = "hears a last sentence"
    OVER = "over"


PHASES: dict[Place, Phase] = {
    Place.NEW: Phase.RINGING,
    Place.CONNECTING: Phase.RINGING,
    Place.STREAM: Phase.TALKING,
    Place.STOPPED: Phase.TALKING,
    Place.BROKEN: Phase.TALKING,
    Place.LEFT_BEHIND: Phase.TALKING,
    Place.TO_HUMAN: Phase.HANDING_OFF,
    Place.WITH_HUMAN: Phase.WITH_HUMAN,
    Place.RECORDING: Phase.ENDING,
    Place.ENDING: Phase.ENDING,
    Place.OVER: Phase.ENDED,
}

STOPPED_SECONDS = 5.0
"""How long the carrier may take to ask what is next after a `stop` that we did not cause."""

BROKEN_SECONDS = 15.0
"""How long it may take after a road has broken."""

TALK_SECONDS = 4 * 3600.0 + 600.0
"""Twilio's longest call, and a little."""

_GONE = "the caller counts as gone, unless their leg is still being moved"


LIMITS: dict[Place, Limit | None] = {
    Place.NEW: None,
    Place.CONNECTING: Limit(lambda leg, now: leg.setup.stream_seconds, then=_GONE),
    Place.STREAM: None,
    Place.STOPPED: Limit(STOPPED_SECONDS, then=_GONE),
    Place.BROKEN: Limit(BROKEN_SECONDS, then=_GONE),
    Place.LEFT_BEHIND: Limit(TALK_SECONDS, then=_GONE),
    Place.TO_HUMAN: Limit(lambda leg, now: leg.wait_seconds, then=_GONE),
    Place.WITH_HUMAN: Limit(TALK_SECONDS, then=_GONE),
    Place.RECORDING: Limit(300.0, then=_GONE),
    Place.ENDING: Limit(4 * BROKEN_SECONDS, then=_GONE),
    Place.OVER: None,
}


class RouteState(Enum):
    """Which road the caller's leg is on."""

    FOLLOWING = "following"
    REST = "moving by REST"
    CLOSING = "closing the stream"


ROUTE_LIMITS: dict[RouteState, Limit | None] = {
    RouteState.FOLLOWING: None,
    # The shell keeps to these seconds by itself; the margin is for its answer to arrive.
    RouteState.REST: Limit(
        lambda route, now: route.move_seconds + 0.25, then="the stream is closed instead"
    ),
    RouteState.CLOSING: Limit(5.0, then="REST is tried again, or the caller counts as gone"),
}
