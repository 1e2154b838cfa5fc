"""The cluster store on a real Redis server."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from hookflash.cluster.port import StoreDown
from hookflash.cluster.redis_store import RedisStore
from hookflash.errors import ConfigError

from .redis_server import RedisServer
from .store_contract import *  # noqa: F403  # the tests, which pytest finds here
from .store_contract import Stores

pytestmark = pytest.mark.realtime


@pytest.fixture(scope="module")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
async def stores(
    request: pytest.FixtureRequest, redis_server: RedisServer
) -> AsyncIterator[Stores]:
    url, line = redis_server.url, request.node.name
    a, b = RedisStore(url, "a", line=line), RedisStore(url, "b", line=line)
    other = RedisStore(url, "b", line=f"{line} 2")
    try:
        yield Stores(a, b, other, redis_server.stop, redis_server.start)
    finally:
        for store in (a, b, other):
            await store.close()


async def test_a_server_that_hangs_is_down_in_time(redis_server: RedisServer) -> None:
    store = RedisStore(redis_server.url, "a", line="hangs")
    await store.acquire("CA1", seconds=60)
    redis_server.pause(paused=True)
    try:
        async with asyncio.timeout(5):
            with pytest.raises(StoreDown):
                await store.acquire("CA2", seconds=60)
    finally:
        redis_server.pause(paused=False)
    assert (await store.acquire("CA2", seconds=60)).node == "a"
    await store.close()


async def test_a_password_is_sent(tmp_path: Path) -> None:
    with RedisServer(tmp_path, "--requirepass", "open sesame") as server:
        good = RedisStore(f"redis://:open%20sesame@127.0.0.1:{server.port}/0", "a")
        assert (await good.acquire("CA1", seconds=60)).node == "a"
        wrong = RedisStore(f"redis://:wrong@127.0.0.1:{server.port}/0", "b")
        with pytest.raises(StoreDown, match="password"):
            await wrong.acquire("CA1", seconds=60)
        await good.close()
        await wrong.close()


async def test_a_sentinel_names_the_server(tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(RedisServer(tmp_path))
        config = tmp_path / "sentinel.conf"
        config.write_text(f"sentinel monitor calls 127.0.0.1 {server.port} 1\n")
        sentinel = stack.enter_context(RedisServer(tmp_path, sentinel=config))
        url = f"redis+sentinel://127.0.0.1:1,127.0.0.1:{sentinel.port}/calls/2"
        store = RedisStore(url, "a")
        assert (await store.acquire("CA1", seconds=60)).node == "a"
        await store.close()


def test_a_url_that_cannot_be_read_is_an_error() -> None:
    with pytest.raises(ConfigError, match="HOOKFLASH_CLUSTER_URL"):
        RedisStore("redis://localhost:port/0", "a")
