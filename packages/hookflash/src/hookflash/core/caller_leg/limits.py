"""How long the caller's leg may stay in each state, and what happens then."""

from __future__ import annotations

from hookflash.core.caller_leg.states import CallerLegState, RouteState
from hookflash.core.timers import Limit

STOPPED_SECONDS = 5.0
"""How long the carrier may take to ask what is next after a `stop` that no command caused."""

BROKEN_SECONDS = 15.0
"""How long it may take after the media socket broke."""

TALK_SECONDS = 4 * 3600.0 + 600.0
"""Twilio's longest call, and ten minutes."""

KEY_SECONDS = 0.5
"""The longest time that one key or pause of `PlayKeys` takes."""

DIALLING_SLACK_SECONDS = 60.0
"""How much longer than it rings a call may take to be answered: orders may wait at the carrier."""

_GONE = "the caller counts as gone, unless their leg is still being moved"


LIMITS: dict[CallerLegState, Limit | None] = {
    CallerLegState.NEW: None,
    CallerLegState.DIALLING: Limit(
        lambda leg, now: leg.setup.outbound.ring_seconds + DIALLING_SLACK_SECONDS,
        then="the call counts as failed",
    ),
    CallerLegState.CONNECTING: Limit(
        lambda leg, now: leg.setup.stream_seconds + leg.keys_seconds, then=_GONE
    ),
    CallerLegState.STREAM: None,
    CallerLegState.STOPPED: Limit(STOPPED_SECONDS, then=_GONE),
    CallerLegState.BROKEN: Limit(BROKEN_SECONDS, then=_GONE),
    CallerLegState.LEFT_BEHIND: Limit(TALK_SECONDS, then=_GONE),
    CallerLegState.TO_HUMAN: Limit(lambda leg, now: leg.wait_seconds, then=_GONE),
    CallerLegState.WITH_HUMAN: Limit(TALK_SECONDS, then=_GONE),
    CallerLegState.RECORDING: Limit(300.0, then=_GONE),
    CallerLegState.ENDING: Limit(4 * BROKEN_SECONDS, then=_GONE),
    CallerLegState.OVER: None,
}

ROUTE_LIMITS: dict[RouteState, Limit | None] = {
    RouteState.FOLLOWING: None,
    # The shell keeps to these seconds by itself; the margin is for its answer to arrive.
    RouteState.REST: Limit(
        lambda route, now: route.move_seconds + 0.25,
        then="the stream is closed instead; if it carries nothing, REST is tried again before",
    ),
    RouteState.CLOSING: Limit(5.0, then="REST is tried again, or the caller counts as gone"),
}
