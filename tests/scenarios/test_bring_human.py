"""A human is brought to a call of the owner's own bridge, by REST: every outcome, on real calls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from hookflash import (
    CarrierError,
    Cold,
    ConfigError,
    Consult,
    HumanOutcome,
    Queue,
    Target,
    Warm,
    bring_human,
)
from hookflash_local.carrier import Human, Line, NumberConfig, Refused

from .conftest import CALLER, DESK, LINE, PUBLIC, SECOND_DESK, eventually, samples, shop
from .test_handoff import HUMAN, desk

OWN = "https://own.example.test"
BACK = f"{OWN}/back"
# A pause that comes first would not answer the call.
BRIDGE = b'<Response><Say>Hello.</Say><Pause length="600"/></Response>'
GOODBYE = b"<Response><Say>Goodbye.</Say><Hangup/></Response>"


@dataclass
class OwnBridge:
    """The owner's application: it has the call, and says goodbye when it comes back."""

    asked: list[str] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        self.asked.append(head.split(" ")[1])
        body = GOODBYE if self.asked[-1] == "/back" else BRIDGE
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nConnection: close\r\n"
            b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
        )
        await writer.drain()
        writer.close()


@dataclass
class Scene:
    stage: Any
    bridge: OwnBridge
    call: Any

    async def bring(self, plan: Any, **about: Any) -> HumanOutcome:
        return await self.stage.line.bringer.bring(self.call.sid, plan, **about)


@asynccontextmanager
async def own_call(stage: Any, **options: Any) -> AsyncIterator[Scene]:
    """A call that the owner's bridge has answered, and a line beside it."""
    bridge = OwnBridge()
    server = await asyncio.start_server(bridge.serve, "127.0.0.1", 0)
    async with server, stage(shop(), **options) as s:
        port = server.sockets[0].getsockname()[1]
        s.carrier.tunnel[OWN] = f"http://127.0.0.1:{port}"
        s.carrier.numbers[LINE] = NumberConfig(f"{OWN}/incoming-call")
        call = await s.carrier.place_call(from_=CALLER, to=LINE, script=stays)
        await eventually(lambda: bridge.asked)
        await asyncio.sleep(2)
        yield Scene(s, bridge, call)


async def stays(line: Line) -> None:
    await line.pause(900)


PLAN = Cold([Target.phone(DESK), Target.phone(SECOND_DESK)], ring_seconds=8)


async def test_the_second_human_takes_the_call_and_it_ends_with_their_talk(stage):
    async with own_call(stage) as scene:
        carrier = scene.stage.carrier
        carrier.humans[DESK] = Human.busy()
        carrier.humans[SECOND_DESK] = Human(answer_after=1.0, script=desk)
        outcome = await scene.bring(PLAN, reason="a refund", return_url=BACK)
        assert (outcome.outcome, outcome.disposition) == ("bridged", "handed_off")
        assert outcome.target == 1
        assert [each.outcome for each in outcome.attempts] == ["busy"]
        record = await scene.stage.record(scene.call)
        assert record.disposition == "handed_off"
        assert [each.outcome for each in record.handoffs] == ["busy", "bridged"]
        assert {(each.source, each.reason) for each in record.handoffs} == {
            ("application", "a refund")
        }
        assert samples(scene.call.recording().heard, HUMAN) == 8000
        assert scene.bridge.asked == ["/incoming-call"]
        assert not scene.stage.model.received.events


@pytest.mark.parametrize(
    ("human", "outcome"),
    [(Human.busy(), "busy"), (Human.no_answer(), "no-answer")],
    ids=["busy", "no answer"],
)
async def test_if_nobody_takes_it_the_bridge_has_the_call_again(stage, human, outcome):
    async with own_call(stage) as scene:
        scene.stage.carrier.humans[DESK] = human
        brought = await scene.bring(Cold(Target.phone(DESK), ring_seconds=8), return_url=BACK)
        assert (brought.outcome, brought.disposition, brought.target) == (outcome, "failed", 0)
        await scene.call.ended()
        assert scene.bridge.asked == ["/incoming-call", "/back"]


async def test_it_can_be_brought_again_after_it_came_back(stage):
    async with own_call(stage) as scene:
        humans = scene.stage.carrier.humans
        humans[DESK], humans[SECOND_DESK] = (
            Human.busy(),
            Human(answer_after=1.0, script=desk),
        )
        first = await scene.bring(Cold(Target.phone(DESK)), return_url=f"{OWN}/incoming-call")
        assert first.outcome == "busy"
        await asyncio.sleep(2)
        second = await scene.bring(Cold(Target.phone(SECOND_DESK)), return_url=BACK)
        assert second.outcome == "bridged"
        await scene.call.ended()
        assert scene.bridge.asked == ["/incoming-call", "/incoming-call"]


async def test_warm_the_human_hears_the_summary_and_accepts_by_a_key(stage):
    async with own_call(stage) as scene:
        carrier = scene.stage.carrier
        carrier.humans[DESK] = Human.declines(0.5)
        carrier.humans[SECOND_DESK] = Human.accepts(0.5, then=desk)
        plan = Warm([Target.phone(DESK), Target.phone(SECOND_DESK)], ring_seconds=8)
        outcome = await scene.bring(
            plan, summary="Order 7 is torn.", reason="a refund", return_url=BACK
        )
        assert (outcome.outcome, outcome.target) == ("bridged", 1)
        assert [each.outcome for each in outcome.attempts] == ["declined"]
        await scene.call.ended()
        said = [event.detail for leg in carrier.calls for event in leg.timeline.events]
        assert any("Order 7 is torn." in str(each) for each in said)
        assert samples(scene.call.recording().heard, HUMAN) == 8000


async def test_a_mailbox_that_presses_no_key_never_has_the_caller(stage):
    async with own_call(stage) as scene:
        scene.stage.carrier.humans[DESK] = Human(answer_after=0.5, script=stays)
        plan = Warm(Target.phone(DESK), ring_seconds=8)
        outcome = await scene.bring(plan, return_url=BACK)
        assert outcome.outcome not in ("bridged", "failed")
        await scene.call.ended()
        assert scene.bridge.asked[-1] == "/back"


async def test_a_caller_who_hangs_up_while_it_rings_is_reported(stage):
    async with own_call(stage) as scene:
        scene.stage.carrier.humans[DESK] = Human.no_answer()
        bringing = asyncio.create_task(scene.bring(PLAN, return_url=BACK))
        await scene.call.timeline.until("initiated")
        await asyncio.sleep(1)
        scene.call.end("completed", by="caller")
        outcome = await bringing
        assert outcome.disposition == "abandoned"
        assert outcome.outcome != "bridged"


async def test_a_closed_destination_leaves_the_call_where_it_is(stage):
    async with own_call(stage) as scene:
        never = Cold(Target.phone(DESK), hours="mon-sun 00:00-00:01 UTC", ring_seconds=8)
        outcome = await scene.bring(never, return_url=BACK)
        assert (outcome.outcome, outcome.attempts) == ("closed", ())
        assert "morning" in outcome.note or "midnight" in outcome.note
        assert len(scene.stage.carrier.calls) == 1
        assert scene.bridge.asked == ["/incoming-call"]


async def test_twilio_refuses_to_move_the_call(stage):
    async with own_call(stage, notices=False) as scene:
        scene.stage.carrier.faults.updates.append(Refused(400))
        with pytest.raises(CarrierError):
            await scene.bring(PLAN, return_url=BACK)
        scene.stage.carrier.humans[DESK] = Human(answer_after=1.0, script=desk)
        assert (await scene.bring(PLAN)).outcome == "bridged"


async def test_two_at_once_for_one_call_are_refused(stage):
    async with own_call(stage) as scene:
        scene.stage.carrier.humans[DESK] = Human(answer_after=3.0, script=desk)
        first = asyncio.create_task(scene.bring(PLAN))
        await asyncio.sleep(1)
        with pytest.raises(ConfigError, match="is with a human, or one is rung already"):
            await scene.bring(PLAN)
        assert (await first).outcome == "bridged"
        with pytest.raises(ConfigError, match="is with a human, or one is rung already"):
            await scene.bring(PLAN)


async def test_a_call_of_the_line_itself_is_refused(stage):
    async with stage(shop()) as s:

        async def script(line: Line) -> None:
            await line.pause(3)
            await line.hang_up()

        call = await s.call(script)
        await asyncio.sleep(1)
        with pytest.raises(ConfigError, match="its agent hands it off"):
            await s.line.bringer.bring(call.sid, PLAN)
        await s.record(call)


async def test_twilio_accepts_the_move_and_never_asks(stage):
    async with own_call(stage, notices=False) as scene:
        del scene.stage.carrier.tunnel[PUBLIC]
        with pytest.raises(CarrierError, match="has not asked .* within 20 s"):
            await scene.bring(PLAN, return_url=BACK)


@pytest.mark.parametrize(
    ("call_sid", "plan", "about", "message"),
    [
        ("no SID!", PLAN, {}, "expected the SID of a call"),
        ("CA1", PLAN, {"return_url": "/back"}, "return_url must be an absolute URL"),
        ("CA1", Consult(Target.phone(DESK)), {}, r"use Warm\(\.\.\.\)"),
        ("CA1", "desk", {}, r"plan must be Cold\(\.\.\.\)"),
        ("CA1", Cold(lambda call: None), {}, "call your function before"),
    ],
)
async def test_what_cannot_work_is_refused_before_the_call_moves(
    stage, call_sid, plan, about, message
):
    async with stage() as s:
        with pytest.raises(ConfigError, match=message):
            await s.line.bringer.bring(call_sid, plan, **about)


async def test_with_several_nodes_it_says_why_it_cannot(stage):
    async with stage() as s:
        among_others = replace(s.line.bringer, alone=False)
        with pytest.raises(ConfigError, match="several nodes serve this line"):
            await among_others.bring("CA1", PLAN)


async def test_without_an_open_line_it_says_what_to_mount():
    with pytest.raises(ConfigError, match=r"mount `voice = hookflash\.asgi_app\(\)`"):
        await bring_human("CA1", Queue("support"))
