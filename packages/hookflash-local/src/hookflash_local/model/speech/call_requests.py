"""Handle a caller's requests for a transfer, a call back or a message. No I/O.

The receptionist passes on the caller's own words. A call back number is taken digit by digit, read
back, and used only after the caller has confirmed it.
"""

from __future__ import annotations

import re
from typing import Any, Final

from hookflash_local.model.components import CallTool, Say
from hookflash_local.model.speech import intents
from hookflash_local.model.speech.dialogue_state import DialogueState
from hookflash_local.model.speech.intents import Intent
from hookflash_local.model.speech.parameter_values import ParameterKind
from hookflash_local.model.speech.spoken_numbers import dictated, figures
from hookflash_local.model.speech.tool_forms import Field, Form, fill
from hookflash_local.model.speech.word_matching import content, stem

Reply = list[Say | CallTool]

WHAT_NUMBER: Final = "What number can we call you on?"
NUMBER_AGAIN: Final = "Please tell me the number again, digit by digit."
WHAT_ABOUT: Final = "What is it about?"
LEFT: Final = "All right, let us leave that. How else can I help you?"
_READ_BACK = "I have the number"
_WHICH_NUMBER: Final = re.compile(r"\bnumber\b.*\bcall you back\?$", re.IGNORECASE)
_RIGHT: Final = "Is that right?"

_SUMMARY_LENGTH = 300
_LEAST_DIGITS = 3
_SHORT_NUMBER_DIGITS = 7
"""A number with fewer digits may be half of one that a pause has split."""

_NO_CONTENT = (Intent.YES, Intent.NO, Intent.THANKS, Intent.GREETING, Intent.WAIT, Intent.REPEAT)
_ABOUT_THE_CALL: Final = frozenset(
    map(
        stem,
        "call callback ring phone number telephone later tomorrow tonight minute hour somebody"
        " someone anybody anyone message voicemail voice mail mailbox leave take record person"
        " colleague free available".split(),
    )
)
_NUMBER_WORDS: Final = frozenset("double triple treble plus".split())


def reason(dialogue: DialogueState) -> str:
    """Return the reason of the call: the caller's last words that say more than yes or no."""
    return _last_request(dialogue).rstrip(".! ") or "The caller asked for a person"


def _last_request(dialogue: DialogueState) -> str:
    for text in reversed(dialogue.said):
        if (
            text != "0"
            and intents.recognize_intent(text) in (None, Intent.PERSON)
            and not _only_number(text)
        ):
            return text
    return ""


def summary(dialogue: DialogueState) -> str:
    """Return what the caller said besides the reason, at most 300 characters of the latest."""
    quotes: list[str] = []
    reason_text = _last_request(dialogue)
    for text in reversed(dialogue.said):
        if text in ("0", reason_text) or intents.recognize_intent(text) in _NO_CONTENT:
            continue
        if sum(map(len, quotes)) + len(text) > _SUMMARY_LENGTH and quotes:
            break
        quotes.insert(0, f'"{text[:_SUMMARY_LENGTH]}"')
    return f"The caller said: {' '.join(quotes)}" if quotes else ""


def transfer_arguments(form: Form, destination: str, dialogue: DialogueState) -> dict[str, Any]:
    """Return the arguments of the transfer tool: destination, reason and summary."""
    own = {"reason": reason(dialogue), "summary": summary(dialogue)}
    arguments: dict[str, Any] = {}
    for field in form.fields:
        if destination in field.schema.get("enum", ()):
            arguments[field.name] = destination
        elif field.name in own:
            arguments[field.name] = own[field.name]
        else:
            arguments |= fill(Form(form.name, "", (field,)), dialogue.said).arguments
    return arguments


def message(form: Form, dialogue: DialogueState) -> Reply:
    """Let the caller leave a message; the server then says when to speak."""
    arguments = {
        field.name: reason(dialogue) if field.kind is ParameterKind.OWN_WORDS else None
        for field in form.fields
        if field.required
    }
    known = {name: value for name, value in arguments.items() if value is not None}
    return [Say("Of course. Please leave your message."), form.call(known)]


def asks_about_callback(heard: str) -> bool:
    """Return whether the agent's last words were a question about a call back."""
    return heard.endswith(WHAT_ABOUT) or _asks_number(heard) or heard.startswith(_READ_BACK)


def _asks_number(heard: str) -> bool:
    """Return whether the agent asked for a number, in its own words or in the server's."""
    return heard.endswith((WHAT_NUMBER, NUMBER_AGAIN)) or _WHICH_NUMBER.search(heard) is not None


def callback(form: Form, dialogue: DialogueState) -> Reply:
    """Arrange a call back: ask for its subject and number, confirm the number, call the tool."""
    number = next((f for f in form.fields if f.kind is ParameterKind.IDENTIFIER), None)
    words = next((f for f in form.fields if f.kind is ParameterKind.OWN_WORDS), None)
    about = _about(dialogue)
    if words is not None and words.required and not about:
        return [Say(WHAT_ABOUT)]
    arguments = {} if words is None or not about else {words.name: about}
    if number is None:
        return _arranged(form, arguments)
    return _number(form, number, arguments, dialogue)


def _about(dialogue: DialogueState) -> str:
    """Return the subject of a call back: words that say more than the request itself."""
    if dialogue.heard.endswith(WHAT_ABOUT):
        return dialogue.latest
    for text in reversed(dialogue.said):
        telling = {stem(word) for word in content(text)} - _ABOUT_THE_CALL
        if telling and not _only_number(text) and intents.recognize_intent(text) not in _NO_CONTENT:
            return text
    return ""


def _number(form: Form, field: Field, arguments: dict[str, Any], dialogue: DialogueState) -> Reply:
    latest, heard = dialogue.latest, dialogue.heard
    read_back = heard.startswith(_READ_BACK)
    if heard.endswith(_RIGHT) and read_back and intents.says_yes(latest):
        return _arranged(form, {field.name: _digits(heard), **arguments})
    found = _digits(latest)
    if found and read_back:
        before = _digits(dialogue.said[-2]) if len(dialogue.said) > 1 else ""
        if len(before) < _SHORT_NUMBER_DIGITS and len(found) < _SHORT_NUMBER_DIGITS:
            # A pause split the number, so the agent read half of it back.
            found = before + found if not intents.says_no(latest) else found
        return _reading_back(found)
    if found and _asks_number(heard):
        return _reading_back(found)
    if read_back:
        return [Say(NUMBER_AGAIN)]
    if _asks_number(heard) and intents.recognize_intent(latest) is Intent.NO:
        return [Say(LEFT)]
    known = found or max((_phone(text) for text in dialogue.said), key=len, default="")
    if known:
        return _reading_back(known)
    if not field.required:
        return _arranged(form, arguments)
    return [Say(NUMBER_AGAIN if _asks_number(heard) else WHAT_NUMBER)]


def _reading_back(number: str) -> Reply:
    spoken = " ".join("plus" if sign == "+" else sign for sign in number)
    return [Say(f"{_READ_BACK} {spoken}. {_RIGHT}")]


def _arranged(form: Form, arguments: dict[str, Any]) -> Reply:
    return [Say("Thank you. I will pass that on."), form.call(arguments)]


def _digits(text: str) -> str:
    """Return the longest number in `text`, with `+` if it was said; empty if it is too short."""
    found = max(dictated(text), key=len, default="")
    plus = re.search(r"\+ ?\d|\bplus\b", text, re.IGNORECASE)
    return ("+" if plus else "") + found if len(found) >= _LEAST_DIGITS else ""


def _phone(text: str) -> str:
    """Return a number in `text` that is long enough for a phone number, else an empty text."""
    found = _digits(text)
    return found if len(found) >= _SHORT_NUMBER_DIGITS else ""


def _only_number(text: str) -> bool:
    return bool(figures(text)) and not set(content(text)) - _NUMBER_WORDS
