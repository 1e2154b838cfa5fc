"""Open the listening port of a line, in a single process or in the parent of several."""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Iterator

from hookflash.errors import ConfigError

BACKLOG = 2048


@contextlib.contextmanager
def listen(host: str, port: int) -> Iterator[socket.socket]:
    """Listen while the block runs; port 0 takes any free port. Raises `ConfigError`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            # Of an address, the port is not what is wrong.
            remedy = "--host" if isinstance(error, socket.gaierror) else "--port"
            if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                remedy = "--host"
            raise ConfigError(
                f"cannot listen on {host} port {port}: {error.strerror}; choose another {remedy}"
            ) from None
        listener.listen(BACKLOG)
        yield listener
