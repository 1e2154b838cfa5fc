"""`<Start>` and `<Stop>`: streams and recordings beside the call; the next verb runs at once.

Both go on across later verbs, and when REST moves the call, until they are stopped or the call is
over. Source: Twilio, `<Stream>`, `<Recording>`, `<Stop>`; that such a recording always has two
channels, and both tracks, is a report from the field.
"""

from __future__ import annotations

from hookflash_local.carrier import forks, notices, recorder
from hookflash_local.carrier.lives import Next, Scene, verb
from hookflash_local.carrier.tape import tape_wish
from hookflash_local.carrier.twiml import Element
from hookflash_local.carrier.verbs.connect import stream_parameters


@verb("Start")
async def start(scene: Scene, element: Element) -> Next:
    for noun in element.children:
        if noun.name == "Stream":
            forks.fork(
                scene.exchange,
                scene.leg,
                noun.get("url"),
                stream_parameters(scene, noun),
                track=noun.get("track", "inbound_track"),
                name=noun.get("name"),
                report_to=scene.callback(noun, "statusCallback"),
            )
        elif noun.name == "Recording":
            recorder.start(
                scene.exchange,
                scene.leg,
                tape_wish(
                    "StartCallRecordingTwiML",
                    {"RecordingChannels": "dual", "Trim": noun.get("trim", "trim-silence")},
                    scene.callback(noun, "recordingStatusCallback"),
                    frozenset(noun.get("recordingStatusCallbackEvent").split()),
                    trim="trim-silence",
                ),
            )
    return None


@verb("Stop")
async def stop(scene: Scene, element: Element) -> Next:
    for noun in element.children_named("Stream"):
        stream = forks.find(scene.leg, noun.get("name"))
        if stream is None:
            text = f"<Stop><Stream name={noun.get('name')!r}>: no such one-way stream"
            scene.exchange.notice(notices.STREAM_FAILED, text, scene.leg)
        else:
            stream.stop()
    return None
