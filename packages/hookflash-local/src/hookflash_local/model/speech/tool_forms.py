"""Fill a tool's parameters from what the caller said (form filling). No I/O.

A value is taken only from the caller's own words: a number, a choice by likeness, a day, a name, or
the words themselves for a reason. The receptionist asks for required values that are missing, and
invents nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from hookflash_local.model.components import CallTool
from hookflash_local.model.speech.parameter_values import ParameterKind, find_value, parameter_kind
from hookflash_local.model.speech.word_matching import (
    ENOUGH,
    STOP_WORDS,
    TermWeights,
    best_likeness,
    content,
    name_words,
)

TRANSFER: Final = "transfer_to_human"
END_CALL: Final = "end_call"
CANCEL: Final = "cancel_transfer"
STOP_RECORDING: Final = "stop_recording"
_CALLBACK_WORDS: Final = (frozenset({"callback"}), frozenset({"call", "back"}))
_VOICEMAIL_WORDS: Final = frozenset({"voicemail", "message", "mailbox"})
_TAKING: Final = frozenset({"take", "leave", "record"})
_TRANSFER_WORDS = frozenset("transfer human handoff escalate person operator".split())
_DOING: Final = frozenset(
    "get look lookup check find fetch query search make create do retrieve read start run call"
    " post update submit record save details info information data by id"
    " status state progress".split()
)
_LONGEST_PHRASE = 9
_ALTERNATIVES = re.compile(r"[,;.]|\bor\b")


class Field(msgspec.Struct, frozen=True):
    """One parameter: its name, its JSON schema, and whether it is required."""

    name: str
    schema: dict[str, Any]
    required: bool

    @property
    def kind(self) -> ParameterKind:
        """What the parameter takes."""
        return parameter_kind(self.name, self.schema)

    @property
    def phrase(self) -> str:
        """The parameter's name in speech, such as `the order number`."""
        said = re.split(r"\. |(?<=\w\s)\(|[,;:] ", str(self.schema.get("description", "")))[0]
        said = said.strip().rstrip(".")
        if not said or len(said.split()) > _LONGEST_PHRASE:
            said = "the " + " ".join(name_words(self.name))
        said = said[0].lower() + said[1:] if said[:2].istitle() or len(said) == 1 else said
        return re.sub(r"\b(?:the )?(?:caller|customer|client)'s\b", "your", said)

    @property
    def question(self) -> str:
        """The question for a missing value; always the same text."""
        choices = [str(value).replace("_", " ") for value in self.schema.get("enum", ())]
        choices_text = f" It can be {_either(choices)}." if 1 < len(choices) <= 6 else ""
        return f"Could you please tell me {self.phrase}?{choices_text}"


class Form(msgspec.Struct, frozen=True):
    """One tool: its name, its description and its parameters."""

    name: str
    description: str
    fields: tuple[Field, ...]

    @property
    def about(self) -> list[str]:
        """The words by which a request for this tool is recognised."""
        parts = [" ".join(name_words(self.name)), self.description]
        for field in self.fields:
            parts += [" ".join(name_words(field.name)), str(field.schema.get("description", ""))]
            parts += [str(value).replace("_", " ") for value in field.schema.get("enum", ())]
        return content(" ".join(parts))

    @property
    def subject(self) -> list[str]:
        """The name's words without verbs: `look_up_order` is about `order`."""
        words = [word for word in name_words(self.name) if word not in STOP_WORDS]
        return [word for word in words if word not in _DOING] or words

    @property
    def transfers(self) -> bool:
        """Whether this tool brings a human onto the call."""
        return self.name == TRANSFER or len(_TRANSFER_WORDS & set(name_words(self.name))) >= 2

    @property
    def calls_back(self) -> bool:
        """Whether this tool arranges a call back: `schedule_callback`."""
        return any(words <= set(name_words(self.name)) for words in _CALLBACK_WORDS)

    @property
    def takes_message(self) -> bool:
        """Whether this tool takes a message: `take_voicemail`."""
        words = set(name_words(self.name))
        return bool(words & _VOICEMAIL_WORDS and words & _TAKING)

    def call(self, arguments: dict[str, Any]) -> CallTool:
        """Return a call of this tool."""
        return CallTool(self.name, msgspec.json.encode(arguments).decode())


def read_forms(tools: Sequence[dict[str, Any]]) -> list[Form]:
    """Return the function tools among `tools` (Realtime form) as forms."""
    forms = []
    for tool in tools:
        schema = tool.get("parameters") or {}
        required = schema.get("required") or ()
        fields = tuple(
            Field(name, value if isinstance(value, dict) else {}, name in required)
            for name, value in (schema.get("properties") or {}).items()
        )
        forms.append(Form(str(tool.get("name", "")), str(tool.get("description") or ""), fields))
    return [form for form in forms if form.name]


class CallTools(msgspec.Struct, frozen=True):
    """The tools that act on the call itself; None if a tool is not offered."""

    transfer: Form | None = None
    end: Form | None = None
    cancel: Form | None = None
    callback: Form | None = None
    voicemail: Form | None = None
    stop_recording: Form | None = None


def split_call_tools(forms: Sequence[Form]) -> tuple[CallTools, list[Form]]:
    """Split `forms` into the tools that act on the call and the owner's tools."""
    kinds: dict[str, Callable[[Form], bool]] = {
        "transfer": lambda form: form.transfers,
        "end": lambda form: form.name == END_CALL,
        "cancel": lambda form: form.name == CANCEL,
        "callback": lambda form: form.calls_back,
        "voicemail": lambda form: form.takes_message,
        "stop_recording": lambda form: form.name == STOP_RECORDING,
    }
    found = {kind: next(filter(is_one, forms), None) for kind, is_one in kinds.items()}
    line = CallTools(**found)
    return line, [form for form in forms if form not in found.values()]


def wanted(question: str, form: Form, weights: TermWeights) -> float:
    """Return how much `question` asks for this tool, from 0 to 1.

    It is 0 if the question does not mention the tool's subject. Otherwise it is a weighted sum of
    the coverage of the question and of the subject.
    """
    asked = content(question)
    subject = form.subject
    touched = sum(best_likeness(word, asked) for word in subject) / len(subject) if subject else 0.0
    if touched < ENOUGH:
        return 0.0
    return 0.6 * weights.coverage(asked, form.about) + 0.4 * touched


def occasions(form: Form) -> dict[str, str]:
    """Return each destination's key and the text that says when to choose it.

    The text is the line of the description that begins with the key, such as `- billing: ...`.
    """
    keys = [str(value) for field in form.fields for value in field.schema.get("enum", ())]
    lines = [form.description, *(str(f.schema.get("description", "")) for f in form.fields)]
    found = {}
    for key in keys:
        pattern = re.compile(rf"^\W*{re.escape(key)}\W*[:=-]\s*(.+)$", re.MULTILINE)
        match = next(filter(None, map(pattern.search, lines)), None)
        found[key] = match[1] if match else ""
    return found


def choose_destination(said: str, form: Form, weights: TermWeights) -> tuple[str, float]:
    """Return the destination that fits `said` best, and its score (0 to 1).

    Half of the score is the coverage of the best single occasion ("or wants to cancel") by `said`,
    the other half the coverage of `said` by all words of the destination. At 0 it is the first one.
    """
    asked = content(said)
    best_key, best_score = "", -1.0
    for key, when in occasions(form).items():
        each = [content(part) for part in _ALTERNATIVES.split(when)]
        whole = max((weights.coverage(part, asked) for part in each), default=0.0)
        covered = weights.coverage(asked, [*name_words(key), *content(when)])
        score = (whole + covered) / 2
        if score > best_score:
            best_key, best_score = key, score
    return best_key, max(best_score, 0.0)


def spoken(destination: str) -> str:
    """Return a destination's key as it is spoken: `front-desk` is "front desk"."""
    return destination.replace("_", " ").replace("-", " ") or "a person"


class Filled(msgspec.Struct, frozen=True):
    """The arguments found, and the first required field without a value."""

    arguments: dict[str, Any]
    missing: Field | None


def fill(form: Form, said: Sequence[str], *, asked_for: str | None = None) -> Filled:
    """Fill a form from what the caller `said`, oldest first.

    `asked_for` is the name of the field that the last utterance answers.
    """
    arguments: dict[str, Any] = {}
    missing: Field | None = None
    for field in form.fields:
        own_words = field.kind is ParameterKind.OWN_WORDS
        if own_words and not field.required:
            # An optional free text is not filled with whatever was said last.
            continue
        value = None
        if field.name == asked_for and said:
            value = find_value(field.name, field.schema, said[-1], asked=True)
        answered_another = asked_for not in (None, field.name)
        # The answer to another field's question is not the reason of the call.
        for text in reversed(said[:-1] if answered_another and own_words else said):
            if value is not None:
                break
            value = find_value(field.name, field.schema, text, asked=False)
        if value is not None:
            arguments[field.name] = value
        elif field.required and missing is None:
            missing = field
    return Filled(arguments, missing)


def _either(choices: Sequence[str]) -> str:
    return ", ".join(choices[:-1]) + " or " + choices[-1]
