"""Transfer a connection to another process, with the bytes that were read from it.

The carrier's media socket reaches any process that the kernel chooses; its call is in one. Before
the upgrade is answered, the descriptor and the request's bytes are sent over a Unix socket. The
first process is then no longer involved. Source: unix(7), SCM_RIGHTS. One datagram is one
connection, so there is nothing to wait for and nothing can be cut short.

    resource             acquired                  released
    receiving socket     receive_connections()     when its block ends
    a connection         its datagram              passed to `adopt`, which closes it
"""

from __future__ import annotations

import array
import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

from hookflash.private_files import restrict

log = logging.getLogger("hookflash.workers")

MAX_BYTES = 60 * 1024
Adopt = Callable[[socket.socket, bytes], object]
"""(connection, request as it was read). The function owns the connection from then on."""


def send_connection(path: Path, connection: socket.socket, request: bytes) -> bool:
    """Send `connection` to the process that listens at `path`. Never waits.

    True: that process has its own descriptor, and you close yours. False: no process is there, or
    its queue is full, and nothing has changed.
    """
    if len(request) > MAX_BYTES:
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        try:
            sock.connect(str(path))
            return socket.send_fds(sock, [request], [connection.fileno()]) == len(request)
        except OSError as error:
            log.warning("! a media socket could not be transferred: %s", error.strerror)
            return False


@contextlib.contextmanager
def receive_connections(path: Path, adopt: Adopt) -> Iterator[None]:
    """Receive connections at `path` while the block runs, and pass each to `adopt`."""
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        sock.bind(str(path))
        restrict(path)
        loop.add_reader(sock.fileno(), _take_all, sock, adopt)
        try:
            yield
        finally:
            loop.remove_reader(sock.fileno())
            # Close connections that are still queued.
            _take_all(sock, lambda connection, request: connection.close())


def _take_all(sock: socket.socket, adopt: Adopt) -> None:
    while True:
        try:
            request, found, flags, _ = sock.recvmsg(
                MAX_BYTES, socket.CMSG_SPACE(array.array("i").itemsize)
            )
        except BlockingIOError:
            return
        for connection in _connections(found):
            if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
                connection.close()
                continue
            try:
                adopt(connection, request)
            except Exception:
                # The callback ends here. The carrier sees a closed socket.
                log.exception("! a transferred media socket could not be accepted")
                connection.close()


def _connections(found: list[tuple[int, int, bytes]]) -> Iterator[socket.socket]:
    for level, kind, data in found:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            numbers = array.array("i")
            numbers.frombytes(data[: len(data) - len(data) % numbers.itemsize])
            for number in numbers:
                connection = socket.socket(fileno=number)
                connection.set_inheritable(False)
                connection.setblocking(False)
                yield connection
