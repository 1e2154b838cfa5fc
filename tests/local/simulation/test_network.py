"""Each test speaks for both ends; `pair` connects two protocols that note what they are told."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import random
import socket
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from websockets.asyncio.client import connect as connect_websocket
from websockets.asyncio.server import serve as serve_websocket

from hookflash_local.simulation.loop import PROCESS, VirtualLoop
from hookflash_local.simulation.network import WINDOW_BYTES, Connection, VirtualTransport

PORT = 8080


class Noted(asyncio.Protocol):
    """Notes what it is told, with the loop's time."""

    def __init__(self) -> None:
        self.transport: VirtualTransport
        self.data = b""
        self.told: list[tuple[float, Any]] = []
        self.writable = True
        self.keeps_open = False
        self.process: list[str] = []

    def note(self, what: Any) -> None:
        self.process.append(PROCESS.get())
        self.told.append((asyncio.get_running_loop().time(), what))

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.note("made")

    def data_received(self, data: bytes) -> None:
        self.data += data
        self.note(data)

    def eof_received(self) -> bool:
        self.note("end")
        return self.keeps_open

    def connection_lost(self, error: Exception | None) -> None:
        self.note("lost" if error is None else type(error))

    def pause_writing(self) -> None:
        self.writable = False
        self.note("pause")

    def resume_writing(self) -> None:
        self.writable = True
        self.note("resume")

    @property
    def events(self) -> list[Any]:
        return [what for _, what in self.told]


class Buffered(asyncio.BufferedProtocol):
    """Takes at most `size` bytes at once."""

    def __init__(self, size: int) -> None:
        self.buffer = bytearray(size)
        self.chunks: list[bytes] = []
        self.lost: list[Exception | None] = []

    def get_buffer(self, sizehint: int) -> bytearray:
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.chunks.append(bytes(self.buffer[:nbytes]))

    def connection_lost(self, error: Exception | None) -> None:
        self.lost.append(error)


@pytest.fixture
async def loop() -> VirtualLoop:
    running = asyncio.get_running_loop()
    assert isinstance(running, VirtualLoop)
    return running


Pair = Callable[..., Awaitable[tuple[Any, Any, Connection]]]


@pytest.fixture
async def pair(loop: VirtualLoop) -> Pair:
    """Connect a client and a server: `await pair(client, server)` returns them and the road."""

    async def make(client: Any = None, server: Any = None) -> tuple[Any, Any, Connection]:
        client, server = client or Noted(), server or Noted()
        listening = await loop.create_server(lambda: server, "127.0.0.1", 0)
        port = listening.sockets[0].getsockname()[1]
        await loop.create_connection(lambda: client, "127.0.0.1", port)
        listening.close()
        return client, server, loop.network.connections[-1]

    return make


@contextlib.contextmanager
def process(name: str) -> Iterator[None]:
    token = PROCESS.set(name)
    yield
    PROCESS.reset(token)


async def settle() -> None:
    """Let everything happen that takes no time."""
    for _ in range(20):
        await asyncio.sleep(0)


# --- bytes ------------------------------------------------------------------------------------


async def test_bytes_arrive_in_order_and_at_once(loop: VirtualLoop, pair: Pair) -> None:
    client, server, _ = await pair()
    for number in range(100):
        client.transport.write(bytes([number]))
    client.transport.writelines([b"a", bytearray(b"b"), memoryview(b"c")])
    server.transport.write(b"")
    server.transport.write(b"back")
    await settle()
    assert server.data == bytes(range(100)) + b"abc"
    assert client.events == ["made", b"back"]
    assert loop.time() == 0.0


async def test_what_was_written_may_be_changed_afterwards(pair: Pair) -> None:
    client, server, _ = await pair()
    buffer = bytearray(b"first")
    client.transport.write(buffer)
    buffer[:] = b"later"
    await settle()
    assert server.data == b"first"


async def test_a_client_may_write_when_it_is_told_of_its_connection(pair: Pair) -> None:
    class Eager(Noted):
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            transport.write(b"hello")

    _, server, _ = await pair(Eager())
    await settle()
    assert server.events == ["made", b"hello"]


async def test_the_two_ends_know_each_other(pair: Pair) -> None:
    client, server, _ = await pair()
    ours, theirs = client.transport, server.transport
    assert ours.get_extra_info("peername") == theirs.get_extra_info("sockname")
    assert theirs.get_extra_info("peername") == ours.get_extra_info("sockname")
    sock = ours.get_extra_info("socket")
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setblocking(False)
    assert sock.getsockname() == ours.get_extra_info("sockname")
    assert sock.getpeername() == ours.get_extra_info("peername")
    assert (sock.family, sock.type, sock.fileno()) == (socket.AF_INET, socket.SOCK_STREAM, -1)
    assert ours.get_extra_info("sslcontext", "none") == "none"


async def test_a_protocol_may_hand_its_connection_to_another(pair: Pair) -> None:
    client, server, _ = await pair()
    after = Noted()
    client.transport.write(b"1")
    await settle()
    server.transport.set_protocol(after)
    assert server.transport.get_protocol() is after
    client.transport.write(b"2")
    client.transport.close()
    await settle()
    assert server.events == ["made", b"1"]
    assert after.events == [b"2", "end", "lost"]


async def test_a_buffered_protocol_gets_as_much_as_it_has_room_for(pair: Pair) -> None:
    client, server, _ = await pair(server=Buffered(4))
    client.transport.write(b"0123456789")
    await settle()
    assert server.chunks == [b"0123", b"4567", b"89"]


async def test_a_buffered_protocol_without_room_loses_its_connection(
    loop: VirtualLoop, pair: Pair
) -> None:
    errors: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: errors.append(context))
    client, server, _ = await pair(server=Buffered(0))
    client.transport.write(b"1")
    await settle()
    assert [type(error["exception"]) for error in errors] == [RuntimeError]
    assert [type(error) for error in server.lost] == [RuntimeError]
    assert client.events == ["made", "end", "lost"]


@pytest.mark.parametrize("fails", ["data_received", "eof_received"])
async def test_a_protocol_that_fails_loses_its_connection(
    loop: VirtualLoop, pair: Pair, fails: str
) -> None:
    errors: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: errors.append(context))

    def fail(*_: Any) -> None:
        raise ValueError("a mistake")

    client, server, _ = await pair()
    setattr(server, fails, fail)
    client.transport.write(b"1")
    client.transport.write_eof()
    await settle()
    assert [str(error["exception"]) for error in errors] == ["a mistake"]
    assert server.events[-1] is ValueError
    assert client.events == ["made", "end", "lost"]


# --- the road ---------------------------------------------------------------------------------


async def test_a_delay_applies_to_one_direction_and_to_what_is_sent_from_then_on(
    pair: Pair,
) -> None:
    client, server, road = await pair()
    client.transport.write(b"0")
    road.up.delay = 0.25
    client.transport.write(b"1")
    server.transport.write(b"back")
    await asyncio.sleep(1.0)
    client.transport.write(b"2")
    client.transport.close()
    await asyncio.sleep(1.0)
    assert server.told[1:] == [
        (0.0, b"0"),
        (0.25, b"1"),
        (1.25, b"2"),
        (1.25, "end"),
        (1.25, "lost"),
    ]
    assert client.told[1:] == [(0.0, b"back"), (1.0, "lost")]


async def test_a_delay_that_shrinks_does_not_change_the_order(pair: Pair) -> None:
    client, server, road = await pair()
    road.up.delay = 1.0
    client.transport.write(b"1")
    road.up.delay = 0.1
    client.transport.write(b"2")
    await asyncio.sleep(2.0)
    client.transport.write(b"3")
    await asyncio.sleep(2.0)
    assert server.told[1:] == [(1.0, b"1"), (1.0, b"2"), (2.1, b"3")]


async def test_jitter_is_drawn_from_its_chance_and_keeps_the_order(pair: Pair) -> None:
    client, server, road = await pair()
    road.up.delay, road.up.jitter = 0.1, 0.2
    road.up.chance = random.Random(1)
    drawn = random.Random(1)
    due: list[float] = []
    for number in range(50):
        sent = number * 0.02
        client.transport.write(bytes([number]))
        due.append(max([*due, sent + 0.1 + drawn.uniform(0.0, 0.2)]))
        await asyncio.sleep(0.02)
    await asyncio.sleep(1.0)
    assert server.data == bytes(range(50))
    assert [at for at, _ in server.told[1:]] == pytest.approx(due)
    # A jitter ten times as long as the time between two writes does move them.
    assert len(set(due)) < len(due)


async def test_jitter_without_a_chance_is_none(pair: Pair) -> None:
    client, server, road = await pair()
    road.up.jitter = 5.0
    client.transport.write(b"1")
    await asyncio.sleep(10.0)
    assert server.told[1:] == [(0.0, b"1")]


async def test_a_frozen_direction_brings_nothing_until_it_thaws(pair: Pair) -> None:
    client, server, road = await pair()
    client.transport.write(b"0")
    await settle()
    road.up.freeze()
    client.transport.write(b"1")
    server.transport.write(b"back")
    await asyncio.sleep(60.0)
    client.transport.write(b"2")
    client.transport.close()
    await asyncio.sleep(60.0)
    road.up.thaw()
    await asyncio.sleep(60.0)
    assert server.told[1:] == [
        (0.0, b"0"),
        (120.0, b"1"),
        (120.0, b"2"),
        (120.0, "end"),
        (120.0, "lost"),
    ]
    assert client.told[1:] == [(0.0, b"back"), (60.0, "lost")]


async def test_what_is_on_the_way_when_a_direction_freezes_waits_too(pair: Pair) -> None:
    client, server, road = await pair()
    road.up.delay = 1.0
    client.transport.write(b"1")
    await asyncio.sleep(0.5)
    road.freeze()
    await asyncio.sleep(4.5)
    road.thaw()
    await settle()
    assert server.told[1:] == [(5.0, b"1")]


async def test_a_protocol_may_freeze_its_connection_between_two_pieces(pair: Pair) -> None:
    client, server, road = await pair()

    def freeze(data: bytes) -> None:
        server.note(data)
        road.up.freeze()

    server.data_received = freeze
    client.transport.write(b"1")
    client.transport.write(b"2")
    await asyncio.sleep(1.0)
    assert server.events == ["made", b"1"]
    road.up.thaw()
    await settle()
    assert server.events == ["made", b"1", b"2"]


async def test_a_cut_resets_both_ends_and_loses_what_is_on_the_way(pair: Pair) -> None:
    client, server, road = await pair()
    road.up.delay = road.down.delay = 1.0
    client.transport.write(b"1")
    server.transport.write(b"2")
    assert road.open
    await asyncio.sleep(0.5)
    road.cut()
    client.transport.write(b"3")
    await asyncio.sleep(5.0)
    assert client.told[1:] == server.told[1:] == [(0.5, ConnectionResetError)]
    assert client.transport.is_closing()
    assert not road.open
    road.cut()
    client.transport.abort()
    client.transport.close()
    await settle()
    assert len(client.told) == len(server.told) == 2


async def test_a_frozen_connection_can_be_reset(pair: Pair) -> None:
    client, server, road = await pair()
    road.freeze()
    client.transport.write(b"1")
    road.cut()
    await settle()
    assert client.events == server.events == ["made", ConnectionResetError]


async def test_a_new_connection_gets_its_delay_before_the_first_byte(
    loop: VirtualLoop, pair: Pair
) -> None:
    seen: list[tuple[int, str]] = []

    def connected(road: Connection) -> None:
        seen.append((road.port, road.path))
        road.up.delay = 0.5

    class Eager(Noted):
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            transport.write(b"hello")

    loop.network.connected = connected
    _, server, road = await pair(Eager())
    await asyncio.sleep(1.0)
    assert seen == [(road.port, "")]
    assert server.told == [(0.0, "made"), (0.5, b"hello")]


async def test_a_connection_that_is_cut_at_once_was_made_before(
    loop: VirtualLoop, pair: Pair
) -> None:
    loop.network.connected = Connection.cut
    client, server, _ = await pair()
    await settle()
    assert client.events == server.events == ["made", ConnectionResetError]


async def test_connections_that_are_closed_are_forgotten_and_others_are_not(
    loop: VirtualLoop, pair: Pair
) -> None:
    kept, _, road = await pair()
    for _ in range(200):
        client, _, _ = await pair()
        client.transport.close()
        await settle()
    assert road in loop.network.connections
    assert len(loop.network.connections) <= 64
    kept.transport.close()


# --- back-pressure ----------------------------------------------------------------------------


async def test_a_receiver_that_does_not_read_lets_the_senders_buffer_grow(pair: Pair) -> None:
    client, server, _ = await pair()
    server.transport.pause_reading()
    assert not server.transport.is_reading()
    client.transport.write(bytes(WINDOW_BYTES))
    await asyncio.sleep(1.0)
    # The two kernels hold that much.
    assert client.transport.get_write_buffer_size() == 0
    client.transport.write(bytes(1000))
    assert client.transport.get_write_buffer_size() == 1000
    assert server.data == b""
    server.transport.resume_reading()
    await settle()
    assert server.transport.is_reading()
    assert client.transport.get_write_buffer_size() == 0
    assert len(server.data) == WINDOW_BYTES + 1000


async def test_writing_is_paused_above_the_high_mark_and_resumed_at_the_low(pair: Pair) -> None:
    client, server, road = await pair()
    transport = client.transport
    assert transport.get_write_buffer_limits() == (16 * 1024, 64 * 1024)
    transport.set_write_buffer_limits(high=300, low=100)
    server.transport.pause_reading()
    transport.write(bytes(WINDOW_BYTES - 200))
    for _ in range(5):
        transport.write(bytes(100))
    assert (client.writable, transport.get_write_buffer_size()) == (True, 300)
    transport.write(bytes(1))
    transport.write(bytes(1))
    assert client.events == ["made", "pause"]

    taken: list[tuple[int, bool]] = []

    def take(data: bytes) -> None:
        taken.append((transport.get_write_buffer_size(), client.writable))
        # One piece for each time it reads.
        server.transport.pause_reading()

    server.data_received = take
    server.transport.resume_reading()
    await settle()
    # The first piece was the window: the buffer is empty when it has arrived.
    assert taken == [(0, False)]
    assert client.events == ["made", "pause", "resume"]
    assert road.up.waiting == 502


async def test_writing_resumes_not_before_the_low_mark(pair: Pair) -> None:
    client, server, _ = await pair()
    transport = client.transport
    transport.set_write_buffer_limits(high=300, low=100)
    server.transport.pause_reading()
    for size in (200, 100, 100, WINDOW_BYTES):
        transport.write(bytes(size))
    assert not client.writable

    def take(data: bytes) -> None:
        server.note((len(data), client.writable))

    server.data_received = take
    server.transport.resume_reading()
    await settle()
    # Paused at 400, and still at 200 after the first piece; at 100 writing went on.
    assert server.events[1:] == [(200, False), (100, False), (100, True), (WINDOW_BYTES, True)]


async def test_the_limits_of_the_buffer_are_those_of_asyncio(pair: Pair) -> None:
    client, server, _ = await pair()
    transport = client.transport
    transport.set_write_buffer_limits(low=10)
    assert transport.get_write_buffer_limits() == (10, 40)
    transport.set_write_buffer_limits(high=80)
    assert transport.get_write_buffer_limits() == (20, 80)
    transport.set_write_buffer_limits(high=0)
    assert transport.get_write_buffer_limits() == (0, 0)
    with pytest.raises(ValueError):
        transport.set_write_buffer_limits(high=1, low=2)
    with pytest.raises(ValueError):
        transport.set_write_buffer_limits(high=1, low=-1)
    transport.set_write_buffer_limits()
    assert transport.get_write_buffer_limits() == (16 * 1024, 64 * 1024)
    server.transport.pause_reading()
    transport.write(bytes(WINDOW_BYTES + 100))
    assert client.writable
    transport.set_write_buffer_limits(high=50)
    assert not client.writable


async def test_a_long_delay_pauses_writing_too(pair: Pair) -> None:
    client, server, road = await pair()
    road.up.delay = 2.0
    client.transport.write(bytes(WINDOW_BYTES + 64 * 1024 + 1))
    await asyncio.sleep(5.0)
    assert client.told[1:] == [(0.0, "pause"), (2.0, "resume")]


async def test_a_writer_waits_in_drain_until_the_other_end_reads(loop: VirtualLoop) -> None:
    got: list[tuple[float, int]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(3.0)
        data = await reader.read()
        got.append((loop.time(), len(data)))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", PORT)
    _, writer = await asyncio.open_connection("127.0.0.1", PORT)
    for _ in range(40):
        writer.write(bytes(64 * 1024))
        await writer.drain()
    assert loop.time() == 3.0
    writer.close()
    await writer.wait_closed()
    await asyncio.sleep(1.0)
    assert got == [(3.0, 40 * 64 * 1024)]
    server.close()


async def test_reading_may_be_paused_between_two_pieces(pair: Pair) -> None:
    client, server, _ = await pair()

    def pause(data: bytes) -> None:
        server.note(data)
        server.transport.pause_reading()

    server.data_received = pause
    client.transport.write(b"1")
    client.transport.write(b"2")
    client.transport.close()
    await asyncio.sleep(1.0)
    assert server.events == ["made", b"1"]
    server.transport.resume_reading()
    await asyncio.sleep(1.0)
    server.transport.resume_reading()
    await settle()
    assert server.told[1:] == [(0.0, b"1"), (1.0, b"2"), (2.0, "end"), (2.0, "lost")]


# --- the end of a connection ------------------------------------------------------------------


async def test_closing_sends_what_was_written_before(pair: Pair) -> None:
    client, server, road = await pair()
    road.up.delay = 1.0
    client.transport.write(b"last words")
    client.transport.close()
    client.transport.close()
    assert client.transport.is_closing()
    assert not client.transport.is_reading()
    client.transport.write(b"too late")
    await asyncio.sleep(2.0)
    assert client.told[1:] == [(0.0, "lost")]
    assert server.told[1:] == [(1.0, b"last words"), (1.0, "end"), (1.0, "lost")]
    assert not road.open


async def test_closing_waits_until_the_buffer_is_empty(pair: Pair) -> None:
    client, server, _ = await pair()
    server.transport.pause_reading()
    client.transport.write(bytes(WINDOW_BYTES + 100))
    client.transport.close()
    await asyncio.sleep(5.0)
    assert client.events == ["made"]
    server.transport.resume_reading()
    await settle()
    assert client.told[1:] == [(5.0, "lost")]
    assert len(server.data) == WINDOW_BYTES + 100
    assert server.events[-2:] == ["end", "lost"]


async def test_a_full_buffer_whose_receiver_closes_without_reading_is_reset(pair: Pair) -> None:
    client, server, _ = await pair()
    server.transport.pause_reading()
    client.transport.write(bytes(WINDOW_BYTES + 100))
    client.transport.close()
    await asyncio.sleep(5.0)
    server.transport.close()
    await settle()
    assert server.told[1:] == [(5.0, "lost")]
    assert client.told[1:] == [(5.0, ConnectionResetError)]
    assert server.data == b""


async def test_one_direction_may_end_before_the_other(pair: Pair) -> None:
    client, server, road = await pair()
    server.keeps_open = True
    assert client.transport.can_write_eof()
    client.transport.write(b"question")
    client.transport.write_eof()
    client.transport.write_eof()
    with pytest.raises(RuntimeError):
        client.transport.write(b"more")
    await settle()
    assert server.events == ["made", b"question", "end"]
    server.transport.write(b"answer")
    await asyncio.sleep(1.0)
    assert client.events == ["made", b"answer"]
    assert road.open
    server.transport.close()
    await settle()
    assert client.told[1:] == [(0.0, b"answer"), (1.0, "end"), (1.0, "lost")]
    assert server.events == ["made", b"question", "end", "lost"]
    client.transport.write_eof()


async def test_a_protocol_without_an_opinion_closes_at_the_end(pair: Pair) -> None:
    class Mute(asyncio.BaseProtocol):
        pass

    client, _, _ = await pair(server=Mute())
    client.transport.write_eof()
    await settle()
    assert client.events == ["made", "end", "lost"]


async def test_writing_to_a_closed_end_is_answered_with_a_reset(pair: Pair) -> None:
    client, server, road = await pair()
    client.keeps_open = True
    road.up.delay = road.down.delay = 0.5
    server.transport.close()
    await asyncio.sleep(1.0)
    assert client.told[1:] == [(0.5, "end")]
    client.transport.write(b"hello?")
    await asyncio.sleep(5.0)
    assert client.told[1:] == [(0.5, "end"), (2.0, ConnectionResetError)]


async def test_bytes_that_come_while_an_end_closes_reset_the_other(pair: Pair) -> None:
    client, server, _ = await pair()
    client.keeps_open = True
    client.transport.pause_reading()
    server.transport.write(bytes(WINDOW_BYTES + 1))
    server.transport.close()
    client.transport.write(b"never read")
    await asyncio.sleep(1.0)
    client.transport.resume_reading()
    await settle()
    assert server.told[1:] == [(1.0, "lost")]
    assert len(client.data) == WINDOW_BYTES + 1
    assert client.told[-2:] == [(1.0, "end"), (1.0, ConnectionResetError)]


async def test_a_reset_after_the_end_is_not_seen_by_who_closes_at_the_end(pair: Pair) -> None:
    client, server, road = await pair()
    road.up.delay = road.down.delay = 0.1
    server.transport.close()
    # It arrives at a closed end, whose answer comes after the client has closed too.
    client.transport.write(b"never read")
    await asyncio.sleep(1.0)
    assert client.told[1:] == [(0.1, "end"), (0.1, "lost")]


async def test_an_abort_drops_what_is_in_the_buffer_and_nothing_that_is_on_its_way(
    pair: Pair,
) -> None:
    client, server, road = await pair()
    road.up.delay = 1.0
    client.transport.write(bytes(WINDOW_BYTES - 10))
    client.transport.write(b"0123456789" * 10)
    client.transport.write(b"in the buffer")
    client.transport.abort()
    client.transport.abort()
    client.transport.close()
    client.transport.write(b"too late")
    assert client.transport.get_write_buffer_size() == 0
    await asyncio.sleep(5.0)
    assert client.told[1:] == [(0.0, "lost")]
    assert server.data == bytes(WINDOW_BYTES - 10) + b"0123456789"
    assert server.told[-2:] == [(1.0, "end"), (1.0, "lost")]


async def test_an_abort_after_the_end_was_sent_sends_it_no_second_time(pair: Pair) -> None:
    client, server, _ = await pair()
    server.keeps_open = True
    client.transport.write_eof()
    await settle()
    client.transport.abort()
    await settle()
    assert server.events == ["made", "end"]


async def test_an_abort_after_a_close_that_still_has_to_send_ends_it(pair: Pair) -> None:
    client, server, _ = await pair()
    server.transport.pause_reading()
    client.transport.write(bytes(WINDOW_BYTES + 1))
    client.transport.close()
    await asyncio.sleep(1.0)
    client.transport.abort()
    await settle()
    assert client.told[1:] == [(1.0, "lost")]
    server.transport.resume_reading()
    await settle()
    assert len(server.data) == WINDOW_BYTES
    assert server.events[-2:] == ["end", "lost"]


async def test_a_reset_is_seen_by_who_does_not_read_when_it_writes(pair: Pair) -> None:
    client, server, _ = await pair()
    client.transport.pause_reading()
    server.transport.close()
    await asyncio.sleep(0.5)
    client.transport.write(b"never read")
    await asyncio.sleep(0.5)
    assert client.events == ["made"]
    client.transport.write(b"anybody?")
    await settle()
    assert client.told[1:] == [(1.0, ConnectionResetError)]


async def test_both_ends_may_close_at_once(pair: Pair) -> None:
    client, server, road = await pair()
    road.up.delay = road.down.delay = 0.1
    client.transport.write(b"1")
    server.transport.write(b"2")
    client.transport.close()
    server.transport.close()
    await asyncio.sleep(1.0)
    assert client.told[1:] == server.told[1:] == [(0.0, "lost")]


# --- ports ------------------------------------------------------------------------------------


async def test_nobody_can_connect_where_nothing_listens(loop: VirtualLoop) -> None:
    with pytest.raises(ConnectionRefusedError) as refused:
        await loop.create_connection(Noted, "127.0.0.1", PORT)
    assert refused.value.errno == errno.ECONNREFUSED


async def test_a_port_can_be_refused_though_a_server_listens(loop: VirtualLoop) -> None:
    server = await loop.create_server(Noted, "127.0.0.1", PORT)
    loop.network.refused = lambda port: port == PORT
    with pytest.raises(ConnectionRefusedError):
        await loop.create_connection(Noted, "127.0.0.1", PORT)
    loop.network.refused = lambda port: False
    await loop.create_connection(Noted, "127.0.0.1", PORT)
    server.close()


async def test_a_closed_server_refuses_and_its_connections_go_on(loop: VirtualLoop) -> None:
    served = Noted()
    server = await loop.create_server(lambda: served, "127.0.0.1", PORT)
    _, client = await loop.create_connection(Noted, "127.0.0.1", PORT)
    assert server.is_serving()
    assert server.get_loop() is loop
    server.close()
    server.close()
    await server.wait_closed()
    assert not server.is_serving()
    assert server.sockets == ()
    with pytest.raises(ConnectionRefusedError):
        await loop.create_connection(Noted, "127.0.0.1", PORT)
    client.transport.write(b"still here")
    await settle()
    assert served.data == b"still here"


async def test_a_port_is_had_by_one_and_free_again_after_it(loop: VirtualLoop) -> None:
    first = await loop.create_server(Noted, "127.0.0.1", PORT)
    _, client = await loop.create_connection(Noted, "127.0.0.1", PORT)
    for attempt in (loop.create_server(Noted, "127.0.0.1", PORT), listen(loop, PORT)):
        with pytest.raises(OSError) as taken:
            await attempt
        assert taken.value.errno == errno.EADDRINUSE
    first.close()
    # The connection of the first server does not keep the port.
    second = await loop.create_server(Noted, "127.0.0.1", PORT)
    first.close()
    assert second.is_serving()
    second.close()
    client.transport.close()


async def listen(loop: VirtualLoop, port: int) -> Any:
    return loop.listen("127.0.0.1", port)


async def test_free_ports_differ_and_are_the_same_in_each_run() -> None:
    def main() -> list[int]:
        loop = VirtualLoop()
        taken = loop.listen("127.0.0.1", 20_002)
        ports = [loop.listen("127.0.0.1", 0).getsockname()[1] for _ in range(3)]
        taken.close()
        loop.close()
        return ports

    assert main() == main() == [20_001, 20_003, 20_004]


async def test_a_bound_socket_has_its_port_before_anything_listens(loop: VirtualLoop) -> None:
    with loop.listen("127.0.0.1", PORT) as bound:
        assert bound.getsockname() == ("127.0.0.1", PORT)
        with pytest.raises(OSError):
            bound.getpeername()
        with pytest.raises(OSError):
            loop.listen("127.0.0.1", PORT)
        with pytest.raises(OSError):
            await loop.create_server(Noted, "127.0.0.1", PORT)
        server = await loop.create_server(Noted, sock=bound)
        assert server.sockets == (bound,)
        await loop.create_connection(Noted, "127.0.0.1", PORT)
    server.close()
    loop.listen("127.0.0.1", PORT).close()


async def test_a_server_may_be_given_a_real_socket(loop: VirtualLoop) -> None:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    server = await loop.create_server(Noted, sock=listener)
    await loop.create_connection(Noted, "127.0.0.1", port)
    with pytest.raises(OSError):
        await loop.create_server(Noted, sock=listener)
    server.close()
    assert listener.fileno() == -1


async def test_a_server_can_end_its_connections(loop: VirtualLoop) -> None:
    server = await loop.create_server(Noted, "127.0.0.1", PORT)
    _, closed = await loop.create_connection(Noted, "127.0.0.1", PORT)
    server.close_clients()
    await settle()
    _, aborted = await loop.create_connection(Noted, "127.0.0.1", PORT)
    server.abort_clients()
    await settle()
    assert closed.events == ["made", "end", "lost"]
    assert aborted.events == ["made", "end", "lost"]
    server.close_clients()
    server.close()


async def test_a_server_serves_until_it_is_closed_or_cancelled(loop: VirtualLoop) -> None:
    for end in ("close", "cancel"):
        server = await loop.create_server(Noted, "127.0.0.1", PORT)
        await server.start_serving()
        task = asyncio.create_task(server.serve_forever())
        await asyncio.sleep(60.0)
        assert not task.done()
        server.close() if end == "close" else task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not server.is_serving()


async def test_a_path_is_listened_at_as_a_port_is(loop: VirtualLoop) -> None:
    served = Noted()
    server = await loop.create_unix_server(lambda: served, "/run/line.sock")
    with pytest.raises(OSError):
        await loop.create_unix_server(Noted, "/run/line.sock")
    with pytest.raises(ConnectionRefusedError):
        await loop.create_unix_connection(Noted, "/run/another.sock")
    _, client = await loop.create_unix_connection(Noted, "/run/line.sock")
    client.transport.write(b"1")
    await settle()
    assert served.data == b"1"
    assert loop.network.connections[-1].path == "/run/line.sock"
    server.close()
    with pytest.raises(ConnectionRefusedError):
        await loop.create_unix_connection(Noted, "/run/line.sock")


async def test_a_client_that_is_cancelled_while_it_connects_leaves_no_connection(
    loop: VirtualLoop,
) -> None:
    class Cancelled(Noted):
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            task.cancel()

    served, client = Noted(), Cancelled()
    server = await loop.create_server(lambda: served, "127.0.0.1", PORT)
    task = asyncio.create_task(loop.create_connection(lambda: client, "127.0.0.1", PORT))
    with pytest.raises(asyncio.CancelledError):
        await task
    await settle()
    assert client.events == ["made", "lost"]
    assert served.events == ["made", "end", "lost"]
    server.close()


# --- processes --------------------------------------------------------------------------------


async def test_both_ends_run_in_the_process_that_opened_them(loop: VirtualLoop) -> None:
    served = Noted()
    with process("server"):
        server = await loop.create_server(lambda: served, "127.0.0.1", PORT)
    with process("client"):
        _, client = await loop.create_connection(Noted, "127.0.0.1", PORT)
    served.transport.set_write_buffer_limits(high=0)
    client.transport.pause_reading()
    served.transport.write(bytes(WINDOW_BYTES + 1))
    client.transport.resume_reading()
    client.transport.write(b"question")
    await settle()
    client.transport.close()
    await settle()
    assert served.events == ["made", "pause", "resume", b"question", "end", "lost"]
    # It was this test that wrote, and so paused it.
    assert served.process == ["server", "", "server", "server", "server", "server"]
    assert set(client.process) == {"client"}
    server.close()


async def test_the_peers_of_a_killed_process_see_a_reset(loop: VirtualLoop) -> None:
    served = [Noted(), Noted()]
    waiting = iter(served)
    with process("server"):
        server = await loop.create_server(lambda: next(waiting), "127.0.0.1", PORT)
    with process("client"):
        _, client = await loop.create_connection(Noted, "127.0.0.1", PORT)
    with process("neighbour"):
        _, neighbour = await loop.create_connection(Noted, "127.0.0.1", PORT)
    for road in loop.network.connections:
        road.up.delay = road.down.delay = 0.25
    client.transport.write(b"on its way")
    served[0].transport.write(b"lost with its process")
    loop.kill("client")
    client.transport.write(b"from the grave")
    await asyncio.sleep(1.0)
    assert served[0].told[1:] == [(0.25, ConnectionResetError)]
    assert client.events == ["made"]
    assert served[1].events == neighbour.events == ["made"]
    assert server.is_serving()

    loop.kill("server")
    neighbour.transport.write(b"anybody?")
    await asyncio.sleep(1.0)
    assert neighbour.told[1:] == [(1.25, ConnectionResetError)]
    assert served[1].events == ["made"]


async def test_the_ports_of_a_killed_process_refuse_and_are_free(loop: VirtualLoop) -> None:
    with process("one"):
        server = await loop.create_server(Noted, "127.0.0.1", PORT)
        loop.listen("127.0.0.1", PORT + 1)
        await loop.create_unix_server(Noted, "/run/line.sock")
    with process("two"):
        other = await loop.create_server(Noted, "127.0.0.1", PORT + 2)
    loop.kill("one")
    assert not server.is_serving()
    with pytest.raises(ConnectionRefusedError):
        await loop.create_connection(Noted, "127.0.0.1", PORT)
    with pytest.raises(ConnectionRefusedError):
        await loop.create_unix_connection(Noted, "/run/line.sock")
    with process("one, again"):
        again = await loop.create_server(Noted, "127.0.0.1", PORT)
        loop.listen("127.0.0.1", PORT + 1)
        _, client = await loop.create_connection(Noted, "127.0.0.1", PORT)
    await settle()
    assert client.events == ["made"]
    assert other.is_serving()
    again.close()


async def test_a_frozen_connection_hides_that_the_other_process_is_dead(loop: VirtualLoop) -> None:
    with process("server"):
        await loop.create_server(Noted, "127.0.0.1", PORT)
    _, client = await loop.create_connection(Noted, "127.0.0.1", PORT)
    road = loop.network.connections[-1]
    road.freeze()
    loop.kill("server")
    client.transport.write(b"anybody?")
    await asyncio.sleep(60.0)
    assert client.events == ["made"]
    road.thaw()
    await settle()
    assert client.told[1:] == [(60.0, ConnectionResetError)]


# --- real servers and clients -----------------------------------------------------------------


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def test_uvicorn_and_httpx_run_above_it(loop: VirtualLoop) -> None:
    async def slow(_: Any) -> PlainTextResponse:
        await asyncio.sleep(2.0)
        return PlainTextResponse("x" * 1_000_000)

    app = Starlette(routes=[Route("/slow", slow)])
    server = _Server(uvicorn.Config(app, port=PORT, log_config=None, lifespan="off"))
    task = asyncio.create_task(server.serve())
    await asyncio.sleep(0.1)
    assert server.started
    began = loop.time()
    async with httpx.AsyncClient(base_url=f"http://line.example.test:{PORT}") as client:
        assert len((await client.get("/slow")).text) == 1_000_000
        assert loop.time() == began + 2.0
        with pytest.raises(httpx.ReadTimeout):
            await client.get("/slow", timeout=1.0)
        loop.network.connections[-1].cut()
        await asyncio.sleep(0.5)
        answer = asyncio.create_task(client.get("/slow"))
        await asyncio.sleep(1.0)
        loop.network.connections[-1].cut()
        with pytest.raises(httpx.ReadError):
            await answer
    server.should_exit = True
    await task
    async with httpx.AsyncClient() as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(f"http://127.0.0.1:{PORT}/slow")


async def test_websockets_run_above_it(loop: VirtualLoop) -> None:
    async def echo(connection: Any) -> None:
        async for message in connection:
            await connection.send(message)

    async with serve_websocket(echo, "127.0.0.1", PORT):
        async with connect_websocket(f"ws://127.0.0.1:{PORT}") as client:
            road = loop.network.connections[-1]
            road.up.delay = road.down.delay = 0.05
            began = loop.time()
            await client.send("hello")
            assert await client.recv() == "hello"
            assert loop.time() == pytest.approx(began + 0.1)
