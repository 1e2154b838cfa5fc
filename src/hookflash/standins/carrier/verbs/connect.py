"""`<Connect><Stream>`: the call is a media stream until one side ends it; then `action`.

When the server closes its socket the action is asked, or the next verb runs. When the call is
moved by REST the documents do not say whether the action is asked: see `Unconfirmed`.
"""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

from hookflash.standins.carrier import notices
from hookflash.standins.carrier.lives import Finish, Next, Scene, verb
from hookflash.standins.carrier.stream import Stream
from hookflash.standins.carrier.tunnel import NotReachable, is_loopback, road
from hookflash.standins.carrier.twiml import Element

MOST_PARAMETER_LETTERS = 500


@verb("Connect")
async def connect(scene: Scene, element: Element) -> Next:
    exchange, leg = scene.exchange, scene.leg
    nouns = element.children_named("Stream")
    if len(nouns) != 1:
        exchange.notice(notices.SCHEMA, "<Connect> needs exactly one <Stream>", leg)
        return None
    noun = nouns[0]
    report_to = None
    if noun.get("statusCallback"):
        method = noun.get("statusCallbackMethod") or "POST"
        report_to = (scene.page.resolve(noun.get("statusCallback")), method)
    parameters = _parameters(scene, noun)
    name = noun.get("name")
    stream = Stream(exchange, leg, noun.get("url"), parameters, name=name, report_to=report_to)
    problem = _problem(scene, noun)
    action, method = element.get("action"), element.get("method")
    try:
        if problem:
            stream.fail(*problem)
        else:
            await stream.run()
    except asyncio.CancelledError:
        if action and exchange.unconfirmed.connect_action_on_redirect:
            scene.ask_in_vain(action, method)
        raise
    if stream.error == notices.STREAM_HANDSHAKE:
        if not exchange.unconfirmed.refused_stream_falls_through:
            return Finish("failed")
    return scene.ask(action, method) if action else None


def _parameters(scene: Scene, noun: Element) -> dict[str, str]:
    parameters = {}
    for each in noun.children_named("Parameter"):
        name, value = each.get("name"), each.get("value")
        if len(name) + len(value) >= MOST_PARAMETER_LETTERS:
            text = f"<Parameter name={name!r}> has 500 letters or more"
            scene.exchange.notice(notices.SCHEMA, text, scene.leg)
        parameters[name] = value
    return parameters


def _problem(scene: Scene, noun: Element) -> tuple[int, str] | None:
    """Say why this stream cannot be opened, if so."""
    url = noun.get("url")
    parts = urlsplit(url)
    if noun.get("track", "inbound_track") != "inbound_track":
        return notices.STREAM_TRACK, "<Connect><Stream> has only the inbound_track"
    insecure = scene.exchange.settings.allow_insecure and is_loopback(url)
    if parts.scheme != "wss" and not (parts.scheme == "ws" and insecure):
        return notices.STREAM_SCHEME, f"expected a wss:// URL, got {parts.scheme}://"
    if not parts.hostname or parts.fragment:
        return notices.STREAM_URL, f"malformed URL {url!r}"
    if parts.query:
        return notices.STREAM_HANDSHAKE, "a query string in the URL is not supported"
    try:
        road(url, scene.exchange.webhooks.tunnel)
    except NotReachable as error:
        return notices.STREAM_HOST, str(error)
    return None
