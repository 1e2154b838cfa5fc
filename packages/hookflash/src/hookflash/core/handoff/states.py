"""The states of a hand-off, and which trigger leads from one to another.

    cold: IDLE -> CHECKING -> FAREWELL -> MOVING -> RINGING -> SCREENING -> WITH_HUMAN
    warm: IDLE -> CHECKING -> RINGING -> SCREENING -> CLOSING -> BRIDGING -> WITH_HUMAN

    CLOSING, BRIDGING -> SCREENING if the human is gone and another one has answered
    WITH_HUMAN -> PARTING (the human pressed *) -> BRIDGING (talks on), or RETURNING
    wherever nobody is reached -> the next target, IDLE or RETURNING (the agent), MESSAGE, FAILED
    wherever the caller is gone -> FAILED, or DONE where a human had spoken with them

In every state, each trigger leads to another state (`NEXT`) or changes nothing (`STAYS`): it is
late, doubled or impossible. A test checks that each trigger is in exactly one of the two. The table
in the documentation is made from them.
"""

from __future__ import annotations

from enum import Enum


class HandoffState(Enum):
    IDLE = "idle"
    CHECKING = "checking"
    FAREWELL = "farewell"
    MOVING = "moving"
    RINGING = "ringing"
    SCREENING = "screening"
    CLOSING = "closing"
    BRIDGING = "bridging"
    WITH_HUMAN = "with human"
    PARTING = "parting"
    RETURNING = "returning"
    MESSAGE = "message"
    DONE = "done"
    FAILED = "failed"


class Trigger(Enum):
    """What can happen to a hand-off. The value is its description in the documentation."""

    CHECK = "asked for, and somebody has to be asked who is there"
    CLOSED = "closed, or nobody is free"
    GOODBYE = "asked for, cold: the last words begin"
    REACH = "asked for, warm: a human is rung"
    CANCELLED = "called off"
    MOVE = "the caller's leg is told to ring"
    RANG = "a human's telephone rings"
    PICKED_UP = "somebody answers"
    PUT_DOWN = "who had answered is gone or declines"
    ACCEPTED = "a human takes the call"
    NEXT = "the next target is rung, the caller stays"
    REPLACED = "the human who accepted is gone, and others have answered"
    LET_IN = "the caller goes to the human"
    BRIDGED = "both hear each other"
    LEFT = "the human presses *"
    TALK_ON = "the human talks on"
    BACK = "the caller goes back to the agent after the human"
    STREAM = "the agent has the caller"
    NOBODY = "nobody was reached, the agent is there"
    COME_BACK = "nobody was reached, the caller goes back to the agent"
    MESSAGE = "nobody was reached, a message is taken"
    GIVE_UP = "nobody was reached, the call ends"
    OVER = "the human is done, the call ends"
    GONE = "the caller is gone"


S, T = HandoffState, Trigger

_BEGIN = {T.CHECK: S.CHECKING, T.GOODBYE: S.FAREWELL, T.REACH: S.RINGING, T.MOVE: S.MOVING}
_NOBODY = {
    T.NOBODY: S.IDLE,
    T.COME_BACK: S.RETURNING,
    T.MESSAGE: S.MESSAGE,
    T.GIVE_UP: S.FAILED,
}
_DIALLED = {T.BACK: S.RETURNING, T.OVER: S.DONE}
"""The carrier may report a bridge of its own only when that is over."""

NEXT: dict[HandoffState, dict[Trigger, HandoffState]] = {
    S.IDLE: {**_BEGIN, T.MESSAGE: S.MESSAGE},
    S.CHECKING: {
        T.CLOSED: S.IDLE,
        T.GOODBYE: S.FAREWELL,
        T.REACH: S.RINGING,
        T.MOVE: S.MOVING,
        T.CANCELLED: S.IDLE,
        T.GONE: S.FAILED,
    },
    S.FAREWELL: {T.MOVE: S.MOVING, T.CANCELLED: S.IDLE, T.GONE: S.FAILED},
    S.MOVING: {
        T.RANG: S.RINGING,
        T.PICKED_UP: S.SCREENING,
        T.BRIDGED: S.WITH_HUMAN,
        T.MOVE: S.MOVING,
        **_NOBODY,
        **_DIALLED,
        T.GONE: S.FAILED,
    },
    S.RINGING: {
        T.PICKED_UP: S.SCREENING,
        T.ACCEPTED: S.CLOSING,
        T.BRIDGED: S.WITH_HUMAN,
        T.NEXT: S.RINGING,
        T.MOVE: S.MOVING,
        T.CANCELLED: S.IDLE,
        **_NOBODY,
        **_DIALLED,
        T.GONE: S.FAILED,
    },
    S.SCREENING: {
        T.PUT_DOWN: S.RINGING,
        T.ACCEPTED: S.CLOSING,
        T.BRIDGED: S.WITH_HUMAN,
        T.NEXT: S.RINGING,
        T.MOVE: S.MOVING,
        T.CANCELLED: S.IDLE,
        **_NOBODY,
        **_DIALLED,
        T.GONE: S.FAILED,
    },
    S.CLOSING: {
        T.LET_IN: S.BRIDGING,
        T.REPLACED: S.SCREENING,
        T.NEXT: S.RINGING,
        T.CANCELLED: S.IDLE,
        **_NOBODY,
        T.GONE: S.FAILED,
    },
    S.BRIDGING: {
        T.BRIDGED: S.WITH_HUMAN,
        T.REPLACED: S.SCREENING,
        T.NEXT: S.RINGING,
        T.BACK: S.RETURNING,
        T.OVER: S.DONE,
        **_NOBODY,
        T.GONE: S.FAILED,
    },
    S.WITH_HUMAN: {
        T.LEFT: S.PARTING,
        T.BACK: S.RETURNING,
        T.MOVE: S.MOVING,
        **_NOBODY,
        T.OVER: S.DONE,
        T.GONE: S.DONE,
    },
    S.PARTING: {T.TALK_ON: S.BRIDGING, T.BACK: S.RETURNING, T.OVER: S.DONE, T.GONE: S.DONE},
    S.RETURNING: {T.STREAM: S.IDLE, T.MOVE: S.MOVING, T.GONE: S.DONE},
    S.MESSAGE: {T.GIVE_UP: S.FAILED, T.STREAM: S.IDLE, T.OVER: S.DONE, T.GONE: S.DONE},
    S.DONE: {**_BEGIN},
    S.FAILED: {**_BEGIN},
}

STAYS: dict[HandoffState, frozenset[Trigger]] = {
    state: frozenset(Trigger) - frozenset(NEXT[state]) for state in HandoffState
}
"""The triggers that change nothing in a state: they are late, doubled or impossible."""
