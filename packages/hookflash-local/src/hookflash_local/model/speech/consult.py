"""Answer a human in a consult hand-off: brief them, and do what they decide. No I/O.

In a consult hand-off the agent talks to the human on a separate leg while the caller waits. The
instructions have sections: what is wanted of the human (the briefing), what was said with the
caller, what the agent knows. The first rule that applies wins:

1. a mailbox answered: the tool `left_voicemail`, and a short message when asked for
2. the human accepts ("put them through"): `connect_caller`
3. the human declines ("I am in a meeting"): `decline`, with the human's own words
4. the briefing, if the human has not heard it; else the answer to a question
5. "Shall I put them through?"

Answers are sentences of the briefing or the caller's own words; nothing is invented.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import msgspec

from hookflash_local.model.components import DialogueRequest, Say
from hookflash_local.model.speech import intents
from hookflash_local.model.speech.call_requests import Reply
from hookflash_local.model.speech.dialogue_state import DialogueState, read_dialogue_state
from hookflash_local.model.speech.intents import Intent
from hookflash_local.model.speech.knowledge import Fact, best_fact, business_name, read_facts
from hookflash_local.model.speech.parameter_values import ParameterKind, find_value
from hookflash_local.model.speech.sentences import sentences
from hookflash_local.model.speech.spoken_numbers import figures
from hookflash_local.model.speech.tool_forms import Form
from hookflash_local.model.speech.word_matching import ENOUGH, TermWeights, content, normalised

CONNECT: Final = "connect_caller"
DECLINE: Final = "decline"
LEFT_VOICEMAIL: Final = "left_voicemail"

SHALL_I: Final = "Shall I put them through?"
PUTTING_THROUGH: Final = "Thank you. I am putting them through now."
WILL_TELL: Final = "All right, I will tell them. Thank you, goodbye."
NOT_KNOWN: Final = "I do not know that."
NOBODY_KNOWN: Final = "A caller asked to speak to you."
_LONGEST_BRIEFING = 260
_LEAST_BRIEFING = 10

_MAILBOX = re.compile(
    r"\b(?:leave|record) (?:me |us |him |her )?(?:a |your |the )?(?:short |brief |detailed )?"
    r"(?:name|voice ?mail|voice message|message)\b"
    r"|\b(?:after|at|following) the (?:tone|beep|signal)\b"
    r"|\b(?:voice ?mail|voice mailbox|mailbox|answering machine)\b"
    r"|\bautomat\w+ (?:voice|message|answering)\b"
    r"|\b(?:reached|called) the (?:number|phone|office|desk) of\b"
    r"|\b(?:person|number|party|customer|subscriber) (?:that )?you (?:are|have|'re)?\s*"
    r"(?:calling|called|dialed|dialled|trying)\b"
)
_FOR_CALLER = re.compile(r"\b(?:tell|ask|have|let) (?:him|her|them|the \w+)\b")
_PUT_THROUGH = re.compile(
    r"\b(?:put|patch|send|pass|bring) (?:him|her|them|the (?:caller|call|customer|client)|it|me|us"
    r"|that (?:one|call))(?: right| straight)? (?:through|threw|over|on|in)\b"
    r"|\bconnect (?:him|her|them|us|me|the (?:caller|call|customer|client))\b"
    r"|\b(?:i'll|i will|i can|i could|let me|i'd be happy to|happy to|i) (?:take|talk|speak|get)"
    r" (?:it|to (?:him|her|them)|with (?:him|her|them)|the call|this|that|them|him|her)\b"
    r"|\b(?:go ahead|put through|put it through|let's (?:do it|hear (?:it|them|him|her))"
    r"|i'm (?:ready|free|available))\b"
)
_CANNOT = re.compile(
    r"\b(?:i can't|i cannot|can not|can't|cannot|i'm not (?:able|available|free|at|in)"
    r"|i am not (?:able|available|free|at|in)|in a meeting|in meetings|(?:i'm|i am) (?:busy|driving"
    r"|about to|on (?:another|a) (?:call|line)|at lunch|out|off|away|with a (?:customer|client))"
    r"|not (?:right )?now|not (?:a good|the right) (?:time|person)|bad time|no time|too busy"
    r"|(?:call|ring)(?:ing)? (?:\w+ ){0,2}(?:back|later)|later|another time|tomorrow"
    r"|wrong (?:person|department|number)|not (?:my|our) department|somebody else|someone else"
    r"|tell (?:him|her|them"
    r"|the \w+)|take a message|don't (?:put|connect|want|have time)|do not (?:put|connect|want)"
    r"|won't|i'd rather not|rather not|no thanks|no thank you)\b"
)
_NOT_CANNOT = re.compile(
    r"\bno (?:problem|worries|trouble)\b|\bwhy not\b|\bcan't wait\b|\bnot a problem\b"
)
_WHO = re.compile(
    r"\bwho(?:'s| is| are)? (?:it|this|that|they|he|she|calling|on|the \w+|there|am i)\b|^who$"
    r"|\b(?:the|their|his|her|a|caller's) (?:caller's )?name\b"
)
_WHAT_ABOUT = re.compile(
    r"\b(?:what(?:'s| is| does| do| did)? (?:it|this|that|they|he|she|the \w+)?"
    r"(?: about| want| need| wants| needs| calling| like)?|about what|why(?! not)"
    r"|what for|regarding|the matter|the problem|the issue|more about|tell me more"
    r"|what happened|remind me)\b"
)
_HEADING = re.compile(r"^# What (you want of the human|was said|you know)\b.*$", re.MULTILINE)
_WHO_SAID = re.compile(r"^(?P<who>Caller|You|Note): *(?P<words>.+)$")
_GIVEN = re.compile(r"^(?:call for|you are|say|answer|when|speak|do not)\b", re.IGNORECASE)


class _Background(msgspec.Struct, frozen=True):
    """What is known about the call: the briefing, the caller's words, and facts for answers."""

    briefing: str
    said: tuple[str, ...]
    facts: tuple[Fact, ...]
    weights: TermWeights
    business: str | None


def is_consult(forms: Sequence[Form]) -> bool:
    """Return whether this is a consult with a human: its tool `connect_caller` is offered."""
    return any(form.name == CONNECT for form in forms)


def reply(request: DialogueRequest, forms: Sequence[Form]) -> Reply:
    """Return what to say and do in answer to the human, in order."""
    dialogue = read_dialogue_state(request.conversation)
    background = _read_background(request.instructions)
    tools = {form.name: form for form in forms if request.tool_choice != "none"}
    if _is_mailbox(request):
        return [Say(_mailbox_message(background))]
    if not dialogue.latest:
        return [Say(dialogue.heard or _briefing(background))]
    return _answer(dialogue, background, tools)


def _is_mailbox(request: DialogueRequest) -> bool:
    """Return whether the server asks for the message to a mailbox."""
    if request.added is not None:
        return re.search(r"\bmailbox\b", request.added) is not None
    last = request.conversation[-1] if request.conversation else None
    return last is not None and (last.role, last.name) == ("tool_output", LEFT_VOICEMAIL)


def _answer(dialogue: DialogueState, background: _Background, tools: dict[str, Form]) -> Reply:
    said = normalised(dialogue.latest)
    intent = intents.recognize_intent(dialogue.latest)
    if _MAILBOX.search(said) and not _FOR_CALLER.search(said) and LEFT_VOICEMAIL in tools:
        return [tools[LEFT_VOICEMAIL].call({})]
    cannot = _CANNOT.search(_NOT_CANNOT.sub(" ", said)) is not None
    asks = dialogue.latest.rstrip().endswith("?")
    if _PUT_THROUGH.search(said) and not cannot and CONNECT in tools:
        return [Say(PUTTING_THROUGH), tools[CONNECT].call({})]
    plainly_no = intent in (Intent.NO, Intent.GOODBYE) and not _NOT_CANNOT.search(said)
    if (cannot and not asks or plainly_no) and DECLINE in tools:
        return [Say(WILL_TELL), tools[DECLINE].call(_why(tools[DECLINE], dialogue.latest))]
    if not _has_heard(dialogue):
        return [Say(_briefing(background))]
    manners = (Intent.IDENTITY, Intent.REPEAT, Intent.WAIT)
    if intent not in manners and (answer := _look_up(dialogue.latest, background)):
        return [Say(answer), Say(SHALL_I)]
    agrees = intent is Intent.YES or intents.says_yes(dialogue.latest) or _NOT_CANNOT.search(said)
    if agrees and not asks and CONNECT in tools:
        return [Say(PUTTING_THROUGH), tools[CONNECT].call({})]
    return _courtesy(intent, dialogue, background, asks)


def _courtesy(
    intent: Intent | None, dialogue: DialogueState, background: _Background, asks: bool
) -> Reply:
    match intent:
        case Intent.IDENTITY:
            return [Say(f"I am the automated receptionist{_of_business(background)}. {SHALL_I}")]
        case Intent.REPEAT:
            return [Say(dialogue.heard)]
        case Intent.WAIT:
            return [Say("Of course. I am waiting.")]
    return [Say(f"{NOT_KNOWN} {SHALL_I}" if asks or intent is None else SHALL_I)]


def _why(form: Form, words: str) -> dict[str, str]:
    return {f.name: words for f in form.fields if f.kind is ParameterKind.OWN_WORDS}


def _has_heard(dialogue: DialogueState) -> bool:
    """Return whether the human has heard a briefing of at least ten words."""
    return any(len(text.split()) >= _LEAST_BRIEFING for text in dialogue.times_said)


# --- what is known -------------------------------------------------------------------------------


def _read_background(instructions: str) -> _Background:
    """Read the sections of a consult's instructions; each has a heading."""
    parts = _HEADING.split(instructions)
    sections = dict(zip(parts[1::2], parts[2::2], strict=True))
    wanted = sections.get("you want of the human", parts[0])
    known = sections.get("you know", "")
    talk = sections.get("was said", "").splitlines()
    lines = [match for line in talk if (match := _WHO_SAID.match(line.strip()))]
    said = tuple(match["words"] for match in lines if match["who"] == "Caller")
    briefing = [each for each in sentences(" ".join(wanted.split())) if not _GIVEN.match(each)]
    facts = [Fact(_sentence(each), _found_by(each)) for each in briefing if content(each)]
    facts += [
        Fact(f"The caller said: {_sentence(each)}", _found_by(each))
        for text in said
        for each in sentences(text)
        if content(each)
    ]
    facts += read_facts(known)
    return _Background(
        briefing=" ".join(briefing),
        said=said,
        facts=tuple(facts),
        weights=TermWeights(fact.about for fact in facts),
        business=business_name(known or instructions),
    )


def _found_by(sentence: str) -> tuple[str, ...]:
    """Return a sentence's search words; a sentence with figures is also found by `number`."""
    return (*content(sentence), *(["number"] if figures(sentence) else []))


def _sentence(text: str) -> str:
    return text if text[-1:] in (".", "!", "?") else f"{text}."


def _briefing(background: _Background) -> str:
    """Return the briefing if the server gives no words for it: who calls and why."""
    return f"Hello, this is the assistant{_of_business(background)}. {_about(background)} {SHALL_I}"


def _about(background: _Background) -> str:
    """Return who calls and why, in as many sentences as fit into a short briefing."""
    briefing = ""
    for sentence in sentences(background.briefing):
        if briefing and len(briefing) + len(sentence) > _LONGEST_BRIEFING:
            break
        briefing = f"{briefing} {sentence}".strip()
    return _sentence(briefing[: 2 * _LONGEST_BRIEFING]) if briefing else NOBODY_KNOWN


def _caller(background: _Background) -> str:
    """Return the caller's name if they have said it, else an empty text."""
    names = (find_value("name", {"type": "string"}, text, asked=False) for text in background.said)
    return next((str(name) for name in names if name), "")


def _look_up(question: str, background: _Background) -> str:
    said = normalised(question)
    if _WHO.search(said):
        name = _caller(background)
        return f"The caller is {name}." if name else "They did not say their name."
    found = best_fact(question, background.facts, background.weights)
    if found is not None and found.score >= ENOUGH:
        return found.answer
    return _about(background) if _WHAT_ABOUT.search(said) else ""


def _mailbox_message(background: _Background) -> str:
    business = _of_business(background)
    return f"Hello, this is the assistant{business}. {_about(background)} Thank you, goodbye."


def _of_business(background: _Background) -> str:
    return f" of {background.business}" if background.business else ""
