"""Every state of the conversation, how long it may last, and what happens then."""

from __future__ import annotations

from enum import Enum

from hookflash.core.timers import Limit


class ConversationState(Enum):
    """Whether the caller is with the agent."""

    AWAY = "away"
    AWAITED = "awaited"
    LIVE = "live"
    CUT_OFF = "cut off"


class RequestState(Enum):
    """What the model does about responses."""

    FREE = "free"
    ASKED = "asked"
    ANSWERING = "answering"
    SPEAKING = "speaking"


REQUEST_LIMITS: dict[RequestState, Limit | None] = {
    RequestState.FREE: None,
    RequestState.ASKED: Limit(10.0, then="the session is replaced"),
    # A model that thinks for longer has lost the caller anyway, and one that hangs would keep
    # everything else from being said.
    RequestState.ANSWERING: Limit(20.0, then="the session is replaced"),
    RequestState.SPEAKING: None,
}


class PauseState(Enum):
    """What a request that is free to go still waits for."""

    NONE = "nothing"
    OWN_ANSWER = "the model's own answer"
    RETRY = "another try"


PAUSE_LIMITS: dict[PauseState, Limit | None] = {
    PauseState.NONE: None,
    PauseState.OWN_ANSWER: Limit(2.0, then="the request is sent"),
    PauseState.RETRY: Limit(1.0, then="the request is sent again"),
}


class SessionState(Enum):
    """Whether there is a session with the model, and when one is tried again."""

    CLOSED = "closed"
    OPENING = "opening"
    WAITING = "waiting"
    READY = "ready"
    DEAD = "dead"


SESSION_LIMITS: dict[SessionState, Limit | None] = {
    SessionState.CLOSED: None,
    SessionState.OPENING: Limit(
        lambda session, now: session.opening_seconds, then="the session counts as lost"
    ),
    SessionState.WAITING: Limit(
        lambda session, now: session.pause_seconds, then="another session is opened"
    ),
    SessionState.READY: None,
    SessionState.DEAD: None,
}


class FarewellState(Enum):
    """How far the agent's last words have come."""

    NONE = "none"
    DUE = "due"
    SOUNDING = "sounding"


FAREWELL_LIMITS: dict[FarewellState, Limit | None] = {
    FarewellState.NONE: None,
    FarewellState.DUE: Limit(
        lambda farewell, now: farewell.seconds, then="what they lead to is carried out"
    ),
    FarewellState.SOUNDING: Limit(
        lambda farewell, now: farewell.seconds_left(now), then="what they lead to is carried out"
    ),
}


class KeypadState(Enum):
    """Whether the caller is typing."""

    QUIET = "quiet"
    TYPING = "typing"


KEYPAD_LIMITS: dict[KeypadState, Limit | None] = {
    KeypadState.QUIET: None,
    KeypadState.TYPING: Limit(1.5, then="the digits so far are one entry"),
}


class CompanyState(Enum):
    """Whether a caller who waits for a human hears anything."""

    KEPT = "kept"
    QUIET = "quiet"


COMPANY_LIMITS: dict[CompanyState, Limit | None] = {
    CompanyState.KEPT: None,
    CompanyState.QUIET: Limit(8.0, then="the agent says that it is still ringing"),
}
