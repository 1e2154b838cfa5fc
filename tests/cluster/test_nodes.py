"""Calls on several nodes: webhooks and streams reach any of them, and nodes fail."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from websockets.asyncio.client import connect

from hookflash import Agent
from hookflash_local.carrier import Human, Line, faults
from hookflash_local.carrier.webhooks import sign

from ..scenarios.conftest import DESK, PUBLIC, eventually, samples, shop
from ..scenarios.test_handoff import (
    BACK,
    FAREWELL,
    GREETING,
    HUMAN,
    ask_for_a_human,
    asked_to,
    desk,
    greeted,
    say,
)
from .nodes_stage import NodesStage, nodes_stage

AGAIN = 0x2B


def script_agent(s: NodesStage) -> None:
    on = s.model.on
    on("response.create", [say("greeting", 800, GREETING, "Hello.")], where=asked_to("just begun"))
    on("response.create", [say("bye", 900, FAREWELL)], where=asked_to("connected to"))
    on("response.create", [say("back", 900, BACK)], where=asked_to("could not reach"))
    on("response.create", [say("again", 900, AGAIN)], where=asked_to("interrupted"))


async def replayed(s: NodesStage, name: str, call_sid: str, token: str) -> int | None:
    """Open a stream on a node with a token that was used. Return the code that closes it."""
    url = f"{PUBLIC.replace('https', 'wss')}/twilio/media"
    start = {
        "event": "start",
        "sequenceNumber": "1",
        "streamSid": f"MZ{'0' * 31}1",
        "start": {
            "streamSid": f"MZ{'0' * 31}1",
            "accountSid": s.carrier.account_sid,
            "callSid": call_sid,
            "tracks": ["inbound"],
            "customParameters": {"token": token},
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
        },
    }
    async with connect(
        f"ws://127.0.0.1:{s[name].port}/twilio/media",
        additional_headers={"X-Twilio-Signature": sign(s.carrier.auth_token, url)},
        compression=None,
        proxy=None,
    ) as socket:
        await socket.send(json.dumps(start))
        await socket.wait_closed()
        return socket.close_code


Opened = Callable[..., contextlib.AbstractAsyncContextManager[NodesStage]]


@pytest.fixture
def three(tmp_path: Path) -> Opened:
    @contextlib.asynccontextmanager
    async def opened(
        make: Callable[[], Agent] = shop, *names: str, **options: object
    ) -> AsyncIterator[NodesStage]:
        async with nodes_stage(tmp_path, make, *names, **options) as s:  # type: ignore[arg-type]
            script_agent(s)
            yield s

    return opened


async def test_all_of_a_call_on_one_node_opens_one_session(three: Opened) -> None:
    async with three() as s:

        async def script(line: Line) -> None:
            await greeted(line)
            assert s.owners(line.leg.sid) == ["a"]
            await line.hang_up()

        call = await s.call(script)
        record = await s.record(call)
        assert samples(call.recording().heard, GREETING) == 6400
        assert len(s.model.server.sessions) == 1
        assert record.disposition == "handled_by_agent"


async def test_the_stream_on_another_node_takes_the_call_there(three: Opened) -> None:
    async with three() as s:
        s.route("/twilio/media", "b")

        async def script(line: Line) -> None:
            await greeted(line)
            assert s.owners(line.leg.sid) == ["b"]
            assert s["a"].calls() == []
            await line.hang_up()

        call = await s.call(script)
        record = await s.record(call)
        # The caller hears the greeting once, and nothing of an interruption.
        assert samples(call.recording().heard, GREETING) == 6400
        assert samples(call.recording().heard, AGAIN) == 0
        assert record.caller.endswith("0009") and record.agent == "shop"


async def test_a_voice_webhook_that_is_repeated_elsewhere_gets_the_same_answer(
    three: Opened,
) -> None:
    async with three() as s:
        s.carrier.faults.webhooks.append(faults.Twice())

        async def script(line: Line) -> None:
            await greeted(line)
            assert len(s.owners(line.leg.sid)) == 1
            await line.hang_up()

        s.route("/twilio/voice", "c")
        call = await s.call(script)
        await s.record(call)
        assert samples(call.recording().heard, GREETING) == 6400


async def test_a_hand_off_works_wherever_its_webhooks_land(three: Opened) -> None:
    async with three() as s:
        s.route("/twilio/media", "b")
        s.route("/twilio/human", "c")
        s.route("/twilio/dial", "c")
        s.route("/twilio/leg", "c")
        s.carrier.humans[DESK] = Human(1.0, desk)

        async def script(line: Line) -> None:
            await greeted(line)
            await ask_for_a_human(s)
            await line.wait_for("bridged")
            assert s.owners(line.leg.sid) == ["b"]

        call = await s.call(script)
        record = await s.record(call)
        assert samples(call.recording().heard, HUMAN) == 8000
        assert record.disposition == "handed_off"
        assert s["c"].nodes.forwarded == 1


async def test_a_killed_owner_s_call_goes_on_elsewhere(three: Opened) -> None:
    async with three() as s:
        loop = asyncio.get_running_loop()
        times: dict[str, float] = {}

        async def script(line: Line) -> None:
            await greeted(line)
            s.route_all("b")
            s["a"].kill()
            times["killed"] = loop.time()
            await eventually(lambda: s.owners(line.leg.sid) == ["b"], 10)
            await line.wait_for_sound()
            times["sound"] = loop.time()
            await line.wait_for_silence(0.8)
            await line.hang_up()

        call = await s.call(script)
        record = await s.record(call)
        assert samples(call.recording().heard, AGAIN) == 7200
        assert samples(call.recording().heard, GREETING) == 6400
        assert times["sound"] - times["killed"] < 3.0
        assert record.agent == "shop" and record.caller.endswith("0009")
        assert record.utterances[0].text == "Hello."


async def test_a_paused_owner_changes_nothing_when_it_wakes_up(three: Opened) -> None:
    async with three() as s:

        async def script(line: Line) -> None:
            await greeted(line)
            s.route_all("b")
            s["a"].pause()
            line.leg.streams[-1].cut()
            await line.wait_for_sound()
            await line.wait_for_silence(0.8)
            assert s.owners(line.leg.sid) == ["b"]
            await line.pause(28.0)
            s["a"].resume()
            await line.pause(2.0)
            assert s.owners(line.leg.sid) == ["b"]
            assert s["a"].calls() == []
            await line.hang_up()

        call = await s.call(script)
        record = await s.record(call)
        heard = call.recording().heard
        assert (samples(heard, GREETING), samples(heard, AGAIN)) == (6400, 7200)
        assert record.utterances[0].text == "Hello."
        assert record.seconds > 30


async def test_a_hand_off_whose_owner_stands_still_is_finished_elsewhere(three: Opened) -> None:
    async with three() as s:
        s.carrier.humans[DESK] = Human(3.0, desk)

        async def script(line: Line) -> None:
            await greeted(line)
            await ask_for_a_human(s)
            await line.pause(3.0)
            s.route_all("b")
            s["a"].pause()
            await line.wait_for("bridged")

        call = await s.call(script)
        record = await s.record(call)
        s["a"].resume()
        await asyncio.sleep(5.0)
        assert await s["b"].line.store.get(call.sid) == record
        assert samples(call.recording().heard, HUMAN) == 8000
        assert record.disposition == "handed_off"


async def test_the_store_may_be_down_in_the_middle_of_calls(three: Opened) -> None:
    async with three() as s:
        s.route("/twilio/media", "b")
        began = asyncio.Event()

        async def long(line: Line) -> None:
            await greeted(line)
            began.set()
            await line.pause(40.0)
            assert s.owners(line.leg.sid) == ["b"]
            await line.hang_up()

        async def short(line: Line) -> None:
            await greeted(line)
            await line.pause(1.0)
            await line.hang_up()

        first = await s.call(long)
        await began.wait()
        for node in s.nodes.values():
            node.link.down = True
        await asyncio.sleep(3.0)
        s.route_all("c")
        second = await s.call(short, caller="+15550100008")
        await second.ended()
        await asyncio.sleep(12.0)
        assert s.owners(first.sid) == ["b"]
        for node in s.nodes.values():
            node.link.down = False
        s.engine.clear()
        await asyncio.sleep(5.0)
        # The node has registered again, and the journal has caught up.
        lease = s.engine.call(first.sid).owner
        assert lease is not None and lease.node == s["b"].nodes.name
        assert s["b"].line is not None
        journal = await s["b"].line.journals.read(first.sid)
        assert journal.startswith(b"".join(s.engine.call(first.sid).journal)[:-1])
        assert len(journal) - s.engine.call(first.sid).size < 500
        record = await s.record(first)
        assert samples(first.recording().heard, GREETING) == 6400
        assert samples(first.recording().heard, AGAIN) == 0
        assert samples(second.recording().heard, GREETING) == 6400
        assert (await s.record(second)).disposition == record.disposition


async def test_a_node_that_is_cut_off_from_the_store_stops_acting(three: Opened) -> None:
    async with three() as s:

        async def script(line: Line) -> None:
            await greeted(line)
            s.route_all("b")
            s["a"].link.down = True
            await line.pause(4.0)
            assert not s["a"].nodes.ready and s["b"].nodes.ready
            assert s.owners(line.leg.sid) == ["b"]
            await line.wait_for_silence(0.8)
            s["a"].link.down = False
            await line.pause(3.0)
            assert s.owners(line.leg.sid) == ["b"]
            await line.hang_up()

        call = await s.call(script)
        await s.record(call)
        assert samples(call.recording().heard, AGAIN) == 7200


async def test_a_node_that_is_left_alone_without_the_store_serves_after_a_while(
    three: Opened,
) -> None:
    async with three(shop, "a", "b") as s:
        s["b"].kill()
        s["a"].link.down = True
        await asyncio.sleep(20.0)
        assert s["a"].nodes.ready

        async def script(line: Line) -> None:
            await greeted(line)
            await line.pause(5.0)
            assert s.owners(line.leg.sid) == ["a"]
            await line.hang_up()

        call = await s.call(script)
        await s.record(call)
        assert samples(call.recording().heard, GREETING) == 6400


async def test_a_node_that_is_asked_to_end_gives_its_calls_to_others(three: Opened) -> None:
    async with three() as s:

        async def script(line: Line) -> None:
            await greeted(line)
            s.route_all("b")
            s["a"].stop.set()
            await line.wait_for_sound()
            assert s.owners(line.leg.sid) == ["b"]
            await line.wait_for_silence(0.8)
            await line.hang_up()

        call = await s.call(script)
        record = await s.record(call)
        assert samples(call.recording().heard, AGAIN) == 7200
        assert record.utterances[0].text == "Hello."


async def test_nodes_that_end_at_the_same_time_give_their_calls_to_nobody(three: Opened) -> None:
    async with three(shop, "a", "b") as s:
        s.carrier.humans[DESK] = Human(1.0, desk)

        async def script(line: Line) -> None:
            await greeted(line)
            for node in s.nodes.values():
                node.stop.set()
            await line.wait_for("bridged")

        # The caller is handed off to a human, as one machine does when it ends.
        call = await s.call(script)
        await call.ended()
        assert samples(call.recording().heard, HUMAN) == 8000


async def test_an_erased_call_leaves_nothing_in_the_store(three: Opened) -> None:
    async with three() as s:

        async def script(line: Line) -> None:
            await greeted(line)
            await line.hang_up()

        call = await s.call(script)
        await s.record(call)
        await asyncio.sleep(1.0)
        assert s.engine.call(call.sid).journal
        s["b"].nodes.forget(call.sid)
        await asyncio.sleep(0.1)
        assert s.engine.call(call.sid).journal == []


async def test_a_draining_node_gives_a_new_call_to_another(three: Opened) -> None:
    async with three(settings={"drain_seconds": 60}) as s:
        began = asyncio.Event()

        async def first(line: Line) -> None:
            await greeted(line)
            s["a"].stop.set()
            began.set()
            await line.pause(10.0)
            assert s.owners(line.leg.sid) == ["a"]
            await line.hang_up()

        async def second(line: Line) -> None:
            await greeted(line)
            assert s.owners(line.leg.sid) == ["b"]
            await line.hang_up()

        one = await s.call(first)
        await began.wait()
        await asyncio.sleep(1.0)
        s.route("/twilio/media", "b")
        two = await s.call(second, caller="+15550100008")
        await s.record(two)
        await s.record(one)
        assert samples(two.recording().heard, GREETING) == 6400


async def test_a_token_is_worth_nothing_the_second_time_on_any_node(three: Opened) -> None:
    async with three() as s:
        s.route("/twilio/media", "b")

        async def script(line: Line) -> None:
            await greeted(line)
            _, parameters, _ = line.leg.streams[-1]._about
            for name in ("a", "b", "c"):
                code = await replayed(s, name, line.leg.sid, parameters["token"])
                assert code in (1000, 1008)
            assert s.owners(line.leg.sid) == ["b"]
            await line.hang_up()

        call = await s.call(script)
        await s.record(call)
        assert samples(call.recording().heard, GREETING) == 6400


@pytest.mark.parametrize(
    ("media", "expected_ms"), [("a", 240), ("b", 280)], ids=["same node", "other node"]
)
async def test_how_soon_the_agent_is_heard(three: Opened, media: str, expected_ms: int) -> None:
    """The figures of docs/topics/cluster.md: 40 ms to the model and to the carrier, each way."""
    async with three(shop, "a", "b", network_ms=40) as s:
        loop = asyncio.get_running_loop()
        for node in s.nodes.values():
            node.link.delay = 0.0005
        s.route("/twilio/media", media)
        heard: list[float] = []

        async def script(line: Line) -> None:
            await line.wait_for_sound()
            heard.append(loop.time())
            await line.pause(3.0)
            await line.hang_up()

        began = loop.time()
        call = await s.call(script)
        await s.record(call)
        assert 1000 * (heard[0] - began) == pytest.approx(expected_ms, abs=21)


async def test_what_the_store_costs_a_minute_of_a_call(three: Opened) -> None:
    """The figures of docs/topics/cluster.md: the caller and the agent take turns every 6 s."""
    async with three(shop, "a") as s:
        loop = asyncio.get_running_loop()
        answer = say("answer", 2500, AGAIN, "We have bicycles of three sizes in the shop today.")
        asked = {"hears": {"text": "what sizes have you got", "ms": 1200, "respond": True}}
        s.model.on("response.create", [answer])
        shipper = s["a"].nodes._shipper

        async def script(line: Line) -> None:
            await greeted(line)
            began, operations, size = loop.time(), s.engine.operations, shipper.bytes
            for _ in range(10):
                await s.model.perform([asked, answer])
                await line.pause(6.0)
            minutes = (loop.time() - began) / 60
            # Two requests a second are the node's own, whatever the number of its calls.
            operations = round((s.engine.operations - operations) / minutes) - 120
            size = round((shipper.bytes - size) / minutes)
            print(f"a minute: {operations} operations, {size} bytes")
            assert operations <= 130
            assert 5_000 < size < 80_000
            await line.hang_up()

        call = await s.call(script)
        await s.record(call)
