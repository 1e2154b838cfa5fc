"""Collect digits for a tool: ask the caller, count the keys, and end in time.

While the digits are secret, the caller's sound goes to no model and no recording
(`DigitCollection.private`). The model may speak meanwhile. It learns only what the tool returns.

Functions of (conversation, event, step).
"""

from __future__ import annotations

from hookflash.core import events as e
from hookflash.core import prompts
from hookflash.core import signals as s
from hookflash.core.commands import CommitCallerAudio, GiveDigits
from hookflash.core.conversation import interruptions, speaking, turns
from hookflash.core.conversation.conversation import Conversation
from hookflash.core.conversation.requests import Kind, Request
from hookflash.core.conversation.states import CollectionState


def digits_wanted(talk: Conversation, event: e.DigitsWanted, step: s.Step) -> None:
    """A tool waits for digits: ask the caller for them, unless the agent is speaking already."""
    if talk.collection.open:
        step.do(GiveDigits(event.collection_id, 0, "busy"))
        return
    if not talk.live or talk.farewell.purpose is not None:
        step.do(GiveDigits(event.collection_id, 0, "interrupted"))
        return
    step.do(*talk.collection.begin(event, step.now))
    talk.digits.take(step.now)
    if event.secret and talk.requests.caller_speaking and talk.model.listening:
        # The model will not hear the rest of the caller's turn, so the turn ends here.
        step.do(CommitCallerAudio())
        turns.turn_ended(talk, step)
    if event.prompt or not talk.playout.playing():
        _ask_caller(talk, step)


def digits_unwanted(talk: Conversation, event: e.DigitsUnwanted, step: s.Step) -> None:
    """The tool has ended, for example because its time is over: end its collection."""
    if talk.collection.open and talk.collection.wanted.collection_id == event.collection_id:
        _finish(talk, talk.collection.end("cancelled", step.now), step)


def key_pressed(talk: Conversation, event: e.DigitPressed, step: s.Step) -> None:
    """Count a key for the tool. The first key stops what the agent says, as speech would."""
    if talk.collection.open and not talk.collection.typed:
        _stop_prompt(talk, step)
    _finish(talk, talk.collection.press(ends=event.ends, now=step.now), step)


def review(talk: Conversation, step: s.Step) -> None:
    """Begin to await digits once the agent has asked for them and is silent."""
    if talk.collection.state is not CollectionState.ANNOUNCED:
        return
    if not talk.playout.playing() and not talk.requests.busy:
        talk.collection.asked(step.now)


def expire(talk: Conversation, step: s.Step) -> None:
    """Act if a state has lasted too long."""
    collection = talk.collection
    if not collection.expired(step.now):
        return
    match collection.state:
        case CollectionState.ANNOUNCED:
            collection.asked(step.now)
        case CollectionState.AWAITED:
            collection.remind(step.now)
            _ask_caller(talk, step)
        case CollectionState.SETTLING:
            step.do(*collection.settle(step.now))
        case _:
            _finish(talk, collection.end("timeout", step.now), step)


def _ask_caller(talk: Conversation, step: s.Step) -> None:
    wanted = talk.collection.wanted
    if wanted.prompt:
        text = prompts.say_before_digits(wanted.prompt)
    else:
        text = prompts.ask_for_digits(wanted.count, wanted.finish_on_key)
    talk.ask(Request(Kind.DIGITS, text, "none"), step)


def _stop_prompt(talk: Conversation, step: s.Step) -> None:
    """Stop the request to type, because the caller is typing already."""
    speaking.drop_cancelled(talk, talk.requests.supersede(Kind.DIGITS), step)
    free = talk.farewell.purpose is None and not talk.requests.protected
    if free and talk.cut is None and not talk.playout.idle():
        interruptions.stop_speech(talk, step)


def _finish(talk: Conversation, commands: list[GiveDigits], step: s.Step) -> None:
    """Give the tool its digits if the collection has ended, and withdraw the request to type."""
    if commands:
        speaking.drop_cancelled(talk, talk.requests.supersede(Kind.DIGITS), step)
        step.do(*commands)
