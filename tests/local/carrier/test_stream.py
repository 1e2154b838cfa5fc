"""Media streams, checked against the carrier's own record of what was heard."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import pytest
from twilio.request_validator import RequestValidator

from hookflash_local.carrier import AUTH_TOKEN, Line, StandinCarrier, Unconfirmed
from hookflash_local.simulation.loop import VirtualLoop


async def test_a_stream_begins_with_connected_and_start_and_is_signed(world: Any) -> None:
    call = await world.call(
        world.STREAM.replace(
            "/></Connect>", '><Parameter name="token" value="t"/></Stream></Connect>'
        )
    )
    media = await world.stream(call)
    assert media.messages[0] == {"event": "connected", "protocol": "Call", "version": "1.0.0"}
    sid = call.streams[0].sid
    assert media.messages[1] == {
        "event": "start",
        "sequenceNumber": "1",
        "streamSid": sid,
        "start": {
            "accountSid": world.carrier.account_sid,
            "streamSid": sid,
            "callSid": call.sid,
            "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
            "customParameters": {"token": "t"},
        },
    }
    signature = media.headers["X-Twilio-Signature"]
    assert RequestValidator(AUTH_TOKEN).validate(world.MEDIA, {}, signature)
    assert media.headers["Host"] == f"127.0.0.1:{world.media.port}"
    assert world.app.bad_signatures == []


async def test_the_callers_voice_goes_up_in_20_ms_frames_sample_by_sample(world: Any) -> None:
    voice = bytes(range(1, 161)) * 10

    async def caller(line: Line) -> None:
        await line.wait_for("stream-started")
        await line.pause(0.1)
        await line.play(voice)

    call = await world.call(world.STREAM, caller)
    media = await world.stream(call)
    await media.until("media", 40)
    frames = [m for m in media.messages if m["event"] == "media"]
    assert [m["media"]["chunk"] for m in frames[:3]] == ["1", "2", "3"]
    assert [m["media"]["timestamp"] for m in frames[:3]] == ["0", "20", "40"]
    assert [m["sequenceNumber"] for m in frames[:3]] == ["2", "3", "4"]
    up = b"".join(base64.b64decode(m["media"]["payload"]) for m in frames)
    assert voice in up
    assert up.replace(voice, b"").strip(b"\xff") == b""
    assert {len(base64.b64decode(m["media"]["payload"])) for m in frames} == {160}


async def test_a_media_message_may_carry_more_of_the_callers_voice(worlds: Any) -> None:
    world = await worlds(media_frame_ms=200)
    voice = bytes(range(1, 161)) * 25

    async def caller(line: Line) -> None:
        await line.wait_for("stream-started")
        await line.pause(0.1)
        await line.play(voice)

    call = await world.call(world.STREAM, caller)
    media = await world.stream(call)
    await media.until("media", 7)
    frames = [m["media"] for m in media.messages if m["event"] == "media"]
    sizes = [len(base64.b64decode(each["payload"])) for each in frames]
    # The carrier's clock is cut into pieces of 200 ms, and the stream begins within one.
    assert 0 < sizes[0] <= 1600 and sizes[0] % 160 == 0
    assert set(sizes[1:]) == {1600}
    assert [each["chunk"] for each in frames] == [str(n + 1) for n in range(len(frames))]
    assert [each["timestamp"] for each in frames] == [
        str(sum(sizes[:number]) // 8) for number in range(len(frames))
    ]
    assert voice in b"".join(base64.b64decode(each["payload"]) for each in frames)


@pytest.mark.parametrize("milliseconds", [0, 10, 30])
def test_a_media_message_carries_a_multiple_of_20_ms(milliseconds: int) -> None:
    with pytest.raises(ValueError, match="multiple of 20"):
        StandinCarrier(media_frame_ms=milliseconds)


async def test_what_is_sent_down_is_heard_and_its_mark_comes_back_after_it(world: Any) -> None:
    call = await world.call(world.STREAM)
    media = await world.stream(call)
    await media.play(b"\x11" * 1600)
    await media.mark("a")
    await media.play(b"\x22" * 1600)
    await media.mark("b")
    await media.until("mark", 2)
    assert media.names() == ["a", "b"]
    heard = call.streams[0].playout.heard(world.carrier.now())
    assert heard.strip(b"\xff") == b"\x11" * 1600 + b"\x22" * 1600
    await media.until("media", int(media.messages[-1]["sequenceNumber"]) + 2)
    assert b"\x11" * 1600 + b"\x22" * 1600 in call.recording().heard


async def test_clear_returns_every_mark_at_once_and_the_rest_is_never_heard(world: Any) -> None:
    call = await world.call(world.STREAM)
    media = await world.stream(call)
    await media.play(b"\x11" * 80_000)
    await media.mark("a")
    await media.mark("b")
    await media.until("media", 20)
    await media.clear()
    await media.until("mark", 2)
    assert media.names() == ["a", "b"]
    stream = call.streams[0]
    assert 0 < stream.playout.played(world.carrier.now()) < 80_000
    assert stream.playout.buffered_ms(world.carrier.now()) == 0
    assert call.timeline.find("clear")


async def test_a_carrier_may_forget_the_marks_that_were_cleared(world: Any) -> None:
    world.carrier.faults.returns_cleared_marks = False
    call = await world.call(world.STREAM)
    media = await world.stream(call)
    await media.play(b"\x11" * 80_000)
    await media.mark("gone")
    await media.clear()
    await media.mark("kept")
    await media.until("mark")
    assert media.names() == ["kept"]


async def test_keys_go_up_as_dtmf(world: Any) -> None:
    call = await world.call(world.STREAM)
    media = await world.stream(call)
    await world.carrier.line(call).press("5")
    message = await media.until("dtmf")
    assert message["dtmf"] == {"track": "inbound_track", "digit": "5"}


async def test_the_servers_close_ends_connect_and_the_action_is_asked(world: Any) -> None:
    world.app.answers["/next"] = "<Response><Hangup/></Response>"
    call = await world.call(world.STREAM)
    media = await world.stream(call)
    await media.connection.close()
    await call.ended()
    assert (await world.app.form("/next"))["CallSid"] == call.sid
    assert "stop" not in [m["event"] for m in media.messages]
    assert not world.carrier.alerts
    assert call.status == "completed"


async def test_a_close_with_another_code_than_1000_is_alerted(world: Any) -> None:
    call = await world.call(world.STREAM)
    media = await world.stream(call)
    await media.connection.close(1011)
    await call.ended()
    assert world.carrier.alerts.codes() == [31921]


async def test_a_hang_up_sends_stop_and_closes(world: Any) -> None:
    call = await world.call(world.STREAM)
    media = await world.stream(call)
    await world.carrier.line(call).hang_up()
    await media.over.wait()
    stop = media.messages[-1]
    assert stop["event"] == "stop"
    assert stop["stop"] == {"accountSid": world.carrier.account_sid, "callSid": call.sid}
    assert media.connection.close_code == 1000
    assert world.app.forms("/next") == []


async def test_wrong_messages_are_noticed_once_and_not_carried_out(world: Any) -> None:
    call = await world.call(world.STREAM)
    media = await world.stream(call)
    await media.connection.send(b"\x00")
    await media.connection.send("{}")
    await media.send("clear", more=1)
    await media.send("mark")
    await media.mark("after")
    await media.until("mark")
    assert world.carrier.alerts.codes() == [31950, 31951]
    assert media.names() == ["after"]


async def test_ten_minutes_ahead_is_dropped_with_an_alert(world: Any) -> None:
    call = await world.call(world.STREAM)
    media = await world.stream(call)
    for _ in range(11):
        await media.play(b"\x11" * 480_000)
    await media.mark("end")
    await media.clear()
    await media.until("mark")
    assert world.carrier.alerts.codes() == [31931]


async def test_a_refused_upgrade_falls_through_to_the_action(world: Any) -> None:
    wrong = world.STREAM.replace("media.example.test/media", "line.example.test/none")
    call = await world.call(wrong)
    await call.ended()
    assert world.carrier.alerts.codes() == [31920]
    assert len(world.app.forms("/next")) == 1


async def test_urls_that_twilio_does_not_take_are_alerted(world: Any) -> None:
    for url, code in (
        ("ws://127.0.0.1:1/media", 31922),
        (world.MEDIA + "?token=1", 31920),
        ("wss://elsewhere.example.test/media", 31904),
    ):
        call = await world.call(world.STREAM.replace(world.MEDIA, url))
        await call.ended()
        assert world.carrier.alerts.codes()[-1] == code


async def test_insecure_streams_are_for_loopback_and_only_if_allowed(worlds: Any) -> None:
    world = await worlds(allow_insecure=True)
    url = f"ws://127.0.0.1:{world.media.port}/media"
    call = await world.call(world.STREAM.replace(world.MEDIA, url))
    media = await world.stream(call)
    await media.connection.close()
    await call.ended()
    assert not world.carrier.alerts


async def test_the_network_delays_each_way_and_keeps_the_order(worlds: Any) -> None:
    world = await worlds(network_ms=400)
    call = await world.call(world.STREAM)
    media = await world.stream(call)
    sent = world.carrier.now()
    await media.mark("a")
    await media.mark("b")
    await media.until("mark", 2)
    assert media.names() == ["a", "b"]
    assert world.carrier.now() - sent == pytest.approx(0.8)


async def test_a_cut_stream_ends_without_stop_and_the_call_goes_on(world: Any) -> None:
    world.carrier.faults.cut_streams_after = 0.2
    world.app.answers["/next"] = "<Response><Say>one moment</Say></Response>"
    call = await world.call(world.STREAM)
    media = await world.stream(call)
    await media.over.wait()
    await call.ended()
    assert "stop" not in [m["event"] for m in media.messages]
    assert world.carrier.alerts.codes() == [31903]
    assert call.timeline.find("say")[0].detail == {"text": "one moment"}


async def test_the_streams_own_status_is_told(world: Any) -> None:
    reported = world.STREAM.replace(
        "<Stream ", f'<Stream name="main" statusCallback="{world.ORIGIN}/stream" '
    )
    call = await world.call(reported)
    media = await world.stream(call)
    await media.connection.close()
    await world.app.form("/stream", 1)
    events = [form["StreamEvent"] for form in world.app.forms("/stream")]
    assert sorted(events) == ["stream-started", "stream-stopped"]
    assert world.app.forms("/stream")[0]["StreamName"] == "main"


async def test_a_stall_is_made_up_for_without_a_gap(world: Any) -> None:
    call = await world.call(world.STREAM)
    media = await world.stream(call)
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    loop.now += 1.0  # as if a callback had taken a second
    await media.until("media", 80)
    chunks = [int(m["media"]["chunk"]) for m in media.messages if m["event"] == "media"]
    assert chunks == list(range(1, len(chunks) + 1))


async def test_a_refused_upgrade_can_end_the_call_instead(worlds: Any) -> None:
    world = await worlds(unconfirmed=Unconfirmed(refused_stream_falls_through=False))
    wrong = world.STREAM.replace("media.example.test/media", "line.example.test/none")
    call = await world.call(wrong)
    await call.ended()
    assert world.app.forms("/next") == []


async def test_a_server_that_is_not_there_is_a_refused_connection(world: Any) -> None:
    world.carrier.tunnel["https://gone.example.test"] = "http://127.0.0.1:9"
    call = await world.call(world.STREAM.replace("media.example.test", "gone.example.test"))
    await call.ended()
    assert world.carrier.alerts.codes() == [31902]
    assert call.streams[0].error == 31902
    assert "31902" in str(world.carrier.alerts)


async def test_a_server_that_does_not_answer_the_upgrade_is_left_alone_on_hang_up(
    world: Any,
) -> None:
    accepted = asyncio.Event()

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.set()
        await reader.read(-1)
        writer.close()

    async with await asyncio.start_server(mute, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        world.carrier.tunnel["https://mute.example.test"] = f"http://127.0.0.1:{port}"
        first = await world.call(world.STREAM.replace("media.example.test", "mute.example.test"))
        await accepted.wait()
        await world.carrier.line(first).hang_up()
        await first.ended()
        assert world.carrier.alerts.codes() == []
        second = await world.call(world.STREAM.replace("media.example.test", "mute.example.test"))
        await second.ended()
        assert world.carrier.alerts.codes() == [31901]


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("<Stream ", '<Stream track="both_tracks" ', 31941),
        ("wss://media.example.test/media", "wss:///media", 31923),
        ("/></Connect>", f'><Parameter name="a" value="{"x" * 499}"/></Stream></Connect>', 12200),
        (f'<Stream url="{"wss://media.example.test/media"}"/>', "", 12200),
    ],
)
async def test_mistakes_in_the_stream_element_are_alerted(
    world: Any, old: str, new: str, code: int
) -> None:
    assert old in world.STREAM
    world.media.script = lambda media: media.connection.close()
    call = await world.call(world.STREAM.replace(old, new))
    await call.ended()
    assert world.carrier.alerts.codes() == [code]


async def test_jitter_keeps_order_and_loses_nothing(world: Any) -> None:
    world.carrier.faults.jitter_ms = 200
    call = await world.call(world.STREAM)
    media = await world.stream(call)
    for name in ("a", "b", "c"):
        await media.mark(name)
    await media.until("mark", 3)
    await media.until("media", 60)
    assert media.names() == ["a", "b", "c"]
    numbers = [int(m["sequenceNumber"]) for m in media.messages if m["event"] != "connected"]
    assert numbers == list(range(1, len(numbers) + 1))
