"""How long each state of a hand-off may last, and what happens then."""

from __future__ import annotations

from typing import Any

from hookflash.core.handoff.states import HandoffState
from hookflash.core.timers import Limit

S = HandoffState

CHECK_SECONDS = 2.0
"""How long the owner may take to compute the addresses, and to say who is free."""

ORDER_SECONDS = 60.0
"""How long an order to ring may wait at the carrier before a telephone rings."""

SCREEN_SECONDS = 60.0
"""How long a human may listen to the whisper and press a key."""

CONSULT_SECONDS = 150.0
"""How long the agent may talk with a human before they decide."""

LEAST_SCREEN_SECONDS = 20.0
"""The least time for a human who is listening, even at the end of the plan's whole time."""

RING_SLACK_SECONDS = 12.0
"""Twilio rings some five seconds longer than it is told, and its webhook takes time, too."""

BRIDGE_SECONDS = 15.0
"""How long it may take until the caller and the human are in one room."""

ASK_SECONDS = 2.0
"""How long the carrier may take to ask what is next, after the human's leg is over."""

QUEUE_ASK_SECONDS = 15.0
"""The longest that a question of Twilio's about a caller in a queue may take, with its retries."""

NEWS_SECONDS = 6.0
"""How long the carrier may take to say why a human has left the room."""

PART_SECONDS = 20.0
"""How long a human who pressed `*` may take to press 1 or 2."""

CHARACTER_SECONDS = 0.09
"""How long the carrier's voice takes for a character, at its slowest."""

WAIT_SECONDS = 2
"""How long a human who accepted second hears nothing before the carrier asks about them again."""

JOIN_SECONDS = 6.0
"""How long a human may take into the room after the whisper."""

KEY_SECONDS = 30.0
"""How long a human on a dialled leg may take to press a key after the whisper."""

DIAL_SLACK_SECONDS = 30.0
ROOM_SLACK_SECONDS = 120.0
"""How much longer than the plan allows a caller's leg may stay with humans: dialling, in a room."""

QUEUE_SECONDS = 4 * 3600.0 + 600.0
"""How long a caller may be in a queue: Twilio's longest call, and ten minutes."""


# The functions below are given the machine (`Handoff`), whose states these are.


def _ringing(handoff: Any, now: float) -> float | None:
    if not handoff.stays:
        # The carrier limits how long its own leg rings.
        return None
    return max(0.0, float(handoff.ring_until) + RING_SLACK_SECONDS - now)


def _screening(handoff: Any, now: float) -> float:
    if handoff.joining_seconds:
        return float(handoff.joining_seconds)
    most = CONSULT_SECONDS if handoff.consults else SCREEN_SECONDS
    return max(LEAST_SCREEN_SECONDS, min(most, float(handoff.give_up_at) - now))


def _bridging(handoff: Any, now: float) -> float:
    if handoff.legs.taken is None:
        # If they were bridged before, the carrier asks for the caller now.
        return ASK_SECONDS
    return BRIDGE_SECONDS + max(0.0, (handoff.leg.moving_until or now) - now)


def _with_human(handoff: Any, now: float) -> float | None:
    if not handoff.human_leaves:
        return None
    # The human hung up, or is on the line and about to say why they left the room.
    return ASK_SECONDS if handoff.legs.taken is None else NEWS_SECONDS


def _parting(handoff: Any, now: float) -> float:
    # A human who hangs up instead of pressing a key has said enough.
    return ASK_SECONDS if handoff.legs.taken is None else PART_SECONDS


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
    S.BRIDGING: Limit(_bridging, then="they are bridged, or the human is gone"),
    S.WITH_HUMAN: Limit(_with_human, then="the human is gone, and so the caller is fetched"),
    S.PARTING: Limit(
        _parting, then="the human is gone or has said nothing, and so the caller is fetched"
    ),
    S.RETURNING: Limit(_returning, then="the caller is fetched from hold"),
    S.MESSAGE: None,
    S.DONE: None,
    S.FAILED: None,
}
"""How long each state may last. None: something else has a limit, or nothing is awaited."""
