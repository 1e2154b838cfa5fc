"""What the receptionist arranges with people: a human on the line, a call back, a message. No I/O.

What is passed on are the caller's own words. A number to call back is taken digit by digit, read
back, and used only once the caller has said that it is right.
"""

from __future__ import annotations

import re
from typing import Any, Final

from hookflash_local.model.parts import CallTool, Say
from hookflash_local.model.speech import wishes
from hookflash_local.model.speech.scene import Scene
from hookflash_local.model.speech.tool_forms import Field, Form, fill
from hookflash_local.model.speech.values import takes_number, takes_own_words
from hookflash_local.model.speech.wishes import Wish
from hookflash_local.model.speech.words import content, dictated, figures, stem

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
_HALF_A_NUMBER = 7
"""A number of fewer digits may have been cut in two by a pause."""

_SAYS_NOTHING = (Wish.YES, Wish.NO, Wish.THANKS, Wish.GREETING, Wish.WAIT, Wish.REPEAT)
_ABOUT_THE_CALL: Final = frozenset(
    map(
        stem,
        "call callback ring phone number telephone later tomorrow tonight minute hour somebody"
        " someone anybody anyone message voicemail voice mail mailbox leave take record person"
        " colleague free available".split(),
    )
)
_COUNTING: Final = frozenset("double triple treble plus".split())


def reason(scene: Scene) -> str:
    """Return why the caller called, in the caller's words: the last that say more than yes."""
    return _told(scene).rstrip(".! ") or "The caller asked for a person"


def _told(scene: Scene) -> str:
    for text in reversed(scene.said):
        if text != "0" and wishes.wish(text) in (None, Wish.PERSON) and not _only_number(text):
            return text
    return ""


def summary(scene: Scene) -> str:
    """Return what the caller said besides the reason, the latest first to be kept."""
    kept: list[str] = []
    told = _told(scene)
    for text in reversed(scene.said):
        if text in ("0", told) or wishes.wish(text) in _SAYS_NOTHING:
            continue
        if sum(map(len, kept)) + len(text) > _SUMMARY_LENGTH and kept:
            break
        kept.insert(0, f'"{text[:_SUMMARY_LENGTH]}"')
    return f"The caller said: {' '.join(kept)}" if kept else ""


def transfer_arguments(form: Form, destination: str, scene: Scene) -> dict[str, Any]:
    """Fill in the tool that brings a human: the destination, and what is passed on to them."""
    own = {"reason": reason(scene), "summary": summary(scene)}
    arguments: dict[str, Any] = {}
    for field in form.fields:
        if destination in field.schema.get("enum", ()):
            arguments[field.name] = destination
        elif field.name in own:
            arguments[field.name] = own[field.name]
        else:
            arguments |= fill(Form(form.name, "", (field,)), scene.said).arguments
    return arguments


def message(form: Form, scene: Scene) -> Reply:
    """Let the caller leave a message; the line itself says when to speak."""
    arguments = {
        field.name: reason(scene) if takes_own_words(field.name, field.schema) else None
        for field in form.fields
        if field.required
    }
    known = {name: value for name, value in arguments.items() if value is not None}
    return [Say("Of course. Please leave your message."), form.call(known)]


def asks_about_callback(heard: str) -> bool:
    """Say whether what the agent said last was a question about a call back."""
    return heard.endswith(WHAT_ABOUT) or _asks_number(heard) or heard.startswith(_READ_BACK)


def _asks_number(heard: str) -> bool:
    """Say whether a number was asked for, by these words or by those of the line."""
    return heard.endswith((WHAT_NUMBER, NUMBER_AGAIN)) or _WHICH_NUMBER.search(heard) is not None


def callback(form: Form, scene: Scene) -> Reply:
    """Arrange a call back: what it is about, the number, whether it is right; then the tool."""
    number = next((f for f in form.fields if takes_number(f.name, f.schema)), None)
    words = next((f for f in form.fields if takes_own_words(f.name, f.schema)), None)
    about = _about(scene)
    if words is not None and words.required and not about:
        return [Say(WHAT_ABOUT)]
    told = {} if words is None or not about else {words.name: about}
    if number is None:
        return _arranged(form, told)
    return _number(form, number, told, scene)


def _about(scene: Scene) -> str:
    """Return what a call back is about: words that say more than that one is wanted."""
    if scene.heard.endswith(WHAT_ABOUT):
        return scene.latest
    for text in reversed(scene.said):
        telling = {stem(word) for word in content(text)} - _ABOUT_THE_CALL
        if telling and not _only_number(text) and wishes.wish(text) not in _SAYS_NOTHING:
            return text
    return ""


def _number(form: Form, field: Field, told: dict[str, Any], scene: Scene) -> Reply:
    latest, heard = scene.latest, scene.heard
    read_back = heard.startswith(_READ_BACK)
    if heard.endswith(_RIGHT) and read_back and wishes.says_yes(latest):
        return _arranged(form, {field.name: _digits(heard), **told})
    found = _digits(latest)
    if found and read_back:
        before = _digits(scene.said[-2]) if len(scene.said) > 1 else ""
        if len(before) < _HALF_A_NUMBER and len(found) < _HALF_A_NUMBER:
            # A pause made the agent read half of it back.
            found = before + found if not wishes.says_no(latest) else found
        return _reading_back(found)
    if found and _asks_number(heard):
        return _reading_back(found)
    if read_back:
        return [Say(NUMBER_AGAIN)]
    if _asks_number(heard) and wishes.wish(latest) is Wish.NO:
        return [Say(LEFT)]
    known = found or max((_phone(text) for text in scene.said), key=len, default="")
    if known:
        return _reading_back(known)
    if not field.required:
        return _arranged(form, told)
    return [Say(NUMBER_AGAIN if _asks_number(heard) else WHAT_NUMBER)]


def _reading_back(number: str) -> Reply:
    spoken = " ".join("plus" if sign == "+" else sign for sign in number)
    return [Say(f"{_READ_BACK} {spoken}. {_RIGHT}")]


def _arranged(form: Form, arguments: dict[str, Any]) -> Reply:
    return [Say("Thank you. I will pass that on."), form.call(arguments)]


def _digits(text: str) -> str:
    """Return the longest number in `text`, as a telephone number if it is one."""
    found = max(dictated(text), key=len, default="")
    plus = re.search(r"\+ ?\d|\bplus\b", text, re.IGNORECASE)
    return ("+" if plus else "") + found if len(found) >= _LEAST_DIGITS else ""


def _phone(text: str) -> str:
    """Return a number that was said before anybody asked, if it is long enough to be called."""
    found = _digits(text)
    return found if len(found) >= _HALF_A_NUMBER else ""


def _only_number(text: str) -> bool:
    return bool(figures(text)) and not set(content(text)) - _COUNTING
