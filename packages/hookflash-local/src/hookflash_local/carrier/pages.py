"""From a URL or a text to the verbs that a leg is to run: fetch, judge by type, parse, notice.

A reply of XML or HTML is TwiML; plain text is spoken if it is no TwiML; sound is played; anything
else is an error (12300). Source: Twilio, TwiML for Programmable Voice.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urljoin

from hookflash_local.carrier import notices, twiml
from hookflash_local.carrier.exchange import Exchange
from hookflash_local.carrier.leg import Leg
from hookflash_local.carrier.twiml import Element
from hookflash_local.carrier.webhooks import FetchFailed


@dataclass(frozen=True)
class Ask:
    """Go on with what this URL answers. `form` is added to the call's own parameters."""

    url: str
    method: str = "POST"
    form: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Given:
    """Go on with this TwiML, which came by REST."""

    twiml: str


Entry = Ask | Given


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
            raise FetchFailed(notices.BAD_HOST, f"a relative URL in TwiML sent by REST: {url}", url)
        return urljoin(self.url, url)


async def open_page(exchange: Exchange, leg: Leg, entry: Entry) -> Page:
    """Get the verbs. Raises FetchFailed if there are none to be had."""
    if isinstance(entry, Given):
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
        notices.CONTENT_TYPE, f"expected text/xml, got content type {kind!r}", reply.url
    )


def _parsed(
    exchange: Exchange, leg: Leg, body: bytes | str, url: str, method: str = "POST"
) -> Page:
    try:
        document = twiml.parse(body)
    except twiml.TwimlError as error:
        raise FetchFailed(error.code, error.text, url) from None
    for code, text in document.problems:
        exchange.notice(code, text, leg)
    leg.note("answer", verbs=" ".join(verb.name for verb in document.verbs))
    return Page(document.verbs, url, method)
