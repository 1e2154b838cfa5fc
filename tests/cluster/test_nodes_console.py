"""The console of each node shows and moves the calls of all nodes, and their sound is relayed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from websockets.asyncio.client import connect

from hookflash_local.carrier import Human, Line

from ..scenarios.acts import WELCOME, hear, script_whole_agent, talk
from ..scenarios.conftest import DESK, PUBLIC, samples, shop
from ..scenarios.test_console import Page, page, users
from ..scenarios.test_consult import BRIEFING, script_agents
from ..scenarios.test_consult import ask_for_a_human as ask_agent
from ..scenarios.test_consult import desk as consulted
from ..scenarios.test_handoff import GREETING, greeted
from ..scenarios.test_meeting import CALLER, HUMAN, ask_for_a_human, asked_to, say
from .nodes_stage import NodesStage, nodes_stage

__all__ = ["users"]


async def signed_in_everywhere(s: NodesStage, opened: Page) -> None:
    """Check that a session of one node is valid on each."""
    for node in s.nodes.values():
        opened.client.base_url = f"http://127.0.0.1:{node.port}"
        assert (await opened.get("/console/session"))["name"] == "anna"


async def test_a_call_of_one_node_is_seen_moved_and_ended_at_another(tmp_path, users):
    async with nodes_stage(tmp_path, shop, settings=users) as s:
        script_whole_agent(s)
        s.carrier.humans[DESK] = Human.accepts(0.5, then=talk)
        s.route("/twilio/media", "b")
        talking = asyncio.Event()

        async def script(line: Line) -> None:
            await greeted(line)
            talking.set()
            await line.connected()
            await line.play(bytes([CALLER]) * 8000)
            await hear(line, HUMAN, 900)
            await hear(line, WELCOME)
            await line.hang_up()

        async with page(s) as p:
            await signed_in_everywhere(s, p)
            p.client.base_url = f"http://127.0.0.1:{s['c'].port}"
            call = await s.call(script)
            await talking.wait()
            assert s.owners(call.sid) == ["b"]
            listed = await p.get("/api/calls")
            assert [each["call_sid"] for each in listed["calls"]] == [call.sid]
            assert listed["missing"] == []
            async with p.feed(call=call.sid) as feed:
                wanted = {"destination": "me", "reason": "I know them", "summary": "A regular."}
                assert (await p.act(call.sid, "handoff", **wanted)).status_code == 202
                await feed.until(lambda event: "with human" in str(event))
                await asyncio.sleep(4.0)
                assert (await p.act(call.sid, "giveback")).status_code == 202
                await feed.until(lambda event: event["type"] == "CallOver")
            await s.record(call)
            heard = call.recording().heard
            assert samples(heard, HUMAN) == 8000
            assert samples(heard, WELCOME) == 900 * 8
            again = await p.act(call.sid, "hangup", reason="")
            assert again.status_code in (202, 404)


async def test_a_call_of_one_node_is_heard_at_another(tmp_path, users):
    async with nodes_stage(tmp_path, shop, settings=users) as s:
        s.model.on("response.create", [say("hi", 800, GREETING)], where=asked_to("just begun"))
        listening = asyncio.Event()

        async def script(line: Line) -> None:
            await greeted(line)
            await listening.wait()
            await line.play(bytes([CALLER]) * 8000)
            await line.pause(1.0)
            await line.hang_up()

        async with page(s) as p:
            call = await s.call(script)
            await asyncio.sleep(2.0)
            cookie = p.client.headers["Cookie"]
            async with connect(
                f"ws://127.0.0.1:{s['c'].port}/console/calls/{call.sid}/listen",
                additional_headers={"Cookie": cookie, "Origin": PUBLIC},
                compression=None,
                proxy=None,
            ) as socket:
                listening.set()
                sound = b"".join([frame async for frame in socket if isinstance(frame, bytes)])
            assert samples(sound[::2], CALLER) == 8000
            await s.record(call)


async def test_the_agent_s_talk_with_a_human_is_relayed_to_the_caller_s_node(tmp_path):
    async with nodes_stage(tmp_path, lambda: shop(manner="consult")) as s:
        script_agents(s, "connect_caller")
        s.carrier.humans[DESK] = Human(0.5, consulted)

        async def script(line: Line) -> None:
            await ask_agent(s, line)
            s.route("/twilio/media", "b")
            s.route("/twilio/human", "c")
            await line.connected()

        call = await s.call(script)
        record = await s.record(call)
        (human,) = [leg for leg in s.carrier.calls if leg is not call]
        assert samples(human.recording().heard, BRIEFING) == 900 * 8
        assert samples(call.recording().heard, HUMAN) == 8000
        assert record.disposition == "handed_off"


@pytest.mark.parametrize("node", ["a", "b"])
async def test_what_is_said_with_a_human_is_noted_wherever_its_stream_lands(
    tmp_path: Path, node: str
) -> None:
    async with nodes_stage(tmp_path, lambda: shop(manner="warm", notes=True)) as s:
        script_whole_agent(s)
        s.carrier.humans[DESK] = Human.accepts(0.5, then=talk)
        s.route("/twilio/notes", node)

        async def script(line: Line) -> None:
            await ask_for_a_human(s, line)
            await hear(line, HUMAN)
            await line.pause(2.0)
            await line.hang_up()

        call = await s.call(script)
        await s.record(call)
        heard = [bytes(s.model.heard[each]) for each in s.model.server.sessions]
        assert max(samples(each, HUMAN) for each in heard) > 7000
