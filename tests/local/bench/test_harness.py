"""The programs in C do what they are there for: the bare relay relays, the load is a carrier and a
model, and what is measured has passed through in between."""

from __future__ import annotations

import asyncio
import base64
import json
import time

import msgspec
import pytest
import websockets
from websockets.asyncio.server import ServerConnection, serve

from hookflash_local.bench.harness import BURSTS, LOADS, Delay, Harness, LoadedRelay, Window
from hookflash_local.bench.processes import Placement, cores
from hookflash_local.bench.programs import BenchError, LoadGenerator, Programs

PIECES_CUT = 2000
CYCLE_SECONDS = 5.0
"""A turn of the load `bursts`, on average."""

PIECE = base64.b64encode(bytes(160)).decode()


@pytest.mark.realtime
async def test_the_reference_relays_every_piece_and_clears_when_a_caller_speaks(
    programs: Programs,
) -> None:
    async with Harness(programs).reference() as loaded:
        await refuses_what_is_no_websocket(loaded)
        await loaded.place(3)
        window = await loaded.measure(1.0, settle=0.1)
        assert window.calls == 3
        assert window.unreadable == 0
        for delay in (window.up, window.down):
            assert delay.count > 0
            assert delay.lost == 0
            assert 0 < delay.p50 <= delay.p99 <= delay.max
        assert window.cpu_ms > 0
        assert window.odd_up.count == window.odd_down.count == 0
        assert window.barge_in.count == 0

        loaded.load.order("barge", 0.5)
        window = await loaded.measure(1.5, settle=0.1)
        assert window.barge_in.count > 0
        # One that is under way when the window begins or ends counts on one side only.
        assert abs(window.barge_in.sent - window.barge_in.count) <= window.calls
        assert window.barge_in.p50 > 0
        assert loaded.load.gone == []
        await loaded.end()
        assert (await loaded.measure(0.1, settle=0)).calls == 0


async def refuses_what_is_no_websocket(loaded: LoadedRelay) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", loaded.relay.port)
    writer.write(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
    assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()
    async with websockets.connect(f"ws://127.0.0.1:{loaded.relay.port}/") as socket:
        # A masked frame as the standard wants it, and the answer to a ping.
        await asyncio.wait_for(await socket.ping(), 30)


@pytest.mark.realtime
@pytest.mark.parametrize("load", LOADS)
async def test_the_minimal_relay_relays_every_piece_and_clears_when_a_caller_speaks(
    programs: Programs, load: str
) -> None:
    async with Harness(programs, load=load).minimal() as loaded:
        await loaded.place(3)
        loaded.load.order("barge", 0.5)
        window = (await loaded.measure(CYCLE_SECONDS, settle=0.1)).check()
        assert window.calls == 3
        for delay in (window.up, window.down):
            assert delay.count > 0
            assert delay.lost == 0
            assert 0 < delay.p50 <= delay.p99 <= delay.max
        assert window.barge_in.count > 0
        assert loaded.load.gone == []
        await loaded.end()
        assert (await loaded.measure(0.1, settle=0)).calls == 0


@pytest.mark.realtime
async def test_bursts_are_faster_than_real_time_and_leave_pauses(programs: Programs) -> None:
    """A call gets about 2.4 deltas per second: 0.6 s of speech, in deltas of 250 ms on average.

    Its caller sends 50 frames per second, as without jitter.
    """
    async with Harness(programs, load=BURSTS).reference() as loaded:
        await loaded.place(20)
        window = (await loaded.measure(CYCLE_SECONDS, settle=0.1)).check()
        assert window.unreadable == window.up.lost == window.down.lost == 0
        called = window.calls * window.seconds
        # A frame that a busy machine makes too late is skipped and counted.
        assert 45 < (window.up.sent + window.skipped) / called < 55
        assert 1.5 < window.down.sent / called < 3.5
        assert 0 < window.barge_in.sent < called / 5


@pytest.mark.realtime
async def test_a_delta_that_the_relay_sends_in_parts_is_read(programs: Programs) -> None:
    """With a lead of 400 ms Hookflash sends at most 200 ms at once; deltas have up to 400 ms."""
    environ = {"HOOKFLASH_LEAD_MS": "400"}
    async with Harness(programs, load=BURSTS).hookflash(environ=environ) as loaded:
        await loaded.place(3)
        window = await loaded.measure(CYCLE_SECONDS, settle=0.1)
        assert window.unreadable == window.down.lost == 0
        assert window.down.count > 0
        assert loaded.load.gone == []


@pytest.mark.realtime
async def test_bad_peers_do_what_they_were_told_to(programs: Programs) -> None:
    async with Harness(programs).reference() as loaded:
        await loaded.place(3)
        loaded.load.order("jitter", 1.0, 80)
        window = await loaded.measure(1.0, settle=0.1)
        assert window.up.lost == window.down.lost == window.odd_up.count == 0
        loaded.load.order("jitter", 0, 0)

        loaded.load.order("flood", loaded.live[0], 1000)
        window = await loaded.measure(1.0, settle=0.1)
        assert window.odd_up.count > 2 * window.up.count > 0
        assert window.up.lost == window.odd_up.lost == 0

        for who, reads, others in (("model", "odd_down", "odd_up"), ("carrier", None, "odd_down")):
            loaded.load.order(f"stall-{who}", loaded.live[0])
            window = await loaded.measure(0.5, settle=0.1)
            assert getattr(window, others).count == 0
            assert reads is None or getattr(window, reads).count > 0
            assert window.up.count > 0 and window.down.count > 0


@pytest.mark.realtime
async def test_marks_come_back_when_their_sound_was_played_or_cleared(programs: Programs) -> None:
    """The load is told to call a relay of ours, which sends sound and marks and notes the time."""
    back: dict[str, float] = {}
    heard = asyncio.Event()

    async def relay(socket: ServerConnection) -> None:
        assert json.loads(await socket.recv())["event"] == "connected"
        start = json.loads(await socket.recv())
        assert start["start"]["customParameters"] == {"token": "secret"}
        sid = start["streamSid"]

        async def say(event: str, **more: object) -> None:
            await socket.send(json.dumps({"event": event, "streamSid": sid, **more}))

        async def sound(name: str, pieces: int) -> None:
            for _ in range(pieces):
                await say("media", media={"payload": PIECE})
            await say("mark", mark={"name": name})

        await say("mark", mark={"name": "nothing before it"})
        began = time.monotonic()
        await sound("first", 5)
        await sound("second", 5)
        await sound("cut", PIECES_CUT)
        async for message in socket:
            said = json.loads(message)
            if said["event"] != "mark":
                continue
            back[said["mark"]["name"]] = time.monotonic() - began
            if said["mark"]["name"] == "second":
                await say("clear")
            if said["mark"]["name"] == "cut":
                heard.set()

    async with serve(relay, "127.0.0.1", 0) as server:
        load = await LoadGenerator.start(programs.load, placement=Placement(tuple(cores()[-1:])))
        load.order("relay", server.sockets[0].getsockname()[1])
        load.order("call", "CA1", "/media", "-", "secret", 0)
        await asyncio.wait_for(heard.wait(), 30)
        await load.stop()
    assert list(back) == ["nothing before it", "first", "second", "cut"]
    assert back["nothing before it"] < back["first"]
    assert back["first"] >= 0.1
    assert back["second"] >= 0.2
    assert back["cut"] < PIECES_CUT / 50, "long before it would have been played"


def window(**changes: object) -> Window:
    none = Delay(count=0, sent=0, lost=0, mean=0, p50=0, p99=0, p999=0, max=0)
    kinds = ("up", "down", "barge_in", "ledger", "late")
    kinds += ("odd_up", "odd_down", "odd_barge_in", "odd_ledger")
    plain: dict[str, object] = dict.fromkeys(kinds, none)
    plain |= {"calls": 1, "seconds": 1.0, "cpu_ms": 1.0, "cpu_share": 0.1, "load_share": 0.1}
    plain |= {"foreign_share": 0.0}
    plain |= {"unreadable": 0, "skipped": 0}
    return msgspec.convert({**plain, **changes}, Window, from_attributes=True)


def test_a_window_in_which_the_relay_did_not_work_is_no_measurement() -> None:
    assert window().check() == window()
    with pytest.raises(BenchError, match="got 3 invalid"):
        window(unreadable=3).check()
    halved = Delay(count=50, sent=100, lost=50, mean=1, p50=1, p99=1, p999=1, max=1)
    with pytest.raises(
        BenchError, match="down: expected at least 90 % of the 100 audio messages sent, got 50"
    ):
        window(down=halved).check()
