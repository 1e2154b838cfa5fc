"""Recognise a caller's intent in everyday English, with patterns. No I/O.

Patterns match normalised words (lower case, no punctuation). `person_request.py` recognises the
request for a human, which matters most.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable
from typing import Final

import msgspec

from hookflash_local.model.speech.person_request import IDENTITY, UNRECORDED, wants_person
from hookflash_local.model.speech.word_matching import normalised, tokens


class Intent(enum.Enum):
    """The intents that do not depend on the agent's facts and tools."""

    PERSON = "a human"
    CALLBACK = "to be called back"
    MESSAGE = "to leave a message"
    STOP_RECORDING = "not to be recorded"
    IDENTITY = "to know whether this is a human"
    REPEAT = "to hear it again"
    WAIT = "a moment"
    GOODBYE = "to end the call"
    THANKS = "to be polite"
    YES = "yes"
    NO = "no"
    GREETING = "to begin"


_COURTESY_WORDS: Final = frozenset(
    "wait stop hold hang second moment minute sec nope yep repeat slowly slower right wrong"
    " correct exactly fine great listen pardon".split()
)
_REPEAT = re.compile(
    r"\b(?:repeat|say (?:that|it) (?:again|slower|more)|once more|one more time|come again"
    r"|pardon|didn't (?:hear|catch|get|understand)|more slowly|slower|what did you say"
    r"|what was that|speak up|sorry what)\b|^(?:and )?(?:again|what|excuse me|sorry)$"
)
_WAIT = re.compile(
    r"^(?:(?:no|oh|um|okay|please|sorry) )*(?:wait|hold on|hang on|hold (?:it|the line)|stop"
    r"|one (?:moment|second|sec|minute)|just a (?:moment|second|sec|minute)|give me a (?:moment"
    r"|second|minute))\b|\b(?:hold|hang) on a (?:second|sec|moment|minute)\b"
)
_GOODBYE = re.compile(
    r"\b(?:good ?bye|bye|bye bye|see you|have a (?:nice|good|great) (?:day|one|evening|weekend)"
    r"|hang up|that's all|that is all|that'll be all|that was all|nothing else|we're done"
    r"|i'm done|that's it(?: then)?$|end (?:the|this) call)\b"
)
_THANKS = re.compile(r"\b(?:thank you|thanks|thank u|cheers|much appreciated|great job)\b")
_YES = re.compile(
    r"^(?:oh )?(?:yes|yeah|yep|yup|sure|of course|okay|ok|correct|right|that's right|exactly"
    r"|please do|please|absolutely|definitely|go ahead|that would be (?:nice|great|good)"
    r"|i do(?! not)|i would(?! not)|why not|all right|alright|fine|sounds good|mm hmm|uh huh)\b"
)
_NO = re.compile(
    r"^(?:oh )?(?:no|nope|nah|not really|no thanks|never ?mind|cancel that|forget it|negative"
    r"|i don't think so|don't|do not|not now|not yet|that's (?:not right|wrong)|wrong)\b"
)
_GREETING = re.compile(
    r"^(?:(?:hello|hi|hey|good (?:morning|afternoon|evening|day)|howdy|greetings|anybody there"
    r"|is (?:anybody|anyone|somebody) there|can you hear me)(?: there| hello)?\s*)+$"
)

_WHO = r"(?:me|us|my \w+)"
_SOMEBODY = (
    r"(?:someone|somebody|anyone|anybody|you|they|him|her|them|he|she|(?:a|an|the|your|my) \w+)"
)
_CALLBACK: Final = re.compile(
    rf"\b(?:call|ring|phone) {_WHO} (?:back|later|tomorrow|tonight|again|when|as soon|at|on|once"
    rf"|this|in the)\b|\b(?:call|ring) ?back\b(?! later)|\b{_SOMEBODY} (?:to |please |can |could"
    rf"|just )*(?:call|ring|phone) {_WHO}\b|\bgive {_WHO} a (?:call|ring)\b"
    rf"|\breturn (?:my|the) call\b|^(?:please )?(?:call|ring|phone) {_WHO}(?: please)?$"
)
_NO_CALLBACK: Final = re.compile(
    r"\b(?:don't|do not|didn't|not|never|no need to|nobody|promised|supposed|said|told|was going"
    r"|were going|why|when) (?:\w+ ){0,4}(?:call|ring|phone|callback)\b"
)
_MESSAGE: Final = re.compile(
    r"\b(?:leave|take|record|drop) (?:\w+ ){0,4}(?:message|voice ?mail|note)\b"
    r"|\b(?:put|send|transfer|connect) \w+ (?:\w+ )?(?:to|into) (?:\w+ )?(?:voice ?mail|mailbox)\b"
    r"|\bpass (?:on )?a message\b|\bgive (?:him|her|them) a message\b"
    r"|^(?:a |the |your |voice )*(?:message|voice ?mail|mailbox)(?: please| then| is fine)*$"
)
_NO_MESSAGE: Final = re.compile(
    r"\b(?:don't|do not|didn't|not|never|no|already|nobody|did you|have you|why)"
    r" (?:\w+ ){0,4}(?:message|voice ?mail)\b"
)


class _Rule(msgspec.Struct, frozen=True):
    """How an intent is recognised.

    `says` is a pattern for the normalised words, or a function of the text. The rule does not apply
    if the words match `unless`, or if there are more than `most_words`.
    """

    intent: Intent
    says: re.Pattern[str] | Callable[[str], bool]
    unless: re.Pattern[str] | None = None
    most_words: int | None = None

    def applies(self, text: str) -> bool:
        if not isinstance(self.says, re.Pattern):
            return self.says(text)
        words = tokens(text)
        if self.most_words is not None and len(words) > self.most_words:
            return False
        said = " ".join(words)
        return bool(self.says.search(said)) and not (self.unless and self.unless.search(said))


_RULES: Final = (
    _Rule(Intent.STOP_RECORDING, UNRECORDED),
    _Rule(Intent.MESSAGE, _MESSAGE, unless=_NO_MESSAGE),
    _Rule(Intent.CALLBACK, _CALLBACK, unless=_NO_CALLBACK),
    _Rule(Intent.PERSON, wants_person),
    _Rule(Intent.IDENTITY, IDENTITY, most_words=14),
    _Rule(Intent.REPEAT, _REPEAT, most_words=12),
    _Rule(Intent.WAIT, _WAIT, most_words=9),
    _Rule(Intent.GOODBYE, _GOODBYE, most_words=10),
    _Rule(Intent.NO, _NO, most_words=5),
    _Rule(Intent.YES, _YES, most_words=4),
    _Rule(Intent.THANKS, _THANKS, most_words=7),
    _Rule(Intent.GREETING, _GREETING, most_words=6),
)
"""The first rule that applies gives the intent."""


def recognize_intent(text: str) -> Intent | None:
    """Return the intent of `text`, or None if its meaning depends on facts and tools.

    Thanks, yes, no and greetings count only if the text has few other words, so that courtesies
    around a question do not hide it.
    """
    return next((rule.intent for rule in _RULES if rule.applies(text)), None)


def says_yes(text: str) -> bool:
    """Return whether `text` begins with an agreement."""
    return _YES.search(normalised(text)) is not None


def says_no(text: str) -> bool:
    """Return whether `text` begins with a refusal."""
    return _NO.search(normalised(text)) is not None


def without_courtesies(said: str) -> str:
    """Return the words of `said` without courtesy words."""
    return " ".join(word for word in normalised(said).split() if word not in _COURTESY_WORDS)
