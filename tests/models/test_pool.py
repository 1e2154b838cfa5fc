"""The pool of warm sessions with a connector that does what it is told."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator

import pytest

from hookflash.core.model_options import ModelOptions
from hookflash.core.setup import ModelSetup
from hookflash.models import pool as module
from hookflash.models.pool import EventSink, WarmPool, WarmPools

SETUP = ModelSetup(instructions="You sell bicycles.")
HOUR = 3600.0


def ignore(event: object) -> None:
    return None


class Warm:
    def __init__(self, on_ready: Callable[[], None], on_lost: Callable[[], None]) -> None:
        self.made_ready = on_ready
        self.lost = on_lost
        self.given_to: ModelSetup | None = None
        self.closed = False

    def assign(self, setup: ModelSetup, on_event: EventSink) -> Warm:
        assert self.given_to is None and not self.closed
        self.given_to = setup
        return self

    def carry_out(self, command: object) -> None:
        raise NotImplementedError

    def close(self) -> None:
        self.closed = True


class Connector:
    """Writes down what it opens; nothing becomes ready by itself."""

    def __init__(self) -> None:
        self.warmed: list[Warm] = []
        self.opened: list[Warm] = []
        self.times: list[float] = []
        """When each of `warmed` was."""
        self.changed = asyncio.Event()

    def open(self, setup: ModelSetup, on_event: EventSink) -> Warm:
        self.opened.append(Warm(lambda: None, lambda: None))
        return self.opened[-1]

    def warm(self, *, on_ready: Callable[[], None], on_lost: Callable[[], None]) -> Warm:
        self.warmed.append(Warm(on_ready, on_lost))
        self.times.append(asyncio.get_running_loop().time())
        self.changed.set()
        return self.warmed[-1]

    async def until(self, warmed: int) -> None:
        async with asyncio.timeout(2 * HOUR):
            while len(self.warmed) < warmed:
                self.changed.clear()
                await self.changed.wait()


@pytest.fixture
def connector() -> Connector:
    return Connector()


@pytest.fixture
def pool(connector: Connector) -> Iterator[WarmPool]:
    made = WarmPool(connector, size=2, session_seconds=HOUR)
    yield made
    made.close()


async def test_a_call_gets_the_session_that_has_waited_longest_and_another_takes_its_place(
    pool: WarmPool, connector: Connector
) -> None:
    pool.start()
    for link in connector.warmed:
        link.made_ready()
    assert pool.ready == 2
    assert pool.open(SETUP, ignore) is connector.warmed[0]
    assert connector.warmed[0].given_to is SETUP
    assert len(connector.warmed) == 3
    assert (pool.ready, pool.given, pool.missed) == (1, 1, 0)
    assert connector.opened == []


async def test_a_call_that_finds_none_ready_opens_its_own(
    pool: WarmPool, connector: Connector
) -> None:
    pool.start()
    assert pool.open(SETUP, ignore) is connector.opened[0]
    assert (pool.given, pool.missed, len(connector.warmed)) == (0, 1, 2)


async def test_an_old_warm_session_stays_until_its_replacement_is_ready(
    connector: Connector,
) -> None:
    pool = WarmPool(connector, size=1, session_seconds=HOUR)
    pool.start()
    old = connector.warmed[0]
    old.made_ready()
    await connector.until(2)
    assert connector.times == [0.0, HOUR * module.MAX_WAITING_SHARE]
    assert not old.closed
    assert pool.ready == 1
    connector.warmed[1].made_ready()
    assert old.closed
    assert pool.ready == 1
    assert pool.open(SETUP, ignore) is connector.warmed[1]
    pool.close()


async def test_an_old_one_is_given_away_first(connector: Connector) -> None:
    pool = WarmPool(connector, size=1, session_seconds=HOUR)
    pool.start()
    old = connector.warmed[0]
    old.made_ready()
    await connector.until(2)
    assert pool.open(SETUP, ignore) is old
    connector.warmed[1].made_ready()
    assert not old.closed
    pool.close()


@pytest.mark.parametrize("when", ["connecting", "ready", "old"])
async def test_one_that_is_lost_is_not_given_to_a_call_and_is_replaced(
    connector: Connector, when: str
) -> None:
    pool = WarmPool(connector, size=1, session_seconds=HOUR)
    pool.start()
    link = connector.warmed[0]
    if when != "connecting":
        link.made_ready()
    if when == "old":
        await connector.until(2)
        connector.warmed[1].lost()
    link.lost()
    assert pool.ready == 0
    await connector.until(3 if when == "old" else 2)
    heir = connector.warmed[-1]
    heir.made_ready()
    assert pool.open(SETUP, ignore) is heir
    pool.close()


async def test_a_model_that_cannot_be_had_is_asked_less_and_less_often(
    pool: WarmPool, connector: Connector
) -> None:
    pool.start()
    for number in range(2, 18, 2):
        for link in connector.warmed[-2:]:
            link.lost()
        await connector.until(number + 2)
    tried = connector.times[::2]
    waited = [later - sooner for sooner, later in itertools.pairwise(tried)]
    assert waited == [*module.RETRY_SECONDS, 60.0, 60.0]
    connector.warmed[-1].made_ready()
    connector.warmed[-2].lost()
    await connector.until(19)
    assert connector.times[-1] == tried[-1] + 1.0


async def test_what_is_closed_holds_nothing_and_opens_nothing_more(connector: Connector) -> None:
    pool = WarmPool(connector, size=3, session_seconds=HOUR)
    pool.start()
    connector.warmed[0].made_ready()
    connector.warmed[1].lost()
    pool.close()
    assert [link.closed for link in connector.warmed] == [True, False, True]
    assert pool.ready == 0
    pool.open(SETUP, ignore)
    assert (len(connector.warmed), len(connector.opened)) == (3, 1)


async def test_each_model_has_a_pool_of_its_own() -> None:
    default, mini = Connector(), Connector()
    pools = WarmPools(
        {
            name: WarmPool(connector, size=1, session_seconds=HOUR)
            for name, connector in {"line": default, "mini": mini}.items()
        },
        default="line",
    )
    pools.start()
    for connector in (default, mini):
        connector.warmed[0].made_ready()
    assert pools.ready == 2
    setup = ModelSetup(instructions="x", own=ModelOptions(model="mini"))
    assert pools.open(setup, lambda event: None) is mini.warmed[0]
    assert pools.open(ModelSetup(instructions="y"), lambda event: None) is default.warmed[0]
    assert pools.open(setup, lambda event: None) is mini.opened[0]
    assert (pools.ready, pools.given, pools.missed) == (0, 2, 1)
    pools.close()
    assert all(each.closed for each in (default.warmed[1], mini.warmed[1]))
