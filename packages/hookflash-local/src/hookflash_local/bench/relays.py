"""Start the relays to measure, each in its own process: `hookflash serve` and the two references.

resource          acquired                          released
a child process   `reference`, `minimal`, `served`  when the block ends
its folder        `served`                          when the block ends
an HTTP client    `served`                          when the block ends
an HTTP server    `_twilio_api`                     when the block ends
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import sys
import tempfile
import time
from collections import deque
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol
from urllib.parse import urlsplit
from xml.etree import ElementTree

import httpx
from twilio.request_validator import RequestValidator

from hookflash_local.bench.processes import Placement, kill
from hookflash_local.bench.programs import BenchError

PUBLIC = "https://line.example.test"
_MEDIA = "/twilio/media"
ACCOUNT = "AC" + "0" * 32
_AUTH_TOKEN = "a token that signs the webhooks of a benchmark"
_METRICS_TOKEN = "a token that reads the metrics of a benchmark"
_START_SECONDS = 30.0
_POLL_SECONDS = 0.1
_LOG_LINES = 40
_ACCEPTED = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 24\r\n\r\n"
    b'{"status":"in-progress"}'
)


class Stream(NamedTuple):
    """Where a call's media socket goes.

    `path` is the URL's path, `signature` that of the upgrade (`-` for none), and `token` is in the
    stream's `start` message.
    """

    path: str
    signature: str
    token: str


class Relay(Protocol):
    """A relay under test. `port` is its media and webhook port on 127.0.0.1."""

    pid: int
    port: int

    async def arrive(self, call_sid: str) -> Stream:
        """Start an incoming call; return where the carrier opens its stream."""

    async def completed(self, call_sid: str) -> None:
        """Report that the caller's leg has ended."""


@dataclass
class TwilioApi:
    """Twilio's REST API on 127.0.0.1. `answered` is the number of requests so far."""

    port: int = 0
    answered: int = 0


class Reference:
    """A bare relay, in C or in Python. It has no webhooks: a call is only its media socket."""

    def __init__(self, pid: int, port: int) -> None:
        self.pid = pid
        self.port = port

    async def arrive(self, call_sid: str) -> Stream:
        return Stream(_MEDIA, "-", "-")

    async def completed(self, call_sid: str) -> None:
        return None


class ServedLine:
    """`hookflash serve` with all features on; webhooks are signed as by Twilio."""

    def __init__(
        self,
        pid: int,
        port: int,
        client: httpx.AsyncClient,
        journals: Path,
        twilio_api: TwilioApi,
    ) -> None:
        self.pid = pid
        self.port = port
        self.journals = journals
        self.twilio_api = twilio_api
        self._validator = RequestValidator(_AUTH_TOKEN)
        self._client = client

    async def arrive(self, call_sid: str) -> Stream:
        twiml = await self._post("/twilio/voice", call_sid, "ringing")
        for stream in ElementTree.fromstring(twiml).iter("Stream"):
            url = stream.get("url", "")
            for parameter in stream.iter("Parameter"):
                if parameter.get("name") == "token":
                    signature = self._validator.compute_signature(url, {})
                    return Stream(urlsplit(url).path, signature, parameter.get("value", ""))
        raise BenchError(f"hookflash serve: expected a <Stream> with a token, got {twiml[:300]}")

    async def completed(self, call_sid: str) -> None:
        await self._post("/twilio/status", call_sid, "completed")

    async def _post(self, path: str, call_sid: str, status: str) -> str:
        form = {
            "AccountSid": ACCOUNT,
            "ApiVersion": "2010-04-01",
            "CallSid": call_sid,
            "CallStatus": status,
            "Direction": "inbound",
            "From": "+15550100009",
            "To": "+15550100001",
        }
        signed = self._validator.compute_signature(PUBLIC + path, form)
        answer = await self._client.post(path, data=form, headers={"X-Twilio-Signature": signed})
        if answer.is_error:
            raise BenchError(
                f"hookflash serve: expected a 2xx status from {path}, got {answer.status_code}"
            )
        return answer.text


@contextlib.asynccontextmanager
async def reference(
    program: Path, model_port: int, *, placement: Placement, tls: bool = False
) -> AsyncIterator[Reference]:
    """Run the bare relay in C on `placement`."""
    async with _bare([str(program)], model_port, placement, tls, "the relay in C") as relay:
        yield relay


@contextlib.asynccontextmanager
async def minimal(
    model_port: int, *, placement: Placement, tls: bool = False
) -> AsyncIterator[Reference]:
    """Run the minimal relay in Python on `placement`."""
    command = [sys.executable, str(Path(__file__).with_name("minimal_relay.py"))]
    async with _bare(command, model_port, placement, tls, "the minimal relay") as relay:
        yield relay


@contextlib.asynccontextmanager
async def _bare(
    command: list[str], model_port: int, placement: Placement, tls: bool, who: str
) -> AsyncIterator[Reference]:
    words = [*command, "0", str(model_port), *(["tls"] if tls else [])]
    async with _process(words, placement, {}) as process:
        port = await _read_output(process.stdout, rb"listening (\d+)", who)
        yield Reference(process.pid, int(port))


@contextlib.asynccontextmanager
async def served(
    model_port: int,
    *,
    placement: Placement,
    workers: int = 1,
    trusted: Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> AsyncIterator[ServedLine]:
    """Run `hookflash serve` with the benchmark's agent on `placement`.

    The model is at `model_port` on this machine, with TLS if `trusted` (a certificate) is given.
    Raises `BenchError`, which quotes the server's log, if it does not start or does not answer.
    """
    async with contextlib.AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="hookflash-bench-"))
        twilio_api = await stack.enter_async_context(_twilio_api())
        settings = {
            "HOOKFLASH_PUBLIC_URL": PUBLIC,
            "HOOKFLASH_MODEL_URL": f"{'wss' if trusted else 'ws'}://127.0.0.1:{model_port}/v1",
            "HOOKFLASH_TWILIO_API_URL": f"http://127.0.0.1:{twilio_api.port}",
            "HOOKFLASH_DATA_DIR": folder,
            "HOOKFLASH_DRAIN_SECONDS": "0",
            "HOOKFLASH_METRICS_TOKEN": _METRICS_TOKEN,
            "TWILIO_ACCOUNT_SID": ACCOUNT,
            "TWILIO_AUTH_TOKEN": _AUTH_TOKEN,
            **({"SSL_CERT_FILE": str(trusted)} if trusted else {}),
            **(environ or {}),
        }
        command = [
            sys.executable,
            "-m",
            "hookflash",
            "serve",
            "hookflash_local.bench.bench_agent:agent",
        ]
        command += ["--port", "0", *(["--workers", str(workers)] if workers > 1 else [])]
        async with _process(command, placement, settings, folder) as process:
            port = int(await _read_output(process.stderr, rb"port (\d+)", "hookflash serve"))
            # Keep reading its log: a full pipe would block it. Errors quote the last lines.
            logged: deque[bytes] = deque(maxlen=_LOG_LINES)
            draining = asyncio.create_task(_drain(process.stderr, logged))
            try:
                origin = f"http://127.0.0.1:{port}"
                async with httpx.AsyncClient(base_url=origin, trust_env=False) as client:
                    await _wait_for_workers(client, workers)
                    journals = Path(folder) / "journals"
                    yield ServedLine(process.pid, port, client, journals, twilio_api)
            except (BenchError, httpx.HTTPError) as error:
                log = b"".join(logged).decode("utf-8", "replace")
                raise BenchError(
                    f"{str(error) or repr(error)}; hookflash serve logged:\n{log}"
                ) from error
            finally:
                draining.cancel()
                await asyncio.gather(draining, return_exceptions=True)


@contextlib.asynccontextmanager
async def _twilio_api() -> AsyncIterator[TwilioApi]:
    """Serve a REST API that accepts every update of a call.

    Hookflash sets the time limit of each call. A server that refused would be asked again and
    again, and the cost of that would count as the cost of a call.
    """
    api = TwilioApi()
    loop = asyncio.get_running_loop()
    async with await loop.create_server(lambda: _ApiConnection(api), "127.0.0.1", 0) as server:
        api.port = server.sockets[0].getsockname()[1]
        yield api


class _ApiConnection(asyncio.Protocol):
    """One connection to the REST API: each complete request is accepted."""

    def __init__(self, api: TwilioApi) -> None:
        self._api = api
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while request := re.match(rb"(?s).+?\r\n\r\n", self._received):
            length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", request[0])
            size = request.end() + (int(length[1]) if length else 0)
            if len(self._received) < size:
                return
            self._received = self._received[size:]
            self._api.answered += 1
            self._transport.write(_ACCEPTED)


async def _wait_for_workers(client: httpx.AsyncClient, workers: int) -> None:
    """Wait until the worker that answers knows all others: only then are calls distributed."""
    for _ in range(round(_START_SECONDS / _POLL_SECONDS)):
        answer = await client.get("/metrics", headers={"Authorization": f"Bearer {_METRICS_TOKEN}"})
        if answer.text.count("\nhookflash_warm_sessions{") == workers:
            return
        await asyncio.sleep(_POLL_SECONDS)
    raise BenchError(
        f"hookflash serve: expected {workers} workers in /metrics within {_START_SECONDS:g} s, got"
        f" {answer.status_code} with {answer.text.count('hookflash_warm_sessions{')}"
    )


def monotonic_ns() -> int:
    """Return the time of the load generator's clock, in nanoseconds."""
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC)


async def _drain(stream: asyncio.StreamReader | None, logged: deque[bytes]) -> None:
    assert stream is not None
    async for text in stream:
        logged.append(text)


async def _read_output(stream: asyncio.StreamReader | None, pattern: bytes, who: str) -> str:
    """Read lines until `pattern` matches; return its first group.

    Raises `BenchError`, which quotes the lines, if the process ends or is not ready in time.
    """
    assert stream is not None
    output = b""
    try:
        async with asyncio.timeout(_START_SECONDS):
            async for text in stream:
                output += text
                if found := re.search(pattern, text):
                    return found[1].decode()
    except TimeoutError:
        raise BenchError(f"{who} did not start within {_START_SECONDS:g} s") from None
    raise BenchError(f"{who} did not start:\n{output.decode('utf-8', 'replace')[-2000:]}")


@contextlib.asynccontextmanager
async def _process(
    command: list[str], placement: Placement, settings: Mapping[str, str], folder: str | None = None
) -> AsyncIterator[asyncio.subprocess.Process]:
    ours = ("HOOKFLASH_", "TWILIO_", "OPENAI_")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    if "PYTHONPATH" in environ:
        # The process runs in another folder, where relative paths would lead to other code.
        paths = environ["PYTHONPATH"].split(os.pathsep)
        environ["PYTHONPATH"] = os.pathsep.join(map(os.path.abspath, paths))
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env={**environ, **settings},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        preexec_fn=placement.apply,
    )
    try:
        yield process
    finally:
        # Killed without draining: the live calls are the benchmark's own.
        kill(process.pid)
        await process.wait()
