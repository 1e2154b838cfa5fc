"""The hand-off machine as a table: which state follows which, on what. Nothing is left out.

    cold: IDLE -> CHECKING -> FAREWELL -> MOVING -> RINGING -> SCREENING -> WITH_HUMAN
    warm: IDLE -> CHECKING -> RINGING -> SCREENING -> CLOSING -> BRIDGING -> WITH_HUMAN

    WITH_HUMAN -> PARTING (the human pressed *) -> BRIDGING (talks on), or RETURNING
    wherever nobody is reached -> the next target, IDLE or RETURNING (the agent), MESSAGE, FAILED
    wherever the caller is gone -> FAILED, or DONE where a human had spoken with them

In every state each trigger either leads somewhere (`NEXT`) or changes nothing (`STAYS`), because it
is late, doubled or cannot be: a test demands that each stands in exactly one of the two, and the
documentation's table is made from them.
"""

from __future__ import annotations

from enum import Enum


class State(Enum):
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
    """What can happen to a hand-off; the value is how the documentation says it."""

    CHECK = "asked for, and somebody has to be asked who is there"
    CLOSED = "closed, or nobody is free"
    GOODBYE = "asked for, cold: the last words begin"
    REACH = "asked for, warm: a human is rung"
    STAY = "called off"
    MOVE = "the caller's leg is told to ring"
    RANG = "a human's telephone rings"
    PICKED_UP = "somebody answers"
    PUT_DOWN = "who had answered is gone or declines"
    ACCEPTED = "a human takes the call"
    NEXT = "the next target is rung, the caller stays"
    LET_IN = "the caller goes to the human"
    MET = "both hear each other"
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


S, T = State, Trigger

_BEGIN = {T.CHECK: S.CHECKING, T.GOODBYE: S.FAREWELL, T.REACH: S.RINGING, T.MOVE: S.MOVING}
_NOBODY = {
    T.NOBODY: S.IDLE,
    T.COME_BACK: S.RETURNING,
    T.MESSAGE: S.MESSAGE,
    T.GIVE_UP: S.FAILED,
}
_DIALLED = {T.BACK: S.RETURNING, T.OVER: S.DONE}
"""A bridge of the carrier's own may be told of only when it is over."""

NEXT: dict[State, dict[Trigger, State]] = {
    S.IDLE: {**_BEGIN, T.MESSAGE: S.MESSAGE},
    S.CHECKING: {
        T.CLOSED: S.IDLE,
        T.GOODBYE: S.FAREWELL,
        T.REACH: S.RINGING,
        T.MOVE: S.MOVING,
        T.STAY: S.IDLE,
        T.GONE: S.FAILED,
    },
    S.FAREWELL: {T.MOVE: S.MOVING, T.STAY: S.IDLE, T.GONE: S.FAILED},
    S.MOVING: {
        T.RANG: S.RINGING,
        T.PICKED_UP: S.SCREENING,
        T.MET: S.WITH_HUMAN,
        T.MOVE: S.MOVING,
        **_NOBODY,
        **_DIALLED,
        T.GONE: S.FAILED,
    },
    S.RINGING: {
        T.PICKED_UP: S.SCREENING,
        T.ACCEPTED: S.CLOSING,
        T.MET: S.WITH_HUMAN,
        T.NEXT: S.RINGING,
        T.MOVE: S.MOVING,
        T.STAY: S.IDLE,
        **_NOBODY,
        **_DIALLED,
        T.GONE: S.FAILED,
    },
    S.SCREENING: {
        T.PUT_DOWN: S.RINGING,
        T.ACCEPTED: S.CLOSING,
        T.MET: S.WITH_HUMAN,
        T.NEXT: S.RINGING,
        T.MOVE: S.MOVING,
        T.STAY: S.IDLE,
        **_NOBODY,
        **_DIALLED,
        T.GONE: S.FAILED,
    },
    S.CLOSING: {
        T.LET_IN: S.BRIDGING,
        T.NEXT: S.RINGING,
        T.STAY: S.IDLE,
        **_NOBODY,
        T.GONE: S.FAILED,
    },
    S.BRIDGING: {
        T.MET: S.WITH_HUMAN,
        T.NEXT: S.RINGING,
        T.BACK: S.RETURNING,
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


_ASKED = (T.CHECK, T.GOODBYE, T.REACH)
_LEGS = (T.RANG, T.PICKED_UP, T.PUT_DOWN, T.ACCEPTED)
_ROOM = (T.LET_IN, T.MET, T.LEFT, T.TALK_ON)
_AFTER = (T.BACK, T.OVER)
_NONE = (T.NOBODY, T.COME_BACK, T.MESSAGE, T.GIVE_UP)
_NEW = (T.CLOSED, T.STAY, T.NEXT, *_LEGS, *_ROOM, *_AFTER)

STAYS: dict[State, frozenset[Trigger]] = {
    S.IDLE: frozenset({*_NEW, T.STREAM, T.NOBODY, T.COME_BACK, T.GIVE_UP, T.GONE}),
    S.CHECKING: frozenset({T.CHECK, T.NEXT, *_LEGS, *_ROOM, *_AFTER, T.STREAM, *_NONE}),
    S.FAREWELL: frozenset({*_ASKED, T.CLOSED, T.NEXT, *_LEGS, *_ROOM, *_AFTER, T.STREAM, *_NONE}),
    S.MOVING: frozenset(
        {*_ASKED, T.CLOSED, T.STAY, T.PUT_DOWN, T.ACCEPTED, T.NEXT}
        | {T.LET_IN, T.LEFT, T.TALK_ON, T.STREAM}
    ),
    S.RINGING: frozenset(
        {*_ASKED, T.CLOSED, T.RANG, T.PUT_DOWN, T.LET_IN, T.LEFT, T.TALK_ON, T.STREAM}
    ),
    S.SCREENING: frozenset(
        {*_ASKED, T.CLOSED, T.RANG, T.PICKED_UP, T.LET_IN, T.LEFT, T.TALK_ON, T.STREAM}
    ),
    S.CLOSING: frozenset(
        {*_ASKED, T.CLOSED, T.MOVE, *_LEGS, T.MET, T.LEFT, T.TALK_ON, *_AFTER, T.STREAM}
    ),
    S.BRIDGING: frozenset(
        {*_ASKED, T.CLOSED, T.STAY, T.MOVE, *_LEGS, T.LET_IN, T.LEFT, T.TALK_ON, T.OVER, T.STREAM}
    ),
    S.WITH_HUMAN: frozenset(
        {*_ASKED, T.CLOSED, T.STAY, *_LEGS, T.NEXT, T.LET_IN, T.MET, T.TALK_ON, T.STREAM}
    ),
    S.PARTING: frozenset(
        {*_ASKED, T.CLOSED, T.STAY, T.MOVE, *_LEGS, T.NEXT}
        | {T.LET_IN, T.MET, T.LEFT, T.STREAM, *_NONE}
    ),
    S.RETURNING: frozenset({*_ASKED, T.CLOSED, T.STAY, T.NEXT, *_LEGS, *_ROOM, *_AFTER, *_NONE}),
    S.MESSAGE: frozenset(
        {*_ASKED, T.CLOSED, T.STAY, T.MOVE, T.NEXT, *_LEGS, *_ROOM, T.BACK}
        | {T.NOBODY, T.COME_BACK, T.MESSAGE}
    ),
    S.DONE: frozenset({*_NEW, T.STREAM, *_NONE, T.GONE}),
    S.FAILED: frozenset({*_NEW, T.STREAM, *_NONE, T.GONE}),
}
