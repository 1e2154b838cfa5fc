"""Turn a tool's output into spoken sentences. No I/O.

Tools return text or JSON for programs. A text is spoken unchanged. Of an object, a field for
speech is spoken (`say`, `message`, `answer` ...). Otherwise each plain field becomes a phrase such
as "the order status is shipped". Identifiers are read digit by digit.
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from hookflash_local.model.speech.word_matching import name_words

DONE: Final = "That is done."
_SAYABLE: Final = ("say", "speech", "message", "answer", "sentence", "text", "result", "detail")
_FAULTS: Final = ("error", "problem", "failure")
_NAMES_SOMETHING = re.compile(
    r"(?:^|[ _-])(?:id|number|no|code|pin|reference|ref|phone|zip|postcode|tracking|order|account)"
    r"s?$",
    re.IGNORECASE,
)
_VERBS: Final = frozenset(
    "arrives leaves departs starts begins ends opens closes costs takes expires weighs".split()
)
_MOST_FIELDS = 8
_MOST_ITEMS = 5


def spoken_output(output: str) -> str:
    """Return a tool's `output` (text or JSON) as one or more sentences, never empty."""
    text = output.strip()
    try:
        value = msgspec.json.decode(text)
    except msgspec.DecodeError:
        value = text
    if isinstance(value, dict):
        return _object(value)
    if value is None or value == "" or value == {} or value is True:
        return DONE
    if value is False:
        return "I am sorry, that did not work."
    if isinstance(value, list):
        return _sentence(_listed(value))
    return _sentence(str(value) if not isinstance(value, float) else _number(value))


def _object(value: dict[str, Any]) -> str:
    for key in _FAULTS:
        fault = value.get(key)
        if isinstance(fault, dict):
            fault = fault.get("message")
        if fault:
            return f"I am sorry, that did not work: {_sentence(str(fault), capital=False)}"
    for key in _SAYABLE:
        said = value.get(key)
        if isinstance(said, str) and " " in said.strip():
            return _sentence(said)
    spoken = [
        f"{_opened(key)} {_value(key, each)}"
        for key, each in list(value.items())[:_MOST_FIELDS]
        if each not in (None, "", [], {})
    ]
    return _sentence(_joined(spoken)) if spoken else DONE


def _value(key: str, value: Any) -> str:
    if value is True or value is False:
        return "yes" if value else "no"
    if isinstance(value, list):
        return _listed(value)
    if isinstance(value, dict):
        return _joined(
            [f"{_words_of_key(name)} {_value(name, each)}" for name, each in value.items()]
        )
    if isinstance(value, float):
        return _number(value)
    text = " ".join(str(value).split())
    if _NAMES_SOMETHING.search(key) and re.fullmatch(r"\d{3,}", text):
        return " ".join(text)
    return text.rstrip(".")


def _listed(items: list[Any]) -> str:
    if not items:
        return "there is nothing"
    spoken = [_value("", item) for item in items[:_MOST_ITEMS]]
    more = len(items) - len(spoken)
    return _joined(spoken if more <= 0 else [*spoken, f"{more} more"])


def _joined(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]


def _opened(key: str) -> str:
    if key.lower() in _VERBS:
        return f"it {key.lower()}"
    return f"the {_words_of_key(key)} {_verb(key)}"


def _words_of_key(key: str) -> str:
    return " ".join(name_words(key))


def _verb(key: str) -> str:
    last = name_words(key)[-1:]
    plural = bool(last) and last[0].endswith("s") and not last[0].endswith(("ss", "us", "is"))
    return "are" if plural else "is"


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else str(value)


def _sentence(text: str, *, capital: bool = True) -> str:
    text = " ".join(text.split())
    if capital:
        text = text[:1].upper() + text[1:]
    return text if text[-1:] in (".", "!", "?") else text + "."
