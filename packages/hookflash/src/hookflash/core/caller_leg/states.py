"""The states of the caller's leg and of its route: names, and how the rest of a call names them."""

from __future__ import annotations

from enum import Enum

from hookflash.core.phases import Phase


class CallerLegState(Enum):
    """Where the caller's leg is."""

    NEW = "not arrived"
    DIALLING = "is being called"
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


class RouteState(Enum):
    """How the caller's leg is being moved."""

    FOLLOWING = "following"
    REST = "moving by REST"
    CLOSING = "closing the stream"


PHASES: dict[CallerLegState, Phase] = {
    CallerLegState.NEW: Phase.RINGING,
    CallerLegState.DIALLING: Phase.RINGING,
    CallerLegState.CONNECTING: Phase.RINGING,
    CallerLegState.STREAM: Phase.TALKING,
    CallerLegState.STOPPED: Phase.TALKING,
    CallerLegState.BROKEN: Phase.TALKING,
    CallerLegState.LEFT_BEHIND: Phase.TALKING,
    CallerLegState.TO_HUMAN: Phase.HANDING_OFF,
    CallerLegState.WITH_HUMAN: Phase.WITH_HUMAN,
    CallerLegState.RECORDING: Phase.ENDING,
    CallerLegState.ENDING: Phase.ENDING,
    CallerLegState.OVER: Phase.ENDED,
}
