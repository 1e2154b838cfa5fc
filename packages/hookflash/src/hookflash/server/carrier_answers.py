"""Answer the carrier's questions about the calls of this process.

A `Question` is a webhook without HTTP: its signature was valid, its form was read, and its delivery
has keys. It can be received in one process and answered in another. So a repeated delivery gets the
same answer in every process, and a stream's token is issued by the process that redeems it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

import msgspec

from hookflash.carriers.twilio.caller_ids import Parties, same_number
from hookflash.carriers.twilio.media import MediaStream, Sink
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
from hookflash.runtime.call_limits import CallRefused
from hookflash.server.request_auth import AnswerCache
from hookflash.server.twilio_line import TwilioLine

log = logging.getLogger("hookflash.call")

APOLOGY = CallSetup().apology


Asked = InstructionsAsked | HumanAsked | QueueAsked


class Calls(Protocol):
    """The live calls as the server uses them (`runtime.switchboard.Switchboard`)."""

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

    `call_sid` is the caller's leg, which identifies the call. `leg_sid` is set if a human's leg
    asks. `names` are the keys of this delivery: if one is known, the delivery is a repetition.

    `asked` is None if the leg has ended. `over` says that the asking leg has ended;
    it is posted after the question was answered. `parties` come from the caller's leg. `forwarded`
    names the phone that forwarded an arriving call. `loops` is true if this line is known to have
    made the call.
    """

    call_sid: str
    names: tuple[tuple[str, ...], ...]
    leg_sid: str = ""
    asked: CallArrived | Asked | None = None
    over: CallCompleted | LegChanged | None = None
    parties: Parties | None = None
    forwarded: Forwarded | None = None
    loops: bool = False


class Answerer(Protocol):
    """Answers the carrier: this process alone, or all workers of a line together."""

    async def answer(self, question: Question) -> str: ...

    async def take(self, call_sid: str, event: AnyEvent) -> bool: ...


class LocalAnswerer:
    """Answers for the calls of this process, in TwiML.

    Nothing here waits, except for the restore of another process's call.
    """

    def __init__(self, calls: Calls, line: TwilioLine, *, apology: str = APOLOGY) -> None:
        self._calls = calls
        self._line = line
        self._answers = AnswerCache()
        self._apology = apology

    async def answer(self, question: Question) -> str:
        """Return TwiML. It is always valid, because Twilio reads an error to the caller."""
        call_sid = question.call_sid
        known = self._answers.find(question.names)
        if known is not None:
            log.info("< %s repeated webhook: answered as before", call_sid)
            return known
        try:
            if question.parties is not None:
                self._line.write.remember(question.parties)
            if self._loops(question):
                log.warning(
                    "%s ! a phone that this line rings forwards back to the line: rejected as busy",
                    call_sid,
                )
                twiml = REJECT_BUSY
            else:
                twiml = await self._decided(question)
        except Exception:
            # The request ends here. The person on the leg hears an apology, and the log has the
            # reason.
            log.exception("! %s a question failed: apology and hang-up", call_sid)
            return self.apology(call_sid)
        self._answers.store(question.names, twiml)
        return twiml

    def rings(self, forwarded: Forwarded) -> bool:
        """Return whether a call of this process rings the phone that forwarded a call.

        The caller shown by the forwarded call must be one that the phone may have been shown.
        """
        caller = forwarded.caller
        if caller == self._line.write.caller_id:
            # Only this line calls from this number.
            caller = ""
        rung = partial(same_number, forwarded.by)
        return self._calls.rings(rung, caller, call_sid=forwarded.call_sid)

    async def take(self, call_sid: str, event: AnyEvent) -> bool:
        """Post an event to a call. Return False if the call is unknown."""
        return await self._calls.post(call_sid, event)

    def apology(self, call_sid: str) -> str:
        """Return the apology in TwiML, for when answering fails."""
        setup = self._line.write.setup_of(call_sid)
        own = setup.apology if setup is not None and self._apology == APOLOGY else self._apology
        return self._line.write(call_sid, (Speak(own), HangUp()))

    def _loops(self, question: Question) -> bool:
        """Return whether an arriving call was made by this line and forwarded back to it.

        Answering such a call would connect the line to itself.
        """
        if question.loops:
            return True
        return question.forwarded is not None and self.rings(question.forwarded)

    async def _decided(self, question: Question) -> str:
        try:
            instructions = await self._decide(question)
        except CallRefused as refused:
            if not refused.instructions:
                return REJECT_BUSY
            instructions = refused.instructions
        return self._line.write(question.call_sid, instructions, leg_sid=question.leg_sid)

    async def _decide(self, question: Question) -> Sequence[Instruction]:
        """Ask the call first, so that it gets the outcome; then post the end of the leg, if it has
        ended."""
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
