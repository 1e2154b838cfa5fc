"""`<Redirect>`, `<Hangup>`, `<Reject>`, `<Leave>`."""

from __future__ import annotations

from hookflash_local.carrier import alerts
from hookflash_local.carrier.twiml.execution import Finish, Next, VerbContext, verb
from hookflash_local.carrier.twiml.parse import Element


@verb("Redirect")
async def redirect(context: VerbContext, element: Element) -> Next:
    """Go on elsewhere; an empty text is the current document again."""
    return context.ask(element.text or context.page.url, element.get("method"))


@verb("Hangup")
async def hangup(context: VerbContext, element: Element) -> Next:
    return Finish("hung-up")


@verb("Reject")
async def reject(context: VerbContext, element: Element) -> Next:
    """Refuse an unanswered call: `busy`, or a message that the number is not in service."""
    if context.leg.about.answered:
        context.exchange.alert(
            alerts.SCHEMA, "<Reject> on a call that is answered already", context.leg
        )
        return Finish("hung-up")
    return Finish("hung-up", "busy" if element.get("reason") == "busy" else "no-answer")


@verb("Leave")
async def leave(context: VerbContext, element: Element) -> Next:
    """Leave the queue in whose waiting document this stands."""
    return Finish("left")
