"""The mind without a language model: an honest receptionist. No I/O.

It answers from the agent's facts, fills in the agent's tools, brings in a human, and otherwise
says that it did not understand. It is a function of the request alone, so every answer can be
tested and none is invented. What comes first wins:

1. a tool that the response is forced to call
2. a sentence that the response's instructions tell it to say
3. tools' answers, read aloud
4. a greeting, when the caller has said nothing yet
5. the answer to a question of its own (a tool's missing field, the offer of a human)
6. a plain wish: a human, a call back, a message, a moment, goodbye, to hear it again, ...
7. the tool, the fact or the occasion for a human that covers most of what the caller said
8. "I am sorry, I did not understand that."

While a human is being rung it keeps the caller company (`company.py`); where the other side is
that human, it tells what the call is about (`consult.py`).
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from typing import Final

from hookflash_local.model.parts import CallTool, MindRequest, Say, Turn
from hookflash_local.model.speech import company, consult, errands, wishes
from hookflash_local.model.speech.directions import described, quoted
from hookflash_local.model.speech.facts import ENOUGH, Fact, best_fact, business, read_facts
from hookflash_local.model.speech.reading import aloud
from hookflash_local.model.speech.scene import Scene, read_scene
from hookflash_local.model.speech.tool_forms import (
    Field,
    Form,
    choose_destination,
    fill,
    occasions,
    of_the_line,
    read_forms,
    spoken,
    wanted,
)
from hookflash_local.model.speech.wishes import Wish
from hookflash_local.model.speech.words import Weights, normalised

Reply = errands.Reply

OFFER: Final = "Shall I connect you with a person?"
MOMENT: Final = "One moment please."
GOODBYE: Final = "Thank you for calling. Goodbye."
NOT_UNDERSTOOD: Final = "I am sorry, I did not understand that."
CONNECTING: Final = "I am connecting you"
UNRECORDED: Final = "Nothing of this call is recorded any more. What can I do for you?"
STAYING: Final = "All right, you stay with me. What can I do for you?"
_ANYTHING_ELSE = "Is there anything else I can do for you?"
_WANTED_TOOL = 0.5
_WANTED_OCCASION = 0.5
_LEAST_WORDS_CUT = 6
_TRIES = 2
_DOES_NOT_KNOW = re.compile(
    r"\b(?:don't (?:know|have|remember)|do not (?:know|have)|no idea|forgot|lost)\b"
)
_MANNERS = (Wish.YES, Wish.NO, Wish.THANKS, Wish.GREETING, Wish.WAIT, Wish.REPEAT)


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
    if consult.offered(forms):
        return consult.reply(request, forms)
    said = desk.tell_outputs()
    if desk.scene.latest:
        said += desk.answer()
    elif not said:
        said = desk.go_on()
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
        self._line, self._forms = of_the_line(forms)
        self._rung: str | None = None
        if self._line.transfer is not None:
            rung = company.being_rung(request.conversation, self._line.transfer.name)
            self._rung = rung if rung is None else spoken(rung)
        known = [*(fact.about for fact in facts), *(form.about for form in forms)]
        self._weights = Weights(known)
        self._may_call = request.tool_choice != "none"

    # --- before the caller's words ------------------------------------------------------------

    def greet(self) -> Reply:
        """The first words of a call on which the caller waits."""
        name = business(self.request.instructions)
        hello = f"Hello, this is {name}." if name else "Hello."
        return [Say(f"{hello} How can I help you?")]

    def go_on(self) -> Reply:
        """Say something to a caller who has not spoken since the last answer."""
        if self._rung is not None:
            ringing = company.ringing_now(self._rung)
            told = any(company.ANYTHING_TO_KNOW in text for text in self.scene.asked_times)
            return [company.still_ringing(self._rung, self.scene) if told else ringing]
        return self.greet() if not self.scene.said else [Say(self.scene.heard or MOMENT)]

    def tell_outputs(self) -> Reply:
        """Read tools' answers aloud; the outcome of a transfer only while the caller waits."""
        waiting = not self.scene.latest
        return [
            Say(self._told(turn))
            for turn in self.scene.outputs
            if waiting or turn.name in [form.name for form in self._forms]
        ]

    def _told(self, output: Turn) -> str:
        if self._line.end is not None and output.name == self._line.end.name:
            return GOODBYE
        own = {
            form.name: outcomes
            for form, outcomes in (
                (self._line.transfer, (f"{CONNECTING} now. {MOMENT}", "could not connect you")),
                (self._line.cancel, (STAYING, "could not stop that")),
                (self._line.unrecord, (UNRECORDED, "could not stop that")),
                (
                    self._line.callback,
                    (f"That is arranged. {_ANYTHING_ELSE}", "could not arrange that"),
                ),
                (self._line.voicemail, (MOMENT, "cannot take a message now")),
            )
            if form is not None
        }
        status = company.told_status(output.text)
        if output.name not in own or status is None:
            return aloud(output.text)
        # The detail beside a status is for language models; the caller needs the outcome.
        if self._rung is not None and status == company.RINGING:
            return company.ringing_now(self._rung).text
        if self._rung is not None and status == company.UNDER_WAY:
            return company.still_ringing(self._rung, self.scene).text
        if status == "closed":
            return company.closed(output.text)
        good, bad = own[output.name]
        if status in company.FAILED:
            return f"I am sorry, I {bad}. What else can I do for you?"
        return quoted(company.told_detail(output.text)) or good

    # --- the caller's words ---------------------------------------------------------------------

    def answer(self) -> Reply:
        """Answer the caller's latest utterance."""
        meant = wishes.wish(self.scene.latest)
        if meant in _MANNERS and self._covered(wishes.without_manners(self.scene.latest)) >= ENOUGH:
            # "Wait, stop. Are you open on Sunday?" asks more than it begs.
            meant = None
        if self._rung is None and (meant is Wish.PERSON or self.scene.latest == "0"):
            return self._bring_human(self._latest_destination())
        return (
            self._answer_own_question(meant)
            or self._keep_company(meant)
            or self._grant(meant)
            or self._look_up()
        )

    def _keep_company(self, meant: Wish | None) -> Reply:
        """Answer a caller for whom a human is being rung; nothing if no human is."""
        if self._rung is None:
            return []
        latest, scene = self.scene.latest, self.scene
        if company.CHANGED_MIND.search(normalised(latest)) and self._line.cancel and self._may_call:
            return [self._line.cancel.call({})]
        if meant is Wish.NO:
            return [Say(f"All right. I connect you as soon as {self._rung} answers.")]
        if meant is Wish.PERSON and self._other_destination():
            return self._bring_human(self._other_destination())
        if company.waits(meant, latest) or latest == "0":
            return [company.still_ringing(self._rung, scene)]
        told = scene.heard.endswith(company.ANYTHING_TO_KNOW) or not company.is_question(latest)
        if meant is None and told and self._covered(latest) < ENOUGH:
            return [company.noted(self._rung)]
        return []

    def _other_destination(self) -> str:
        """Return the destination that the latest words name, if it is not being rung."""
        if self._line.transfer is None:
            return ""
        key, score = choose_destination(self.scene.latest, self._line.transfer, self._weights)
        return key if score >= _WANTED_OCCASION and spoken(key) != self._rung else ""

    def _answer_own_question(self, meant: Wish | None) -> Reply:
        latest, heard = self.scene.latest, self.scene.heard
        if heard.endswith(OFFER):
            if meant is Wish.YES or wishes.says_yes(latest):
                return self._bring_human(self._latest_destination())
            if meant is Wish.NO:
                return [Say("All right. How else can I help you?")]
        if heard.startswith(CONNECTING) and meant in (Wish.NO, Wish.WAIT):
            return [Say(STAYING)]
        if (
            self._line.callback is not None
            and self._may_call
            and errands.asks_about_callback(heard)
        ):
            return errands.callback(self._line.callback, self.scene)
        if meant is Wish.YES and (arranged := self._offered(heard)):
            return arranged
        form, field = self._asked_field()
        if form is None or field is None:
            return []
        filled = fill(form, self.scene.said, asked_for=field.name)
        if field.name in filled.arguments:
            return self._use(form, field.name)
        if meant is Wish.NO:
            return [Say(errands.LEFT)]
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

    def _offered(self, heard: str) -> Reply:
        """Return what a yes to the agent's last words means: a message, a call back, or nothing."""
        about = (Wish.MESSAGE, Wish.CALLBACK)
        names = (r"\bmessage\b|\bvoicemail\b", r"\bcall(?:ed|s)? (?:you )?back\b|\bcallback\b")
        found = [w for w, n in zip(about, names, strict=True) if re.search(n, normalised(heard))]
        if len(found) == 2:
            return [Say("A message, or a call back?")]
        return self._grant(found[0]) if found else []

    def _grant(self, meant: Wish | None) -> Reply:
        match meant:
            case Wish.CALLBACK if self._line.callback is not None and self._may_call:
                return errands.callback(self._line.callback, self.scene)
            case Wish.UNRECORDED if self._line.unrecord is not None and self._may_call:
                return [self._line.unrecord.call({})]
            case Wish.MESSAGE if self._line.voicemail is not None and self._may_call:
                return errands.message(self._line.voicemail, self.scene)
            case Wish.CALLBACK | Wish.MESSAGE if self._covered(self.scene.latest) < ENOUGH:
                what = "arrange a call back" if meant is Wish.CALLBACK else "take a message"
                return self._offering(f"I am sorry, I cannot {what}.")
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
        if self._line.end is not None and self._may_call:
            reason = {"reason": "The caller said goodbye."}
            named = {f.name: reason[f.name] for f in self._line.end.fields if f.name in reason}
            said.append(self._line.end.call(named))
        return said

    def _look_up(self) -> Reply:
        """Facts, tools and occasions compete for what was said; the one that covers most wins."""
        latest = wishes.without_manners(self.scene.latest)
        fact = best_fact(latest, self._facts, self._weights)
        known = fact.score if fact is not None else 0.0
        scored = [(wanted(latest, form, self._weights), form) for form in self._forms]
        use, form = max(scored, key=lambda each: each[0], default=(0.0, None))
        occasion, destination = 0.0, ""
        if self._line.transfer is not None and self._may_call:
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
        if self._rung is not None:
            return [Say(f"{text} I am still ringing {self._rung}, who may know.")]
        can = self._line.transfer is not None and self._may_call
        return [Say(f"{text} {OFFER}" if can else f"{text} Could you say it in other words?")]

    # --- tools ----------------------------------------------------------------------------------

    def _use(self, form: Form, asked_for: str | None = None) -> Reply:
        """Call a tool, or ask for what it still needs."""
        filled = fill(form, self.scene.said, asked_for=asked_for)
        if filled.missing is not None:
            return [Say(filled.missing.question)]
        return [Say(MOMENT), form.call(filled.arguments)]

    def call(self, form: Form) -> Reply:
        """Call a tool because the response is forced to, with whatever the caller has said."""
        if form == self._line.transfer:
            destination = self._latest_destination()
            return [form.call(errands.transfer_arguments(form, destination, self.scene))]
        return [form.call(fill(form, self.scene.said).arguments)]

    def call_most_fitting(self) -> Reply:
        """Call some tool: the most wanted, else the one that brings a human."""
        latest = " ".join(self.scene.said[-1:])
        scored = [(wanted(latest, form, self._weights), form) for form in self._forms]
        use, form = max(scored, key=lambda each: each[0], default=(0.0, None))
        chosen = form if use >= _WANTED_TOOL or self._line.transfer is None else self._line.transfer
        chosen = chosen or self._line.end
        return self.call(chosen) if chosen is not None else self._not_understood()

    # --- humans ---------------------------------------------------------------------------------

    def _occasion(self, said: str) -> tuple[str, float]:
        """Return the destination whose occasion `said` is, and how clearly."""
        form = self._line.transfer
        if form is None or not any(occasions(form).values()):
            return "", 0.0
        return choose_destination(said, form, self._weights)

    def _latest_destination(self) -> str:
        """Choose by the latest words; where they fit none, by all that was said before."""
        if self._line.transfer is None:
            return ""
        for said in (self.scene.latest, " ".join(self.scene.said)):
            key, score = choose_destination(said, self._line.transfer, self._weights)
            if score > 0:
                return key
        return next(iter(occasions(self._line.transfer)), "")

    def _bring_human(self, destination: str) -> Reply:
        if self._line.transfer is None or not self._may_call:
            return [Say("I am sorry, I cannot bring a person to this call. Can I help you myself?")]
        arguments = errands.transfer_arguments(self._line.transfer, destination, self.scene)
        return [
            Say(f"{CONNECTING} with {spoken(destination)} now. {MOMENT}"),
            self._line.transfer.call(arguments),
        ]
