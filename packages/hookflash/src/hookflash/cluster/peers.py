"""Requests between processes: bytes in, bytes out, over a Unix socket.

    frame: 1 byte kind (0 question, 1 answer, 2 failed), 4 bytes length, 8 bytes number, body

One connection carries many requests at once. Answers come in any order and are matched by number.
This module does not interpret the bytes.

    resource              acquired               released
    listening socket      serve_requests()       when its block ends
    a peer's connection   when it connects       when it closes, or the block ends
    a request's task      the request            its answer, or the connection's end
    our connection        the first ask()        its loss, or close()
    its reader            with the connection    with the connection
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from hookflash.private_files import restrict

log = logging.getLogger("hookflash.workers")

_HEADER = struct.Struct(">BIQ")
_QUESTION, _ANSWER, _FAILED = range(3)
MAX_BYTES = 4 * 1024 * 1024

Answer = Callable[[bytes], Awaitable[bytes]]


class PeerGone(Exception):
    """A peer cannot be reached, crashed before it answered, or failed to answer.

    `dead`: no process listens at its address. This is briefly true for a starting process, too.
    """

    def __init__(self, message: str, *, dead: bool = False) -> None:
        super().__init__(message)
        self.dead = dead


async def _read_frame(reader: asyncio.StreamReader) -> tuple[int, int, bytes]:
    """Return kind, number and body. Raises `EOFError`, `OSError` or `ValueError`."""
    kind, length, number = _HEADER.unpack(await reader.readexactly(_HEADER.size))
    if length > MAX_BYTES or kind > _FAILED:
        raise ValueError(f"a frame of kind {kind} with {length} bytes")
    return kind, number, await reader.readexactly(length)


def _frame(kind: int, number: int, body: bytes) -> bytes:
    return _HEADER.pack(kind, len(body), number) + body


@contextlib.asynccontextmanager
async def serve_requests(path: Path, answer: Answer) -> AsyncIterator[None]:
    """Answer requests at `path` while the block runs, each in its own task."""
    connections: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connections.add(task)
        try:
            await _serve(reader, writer, answer)
        finally:
            connections.discard(task)
            writer.close()

    server = await asyncio.start_unix_server(connected, path)
    try:
        # A socket of a simulated network has no file.
        with contextlib.suppress(FileNotFoundError):
            restrict(path)
        yield
    finally:
        server.close()
        for task in list(connections):
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)


async def _serve(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer: Answer
) -> None:
    asked: set[asyncio.Task[None]] = set()

    async def reply(number: int, body: bytes) -> None:
        try:
            frame = _frame(_ANSWER, number, await answer(body))
        except Exception:
            # The request ends here. The sender gets a failure.
            log.exception("! a request of another worker failed")
            frame = _frame(_FAILED, number, b"")
        if not writer.is_closing():
            writer.write(frame)

    try:
        while True:
            _, number, body = await _read_frame(reader)
            task = asyncio.create_task(reply(number, body))
            asked.add(task)
            task.add_done_callback(asked.discard)
    except (EOFError, OSError):
        return
    except ValueError as error:
        log.warning("! a worker sent %s: its connection is closed", error)
    except asyncio.CancelledError:
        # The block of `serve_requests` ends. asyncio's callback logs tasks that end cancelled.
        return
    finally:
        for task in asked:
            task.cancel()
        await asyncio.gather(*asked, return_exceptions=True)


class Peer:
    """A client for another process. It connects at the first request, and again if necessary."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._numbers = itertools.count()
        self._waiting: dict[int, asyncio.Future[bytes]] = {}
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None
        self._connecting = asyncio.Lock()

    async def ask(self, body: bytes, *, seconds: float) -> bytes:
        """Return the peer's answer. Raises `PeerGone`, or `TimeoutError` after `seconds`."""
        async with asyncio.timeout(seconds):
            writer = await self._connect()
            number = next(self._numbers)
            answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
            self._waiting[number] = answer
            try:
                writer.write(_frame(_QUESTION, number, body))
                return await answer
            finally:
                self._waiting.pop(number, None)

    async def close(self) -> None:
        """Close the connection. Waiting requests fail with `PeerGone`."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)

    async def _connect(self) -> asyncio.StreamWriter:
        async with self._connecting:
            if self._writer is None:
                try:
                    reader, self._writer = await asyncio.open_unix_connection(self._path)
                except OSError as error:
                    dead = isinstance(error, ConnectionRefusedError)
                    raise PeerGone(str(error), dead=dead) from None
                self._reading = asyncio.create_task(self._read(reader, self._writer))
            return self._writer

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                kind, number, body = await _read_frame(reader)
                answer = self._waiting.get(number)
                if answer is None or answer.done():
                    continue
                if kind == _ANSWER:
                    answer.set_result(body)
                else:
                    answer.set_exception(PeerGone("it failed to answer"))
        except (EOFError, OSError, ValueError):
            return
        finally:
            self._writer = None
            writer.close()
            for answer in self._waiting.values():
                if not answer.done():
                    answer.set_exception(PeerGone("its connection is lost"))
