"""`<Connect><Stream>`: the call is a media stream until one side ends it; then `action`.

When the server closes its socket the action is asked, or the next verb runs. When the call is
moved by REST the documents do not say whether the action is asked: see `Unconfirmed`.
"""

from __future__ import annotations

import asyncio

from hookflash_local.carrier import alerts
from hookflash_local.carrier.media.streams import Stream, stream_url_problem
from hookflash_local.carrier.twiml.execution import Finish, Next, VerbContext, verb
from hookflash_local.carrier.twiml.parse import Element

MOST_PARAMETER_LETTERS = 500


@verb("Connect")
async def connect(context: VerbContext, element: Element) -> Next:
    exchange, leg = context.exchange, context.leg
    nouns = element.children_named("Stream")
    if len(nouns) != 1:
        exchange.alert(alerts.SCHEMA, "<Connect> needs exactly one <Stream>", leg)
        return None
    noun = nouns[0]
    callback = context.callback(noun, "statusCallback")
    parameters = stream_parameters(context, noun)
    url, name = noun.get("url"), noun.get("name")
    stream = Stream(exchange, leg, url, parameters, name=name, callback=callback)
    problem = stream_url_problem(exchange, url)
    if noun.get("track", "inbound_track") != "inbound_track":
        problem = alerts.STREAM_TRACK, "<Connect><Stream> has only the inbound_track"
    action, method = element.get("action"), element.get("method")
    try:
        if problem:
            stream.fail(*problem)
        else:
            await stream.run()
    except asyncio.CancelledError:
        if action and exchange.unconfirmed.connect_action_on_redirect:
            context.ask_and_ignore(action, method)
        raise
    if stream.error == alerts.STREAM_HANDSHAKE:
        if not exchange.unconfirmed.refused_stream_falls_through:
            return Finish("failed")
    return context.ask(action, method) if action else None


def stream_parameters(context: VerbContext, noun: Element) -> dict[str, str]:
    """Read the `<Parameter>` elements of a `<Stream>`."""
    parameters = {}
    for each in noun.children_named("Parameter"):
        name, value = each.get("name"), each.get("value")
        if len(name) + len(value) >= MOST_PARAMETER_LETTERS:
            text = f"<Parameter name={name!r}> has 500 letters or more"
            context.exchange.alert(alerts.SCHEMA, text, context.leg)
        parameters[name] = value
    return parameters
