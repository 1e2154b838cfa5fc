"""The states of the conversation and of its parts: names, nothing else."""

from __future__ import annotations

from enum import Enum


class ConversationState(Enum):
    """Whether the caller is with the agent."""

    AWAY = "away"
    AWAITED = "awaited"
    LIVE = "live"
    CUT_OFF = "cut off"


class RequestState(Enum):
    """Whether the model has a response running, or was asked for one."""

    FREE = "free"
    ASKED = "asked"
    ANSWERING = "answering"
    SPEAKING = "speaking"
    CANCELLING = "cancelling"


class PauseState(Enum):
    """What a request waits for, although the model is free."""

    NONE = "nothing"
    OWN_ANSWER = "the model's own answer"
    RETRY = "another try"


class SessionState(Enum):
    """Whether there is a session with the model."""

    CLOSED = "closed"
    OPENING = "opening"
    WAITING = "waiting"
    READY = "ready"
    DEAD = "dead"


class FarewellState(Enum):
    """How far the agent's last words are."""

    NONE = "none"
    DUE = "due"
    SOUNDING = "sounding"
    HELD = "held"


class LengthState(Enum):
    """How much is left of the time that the agent has for a caller."""

    OFF = "the caller is not with the agent, or there is no limit"
    RUNNING = "time is left"
    WARNED = "the caller was told that little is left"
    OVER = "it is over, and the caller may finish their sentence"
    LATE = "it is over, and the caller had time to finish"
    GOODBYE = "nobody speaks any more"
    SAID = "the agent says goodbye"


class JudgeState(Enum):
    """Whether a sound of the caller over the agent is still to be judged."""

    NONE = "nothing was cut"
    SPEECH = "the caller speaks"
    JUDGING = "their words are waited for"


class CalleeState(Enum):
    """What is known of a mailbox that has answered a call of this line."""

    NONE = "no mailbox has answered"
    GREETING = "a mailbox greets"
    QUIET = "a mailbox is quiet after its greeting"
    TONE = "a mailbox records, and its tone may still sound"
    SERVED = "the message is being left, or the call ends"


class KeysState(Enum):
    """Whether telephone keys are pressed for a tool."""

    NONE = "no keys are pressed"
    DUE = "the agent finishes its sentence"
    SENT = "the tones are played, and the stream is awaited"


class SilenceState(Enum):
    """Whether it is the caller's turn, and nobody speaks."""

    OFF = "off"
    LISTENING = "listening"


class TurnState(Enum):
    """Whether the caller speaks."""

    OVER = "over"
    SPEAKING = "speaking"
    MISSED = "missed"
    """Their turn is over, and the model has not detected that. So it detects no new turn either."""


class KeypadState(Enum):
    """Whether the caller is typing."""

    QUIET = "quiet"
    TYPING = "typing"


class CollectionState(Enum):
    """Whether a tool waits for digits that the caller types."""

    NONE = "no tool waits"
    ANNOUNCED = "the caller is asked for them"
    AWAITED = "nothing was typed yet"
    REMINDED = "nothing was typed yet, and the caller was reminded"
    TYPING = "typing"
    SETTLING = "the digits are complete, and the last tone may still sound"


class OwedState(Enum):
    """What a caller hears while they are owed something and the agent says nothing."""

    NOTHING = "nothing is owed"
    AWAITED = "awaited"
    LATE = "late"
    FILLING = "filling"
    FILLED = "filled"
    RUNG = "a human is rung"
    RINGING = "ringing is played"


class ToolLineState(Enum):
    """Whether a tool's own line is due, which comes before any other filler."""

    NONE = "none"
    DUE = "due"
