"""A worker and its parent process know that the other lives."""

from __future__ import annotations

import asyncio
import socket

import pytest

from hookflash.cluster.worker_slot import WorkerSlot, heartbeat


@pytest.mark.realtime
async def test_a_worker_and_its_parent_know_that_the_other_lives() -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    orphaned = asyncio.Event()
    loop = asyncio.get_running_loop()
    async with heartbeat(WorkerSlot(1, "w1-00", 0, theirs.detach()), orphaned.set) as ready:
        assert await loop.sock_recv(ours, 10) == b"."
        ready()
        assert await loop.sock_recv(ours, 10) == b"r"
        assert await loop.sock_recv(ours, 10) == b"."
        assert not orphaned.is_set()
        ours.close()
        async with asyncio.timeout(60):
            await orphaned.wait()
        ready()
    # A worker that leaves closes its line.
    ours, theirs = socket.socketpair()
    async with heartbeat(WorkerSlot(1, "w1-00", 0, theirs.detach()), lambda: None):
        pass
    with ours:
        assert ours.recv(10) == b"."
        assert ours.recv(10) == b""

    # A parent that reads nothing is not waited for.
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    try:
        while True:
            theirs.send(b"." * 4096)
    except BlockingIOError:
        pass
    async with heartbeat(WorkerSlot(1, "w1-00", 0, theirs.detach()), lambda: None) as ready:
        ready()
    ours.close()


def test_the_listening_socket_is_the_inherited_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        worker_slot = WorkerSlot(1, "w1-00", listener.dup().detach(), 0)
        with worker_slot.listening() as found:
            assert found.getsockname() == listener.getsockname()
