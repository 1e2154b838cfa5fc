"""A connection goes from one process to another with the bytes that were read from it."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from hookflash.cluster.socket_transfer import MAX_BYTES, receive_connections, send_connection

REQUEST = b"GET /twilio/media/w2 HTTP/1.1\r\n\r\n"


class Arrived:
    def __init__(self) -> None:
        self.queue: asyncio.Queue[tuple[socket.socket, bytes]] = asyncio.Queue()

    def __call__(self, connection: socket.socket, request: bytes) -> None:
        self.queue.put_nowait((connection, request))


@pytest.mark.realtime
async def test_the_connection_lives_on_when_the_giver_has_closed_its_end(tmp_path: Path) -> None:
    caller, ours = socket.socketpair()
    arrived = Arrived()
    with caller, receive_connections(tmp_path / "w2", arrived):
        with ours:
            assert send_connection(tmp_path / "w2", ours, REQUEST)
        connection, request = await arrived.queue.get()
        with connection:
            assert request == REQUEST
            assert not connection.get_inheritable()
            connection.send(b"101")
            assert caller.recv(10) == b"101"
            caller.send(b"frame")
            assert connection.recv(10) == b"frame"
        assert caller.recv(10) == b""


@pytest.mark.realtime
async def test_without_a_receiver_the_socket_stays_and_is_closed_if_the_receiver_goes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caller, ours = socket.socketpair()
    with caller, ours:
        assert not send_connection(tmp_path / "nobody", ours, REQUEST)
        with receive_connections(tmp_path / "w2", Arrived()):
            assert not send_connection(tmp_path / "w2", ours, b"x" * (MAX_BYTES + 1))
        assert not send_connection(tmp_path / "w2", ours, REQUEST)
        ours.send(b"still here")
        assert caller.recv(20) == b"still here"
    assert "could not be transferred" in caplog.text
    caller, ours = socket.socketpair()
    arrived = Arrived()
    with caller:
        with receive_connections(tmp_path / "w3", arrived), ours:
            assert send_connection(tmp_path / "w3", ours, REQUEST)
        assert caller.recv(10) == b""
    assert arrived.queue.empty()


@pytest.mark.realtime
async def test_connections_arrive_in_their_order_and_one_that_cannot_be_taken_is_closed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    arrived = Arrived()
    pairs = [socket.socketpair() for _ in range(5)]
    with receive_connections(tmp_path / "w2", arrived):
        for number, (_, ours) in enumerate(pairs):
            assert send_connection(tmp_path / "w2", ours, b"%d" % number)
        for number in range(5):
            connection, request = await arrived.queue.get()
            connection.close()
            assert request == b"%d" % number
    for pair in pairs:
        for end in pair:
            end.close()

    def adopt(connection: socket.socket, request: bytes) -> None:
        if request == b"bad":
            raise RuntimeError("a bug")
        arrived(connection, request)

    first, second = socket.socketpair(), socket.socketpair()
    with receive_connections(tmp_path / "w3", adopt):
        with first[1]:
            send_connection(tmp_path / "w3", first[1], b"bad")
        with second[1]:
            send_connection(tmp_path / "w3", second[1], REQUEST)
        connection, _ = await arrived.queue.get()
        connection.close()
        assert first[0].recv(10) == b""
    first[0].close()
    second[0].close()
    assert "a bug" in caplog.text
