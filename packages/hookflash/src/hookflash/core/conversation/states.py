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
    CANCELLING = "cancelling"


REQUEST_LIMITS: dict[RequestState, Limit | None] = {
    RequestState.FREE: None,
    RequestState.ASKED: Limit(10.0, then="the session is replaced"),
    # A model that thinks for longer has lost the caller anyway, and one that hangs would keep
    # everything else from being said.
    RequestState.ANSWERING: Limit(20.0, then="the session is replaced"),
    # A response that stops in the middle is missed by who waits for it (`OwedState`).
    RequestState.SPEAKING: None,
    RequestState.CANCELLING: Limit(1.5, then="the response counts as ended"),
}


class PauseState(Enum):
    """What a request that is free to go still waits for."""

    NONE = "nothing"
    OWN_ANSWER = "the model's own answer"
    RETRY = "another try"


PAUSE_LIMITS: dict[PauseState, Limit | None] = {
    PauseState.NONE: None,
    PauseState.OWN_ANSWER: Limit(2.0, then="the request is sent"),
    PauseState.RETRY: Limit(
        lambda requests, now: max(1.0, requests.pause_seconds + 0.1),
        then="the request is sent again",
    ),
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
    SessionState.READY: Limit(
        lambda session, now: session.young_seconds, then="it is replaced in the next pause"
    ),
    SessionState.DEAD: None,
}


class FarewellState(Enum):
    """How far the agent's last words have come."""

    NONE = "none"
    DUE = "due"
    SOUNDING = "sounding"
    HELD = "held"


FAREWELL_LIMITS: dict[FarewellState, Limit | None] = {
    FarewellState.NONE: None,
    FarewellState.DUE: Limit(
        lambda farewell, now: farewell.due_seconds, then="what they lead to is carried out"
    ),
    FarewellState.SOUNDING: Limit(
        lambda farewell, now: farewell.seconds_left(now), then="what they lead to is carried out"
    ),
    # The caller speaks over them: what was said is judged first (`JudgeState`).
    FarewellState.HELD: None,
}


class JudgeState(Enum):
    """Whether it is known if the caller has interrupted the agent."""

    NONE = "nothing was cut"
    SPEECH = "the caller speaks"
    JUDGING = "their words are waited for"


JUDGE_LIMITS: dict[JudgeState, Limit | None] = {
    JudgeState.NONE: None,
    JudgeState.SPEECH: None,
    JudgeState.JUDGING: Limit(
        lambda talk, now: talk.judging_seconds, then="it is judged without words"
    ),
}


class SilenceState(Enum):
    """Whether the caller could say something, and does not."""

    OFF = "off"
    LISTENING = "listening"


SILENCE_LIMITS: dict[SilenceState, Limit | None] = {
    SilenceState.OFF: None,
    SilenceState.LISTENING: Limit(
        lambda talk, now: talk.setup.away_timeout,
        then="the caller is asked whether they are there, twice; then the call ends",
    ),
}


class TurnState(Enum):
    """Whether the caller speaks."""

    OVER = "over"
    SPEAKING = "speaking"


TURN_LIMITS: dict[TurnState, Limit | None] = {
    TurnState.OVER: None,
    TurnState.SPEAKING: Limit(90.0, then="it is no person, and the call ends"),
}


class KeypadState(Enum):
    """Whether the caller is typing."""

    QUIET = "quiet"
    TYPING = "typing"


KEYPAD_LIMITS: dict[KeypadState, Limit | None] = {
    KeypadState.QUIET: None,
    KeypadState.TYPING: Limit(1.5, then="the digits so far are one entry"),
}


class OwedState(Enum):
    """What a caller hears while something is owed to them and the agent says nothing."""

    NOTHING = "nothing is owed"
    AWAITED = "awaited"
    LATE = "late"
    FILLING = "filling"
    FILLED = "filled"
    RUNG = "a human is rung"
    RINGING = "ringing is played"


OWED_LIMITS: dict[OwedState, Limit | None] = {
    OwedState.NOTHING: None,
    OwedState.AWAITED: Limit(1.2, then="the model is asked to answer, if it does not do so"),
    OwedState.LATE: Limit(0.5, then="a prepared line is played"),
    OwedState.FILLING: Limit(0.5, then="the caller is still waiting"),
    OwedState.FILLED: Limit(2.3, then="another line; after the second, another session"),
    OwedState.RUNG: Limit(1.5, then="ringing is played, or the agent says that it still rings"),
    OwedState.RINGING: Limit(0.5, then="the caller is still waiting"),
}
