"""Where the carrier's questions about the calls of this process are answered.

A question is a webhook without HTTP: its signature was good, its form was read, its delivery has
a name. It can be asked in one process and answered in another, so that the same delivery twice
gets the same answer wherever it lands, and a stream's token is minted where it will be redeemed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

import msgspec

from hookflash.carriers.twilio.media import MediaStream, Sink
from hookflash.carriers.twilio.parties import Parties, same_number
from hookflash.carriers.twilio.twiml import REJECT_BUSY
from hookflash.carriers.twilio.webhooks import Forwarded
from hookflash.core.commands import HangUp, Instruction, Speak
from hookflash.core.events import (
    AnyEvent,
    CallArrived,
    CallCompleted,
    HumanAsked,
    InstructionsAsked,
    LegChanged,
    QueueAsked,
)
from hookflash.core.setup import CallSetup
from hookflash.server.guard import Answers
from hookflash.server.line import TwilioLine

log = logging.getLogger("hookflash.call")

APOLOGY = CallSetup().apology


Asked = InstructionsAsked | HumanAsked | QueueAsked


class Calls(Protocol):
    """The live calls, as far as the server needs them (`runtime.switchboard.Switchboard`)."""

    draining: bool

    async def arrive(self, arrived: CallArrived) -> tuple[Instruction, ...]: ...

    async def ask(
        self, call_sid: str, asked: Asked, *, leg_sid: str = ""
    ) -> tuple[Instruction, ...]: ...

    async def post(self, call_sid: str, event: AnyEvent) -> bool: ...

    def rings(self, is_number: Callable[[str], bool], caller: str, *, call_sid: str) -> bool: ...

    def attach(self, call_sid: str, stream: MediaStream) -> Sink | None: ...

    async def drain(self, seconds: float) -> None: ...


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What the carrier asks about a call.

    `call_sid` is the caller's leg, by which the call is found; `leg_sid` is set where a human's
    leg asks. `names` are those of this delivery: any one of them known means that it came before.
    `asked` is None when nobody is left who could be connected; `over` says that the leg that asks
    has ended, and is told after the question was answered. `parties` are told by the caller's leg.
    `forwarded` says whose telephone has forwarded a call that arrives; `loops` that it is known to
    be one that this line has made itself.
    """

    call_sid: str
    names: tuple[tuple[str, ...], ...]
    leg_sid: str = ""
    asked: CallArrived | Asked | None = None
    over: CallCompleted | LegChanged | None = None
    parties: Parties | None = None
    forwarded: Forwarded | None = None
    loops: bool = False


class Answering(Protocol):
    """Answers the carrier: the desk of this process, or all of a line's workers together."""

    async def answer(self, question: Question) -> str: ...

    async def take(self, call_sid: str, event: AnyEvent) -> bool: ...


class Desk:
    """Answers for the calls of this process, in TwiML.

    Nothing here waits, but for a call of another process while it is restored.
    """

    def __init__(self, calls: Calls, line: TwilioLine, *, apology: str = APOLOGY) -> None:
        self._calls = calls
        self._line = line
        self._answers = Answers()
        self._apology = (Speak(apology), HangUp())

    async def answer(self, question: Question) -> str:
        """Return TwiML: valid, whatever happens, for an error would be read to the caller."""
        call_sid = question.call_sid
        known = self._answers.find(question.names)
        if known is not None:
            log.info("< %s asked again: answered as before", call_sid)
            return known
        try:
            if question.parties is not None:
                self._line.write.remember(question.parties)
            if self._loops(question):
                log.warning(
                    "%s ! a telephone that this line rings forwards back to it: rejected as busy",
                    call_sid,
                )
                twiml = REJECT_BUSY
            else:
                instructions = await self._decide(question)
                twiml = self._line.write(call_sid, instructions, leg_sid=question.leg_sid)
        except Exception:
            # A request ends here: whoever is on the leg hears an apology, and the owner finds the
            # reason.
            log.exception("! %s a question failed: apology and hang-up", call_sid)
            return self.sorry(call_sid)
        self._answers.keep(question.names, twiml)
        return twiml

    def rings(self, forwarded: Forwarded) -> bool:
        """Return whether a call of this process rings the telephone that forwards a call, and the
        caller that this call shows may be what the telephone was shown."""
        caller = forwarded.caller
        if caller == self._line.write.caller_id:
            # Nobody calls from this number but we.
            caller = ""
        rung = partial(same_number, forwarded.by)
        return self._calls.rings(rung, caller, call_sid=forwarded.call_sid)

    async def take(self, call_sid: str, event: AnyEvent) -> bool:
        """Take what has happened to a call. Return False if nothing is known of it."""
        return await self._calls.post(call_sid, event)

    def sorry(self, call_sid: str) -> str:
        """Return the answer for when we fail ourselves."""
        return self._line.write(call_sid, self._apology)

    def _loops(self, question: Question) -> bool:
        """Whether a call that arrives is one that the line has made itself: a human's telephone
        forwards back to it, and answering would let the line talk with itself."""
        if question.loops:
            return True
        return question.forwarded is not None and self.rings(question.forwarded)

    async def _decide(self, question: Question) -> Sequence[Instruction]:
        """Ask first, so that the outcome is told; then say that the call is over, if it is."""
        instructions: Sequence[Instruction] = ()
        if isinstance(question.asked, CallArrived):
            instructions = await self._calls.arrive(question.asked)
        elif question.asked is not None:
            instructions = await self._calls.ask(
                question.call_sid, question.asked, leg_sid=question.leg_sid
            )
        if isinstance(question.over, CallCompleted):
            await self._calls.post(question.leg_sid or question.call_sid, question.over)
        elif question.over is not None:
            await self._calls.post(question.call_sid, question.over)
        return instructions
