"""Prompts: every text that Hookflash itself gives to the model.

Most prompts quote one sentence as an example. A language model says it in its own words. The local
stand-in, which has no language model, says the quoted sentence. In a call in another language than
English no example is quoted. What the carrier says is in `phrases.py`.
"""

from __future__ import annotations

import re

import msgspec

from hookflash.core.builtin_tools import CALLBACK_TOOL, CANCEL_TOOL, TRANSFER_TOOL, VOICEMAIL_TOOL
from hookflash.core.handoff_plan import Destination, HandoffPlan
from hookflash.core.phrases import ENGLISH, LANGUAGE_NAMES, Phrases, filled

_WHY = {
    "busy": "the line was busy",
    "no-answer": "nobody answered",
    "declined": "they could not take the call",
    "failed": "the call did not go through",
    "cancelled": "the call did not go through",
    "machine": "nobody took the call",
    "timeout": "nobody took the call in time",
    "refused": "the call did not go through",
    "human-gone": "they hung up before you were connected",
}

_OFFERS = {
    "voicemail": f"to record a message for them ({VOICEMAIL_TOOL})",
    "callback": f"that they are called back ({CALLBACK_TOOL})",
}

CUT_OFF = (
    "The line was interrupted for a moment and the caller is back. Apologise briefly and go on"
    ' where you were, for example: "I am sorry, we were cut off for a moment. Please go on."'
)
GOODBYE = (
    "The call is about to end. Say one short goodbye and nothing else, for example:"
    ' "Thank you for calling. Goodbye."'
)
LEAVE_MESSAGE = (
    "The caller is about to leave a message. Say one short sentence and nothing else, for example:"
    ' "Please leave your message."'
)
STAYED = (
    "The caller interrupted the goodbye, so the transfer is off and they are still with you."
    f" Listen to what they want; call {TRANSFER_TOOL} again only if they still want a human."
)
STAYED_ON = "The caller interrupted the goodbye, so the call goes on. Listen to what they want."


STILL_THERE = (
    "The caller has said nothing for a while. Ask in one short sentence whether they are still"
    ' there, for example: "Hello, are you still there?"'
)
STILL_THERE_AGAIN = (
    "The caller still says nothing. Say in one short sentence that you cannot hear them and ask"
    ' again, for example: "I cannot hear you. Are you still on the line?"'
)
SILENT_GOODBYE = (
    "Nobody answers, so the call is about to end. Say one short goodbye and nothing else, for"
    ' example: "I still cannot hear you, so I will end the call now. Goodbye."'
)


TIME_OVER = (
    "The longest time that a call may take is over, so this call ends now. Say one short goodbye"
    ' and nothing else, for example: "Our time is over, so I have to end the call now. Thank you'
    ' for calling. Goodbye."'
)


def almost_over(seconds: int) -> tuple[str, str]:
    """Return (what the model should know, what it is asked to say) so long before the end."""
    left = "one minute" if seconds == 60 else f"{seconds} seconds"
    return (
        f"The longest time that a call may take is almost over: this call ends in about {left}."
        " Help the caller to finish what matters most.",
        "Tell the caller in one short sentence that the call ends soon, for example:"
        f' "We have about {left} left. What else is important to you?"',
    )


_EXAMPLE = re.compile(r',? for example: ?"(?:.*)"', re.DOTALL)


def in_language(text: str, language: str | None) -> str:
    """Return a prompt for a call in `language` (ISO 639-1).

    The example that it quotes is in English. In another language the prompt names that language
    instead, so that the model is shown no English sentence to say.
    """
    if language is None or language == "en":
        return text
    name = LANGUAGE_NAMES.get(language, "their language")
    return _EXAMPLE.sub(f", in {name}.", text)


def greeting(text: str) -> str:
    """Ask for the greeting: `text` word for word, or the model's own words if it is empty."""
    if not text:
        return (
            "The call has just begun. Greet the caller in one short sentence and ask how you can"
            ' help, for example: "Hello, how can I help you?"'
        )
    return f'The call has just begun. Say this to the caller, word for word: "{text}"'


def placed_call(known: str) -> str:
    """Tell the agent that it has placed this call, and why."""
    said = (
        "You have placed this call yourself: the person on the line did not call you. Say who you"
        " are and why you call, and end the call if they do not want to talk."
    )
    return f"{said} What you know about this call: {known}" if known else said


def agent_took_over(before: str, reason: str, summary: str) -> tuple[str, str]:
    """Tell an agent that it takes the call over, and ask for its first words."""
    known = f"You have taken this call over from the agent {before!r}."
    if reason:
        known += f" The reason: {reason}."
    if summary:
        known += f" What was said: {summary}"
    return known, (
        "You have just taken the call over, in your own voice. Say in one short sentence who you"
        " are, and go on with what the caller wants. Do not ask again what was said already."
    )


def agent_unreachable(name: str) -> tuple[str, str]:
    """Tell an agent that it has the call back, and ask for its first words."""
    return (
        f"The agent {name!r} did not take the call, so you have it back.",
        "The transfer did not work, and the caller is with you again. Apologise in one short"
        " sentence and help them yourself, as far as you can.",
    )


def keys_pressed(digits: str) -> str:
    """Tell the agent that keys were pressed, so that it waits for what follows."""
    return (
        f"The telephone keys {digits} were pressed. Listen to what the other side says now, such as"
        " the next part of a menu, before you speak."
    )


def leave_at_mailbox(text: str) -> str:
    """Ask for the message to a mailbox, word for word."""
    return (
        "A mailbox has answered and is recording. Say this message, word for word, and nothing"
        f' else: "{text}"'
    )


def consent(text: str) -> str:
    """Ask for the consent line, word for word."""
    return (
        "Before anything else the caller must hear this. Say it word for word, and nothing more:"
        f' "{text}"'
    )


def farewell(destination: Destination) -> str:
    """Ask for the last words before a cold hand-off."""
    return (
        "The caller is about to be connected to a human. Say one short sentence and nothing else,"
        f' for example: "I am connecting you with {spoken(destination)} now. One moment please."'
    )


def why(outcome: str) -> str:
    """Return why a hand-off failed, as a clause."""
    return _WHY.get(outcome, "it did not work")


def came_back(destination: Destination, outcome: str, note: str = "") -> tuple[str, str]:
    """Return (message for the model, prompt) after a hand-off that reached nobody."""
    name, reason = spoken(destination), why(outcome)
    said = f' Their words: "{note}".' if note else ""
    plan = destination.plan
    if plan.otherwise == "callback":
        return (
            f"You tried to connect the caller with {name}, but {reason}.{said} Take the number and"
            f" the wish of the caller, read them back, and call {CALLBACK_TOOL}.",
            f"Tell the caller that you could not reach {name} because {reason}, and ask for the"
            f' number to call them back on, for example: "I could not reach {name}: {reason}. On'
            ' which number may they call you back?"',
        )
    or_instead = f" or {offers}" if (offers := _offers(plan)) else ""
    return (
        f"You tried to connect the caller with {name}, but {reason}.{said} The caller is back with"
        f" you.{offered(destination)}",
        f"Tell the caller that you could not reach {name} because {reason}, and offer to go on"
        f'{or_instead}, for example: "I could not reach {name}: {reason}. You are back with me.'
        ' What can I do for you?"',
    )


def fetched_from_queue(destination: Destination) -> tuple[str, str]:
    """Return the same for a caller who was fetched from a queue, and may have had a human there."""
    name = spoken(destination)
    return (
        f"The caller has waited in the queue of {name} and was brought back to you. Whether they"
        f" have spoken with somebody there is not known.{offered(destination)}",
        "Welcome the caller back in one short sentence, for example:"
        ' "You are back with me. What can I do for you?"',
    )


def offered(destination: Destination) -> str:
    """Return what the agent may offer instead, as a sentence, or an empty text."""
    offers = _offers(destination.plan)
    return f" You may offer {offers}." if offers else ""


def _offers(plan: HandoffPlan) -> str:
    kinds = dict.fromkeys((plan.otherwise, *plan.offers))
    return " or ".join(_OFFERS[kind] for kind in kinds if kind in _OFFERS)


def ringing(destination: Destination) -> str:
    """Return what the model is told while a human is rung and the caller stays with it."""
    return (
        f"{spoken(destination).capitalize()} is being rung now; the caller stays with you until"
        " somebody takes the call, and you will be told. Keep the caller company: say in one short"
        " sentence that you are trying to reach them, then ask for what will be useful, such as a"
        " number, a date or what was tried; all of it is passed on. Answer what you can. Do not"
        f" call {TRANSFER_TOOL} again. If the caller changes their mind, call {CANCEL_TOOL}."
    )


def still_ringing(destination: Destination) -> str:
    """Ask for a sentence that a human is still being rung."""
    name = spoken(destination)
    return (
        f"It is still ringing at {name} and the caller hears nothing. Say one short sentence and"
        f' nothing else, for example: "I am still trying to reach {name} for you."'
    )


def closing(destination: Destination) -> str:
    """Ask for the closing line, before the caller is bridged with the human."""
    return (
        f"{spoken(destination).capitalize()} has taken the call and the caller is connected as soon"
        " as you have spoken. Say one short sentence and nothing else, for example:"
        f' "I am connecting you with {spoken(destination)} now."'
    )


def closed(destination: Destination, opens: str, open_now: bool) -> str:
    """Return what the model is told about a destination that is closed, or where nobody is free."""
    name = spoken(destination)
    if open_now:
        state = f"Nobody is free at {name} right now."
    elif opens:
        state = f"{name.capitalize()} is closed now and opens {opens}."
    else:
        state = f"{name.capitalize()} is closed."
    return f"{state} Tell the caller so.{offered(destination)}"


def say_closed(destination: Destination, opens: str, open_now: bool) -> str:
    """Ask for a sentence that a destination is closed, or that nobody is free."""
    name = spoken(destination)
    what = f"nobody is free at {name} right now" if open_now else f"{name} is closed now"
    when = f" and opens {opens}" if opens and not open_now else ""
    return (
        "Tell the caller so in one or two short sentences, for example:"
        f' "I am sorry, {what}{when}. What else can I do for you?"'
    )


def cancelled(by: str) -> str:
    """Return what the model is told after a hand-off was cancelled."""
    who = f" by {by}" if by else ""
    return f"The transfer was called off{who}. The caller stays with you; go on helping them."


SAY_CANCELLED = (
    "Go on with the caller in one short sentence, for example:"
    ' "I am still here. What can I do for you?"'
)


def voicemail(destination: Destination, outcome: str) -> str:
    """Ask for the last words before a voicemail, after nobody was reached."""
    name = spoken(destination)
    return (
        f"{name.capitalize()} could not be reached because {why(outcome)}. The caller will now be"
        " asked to leave a message. Say one short sentence and nothing else, for example:"
        f' "I could not reach {name}. Please leave a message for them."'
    )


MESSAGE_THANKS = ENGLISH.message_thanks
TAKEN = ENGLISH.taken
NO_CALLER = ENGLISH.no_caller
ON_HOLD = ENGLISH.on_hold
GIVEN_BACK = ENGLISH.given_back
PARTING = ENGLISH.parting


def sorry(text: str) -> str:
    """Ask for the plan's last sentence, word for word."""
    return f'Say this to the caller, word for word, and nothing else: "{text}"'


def hint(text: str) -> str:
    """Return a supervisor's hint, as the model is told."""
    return f"A supervisor of this line tells you, and the caller does not hear it: {text}"


def say(text: str) -> str:
    """Ask for a supervisor's sentence, word for word."""
    return f'A supervisor has you say this to the caller, word for word: "{text}"'


def asked_human(question: str) -> str:
    """Return what the model is told while a human is asked a question."""
    return (
        f"You have asked a colleague: {question} They have not answered yet. Keep the caller"
        " company until they do."
    )


KEEP_COMPANY = (
    "Say in one short sentence that you are asking a colleague and that it takes a moment, for"
    ' example: "One moment, I am asking a colleague."'
)

SAY_DO = (
    "You told the caller that they would be connected with a human. Do it now: call"
    f" {TRANSFER_TOOL} with the right destination, and say nothing."
)
SAY_DO_REMINDER = (
    "You told the caller that they would be connected, but you called no tool. If you meant a"
    f" human, call {TRANSFER_TOOL} now with the right destination, and say nothing. Otherwise tell"
    " the caller in one short sentence what you do."
)


CONSULT_CONNECT = (
    "The human takes the call and is connected with the caller as soon as you have spoken. Say one"
    ' short sentence to the human and nothing else, for example: "Thank you, I am connecting you'
    ' now."'
)
CONSULT_DECLINE = (
    "The human does not take the call. Say one short goodbye to the human and nothing else, for"
    ' example: "Thank you, I will let the caller know. Goodbye."'
)
CONSULT_VOICEMAIL = (
    "This is a mailbox and records you. Say who called, why, and that they could not be reached, in"
    " two sentences."
)


def briefing(text: str) -> str:
    """Ask for the first words to the human on a consulting leg."""
    return (
        "A human has picked up. Say who you are and why you call, in two short sentences, and ask"
        f' whether they take the call, for example: "{text} Do you take the call?"'
    )


def nobody_there(prompt: str, phrases: Phrases = ENGLISH) -> str:
    """Return what the carrier says before a voicemail."""
    return f"{phrases.nobody_there} {prompt}"


def shortened(text: str, most: int) -> str:
    """Return `text` on one line with at most `most` characters, cut after a whole word."""
    text = " ".join(text.split())
    if len(text) <= most:
        return text
    return f"{text[: most - 3].rsplit(' ', 1)[0]}..."


def position(number: int, average_seconds: int, phrases: Phrases = ENGLISH) -> str:
    """Return what a caller in a queue hears. Positions count from 1."""
    if number <= 1:
        return phrases.next_in_queue
    told = filled(phrases.queue_position, number=str(number))
    if not average_seconds:
        return told
    minutes = max(1, round(number * average_seconds / 60))
    wait = phrases.wait_minutes if minutes > 1 else phrases.wait_minute
    return f"{told} {filled(wait, minutes=str(minutes))}"


def leave_queue(key: str, phrases: Phrases = ENGLISH) -> str:
    """Return how a caller leaves the queue; an empty text without a key."""
    return f" {filled(phrases.leave_queue, key=key)}" if key else ""


def after_human(destination: Destination) -> tuple[str, str]:
    """Return (message for the model, prompt) after the human was done with the caller."""
    name = spoken(destination)
    return (
        f"The caller has spoken with {name}, who has hung up. The caller is back with you."
        f"{offered(destination)}",
        "Welcome the caller back in one short sentence, for example:"
        ' "You are back with me. Is there anything else I can do for you?"',
    )


def typed(digits: str) -> str:
    """Return what the model is told about an entry on the keypad."""
    return f"The caller typed {digits} on the telephone's keypad."


def typed_hidden(keys: int) -> str:
    """Return what the model is told about an entry whose digits it may not know."""
    pressed = "one key" if keys == 1 else f"{keys} keys"
    return (
        f"The caller pressed {pressed} on the telephone's keypad. You cannot see which. If you need"
        " what they typed, ask them to say it."
    )


def say_before_digits(text: str) -> str:
    """Ask the agent to say the owner's sentence, word for word, before a tool collects digits."""
    return f'Say this to the caller, word for word, and nothing else: "{text}"'


def ask_for_digits(count: int, finish_on_key: str) -> str:
    """Ask the agent to tell the caller that they may type now."""
    keys = "one digit" if count == 1 else f"up to {count} digits"
    ends = f", and then the {_KEY_NAMES.get(finish_on_key, finish_on_key)} key"
    return (
        "Ask the caller in one short sentence to type what you need on the telephone's keypad, for"
        f' example: "Please type {keys} on your keypad now'
        f'{ends if finish_on_key and count > 1 else ""}." Do not ask them to say it.'
    )


_KEY_NAMES = {"#": "pound", "*": "star"}

DIGITS_INTERRUPTED = (
    "The caller was asked to type digits on the telephone's keypad. That was interrupted before it"
    " was complete, and nobody has the digits. If they are still needed, begin again."
)


def late_result(name: str, output: str) -> str:
    """Return the output of a tool that an earlier session called."""
    return f"The tool {name}, called before the line was interrupted, has answered: {output}"


def outcome_of_own_tool(output: str) -> str:
    """Return the output of a built-in tool that an earlier session called."""
    return f"What you have asked for before the line was interrupted has led to this: {output}"


def spoken(destination: Destination) -> str:
    """Return a destination's key as a person would say it."""
    return destination.key.replace("_", " ").replace("-", " ")


def tool_status(status: str, detail: str) -> str:
    """Return the output of a built-in tool, as JSON text."""
    return msgspec.json.encode({"status": status, "detail": detail}).decode()
