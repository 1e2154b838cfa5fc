"""Answer a caller who waits while a human is being rung. No I/O.

In a warm hand-off the caller stays with the agent until a human has accepted. The caller may ask
about progress, give information for the human, or ask something else. The agent must not ask again
whether the caller wants a human.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import takewhile
from typing import Any, Final

import msgspec

from hookflash_local.model.components import Say, Turn
from hookflash_local.model.speech.dialogue_state import DialogueState
from hookflash_local.model.speech.intents import Intent
from hookflash_local.model.speech.sentences import sentences
from hookflash_local.model.speech.word_matching import normalised

FAILED_STATUSES: Final = ("refused", "failed", "error", "closed", "unknown", "unavailable")
"""Values of `status` in a transfer's output if no human is being rung."""

STATUS_CANCELLED: Final = "cancelled"
STATUS_RINGING: Final = "ringing"
STATUS_UNDER_WAY: Final = "already under way"

ANYTHING_TO_KNOW: Final = "Is there anything that they should know before?"
CHANGED_MIND: Final = re.compile(
    r"\b(?:never ?mind|forget (?:it|about it)|changed my mind|call (?:it|that|them) off"
    r"|cancel (?:it|that|the (?:transfer|call))|(?:no longer|don't|do not) (?:need|want) (?:to"
    r" (?:talk|speak|wait)|them|him|her|that|it|anybody|anyone|a (?:human|person|colleague))"
    r"|(?:don't|do not|stop) (?:connect|transfer|ring|call|bother|trying)\w*"
    r"|(?:rather|just) (?:stay|talk|speak) (?:with|to) you)\b"
)
"""The caller no longer wants the human. A plain "no" may mean something else."""

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


def ringing_destination(conversation: Sequence[Turn], transfer: str) -> str | None:
    """Return the destination that is being rung, or None; `transfer` is the tool's name.

    Ringing begins with a successful output of the tool, or with a system note that says so. It ends
    with a note that says so, or when the transfer is cancelled.
    """
    asked, rung = "", None
    for turn in conversation:
        if turn.role == "tool_call" and turn.name == transfer:
            asked = _destination(turn.arguments)
        elif turn.role == "tool_output" and turn.name == transfer:
            status = output_status(turn.text)
            rung = asked if status and status not in FAILED_STATUSES else rung
        elif turn.role == "tool_output" and output_status(turn.text) == STATUS_CANCELLED:
            rung = None
        elif turn.role == "system" and _NO_LONGER.search(turn.text):
            rung = None
        elif turn.role == "system" and (match := _RUNG.search(turn.text)):
            rung = match["who"].lower()
    return rung


def output_status(output: str) -> str | None:
    """Return the `status` in a tool's output, or None."""
    status = _object(output).get("status")
    return str(status) if status is not None else None


def output_detail(output: str) -> str:
    """Return the `detail` in a tool's output, which is for language models, or an empty text."""
    return str(_object(output).get("detail") or "")


def _destination(arguments: str) -> str:
    return str(_object(arguments).get("destination", ""))


def _object(text: str) -> dict[str, Any]:
    try:
        decoded = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return {}
    return decoded if isinstance(decoded, dict) else {}


def asks_progress(said: str) -> bool:
    """Return whether a waiting caller asks about progress."""
    return _PROGRESS.search(normalised(said)) is not None


def is_question(said: str) -> bool:
    """Return whether `said` is a question."""
    return said.rstrip().endswith("?") or _ASKS.search(normalised(said)) is not None


def say_ringing(who: str) -> Say:
    """Return the first words for a caller who waits."""
    return Say(f"I am ringing {who} now and stay with you. {ANYTHING_TO_KNOW}")


def say_still_ringing(who: str, dialogue: DialogueState) -> Say:
    """Return the answer to a question about progress; its wording changes after the first time."""
    status = f"I am still ringing {who}."
    again = any(text.startswith(status) for text in dialogue.times_said)
    if again:
        return Say(f"{status} I connect you as soon as somebody answers.")
    return Say(f"{status} I stay with you until somebody answers. {ANYTHING_TO_KNOW}")


def say_noted(who: str) -> Say:
    """Return the answer to information for the human."""
    return Say(f"Thank you, I have noted that for {who}. I am still ringing.")


def say_closed(output: str) -> str:
    """Return that a destination is closed, as the tool's output says, and the alternatives."""
    detail = list(
        takewhile(lambda each: not each.startswith("Tell "), sentences(output_detail(output)))
    )
    message, back = "take_voicemail" in output, "schedule_callback" in output
    offers = {
        (True, True): "Shall I take a message, or shall they call you back?",
        (True, False): "Shall I take a message?",
        (False, True): "Shall they call you back?",
    }
    offer = offers.get((message, back), "What else can I do for you?")
    return " ".join(["I am sorry.", *detail, offer])


def only_waits(intent: Intent | None, said: str) -> bool:
    """Return whether the caller only waits and wants to hear about progress."""
    return intent in (Intent.YES, Intent.THANKS, Intent.GREETING, Intent.PERSON) or asks_progress(
        said
    )
