"""The receptionist on the human's line: says what a call is about and does what the human says.

In a consult hand-off the agent rings the human on a line of their own, while the caller waits with
the agent on the other. What it knows stands in the instructions (the briefing) and in the
conversation with the caller, which comes before anything spoken on this line. What comes first
wins:

1. a mailbox answered: a short message, and the tool `left_voicemail`
2. the human wants the caller ("put them through"): `connect_caller`
3. the human does not ("I am in a meeting"): `decline`, with the human's own words
4. the briefing, if the human has not heard it; else the answer to a question
5. "Shall I put them through?"

Nothing is made up: answers are lines of the briefing or the caller's own words. No I/O.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import takewhile
from typing import Final

import msgspec

from hookflash.standins.model.parts import MindRequest, Say, Turn
from hookflash.standins.model.speech import wishes
from hookflash.standins.model.speech.directions import quoted
from hookflash.standins.model.speech.errands import Reply
from hookflash.standins.model.speech.facts import ENOUGH, Fact, best_fact, business, read_facts
from hookflash.standins.model.speech.scene import Scene, read_scene
from hookflash.standins.model.speech.sentences import sentences
from hookflash.standins.model.speech.tool_forms import Form
from hookflash.standins.model.speech.values import find_value, takes_own_words
from hookflash.standins.model.speech.wishes import Wish
from hookflash.standins.model.speech.words import Weights, content, figures, normalised

CONNECT: Final = "connect_caller"
DECLINE: Final = "decline"
LEFT_VOICEMAIL: Final = "left_voicemail"

SHALL_I: Final = "Shall I put them through?"
PUTTING_THROUGH: Final = "Thank you. I am putting them through now."
WILL_TELL: Final = "All right, I will tell them. Thank you, goodbye."
NOT_KNOWN: Final = "I do not know that."
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
_LABEL = re.compile(
    r"^[-*•\s]*(?P<label>caller(?:'s name)?|name|number|phone|reason|about|summary|wish|context"
    r"|order|account|briefing|notes?|from)\s*[:=]\s*(?P<value>.+)$",
    re.IGNORECASE,
)
_WHOLE_STORY: Final = ("briefing", "summary", "reason", "about", "wish", "context", "notes", "note")


class _Story(msgspec.Struct, frozen=True):
    """What is known of the caller: labelled lines of the briefing, facts, the caller's words."""

    labelled: dict[str, str]
    facts: tuple[Fact, ...]
    said: tuple[str, ...]
    whose_line: str | None


def offered(forms: Sequence[Form]) -> bool:
    """Say whether the other side is a human who may take a call: that tool is there."""
    return any(form.name == CONNECT for form in forms)


def reply(request: MindRequest, forms: Sequence[Form]) -> Reply:
    """Return all that is said and done in answer to the human, in order."""
    turns = list(request.conversation)
    before = list(takewhile(lambda turn: not turn.live, turns))
    scene = read_scene(turns[len(before) :])
    story = _read_story(request.instructions, before)
    tools = {form.name: form for form in forms if request.tool_choice != "none"}
    if not scene.latest:
        return [Say(scene.heard)] if scene.heard else [Say(_briefing(request, story))]
    return _answer(scene, story, tools, _briefing(request, story))


def _answer(scene: Scene, story: _Story, tools: dict[str, Form], briefing: str) -> Reply:
    said = normalised(scene.latest)
    meant = wishes.wish(scene.latest)
    if _MAILBOX.search(said) and not _FOR_CALLER.search(said) and LEFT_VOICEMAIL in tools:
        return [Say(_mailbox_message(story)), tools[LEFT_VOICEMAIL].call({})]
    cannot = _CANNOT.search(_NOT_CANNOT.sub(" ", said)) is not None
    asks = scene.latest.rstrip().endswith("?")
    if _PUT_THROUGH.search(said) and not cannot and CONNECT in tools:
        return [Say(PUTTING_THROUGH), tools[CONNECT].call({})]
    plainly_no = meant in (Wish.NO, Wish.GOODBYE) and not _NOT_CANNOT.search(said)
    if (cannot and not asks or plainly_no) and DECLINE in tools:
        return [Say(WILL_TELL), tools[DECLINE].call(_why(tools[DECLINE], scene.latest))]
    if not _has_heard(scene):
        return [Say(briefing)]
    manners = (Wish.IDENTITY, Wish.REPEAT, Wish.WAIT)
    if meant not in manners and (answer := _look_up(scene.latest, story)):
        return [Say(answer), Say(SHALL_I)]
    agrees = meant is Wish.YES or wishes.says_yes(scene.latest) or _NOT_CANNOT.search(said)
    if agrees and not asks and CONNECT in tools:
        return [Say(PUTTING_THROUGH), tools[CONNECT].call({})]
    return _manners(meant, scene, story, asks)


def _manners(meant: Wish | None, scene: Scene, story: _Story, asks: bool) -> Reply:
    match meant:
        case Wish.IDENTITY:
            return [Say(f"I am the automated receptionist{_of(story)}. {SHALL_I}")]
        case Wish.REPEAT:
            return [Say(scene.heard)]
        case Wish.WAIT:
            return [Say("Of course. I am waiting.")]
    return [Say(f"{NOT_KNOWN} {SHALL_I}" if asks or meant is None else SHALL_I)]


def _why(form: Form, words: str) -> dict[str, str]:
    return {f.name: words for f in form.fields if takes_own_words(f.name, f.schema)}


def _has_heard(scene: Scene) -> bool:
    """Say whether the human has heard enough of a briefing, in whatever words, to decide."""
    return any(len(text.split()) >= _LEAST_BRIEFING for text in scene.asked_times)


# --- what is known -------------------------------------------------------------------------------


def _read_story(instructions: str, before: Sequence[Turn]) -> _Story:
    labelled: dict[str, str] = {}
    rest = []
    for line in instructions.splitlines():
        if match := _LABEL.match(line):
            labelled.setdefault(match["label"].lower().removesuffix("'s name"), match["value"])
        else:
            rest.append(line)
    said = tuple(turn.text for turn in before if turn.role == "user" and turn.text)
    facts = [*read_facts("\n".join(rest))]
    facts += [
        Fact(_sentence(sentence), _found_by(sentence))
        for label in _WHOLE_STORY
        for sentence in sentences(labelled.get(label, ""))
    ]
    facts += [
        Fact(f"The caller said: {sentence}", _found_by(sentence))
        for text in said
        for sentence in sentences(text)
        if content(sentence)
    ]
    facts += [
        Fact(_sentence(f"The {label} is {_spaced(value)}"), (label, *content(value)))
        for label, value in labelled.items()
        if label not in _WHOLE_STORY
    ]
    return _Story(labelled, tuple(facts), said, business(instructions))


def _found_by(sentence: str) -> tuple[str, ...]:
    """Return the words by which a sentence is found; one with figures tells a number."""
    return (*content(sentence), *(["number"] if figures(sentence) else []))


def _spaced(value: str) -> str:
    """Return a number digit by digit, and anything else as it is."""
    return " ".join(value) if re.fullmatch(r"\+?\d{3,}", value) else value


def _sentence(text: str) -> str:
    return text if text[-1:] in (".", "!", "?") else f"{text}."


def _briefing(request: MindRequest, story: _Story) -> str:
    """Return what the human hears first: who calls and why, in one or two sentences."""
    if line := quoted(request.instructions):
        return line
    name = _caller(story)
    who = f"I have {name} on the line" if name else "I have a caller on the line"
    return f"Hello, this is the assistant{_of(story)}. {who}. {_about(story)} {SHALL_I}"


def _about(story: _Story) -> str:
    told = next((story.labelled[key] for key in _WHOLE_STORY if key in story.labelled), "")
    if not told:
        own = [fact.answer for fact in story.facts if re.search(r"\bcaller\b", fact.answer, re.I)]
        told = own[0] if own else "They asked to speak to you."
    return _sentence(_shortened(told))


def _shortened(text: str) -> str:
    """Keep the whole sentences that a listener takes in at once."""
    kept = ""
    for sentence in sentences(text):
        if kept and len(kept) + len(sentence) > _LONGEST_BRIEFING:
            break
        kept = f"{kept} {sentence}".strip()
    return kept[: 2 * _LONGEST_BRIEFING]


def _caller(story: _Story) -> str:
    """Return the caller's name, as the briefing says it or as the caller did."""
    for label in ("caller", "name", "from"):
        if (told := story.labelled.get(label, "")) and not re.search(r"\d", told):
            return told.rstrip(".")
    names = (find_value("name", {"type": "string"}, text, asked=False) for text in story.said)
    return next((str(name) for name in names if name), "")


def _look_up(question: str, story: _Story) -> str:
    said = normalised(question)
    if _WHO.search(said):
        name = _caller(story)
        return f"The caller is {name}." if name else "They did not say their name."
    found = best_fact(question, story.facts, Weights([fact.about for fact in story.facts]))
    if found is not None and found.score >= ENOUGH:
        return found.answer
    return _about(story) if _WHAT_ABOUT.search(said) else ""


def _mailbox_message(story: _Story) -> str:
    name = _caller(story) or "A caller"
    return (
        f"Hello, this is the assistant{_of(story)}. {name} wanted to speak to you."
        f" {_about(story)} Thank you, goodbye."
    )


def _of(story: _Story) -> str:
    return f" of {story.whose_line}" if story.whose_line else ""
