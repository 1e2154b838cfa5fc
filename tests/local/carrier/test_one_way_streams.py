"""One-way streams beside the call: their tracks, their duration, and who may stop them."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from hookflash_local.carrier import Human, Leg, Line

from .rest_parts import ask, create, done

SPEECH = b"\x10" * 800
OTHER = b"\x20" * 800


def start(world: Any, attributes: str = "", below: str = '<Pause length="60"/>') -> str:
    stream = f'<Stream url="{world.MEDIA}" {attributes}><Parameter name="k" value="v"/></Stream>'
    return f"<Response><Start>{stream}</Start>{below}</Response>"


def track(media: Any, name: str) -> bytes:
    return b"".join(
        base64.b64decode(message["media"]["payload"])
        for message in media.messages
        if message["event"] == "media" and message["media"]["track"] == name
    )


async def heard(media: Any, name: str, sound: bytes) -> None:
    """Wait until `sound` came up on a track."""
    tail, index = b"", 0
    while sound not in tail:
        assert not media.over.is_set()
        await media.grown.wait()
        for message in media.messages[index:]:
            if message["event"] == "media" and message["media"]["track"] == name:
                tail += base64.b64decode(message["media"]["payload"])
        index, tail = len(media.messages), tail[-100_000:]


async def hang_up(world: Any, call: Leg) -> None:
    await world.carrier.line(call).hang_up()
    await call.ended()


async def test_both_tracks_come_in_step_and_the_next_verb_runs_at_once(world: Any) -> None:
    call = await world.call(start(world, 'track="both_tracks" name="notes"', "<Say>hello</Say>"))
    media = await world.stream(call)
    await call.ended()
    await media.over.wait()
    opened = media.messages[1]["start"]
    assert opened["tracks"] == ["inbound", "outbound"]
    assert opened["customParameters"] == {"k": "v"}
    sent = [m for m in media.messages if m["event"] == "media"]
    assert [m["media"]["track"] for m in sent[:4]] == ["inbound", "outbound"] * 2
    assert [m["media"]["chunk"] for m in sent[:4]] == ["1", "1", "2", "2"]
    assert [m["media"]["timestamp"] for m in sent[:4]] == ["0", "0", "20", "20"]
    numbers = [int(m["sequenceNumber"]) for m in media.messages[1:]]
    assert numbers == list(range(1, len(numbers) + 1))
    assert media.messages[-1]["event"] == "stop"
    # Without the silence at its end: a stall of the machine makes more of it.
    outbound = track(media, "outbound").rstrip(b"\xff")
    assert outbound and outbound in call.recording().heard
    assert track(media, "inbound").strip(b"\xff") == b""
    assert not world.carrier.alerts


@pytest.mark.parametrize(
    ("attributes", "tracks"),
    [("", ["inbound"]), ('track="outbound_track"', ["outbound"])],
)
async def test_one_track_is_the_partys_voice_or_what_it_hears(
    world: Any, attributes: str, tracks: list[str]
) -> None:
    call = await world.call(start(world, attributes))
    media = await world.stream(call)
    await media.until("media", 5)
    assert media.messages[1]["start"]["tracks"] == tracks
    assert {m["media"]["track"] for m in media.messages if m["event"] == "media"} == set(tracks)
    await hang_up(world, call)


async def test_it_goes_on_through_a_dial_a_move_and_a_conference(worlds: Any) -> None:
    world = await worlds()

    async def anna(line: Line) -> None:
        await line.wait_for("bridged")
        while True:
            await line.play(OTHER * 10)

    async def caller(line: Line) -> None:
        while True:
            await line.play(SPEECH * 10)

    world.carrier.humans[world.ANNA] = Human(0.5, anna)
    below = f"<Dial>{world.ANNA}</Dial>"
    call = await world.call(start(world, 'track="both_tracks"', below), caller)
    media = await world.stream(call)
    await heard(media, "inbound", SPEECH)
    await heard(media, "outbound", OTHER)
    room = '<Response><Dial><Conference beep="false" waitUrl="">r</Conference></Dial></Response>'
    await create(world, call.sid, Twiml=room)
    await call.timeline.until("joined")
    other = await create(world, Twiml=room)
    await other.timeline.until("conference-joined")
    before = len(track(media, "outbound"))
    world.carrier.line(other).send(b"\x30" * 1600)
    await heard(media, "outbound", b"\x30" * 1600)
    assert len(track(media, "outbound")) > before
    await hang_up(world, call)
    await media.over.wait()
    await hang_up(world, other)
    assert not world.carrier.alerts


async def test_a_two_way_stream_may_run_beside_it(world: Any) -> None:
    text = start(world, 'name="notes"', f'<Connect><Stream url="{world.MEDIA}"/></Connect>')
    call = await world.call(text)
    await call.timeline.until("stream-started", count=2)
    for each in world.media.streams:
        await each.until("start")
    # Whichever connects first, the one-way stream is the one with parameters.
    two, one = sorted(
        world.media.streams, key=lambda media: len(media.messages[1]["start"]["customParameters"])
    )
    await two.play(SPEECH)
    await two.mark("m")
    await two.until("mark")
    await call.outbound_audio.frame(len(call.outbound_audio.recording) // 160 + 5)
    assert SPEECH in call.recording().heard
    world.carrier.line(call).leg.press("1")
    await two.until("dtmf")
    assert not [m for m in one.messages if m["event"] in ("dtmf", "mark")]
    await hang_up(world, call)
    assert not world.carrier.alerts


async def test_stop_ends_it_by_name_and_an_unknown_name_is_alerted(world: Any) -> None:
    below = (
        '<Say>hello there</Say><Stop><Stream name="notes"/></Stop><Stop><Stream name="x"/></Stop>'
        '<Pause length="60"/>'
    )
    told = f'name="notes" statusCallback="{world.ORIGIN}/stream"'
    call = await world.call(start(world, told, below))
    media = await world.stream(call)
    await media.over.wait()
    assert call.live and media.messages[-1]["event"] == "stop"
    await world.app.form("/stream", 1)
    forms = world.app.forms("/stream")
    assert [form["StreamEvent"] for form in forms] == ["stream-started", "stream-stopped"]
    assert {form["StreamName"] for form in forms} == {"notes"}
    assert world.carrier.alerts.codes() == [31900]
    await hang_up(world, call)


async def test_what_the_server_sends_is_a_mistake(world: Any) -> None:
    call = await world.call(start(world))
    media = await world.stream(call)
    await media.play(SPEECH)
    await media.until("media", 30)
    assert world.carrier.alerts.codes() == [31951]
    assert SPEECH not in call.recording().heard
    await hang_up(world, call)


async def test_the_server_may_close_it_and_the_call_goes_on(world: Any) -> None:
    call = await world.call(start(world))
    media = await world.stream(call)
    await media.connection.close()
    await call.timeline.until("stream-stopped")
    assert call.live
    await hang_up(world, call)


async def test_names_are_used_once_and_four_tracks_are_the_most(world: Any) -> None:
    nouns = [
        f'<Stream url="{world.MEDIA}" name="a" track="both_tracks"/>',
        f'<Stream url="{world.MEDIA}" name="a"/>',
        f'<Stream url="{world.MEDIA}" name="b" track="both_tracks"/>',
        f'<Stream url="{world.MEDIA}" name="c"/>',
        '<Stream url="http://h.test" name="d"/>',
        f'<Stream url="{world.MEDIA}" track="all"/>',
    ]
    text = f'<Response><Start>{"".join(nouns)}</Start><Pause length="60"/></Response>'
    call = await world.call(text)
    await call.timeline.until("stream-started", count=2)
    assert world.carrier.alerts.codes() == [31900, 31900, 31922, 31941]
    open_ones = [each for each in world.carrier.leftovers() if "stream" in each]
    assert len(open_ones) == 2
    await hang_up(world, call)


async def test_rest_starts_and_stops_streams(world: Any) -> None:
    world.carrier.humans[world.ANNA] = Human(0.1)
    call = await create(world)
    await call.answered()
    path = f"/Calls/{call.sid}/Streams"
    parameters = {"Parameter1.Name": "k", "Parameter1.Value": "v"}
    body = await done(
        world, "POST", f"{path}.json", Url=world.MEDIA, Name="n", Track="both_tracks", **parameters
    )
    assert (body["status"], body["name"]) == ("in-progress", "n")
    media = await world.stream(call)
    assert media.messages[1]["start"]["customParameters"] == {"k": "v"}
    assert (await done(world, "POST", f"{path}/n.json", Status="stopped"))["status"] == "stopped"
    await media.over.wait()
    assert (await ask(world, "POST", f"{path}/n.json", Status="stopped")).status_code == 404
    await hang_up(world, call)
    gone = await ask(world, "POST", f"{path}.json", Url=world.MEDIA)
    assert gone.json()["code"] == 21220
    assert not world.carrier.alerts
