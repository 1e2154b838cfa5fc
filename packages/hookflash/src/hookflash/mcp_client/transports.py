"""How a client reaches an MCP server: over HTTP, or as a program with stdin and stdout.

Both read at most `MESSAGE_BYTES` for one message, because a call's audio waits while a message is
decoded. A longer one ends the connection.

    resource           acquired               released
    the HTTP client    http_transport         when its block ends
    the program        program_transport      when its block ends, with what it has started
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator

import anyio
import httpx2
from anyio.abc import ObjectReceiveStream, ObjectSendStream
from mcp.client._transport import TransportStreams
from mcp.client.stdio import get_default_environment
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.message import SessionMessage
from mcp_types import jsonrpc_message_adapter

MESSAGE_BYTES = 4 * 1024 * 1024

_HTTP_SECONDS = 30.0
_STREAM_SECONDS = 300.0
_EXIT_SECONDS = 2.0


class MessageTooLong(OSError):
    """A server has sent a message of more than `MESSAGE_BYTES`."""

    def __init__(self) -> None:
        super().__init__(f"a message is longer than {MESSAGE_BYTES:,} bytes")


class _LimitedBody(httpx2.AsyncByteStream):
    """The body of a response, up to `MESSAGE_BYTES`."""

    def __init__(self, body: httpx2.AsyncByteStream) -> None:
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for piece in self._body:
            size += len(piece)
            if size > MESSAGE_BYTES:
                raise MessageTooLong
            yield piece

    async def aclose(self) -> None:
        await self._body.aclose()


async def _limit_body(response: httpx2.Response) -> None:
    # The package itself limits the events of a stream, which has many of them.
    streams = response.headers.get("content-type", "").startswith("text/event-stream")
    if not streams and isinstance(response.stream, httpx2.AsyncByteStream):
        response.stream = _LimitedBody(response.stream)


@contextlib.asynccontextmanager
async def http_transport(url: str, headers: dict[str, str]) -> AsyncIterator[TransportStreams]:
    """Connect to a server by streamable HTTP."""
    async with (
        httpx2.AsyncClient(
            headers=headers,
            timeout=httpx2.Timeout(_HTTP_SECONDS, read=_STREAM_SECONDS),
            event_hooks={"response": [_limit_body]},
        ) as client,
        streamable_http_client(
            url, http_client=client, max_sse_event_size=MESSAGE_BYTES
        ) as streams,
    ):
        yield streams


@contextlib.asynccontextmanager
async def program_transport(
    command: tuple[str, ...], env: dict[str, str], folder: str | None
) -> AsyncIterator[TransportStreams]:
    """Start a server as a program and connect to its stdin and stdout, one message a line.

    Raises `OSError` if it cannot be started.
    """
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=get_default_environment() | env,
        cwd=folder,
        limit=MESSAGE_BYTES,
        # A signal to this program's terminal is not the server's.
        start_new_session=True,
    )
    to_session, from_server = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    to_server, from_session = anyio.create_memory_object_stream[SessionMessage](0)
    assert process.stdin is not None and process.stdout is not None
    reading = asyncio.create_task(_read(process.stdout, to_session))
    writing = asyncio.create_task(_write(process.stdin, from_session, to_session))
    try:
        yield from_server, to_server
    finally:
        for stream in (from_server, to_server, to_session, from_session):
            stream.close()
        for task in (reading, writing):
            task.cancel()
        await asyncio.gather(reading, writing, return_exceptions=True)
        await _end(process)


async def _read(
    stdout: asyncio.StreamReader,
    to_session: ObjectSendStream[SessionMessage | Exception],
) -> None:
    async with to_session:
        with contextlib.suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
            while True:
                try:
                    line = await stdout.readline()
                except ValueError:
                    # A line without an end would be read forever.
                    await to_session.send(MessageTooLong())
                    return
                if not line:
                    return
                if not line.strip():
                    continue
                try:
                    message = jsonrpc_message_adapter.validate_json(line, by_name=False)
                except ValueError as error:
                    # Some servers print their log to stdout.
                    await to_session.send(error)
                else:
                    await to_session.send(SessionMessage(message))


async def _write(
    stdin: asyncio.StreamWriter,
    from_session: ObjectReceiveStream[SessionMessage],
    to_session: ObjectSendStream[SessionMessage | Exception],
) -> None:
    try:
        async for message in from_session:
            text = message.message.model_dump_json(by_alias=True, exclude_unset=True)
            stdin.write(text.encode() + b"\n")
            await stdin.drain()
    except OSError:
        # The program has ended or closed its stdin, so no request is answered any more.
        await to_session.aclose()


async def _end(process: asyncio.subprocess.Process) -> None:
    """End a program: close its stdin, then send SIGTERM, then SIGKILL, to it and its children."""
    assert process.stdin is not None
    process.stdin.close()
    for number in (None, signal.SIGTERM, signal.SIGKILL):
        if number is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, number)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_EXIT_SECONDS):
                await process.wait()
                break
    # What the program started may outlive it.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    # asyncio closes the pipes when they end, which a full one never does.
    process._transport.close()  # type: ignore[attr-defined]  # there is no public way
