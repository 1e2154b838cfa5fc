"""Read facts from an agent's instructions, and find the one that answers a question. No I/O.

Instructions are prose for a language model: facts ("We are open from nine to five."), list items,
pairs of `Q:` and `A:`, and orders to the agent ("Be brief."). The agent may tell facts to a caller,
but not orders, except what an order says to say ("If asked about parking, say that ...").
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from hookflash_local.model.speech.sentences import sentences
from hookflash_local.model.speech.word_matching import TermWeights, content

_ORDER = re.compile(
    r"(?:you(?:'re| are| must| should| have| will| speak| answer| help)|you (?:can|may) (?:also )?"
    r"(?:transfer|use|look|ask|help|answer|offer|tell|say|end|hang|bring|connect)|your (?:job|role"
    r"|task|name|goal|tone|style|voice)|be|always|never|do not|don't|keep|speak|answer|use|ask"
    r"|tell|if|when(?:ever)?|help|greet|offer|make sure|only|respond|reply|say|stay|avoid|try"
    r"|transfer|hand|connect|please|act|remember|introduce|end the call|look up|confirm|before"
    r"|after|once|bring|connect|forward|escalate|take (?:a|their|the caller)|collect|listen"
    r"|mention|sound|pretend|assume|call (?!us|our|the office|me)\w+|facts?|these are)\b",
    re.IGNORECASE,
)
_ANSWER_ORDER = re.compile(
    r"(?:if|when(?:ever)?) (?:(?:asked|someone asks|somebody asks|they ask|(?:the|a) (?:caller|"
    r"customer|client|guest|patient) (?:asks|wants to know)))(?: about| for| whether| if| how| what"
    r"| when| where)? (?P<about>.+?)[,:] *(?:then )?(?:please )?(?:say|tell them|tell the caller"
    r"|answer|explain|reply)(?: that)?:? *(?P<answer>.+)",
    re.IGNORECASE,
)
_QUESTION = re.compile(r"^(?:q|question|frage)\s*[:.)] *(.*)$", re.IGNORECASE)
_ANSWER = re.compile(r"^(?:a|answer|antwort)\s*[:.)] *(.*)$", re.IGNORECASE)
_BULLET = re.compile(r"^\s*(?:[-*•+]|\d{1,2}[.)])\s+")
_HEADING = re.compile(r"^(?:#+ *(?P<hash>.+?):?|(?P<colon>[^.:?!]{1,60}):)$")
_PLAIN_HEADING = re.compile(
    r"\b(facts?|information|about|know|knowledge|questions|faq|details|context|background|company"
    r"|business)\b",
    re.IGNORECASE,
)
_ORDERS_HEADING = re.compile(
    r"\b(rules?|instructions?|style|tone|tasks?|behaviou?r|guidelines|how to|do not|never|role"
    r"|personality|steps|examples?)\b",
    re.IGNORECASE,
)
_WHERE = re.compile(
    r"\b(?i:you are|you're|you work|you answer)\b.*?\b(?:of|for|at)\s+"
    r"(?P<name>(?:the )?[A-Z][\w'&-]*(?:\s+(?:[A-Z][\w'&-]*|and|of|&))*)"
)

_WRAPPED = 70
"""A longer line (in characters) that ends within a sentence continues in the next line."""


class Fact(msgspec.Struct, frozen=True):
    """A fact that the agent may tell: `answer` as it is spoken, `about` its search words."""

    answer: str
    about: tuple[str, ...]


class BestFact(msgspec.Struct, frozen=True):
    """The best answer, and how much of the question it covers (0 to 1)."""

    answer: str
    score: float


def read_facts(instructions: str) -> list[Fact]:
    """Return the facts in `instructions`, in order."""
    facts: list[Fact] = []
    heading, orders, question = "", False, ""
    for line in _joined_lines(instructions):
        bullet = _BULLET.match(line) is not None
        text = _BULLET.sub("", line).strip()
        title = None if bullet else _HEADING.match(text)
        if asked := _QUESTION.match(text):
            question = asked[1]
        elif question and (answer := _ANSWER.match(text)):
            facts.append(_fact(answer[1], question))
            question = ""
        elif title is not None:
            heading = title["hash"] or title["colon"]
            orders = _ORDERS_HEADING.search(heading) is not None
            if _PLAIN_HEADING.search(heading):
                heading = ""
        elif not orders:
            if not bullet:
                heading = ""
            facts += _facts_in(text, heading)
        elif not text:
            orders = False
    return facts


def _joined_lines(instructions: str) -> list[str]:
    """Return the lines, with a sentence that is wrapped over several lines joined."""
    lines: list[str] = []
    for line in instructions.splitlines():
        stripped = line.strip()
        goes_on = (
            lines
            and lines[-1]
            and stripped
            and (stripped[0].islower() or len(lines[-1]) > _WRAPPED)
            and not any(p.match(stripped) for p in (_QUESTION, _ANSWER, _BULLET, _HEADING))
            and lines[-1][-1] not in ".!?:"
        )
        if goes_on:
            lines[-1] += " " + stripped
        else:
            lines.append(stripped)
    return lines


def _facts_in(text: str, heading: str) -> list[Fact]:
    if match := _ANSWER_ORDER.match(text):
        return [_fact(_as_ourselves(match["answer"].strip().strip('"')), match["about"])]
    facts = []
    for sentence in sentences(text):
        if _ORDER.match(sentence) or not content(sentence):
            continue
        fragment = heading and len(sentence.split()) < 9 and not sentence.endswith(".")
        spoken = f"{heading}: {sentence}" if fragment else sentence
        facts.append(_fact(spoken, heading))
    return facts


def _as_ourselves(text: str) -> str:
    """Change the second person to the first: `you only know` becomes `I only know`."""
    for pattern, put in (
        (r"\byou are\b|\byou're\b", "I am"),
        (r"\byou\b", "I"),
        (r"\byour\b", "our"),
    ):
        text = re.sub(pattern, put, text, flags=re.IGNORECASE)
    return text


def _fact(answer: str, about: str) -> Fact:
    return Fact(_sentence(answer), tuple(content(f"{about} {answer}")))


def _sentence(text: str) -> str:
    text = text.strip()
    text = text[:1].upper() + text[1:]
    return text if not text or text[-1] in ".!?" else text + "."


def business_name(instructions: str) -> str | None:
    """Return the business's name, from a sentence such as `You are the receptionist of Harbour.`"""
    match = _WHERE.search(instructions)
    return match["name"].removesuffix(" and").removesuffix(" of") if match else None


def best_fact(question: str, facts: Sequence[Fact], weights: TermWeights) -> BestFact | None:
    """Return the fact that covers most of `question`; of equals, the more specific, then the first.

    Return None if there are no facts, or no content words in the question.
    """
    asked = content(question)
    scored = [
        (weights.coverage(asked, fact.about), weights.coverage(fact.about, asked), -number)
        for number, fact in enumerate(facts)
    ]
    if not asked or not scored:
        return None
    score, _, number = max(scored)
    return BestFact(facts[-number].answer, score)
