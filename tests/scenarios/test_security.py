"""Who may come in: signatures, one-time tokens, and garbage that concerns nobody else."""

from __future__ import annotations

import asyncio
import json
import random
from xml.etree import ElementTree

import httpx
import pytest
from twilio.request_validator import RequestValidator
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from hookflash.core.phases import Phase
from hookflash_local.carrier import Line

from .conftest import CALLER, LINE, PUBLIC, samples
from .test_handoff import GREETING, asked_to, greeted, say

GARBAGE = 10_000


class Stranger:
    """Somebody who can reach the port, and may have got hold of some secrets."""

    def __init__(self, s, token: str | None = None) -> None:
        self._origin = s.carrier.tunnel[PUBLIC]
        self._validator = RequestValidator(token or s.carrier.auth_token)

    def form(self, call_sid: str) -> dict[str, str]:
        return {
            "CallSid": call_sid,
            "AccountSid": "AC" + "0" * 32,
            "From": CALLER,
            "To": LINE,
            "CallStatus": "ringing",
            "Direction": "inbound",
        }

    async def post(self, path: str, form: dict[str, str], *, signed: bool = True):
        headers = {}
        if signed:
            signature = self._validator.compute_signature(PUBLIC + path, form)
            headers["X-Twilio-Signature"] = signature
        async with httpx.AsyncClient() as client:
            return await client.post(self._origin + path, data=form, headers=headers)

    def media(self, *, signed: bool = True):
        url = PUBLIC.replace("https", "wss") + "/twilio/media"
        headers = {}
        if signed:
            headers["X-Twilio-Signature"] = self._validator.compute_signature(url, {})
        address = self._origin.replace("http", "ws") + "/twilio/media"
        return connect(address, additional_headers=headers)

    async def token(self, call_sid: str) -> str:
        answer = await self.post("/twilio/voice", self.form(call_sid))
        assert answer.status_code == 200
        parameter = ElementTree.fromstring(answer.text).find(".//Parameter")
        assert parameter is not None
        return parameter.attrib["value"]


def start(call_sid: str, token: str) -> list[str]:
    return [
        json.dumps({"event": "connected", "protocol": "Call", "version": "1.0.0"}),
        json.dumps(
            {
                "event": "start",
                "sequenceNumber": "1",
                "streamSid": f"MZ{call_sid}",
                "start": {
                    "accountSid": "AC" + "0" * 32,
                    "streamSid": f"MZ{call_sid}",
                    "callSid": call_sid,
                    "tracks": ["inbound"],
                    "mediaFormat": {
                        "encoding": "audio/x-mulaw",
                        "sampleRate": 8000,
                        "channels": 1,
                    },
                    "customParameters": {"token": token},
                },
            }
        ),
    ]


async def closed(socket) -> int:
    """Return the code with which the other side closes."""
    with pytest.raises(ConnectionClosed) as raised:
        async with asyncio.timeout(10):
            while True:
                await socket.recv()
    assert raised.value.rcvd is not None
    return raised.value.rcvd.code


@pytest.mark.parametrize(
    "path", ["voice", "connect/1", "dial/1", "queue/1", "leg/1", "status", "stream"]
)
async def test_an_unsigned_or_wrongly_signed_webhook_is_refused(stage, path):
    async with stage() as s:
        form = Stranger(s).form("CA1")
        unsigned = await Stranger(s).post(f"/twilio/{path}", form, signed=False)
        wrong = await Stranger(s, "another-token").post(f"/twilio/{path}", form)
        assert (unsigned.status_code, wrong.status_code) == (403, 403)
        assert s.line.switchboard.find("CA1") is None
        assert s.model.server.sessions == []


async def test_a_replayed_webhook_changes_nothing(stage):
    async with stage() as s:
        stranger = Stranger(s)
        first = await stranger.post("/twilio/voice", stranger.form("CA1"))
        again = await stranger.post("/twilio/voice", stranger.form("CA1"))
        assert again.text == first.text
        assert len(s.line.switchboard.live) == 1
        await s.model.until("session.update")
        assert len(s.model.received.of("session.update")) == 1


async def test_a_stream_token_works_once(stage):
    async with stage() as s:
        stranger = Stranger(s)
        token = await stranger.token("CA1")
        async with stranger.media() as first:
            for message in start("CA1", token):
                await first.send(message)
            assert json.loads(await first.recv())["event"] == "mark"
            async with stranger.media() as second:
                for message in start("CA1", token):
                    await second.send(message)
                assert await closed(second) == 1008
            assert s.line.switchboard.find("CA1").call.phase is Phase.TALKING


async def test_a_socket_without_a_signature_or_a_token_gets_no_model(stage):
    async with stage() as s:
        stranger = Stranger(s)
        with pytest.raises(InvalidStatus) as refused:
            async with stranger.media(signed=False):
                pass
        assert refused.value.response.status_code == 403
        with pytest.raises(InvalidStatus):
            async with Stranger(s, "another-token").media():
                pass
        async with stranger.media() as socket:
            for message in start("CA1", "guessed"):
                await socket.send(message)
            assert await closed(socket) == 1008
        assert s.model.server.sessions == []


def garbage(chance: random.Random) -> str | bytes:
    """Return a message of the sort that no carrier sends."""
    value = chance.choice(
        [None, 7, -1.5, "", "x" * chance.randrange(200), [], {}, [[]], True, "\ud800", {"a": {}}]
    )
    event = chance.choice(["media", "mark", "start", "stop", "dtmf", "connected", "clear", 3, None])
    kind = chance.randrange(6)
    if kind == 0:
        return chance.randbytes(chance.randrange(100))
    if kind == 1:
        return "".join(chance.choice('{}[]":,aé0 \\') for _ in range(chance.randrange(80)))
    if kind == 2:
        return json.dumps(value)
    if kind == 3:
        return json.dumps({"event": event})
    if kind == 4:
        return json.dumps({"event": event, str(event): value, "streamSid": value})
    payload = {"track": value, "payload": value, "name": value, "digit": value, "timestamp": value}
    return json.dumps({"event": event, str(event): payload, "type": value, "delta": value})


async def test_garbage_on_the_media_socket_ends_no_other_call(stage):
    chance = random.Random(20)
    async with stage() as s:
        s.model.on("response.create", [say("hi", 800, GREETING)], where=asked_to("just begun"))
        talking, finished = asyncio.Event(), asyncio.Event()

        async def script(line: Line) -> None:
            await greeted(line)
            talking.set()
            await finished.wait()
            await line.hang_up()

        call = await s.call(script)
        await talking.wait()
        stranger, sent, number = Stranger(s), 0, 0
        while sent < GARBAGE:
            number += 1
            token = await stranger.token(f"CAgarbage{number}")
            async with stranger.media() as socket:
                for message in start(f"CAgarbage{number}", token):
                    await socket.send(message)
                try:
                    while sent < GARBAGE:
                        await socket.send(garbage(chance))
                        sent += 1
                        if sent % 100 == 0:
                            await asyncio.sleep(0)
                except ConnectionClosed:
                    pass
        assert s.line.switchboard.find(call.sid).call.phase is Phase.TALKING
        finished.set()
        record = await s.record(call)
        assert record.disposition == "handled_by_agent"
        assert samples(call.recording().heard, GREETING) == 800 * 8


async def test_garbage_from_the_model_ends_no_other_call(stage):
    chance = random.Random(21)
    async with stage() as s:
        s.model.on("response.create", [say("hi", 800, GREETING)], where=asked_to("just begun"))
        talking, finished = asyncio.Event(), asyncio.Event()

        async def script(line: Line) -> None:
            await greeted(line)
            talking.set()
            await finished.wait()
            await line.hang_up()

        call = await s.call(script)
        await talking.wait()
        stranger = Stranger(s)
        token = await stranger.token("CAother")
        async with stranger.media() as socket:
            for message in start("CAother", token):
                await socket.send(message)
            await s.model.until("session.update")
            steps = []
            while len(steps) < GARBAGE:
                message = garbage(chance)
                if isinstance(message, str) and message.isprintable():
                    steps.append({"send_text": message})
            for place in range(0, GARBAGE, 500):
                await s.model.perform(steps[place : place + 500])
            assert s.line.switchboard.find(call.sid).call.phase is Phase.TALKING
            finished.set()
        await s.record(call)
        assert samples(call.recording().heard, GREETING) == 800 * 8
