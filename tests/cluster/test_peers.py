"""Questions and answers over a Unix socket: many at once, in any order, and losses."""

from __future__ import annotations

import asyncio
import struct
from pathlib import Path

import pytest

from hookflash.cluster.peers import MAX_BYTES, Peer, PeerGone, serve_requests


async def echo(body: bytes) -> bytes:
    return body[::-1]


async def test_a_question_is_answered(tmp_path: Path) -> None:
    async with serve_requests(tmp_path / "w1", echo):
        peer = Peer(tmp_path / "w1")
        assert await peer.ask(b"abc", seconds=5) == b"cba"
        assert await peer.ask(b"", seconds=5) == b""
        await peer.close()


async def test_many_questions_share_a_connection_and_a_slow_one_keeps_no_other(
    tmp_path: Path,
) -> None:
    go_on = asyncio.Event()

    async def answer(body: bytes) -> bytes:
        if body == b"slow":
            await go_on.wait()
        return body

    async with serve_requests(tmp_path / "w1", answer):
        peer = Peer(tmp_path / "w1")
        slow = asyncio.create_task(peer.ask(b"slow", seconds=5))
        bodies = [str(number).encode() * 5000 for number in range(50)]
        answers = await asyncio.gather(*(peer.ask(body, seconds=5) for body in bodies))
        assert answers == bodies
        assert not slow.done()
        go_on.set()
        assert await slow == b"slow"
        await peer.close()


async def test_a_peer_that_is_not_there_is_gone_and_is_found_when_it_comes(tmp_path: Path) -> None:
    peer = Peer(tmp_path / "w1")
    with pytest.raises(PeerGone):
        await peer.ask(b"a", seconds=5)
    async with serve_requests(tmp_path / "w1", echo):
        assert await peer.ask(b"ab", seconds=5) == b"ba"
    with pytest.raises(PeerGone):
        await peer.ask(b"a", seconds=5)
    await peer.close()


async def test_a_peer_that_dies_before_it_answers_is_gone(tmp_path: Path) -> None:
    asked = asyncio.Event()

    async def never(body: bytes) -> bytes:
        asked.set()
        return await asyncio.get_running_loop().create_future()

    peer = Peer(tmp_path / "w1")
    async with serve_requests(tmp_path / "w1", never):
        asking = asyncio.create_task(peer.ask(b"a", seconds=20))
        await asked.wait()
    with pytest.raises(PeerGone, match="lost"):
        await asking


async def test_a_silent_peer_times_out_and_its_late_answer_is_dropped(
    tmp_path: Path,
) -> None:
    go_on = asyncio.Event()

    async def answer(body: bytes) -> bytes:
        if body == b"late":
            await go_on.wait()
        return body

    async with serve_requests(tmp_path / "w1", answer):
        peer = Peer(tmp_path / "w1")
        with pytest.raises(TimeoutError):
            await peer.ask(b"late", seconds=0.05)
        go_on.set()
        assert await peer.ask(b"next", seconds=5) == b"next"
        await peer.close()


async def test_a_question_that_fails_there_says_so_here_and_harms_no_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def answer(body: bytes) -> bytes:
        if body == b"bad":
            raise RuntimeError("a bug")
        return body

    async with serve_requests(tmp_path / "w1", answer):
        peer = Peer(tmp_path / "w1")
        with pytest.raises(PeerGone, match="failed"):
            await peer.ask(b"bad", seconds=5)
        assert await peer.ask(b"good", seconds=5) == b"good"
        await peer.close()
    assert "a bug" in caplog.text


@pytest.mark.parametrize(
    "garbage", [struct.pack(">BIQ", 0, MAX_BYTES + 1, 0), struct.pack(">BIQ", 7, 0, 0)]
)
async def test_garbage_closes_its_connection(tmp_path: Path, garbage: bytes) -> None:
    async with serve_requests(tmp_path / "w1", echo):
        reader, writer = await asyncio.open_unix_connection(tmp_path / "w1")
        writer.write(garbage)
        assert await reader.read() == b""
        writer.close()
