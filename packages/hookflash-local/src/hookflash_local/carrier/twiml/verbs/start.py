"""`<Start>` and `<Stop>`: streams and recordings beside the call; the next verb runs at once.

Both go on across later verbs, and when REST moves the call, until they are stopped or the call is
over. Source: Twilio, `<Stream>`, `<Recording>`, `<Stop>`; that such a recording always has two
channels, and both tracks, is a report from the field.
"""

from __future__ import annotations

from hookflash_local.carrier import alerts
from hookflash_local.carrier.media import recordings, streams
from hookflash_local.carrier.media.recordings import recording_options
from hookflash_local.carrier.twiml.execution import Next, VerbContext, verb
from hookflash_local.carrier.twiml.parse import Element
from hookflash_local.carrier.twiml.verbs.connect import stream_parameters


@verb("Start")
async def start(context: VerbContext, element: Element) -> Next:
    for noun in element.children:
        if noun.name == "Stream":
            streams.start_one_way_stream(
                context.exchange,
                context.leg,
                noun.get("url"),
                stream_parameters(context, noun),
                track=noun.get("track", "inbound_track"),
                name=noun.get("name"),
                callback=context.callback(noun, "statusCallback"),
            )
        elif noun.name == "Recording":
            recordings.start(
                context.exchange,
                context.leg,
                recording_options(
                    "StartCallRecordingTwiML",
                    {"RecordingChannels": "dual", "Trim": noun.get("trim", "trim-silence")},
                    context.callback(noun, "recordingStatusCallback"),
                    frozenset(noun.get("recordingStatusCallbackEvent").split()),
                    trim="trim-silence",
                ),
            )
    return None


@verb("Stop")
async def stop(context: VerbContext, element: Element) -> Next:
    for noun in element.children_named("Stream"):
        stream = streams.find(context.leg, noun.get("name"))
        if stream is None:
            text = f"<Stop><Stream name={noun.get('name')!r}>: no such one-way stream"
            context.exchange.alert(alerts.STREAM_FAILED, text, context.leg)
        else:
            stream.stop()
    return None
