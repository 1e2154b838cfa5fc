"""The mind without a language model: an honest receptionist. No I/O.

It answers from the agent's facts, fills in the agent's tools, brings in a human, and otherwise
says that it did not understand. It is a function of the request alone, so every answer can be
tested and none is invented. What comes first wins:

1. a tool that the response is forced to call
2. a sentence that the response's instructions tell it to say
3. tools' answers, read aloud
4. a greeting, when the caller has said nothing yet
5. the answer to a question of its own (a tool's missing field, the offer of a human)
6. a plain wish: a human, a moment, goodbye, to hear it again, ...
7. the tool, the fact or the occasion for a human that covers most of what the caller said
8. "I am sorry, I did not understand that."
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

import msgspec

from hookflash.standins.model.parts import CallTool, MindRequest, Say, Turn
from hookflash.standins.model.speech import wishes
from hookflash.standins.model.speech.directions import described, quoted
from hookflash.standins.model.speech.facts import ENOUGH, Fact, best_fact, business, read_facts
from hookflash.standins.model.speech.reading import aloud
from hookflash.standins.model.speech.scene import Scene, read_scene
from hookflash.standins.model.speech.tool_forms import (
    END_CALL,
    Field,
    Form,
    choose_destination,
    fill,
    occasions,
    read_forms,
    wanted,
)
from hookflash.standins.model.speech.wishes import Wish
from hookflash.standins.model.speech.words import Weights, normalised

Reply = list[Say | CallTool]

OFFER: Final = "Shall I connect you with a person?"
MOMENT: Final = "One moment please."
GOODBYE: Final = "Thank you for calling. Goodbye."
NOT_UNDERSTOOD: Final = "I am sorry, I did not understand that."
CONNECTING: Final = "I am connecting you"
_ANYTHING_ELSE = "Is there anything else I can do for you?"
_WANTED_TOOL = 0.5
_WANTED_OCCASION = 0.5
_LEAST_WORDS_CUT = 6
_SUMMARY_LENGTH = 300
_TRIES = 2
_DOES_NOT_KNOW = re.compile(
    r"\b(?:don't (?:know|have|remember)|do not (?:know|have)|no idea|forgot|lost)\b"
)
_MANNERS = (Wish.YES, Wish.NO, Wish.THANKS, Wish.GREETING, Wish.WAIT, Wish.REPEAT)
_MANNERLY = frozenset(
    "wait stop hold hang second moment minute sec filled nope yep repeat slowly slower right wrong"
    " correct exactly fine great listen pardon".split()
)
_SAYS_NOTHING = (Wish.YES, Wish.THANKS, Wish.GREETING, Wish.WAIT, Wish.REPEAT)


class Receptionist:
    """A `Mind` that thinks in rules."""

    async def answer(self, request: MindRequest) -> AsyncIterator[Say | CallTool]:
        for each in reply(request):
            yield each


def reply(request: MindRequest) -> Reply:
    """Return all that is said and done in answer to `request`, in order."""
    forms = read_forms(request.tools)
    desk = _Desk(request, read_scene(request.conversation), forms, read_facts(request.instructions))
    forced = next((form for form in forms if form.name == request.tool_choice), None)
    if forced is not None:
        return desk.call(forced)
    if request.added is not None and (line := quoted(request.added) or described(request.added)):
        return [Say(line)]
    said = desk.tell_outputs()
    if desk.scene.latest:
        said += desk.answer()
    elif not said:
        said = desk.greet() if not desk.scene.said else [Say(desk.scene.heard or MOMENT)]
    if request.tool_choice == "required" and not any(isinstance(each, CallTool) for each in said):
        return desk.call_most_fitting()
    return said


class _Desk:
    """One request on the receptionist's desk, with all that is known about it."""

    def __init__(
        self, request: MindRequest, scene: Scene, forms: Sequence[Form], facts: Sequence[Fact]
    ) -> None:
        self.request = request
        self.scene = scene
        self._facts = facts
        self._transfer = next((form for form in forms if form.transfers), None)
        self._end = next((form for form in forms if form.name == END_CALL), None)
        self._forms = [form for form in forms if form not in (self._transfer, self._end)]
        known = [*(fact.about for fact in facts), *(form.about for form in forms)]
        self._weights = Weights(known)
        self._may_call = request.tool_choice != "none"

    # --- before the caller's words ------------------------------------------------------------

    def greet(self) -> Reply:
        """The first words of a call on which the caller waits."""
        name = business(self.request.instructions)
        hello = f"Hello, this is {name}." if name else "Hello."
        return [Say(f"{hello} How can I help you?")]

    def tell_outputs(self) -> Reply:
        """Read tools' answers aloud; the outcome of a transfer only while the caller waits."""
        waiting = not self.scene.latest
        return [
            Say(self._told(turn))
            for turn in self.scene.outputs
            if waiting or turn.name in [form.name for form in self._forms]
        ]

    def _told(self, output: Turn) -> str:
        if self._end is not None and output.name == self._end.name:
            return GOODBYE
        if self._transfer is None or output.name != self._transfer.name:
            return aloud(output.text)
        try:
            told = msgspec.json.decode(output.text)
        except msgspec.DecodeError:
            return aloud(output.text)
        status = told.get("status") if isinstance(told, dict) else None
        if status is None:
            return aloud(output.text)
        # The detail beside a status is for language models; the caller needs the outcome.
        if status in ("refused", "failed", "error"):
            return "I am sorry, I could not connect you. What else can I do for you?"
        return f"{CONNECTING} now. {MOMENT}"

    # --- the caller's words ---------------------------------------------------------------------

    def answer(self) -> Reply:
        """Answer the caller's latest utterance."""
        meant = wishes.wish(self.scene.latest)
        if meant in _MANNERS and self._covered(_without_manners(self.scene.latest)) >= ENOUGH:
            # "Wait, stop. Are you open on Sunday?" asks more than it begs.
            meant = None
        if meant is Wish.PERSON or self.scene.latest == "0":
            return self._bring_human(self._latest_destination())
        return self._answer_own_question(meant) or self._grant(meant) or self._look_up()

    def _answer_own_question(self, meant: Wish | None) -> Reply:
        latest, heard = self.scene.latest, self.scene.heard
        if heard.endswith(OFFER):
            if meant is Wish.YES or wishes.says_yes(latest):
                return self._bring_human(self._latest_destination())
            if meant is Wish.NO:
                return [Say("All right. How else can I help you?")]
        if heard.startswith(CONNECTING) and meant in (Wish.NO, Wish.WAIT):
            return [Say("All right, you stay with me. What can I do for you?")]
        form, field = self._asked_field()
        if form is None or field is None:
            return []
        filled = fill(form, self.scene.said, asked_for=field.name)
        if field.name in filled.arguments:
            return self._use(form, field.name)
        if meant is Wish.NO:
            return [Say("All right, let us leave that. How else can I help you?")]
        if _DOES_NOT_KNOW.search(normalised(latest)):
            return self._offering("I am sorry, I need that to help you.")
        if meant is not None or self._covered(latest) >= ENOUGH:
            return []
        if self.scene.asked_times.get(heard, 0) >= _TRIES:
            return self._not_understood()
        return [Say(field.question)]

    def _asked_field(self) -> tuple[Form | None, Field | None]:
        """Return what the agent asked for last; the question may have been cut by the caller."""
        heard = normalised(self.scene.heard)
        before = " ".join(self.scene.said[:-1])
        candidates = [
            (heard.endswith(question), wanted(before, form, self._weights), form, field)
            for form in self._forms
            for field in form.fields
            if (question := normalised(field.question))
            and (
                heard.endswith(question)
                or (len(heard.split()) >= _LEAST_WORDS_CUT and question.startswith(heard))
            )
        ]
        if not candidates:
            return None, None
        _, _, form, field = max(candidates, key=lambda each: each[:2])
        return form, field

    def _grant(self, meant: Wish | None) -> Reply:
        match meant:
            case Wish.IDENTITY:
                return self._offering("I am an automated receptionist, not a person.")
            case Wish.REPEAT:
                heard = self.scene.heard
                return [Say(f"Of course. {heard}" if heard else "How can I help you?")]
            case Wish.WAIT:
                return [Say("Of course, take your time. I am listening.")]
            case Wish.GOODBYE:
                return self._goodbye()
            case Wish.NO if "anything else" in self.scene.heard:
                return self._goodbye()
            case Wish.NO:
                return [Say("All right. What can I do for you instead?")]
            case Wish.YES:
                return [Say("All right. How can I help you?")]
            case Wish.THANKS:
                return [Say(f"You are welcome. {_ANYTHING_ELSE}")]
            case Wish.GREETING:
                return [Say("Hello. How can I help you?")]
        return []

    def _goodbye(self) -> Reply:
        said: Reply = [Say(GOODBYE)]
        if self._end is not None and self._may_call:
            reason = {"reason": "The caller said goodbye."}
            named = {f.name: reason[f.name] for f in self._end.fields if f.name in reason}
            said.append(_tool_call(self._end, named))
        return said

    def _look_up(self) -> Reply:
        """Facts, tools and occasions compete for what was said; the one that covers most wins."""
        latest = _without_manners(self.scene.latest)
        fact = best_fact(latest, self._facts, self._weights)
        known = fact.score if fact is not None else 0.0
        scored = [(wanted(latest, form, self._weights), form) for form in self._forms]
        use, form = max(scored, key=lambda each: each[0], default=(0.0, None))
        occasion, destination = 0.0, ""
        if self._transfer is not None and self._may_call:
            destination, occasion = self._occasion(latest)
        if form is not None and self._may_call and use >= max(_WANTED_TOOL, known, occasion):
            return self._use(form)
        if occasion >= _WANTED_OCCASION and occasion > known:
            return self._bring_human(destination)
        if fact is not None and known >= ENOUGH:
            return [Say(fact.answer)]
        return self._not_understood()

    def _covered(self, said: str) -> float:
        """Return how well the best fact or tool covers what was `said`."""
        fact = best_fact(said, self._facts, self._weights)
        scores = [wanted(said, form, self._weights) for form in self._forms]
        return max([fact.score if fact is not None else 0.0, *scores])

    def _not_understood(self) -> Reply:
        return self._offering(NOT_UNDERSTOOD)

    def _offering(self, text: str) -> Reply:
        can = self._transfer is not None and self._may_call
        return [Say(f"{text} {OFFER}" if can else f"{text} Could you say it in other words?")]

    # --- tools ----------------------------------------------------------------------------------

    def _use(self, form: Form, asked_for: str | None = None) -> Reply:
        """Call a tool, or ask for what it still needs."""
        filled = fill(form, self.scene.said, asked_for=asked_for)
        if filled.missing is not None:
            return [Say(filled.missing.question)]
        return [Say(MOMENT), _tool_call(form, filled.arguments)]

    def call(self, form: Form) -> Reply:
        """Call a tool because the response is forced to, with whatever the caller has said."""
        if form == self._transfer:
            return [_tool_call(form, self._transfer_arguments(form, self._latest_destination()))]
        return [_tool_call(form, fill(form, self.scene.said).arguments)]

    def call_most_fitting(self) -> Reply:
        """Call some tool: the most wanted, else the one that brings a human."""
        latest = " ".join(self.scene.said[-1:])
        scored = [(wanted(latest, form, self._weights), form) for form in self._forms]
        use, form = max(scored, key=lambda each: each[0], default=(0.0, None))
        chosen = form if use >= _WANTED_TOOL or self._transfer is None else self._transfer
        chosen = chosen or self._end
        return self.call(chosen) if chosen is not None else self._not_understood()

    # --- humans ---------------------------------------------------------------------------------

    def _occasion(self, said: str) -> tuple[str, float]:
        """Return the destination whose occasion `said` is, and how clearly."""
        form = self._transfer
        if form is None or not any(occasions(form).values()):
            return "", 0.0
        return choose_destination(said, form, self._weights)

    def _latest_destination(self) -> str:
        """Choose by the latest words; where they fit none, by all that was said before."""
        if self._transfer is None:
            return ""
        for said in (self.scene.latest, " ".join(self.scene.said)):
            key, score = choose_destination(said, self._transfer, self._weights)
            if score > 0:
                return key
        return next(iter(occasions(self._transfer)), "")

    def _bring_human(self, destination: str) -> Reply:
        if self._transfer is None or not self._may_call:
            return [Say("I am sorry, I cannot bring a person to this call. Can I help you myself?")]
        with_whom = destination.replace("_", " ").replace("-", " ") or "a person"
        arguments = self._transfer_arguments(self._transfer, destination)
        return [
            Say(f"{CONNECTING} with {with_whom} now. {MOMENT}"),
            _tool_call(self._transfer, arguments),
        ]

    def _transfer_arguments(self, form: Form, destination: str) -> dict[str, Any]:
        own = {"reason": self._reason(), "summary": self._summary()}
        arguments: dict[str, Any] = {}
        for field in form.fields:
            if destination in field.schema.get("enum", ()):
                arguments[field.name] = destination
            elif field.name in own:
                arguments[field.name] = own[field.name]
            else:
                arguments |= fill(Form(form.name, "", (field,)), self.scene.said).arguments
        return arguments

    def _reason(self) -> str:
        """The caller's own words: the last that say more than yes."""
        for text in reversed(self.scene.said):
            if text != "0" and wishes.wish(text) in (None, Wish.PERSON):
                return text
        return "The caller asked for a person."

    def _summary(self) -> str:
        """What the caller said, in the caller's words, the latest first to be kept."""
        kept: list[str] = []
        for text in reversed(self.scene.said):
            if text == "0" or wishes.wish(text) in _SAYS_NOTHING:
                continue
            if sum(map(len, kept)) + len(text) > _SUMMARY_LENGTH and kept:
                break
            kept.insert(0, f'"{text[:_SUMMARY_LENGTH]}"')
        return (
            f"The caller said: {' '.join(kept)}" if kept else "The caller only asked for a person."
        )


def _without_manners(said: str) -> str:
    """Return the words of `said` that ask for something, as long as there are any."""
    return " ".join(word for word in normalised(said).split() if word not in _MANNERLY)


def _tool_call(form: Form, arguments: dict[str, Any]) -> CallTool:
    return CallTool(form.name, msgspec.json.encode(arguments).decode())
