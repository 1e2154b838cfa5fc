"""From a URL or a text to the verbs that a leg runs: fetch, check the content type, parse.

A reply of XML or HTML is TwiML; plain text is spoken if it is not TwiML; audio is played; anything
else is an error (12300). Source: Twilio, TwiML for Programmable Voice.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urljoin

from hookflash_local.carrier import alerts
from hookflash_local.carrier.exchange import Exchange
from hookflash_local.carrier.legs.leg import Leg
from hookflash_local.carrier.twiml import parse
from hookflash_local.carrier.twiml.parse import Element
from hookflash_local.carrier.webhooks import FetchFailed


@dataclass(frozen=True)
class TwimlUrl:
    """Go on with what this URL answers. `form` is added to the call's own parameters."""

    url: str
    method: str = "POST"
    form: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class TwimlText:
    """Go on with this TwiML, which came by REST."""

    twiml: str


Entry = TwimlUrl | TwimlText


@dataclass(frozen=True)
class Page:
    """Verbs, and the URL (empty for REST) from which relative ones start."""

    verbs: tuple[Element, ...]
    url: str = ""
    method: str = "POST"

    def resolve(self, url: str) -> str:
        """Make a URL of this page absolute. Raises FetchFailed where there is no base."""
        if "://" in url:
            return url
        if not self.url:
            raise FetchFailed(alerts.BAD_HOST, f"a relative URL in TwiML sent by REST: {url}", url)
        return urljoin(self.url, url)


async def open_page(exchange: Exchange, leg: Leg, entry: Entry) -> Page:
    """Get the verbs. Raises FetchFailed if a document cannot be fetched or read."""
    if isinstance(entry, TwimlText):
        return _parsed(exchange, leg, entry.twiml, "")
    form = {**leg.form(), **entry.form}
    reply = await exchange.webhooks.fetch(entry.url, entry.method, form, call_sid=leg.sid)
    kind = reply.content_type
    if kind in ("text/xml", "application/xml", "text/html"):
        return _parsed(exchange, leg, reply.body, reply.url, entry.method)
    if kind == "text/plain":
        try:
            return _parsed(exchange, leg, reply.body, reply.url, entry.method)
        except FetchFailed:
            words = reply.body.decode(errors="replace").strip()
            return Page((Element("Say", {}, (), words),), reply.url, entry.method)
    if kind.startswith("audio/"):
        return Page((Element("Play", {}, (), reply.url),), reply.url, entry.method)
    raise FetchFailed(
        alerts.CONTENT_TYPE, f"expected text/xml, got content type {kind!r}", reply.url
    )


def _parsed(
    exchange: Exchange, leg: Leg, body: bytes | str, url: str, method: str = "POST"
) -> Page:
    try:
        document = parse.parse(body)
    except parse.TwimlError as error:
        raise FetchFailed(error.code, error.text, url) from None
    for code, text in document.problems:
        exchange.alert(code, text, leg)
    leg.note("answer", verbs=" ".join(verb.name for verb in document.verbs))
    return Page(document.verbs, url, method)
