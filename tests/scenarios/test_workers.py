"""Two worker processes on one port: calls spread, webhooks find them, a worker dies.

the carrier's stand-in -- one port -- worker 1, worker 2 (a parent process above) -- the model's
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode
from xml.etree import ElementTree

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from twilio.request_validator import RequestValidator
from websockets.asyncio.client import connect

from hookflash_local.carrier import Human, Leg, Line, NumberConfig, StandinCarrier
from hookflash_local.carrier.parties import Script
from hookflash_local.model.scripted import ScriptedModel

from .conftest import CALLER, LINE, PUBLIC, eventually, samples
from .test_handoff import BACK, FAREWELL, FRAME, GREETING, HUMAN, asked_to, desk, greeted, say
from .test_security import start

EXAMPLES = Path(__file__).parents[2] / "examples"
pytestmark = pytest.mark.realtime

SPEED = 4.0
DESK = "+15550102"
MOST_CALLS = 30
METRICS_TOKEN = "who may read the metrics"


@dataclass
class Crew:
    """A line with several workers, between the stand-ins."""

    process: asyncio.subprocess.Process
    model: ScriptedModel
    carrier: StandinCarrier
    said: list[str]

    @property
    def origin(self) -> str:
        return self.carrier.tunnel[PUBLIC]

    async def call(self, script: Script) -> Leg:
        return await self.carrier.place_call(from_=CALLER, to=LINE, script=script)

    async def metrics(self) -> dict[tuple[str, str, str], float]:
        """Return the samples of `/metrics` by name, worker and what else labels them."""
        async with httpx.AsyncClient() as client:
            bearer = {"Authorization": f"Bearer {METRICS_TOKEN}"}
            page = await client.get(f"{self.origin}/metrics", headers=bearer)
        assert page.status_code == 200
        samples = {}
        for family in text_string_to_metric_families(page.text):
            for sample in family.samples:
                labels = dict(sample.labels)
                worker = labels.pop("worker")
                samples[sample.name, worker, " ".join(labels.values())] = sample.value
        return samples

    async def until(self, true: Callable[[dict], bool]) -> dict:
        """Look at the metrics until something is true, and return them."""
        async with asyncio.timeout(30):
            while not true(found := await self.metrics()):
                pass
        return found

    async def read_stderr(self) -> None:
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            self.said.append(line.decode())

    async def until_said(self, pattern: str) -> re.Match[str]:
        def found() -> re.Match[str] | None:
            return re.search(pattern, "".join(self.said))

        await eventually(lambda: found() or self.process.returncode is not None)
        match = found()
        assert match is not None, "".join(self.said)
        return match

    def sign(self, url: str, form: dict[str, str]) -> str:
        return RequestValidator(self.carrier.auth_token).compute_signature(url, form)

    async def connection_to(self, slot: str) -> socket.socket:
        """Return a connection that the worker `slot` has accepted: the other one is stopped until
        a later connection was answered, and they are accepted in order."""
        pid = self.pid_of("2" if slot == "1" else "1")
        os.kill(pid, signal.SIGSTOP)
        try:
            await eventually(lambda: state(pid) == "T")
            made = socket.create_connection(("127.0.0.1", int(self.origin.rpartition(":")[2])))
            async with httpx.AsyncClient() as client:
                assert (await client.get(f"{self.origin}/healthz")).status_code == 200
        finally:
            os.kill(pid, signal.SIGCONT)
        made.setblocking(False)
        return made

    async def post(self, path: str, form: dict[str, str], slot: str) -> str:
        """Send a signed webhook to the worker `slot`, and return the body of its answer."""
        connection = await self.connection_to(slot)
        body = urlencode(form)
        head = (
            f"POST {path} HTTP/1.1",
            "Host: line.example.test",
            "Content-Type: application/x-www-form-urlencoded",
            f"Content-Length: {len(body)}",
            f"X-Twilio-Signature: {self.sign(PUBLIC + path, form)}",
            "Connection: close",
        )
        reader, writer = await asyncio.open_connection(sock=connection)
        writer.write("\r\n".join((*head, "", body)).encode())
        answer = (await reader.read()).decode()
        writer.close()
        assert answer.startswith("HTTP/1.1 20"), answer
        return answer.partition("\r\n\r\n")[2]

    def pid_of(self, slot: str) -> int:
        """Return the process that has the seat `slot`."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        for pid in children.split():
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            if words[-2].startswith(f"{slot}:".encode()):
                return int(pid)
        raise AssertionError(f"no worker {slot} among {children}")


def total(samples: dict, name: str, label: str | None = None) -> float:
    """Sum a metric over the workers."""
    return sum(
        value
        for (each, _, labels), value in samples.items()
        if each == name and label in (None, labels)
    )


@contextlib.asynccontextmanager
async def crew(
    folder: Path, workers: int = 2, agent: Path = EXAMPLES / "03_handoff.py"
) -> AsyncIterator[Crew]:
    async with (
        ScriptedModel(speed=SPEED) as model,
        StandinCarrier(speed=SPEED) as carrier,
        contextlib.AsyncExitStack() as stack,
    ):
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "hookflash", "serve", str(agent)),
            *("--port", "0", "--workers", str(workers)),
            cwd=folder,
            env={
                **os.environ,
                "HOOKFLASH_DATA_DIR": str(folder),
                "HOOKFLASH_METRICS_TOKEN": METRICS_TOKEN,
                "HOOKFLASH_SPEED": str(SPEED),
                "HOOKFLASH_PUBLIC_URL": PUBLIC,
                "TWILIO_ACCOUNT_SID": carrier.account_sid,
                "TWILIO_AUTH_TOKEN": carrier.auth_token,
                "HOOKFLASH_TWILIO_API_URL": carrier.api_url,
                "HOOKFLASH_MODEL_URL": model.url,
                "HOOKFLASH_DRAIN_SECONDS": "1",
            },
            stderr=asyncio.subprocess.PIPE,
        )
        line = Crew(process, model, carrier, [])
        reading = asyncio.create_task(line.read_stderr())
        stack.push_async_callback(asyncio.wait, [reading])
        stack.push_async_callback(process.wait)
        stack.callback(lambda: process.returncode is None and process.terminate())
        port = (await line.until_said(r"port (\d+)"))[1]
        carrier.tunnel[PUBLIC] = f"http://127.0.0.1:{port}"
        carrier.numbers[LINE] = NumberConfig(
            f"{PUBLIC}/twilio/voice",
            fallback_url=f"{PUBLIC}/twilio/voice",
            status_callback=f"{PUBLIC}/twilio/status",
        )
        model.on("response.create", [say("hi", 800, GREETING)], where=asked_to("just begun"))
        model.on("response.create", [say("back", 900, BACK)], where=asked_to("interrupted"))
        await line.until(lambda found: len(live_workers(found)) == workers)
        yield line
    assert "Traceback" not in "".join(line.said)


def state(pid: int) -> str:
    """Return the letter of a process's state: T is stopped. Source: proc(5)."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def live_workers(samples: dict) -> set[str]:
    return {worker for name, worker, _ in samples if name == "hookflash_warm_sessions"}


async def calls_on_both(line: Crew, script: Script) -> list[Leg]:
    """Place calls, one after another, until each worker has one; all of them stay.

    Workers that have just been started get to know each other first: until then either may take
    several calls in a row.
    """
    calls: list[Leg] = []
    talking: dict[tuple[str, str, str], float] = {}
    while not all(talking.get(("hookflash_calls", slot, "talking")) for slot in ("1", "2")):
        assert len(calls) < MOST_CALLS
        calls.append(await line.call(script))
        talking = await line.until(
            lambda found: total(found, "hookflash_calls", "talking") == len(calls)
        )
    return calls


async def both_workers_have_calls_and_bring_them_to_humans(line: Crew) -> None:
    before = await line.metrics()
    others = total(before, "hookflash_calls_ended_total")
    heard_before = total(before, "hookflash_first_audio_seconds_count")
    line.model.on("response.create", [say("bye", 1200, FAREWELL)], where=asked_to("connected to"))
    line.carrier.humans[DESK] = Human(answer_after=1.0, script=desk)
    arguments = {"destination": "support", "reason": "a person", "summary": "A bicycle."}
    steps = [
        {"hears": {"text": "a person please", "ms": 600, "respond": True}},
        {"call_tool": {"name": "transfer_to_human", "arguments": arguments}},
    ]

    greetings = asyncio.Semaphore(0)

    async def script(telephone: Line) -> None:
        await greeted(telephone)
        greetings.release()
        await telephone.leg.ended()

    calls = await calls_on_both(line, script)
    for _ in calls:
        # Whoever speaks before the greeting is over has interrupted it.
        await greetings.acquire()
    for session in [each for each in line.model.server.sessions if each.open]:
        await line.model.perform(steps, session=session)
    await asyncio.gather(*(call.ended() for call in calls))
    await line.carrier.callbacks_sent()
    for call in calls:
        heard = call.recording().heard
        assert samples(heard, GREETING) == 800 * 8
        assert samples(heard, FAREWELL) == 1200 * 8
        assert samples(heard, HUMAN) >= 8000 - FRAME
    found = await line.until(
        lambda found: total(found, "hookflash_calls_ended_total", "handed_off") == len(calls)
    )
    assert total(found, "hookflash_calls_ended_total") == others + len(calls)
    assert total(found, "hookflash_handoffs_total", "support bridged") == len(calls)
    assert total(found, "hookflash_human_seconds_count") == len(calls)
    assert total(found, "hookflash_first_audio_seconds_count") == heard_before + len(calls)
    assert total(found, "hookflash_calls") == 0
    assert line.carrier.alerts.entries == []


async def webhooks_and_the_media_socket_of_a_call_cross_to_its_worker(line: Crew) -> None:
    call_sid = "CA" + "8" * 32
    form = {"CallSid": call_sid, "From": CALLER, "To": LINE, "CallStatus": "ringing"}
    first, again, once_more = [
        await line.post("/twilio/voice", form, slot) for slot in ("1", "2", "2")
    ]
    assert first == again == once_more
    stream = ElementTree.fromstring(first).find(".//Stream")
    assert stream is not None
    url = stream.attrib["url"]
    assert url.startswith("wss://line.example.test/twilio/media/w1-")
    parameter = stream.find("Parameter")
    assert parameter is not None
    # A worker that was stopped a moment ago counts as silent until it is asked again.
    found = await line.until(lambda found: live_workers(found) == {"1", "2"})
    assert found["hookflash_calls", "1", "ringing"] == 1
    assert found["hookflash_webhooks_forwarded_total", "2", ""] == 2

    async with connect(
        url.replace("wss", "ws"),
        sock=await line.connection_to("2"),
        proxy=None,
        additional_headers={"X-Twilio-Signature": line.sign(url, {})},
    ) as media:
        for message in start(call_sid, parameter.attrib["value"]):
            await media.send(message)
        async with asyncio.timeout(20):
            while json.loads(await media.recv())["event"] != "media":
                pass
        found = await line.until(lambda found: live_workers(found) == {"1", "2"})
        assert found["hookflash_calls", "1", "talking"] == 1
        assert found["hookflash_streams_handed_over_total", "2", ""] == 1
        assert found["hookflash_frames_total", "2", "down"] == 0
    await line.post("/twilio/status", form | {"CallStatus": "completed"}, "2")
    found = await line.until(lambda found: live_workers(found) == {"1", "2"})
    assert found["hookflash_calls_ended_total", "1", "handled_by_agent"] == 1


async def test_calls_cross_to_their_worker_and_both_workers_bring_theirs_to_humans(
    tmp_path: Path,
) -> None:
    async with crew(tmp_path) as line:
        await webhooks_and_the_media_socket_of_a_call_cross_to_its_worker(line)
        await both_workers_have_calls_and_bring_them_to_humans(line)
        line.process.terminate()
        assert await line.process.wait() == 0


async def test_a_worker_is_killed_in_mid_call_and_the_other_goes_on_with_the_call(
    tmp_path: Path,
) -> None:
    async with crew(tmp_path) as line:

        async def script(telephone: Line) -> None:
            await greeted(telephone)
            found = await line.until(lambda found: total(found, "hookflash_calls", "talking") == 1)
            (slot,) = [
                worker
                for (name, worker, phase), value in found.items()
                if (name, phase, value) == ("hookflash_calls", "talking", 1)
            ]
            os.kill(line.pid_of(slot), signal.SIGKILL)
            await greeted(telephone)
            found = await line.until(lambda found: total(found, "hookflash_calls", "talking") == 1)
            await telephone.hang_up()

        call = await line.call(script)
        await call.ended()
        heard = call.recording().heard
        assert samples(heard, GREETING) == 800 * 8
        assert samples(heard, BACK) == 900 * 8
        await line.until_said(r"worker \d exited with -9: restart in")
        found = await line.until(
            lambda found: (
                total(found, "hookflash_calls_ended_total") == 1
                and live_workers(found) == {"1", "2"}
            )
        )
        assert total(found, "hookflash_calls_ended_total", "handled_by_agent") == 1
