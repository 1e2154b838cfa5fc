"""What the agent is asked to say at the turns of a call, and what tools of ours tell the model.

Each request quotes one sentence. A language model says it in the caller's language and its own
words where the text allows that; the stand-in without one says the quoted sentence.
"""

from __future__ import annotations

import msgspec

from hookflash.core.handoff_plan import Destination

TRANSFER_TOOL = "transfer_to_human"
END_TOOL = "end_call"

_WHY = {
    "busy": "the line was busy",
    "no-answer": "nobody answered",
    "declined": "they could not take the call",
    "failed": "the call did not go through",
    "canceled": "the call did not go through",
    "machine": "only a mailbox answered",
}

CUT_OFF = (
    "The line was interrupted for a moment and the caller is back. Apologise briefly and go on"
    ' where you were, for example: "I am sorry, we were cut off for a moment. Please go on."'
)
GOODBYE = (
    "The call is about to end. Say one short goodbye and nothing else, for example:"
    ' "Thank you for calling. Goodbye."'
)
STAYED = (
    "The caller interrupted the goodbye, so the transfer is off and they are still with you."
    f" Listen to what they want; call {TRANSFER_TOOL} again only if they still want a human."
)
STAYED_ON = "The caller interrupted the goodbye, so the call goes on. Listen to what they want."


def greeting(text: str | None) -> str:
    if text is None:
        return (
            "The call has just begun. Greet the caller in one short sentence and ask how you can"
            ' help, for example: "Hello, how can I help you?"'
        )
    return f'The call has just begun. Say this to the caller, word for word: "{text}"'


def farewell(destination: Destination) -> str:
    return (
        "The caller is about to be connected to a human. Say one short sentence and nothing else,"
        f' for example: "I am connecting you with {spoken(destination)} now. One moment please."'
    )


def why(outcome: str) -> str:
    return _WHY.get(outcome, "it did not work")


def came_back(destination: Destination, outcome: str) -> tuple[str, str]:
    """Return (what the model should know, what it is asked to say) after a failed hand-off."""
    name, reason = spoken(destination), why(outcome)
    return (
        f"You tried to connect the caller with {name}, but {reason}. The caller is back with you.",
        f"Tell the caller that you could not reach {name} because {reason}, and offer to go on or"
        f' to take a message, for example: "I could not reach {name}: {reason}. You are back with'
        ' me. What can I do for you?"',
    )


def after_human(destination: Destination) -> tuple[str, str]:
    """Return (what the model should know, what it is asked to say) after a human hung up."""
    name = spoken(destination)
    return (
        f"The caller has spoken with {name}, who has hung up. The caller is back with you.",
        "Welcome the caller back in one short sentence, for example:"
        ' "You are back with me. Is there anything else I can do for you?"',
    )


def typed(digits: str) -> str:
    return f"The caller typed {digits} on the telephone's keypad."


def late_result(name: str, output: str) -> str:
    return f"The tool {name}, called before the line was interrupted, has answered: {output}"


def spoken(destination: Destination) -> str:
    """Return a destination's key as a person would say it."""
    return destination.key.replace("_", " ").replace("-", " ")


def tool_status(status: str, detail: str) -> str:
    """Return the output of one of our own tools, as JSON text."""
    return msgspec.json.encode({"status": status, "detail": detail}).decode()
