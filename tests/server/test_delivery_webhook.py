from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from msgspec.structs import replace

from hookflash import __version__
from hookflash.core.delivery import Delivery
from hookflash.core.delivery_retries import TrackedDelivery
from hookflash.runtime.delivery_worker import NotTaken
from hookflash.server.delivery_webhook import WebhookOutlet, signature

SECRET = "0123456789abcdef"
NOW = 1_764_000_000.5
GUIDE = Path(__file__).parents[2] / "docs" / "how-to" / "deliveries.md"
KEPT = TrackedDelivery(
    delivery=Delivery(
        id="CA1-voicemail",
        kind="voicemail",
        call_sid="CA1",
        agent="shop",
        destination="billing",
        created_at=1_764_000_000.0,
        caller="+15550101",
        recording_url="https://example.com/RE1",
        recording_seconds=12.5,
        transcript="Grüße, \U0001f600",
    ),
    revision=2,
)


class Receiver:
    """A small HTTP server that keeps what it is sent and answers what it is told."""

    def __init__(self) -> None:
        self.answer = b"HTTP/1.1 204 No Content\r\n\r\n"
        self.hangs = False
        self.headers: dict[str, str] = {}
        self.line = ""
        self.body = b""
        self.url = ""
        self.closed = asyncio.Event()

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        self.line = head[0]
        pairs = [line.split(": ", 1) for line in head[1:] if line]
        self.headers = {name.lower(): value for name, value in pairs}
        self.body = await reader.readexactly(int(self.headers["content-length"]))
        if not self.hangs:
            writer.write(self.answer)
        # Until the client has had enough.
        with contextlib.suppress(ConnectionError):
            await reader.read()
        writer.close()
        self.closed.set()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    server = await asyncio.start_server(receiver.take, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    receiver.url = f"http://127.0.0.1:{port}/hooks/phone?team=a"
    yield receiver
    if receiver.line:
        await asyncio.wait_for(receiver.closed.wait(), 5)
    server.close()


async def send(url: str, *, kept: TrackedDelivery = KEPT, **about: Any) -> None:
    outlet = WebhookOutlet(url, SECRET, now=lambda: NOW, **about)
    try:
        await outlet.send(kept)
    finally:
        await outlet.aclose()


async def test_a_delivery_is_posted_as_signed_json(receiver: Receiver) -> None:
    await send(receiver.url)
    assert receiver.line == "POST /hooks/phone?team=a HTTP/1.1"
    assert receiver.headers["content-type"] == "application/json"
    assert receiver.headers["user-agent"] == f"hookflash/{__version__}"
    assert receiver.headers["hookflash-delivery"] == "CA1-voicemail"
    assert receiver.headers["hookflash-revision"] == "2"
    said = json.loads(receiver.body)
    assert said["id"] == "CA1-voicemail"
    assert said["revision"] == 2
    assert said["transcript"] == "Grüße, \U0001f600"
    assert said["recording_seconds"] == 12.5
    assert said["complete"] is True
    assert receiver.headers["hookflash-signature"] == signature(receiver.body, SECRET, int(NOW))


@pytest.mark.parametrize(
    "words", ["\r\nX-Evil: 1", "\n\nbody", "\x00", "\u2028", "Grüße", "a b, c; d", "\ud7ff"]
)
async def test_nothing_in_a_delivery_becomes_a_header(receiver: Receiver, words: str) -> None:
    hostile = replace(
        KEPT.delivery, id=f"CA1-question-{words}", reason=words, summary=words, caller=words
    )
    await send(receiver.url, kept=replace(KEPT, delivery=hostile))
    assert set(receiver.headers) == {
        *("host", "accept", "accept-encoding", "connection", "user-agent", "content-type"),
        *("content-length", "hookflash-delivery", "hookflash-revision", "hookflash-signature"),
    }
    assert unquote(receiver.headers["hookflash-delivery"]) == f"CA1-question-{words}"
    assert json.loads(receiver.body)["summary"] == words


def test_the_signature_is_an_hmac_over_time_and_body() -> None:
    expected = hmac.new(SECRET.encode(), b'1764000000.{"a":1}', hashlib.sha256).hexdigest()
    assert signature(b'{"a":1}', SECRET, 1_764_000_000) == f"t=1764000000,v1={expected}"


async def test_the_check_in_the_guide_accepts_what_we_send_and_nothing_else(
    receiver: Receiver,
) -> None:
    await send(receiver.url)
    block = re.search(r"```python\n(import hashlib.*?)```", GUIDE.read_text(), re.S)
    assert block is not None
    names: dict[str, Any] = {}
    exec(block[1], names)  # the guide's own words are under test
    is_ours, header = names["is_ours"], receiver.headers["hookflash-signature"]
    assert is_ours(receiver.body, header, SECRET, now=NOW + 60)
    assert not is_ours(receiver.body, header, SECRET, now=NOW + 3600)
    assert not is_ours(receiver.body, header, SECRET, now=NOW - 3600)
    assert not is_ours(receiver.body + b" ", header, SECRET, now=NOW)
    assert not is_ours(receiver.body, header, "another secret", now=NOW)
    assert not is_ours(receiver.body, header.replace("t=17", "t=18"), SECRET, now=NOW)
    for nonsense in ("", "t=,v1=", "t=x,v1=y", "v1=1", "t=1764000000"):
        assert not is_ours(receiver.body, nonsense, SECRET, now=NOW)


@pytest.mark.parametrize(
    ("head", "error", "seconds"),
    [
        ("500 Oops", "answered 500", 0.0),
        ("410 Gone", "answered 410", 0.0),
        ("302 Found\r\nLocation: https://elsewhere.example.com/", "answered 302", 0.0),
        ("503 Busy\r\nRetry-After: 120", "answered 503", 120.0),
        ("503 Busy\r\nRetry-After: 99999999", "answered 503", 21_600.0),
        ("429 Slow\r\nRetry-After: Mon, 24 Nov 2025 16:02:00 GMT", "answered 429", 119.5),
        ("429 Slow\r\nRetry-After: Mon, 24 Nov 2025 15:00:00 GMT", "answered 429", 0.0),
        ("429 Slow\r\nRetry-After: soon", "answered 429", 0.0),
    ],
)
async def test_any_other_answer_means_that_it_was_not_taken(
    receiver: Receiver, head: str, error: str, seconds: float
) -> None:
    receiver.answer = f"HTTP/1.1 {head}\r\nContent-Length: 4\r\n\r\nbody".encode()
    with pytest.raises(NotTaken, match=error) as caught:
        await send(receiver.url)
    assert caught.value.retry_seconds == seconds


async def test_a_receiver_that_hangs_or_is_not_there_has_not_taken_it(receiver: Receiver) -> None:
    receiver.hangs = True
    with pytest.raises(NotTaken, match="127.0.0.1: ReadTimeout"):
        await send(receiver.url, seconds=0.05)
    with pytest.raises(NotTaken, match="127.0.0.1: ConnectError"):
        await send("http://127.0.0.1:9/")


async def test_an_answer_without_end_is_not_read(receiver: Receiver) -> None:
    receiver.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n" + b"x" * 65_536
    await send(receiver.url)


def test_every_delivery_is_wanted() -> None:
    assert WebhookOutlet("https://example.com", SECRET, now=lambda: NOW).wants(KEPT.delivery)
