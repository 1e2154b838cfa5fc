"""A dialogue manager without a language model: a rule-based receptionist. No I/O.

It answers from the agent's facts, fills in the agent's tools, transfers to a human, and otherwise
says that it did not understand. Its answer depends on the request only, so every answer can be
tested, and nothing is invented. The first rule that applies wins:

1. a tool that the response is forced to call
2. a sentence that the response's instructions tell it to say
3. tool outputs, read aloud
4. a greeting, if the caller has said nothing yet
5. the caller's answer to its own question (a missing parameter, the offer of a human)
6. a plain intent: a human, a call back, a message, a moment, goodbye, repetition ...
7. the tool, fact or transfer occasion that covers most of what the caller said
8. "I am sorry, I did not understand that."

`caller_during_ringing.py` answers a caller while a human is being rung. `consult.py` answers the
human in a consult.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from typing import Final

import msgspec

from hookflash_local.model.components import CallTool, DialogueRequest, Say, Turn
from hookflash_local.model.speech import call_requests, caller_during_ringing, consult, intents
from hookflash_local.model.speech.dialogue_state import DialogueState, read_dialogue_state
from hookflash_local.model.speech.intents import Intent
from hookflash_local.model.speech.knowledge import Fact, best_fact, business_name, read_facts
from hookflash_local.model.speech.person_request import without_any_human
from hookflash_local.model.speech.response_instructions import described_sentence, quoted_sentence
from hookflash_local.model.speech.spoken_output import spoken_output
from hookflash_local.model.speech.tool_forms import (
    Field,
    Form,
    choose_destination,
    fill,
    occasions,
    read_forms,
    split_call_tools,
    spoken,
    wanted,
)
from hookflash_local.model.speech.word_matching import ENOUGH, WANTED, TermWeights, normalised

Reply = call_requests.Reply

OFFER: Final = "Shall I connect you with a person?"
MOMENT: Final = "One moment please."
GOODBYE: Final = "Thank you for calling. Goodbye."
NOT_UNDERSTOOD: Final = "I am sorry, I did not understand that."
CONNECTING: Final = "I am connecting you"
RECORDING_STOPPED: Final = "Nothing of this call is recorded any more. What can I do for you?"
STAYING: Final = "All right, you stay with me. What can I do for you?"
_ANYTHING_ELSE = "Is there anything else I can do for you?"
_LEAST_WORDS_CUT = 6
_TRIES = 2
_DOES_NOT_KNOW = re.compile(
    r"\b(?:don't (?:know|have|remember)|do not (?:know|have)|no idea|forgot|lost)\b"
)
_COURTESIES = (Intent.YES, Intent.NO, Intent.THANKS, Intent.GREETING, Intent.WAIT, Intent.REPEAT)


_OFFERS: Final = (
    (Intent.MESSAGE, re.compile(r"\bmessage\b|\bvoicemail\b")),
    (Intent.CALLBACK, re.compile(r"\bcall(?:ed|s)? (?:you )?back\b|\bcallback\b")),
)
"""What the agent may have offered, and the words for it."""


class PendingQuestion(msgspec.Struct, frozen=True):
    """What the agent's last words ask the caller, or announce.

    `person`: whether they want a human. `connecting`: a transfer was announced. `callback`: the
    subject or the number of a call back. `offers`: what a "yes" may accept. `field`: the parameter
    of the tool `form` that was asked for.
    """

    person: bool = False
    connecting: bool = False
    callback: bool = False
    offers: tuple[Intent, ...] = ()
    form: Form | None = None
    field: Field | None = None


class Receptionist:
    """A `DialogueManager` with rules."""

    async def answer(self, request: DialogueRequest) -> AsyncIterator[Say | CallTool]:
        for each in reply(request):
            yield each


def reply(request: DialogueRequest) -> Reply:
    """Return what to say and do in answer to `request`, in order."""
    forms = read_forms(request.tools)
    builder = _ReplyBuilder(
        request, read_dialogue_state(request.conversation), forms, read_facts(request.instructions)
    )
    forced = next((form for form in forms if form.name == request.tool_choice), None)
    if forced is not None:
        return builder.call(forced)
    if request.added is not None and (
        line := quoted_sentence(request.added) or described_sentence(request.added)
    ):
        return [Say(line)]
    if consult.is_consult(forms):
        return consult.reply(request, forms)
    said = builder.read_tool_outputs()
    if builder.dialogue.latest:
        said += builder.answer()
    elif not said:
        said = builder.continue_talk()
    if request.tool_choice == "required" and not any(isinstance(each, CallTool) for each in said):
        return builder.call_most_fitting()
    return said


class _ReplyBuilder:
    """Builds the reply to one request from the dialogue state, the facts and the tools."""

    def __init__(
        self,
        request: DialogueRequest,
        dialogue: DialogueState,
        forms: Sequence[Form],
        facts: Sequence[Fact],
    ) -> None:
        self.request = request
        self.dialogue = dialogue
        self._facts = facts
        self._call_tools, self._forms = split_call_tools(forms)
        self._ringing: str | None = None
        if self._call_tools.transfer is not None:
            rung = caller_during_ringing.ringing_destination(
                request.conversation, self._call_tools.transfer.name
            )
            self._ringing = rung if rung is None else spoken(rung)
        known = [*(fact.about for fact in facts), *(form.about for form in forms)]
        self._weights = TermWeights(known)
        self._may_call = request.tool_choice != "none"

    # --- before the caller's words ------------------------------------------------------------

    def greet(self) -> Reply:
        """Return the greeting of a call."""
        name = business_name(self.request.instructions)
        hello = f"Hello, this is {name}." if name else "Hello."
        return [Say(f"{hello} How can I help you?")]

    def continue_talk(self) -> Reply:
        """Return what to say if the caller has not spoken since the last answer."""
        if self._ringing is not None:
            ringing = caller_during_ringing.say_ringing(self._ringing)
            asked_before = any(
                caller_during_ringing.ANYTHING_TO_KNOW in text for text in self.dialogue.times_said
            )
            return [
                caller_during_ringing.say_still_ringing(self._ringing, self.dialogue)
                if asked_before
                else ringing
            ]
        return self.greet() if not self.dialogue.said else [Say(self.dialogue.heard or MOMENT)]

    def read_tool_outputs(self) -> Reply:
        """Read tool outputs aloud; those of call tools only if the caller has said nothing new."""
        waiting = not self.dialogue.latest
        return [
            Say(self._spoken_tool_output(turn))
            for turn in self.dialogue.outputs
            if waiting or turn.name in [form.name for form in self._forms]
        ]

    def _spoken_tool_output(self, output: Turn) -> str:
        if self._call_tools.end is not None and output.name == self._call_tools.end.name:
            return GOODBYE
        own = {
            form.name: outcomes
            for form, outcomes in (
                (
                    self._call_tools.transfer,
                    (f"{CONNECTING} now. {MOMENT}", "could not connect you"),
                ),
                (self._call_tools.cancel, (STAYING, "could not stop that")),
                (self._call_tools.stop_recording, (RECORDING_STOPPED, "could not stop that")),
                (
                    self._call_tools.callback,
                    (f"That is arranged. {_ANYTHING_ELSE}", "could not arrange that"),
                ),
                (self._call_tools.voicemail, (MOMENT, "cannot take a message now")),
            )
            if form is not None
        }
        status = caller_during_ringing.output_status(output.text)
        if output.name not in own or status is None:
            return spoken_output(output.text)
        # The detail beside a status is for language models; the caller needs the outcome.
        if self._ringing is not None and status == caller_during_ringing.STATUS_RINGING:
            return caller_during_ringing.say_ringing(self._ringing).text
        if self._ringing is not None and status == caller_during_ringing.STATUS_UNDER_WAY:
            return caller_during_ringing.say_still_ringing(self._ringing, self.dialogue).text
        if status == "closed":
            return caller_during_ringing.say_closed(output.text)
        good, bad = own[output.name]
        if status in caller_during_ringing.FAILED_STATUSES:
            return f"I am sorry, I {bad}. What else can I do for you?"
        return quoted_sentence(caller_during_ringing.output_detail(output.text)) or good

    # --- the caller's words ---------------------------------------------------------------------

    def answer(self) -> Reply:
        """Answer the caller's latest utterance."""
        intent = intents.recognize_intent(self.dialogue.latest)
        if (
            intent in _COURTESIES
            and self._coverage(intents.without_courtesies(self.dialogue.latest)) >= ENOUGH
        ):
            # "Wait, stop. Are you open on Sunday?" is a question and not only a courtesy.
            intent = None
        rules = (
            self._asked_for_person,
            self._answer_to_question,
            self._answer_waiting_caller,
            self._fulfil,
            self._answer_by_content,
        )
        return next(filter(None, (rule(intent) for rule in rules)))

    def _asked_for_person(self, intent: Intent | None) -> Reply:
        """Transfer a caller who asks for a human, unless one is being rung already."""
        asks = intent is Intent.PERSON or self.dialogue.latest == "0"
        return self._transfer(self._latest_destination()) if asks and self._ringing is None else []

    def _answer_waiting_caller(self, intent: Intent | None) -> Reply:
        """Answer a caller for whom a human is being rung; empty if no human is rung."""
        if self._ringing is None:
            return []
        latest, dialogue = self.dialogue.latest, self.dialogue
        if (
            caller_during_ringing.CHANGED_MIND.search(normalised(latest))
            and self._call_tools.cancel
            and self._may_call
        ):
            return [self._call_tools.cancel.call({})]
        if intent is Intent.NO:
            return [Say(f"All right. I connect you as soon as {self._ringing} answers.")]
        if intent is Intent.PERSON and self._other_destination():
            return self._transfer(self._other_destination())
        if caller_during_ringing.only_waits(intent, latest) or latest == "0":
            return [caller_during_ringing.say_still_ringing(self._ringing, dialogue)]
        gives_information = dialogue.heard.endswith(
            caller_during_ringing.ANYTHING_TO_KNOW
        ) or not caller_during_ringing.is_question(latest)
        if intent is None and gives_information and self._coverage(latest) < ENOUGH:
            return [caller_during_ringing.say_noted(self._ringing)]
        return []

    def _other_destination(self) -> str:
        """Return the destination in the caller's latest words, unless it is being rung already."""
        if self._call_tools.transfer is None:
            return ""
        key, score = choose_destination(
            self.dialogue.latest, self._call_tools.transfer, self._weights
        )
        return key if score >= WANTED and spoken(key) != self._ringing else ""

    def _pending_question(self) -> PendingQuestion:
        """Return what the agent's last words ask."""
        heard = self.dialogue.heard
        form, field = self._asked_field()
        return PendingQuestion(
            person=heard.endswith(OFFER),
            connecting=heard.startswith(CONNECTING),
            callback=call_requests.asks_about_callback(heard),
            offers=tuple(each for each, words in _OFFERS if words.search(normalised(heard))),
            form=form,
            field=field,
        )

    def _answer_to_question(self, intent: Intent | None) -> Reply:
        """Continue with the caller's answer to the pending question; empty if it is none."""
        pending, latest = self._pending_question(), self.dialogue.latest
        callback = self._call_tools.callback
        if pending.person and (intent is Intent.YES or intents.says_yes(latest)):
            return self._transfer(self._latest_destination())
        if pending.person and intent is Intent.NO:
            return [Say("All right. How else can I help you?")]
        if pending.connecting and intent in (Intent.NO, Intent.WAIT):
            return [Say(STAYING)]
        if pending.callback and callback is not None and self._may_call:
            return call_requests.callback(callback, self.dialogue)
        if intent is Intent.YES and len(pending.offers) > 1:
            return [Say("A message, or a call back?")]
        if intent is Intent.YES and pending.offers and (arranged := self._fulfil(*pending.offers)):
            return arranged
        if pending.form is None or pending.field is None:
            return []
        return self._answer_to_field(pending.form, pending.field, intent)

    def _answer_to_field(self, form: Form, field: Field, intent: Intent | None) -> Reply:
        """Use the answer to a question for a parameter, or ask again."""
        latest = self.dialogue.latest
        if field.name in fill(form, self.dialogue.said, asked_for=field.name).arguments:
            return self._use(form, field.name)
        if intent is Intent.NO:
            return [Say(call_requests.LEFT)]
        if _DOES_NOT_KNOW.search(normalised(latest)):
            return self._with_offer("I am sorry, I need that to help you.")
        if intent is not None or self._coverage(latest) >= ENOUGH:
            return []
        if self.dialogue.times_said.get(self.dialogue.heard, 0) >= _TRIES:
            return self._not_understood()
        return [Say(field.question)]

    def _asked_field(self) -> tuple[Form | None, Field | None]:
        """Return the form and field that the agent asked for last.

        The caller may have interrupted the question.
        """
        heard = normalised(self.dialogue.heard)
        before = " ".join(self.dialogue.said[:-1])
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

    def _fulfil(self, intent: Intent | None) -> Reply:
        match intent:
            case Intent.CALLBACK if self._call_tools.callback is not None and self._may_call:
                return call_requests.callback(self._call_tools.callback, self.dialogue)
            case Intent.STOP_RECORDING if (
                self._call_tools.stop_recording is not None and self._may_call
            ):
                return [self._call_tools.stop_recording.call({})]
            case Intent.MESSAGE if self._call_tools.voicemail is not None and self._may_call:
                return call_requests.message(self._call_tools.voicemail, self.dialogue)
            case Intent.CALLBACK | Intent.MESSAGE if self._coverage(self.dialogue.latest) < ENOUGH:
                what = "arrange a call back" if intent is Intent.CALLBACK else "take a message"
                return self._with_offer(f"I am sorry, I cannot {what}.")
            case Intent.IDENTITY:
                return self._with_offer("I am an automated receptionist, not a person.")
            case Intent.REPEAT:
                heard = self.dialogue.heard
                return [Say(f"Of course. {heard}" if heard else "How can I help you?")]
            case Intent.WAIT:
                return [Say("Of course, take your time. I am listening.")]
            case Intent.GOODBYE:
                return self._goodbye()
            case Intent.NO if "anything else" in self.dialogue.heard:
                return self._goodbye()
            case Intent.NO:
                return [Say("All right. What can I do for you instead?")]
            case Intent.YES:
                return [Say("All right. How can I help you?")]
            case Intent.THANKS:
                return [Say(f"You are welcome. {_ANYTHING_ELSE}")]
            case Intent.GREETING:
                return [Say("Hello. How can I help you?")]
        return []

    def _goodbye(self) -> Reply:
        said: Reply = [Say(GOODBYE)]
        if self._call_tools.end is not None and self._may_call:
            reason = {"reason": "The caller said goodbye."}
            fields = self._call_tools.end.fields
            arguments = {each.name: reason[each.name] for each in fields if each.name in reason}
            said.append(self._call_tools.end.call(arguments))
        return said

    def _answer_by_content(self, intent: Intent | None) -> Reply:
        """Use the fact, tool or transfer occasion that covers most of what was said."""
        latest = intents.without_courtesies(self.dialogue.latest)
        fact = best_fact(latest, self._facts, self._weights)
        known = fact.score if fact is not None else 0.0
        scored = [(wanted(latest, form, self._weights), form) for form in self._forms]
        use, form = max(scored, key=lambda each: each[0], default=(0.0, None))
        occasion, destination = 0.0, ""
        if self._call_tools.transfer is not None and self._may_call:
            destination, occasion = self._occasion(latest)
        if form is not None and self._may_call and use >= max(WANTED, known, occasion):
            return self._use(form)
        if occasion >= WANTED and occasion > known:
            return self._transfer(destination)
        if fact is not None and known >= ENOUGH:
            return [Say(fact.answer)]
        return self._not_understood()

    def _coverage(self, said: str) -> float:
        """Return how well the best fact or tool covers what was `said`, from 0 to 1."""
        fact = best_fact(said, self._facts, self._weights)
        scores = [wanted(said, form, self._weights) for form in self._forms]
        return max([fact.score if fact is not None else 0.0, *scores])

    def _not_understood(self) -> Reply:
        return self._with_offer(NOT_UNDERSTOOD)

    def _with_offer(self, text: str) -> Reply:
        if self._ringing is not None:
            return [Say(f"{text} I am still ringing {self._ringing}, who may know.")]
        can = self._call_tools.transfer is not None and self._may_call
        return [Say(f"{text} {OFFER}" if can else f"{text} Could you say it in other words?")]

    # --- tools ----------------------------------------------------------------------------------

    def _use(self, form: Form, asked_for: str | None = None) -> Reply:
        """Call a tool, or ask for its first missing value."""
        filled = fill(form, self.dialogue.said, asked_for=asked_for)
        if filled.missing is not None:
            return [Say(filled.missing.question)]
        return [Say(MOMENT), form.call(filled.arguments)]

    def call(self, form: Form) -> Reply:
        """Call a tool that the response is forced to call, with the values found so far."""
        if form == self._call_tools.transfer:
            destination = self._latest_destination()
            return [form.call(call_requests.transfer_arguments(form, destination, self.dialogue))]
        return [form.call(fill(form, self.dialogue.said).arguments)]

    def call_most_fitting(self) -> Reply:
        """Call the tool with the highest score, else the transfer."""
        latest = " ".join(self.dialogue.said[-1:])
        scored = [(wanted(latest, form, self._weights), form) for form in self._forms]
        use, form = max(scored, key=lambda each: each[0], default=(0.0, None))
        chosen = (
            form
            if use >= WANTED or self._call_tools.transfer is None
            else self._call_tools.transfer
        )
        chosen = chosen or self._call_tools.end
        return self.call(chosen) if chosen is not None else self._not_understood()

    # --- humans ---------------------------------------------------------------------------------

    def _occasion(self, said: str) -> tuple[str, float]:
        """Return the destination whose occasion fits `said` best, and its score."""
        form = self._call_tools.transfer
        if form is None or not any(occasions(form).values()):
            return "", 0.0
        return choose_destination(said, form, self._weights)

    def _latest_destination(self) -> str:
        """Choose a destination by the latest words; if none fits, by everything said.

        Words that ask for any human decide last: they name the destination for everything else.
        """
        if self._call_tools.transfer is None:
            return ""
        latest, everything = self.dialogue.latest, " ".join(self.dialogue.said)
        for said in (without_any_human(latest), without_any_human(everything), latest, everything):
            key, score = choose_destination(said, self._call_tools.transfer, self._weights)
            if score > 0:
                return key
        return next(iter(occasions(self._call_tools.transfer)), "")

    def _transfer(self, destination: str) -> Reply:
        if self._call_tools.transfer is None or not self._may_call:
            return [Say("I am sorry, I cannot bring a person to this call. Can I help you myself?")]
        arguments = call_requests.transfer_arguments(
            self._call_tools.transfer, destination, self.dialogue
        )
        return [
            Say(f"{CONNECTING} with {spoken(destination)} now. {MOMENT}"),
            self._call_tools.transfer.call(arguments),
        ]
