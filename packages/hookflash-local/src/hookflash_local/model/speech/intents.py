"""Recognise a caller's intent in everyday English, with patterns. No I/O.

Patterns match normalised words (lower case, no punctuation) and allow for typical errors of
speech-to-text. The request for a human matters most: it must be recognised in many wordings, but
not if the caller only talks about people, transfers or machines.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable
from typing import Final

import msgspec

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


_STRONG = (
    r"(?:human(?: being)?s?|real (?:person|people|human|one|voice)|live (?:person|agent|human|one)"
    r"|actual (?:person|human|people)|person|representatives?|reps?|operator|agent|manager"
    r"|supervisor|advis[eo]r|attendant|member of staff|staff member)(?!')"
)
_WEAK = (
    r"(?:someone|somebody|anyone|anybody|people|staff|team|support|service|care|sales|billing"
    r"|department|desk|technician|specialist|expert|colleague|boss|owner|receptionist|assistant"
    r"|doctor|nurse|guy|man|woman|lady)"
)
_MACHINE = r"(?:machine|robot|bot|computer|ai|recording|answering machine|program|automat\w*)"
_SPEAK = r"(?:speak|talk|speech|peak|chat|spoken)"
_TO = r"(?:to|too|two|2|with|the|at)"

_PERSON_PATTERNS: Final = tuple(
    re.compile(pattern)
    for pattern in (
        # "I'd like to speak to customer support", "talk with anybody in billing", "speak to Maria"
        rf"\b{_SPEAK} {_TO} (?!(?:you|me|u|it|this|that|him|her|them|us|myself|yourself|your"
        rf"|a \w*{_MACHINE}|{_MACHINE}|the {_MACHINE})\b)\w",
        rf"\b{_SPEAK} (?:\w+ ){{0,3}}(?:{_STRONG}|{_WEAK})\b",
        # What speech-to-text makes of "talk to a human" and "get an agent".
        rf"\b(?:walk|go) to (?:a |an |the )(?:real |live )?{_STRONG}$",
        r"\bmind (?:speaking|talking) (?:to|with) (?:a|some)",
        # "transfer me", "put me through", "connect me to", "hand me over"
        r"\b(?:transfer|forward|redirect|escalate|reroute|route) (?:me|my call|this|the call|us)\b",
        r"\btransferred me (?:right now|now|please|to|over)\b",
        r"\bconnect (?:me|us|my call)\b(?! (?:to|with) (?:the )?(?:internet|wifi|network))",
        r"\b(?:i|me|to) be (?:transferred|connected|forwarded|put through)\b",
        rf"\b(?:transfer|connect|connecting|transferred to)\b(?: \w+){{1,4}}"
        rf" (?:department|team|staff|{_STRONG})\b",
        r"\b(?:put|patch) (?:me|us|my call|this call) (?:through|over|on to|onto|on with)\b",
        r"\b(?:hand|pass|switch) (?:me|us|my call|this call) (?:over|on|through|to)\b",
        r"\bget (?:me )?(?:through to|hold of|a hold of|in touch with)\b",
        # "give me a human", "I need a real person", "can I get an agent please"
        r"\b(?:want|wants|need|get|give|have|prefer|like|find|reach|call|bring|please|rather|"
        rf"contact|where's|where is) (?:me |us |to |have |get |reach |contact |for )*"
        rf"(?:a |an |the |some |your |any |another )?(?:real |live |actual |human )?{_STRONG}\b"
        r"(?! (?:number|error|resources|name|who (?:called|came|sold)|called|said|told))",
        r"\b(?:is|are) there (?:a |an |any |some )*(?:real |live |actual |human )*"
        rf"(?:{_STRONG}|(?:someone|somebody|anyone|anybody)(?: \w+)? (?:can|could) (?:speak|talk))",
        r"\b(?:is|are) there (?:someone|somebody|anyone|anybody)\b.*\b(?:speak|talk) (?:with|to)$",
        rf"\b(?:help|hear|answer|advice) from (?:a |an |the |some |your )*(?:real |live )?"
        rf"{_STRONG}",
        r"\bmind (?:connecting|transferring|putting|passing|handing) (?:me|us|my call)\b",
        r"\b(?:need|want|get me|give me|find me) (?:someone|somebody|anyone|anybody)"
        r"(?: (?:real|human|else|please|now|to (?:talk|speak)\b.*|i can (?:talk|speak)\b.*))*$",
    )
)
_AGAINST_MACHINES = re.compile(
    rf"\b(?:not|don't|no|without|hate|stop|tired of) (?:\w+ ){{0,5}}{_MACHINE}s?\b"
)
"""Such as: I don't want to talk to a machine; no robots."""

_REFUSED = re.compile(
    r"\b(?:don't|do not|didn't|did not|not|never|no need|needn't|doesn't|won't|wouldn't|stop"
    r"|rather not|instead of) (?:\w+ ){0,3}"
    r"(?:speak|talk|transfer|transferring|connect|connecting|put|forward|want|need|escalate|pass|"
    rf"hand|a|an|any|the) (?:\w+ ){{0,3}}?(?:me|{_STRONG}|{_WEAK})\b"
)
_NOT_REFUSED = re.compile(
    r"(?<=\bcan i) not\b|(?<=\bcould i) not\b|(?<=\bmay i) not\b"
    r"|\b(?:are|is|was|you're|it's|this is)(?: \w+)? not (?:\w+ )?"
    r"(?:help\w*|work\w*|good|useful)\b"
    r"|\b(?:isn't|aren't|doesn't|don't) (?:\w+ )?(?:help\w*|work\w*|understand)\b"
)
"""Such as: Can I not speak to someone? You are not helping, get me a supervisor."""

_COURTESY_WORDS: Final = frozenset(
    "wait stop hold hang second moment minute sec filled nope yep repeat slowly slower right wrong"
    " correct exactly fine great listen pardon".split()
)
_PAST = re.compile(
    r"\b(?:was|were|been|already|yesterday|spoke|talked|they|he|she|you|who|last (?:time|week))"
    r" (?:just |already |been )*(?:speaking|talking|spoken|spoke|talked|transferred|connected)\b"
)
_ALONE = re.compile(
    rf"(?:{_STRONG}|customer (?:service|support|care)|tech(?:nical)? support|front desk|help ?desk"
    r"|support|someone real)"
)
_FILLERS = frozenset(
    "please now just a an the i said yes yeah okay ok hello hi no um uh want to need so right and"
    " thanks i'd like".split()
)
_IDENTITY = re.compile(
    r"\b(?:are you|is this|am i|is it|are we|you are|you're) (?:\w+ ){0,4}"
    rf"(?:{_MACHINE}|human|real|person|alive|automated|chat gpt|chatgpt)\b"
)
_REPEAT = re.compile(
    r"\b(?:repeat|say (?:that|it) (?:again|slower|more)|once more|one more time|come again"
    r"|pardon|didn't (?:hear|catch|get|understand)|more slowly|slower|what did you say"
    r"|what was that|speak up|sorry what)\b|^(?:and )?(?:again|what|excuse me|sorry)$"
)
_WAIT = re.compile(
    r"^(?:(?:no|oh|um|okay|please|sorry) )*(?:wait|hold on|hang on|hold (?:it|the line)|stop"
    r"|one (?:moment|second|sec|minute)|just a (?:moment|second|sec|minute)|give me a (?:moment"
    r"|second|minute))\b|\b(?:hold|hang|filled) on a (?:second|sec|moment|minute)\b"
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
_UNRECORDED: Final = re.compile(
    r"\b(?:stop|turn off|switch off|end|delete|erase|no|without|not|never|don't|object to)"
    r" (?:(?!know|sure|hear)\w+ ){0,4}record(?:ing|ings|ed)?\b"
)
_NO_MESSAGE: Final = re.compile(
    r"\b(?:don't|do not|didn't|not|never|no|already|nobody|did you|have you|why)"
    r" (?:\w+ ){0,4}(?:message|voice ?mail)\b"
)


def wants_person(text: str) -> bool:
    """Return whether the caller asks for a human."""
    clauses = re.split(r"[.,;:!?]+", text)
    return any(map(_asks_for_person, [*clauses, text] if len(clauses) > 1 else [text]))


def _asks_for_person(clause: str) -> bool:
    said = normalised(clause)
    left = " ".join(word for word in said.split() if word not in _FILLERS)
    if _ALONE.fullmatch(left):
        return True
    # "Are you a real person?" is a question about the agent and not a request for a human.
    said = _IDENTITY.sub(" ", said)
    said = _NOT_REFUSED.sub(" ", said)
    if _AGAINST_MACHINES.search(_UNRECORDED.sub(" ", said)):
        return True
    if _REFUSED.search(said) or _PAST.search(said):
        return False
    return any(pattern.search(said) for pattern in _PERSON_PATTERNS)


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
    _Rule(Intent.STOP_RECORDING, _UNRECORDED),
    _Rule(Intent.MESSAGE, _MESSAGE, unless=_NO_MESSAGE),
    _Rule(Intent.CALLBACK, _CALLBACK, unless=_NO_CALLBACK),
    _Rule(Intent.PERSON, wants_person),
    _Rule(Intent.IDENTITY, _IDENTITY, most_words=14),
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
