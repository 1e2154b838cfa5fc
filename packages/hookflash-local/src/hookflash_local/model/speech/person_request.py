"""Recognise that a caller asks for a human, in everyday English. No I/O.

A request names whom the caller wants (`_HUMAN`, `_DEPARTMENT`, a name) and says that the agent is
to bring them. Each clause is tested by itself. A question about the agent, a refusal, the past and
the caller's own business are no requests. Everything else is compared with the forms of a request.
"""

from __future__ import annotations

import re
from typing import Final

from hookflash_local.model.speech.word_matching import normalised

_REAL = r"(?:(?:real|live|living|actual|human|proper|different|other) )*"
_PERSON = (
    r"(?:human(?: being)?s?|(?:real|live|living|actual) (?:one|voice)|person|people"
    r"|representatives?|reps?|operator|agents?|(?:\w+ )?manager|supervisor|advis[eo]r|attendant"
    r"|employee|member of (?:the |your )?(?:staff|team)|staff member|colleagues?|receptionist)"
    r"(?!')"
)
_INDEFINITE = r"(?:someone|somebody|anyone|anybody)"
_DEPARTMENT = (
    r"(?:reception|front desk|help ?desk|switchboard|sales|billing|accounts|accounting|finance"
    r"|housekeeping|human resources|security|extension [\w ]+"
    r"|(?:customer|technical|tech) (?:service|support|care)|support"
    r"|(?:\w+ )?(?:department|team|office|desk))"
)
_PROFESSION = (
    r"(?:technician|specialist|expert|boss|owner|assistant|doctor|nurse|pharmacist|staff|sales\w*"
    r"|consultant|clerk|mechanic|(?:\w+ )?officer|surgeon|dentist|hygienist|concierge"
    r"|(?:\w+ ){0,2}(?:lady|ladies|guys?|man|woman|girls?|lads?|gentleman|bloke)(?!'))"
)
_THE = r"(?:a |an |the |some |any |another |your |one of your |somebody |someone )?"
_HUMAN = rf"{_THE}{_REAL}{_PERSON}"
_ANY_HUMAN = rf"(?:{_HUMAN}|{_THE}{_REAL}(?:{_DEPARTMENT}|{_PROFESSION})|{_INDEFINITE})"
_MACHINE = r"(?:machine|robot|bot|computer|ai|recording|answering machine|program|automat\w*)"
_CALL = r"(?:me|us|my call|this call|the call)"
_PHONE = r"on (?:the |this )?(?:phone|line|call)"
_ABOUT_THEM = (
    r"(?! (?:\w+ )?(?:number|address|email|mail|hours|name|error|resources|who|that|which|called"
    r"|said|told|job|position|role|i(?! can| could))\b"
    r"| to (?!talk|speak|help|take|deal|handle|sort)\w)"
)
"""What follows in talk about somebody: "the agent who called", "the sales number"."""

_FORMS: Final = tuple(
    re.compile(pattern)
    for pattern in (
        # To speak to anybody but the agent itself and the caller's own people.
        r"\b(?:speak|talk|chat) (?:to|with) (?!(?:you|me|it|this|that|us|myself|yourself|him|her"
        rf"|them|your (?!{_REAL}(?:{_PERSON}|{_PROFESSION}|{_DEPARTMENT}))\w+|an? accent"
        rf"|(?:a |an |the )?(?:\w+ )?{_MACHINE}s?)\b)"
        r"(?!my (?!account manager|advis[eo]r|agent|case)\w)\w",
        rf"\b(?:speak|talk) (?:to )?{_ANY_HUMAN}$",
        rf"\b(?:discuss|deal|dealing|sort|go over|go through)\b.* with {_ANY_HUMAN}\b",
        rf"\b(?:chance of|mind|possible|rather) (?:\w+ )*(?:speaking|spoke|talking) (?:to|with)"
        rf" {_ANY_HUMAN}",
        rf"\b(?:can|could|may) i (?:ask|trouble you for) {_THE}(?:{_PROFESSION}|{_PERSON})\b",
        r"\b(?:like|want|can i|could i|may i|let me) (?:to )?(?:speak|talk) (?:to|with)"
        r" (?:him|her|them)\b",
        rf"\b(?:appreciate|better|prefer|love|mind|rather be) (?:talking|speaking) (?:to|with)"
        rf" {_ANY_HUMAN}",
        rf"\b(?:word|call|conversation) with (?:{_ANY_HUMAN}|mr|mrs|ms|miss)\b",
        rf"\b(?:want|wanted|like|need|can i|could i|may i|let me) (?:\w+ ){{0,3}}to {_HUMAN}$",
        # To be moved.
        rf"\b(?:transfer|transferring|redirect|reroute|route|forward) {_CALL}\b",
        r"\bescalate (?:me|this|it|my \w+)\b",
        rf"\b(?:connect|connecting) {_CALL}\b(?! (?:to|with) (?:the )?(?:internet|wifi|network))",
        r"\b(?:i|me|to) be (?:transferred|connected|forwarded|put through|escalated)\b",
        rf"\b(?:put|putting|patch) {_CALL} (?:through|over|on to|onto|on with|in touch)\b",
        rf"\b(?:hand|handing|pass|passing|switch|send|take|direct|swap) {_CALL} (?:on|to)\b",
        rf"\b(?!talk|walk|guide|run|help)\w+ {_CALL} (?:over|through|along|across|up with|onto)\b"
        r"(?! (?:my|the (?:email|address|letter))\b)",
        r"\bring through to\b",
        rf"\b(?:go|going|get|straight|skip|bypass)\b.* (?:on)?to {_HUMAN}\b{_ABOUT_THEM}",
        r"\bget (?:me )?(?:through to|hold of|a hold of|in touch with)\b",
        # To have somebody brought.
        rf"\b(?:(?:i'd|we'd|would|also) like|want|wants|need|get|getting|give|have|prefer|find|try"
        rf"|reach|bring|please|rather|contact|where's|where is|fetch|for|not) (?:me |us |to |have"
        rf" |get |reach |in )*{_HUMAN}\b{_ABOUT_THEM}",
        rf"\b(?:get|give|find) (?:me|us) (?:the |your )?{_DEPARTMENT}\b{_ABOUT_THEM}",
        rf"\b(?:i'd|we'd|would) like (?:the |your ){_DEPARTMENT}(?: now)*$",
        rf"\b(?:can|could|may) i have (?:the )?(?:{_DEPARTMENT}|{_PROFESSION})\b{_ABOUT_THEM}",
        rf"\b(?:put|get) (?:{_ANY_HUMAN}|them)(?: else)? on\b",
        rf"\b(?:want|need|looking for) (?:the |that ){_PROFESSION}\b",
        r"(?<!i can't )(?<!i cannot )\bcome (?:to|on) the (?:phone|line)\b",
        r"\b(?:calling|asking|looking|here) for (?:mister|mr|mrs|ms|miss|doctor|dr)\b",
        rf"\b{_INDEFINITE} (?:in|from|at) (?:\w+ ){{1,2}}to (?:talk|speak|help|walk)\b",
        r"\b(?:ring|dial|call|get|ask) (?:[\w']+ ){1,4}(?:for me|to take over)\b",
        rf"(?<!i'll )(?<!i will )\b(?:put|get|have|bring) (?:(?!my|me|it|that|this)\w+ ){{1,4}}"
        rf"{_PHONE}\b",
        rf"\b(?:need|want|get me|give me|find me) {_INDEFINITE}(?: (?:real|human|else|please|now"
        r"|to (?:talk|speak)\b.*|i can (?:talk|speak)\b.*))*$",
        rf"\b{_INDEFINITE} real\b",
        rf"\b(?:help|hear|answer|advice) from {_HUMAN}\b",
        # Whether somebody is there.
        rf"\b(?:is|are) there {_HUMAN}\b",
        rf"\b(?:is|are) there {_THE}{_INDEFINITE}\b.*\b(?:speak|talk)\b",
        rf"\b(?:is|are) {_HUMAN} (?:\w+ )?(?:available|free|there|around|reachable)\b",
        rf"\b(?:can|could|would|will) {_HUMAN} (?:\w+ ){{0,4}}(?:help|talk|speak|come|take|call in)"
        r"\b",
        rf"\b(?:can|could|would|will) {_ANY_HUMAN} (?:\w+ ){{0,3}}(?:(?:talk|speak) (?:to|with)"
        rf" (?:me|us)|come {_PHONE}|take over)\b",
    )
)

_NOT = (
    r"(?:don't|do not|didn't|did not|not|never|no need|needn't|doesn't|won't|wouldn't|stop"
    r"|rather not|instead of)"
)
_REFUSED = re.compile(
    rf"\b{_NOT} (?:\w+ ){{0,3}}(?:speak|talk|transfer|transferring|connect|connecting|put|forward"
    r"|want|need|get|escalate|pass|hand|a|an|any|the)"
    rf" (?:\w+ ){{0,3}}?(?:me|{_PERSON}|{_DEPARTMENT}|{_PROFESSION}|{_INDEFINITE})\b"
    rf"|\b{_NOT} (?:\w+ ){{0,3}}be (?:transferred|connected|forwarded|put)\b"
)
_NO_REFUSAL = re.compile(
    r"(?<=\bcan i) not\b|(?<=\bcould i) not\b|(?<=\bmay i) not\b"
    r"|\b(?:are|is|was|you're|it's|this is)(?: \w+)? not (?:\w+ )?(?:help\w*|work\w*|good|useful)\b"
    r"|\b(?:isn't|aren't|doesn't|don't) (?:\w+ )?(?:help\w*|work\w*|understand)\b"
)
"""Such as: Can I not speak to someone? You are not helping, get me a supervisor."""

_AGAINST_MACHINES = re.compile(
    rf"\b(?:not|don't|no|without|hate|refuse|stop|tired of|sick of|fed up with) (?:\w+ ){{0,5}}"
    rf"{_MACHINE}s?\b"
)
"""Such as: I don't want to talk to a machine; no robots."""

_PAST = re.compile(
    r"\b(?:was|were|been|already|yesterday|spoke|talked|they|he|she|you|who|last (?:time|week))"
    r" (?:just |already |been )*(?:speaking|talking|spoken|spoke|talked|transferred|connected)\b"
    r"|\bhad (?:a|my) (?:call|conversation|word)\b"
)
_OWN_BUSINESS = re.compile(
    r"\b(?:i|we) (?:have to|must|need to|should|will|want to|gotta) (?:\w+ ){0,2}(?:speak|talk|ask)"
    r"\b.* (?:first|before)\b|\b(?:do|did|can|could|would|will) you (?:speak|talk)\b"
)
"""What the caller does elsewhere, or wants the agent itself to do."""

_POLITENESS = re.compile(
    r"\b(?:please|kindly|if (?:you don't mind|that's (?:alright|all right|ok|okay|possible)"
    r"|possible)|it's urgent|mate|would you$)\b ?"
)
_FILLERS = frozenset(
    "please now just a an the i said yes yeah okay ok hello hi no um uh want to need so right and"
    " thanks i'd like".split()
)
_ALONE = re.compile(
    rf"(?:(?:{_REAL}{_PERSON}|{_DEPARTMENT}) ?)+|{_INDEFINITE} (?:real|human)|someone real"
)
_ANY_HUMAN_WORDS = frozenset(
    "human humans person people somebody someone anybody anyone operator representative agent staff"
    " colleague employee real live actual speak talk connect transfer put through".split()
)
_NAME = (
    r"(?:(?:Mr|Mrs|Ms|Miss|Mister|Dr|Doctor) )?"
    r"(?!\w+day\b|January|February|March|April|May|June|July|August|September|October|November"
    r"|December|English|Spanish|German|French)[A-Z][a-z]+(?: [A-Z][a-z]+)?"
)
_BY_NAME: Final = tuple(
    re.compile(pattern)
    for pattern in (
        rf"\b(?:get|call|fetch|find|ask) {_NAME} (?:for me|to (?:come|speak|talk|call))\b",
        rf"\b[Ii]s {_NAME} (?:in|around|about|there|available|free)\b",
        rf"\b(?i:hi|hello|hiya|morning|afternoon|evening|yeah) {_NAME} please\b",
    )
)
"""Requests for somebody by name. Names begin with a capital letter."""

IDENTITY: Final = re.compile(
    r"\b(?:are you|is this|am i|is it|are we|you are|you're|you sound) (?:\w+ ){0,4}"
    rf"(?:{_MACHINE}|human|real|person|alive|automated|chat gpt|chatgpt)\b"
)
"""Whether the agent is a human: a question about it and no request for one."""

UNRECORDED: Final = re.compile(
    r"\b(?:stop|turn off|switch off|end|delete|erase|no|without|not|never|don't|object to)"
    r" (?:(?!know|sure|hear)\w+ ){0,4}record(?:ing|ings|ed)?\b"
)
"""The caller does not want to be recorded, which is nothing against machines."""


def wants_person(text: str) -> bool:
    """Return whether the caller asks for a human."""
    clauses = re.split(r"[.,;:!?]+", re.sub(r"\b(Mr|Mrs|Ms|Dr)\.", r"\1", text))
    return any(map(_asks, [*clauses, text] if len(clauses) > 1 else [text]))


def without_any_human(text: str) -> str:
    """Return the words of `text` without those that ask for a human of any kind."""
    return " ".join(word for word in normalised(text).split() if word not in _ANY_HUMAN_WORDS)


def _asks(clause: str) -> bool:
    said = _POLITENESS.sub("", normalised(clause)).strip()
    left = " ".join(word for word in said.split() if word not in _FILLERS)
    if _ALONE.fullmatch(left):
        return True
    said = _NO_REFUSAL.sub(" ", IDENTITY.sub(" ", said))
    if _AGAINST_MACHINES.search(UNRECORDED.sub(" ", said)):
        return True
    if any(pattern.search(said) for pattern in (_REFUSED, _PAST, _OWN_BUSINESS)):
        return False
    return any(form.search(said) for form in _FORMS) or any(
        form.search(clause) for form in _BY_NAME
    )
