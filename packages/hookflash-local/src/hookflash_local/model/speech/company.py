"""Keeping the caller company while a human is being rung in the background. No I/O.

In a warm hand-off the caller stays with the agent until a human has accepted. The caller may ask
whether anybody is coming, tell what the human should know, or simply ask something else; and must
never be asked again whether they want a human.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import takewhile
from typing import Any, Final

import msgspec

from hookflash_local.model.parts import Say, Turn
from hookflash_local.model.speech.scene import Scene
from hookflash_local.model.speech.sentences import sentences
from hookflash_local.model.speech.wishes import Wish
from hookflash_local.model.speech.words import normalised

FAILED: Final = ("refused", "failed", "error", "closed", "unknown", "unavailable")
"""What a transfer's answer may have as `status` when no human is being rung."""

CANCELLED: Final = "cancelled"
RINGING: Final = "ringing"
UNDER_WAY: Final = "already under way"

ANYTHING_TO_KNOW: Final = "Is there anything that they should know before?"
CHANGED_MIND: Final = re.compile(
    r"\b(?:never ?mind|forget (?:it|about it)|changed my mind|call (?:it|that|them) off"
    r"|cancel (?:it|that|the (?:transfer|call))|(?:no longer|don't|do not) (?:need|want) (?:to"
    r" (?:talk|speak|wait)|them|him|her|that|it|anybody|anyone|a (?:human|person|colleague))"
    r"|(?:don't|do not|stop) (?:connect|transfer|ring|call|bother|trying)\w*"
    r"|(?:rather|just) (?:stay|talk|speak) (?:with|to) you)\b"
)
"""A waiting caller who does not want the human any more. A plain "no" may mean something else."""

_RUNG = re.compile(r"^(?P<who>.+?) is being rung now\b")
_NO_LONGER = re.compile(
    r"\b(?:back with you|tried to connect the caller|transfer (?:is off|was called off)"
    r"|interrupted the goodbye|has hung up)\b",
    re.IGNORECASE,
)
_PROGRESS = re.compile(
    r"\b(?:how (?:much )?long(?:er)?|are (?:they|you) (?:still )?there|still there"
    r"|any ?(?:news|luck|body (?:there|coming))"
    r"|what's (?:happening|going on|taking)|what is (?:happening|going on)"
    r"|(?:are|is) (?:they|he|she|somebody|someone|anybody|anyone) (?:\w+ )?(?:coming|answering"
    r"|there|free|available|picking up)|when (?:will|do|does|is|are) (?:they|he|she|someone"
    r"|somebody|it)|(?:am i|still) (?:waiting|connected|on hold)|hurry|taking so long"
    r"|who (?:are you|is) (?:ringing|calling))\b"
)
_ASKS = re.compile(
    r"^(?:and |so |but |well |um |uh |okay )*(?:who|what|where|when|why|how|which|whose|is|are|am"
    r"|do|does|did|can|could|will|would|should|may|have|has)\b"
)


def being_rung(conversation: Sequence[Turn], transfer: str) -> str | None:
    """Return the destination that is being rung by the tool `transfer`, or None.

    It is rung from the tool's good answer, or from a note of the line that says so, until a note
    says otherwise or the transfer was cancelled.
    """
    asked, rung = "", None
    for turn in conversation:
        if turn.role == "tool_call" and turn.name == transfer:
            asked = _destination(turn.arguments)
        elif turn.role == "tool_output" and turn.name == transfer:
            status = told_status(turn.text)
            rung = asked if status and status not in FAILED else rung
        elif turn.role == "tool_output" and told_status(turn.text) == CANCELLED:
            rung = None
        elif turn.role == "system" and _NO_LONGER.search(turn.text):
            rung = None
        elif turn.role == "system" and (match := _RUNG.search(turn.text)):
            rung = match["who"].lower()
    return rung


def told_status(output: str) -> str | None:
    """Return the `status` in a tool's answer, or None if it has none."""
    status = _object(output).get("status")
    return str(status) if status is not None else None


def told_detail(output: str) -> str:
    """Return the `detail` in a tool's answer, which is for language models, or nothing."""
    return str(_object(output).get("detail") or "")


def _destination(arguments: str) -> str:
    return str(_object(arguments).get("destination", ""))


def _object(text: str) -> dict[str, Any]:
    try:
        told = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return {}
    return told if isinstance(told, dict) else {}


def asks_progress(said: str) -> bool:
    """Say whether a caller who waits wants to know how long it will be."""
    return _PROGRESS.search(normalised(said)) is not None


def is_question(said: str) -> bool:
    """Say whether `said` wants an answer rather than telling something."""
    return said.rstrip().endswith("?") or _ASKS.search(normalised(said)) is not None


def ringing_now(who: str) -> Say:
    """The first thing a caller hears who will wait with the agent."""
    return Say(f"I am ringing {who} now and stay with you. {ANYTHING_TO_KNOW}")


def still_ringing(who: str, scene: Scene) -> Say:
    """What a caller hears who asks how it goes; in other words when they have heard it before."""
    told = f"I am still ringing {who}."
    again = any(text.startswith(told) for text in scene.asked_times)
    if again:
        return Say(f"{told} I connect you as soon as somebody answers.")
    return Say(f"{told} I stay with you until somebody answers. {ANYTHING_TO_KNOW}")


def noted(who: str) -> Say:
    """What a caller hears who has told something for the human."""
    return Say(f"Thank you, I have noted that for {who}. I am still ringing.")


def closed(output: str) -> str:
    """Say that a destination is closed, as its tool told it, and what may be done instead."""
    told = list(
        takewhile(lambda each: not each.startswith("Tell "), sentences(told_detail(output)))
    )
    message, back = "take_voicemail" in output, "schedule_callback" in output
    offers = {
        (True, True): "Shall I take a message, or shall they call you back?",
        (True, False): "Shall I take a message?",
        (False, True): "Shall they call you back?",
    }
    offer = offers.get((message, back), "What else can I do for you?")
    return " ".join(["I am sorry.", *told, offer])


def waits(meant: Wish | None, said: str) -> bool:
    """Say whether the caller just waits, politely or not, and wants to hear that it goes on."""
    return meant in (Wish.YES, Wish.THANKS, Wish.GREETING, Wish.PERSON) or asks_progress(said)
