"""What is simply known of a call, and the record made of it when it is over."""

from __future__ import annotations

from typing import Literal

import msgspec

from hookflash.core.delivery import Delivery
from hookflash.core.record import CallRecord, Disposition, HandoffAttempt, ToolUse
from hookflash.core.tokens import Tokens
from hookflash.core.transcript import Transcript


class Facts(msgspec.Struct):
    """Plain facts. Times are seconds since 1970, by the shell's clock."""

    call_sid: str = ""
    caller: str = ""
    called: str = ""
    arrived_at: float = 0.0
    stream_sid: str | None = None
    streams: int = 0
    """How many streams were opened, and how many times one was wanted since the last opened."""
    stream_tries: int = 0
    barge_ins: int = 0
    tokens: Tokens = Tokens()
    tools: list[ToolUse] = []
    failed: bool = False
    voicemail: Delivery | None = None
    voicemail_step: int = 0
    """The step of the instruction that records a message; 0 is none."""
    unanswered: bool = False
    """The caller hung up where a message was to be taken."""
    callbacks: int = 0
    questions: dict[str, str] = {}
    """What a human was asked and has not answered, by the question's id."""
    decision: Literal["connect", "decline", "voicemail"] | None = None
    """What was settled with the human of a consulting leg, and why."""
    decision_reason: str = ""
    completed: bool = False
    """The carrier has said that the caller's leg is over."""

    def record(
        self,
        *,
        agent: str,
        transcript: Transcript,
        attempts: list[HandoffAttempt],
        recorded_since: float | None,
        now: float,
    ) -> CallRecord:
        """Return the record of a call that is over."""
        return CallRecord(
            call_sid=self.call_sid,
            agent=agent,
            caller=self.caller,
            called=self.called,
            disposition=self._disposition(transcript, attempts),
            arrived_at=self.arrived_at,
            seconds=round(now - self.arrived_at, 3),
            barge_ins=self.barge_ins,
            tokens=self.tokens,
            recorded_from=self._since(recorded_since),
            utterances=transcript.utterances(self.arrived_at),
            handoffs=tuple(self._since_arrival(attempt) for attempt in attempts),
            tools=tuple(
                msgspec.structs.replace(use, started_at=round(use.started_at - self.arrived_at, 3))
                for use in self.tools
            ),
        )

    def _since(self, at: float | None) -> float | None:
        return None if at is None else round(at - self.arrived_at, 3)

    def _since_arrival(self, attempt: HandoffAttempt) -> HandoffAttempt:
        return msgspec.structs.replace(
            attempt, started_at=round(attempt.started_at - self.arrived_at, 3)
        )

    def _disposition(self, transcript: Transcript, attempts: list[HandoffAttempt]) -> Disposition:
        if any(attempt.outcome == "bridged" for attempt in attempts):
            return "handed_off"
        if self.voicemail is not None and self.voicemail.recording_url:
            return "voicemail"
        if self.callbacks:
            return "callback"
        if self.failed:
            return "failed"
        waiting = bool(attempts) and attempts[-1].outcome == "caller-gone"
        if waiting or self.unanswered or not transcript.agent_was_heard:
            return "abandoned"
        return "handled_by_agent"
