"""How long each state of the conversation may last, and what happens then."""

from __future__ import annotations

from hookflash.core.conversation.states import (
    CalleeState,
    CollectionState,
    FarewellState,
    JudgeState,
    KeypadState,
    KeysState,
    LengthState,
    OwedState,
    PauseState,
    RequestState,
    SessionState,
    SilenceState,
    ToolLineState,
    TurnState,
)
from hookflash.core.timers import Limit

LONGEST_RETRY_SECONDS = 20.0
"""The longest pause before a request is sent again, whatever the model asks for."""

SESSION_MARGIN_SECONDS = 300.0
LEAST_SESSION_SECONDS = 60.0
"""A session is replaced in the first pause of the margin before the model's limit.

It lasts for at least `LEAST_SESSION_SECONDS`.
"""

FAREWELL_GRACE_SECONDS = 1.5
"""How long last words are awaited after their sound must have been heard."""

SILENT_FAREWELL_SECONDS = 2.8
"""How long a call that ends waits for last words that make no sound."""

LONGEST_FAREWELL_SECONDS = 60.0

JUDGE_SECONDS = 1.5
"""How long the transcript of a caller who spoke over the last words is awaited."""

LENGTH_NOTICE_SECONDS = 60.0
"""How long before the end of its time the agent tells the caller; at most half of the time."""

CARRIER_MARGIN_SECONDS = 90.0
"""How long after the agent's time the carrier may end the call, at the earliest.

The caller and the agent finish their sentences first, and the goodbye takes its time.
"""

CARRIER_SLACK_SECONDS = 60.0
"""How much more is requested, so that not each new stream needs another limit."""

CARRIER_LIMIT_SECONDS = 4 * 3600
"""Twilio's own limit of a call, unless longer calls are enabled for the account."""

LONGEST_CARRIER_LIMIT_SECONDS = 24 * 3600
"""The longest limit that Twilio accepts."""

REQUEST_LIMITS: dict[RequestState, Limit | None] = {
    RequestState.FREE: None,
    RequestState.ASKED: Limit(10.0, then="the session is replaced"),
    # A caller does not wait longer for a slow model, and a model that hangs blocks all other
    # requests.
    RequestState.ANSWERING: Limit(20.0, then="the session is replaced"),
    # Since the last sound. `OwedState` notices sooner that a response has stopped, but only if the
    # caller waits. A caller who talks on would talk to a session that does not hear them.
    RequestState.SPEAKING: Limit(10.0, then="the session is replaced"),
    RequestState.CANCELLING: Limit(1.5, then="the response counts as ended"),
}

PAUSE_LIMITS: dict[PauseState, Limit | None] = {
    PauseState.NONE: None,
    PauseState.OWN_ANSWER: Limit(2.0, then="the request is sent"),
    PauseState.RETRY: Limit(
        lambda requests, now: max(1.0, requests.pause_seconds + 0.1),
        then="the request is sent again",
    ),
}

SESSION_LIMITS: dict[SessionState, Limit | None] = {
    SessionState.CLOSED: None,
    SessionState.OPENING: Limit(
        lambda session, now: session.opening_seconds, then="the session counts as lost"
    ),
    SessionState.WAITING: Limit(
        lambda session, now: session.pause_seconds, then="another session is opened"
    ),
    SessionState.READY: Limit(
        lambda session, now: session.seconds_to_ageing, then="it is replaced in the next pause"
    ),
    SessionState.DEAD: None,
}

FAREWELL_LIMITS: dict[FarewellState, Limit | None] = {
    FarewellState.NONE: None,
    FarewellState.DUE: Limit(
        lambda farewell, now: farewell.due_seconds, then="what they lead to is carried out"
    ),
    FarewellState.SOUNDING: Limit(
        lambda farewell, now: farewell.seconds_left(now), then="what they lead to is carried out"
    ),
    # The caller speaks over them; `JudgeState` decides what follows.
    FarewellState.HELD: None,
}

LENGTH_LIMITS: dict[LengthState, Limit | None] = {
    LengthState.OFF: None,
    LengthState.RUNNING: Limit(
        lambda length, now: length.left(now) - length.notice_seconds,
        then="the agent tells the caller that the call ends soon",
    ),
    LengthState.WARNED: Limit(
        lambda length, now: length.left(now),
        then="the agent says goodbye and the call ends; if a human is rung, that is awaited",
    ),
    LengthState.OVER: Limit(15.0, then="the goodbye is said, even if the caller speaks"),
    # A running hand-off has limits of its own.
    LengthState.LATE: None,
    LengthState.GOODBYE: Limit(0.2, then="the agent says goodbye and the call ends"),
    LengthState.SAID: None,
}

JUDGE_LIMITS: dict[JudgeState, Limit | None] = {
    JudgeState.NONE: None,
    JudgeState.SPEECH: None,
    JudgeState.JUDGING: Limit(
        lambda talk, now: talk.judging_seconds, then="it is judged without words"
    ),
}

SILENCE_LIMITS: dict[SilenceState, Limit | None] = {
    SilenceState.OFF: None,
    SilenceState.LISTENING: Limit(
        lambda talk, now: talk.setup.away_timeout,
        then="the caller is asked whether they are there, twice; then the call ends",
    ),
}

CALLEE_LIMITS: dict[CalleeState, Limit | None] = {
    CalleeState.NONE: None,
    # Longer greetings are cut off by few mailboxes; a menu never ends.
    CalleeState.GREETING: Limit(45.0, then="the message is left, or the call ends"),
    # The tone follows the greeting within about a second, and is no speech.
    CalleeState.QUIET: Limit(2.0, then="the message is left, or the call ends"),
    # The carrier reports a tone when it is sure of it, which is before its end.
    CalleeState.TONE: Limit(0.6, then="the message is left, or the call ends"),
    CalleeState.SERVED: None,
}

KEYS_LIMITS: dict[KeysState, Limit | None] = {
    KeysState.NONE: None,
    KeysState.DUE: Limit(5.0, then="the keys are pressed, whatever the agent says"),
    # The caller's leg has a limit of its own.
    KeysState.SENT: None,
}

TURN_LIMITS: dict[TurnState, Limit | None] = {
    TurnState.OVER: None,
    TurnState.SPEAKING: Limit(90.0, then="it is no person, and the call ends"),
    TurnState.MISSED: None,
}

KEYPAD_LIMITS: dict[KeypadState, Limit | None] = {
    KeypadState.QUIET: None,
    KeypadState.TYPING: Limit(1.5, then="the digits so far are one entry"),
}

REMIND_SECONDS = 8.0
"""How long a caller who is to type digits may do nothing before they are asked again."""

COLLECTION_LIMITS: dict[CollectionState, Limit | None] = {
    CollectionState.NONE: None,
    CollectionState.ANNOUNCED: Limit(15.0, then="the digits are awaited all the same"),
    CollectionState.AWAITED: Limit(
        lambda collection, now: collection.seconds_to_reminder, then="the caller is asked again"
    ),
    CollectionState.REMINDED: Limit(
        lambda collection, now: collection.seconds - collection.seconds_to_reminder,
        then="the tool gets no digits",
    ),
    CollectionState.TYPING: Limit(
        lambda collection, now: collection.seconds, then="the tool gets the digits so far"
    ),
    # The tone of the last key, or keys that were typed too many.
    CollectionState.SETTLING: Limit(1.0, then="the model and the recording hear the caller again"),
}

OWED_LIMITS: dict[OwedState, Limit | None] = {
    OwedState.NOTHING: None,
    OwedState.AWAITED: Limit(1.2, then="the model is asked to answer, if it does not do so"),
    OwedState.LATE: Limit(0.5, then="a prepared line is played"),
    OwedState.FILLING: Limit(0.5, then="the caller is still waiting"),
    OwedState.FILLED: Limit(2.3, then="another line; after the second, another session"),
    OwedState.RUNG: Limit(1.5, then="ringing is played, or the agent says that it still rings"),
    OwedState.RINGING: Limit(0.5, then="the caller is still waiting"),
}

TOOL_LINE_LIMITS: dict[ToolLineState, Limit | None] = {
    ToolLineState.NONE: None,
    # Sooner, a line would be played for tools that answer at once. Later, it would come hardly
    # before the filler of `OwedState.LATE`.
    ToolLineState.DUE: Limit(0.8, then="the tool's own line is played"),
}
