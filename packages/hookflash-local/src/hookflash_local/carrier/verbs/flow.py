"""`<Redirect>`, `<Hangup>`, `<Reject>`, `<Leave>`."""

from __future__ import annotations

from hookflash_local.carrier import notices
from hookflash_local.carrier.lives import Finish, Next, Scene, verb
from hookflash_local.carrier.twiml import Element


@verb("Redirect")
async def redirect(scene: Scene, element: Element) -> Next:
    """Go on elsewhere; an empty text is the current document again."""
    return scene.ask(element.text or scene.page.url, element.get("method"))


@verb("Hangup")
async def hangup(scene: Scene, element: Element) -> Next:
    return Finish("hung-up")


@verb("Reject")
async def reject(scene: Scene, element: Element) -> Next:
    """Refuse an unanswered call: `busy`, or a message that the number is not in service."""
    if scene.leg.about.answered:
        scene.exchange.notice(
            notices.SCHEMA, "<Reject> on a call that is answered already", scene.leg
        )
        return Finish("hung-up")
    return Finish("hung-up", "busy" if element.get("reason") == "busy" else "no-answer")


@verb("Leave")
async def leave(scene: Scene, element: Element) -> Next:
    """Leave the queue in whose waiting document this stands."""
    return Finish("left")
