"""Find values for a tool's parameters in a caller's words. No I/O.

The JSON schema, name and description of a parameter decide its kind, and each kind has one finder.
A finder returns None if the words do not contain a value.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable
from typing import Any, Final

from hookflash_local.model.speech.intents import says_no, says_yes
from hookflash_local.model.speech.spoken_numbers import dictated, figures, leading_figures
from hookflash_local.model.speech.word_matching import (
    best_likeness,
    content,
    likeness,
    name_words,
    tokens,
)

_ID = frozenset(
    "number no id code pin account reference ref digits phone telephone zip postcode postal"
    " tracking invoice order ticket extension".split()
)
_WHEN = frozenset("date day time when slot datetime".split())
_OWN_WORDS = frozenset(
    "reason message note notes question query description details problem issue topic subject text"
    " comment complaint request summary concern matter why about wish".split()
)
_NAME = frozenset("name firstname lastname fullname surname".split())

_DAY = (
    r"(?:(?:on |next |this |the coming )*(?:monday|tuesday|wednesday|thursday|friday|saturday"
    r"|sunday)|today|tomorrow|tonight|the day after tomorrow|next week|next month"
    r"|(?:the )?\d{1,2}(?:st|nd|rd|th)?(?: of)? (?:january|february|march|april|may|june|july"
    r"|august|september|october|november|december)|(?:january|february|march|april|may|june|july"
    r"|august|september|october|november|december) \d{1,2}(?:st|nd|rd|th)?)"
)
_HOUR = (
    r"(?:(?:in the )?(?:early |late )?(?:morning|afternoon|evening|noon|midnight|midday)"
    r"|(?:at |around |about )?(?:\d{1,2}(?::\d{2})? ?(?:a\.?m\.?|p\.?m\.?|o'?clock)"
    r"|(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)(?: thirty| fifteen"
    r"| forty five)? (?:a\.?m\.?|p\.?m\.?|o'?clock))"
    r"|(?:at|around|half past|quarter past) (?:\d{1,2}(?::\d{2})?|one|two|three|four|five|six"
    r"|seven|eight|nine|ten|eleven|twelve))"
)
_MOMENT: Final = re.compile(rf"\b{_DAY}(?:,? {_HOUR})*|\b{_HOUR}(?:,? {_DAY})?", re.IGNORECASE)
_CALLED: Final = re.compile(
    r"\b(?:my (?:full |first |last )?name is|my name's|the name is|i am called|i'm called)"
    r" ([a-z][\w'-]*(?: (?!and\b|i\b|from\b|calling\b)[a-z][\w'-]*)?)",
    re.IGNORECASE,
)
_EMAIL: Final = re.compile(r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+\b")
_SPOKEN_EMAIL: Final = re.compile(
    r"\b([\w.-]+(?: dot [\w-]+)*) at ([\w-]+(?: dot [\w-]+)+)\b", re.IGNORECASE
)
_LEAD: Final = re.compile(
    r"^(?:(?:yes|yeah|sure|okay|ok|well|um|uh|so|it's|it is|that's|that is|that would be|my name is"
    r"|my name's|this is|i'm|i am|the name is)[,.]? )+",
    re.IGNORECASE,
)
_LETTER = r"(?<![\w'])[A-Za-z](?![\w'])"
_AS_IN: Final = re.compile(
    rf"\b(?:(?:[a-z]{{1,4}},? )?(?:as|is) in|{_LETTER},? (?:for|like|as)) ([a-z])[a-z]+",
    re.IGNORECASE,
)
"""Spelling with an example word: its first letter counts, whether "B", "be" or "bee" was heard."""

_DOUBLED: Final = re.compile(rf"\bdouble[ -]({_LETTER})", re.IGNORECASE)
_SPELLED: Final = re.compile(rf"{_LETTER}(?:[-., ]+{_LETTER}){{2,}}")
_NOT_A_CODE: Final = frozenset("aio")
_LONGEST_PREFIX = 4
_LONGEST_WORDS = 300
_LEAST_ID = 2
_ALIKE = 0.6


class ParameterKind(enum.Enum):
    """What a parameter takes; each kind has one finder (`_FINDERS`)."""

    CHOICE = "one of the schema's values"
    AMOUNT = "a number that counts"
    YES_OR_NO = "yes or no"
    LIST = "a list of one value"
    EMAIL = "an e-mail address"
    NAME = "a person's name"
    MOMENT = "a day or a time"
    IDENTIFIER = "an identifier, such as an order or phone number"
    OWN_WORDS = "the caller's own words, such as a reason"
    STATED = "what the caller states for the parameter's name"


def find_value(name: str, schema: dict[str, Any], said: str, *, asked: bool) -> Any:
    """Return the value of one parameter in what a caller `said`, or None.

    With `asked`, the caller was just asked for this parameter: the whole answer may be its value.
    """
    value = _FINDERS[parameter_kind(name, schema)](name, schema, said, asked)
    return value if value is None or _fits(value, schema) else None


def spelled(said: str) -> str | None:
    """Return a spelled word: `Smith` for "S-M-I-T-H" or "S for Sam, M, I, T as in Tom, H"."""
    letters = _DOUBLED.sub(r"\1 \1", _AS_IN.sub(r"\1", said))
    found = max(_SPELLED.findall(letters), key=len, default="")
    return re.sub(r"[^A-Za-z]", "", found).capitalize() or None


_Finder = Callable[[str, dict[str, Any], str, bool], Any]


def parameter_kind(name: str, schema: dict[str, Any]) -> ParameterKind:
    """Return the kind of a parameter, by its schema, its name and its description."""
    kind = schema.get("type", "string")
    if isinstance(kind, list):
        kind = next((each for each in kind if each != "null"), "string")
    if schema.get("enum"):
        return ParameterKind.CHOICE
    if kind in ("integer", "number"):
        return ParameterKind.AMOUNT
    if kind == "boolean":
        return ParameterKind.YES_OR_NO
    if kind == "array":
        return ParameterKind.LIST
    words = {each for word in name_words(name) for each in (word, word.removesuffix("s"))}
    described = set(tokens(str(schema.get("description", ""))))
    if words & {"email", "mail"}:
        return ParameterKind.EMAIL
    if words & _NAME:
        return ParameterKind.NAME
    if words & _WHEN or schema.get("format") in ("date", "time", "date-time"):
        return ParameterKind.MOMENT
    if words & _ID or (described & {"number", "digits", "code"} and not words & _OWN_WORDS):
        return ParameterKind.IDENTIFIER
    return ParameterKind.OWN_WORDS if words & _OWN_WORDS else ParameterKind.STATED


def _fits(value: Any, schema: dict[str, Any]) -> bool:
    if isinstance(value, str):
        pattern = schema.get("pattern")
        if isinstance(pattern, str) and re.search(pattern, value) is None:
            return False
        return bool(schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)))
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return bool(schema.get("minimum", value) <= value <= schema.get("maximum", value))
    return True


def _choice(name: str, schema: dict[str, Any], said: str, asked: bool) -> Any:
    """Return the enum value whose words are most similar to something said."""
    heard = tokens(said)
    scored = []
    for number, value in enumerate(schema["enum"]):
        words = name_words(str(value)) or [str(value).lower()]
        likest = [max((likeness(word, other) for other in heard), default=0.0) for word in words]
        scored.append((sum(likest) / len(likest), -number, value))
    score, _, value = max(scored, key=lambda each: each[:2])
    return value if score >= _ALIKE else None


def _amount(name: str, schema: dict[str, Any], said: str, asked: bool) -> Any:
    decimals = re.findall(r"\b\d+\.\d+\b", said)
    if decimals:
        return float(decimals[0]) if schema.get("type") != "integer" else None
    found = [int(each) for each in figures(said)]
    return found[0] if len(found) == 1 or (found and asked) else None


def _yes_or_no(name: str, schema: dict[str, Any], said: str, asked: bool) -> Any:
    if not asked:
        return None
    if says_no(said):
        return False
    return True if says_yes(said) else None


def _list(name: str, schema: dict[str, Any], said: str, asked: bool) -> Any:
    items = schema.get("items")
    value = find_value(name, items if isinstance(items, dict) else {}, said, asked=asked)
    return None if value is None else [value]


def _email(name: str, schema: dict[str, Any], said: str, asked: bool) -> Any:
    if written := _EMAIL.search(said):
        return written[0].lower()
    if spoken := _SPOKEN_EMAIL.search(said):
        user, host = (part.lower().replace(" dot ", ".") for part in spoken.groups())
        return f"{user}@{host}"
    return None


def _name(name: str, schema: dict[str, Any], said: str, asked: bool) -> Any:
    called, letters = _CALLED.search(said), spelled(said)
    if called:
        words = (called[1].title() if called[1].islower() else called[1]).split()
        # "My name is John Smith, S-M-Y-T-H": the spelled name is the last one.
        words[-1] = letters or words[-1]
        return " ".join(word for word in words if len(word) > 1)
    if letters:
        return letters
    answer = _LEAD.sub("", said).strip(" .,!?")
    return answer if asked and answer and len(answer.split()) <= 4 else None


def _moment(name: str, schema: dict[str, Any], said: str, asked: bool) -> Any:
    moment = _MOMENT.search(said)
    if moment is None:
        return None
    return re.sub(r"^(?:on|at) ", "", moment[0].strip(" ,"), flags=re.IGNORECASE)


def _identifier(name: str, schema: dict[str, Any], said: str, asked: bool) -> Any:
    lettered = re.search(r"\b(?=\w*\d)[A-Za-z]{1,4}-?\d[\w-]*\b", said)
    if lettered and not re.fullmatch(r"\d+(?:st|nd|rd|th)", lettered[0]):
        return lettered[0].upper()
    if coded := _coded(said):
        return coded
    found = max(dictated(said) if asked else figures(said), key=len, default="")
    return found if len(found) >= (1 if asked else _LEAST_ID) else None


def _coded(said: str) -> str | None:
    """Return a code that was said in letters and digits: "A B four five" is `AB45`."""
    words = re.findall(r"[A-Za-z]+(?:'[a-z]+)?|\d+|[.?!;]", said)
    for start, word in enumerate(words):
        letters = ""
        while len(word) == 1 and word.isalpha() and len(letters) < _LONGEST_PREFIX:
            letters += word
            word = words[start + len(letters)] if start + len(letters) < len(words) else ""
        following = " ".join(words[start + len(letters) :])
        alone = len(letters) == 1 and letters.lower() in _NOT_A_CODE
        if letters and not alone and (digits := leading_figures(following)):
            return letters.upper() + digits
    return None


def _own_words(name: str, schema: dict[str, Any], said: str, asked: bool) -> Any:
    words = " ".join(said.split())[:_LONGEST_WORDS]
    return words if content(words) or asked else None


def _stated(name: str, schema: dict[str, Any], said: str, asked: bool) -> Any:
    """Return the value in `The city is Boston`, or the answer to a question for it."""
    subject = name_words(name)[-1:]
    for word in subject:
        stated = re.search(rf"\b{re.escape(word)} (?:is|was|will be|:) ([^.,;!?]+)", said, re.I)
        if stated:
            return stated[1].strip()
    answer = _LEAD.sub("", said).strip(" .,!?")
    heard = content(said)
    if asked and answer and (heard or figures(said)) and best_likeness(answer, ["know"]) < 1:
        return answer
    return None


_FINDERS: Final[dict[ParameterKind, _Finder]] = {
    ParameterKind.CHOICE: _choice,
    ParameterKind.AMOUNT: _amount,
    ParameterKind.YES_OR_NO: _yes_or_no,
    ParameterKind.LIST: _list,
    ParameterKind.EMAIL: _email,
    ParameterKind.NAME: _name,
    ParameterKind.MOMENT: _moment,
    ParameterKind.IDENTIFIER: _identifier,
    ParameterKind.OWN_WORDS: _own_words,
    ParameterKind.STATED: _stated,
}
