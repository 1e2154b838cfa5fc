"""`<Connect><Stream>`: the call is a media stream until one side ends it; then `action`.

When the server closes its socket the action is asked, or the next verb runs. When the call is
moved by REST the documents do not say whether the action is asked: see `Unconfirmed`.
"""

from __future__ import annotations

import asyncio

from hookflash_local.carrier import notices
from hookflash_local.carrier.lives import Finish, Next, Scene, verb
from hookflash_local.carrier.stream import Stream
from hookflash_local.carrier.stream_url import url_problem
from hookflash_local.carrier.twiml import Element

MOST_PARAMETER_LETTERS = 500


@verb("Connect")
async def connect(scene: Scene, element: Element) -> Next:
    exchange, leg = scene.exchange, scene.leg
    nouns = element.children_named("Stream")
    if len(nouns) != 1:
        exchange.notice(notices.SCHEMA, "<Connect> needs exactly one <Stream>", leg)
        return None
    noun = nouns[0]
    report_to = scene.callback(noun, "statusCallback")
    parameters = stream_parameters(scene, noun)
    url, name = noun.get("url"), noun.get("name")
    stream = Stream(exchange, leg, url, parameters, name=name, report_to=report_to)
    problem = url_problem(exchange, url)
    if noun.get("track", "inbound_track") != "inbound_track":
        problem = notices.STREAM_TRACK, "<Connect><Stream> has only the inbound_track"
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


def stream_parameters(scene: Scene, noun: Element) -> dict[str, str]:
    """Read the `<Parameter>` elements of a `<Stream>`."""
    parameters = {}
    for each in noun.children_named("Parameter"):
        name, value = each.get("name"), each.get("value")
        if len(name) + len(value) >= MOST_PARAMETER_LETTERS:
            text = f"<Parameter name={name!r}> has 500 letters or more"
            scene.exchange.notice(notices.SCHEMA, text, scene.leg)
        parameters[name] = value
    return parameters
