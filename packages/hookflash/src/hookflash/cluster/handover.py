"""A connection changes its process: the socket itself goes over, with the bytes read from it.

The carrier opens a call's media socket at whichever process the kernel chooses; the call lives in
one. Before the upgrade is answered, the descriptor is passed over a Unix socket together with the
request's bytes, and from then on the first process has nothing to do with it. Source: unix(7),
SCM_RIGHTS. One datagram is one connection: there is nothing to wait for and nothing to cut short.

    resource             acquired           released
    receiving socket     open_arrivals()    when its block ends
    a connection         its datagram       given to `adopt`, which closes it
"""

from __future__ import annotations

import array
import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

log = logging.getLogger("hookflash.workers")

MAX_BYTES = 60 * 1024
Adopt = Callable[[socket.socket, bytes], object]
"""(connection, request as it was read) -> the connection is its own from here on."""


def send_connection(path: Path, connection: socket.socket, request: bytes) -> bool:
    """Give `connection` to the process that listens at `path`; never waits.

    True: it has a descriptor of its own, and the caller closes theirs. False: nobody is there, or
    nobody takes anything now, and nothing has changed.
    """
    if len(request) > MAX_BYTES:
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as road:
        road.setblocking(False)
        try:
            road.connect(str(path))
            return socket.send_fds(road, [request], [connection.fileno()]) == len(request)
        except OSError as error:
            log.warning("! a media socket could not be handed over: %s", error.strerror)
            return False


@contextlib.contextmanager
def open_arrivals(path: Path, adopt: Adopt) -> Iterator[None]:
    """Take connections at `path` while the block runs, each given to `adopt` as it comes."""
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as road:
        road.setblocking(False)
        road.bind(str(path))
        loop.add_reader(road.fileno(), _take_all, road, adopt)
        try:
            yield
        finally:
            loop.remove_reader(road.fileno())
            # Those that are on their way have nobody to go to.
            _take_all(road, lambda connection, request: connection.close())


def _take_all(road: socket.socket, adopt: Adopt) -> None:
    while True:
        try:
            request, found, flags, _ = road.recvmsg(
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
                # The event loop's callback ends here: the carrier sees a closed socket.
                log.exception("! a media socket that was handed over could not be taken")
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
