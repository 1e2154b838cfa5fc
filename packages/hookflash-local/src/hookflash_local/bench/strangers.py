"""Measure how the connections of strangers affect live calls.

Strangers are connections without a signature or a sign-in: idle ones, half-sent requests, and one
endless header. A separate process opens them on the load generator's core. The delay of the calls
is measured before they are open, and while they are. Compare the ratio, as for the other faults.

Two limits of the server are raised for the first two rows, so that all connections stay open. In
the third row they have their defaults, so the server closes some connections. A connection that is
closed is opened again a second later.
"""

from __future__ import annotations

import asyncio
import contextlib
import resource
import socket
import statistics
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Literal, get_args

from hookflash_local.bench.fault_isolation import measure_windows
from hookflash_local.bench.harness import Harness
from hookflash_local.bench.processes import Placement, cores
from hookflash_local.bench.programs import BenchError
from hookflash_local.bench.report import Fault

CONNECTIONS = 2000
HEADER_BYTES = 64_000_000

Kind = Literal["idle", "slow", "endless"]

_ALL_STAY = {
    "HOOKFLASH_MAX_CONNECTIONS": str(2 * CONNECTIONS),
    "HOOKFLASH_HEADER_SECONDS": "600",
}
ROWS: dict[str, tuple[Kind, int, Mapping[str, str]]] = {
    f"{CONNECTIONS} connections that send nothing": ("idle", CONNECTIONS, _ALL_STAY),
    f"{CONNECTIONS} requests at a byte a second": ("slow", CONNECTIONS, _ALL_STAY),
    f"{CONNECTIONS} of them, default limits": ("slow", CONNECTIONS, {}),
    "a header of 64 MB": ("endless", 1, {}),
}

_HEAD = b"GET / HTTP/1.1\r\nHost: line.example.com\r\nX-Slow: "
_BYTE_SECONDS = 1.0
_RECONNECT_SECONDS = 1.0
_MOST_CONNECTING = 100
_OPEN_SECONDS = 60.0
_PIECE = b"x" * 65_536


async def measure_strangers(
    harness: Harness, calls: int, seconds: float, on_progress: Callable[[str], None]
) -> list[Fault]:
    """Measure every row with `calls` calls and windows of `seconds`."""
    found = []
    for name, (kind, connections, environ) in ROWS.items():
        on_progress(f"fault: {name}")
        async with harness.hookflash(environ=environ) as loaded:
            await loaded.place(calls)
            before = await measure_windows(loaded, seconds)
            async with strangers(loaded.relay.port, kind, connections):
                during = await measure_windows(loaded, seconds)
            found.append(
                Fault(
                    fault=name,
                    calls=calls,
                    before_p99=statistics.median(window.p99 for window in before),
                    during_p99=statistics.median(window.p99 for window in during),
                    lost=sum(window.up.lost + window.down.lost for window in during),
                    gone=len(loaded.load.gone),
                )
            )
    return found


@contextlib.asynccontextmanager
async def strangers(port: int, kind: Kind, connections: int) -> AsyncIterator[None]:
    """Keep connections to `port` of this machine open while the block runs.

    Raises `BenchError` if they cannot be opened.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", __name__, str(port), kind, str(connections)),
        stdout=asyncio.subprocess.PIPE,
        preexec_fn=Placement(tuple(cores()[-1:])).apply,
    )
    assert process.stdout is not None
    try:
        try:
            async with asyncio.timeout(_OPEN_SECONDS):
                said = await process.stdout.readline()
        except TimeoutError:
            said = b""
        if not said:
            raise BenchError(f"expected {connections} open connections to port {port}, got none")
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


# --- the process that holds the connections -----------------------------------------------------


class _Stranger(asyncio.Protocol):
    """A connection that sends nothing, little or too much. It is opened again if it is closed."""

    def __init__(self, connections: _Connections) -> None:
        self._connections = connections
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._connections.open.add(transport)
        if self._connections.kind != "idle":
            transport.write(_HEAD)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.open.discard(self._transport)
        self._connections.connect_again()


class _Connections:
    """The connections of this process."""

    def __init__(self, port: int, kind: Kind) -> None:
        self.kind = kind
        self.open: set[asyncio.Transport | None] = set()
        self._port = port
        self._opening = asyncio.Semaphore(_MOST_CONNECTING)
        self._tasks: set[asyncio.Task[None]] = set()

    async def connect(self) -> None:
        """Open one connection."""
        loop = asyncio.get_running_loop()
        async with self._opening:
            with contextlib.suppress(OSError):
                await loop.create_connection(
                    lambda: _Stranger(self), "127.0.0.1", self._port, family=socket.AF_INET
                )
                return
        self.connect_again()

    def connect_again(self) -> None:
        """Open another connection a little later."""
        task = asyncio.get_running_loop().create_task(self._connect_later())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def send(self) -> None:
        """Send what this kind of stranger sends, without end."""
        while True:
            for transport in list(self.open):
                if transport is None or transport.is_closing() or self.kind == "idle":
                    continue
                if self.kind == "slow":
                    transport.write(b"x")
                elif transport.get_write_buffer_size() < HEADER_BYTES:
                    for _ in range(HEADER_BYTES // len(_PIECE)):
                        transport.write(_PIECE)
            await asyncio.sleep(_BYTE_SECONDS)

    async def _connect_later(self) -> None:
        await asyncio.sleep(_RECONNECT_SECONDS)
        await self.connect()


async def _hold(port: int, kind: Kind, connections: int) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    opened = _Connections(port, kind)
    await asyncio.gather(*(opened.connect() for _ in range(connections)))
    print("open", flush=True)
    await opened.send()


def _main() -> None:
    port, kind, connections = sys.argv[1:]
    named: Kind = next(each for each in get_args(Kind) if each == kind)
    asyncio.run(_hold(int(port), named, int(connections)))


if __name__ == "__main__":
    _main()
