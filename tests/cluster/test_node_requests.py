"""Requests between nodes: who may send them, and what becomes of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from hookflash.cluster.node_requests import (
    PATH,
    SIGNATURE,
    TIME,
    NodeClient,
    NodeGone,
    NodeSignature,
    derived_key,
)
from hookflash.server.node_server import node_app, serve_node
from hookflash_local.simulation.loop import VirtualLoop

SECRET = "a secret of sixteen or more"


class Wall:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
def signature(wall: Wall) -> NodeSignature:
    return NodeSignature(SECRET, wall)


def test_a_signature_is_for_one_body_path_and_time(signature: NodeSignature, wall: Wall) -> None:
    headers = signature.headers("/node", b"body", seconds=1.5)
    assert signature.check(headers, "/node", b"body") == 1.5
    assert signature.check(headers, "/node", b"other") is None
    assert signature.check(headers, "/node/media", b"body") is None
    assert signature.check({}, "/node", b"body") is None
    assert signature.check(headers | {TIME: "x"}, "/node", b"body") is None
    assert signature.check(headers | {SIGNATURE: "\u00e9"}, "/node", b"body") is None
    assert NodeSignature("another secret of a node", wall).check(headers, "/node", b"body") is None
    wall.now += 59
    assert signature.check(headers, "/node", b"body") == 1.5
    wall.now += 2
    assert signature.check(headers, "/node", b"body") is None


def test_each_purpose_has_its_own_key() -> None:
    assert derived_key(SECRET, "stream-tokens") != derived_key(SECRET, "console-sessions")
    assert derived_key(SECRET, "stream-tokens") != derived_key(f"{SECRET}!", "stream-tokens")


@pytest.fixture
async def address(signature: NodeSignature) -> AsyncIterator[str]:
    async def asked(body: bytes) -> bytes:
        if body == b"slow":
            await asyncio.sleep(10.0)
        if body == b"broken":
            raise RuntimeError("as planned")
        return b"answer to " + body

    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    listener = loop.listen("127.0.0.1", 0)
    port = listener.getsockname()[1]
    async with serve_node(node_app(signature, asked), listener):  # type: ignore[arg-type]
        yield f"http://127.0.0.1:{port}"


async def test_a_signed_request_is_answered(address: str, signature: NodeSignature) -> None:
    client = NodeClient(signature)
    assert await client.ask(address, b"\x00question", seconds=2.0) == b"answer to \x00question"
    await client.close()


async def test_a_request_of_a_stranger_is_refused(address: str, wall: Wall) -> None:
    stranger = NodeClient(NodeSignature("a secret that nobody here has", wall))
    with pytest.raises(NodeGone, match="403"):
        await stranger.ask(address, b"question", seconds=2.0)
    await stranger.close()
    async with httpx.AsyncClient() as client:
        assert (await client.post(f"{address}{PATH}", content=b"x")).status_code == 403
        assert (await client.get(f"{address}/metrics")).status_code == 404


async def test_a_node_that_fails_or_is_late_counts_as_gone(
    address: str, signature: NodeSignature
) -> None:
    client = NodeClient(signature)
    with pytest.raises(NodeGone, match="500"):
        await client.ask(address, b"broken", seconds=2.0)
    with pytest.raises((TimeoutError, NodeGone)):
        await client.ask(address, b"slow", seconds=0.5)
    with pytest.raises(NodeGone):
        await client.ask("http://127.0.0.1:1", b"question", seconds=2.0)
    await client.close()
