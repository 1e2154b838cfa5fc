"""`<Record>` and other recordings: what ends them, what is told, what is in the file, the text."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from hookflash import g711
from hookflash_local.carrier import Human, Line, StandinCarrier
from hookflash_local.carrier.legs.leg import Leg
from hookflash_local.carrier.media import sounds

from .rest_parts import ask, create, done

MESSAGE = "please call me back about order forty two"
VOICE = sounds.voice_pattern(MESSAGE)


def record(attributes: str = "", below: str = "<Say>nothing came</Say>") -> str:
    return f'<Response><Record action="/after" {attributes}/>{below}</Response>'


async def leaves(line: Line) -> None:
    await line.wait_for("recording-started")
    await line.pause(0.1)
    await line.say(MESSAGE)


def same(sound: bytes) -> bytes:
    """Sound as it comes back from 16 bits, where there is only one zero."""
    return g711.encode(g711.decode(sound))


async def wav(world: Any, url: str, **more: Any) -> httpx.Response:
    auth = (world.carrier.account_sid, world.carrier.auth_token)
    async with httpx.AsyncClient(trust_env=False) as client:
        return await client.get(url, **{"auth": auth, **more})


async def ready(world: Any, sid: str) -> dict[str, Any]:
    """Wait until a recording is processed, and return its body."""
    while True:
        body = await done(world, "GET", f"/Recordings/{sid}.json")
        if body["status"] in ("completed", "absent"):
            return body
        await world.carrier.exchange.clock.sleep(0.5)


async def test_a_message_is_recorded_from_the_beep_to_silence_and_can_be_fetched(
    world: Any,
) -> None:
    call = await world.call(record('timeout="2"'), leaves)
    form = await world.app.form("/after")
    await call.ended()
    assert sounds.beep() in call.recording().heard
    assert (form["Digits"], form["CallStatus"]) == ("", "in-progress")
    assert int(form["RecordingDuration"]) == round(len(VOICE) / 8000)
    early = await wav(world, form["RecordingUrl"])
    body = await ready(world, form["RecordingSid"])
    assert early.status_code in (200, 404), "it may not be ready yet"
    assert (body["source"], body["channels"]) == ("RecordVerb", 1)
    assert body["media_url"] == form["RecordingUrl"]
    found = await wav(world, form["RecordingUrl"] + ".wav")
    assert found.headers["content-type"] == "audio/x-wav"
    recorded = sounds.read_wav(found.content)
    # Trimmed to the very frames in which something was said.
    assert abs(len(recorded) - len(VOICE)) < 800 and recorded[400:8000] in same(VOICE)
    assert not world.carrier.alerts


async def test_the_file_needs_the_accounts_credentials_unless_it_is_set_so(worlds: Any) -> None:
    for needed in (True, False):
        world = await worlds(recordings_need_auth=needed)
        world.app.seen.clear()
        call = await world.call(record('timeout="2"'), leaves)
        form = await world.app.form("/after")
        await call.ended()
        await ready(world, form["RecordingSid"])
        found = await wav(world, form["RecordingUrl"] + ".wav", auth=None)
        assert found.status_code == (401 if needed else 200)


@pytest.mark.parametrize(
    ("attributes", "keys", "digits"),
    [('finishOnKey="#"', "1#", "#"), ("", "5", "5")],
)
async def test_a_key_ends_it(world: Any, attributes: str, keys: str, digits: str) -> None:
    async def caller(line: Line) -> None:
        await leaves(line)
        await line.press(keys)

    call = await world.call(record(attributes), caller)
    assert (await world.app.form("/after"))["Digits"] == digits
    await call.ended()


async def test_the_longest_time_ends_it(world: Any) -> None:
    async def caller(line: Line) -> None:
        await line.wait_for_sound()
        await line.play(b"\x10" * 80_000)

    call = await world.call(record('maxLength="3" playBeep="false" trim="do-not-trim"'), caller)
    world.carrier.line(call).send(b"\x10" * 80_000)
    form = await world.app.form("/after")
    await call.ended()
    assert form["RecordingDuration"] == "3"
    assert sounds.beep()[:800] not in call.recording().heard


async def test_nothing_said_goes_on_below_without_the_action(world: Any) -> None:
    call = await world.call(record('timeout="1"'))
    await call.ended()
    assert world.app.forms("/after") == []
    assert call.timeline.find("say")[0].detail == {"text": "nothing came"}
    (recording,) = (await done(world, "GET", f"/Calls/{call.sid}/Recordings.json"))["recordings"]
    assert (await ready(world, recording["sid"]))["status"] == "absent"


async def test_hanging_up_ends_it_and_the_action_is_told(world: Any) -> None:
    async def caller(line: Line) -> None:
        await leaves(line)
        await line.hang_up()

    call = await world.call(record(), caller)
    form = await world.app.form("/after")
    assert (form["Digits"], form["CallStatus"]) == ("hangup", "completed")
    assert int(form["RecordingDuration"]) > 0
    await call.ended()


async def test_without_an_action_the_current_document_is_asked(world: Any) -> None:
    documents = ['<Response><Record timeout="1"/></Response>', "<Response/>"]
    call = await world.call(lambda form: documents.pop(0), leaves)
    await call.ended()
    assert "RecordingUrl" in world.app.forms("/voice")[1]


async def test_the_status_is_told_as_it_is_wanted(world: Any) -> None:
    told = 'recordingStatusCallback="/rec" recordingStatusCallbackEvent="in-progress completed"'
    call = await world.call(record(f'timeout="1" {told}'), leaves)
    await world.app.form("/rec", 1)
    await call.ended()
    first, last = world.app.forms("/rec")
    assert (first["RecordingStatus"], last["RecordingStatus"]) == ("in-progress", "completed")
    assert (last["RecordingSource"], last["RecordingChannels"]) == ("RecordVerb", "1")
    assert last["RecordingUrl"].endswith(last["RecordingSid"])
    assert "RecordingUrl" not in first


# --- transcription --------------------------------------------------------------------------


async def test_the_text_is_what_the_script_said(world: Any) -> None:
    async def caller(line: Line) -> None:
        await line.say("hello")
        await leaves(line)

    text = 'timeout="2" transcribe="true" transcribeCallback="/text"'
    call = await world.call(record(text), caller)
    form = await world.app.form("/text")
    await call.ended()
    assert (form["TranscriptionStatus"], form["TranscriptionText"]) == ("completed", MESSAGE)
    assert form["RecordingSid"] == world.app.forms("/after")[0]["RecordingSid"]
    assert form["CallSid"] == call.sid


@pytest.mark.parametrize("kind", ["sync", "async", "broken"])
async def test_the_text_may_come_from_a_transcriber(worlds: Any, kind: str) -> None:
    heard: list[bytes] = []

    def plain(sound: bytes) -> str:
        heard.append(sound)
        return "a text"

    async def slow(sound: bytes) -> str:
        return plain(sound)

    def broken(sound: bytes) -> str:
        raise ValueError("no model")

    world = await worlds(transcribe={"sync": plain, "async": slow, "broken": broken}[kind])
    call = await world.call(record('timeout="2" transcribeCallback="/text"'), leaves)
    form = await world.app.form("/text")
    await call.ended()
    if kind == "broken":
        assert form["TranscriptionStatus"] == "failed"
        assert "no model" in world.carrier.alerts.entries[0].text
    else:
        assert form["TranscriptionText"] == "a text"
        assert VOICE[800:8000] in heard[0]


async def test_what_is_too_long_to_transcribe_is_alerted(world: Any) -> None:
    call = await world.call(record('timeout="1" maxLength="300" transcribe="true"'), leaves)
    await call.ended()
    assert world.carrier.alerts.codes() == [12200]


# --- recordings beside the call -------------------------------------------------------------


async def test_start_recording_goes_on_across_verbs_and_hears_both_sides(world: Any) -> None:
    async def caller(line: Line) -> None:
        await line.wait_for_sound()
        await line.say("hello")

    start = '<Start><Recording recordingStatusCallback="/rec" trim="do-not-trim"/></Start>'
    say = f'{start}<Say>welcome</Say><Pause length="2"/><Say>goodbye</Say>'
    call = await world.call(f"<Response>{say}</Response>", caller)
    await call.ended()
    form = await world.app.form("/rec")
    assert form["RecordingSource"] == "StartCallRecordingTwiML"
    assert form["RecordingChannels"] == "2"
    (recording,) = world.carrier.exchange.live.recordings.values()
    inbound, outbound = recording.channels()
    truth = call.recording()
    assert sounds.voice_pattern("hello") in inbound and inbound in truth.said + b"\xff"
    assert outbound == truth.heard[-len(outbound) :]
    assert len(inbound) == len(outbound)
    found = await wav(world, form["RecordingUrl"] + ".wav")
    assert found.content[22:24] == b"\x02\x00", "two channels"


async def test_rest_starts_pauses_resumes_and_stops(world: Any) -> None:
    async def caller(line: Line) -> None:
        await line.play(b"\x10" * 8000 * 600)

    call = await world.call('<Response><Pause/><Pause length="60"/></Response>', caller)
    world.carrier.humans[world.ANNA] = Human(0.1, caller)
    other = await create(world)
    await other.answered()
    path = f"/Calls/{other.sid}/Recordings"
    body = await done(world, "POST", f"{path}.json", RecordingTrack="inbound")
    assert body["status"] == "in-progress"
    assert f"recording {body['sid']} of {other.sid} is in-progress" in world.carrier.leftovers()
    one = f"{path}/Twilio.CURRENT.json"
    await done(world, "POST", one, Status="paused", PauseBehavior="skip")
    held = await done(world, "GET", f"{path}/{body['sid']}.json")
    assert held["status"] == "paused"
    await done(world, "POST", one, Status="in-progress")
    await world.carrier.exchange.clock.sleep(1.0)
    await done(world, "POST", one, Status="paused", PauseBehavior="silence")
    await world.carrier.exchange.clock.sleep(1.0)
    await done(world, "POST", one, Status="stopped")
    assert (await ask(world, "POST", one, Status="stopped")).status_code == 404
    await ready(world, body["sid"])
    recording = world.carrier.exchange.live.recordings[body["sid"]]
    (sound,) = recording.channels()
    assert sound.count(0x10) >= 7900 and sound[-8000:] == b"\xff" * 8000
    assert (await ask(world, "DELETE", f"/Recordings/{body['sid']}.json")).status_code == 204
    assert (await done(world, "GET", "/Recordings.json"))["recordings"] == []
    for leg in (call, other):
        await world.carrier.line(leg).hang_up()
        await leg.ended()
    gone = await ask(world, "POST", f"/Calls/{call.sid}/Recordings.json")
    assert gone.json()["code"] == 21220


async def test_created_calls_and_dials_can_be_recorded(world: Any) -> None:
    async def anna(line: Line) -> None:
        await line.say("this is anna")
        await line.hang_up()

    world.carrier.humans[world.ANNA] = Human(0.5, anna)
    callback = {"RecordingStatusCallback": f"{world.ORIGIN}/rec"}
    await create(world, Record="true", RecordingChannels="dual", **callback)
    assert (await world.app.form("/rec"))["RecordingSource"] == "OutboundAPI"
    dial = f'<Dial action="/after" record="record-from-answer">{world.ANNA}</Dial>'
    call = await world.call(f"<Response>{dial}</Response>")
    form = await world.app.form("/after")
    await call.ended()
    body = await ready(world, form["RecordingUrl"].rpartition("/")[2])
    assert (body["source"], body["call_sid"]) == ("DialVerb", call.sid)
    found = await wav(world, form["RecordingUrl"])
    assert same(sounds.voice_pattern("this is anna")[:4000]) in sounds.read_wav(found.content)
    assert not world.carrier.alerts


async def test_a_recording_under_way_ends_with_the_carrier(world: Any) -> None:
    async with StandinCarrier(speed=20) as carrier:
        carrier.humans["+15550100002"] = Human(0.1)
        leg: Leg = await carrier.take_from_queue("q", "+15550100002")
        await leg.answered()
    assert carrier.leftovers() == []


def test_a_wav_of_two_channels_interleaves_them() -> None:
    one, two = g711.encode([1000, 2000]), g711.encode([-1000, -2000])
    data = sounds.write_wav([one, two])
    assert sounds.read_wav(sounds.write_wav([one])) == one
    assert data[44:46] == g711.decode(one)[:1].tobytes()
    assert data[46:48] == g711.decode(two)[:1].tobytes()
