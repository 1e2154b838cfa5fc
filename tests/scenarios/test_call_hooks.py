"""The owner's hooks and webhook are told what happens in a call, and cannot harm it."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from hookflash import Agent, CallRecord, CallStarted, HandoffEnded, Target, TranscriptLine
from hookflash_local.carrier import Human, Line

from .conftest import CALLER, DESK, LINE, SECOND_DESK, eventually, samples, shop
from .test_handoff import GREETING, ask_for_a_human, asked_to, desk, greeted, say, script_agent

SECRET = "0123456789abcdef"


def hunting() -> Agent:
    return shop(targets=(Target.phone(SECOND_DESK), Target.phone(DESK)))


def told_of(agent: Agent) -> list[Any]:
    """Hook into everything. Return the list of what the hooks get."""
    told: list[Any] = []

    @agent.on_call_started
    async def started(call: CallStarted) -> None:
        told.append(call)

    @agent.on_transcript
    def said(line: TranscriptLine) -> None:
        told.append(line)

    @agent.on_handoff
    def handed_off(outcome: HandoffEnded) -> None:
        told.append(outcome)

    @agent.on_call_ended
    async def ended(record: CallRecord) -> None:
        told.append(record)

    return told


async def call_with_a_hand_off(s) -> tuple[Any, CallRecord]:
    """The first human is busy, the second one talks with the caller."""
    script_agent(s)
    s.carrier.humans[SECOND_DESK] = Human.busy()
    s.carrier.humans[DESK] = Human(answer_after=0.5, script=desk)

    async def script(line: Line) -> None:
        await greeted(line)
        await ask_for_a_human(s)
        await line.wait_for("bridged")

    call = await s.call(script)
    return call, await s.record(call)


async def test_hooks_are_told_of_a_whole_call_in_order(stage):
    agent = hunting()
    told = told_of(agent)
    async with stage(agent) as s:
        s.model.on(
            "response.create", [say("hi", 800, GREETING, "Hello.")], where=asked_to("just begun")
        )
        call, record = await call_with_a_hand_off(s)
        await eventually(lambda: told and isinstance(told[-1], CallRecord))
    started, *between, ended = told
    assert (started.caller, started.called, started.agent) == (CALLER, LINE, "shop")
    assert started.arrived_at == record.arrived_at
    assert ended == record
    lines = [each for each in between if isinstance(each, TranscriptLine)]
    assert [(each.speaker, each.text) for each in lines if each.text] == [
        (each.speaker, each.text) for each in record.utterances if each.text
    ]
    assert ("caller", "a person please") in [(each.speaker, each.text) for each in lines]
    outcomes = [each for each in between if isinstance(each, HandoffEnded)]
    assert [each.attempt for each in outcomes] == list(record.handoffs)
    assert [each.attempt.outcome for each in outcomes] == ["busy", "bridged"]
    assert {each.call_sid for each in between} == {call.sid}


def hangs(thing: Any) -> Any:
    return asyncio.sleep(3600)


async def ignores_its_cancellation(thing: Any) -> None:
    try:
        await asyncio.sleep(3600)
    except asyncio.CancelledError:
        await asyncio.sleep(20)


def raises(thing: Any) -> None:
    raise RuntimeError("the CRM is down")


def leaves(thing: Any) -> None:
    sys.exit(3)


async def leaves_from_the_loop(thing: Any) -> None:
    raise SystemExit(3)


async def cancels_itself(thing: Any) -> None:
    raise asyncio.CancelledError


async def stops(thing: Any) -> None:
    raise StopIteration


FAULTS = [
    hangs,
    ignores_its_cancellation,
    raises,
    leaves,
    leaves_from_the_loop,
    cancels_itself,
    stops,
]


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_hook_that_fails_changes_nothing_in_the_call(
    stage, fault: Callable[[Any], Any], caplog: pytest.LogCaptureFixture
):
    agent = hunting()
    told: list[CallRecord] = []
    agent.on_call_started(fault)
    agent.on_transcript(fault)
    agent.on_handoff(fault)

    @agent.on_call_ended
    async def ended(record: CallRecord) -> None:
        told.append(record)

    async with stage(agent) as s:
        call, record = await call_with_a_hand_off(s)
        assert record.disposition == "handed_off"
        assert samples(call.recording().heard, GREETING) == 800 * 8
        # A hook that comes after those that failed is called all the same.
        await eventually(lambda: told, seconds=120)
        assert told == [record]
    logged = [each.getMessage() for each in caplog.records if each.name == "hookflash.call.hooks"]
    assert any("@agent.on_call_started" in each for each in logged)
    assert any("@agent.on_handoff" in each for each in logged)


class Blocked:
    """A plain function that blocks its thread until the test ends."""

    def __init__(self) -> None:
        self.free = threading.Event()
        self.calls = 0

    def __call__(self, thing: Any) -> None:
        self.calls += 1
        self.free.wait(60)


@pytest.mark.realtime
async def test_hooks_that_block_their_threads_leave_the_threads_of_tools_alone(stage, caplog):
    agent = shop()
    blocked = Blocked()
    agent.on_call_started(blocked)
    agent.on_transcript(blocked)

    @agent.tool
    def look_up() -> str:
        """Look something up."""
        return "found"

    try:
        async with stage(agent) as s:
            script_agent(s)
            s.model.on("response.create", [say("done", 300, 0x66)])

            async def script(line: Line) -> None:
                await greeted(line)
                hears = {"hears": {"text": "look it up", "ms": 300, "respond": True}}
                await s.model.perform([hears, {"call_tool": {"name": "look_up", "arguments": {}}}])
                where = {"item": {"type": "function_call_output"}}
                found = await s.model.until("conversation.item.create", where=where)
                assert found["item"]["output"] == "found"
                await line.hang_up()

            record = await s.record(await s.call(script))
            assert [use.failed for use in record.tools] == [False]
            assert blocked.calls >= 1
            blocked.free.set()
    finally:
        blocked.free.set()


class Webhook:
    """The owner's server: refuses the first request, and takes the others."""

    def __init__(self) -> None:
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.refused = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            pairs = (line.split(": ", 1) for line in head[1:] if line)
            headers = {name.lower(): value for name, value in pairs}
            body = await reader.readexactly(int(headers["content-length"]))
            if not self.requests and not self.refused:
                self.refused += 1
                status = b"503 Busy"
            else:
                self.requests.append((headers, body))
                status = b"204 No Content"
            writer.write(b"HTTP/1.1 %s\r\nConnection: close\r\n\r\n" % status)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()


@asynccontextmanager
async def webhook() -> AsyncIterator[tuple[Webhook, str]]:
    owner = Webhook()
    server = await asyncio.start_server(owner.serve, "127.0.0.1", 0)
    async with server:
        yield owner, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/events"


async def test_the_webhook_is_told_the_same_signed_and_again_if_it_refuses(stage):
    agent = hunting()
    told = told_of(agent)
    async with webhook() as (owner, url):
        settings = {"event_url": url, "event_secret": SECRET}
        async with stage(agent, settings=settings) as s:
            await call_with_a_hand_off(s)
            await eventually(lambda: told and isinstance(told[-1], CallRecord))
            await eventually(lambda: len(owner.requests) == len(told), seconds=60)
    assert owner.refused == 1
    bodies = []
    for headers, body in owner.requests:
        at, _, sent = headers["hookflash-signature"].partition(",v1=")
        signed = hmac.new(SECRET.encode(), f"{at[2:]}.".encode() + body, hashlib.sha256)
        assert signed.hexdigest() == sent
        bodies.append(json.loads(body))
        assert headers["hookflash-delivery"] == bodies[-1]["id"]
    assert len({each["id"] for each in bodies}) == len(told)
    kinds = {"CallStarted": "call.started", "TranscriptLine": "transcript.line"}
    kinds |= {"HandoffEnded": "handoff.ended", "CallRecord": "call.ended"}
    assert sorted(each["kind"] for each in bodies) == sorted(
        kinds[type(each).__name__] for each in told
    )
    (ended,) = [each["data"] for each in bodies if each["kind"] == "call.ended"]
    assert ended["disposition"] == "handed_off"
    assert [each["outcome"] for each in ended["handoffs"]] == ["busy", "bridged"]


async def test_only_the_chosen_kinds_are_posted(stage):
    async with webhook() as (owner, url):
        settings = {"event_url": url, "event_secret": SECRET, "event_kinds": ("handoff.ended",)}
        async with stage(hunting(), settings=settings) as s:
            await call_with_a_hand_off(s)
            await eventually(lambda: len(owner.requests) == 2, seconds=60)
    outcomes = {json.loads(body)["data"]["attempt"]["outcome"] for _, body in owner.requests}
    assert outcomes == {"busy", "bridged"}


async def test_a_webhook_that_is_down_changes_nothing_in_the_call(stage, caplog):
    settings = {"event_url": "http://127.0.0.1:9/events", "event_secret": SECRET}
    with caplog.at_level(logging.WARNING, "hookflash.call.deliveries"):
        async with stage(hunting(), settings=settings) as s:
            call, record = await call_with_a_hand_off(s)
            assert record.disposition == "handed_off"
            assert samples(call.recording().heard, GREETING) == 800 * 8
    assert "call.started" in caplog.text
