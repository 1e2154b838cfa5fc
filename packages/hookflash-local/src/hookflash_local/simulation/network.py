"""Connections in memory, with programmable delays and faults, for real servers and clients.

    VirtualTransport --(Direction: delay, jitter, frozen)--> VirtualTransport
            ^                                                       |
            +---------------------(Direction) ----------------------+

As with TCP, bytes arrive in order and none is lost. A close arrives after the data sent before it.
Data that arrives at a closed end is answered with a reset. If a receiver does not read, the
sender's buffer grows. Every host name is this machine, and connecting takes no time.

`Network.connected` is called with each new `Connection`, so a simulation can set its conditions.
`delay` and `jitter` are seconds for each direction. `freeze` stops a direction as a dead cable
does, and `cut` resets both ends.
"""

from __future__ import annotations

import asyncio
import contextvars
import errno
import random
import socket
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hookflash_local.simulation.loop import VirtualLoop

FIRST_PORT = 20_000
FIRST_CLIENT_PORT = 40_000
WINDOW_BYTES = 256 * 1024
"""The data of one direction that the two kernels buffer; more waits in the sender's buffer."""

HIGH_WATER_BYTES = 64 * 1024

PROCESS: contextvars.ContextVar[str] = contextvars.ContextVar("PROCESS", default="")
"""The process of the simulated machine that the running code belongs to."""

_EOF = object()
_RESET = object()


class VirtualSocket:
    """The part of a socket's interface that servers and clients use through a transport."""

    family = socket.AF_INET
    type = socket.SOCK_STREAM
    proto = 6

    def __init__(
        self,
        own: tuple[str, int],
        peer: tuple[str, int] | None = None,
        release: Callable[[VirtualSocket], None] = lambda closed: None,
    ) -> None:
        self._own = own
        self._peer = peer
        self._release = release

    def fileno(self) -> int:
        return -1

    def setsockopt(self, *_: Any) -> None:
        """Do nothing: there is no kernel socket."""

    def getsockopt(self, *_: Any) -> int:
        return 1

    def getsockname(self) -> tuple[str, int]:
        return self._own

    def getpeername(self) -> tuple[str, int]:
        if self._peer is None:
            raise OSError(errno.ENOTCONN, "the socket is not connected")
        return self._peer

    def setblocking(self, blocking: bool) -> None:
        """Do nothing: no operation blocks."""

    def close(self) -> None:
        """Free the port of a bound socket. A connection is closed by its transport instead."""
        self._release(self)

    def __enter__(self) -> VirtualSocket:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()


class Direction:
    """Bytes in flight from one end of a connection to the other.

    `delay` and `jitter` are in seconds and apply to later writes. The order stays the same. The
    jitter of each write is drawn from `chance`; without `chance` there is none.
    """

    def __init__(self, loop: VirtualLoop) -> None:
        self.delay = 0.0
        self.jitter = 0.0
        self.chance: random.Random | None = None
        self.frozen = False
        self.waiting = 0
        """Number of bytes that have not arrived yet."""
        self.sender: VirtualTransport
        self.receiver: VirtualTransport
        self._loop = loop
        self._items: deque[tuple[float, Any]] = deque()
        self._last = 0.0
        self._timer: asyncio.Handle | None = None

    def put(self, item: Any) -> None:
        """Send bytes, the end of the stream or a reset."""
        delay = self.delay
        if self.jitter and self.chance is not None:
            delay += self.chance.uniform(0.0, self.jitter)
        self._last = max(self._last, self._loop.time() + delay)
        if isinstance(item, bytes):
            self.waiting += len(item)
        self._items.append((self._last, item))
        self.schedule()

    def freeze(self) -> None:
        """Deliver nothing until `thaw`. Neither end is notified."""
        self.frozen = True

    def thaw(self) -> None:
        self.frozen = False
        self.schedule()

    def process_died(self) -> None:
        """Schedule again after the receiver's process died, since its callbacks are gone."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.schedule()

    def discard(self) -> None:
        """Drop everything that has not arrived."""
        self._items.clear()
        self.waiting = 0

    def discard_unsent(self) -> bool:
        """Drop the sender's buffer. Return whether it held the end of the stream."""
        ended = False
        while self.waiting > WINDOW_BYTES:
            due, item = self._items.pop()
            if isinstance(item, bytes):
                self.waiting -= len(item)
                sent = item[: max(0, WINDOW_BYTES - self.waiting)]
                if sent:
                    self.waiting += len(sent)
                    self._items.append((due, sent))
            else:
                ended = True
        return ended

    def broken(self) -> bool:
        """Return whether a reset has arrived that a paused receiver has not read yet."""
        if self.frozen or not self._items:
            return False
        due, item = self._items[-1]
        return item is _RESET and due <= self._loop.time()

    def schedule(self) -> None:
        """Set a timer for the next arrival, unless the direction is frozen or paused."""
        if self._timer is not None or self.frozen or self.receiver.paused or not self._items:
            return
        due = self._items[0][0]
        context = self.receiver.context
        if due <= self._loop.time():
            self._timer = self._loop.call_soon(self._arrive, context=context)
        else:
            self._timer = self._loop.call_at(due, self._arrive, context=context)

    def _arrive(self) -> None:
        self._timer = None
        now = self._loop.time()
        try:
            while self._items and self._items[0][0] <= now:
                if self.frozen or self.receiver.paused:
                    return
                item = self._items.popleft()[1]
                self._loop.arrived()
                if isinstance(item, bytes):
                    self.waiting -= len(item)
                read = not self.receiver.is_closing()
                self.receiver.receive(item)
                if read:
                    self.sender.drained()
        finally:
            self.schedule()


class Connection:
    """The two directions of a connection. `port` (or `path`) is the server's."""

    def __init__(self, port: int, path: str, up: Direction, down: Direction) -> None:
        self.port = port
        self.path = path
        self.up = up
        """From the client to the server."""
        self.down = down
        """From the server to the client."""

    @property
    def open(self) -> bool:
        return not (self.up.sender.lost and self.down.sender.lost)

    def freeze(self) -> None:
        """Stop both directions, as when a cable is pulled. Neither end is notified."""
        self.up.freeze()
        self.down.freeze()

    def thaw(self) -> None:
        self.up.thaw()
        self.down.thaw()

    def cut(self) -> None:
        """Reset both ends at once; data in flight is lost."""
        for end in (self.up.sender, self.down.sender):
            end.out.discard()
            end.connection_broke()


class VirtualTransport(asyncio.Transport):
    """One end of a connection in memory: an asyncio transport."""

    def __init__(
        self,
        loop: VirtualLoop,
        context: contextvars.Context,
        own: tuple[str, int],
        peer: tuple[str, int],
    ) -> None:
        super().__init__()
        self.context = context
        self._owner = context
        """Keeps the context of a dead process alive, so that nothing of it is collected early."""
        self.paused = False
        self.lost = False
        self.out: Direction
        self.into: Direction
        self.server: VirtualServer | None = None
        self.protocol: Any = None
        self._loop = loop
        self._socket = VirtualSocket(own, peer)
        self._closing = False
        self._eof_sent = False
        self._loss_scheduled = False
        self._unread = False
        self._writing_paused = False
        self._high = HIGH_WATER_BYTES
        self._low = HIGH_WATER_BYTES // 4

    # --- the interface of asyncio.Transport -----------------------------------------------------

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        if name == "socket":
            return self._socket
        if name == "peername":
            return self._socket.getpeername()
        if name == "sockname":
            return self._socket.getsockname()
        return default

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol

    def get_protocol(self) -> Any:
        return self.protocol

    def is_closing(self) -> bool:
        return self._closing

    def is_reading(self) -> bool:
        return not self.paused and not self._closing

    def pause_reading(self) -> None:
        if not self._closing:
            self.paused = True

    def resume_reading(self) -> None:
        self.paused = False
        self.into.schedule()

    def get_write_buffer_size(self) -> int:
        return max(0, self.out.waiting - WINDOW_BYTES)

    def get_write_buffer_limits(self) -> tuple[int, int]:
        return self._low, self._high

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        if high is None:
            high = HIGH_WATER_BYTES if low is None else 4 * low
        if low is None:
            low = high // 4
        if not high >= low >= 0:
            raise ValueError(f"high ({high}) must be at least low ({low}), and low at least 0")
        self._high, self._low = high, low
        self._pause_writing_if_full()

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        if not self._closing:
            self._send_end()

    def write(self, data: Any) -> None:
        if self._eof_sent and not self._closing:
            raise RuntimeError("cannot write after write_eof()")
        if self._closing or not data:
            return
        if self.into.broken():
            self.connection_broke()
            return
        self.out.put(bytes(data))
        self._pause_writing_if_full()

    def writelines(self, list_of_data: Any) -> None:
        self.write(b"".join(list_of_data))

    def close(self) -> None:
        """Close after the written data has been sent."""
        if self._closing:
            return
        self._stop_reading()
        self._send_end()
        if self.get_write_buffer_size() == 0:
            self._schedule_loss(None)

    def abort(self) -> None:
        """Close at once. Data in flight arrives; data in the buffer is dropped."""
        self._abort(None)

    def _abort(self, error: Exception | None) -> None:
        if self.lost:
            return
        if self.out.discard_unsent():
            self._eof_sent = False
        self._send_end()
        self._stop_reading()
        self._schedule_loss(error)

    def _send_end(self) -> None:
        if not self._eof_sent:
            self._eof_sent = True
            self.out.put(_EOF)

    def _stop_reading(self) -> None:
        self._closing = True
        if self.paused:
            # Data that has arrived will not be read, so it is answered with a reset.
            self.resume_reading()

    def _pause_writing_if_full(self) -> None:
        if not self._writing_paused and self.get_write_buffer_size() > self._high:
            self._writing_paused = True
            self.protocol.pause_writing()

    # --- data from the other end ----------------------------------------------------------------

    def receive(self, item: Any) -> None:
        """Take bytes, the end of the stream, or a reset."""
        if item is _RESET:
            # A transport that has closed and sent everything no longer reacts to a reset.
            if not self._loss_scheduled:
                self._closing = True
                self._report_loss(_reset_error())
        elif self.lost or self._closing:
            if isinstance(item, bytes):
                self._unread = True
                self._answer_unread()
        else:
            try:
                if item is _EOF:
                    self._end()
                else:
                    self._feed(item)
            except Exception as error:
                # As in asyncio's transports: a protocol that raises loses its connection.
                self._loop.call_exception_handler(
                    {
                        "message": "Fatal error: the protocol failed on what it received.",
                        "exception": error,
                        "transport": self,
                        "protocol": self.protocol,
                    }
                )
                self._abort(error)

    def _end(self) -> None:
        received = getattr(self.protocol, "eof_received", None)
        if received is None or not received():
            self.close()

    def _feed(self, data: bytes) -> None:
        if not isinstance(self.protocol, asyncio.BufferedProtocol):
            self.protocol.data_received(data)
            return
        view = memoryview(data)
        while view:
            room = memoryview(self.protocol.get_buffer(len(view)))
            count = min(len(room), len(view))
            if count == 0:
                raise RuntimeError("get_buffer() returned an empty buffer")
            room[:count] = view[:count]
            self.protocol.buffer_updated(count)
            view = view[count:]

    def _answer_unread(self) -> None:
        """Reset the other end, as a kernel does if data will never be read."""
        if self._unread and self.lost and not self.out.receiver.lost:
            self._unread = False
            self.out.put(_RESET)

    def drained(self) -> None:
        """Note that some written data has arrived: the buffer may have room again."""
        if self.lost or not (self._writing_paused or self._closing):
            return
        size = self.get_write_buffer_size()
        if self._writing_paused and size <= self._low:
            self._writing_paused = False
            # This runs in the receiver's context, which may be another process.
            self.context.copy().run(self.protocol.resume_writing)
        if self._closing and size == 0:
            self._schedule_loss(None)

    def connection_broke(self) -> None:
        """Note that the connection broke, and notify the protocol soon."""
        self._closing = True
        self._schedule_loss(_reset_error())

    def owner_died(self) -> None:
        """End with the process: its protocol is not notified, and the other end is reset."""
        # The kernel goes on: it resets a peer that still sends to an end that was closed.
        self._owner, self.context = self.context, contextvars.Context()
        self.into.process_died()
        if not self.lost:
            self.lost = self._closing = True
            self.out.discard()
            self.out.put(_RESET)

    def _schedule_loss(self, error: Exception | None) -> None:
        if not self._loss_scheduled:
            self._loss_scheduled = True
            self._loop.call_soon(self._report_loss, error, context=self.context)

    def _report_loss(self, error: Exception | None) -> None:
        if self.lost:
            return
        self.lost = True
        self._answer_unread()
        if self.server is not None:
            self.server.open.pop(self, None)
        if self.protocol is not None:
            self.context.copy().run(self.protocol.connection_lost, error)


def _reset_error() -> ConnectionResetError:
    return ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")


class VirtualServer(asyncio.AbstractServer):
    """A server that listens at a port or a Unix path."""

    def __init__(
        self,
        network: Network,
        factory: Callable[[], Any],
        key: int | str,
        sock: socket.socket | VirtualSocket,
    ) -> None:
        self.factory = factory
        self.key = key
        """The port or path."""
        self.context = contextvars.copy_context()
        self.open: dict[VirtualTransport, None] = {}
        self._socket = sock
        self._network = network
        self._forever: asyncio.Future[None] | None = None

    @property
    def sockets(self) -> tuple[socket.socket | VirtualSocket, ...]:
        return (self._socket,) if self.is_serving() else ()

    def close(self) -> None:
        """Stop listening. Open connections stay open."""
        self._network.closed(self)
        self._socket.close()
        if self._forever is not None:
            self._forever.cancel()

    def close_clients(self) -> None:
        for transport in list(self.open):
            transport.close()

    def abort_clients(self) -> None:
        for transport in list(self.open):
            transport.abort()

    def is_serving(self) -> bool:
        return self._network.serves(self)

    def get_loop(self) -> asyncio.AbstractEventLoop:
        return self._network.loop

    async def start_serving(self) -> None:
        """Do nothing: the server listens from the start."""

    async def serve_forever(self) -> None:
        self._forever = self._network.loop.create_future()
        try:
            await self._forever
        finally:
            self.close()

    async def wait_closed(self) -> None:
        """Return at once: connections outlive the server, and their owners close them."""


class Network:
    """All listening ports and connections of a loop."""

    def __init__(self, loop: VirtualLoop) -> None:
        self.loop = loop
        self.connections: list[Connection] = []
        """All open connections, and a few that were closed recently."""
        self.connected: Callable[[Connection], None] = lambda connection: None
        self.refused: Callable[[int], bool] = lambda port: False
        """Set this to refuse connections to a port although a server listens."""
        self._servers: dict[int | str, VirtualServer] = {}
        self._bound: dict[int, tuple[VirtualSocket, str]] = {}
        """The bound socket of each port, and its process."""
        self._ports = FIRST_PORT
        self._clients = FIRST_CLIENT_PORT

    def bind(self, host: str, port: int) -> VirtualSocket:
        """Return a socket bound to `port`, or to a free one for 0. Raises OSError if in use."""
        port = port or self._free_port()
        if port in self._bound or port in self._servers:
            raise OSError(errno.EADDRINUSE, f"the port {port} is in use")
        bound = VirtualSocket((host, port), release=self._free)
        self._bound[port] = bound, PROCESS.get()
        return bound

    def _free(self, closed: VirtualSocket) -> None:
        port = closed.getsockname()[1]
        if port in self._bound and self._bound[port][0] is closed:
            del self._bound[port]

    def listen(
        self,
        factory: Callable[[], Any],
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        path: str = "",
        sock: socket.socket | VirtualSocket | None = None,
    ) -> VirtualServer:
        """Listen at a port, a path or the port of `sock`. Raises OSError if it is in use."""
        if path:
            sock = VirtualSocket((path, 0))
        elif sock is None:
            sock = self.bind(host, port)
        key: int | str = path or sock.getsockname()[1]
        if key in self._servers:
            raise OSError(errno.EADDRINUSE, f"{key} is in use")
        server = self._servers[key] = VirtualServer(self, factory, key, sock)
        return server

    def serves(self, server: VirtualServer) -> bool:
        return self._servers.get(server.key) is server

    def closed(self, server: VirtualServer) -> None:
        if self.serves(server):
            del self._servers[server.key]

    async def connect(
        self, factory: Callable[[], Any], host: str = "", port: int = 0, *, path: str = ""
    ) -> tuple[VirtualTransport, Any]:
        """Connect to a server. Raises ConnectionRefusedError if there is none."""
        await asyncio.sleep(0)
        server = self._servers.get(path or port)
        if server is None or self.refused(port):
            raise ConnectionRefusedError(errno.ECONNREFUSED, f"nothing listens at {path or port}")
        self._clients += 1
        here, there = (host or path, self._clients), (host or path, port)
        loop = self.loop
        ours = factory()
        client = VirtualTransport(loop, contextvars.copy_context(), here, there)
        accepted = VirtualTransport(loop, server.context.copy(), there, here)
        theirs = accepted.context.copy().run(server.factory)
        up, down = Direction(loop), Direction(loop)
        up.sender = down.receiver = client
        up.receiver = down.sender = accepted
        client.out, client.into = up, down
        accepted.out, accepted.into = down, up
        client.protocol, accepted.protocol = ours, theirs
        accepted.server = server
        server.open[accepted] = None
        connection = Connection(port, path, up, down)
        self._remember(connection)
        loop.call_soon(theirs.connection_made, accepted, context=accepted.context)
        # From here on the simulation may cut the connection.
        try:
            self.connected(connection)
        except BaseException:
            # The client's protocol was never connected, so it must not get `connection_lost`.
            client.protocol = None
            client.abort()
            raise
        ours.connection_made(client)
        try:
            await asyncio.sleep(0)
        except BaseException:
            client.close()
            raise
        return client, ours

    def kill(self, process: str) -> None:
        """Close the ports of a dead process and reset the peers of its connections."""
        for key, server in list(self._servers.items()):
            if server.context.get(PROCESS, "") == process:
                del self._servers[key]
        for port, (_, owner) in list(self._bound.items()):
            if owner == process:
                del self._bound[port]
        for connection in self.connections:
            for end in (connection.up.sender, connection.down.sender):
                if end.context.get(PROCESS, "") == process:
                    end.owner_died()

    def _remember(self, connection: Connection) -> None:
        if len(self.connections) >= 64:
            self.connections = [each for each in self.connections if each.open]
        self.connections.append(connection)

    def _free_port(self) -> int:
        self._ports += 1
        while self._ports in self._bound or self._ports in self._servers:
            self._ports += 1
        return self._ports
