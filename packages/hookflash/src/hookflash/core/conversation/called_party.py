"""A call that the line has placed is answered by a person, a mailbox or a fax machine.

    NONE --a mailbox is detected, or heard--> GREETING <--> QUIET --------> SERVED
      +-- the carrier has detected the end of its greeting --> TONE --------^

The carrier detects the end of a greeting (`machine-end`), often by its tone. What the called party
says is evidence as well: the words of a mailbox's greeting. Then the end of the greeting is a
silence after it. A mailbox is not answered. It gets the owner's message once, or the call ends.

Functions of (conversation, step).
"""

from __future__ import annotations

from hookflash.core import events as e
from hookflash.core import prompts
from hookflash.core import signals as s
from hookflash.core.commands import HangUp
from hookflash.core.conversation import interruptions, speaking
from hookflash.core.conversation.conversation import Conversation
from hookflash.core.conversation.states import CalleeState
from hookflash.core.mailbox_words import is_mailbox
from hookflash.core.phases import Phase

_FIRST_SECONDS = 60.0
"""How long after the answer words can be a mailbox's greeting."""


def callee_detected(talk: Conversation, event: e.CalleeDetected, step: s.Step) -> None:
    """The carrier has detected who answered."""
    outbound = talk.setup.outbound
    if outbound is None or talk.closed:
        return
    machine = event.by in ("machine", "machine-end")
    if machine or not talk.info.answered_by:
        talk.info.answered_by = "machine" if machine else event.by
    if talk.callee.state is CalleeState.SERVED:
        return
    if event.by == "fax":
        _end(talk, step)
        talk.machine = "fax"
    elif machine:
        _mailbox_answers(talk, step)
        if event.by == "machine-end" and talk.mailbox_greets:
            talk.callee.enter(CalleeState.TONE, step.now)


def transcribed(talk: Conversation, text: str, step: s.Step) -> None:
    """The called party has said something: it may be a mailbox's greeting."""
    answered_at = talk.info.answered_at
    if talk.setup.outbound is None or answered_at is None or not talk.live:
        return
    if step.now - answered_at <= _FIRST_SECONDS and is_mailbox(text):
        talk.info.answered_by = "machine"
        _mailbox_answers(talk, step)


def review(talk: Conversation, step: s.Step) -> None:
    """A mailbox greets, or is quiet after its greeting."""
    if not talk.mailbox_greets:
        return
    talk.owes_answer = False
    if talk.callee.state is CalleeState.TONE:
        return
    speaks = talk.requests.caller_speaking
    wanted = CalleeState.GREETING if speaks else CalleeState.QUIET
    if talk.callee.state is not wanted:
        talk.callee.enter(wanted, step.now)


def expire(talk: Conversation, step: s.Step) -> None:
    """The greeting is over, or has lasted too long."""
    if talk.callee.expired(step.now):
        _serve(talk, step)


def _mailbox_answers(talk: Conversation, step: s.Step) -> None:
    """Stop talking to a mailbox, unless the owner wants the agent to."""
    outbound = talk.setup.outbound
    assert outbound is not None
    if outbound.on_machine == "talk" or talk.callee.state is not CalleeState.NONE:
        return
    if outbound.on_machine == "hang_up":
        _end(talk, step)
        return
    talk.callee.enter(CalleeState.QUIET, step.now)
    talk.opening = None
    interruptions.stop_speech(talk, step)
    speaking.stop(talk, step)


def _serve(talk: Conversation, step: s.Step) -> None:
    """Leave the message: the mailbox records."""
    outbound = talk.setup.outbound
    assert outbound is not None
    talk.callee.enter(CalleeState.SERVED, step.now)
    talk.machine = "machine"
    step.tell(s.HandoffUnwanted(quiet=True))
    speaking.last_words_due(
        talk,
        s.LastWordsDue(
            purpose="hang-up",
            text=prompts.leave_at_mailbox(outbound.message),
            own_line=True,
            protected=True,
        ),
        step,
    )


def _end(talk: Conversation, step: s.Step) -> None:
    """Hang up without a word: nobody is there to hear one."""
    talk.callee.enter(CalleeState.SERVED, step.now)
    talk.machine = "machine"
    step.tell(s.HandoffUnwanted(quiet=True))
    step.tell(s.MoveCaller(instructions=(HangUp(),), phase=Phase.ENDING))
