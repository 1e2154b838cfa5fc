"""`<Refer><Sip>`: asks the device of a SIP caller to call somebody else itself.

    REFER -> refused (405)            -> action: failed, ReferSipResponseCode 405
      +---> 202, it calls the target  -> action: in-progress 200 | busy 486 | failed 404 ...
      |             +-- 200: the device hangs up this call soon after
      +---- the caller hangs up       -> action: canceled, 180; the answer is ignored

Only on a leg that is SIP itself (13801). Without an action the next verb runs, and the call ends if
there is none. Source: Twilio, `<Refer>`. Twilio does not document two points: here `<Refer>` on
another leg only adds an alert and the next verb runs, and the device hangs up after
`HANG_UP_SECONDS`.
"""

from __future__ import annotations

import asyncio

from hookflash_local.carrier import alerts, sip
from hookflash_local.carrier.exchange import Exchange
from hookflash_local.carrier.legs.leg import Leg
from hookflash_local.carrier.twiml.execution import Next, VerbContext, verb
from hookflash_local.carrier.twiml.parse import Element

HANG_UP_SECONDS = 1.0
"""From the target's answer to the device's BYE."""

NOTIFY_SECONDS = 30.0
"""How long the device lets the target ring."""

ACCEPTED = "202"


@verb("Refer")
async def refer(context: VerbContext, element: Element) -> Next:
    exchange, leg = context.exchange, context.leg
    nouns = element.children_named("Sip")
    problem = _problem(leg, nouns)
    if problem is not None:
        exchange.alert(*problem, leg)
        return None
    target = nouns[0].text
    leg.note("referring", to=target)
    if leg.about.refer_answer != ACCEPTED:
        form = {"ReferCallStatus": "failed", "ReferSipResponseCode": leg.about.refer_answer}
        return _go_on(context, element, form)
    try:
        status, code = await _called(exchange, target)
    except asyncio.CancelledError:
        if not leg.live and element.get("action"):
            form = _form("canceled", "180")
            context.ask_and_ignore(element.get("action"), element.get("method"), form)
        raise
    leg.note("referred", to=target, status=status)
    if status == "in-progress":
        exchange.tasks.start(_hang_up_soon(exchange, leg), f"referred {leg.sid}")
    return _go_on(context, element, _form(status, code))


def _form(status: str, code: str) -> dict[str, str]:
    return {
        "ReferCallStatus": status,
        "ReferSipResponseCode": ACCEPTED,
        "NotifySipResponseCode": code,
    }


def _go_on(context: VerbContext, element: Element, form: dict[str, str]) -> Next:
    if not element.get("action"):
        return None
    return context.ask(element.get("action"), element.get("method"), form)


def _problem(leg: Leg, nouns: list[Element]) -> tuple[int, str] | None:
    about = leg.about
    own = about.from_ if about.direction == "inbound" else about.to
    if not own.startswith(("sip:", "sips:")):
        return alerts.REFER_NOT_SIP, "<Refer> on a leg that is not SIP"
    if len(nouns) != 1:
        return alerts.SCHEMA, "<Refer> needs exactly one <Sip>"
    return sip.problem(nouns[0].text, any_header=True)


async def _called(exchange: Exchange, target: str) -> tuple[str, str]:
    """Let the device call the target; return the outcome and its SIP code.

    That call does not touch the carrier: it has no leg here.
    """
    human = exchange.directory.human(target)
    if human is None:
        return "failed", "404"
    if human.outcome == "no-answer" or human.answer_after > NOTIFY_SECONDS:
        await exchange.clock.sleep(NOTIFY_SECONDS)
        return "no-answer", "480"
    await exchange.clock.sleep(human.answer_after)
    if human.outcome == "answers":
        return "in-progress", "200"
    return ("busy", "486") if human.outcome == "busy" else ("failed", "500")


async def _hang_up_soon(exchange: Exchange, leg: Leg) -> None:
    await exchange.clock.sleep(HANG_UP_SECONDS)
    leg.end("completed", by="party")
