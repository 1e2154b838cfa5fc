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
from typing import Any

from hookflash.core.timers import Limit


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
    """What can happen to a hand-off; the value is how the documentation says it."""

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


S, T = HandoffState, Trigger

_BEGIN = {T.CHECK: S.CHECKING, T.GOODBYE: S.FAREWELL, T.REACH: S.RINGING, T.MOVE: S.MOVING}
_NOBODY = {
    T.NOBODY: S.IDLE,
    T.COME_BACK: S.RETURNING,
    T.MESSAGE: S.MESSAGE,
    T.GIVE_UP: S.FAILED,
}
_DIALLED = {T.BACK: S.RETURNING, T.OVER: S.DONE}
"""A bridge of the carrier's own may be told of only when it is over."""

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
        T.CANCELLED: S.IDLE,
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
        T.CANCELLED: S.IDLE,
        **_NOBODY,
        **_DIALLED,
        T.GONE: S.FAILED,
    },
    S.CLOSING: {
        T.LET_IN: S.BRIDGING,
        T.NEXT: S.RINGING,
        T.CANCELLED: S.IDLE,
        **_NOBODY,
        T.GONE: S.FAILED,
    },
    S.BRIDGING: {
        T.MET: S.WITH_HUMAN,
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
"""What changes nothing in a state: it is late, comes twice, or cannot be."""


CHECK_SECONDS = 2.0
SCREEN_SECONDS = 60.0
CONSULT_SECONDS = 150.0
LEAST_SCREEN_SECONDS = 20.0
"""Somebody who is listening to the whisper gets a while, even at the end of the plan's time."""

RING_SLACK_SECONDS = 12.0
"""Twilio rings some five seconds longer than it is told, and the news needs its time too."""

MEET_SECONDS = 15.0
ASK_SECONDS = 2.0
NEWS_SECONDS = 6.0
PART_SECONDS = 20.0


# The functions below are given the machine (`Handoff`), whose states these are.


def _ringing(handoff: Any, now: float) -> float | None:
    if not handoff.stays:
        # The carrier watches over what it rings itself.
        return None
    return max(0.0, float(handoff.ring_until) + RING_SLACK_SECONDS - now)


def _screening(handoff: Any, now: float) -> float:
    if handoff.coming_seconds:
        return float(handoff.coming_seconds)
    most = CONSULT_SECONDS if handoff.consults else SCREEN_SECONDS
    return max(LEAST_SCREEN_SECONDS, min(most, float(handoff.give_up_at) - now))


def _bridging(handoff: Any, now: float) -> float:
    if handoff.legs.taken is None:
        # If they had met already, the carrier asks for the caller now.
        return ASK_SECONDS
    return MEET_SECONDS + max(0.0, (handoff.leg.moving_until or now) - now)


def _with_human(handoff: Any, now: float) -> float | None:
    if not handoff.human_leaves:
        return None
    # Gone, or on the line still and about to say why they have left the room.
    return ASK_SECONDS if handoff.legs.taken is None else NEWS_SECONDS


def _returning(handoff: Any, now: float) -> float | None:
    return NEWS_SECONDS if handoff.awaits_caller else None


LIMITS: dict[HandoffState, Limit | None] = {
    S.IDLE: None,
    S.CHECKING: Limit(CHECK_SECONDS, then="everybody counts as there"),
    # The last words have a time of their own, and so has the move that follows them.
    S.FAREWELL: None,
    S.MOVING: None,
    S.RINGING: Limit(_ringing, then="whoever still rings does not answer: the next, or nobody"),
    S.SCREENING: Limit(_screening, then="whoever is asked does not accept: the next, or nobody"),
    S.CLOSING: None,
    S.BRIDGING: Limit(_bridging, then="they have met, or the human is gone"),
    S.WITH_HUMAN: Limit(_with_human, then="the human is gone, and so the caller is fetched"),
    S.PARTING: Limit(PART_SECONDS, then="the human has said nothing, and the caller is fetched"),
    S.RETURNING: Limit(_returning, then="the caller is fetched from hold"),
    S.MESSAGE: None,
    S.DONE: None,
    S.FAILED: None,
}
"""How long each state may last. None: something else has a limit, or nothing is owed."""
