"""Execute TwiML on a leg: verb after verb, until none is left or the call ends.

    entry -> document -> verb -> verb -> ... -> no more verbs: hang up
      ^                    |
      +---- TwimlUrl ------+     a REST update cancels the verb and starts with its own entry

resource         | acquired                    | released
execution task   | `begin`, by `Tasks`         | when the leg is over
document task    | `_execute`, for each entry  | when it ends; an update or `Leg.end` cancels it
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from hookflash_local.carrier import alerts
from hookflash_local.carrier.exchange import Exchange
from hookflash_local.carrier.legs.leg import Leg
from hookflash_local.carrier.twiml.fetch import Entry, Page, TwimlUrl, open_page
from hookflash_local.carrier.twiml.parse import Element
from hookflash_local.carrier.webhooks import FetchFailed, Form

LONGEST_CALL_SECONDS = 14_400.0

Segment = Literal["call", "whisper", "wait", "queue"]
"""Where a document runs: on a call of its own, on a dialled leg before it is bridged, or while
waiting for a conference or in a queue."""

_ALLOWED: dict[Segment, frozenset[str] | None] = {
    "call": None,
    "whisper": frozenset({"Say", "Play", "Gather", "Hangup", "Pause", "Redirect"}),
    "wait": frozenset({"Say", "Play", "Pause", "Redirect"}),
    "queue": frozenset({"Say", "Play", "Pause", "Redirect", "Hangup", "Leave", "Gather"}),
}


@dataclass(frozen=True)
class Finish:
    """The document is over. `hung-up` by a verb; `left` a queue; `failed` could not go on."""

    how: Literal["ran-out", "hung-up", "left", "failed"]
    status: str = "completed"


Next = TwimlUrl | Finish | None
"""What a verb leads to; None is the next verb."""

Fallback = tuple[str, str]
"""The URL that is asked when a document fails, and its method."""


@dataclass(frozen=True)
class VerbContext:
    """Where a verb runs."""

    exchange: Exchange
    leg: Leg
    page: Page
    segment: Segment
    following: Element | None

    def ask(self, url: str, method: str, form: Form | None = None) -> TwimlUrl:
        """Go on at `url`, which may be relative. Raises FetchFailed if that cannot be."""
        return TwimlUrl(self.page.resolve(url), method or "POST", dict(form or {}))

    def callback(self, element: Element, name: str) -> tuple[str, str] | None:
        """Read an attribute that names a callback, and its method; None if there is none."""
        if not element.get(name):
            return None
        return self.page.resolve(element.get(name)), element.get(f"{name}Method") or "POST"

    def ask_and_ignore(self, url: str, method: str, form: Form | None = None) -> None:
        """Request a URL and ignore its answer, because the leg already runs something else."""
        try:
            ask = self.ask(url, method, form)
        except FetchFailed as error:
            self.exchange.alert(error.code, error.text, self.leg)
            return
        whole = {**self.leg.form(), **ask.form}
        self.exchange.webhooks.notify(ask.url, ask.method, whole, call_sid=self.leg.sid)


Verb = Callable[[VerbContext, Element], Awaitable[Next]]
VERBS: dict[str, Verb] = {}
"""Filled by the package `verbs`, one module a concern."""

_WHILE_RINGING = frozenset({"Reject", "Redirect", "Pause", "Dial"})


def verb(name: str) -> Callable[[Verb], Verb]:
    """Register a verb."""

    def register(function: Verb) -> Verb:
        VERBS[name] = function
        return function

    return register


async def run(
    exchange: Exchange,
    leg: Leg,
    entry: Entry,
    *,
    segment: Segment = "call",
    fallback: Fallback | None = None,
) -> Finish:
    """Run TwiML on a leg until it is over. Cancelled when the leg ends or is moved."""
    while True:
        try:
            page = await open_page(exchange, leg, entry)
            outcome = await _run_page(exchange, leg, page, segment)
        except FetchFailed as error:
            exchange.alert(error.code, f"{error.text}: {error.url}", leg)
            if fallback is None:
                if segment in ("call", "whisper"):
                    await _apologise(exchange, leg)
                return Finish("failed")
            form = {"ErrorCode": str(error.code), "ErrorUrl": error.url}
            entry, fallback = TwimlUrl(*fallback, form), None
            continue
        if isinstance(outcome, Finish):
            return outcome
        entry = outcome


async def _run_page(
    exchange: Exchange, leg: Leg, page: Page, segment: Segment
) -> TwimlUrl | Finish:
    allowed = _ALLOWED[segment]
    for index, element in enumerate(page.verbs):
        if allowed is not None and element.name not in allowed:
            code = alerts.DIAL_FROM_DIAL if element.name == "Dial" else alerts.SCHEMA
            exchange.alert(code, f"<{element.name}> cannot be used in a {segment} document", leg)
            if element.name == "Dial":
                return Finish("failed")
            continue
        if segment == "call" and element.name not in _WHILE_RINGING:
            leg.answer()
        following = page.verbs[index + 1] if index + 1 < len(page.verbs) else None
        context = VerbContext(exchange, leg, page, segment, following)
        outcome = await VERBS[element.name](context, element)
        if outcome is not None:
            return outcome
    return Finish("ran-out")


async def _apologise(exchange: Exchange, leg: Leg) -> None:
    """What a caller hears when the application fails and there is no fallback."""
    if leg.status == "ringing" and leg.about.direction == "inbound":
        leg.answer()
    if leg.outbound_audio.is_open:
        await VERBS["Say"](
            VerbContext(exchange, leg, Page(()), "call", None),
            Element("Say", {}, (), "We are sorry, an application error has occurred. Goodbye."),
        )


def begin(exchange: Exchange, leg: Leg, entry: Entry, fallback: Fallback | None = None) -> None:
    """Start the execution of TwiML on a leg, beginning with `entry`."""
    leg.execution.fallback = fallback
    leg.execution.task = exchange.tasks.start(
        _execute(exchange, leg, entry), f"execution {leg.sid}"
    )


def move(exchange: Exchange, leg: Leg, entry: Entry) -> None:
    """Replace, at once, whatever runs on a leg in progress (a REST update)."""
    leg.note("moved")
    execution = leg.execution
    execution.pending = entry
    if execution.task is None:
        # A dialled leg: from now on it runs TwiML of its own, and its parent's Dial is over.
        execution.left_dial.set()
        begin(exchange, leg, entry)
    if execution.document_task:
        execution.document_task.cancel()


async def _execute(exchange: Exchange, leg: Leg, entry: Entry) -> None:
    finish = Finish("failed")
    try:
        async with exchange.clock.timeout(LONGEST_CALL_SECONDS):
            while leg.live:
                leg.execution.pending = None
                task = exchange.tasks.start(
                    run(exchange, leg, entry, fallback=leg.execution.fallback), f"twiml {leg.sid}"
                )
                leg.execution.document_task = task
                await asyncio.wait([task])
                if leg.execution.pending is not None:
                    entry = leg.execution.pending
                    continue
                if not task.cancelled() and task.exception() is None:
                    finish = task.result()
                break
    except TimeoutError:
        exchange.alert(0, "the call reached its longest duration", leg)
    leg.end(finish.status if leg.about.answered else _never_answered(finish), by="twiml")


def _never_answered(finish: Finish) -> str:
    """A document that ran out before it answered left the caller ringing."""
    if finish.how == "failed":
        return "failed"
    return "no-answer" if finish.status == "completed" else finish.status
