"""Status callbacks of one call: which events are wanted, and in which form they are told.

Source: Twilio, Call resource (StatusCallbackEvent) and `<Number statusCallback>`. By default only
`completed` is told, which covers busy, failed, no-answer and canceled too. SequenceNumber counts
from 0; nothing promises the order of arrival.
"""

from __future__ import annotations

from dataclasses import dataclass

from hookflash_local.carrier.ids import rfc2822
from hookflash_local.carrier.webhooks import Form, Webhooks

FINAL_STATUSES = frozenset({"completed", "busy", "failed", "no-answer", "canceled"})

SIP_CODES = {"completed": "200", "busy": "486", "no-answer": "487", "canceled": "487"}


@dataclass
class StatusReports:
    """`events` are of: initiated, ringing, answered, completed."""

    url: str = ""
    method: str = "POST"
    events: frozenset[str] = frozenset({"completed"})
    sequence: int = 0

    def tell(
        self, event: str, form: Form, webhooks: Webhooks, *, wall: float, seconds: float | None
    ) -> None:
        """Tell `event` if it is wanted. `seconds` is the duration, for calls that were answered."""
        if not self.url or event not in self.events:
            return
        body = {
            **form,
            "Timestamp": rfc2822(wall) or "",
            "CallbackSource": "call-progress-events",
            "SequenceNumber": str(self.sequence),
        }
        self.sequence += 1
        if event == "completed":
            whole = int(seconds or 0)
            body["CallDuration"] = str(whole)
            body["Duration"] = str(-(-whole // 60))
            body["SipResponseCode"] = SIP_CODES.get(form["CallStatus"], "500")
        webhooks.tell(self.url, self.method, body, call_sid=form["CallSid"])


def wanted(events: str) -> frozenset[str]:
    """Read a list as TwiML has it, separated by spaces; empty means the default."""
    return frozenset(events.split()) or frozenset({"completed"})
