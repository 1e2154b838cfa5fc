"""A console with calls that are made up, and people who sign in to it."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from hookflash.console import passwords
from hookflash.console.console import Console, ConsoleConfig, Hooks
from hookflash.console.live_calls import Report
from hookflash.console.passwords import hash_token
from hookflash.console.prices import Prices
from hookflash.console.shapes import CallDetail, CallEntry, Parts
from hookflash.core.events import AnyEvent
from hookflash.stores.records import RecordStore, open_store
from hookflash_local.simulation.world import SimulatedWorld

PASSWORD = "correct horse battery"


def cheap_scrypt(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    """Hash as `passwords` does, at a fraction of the price: `test_passwords` pays the whole."""
    return hashlib.scrypt(password.encode(), salt=salt, n=2, r=1, p=1, dklen=32)


def _kept() -> str:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(passwords, "_scrypt", cheap_scrypt)
        return passwords.hash_password(PASSWORD)


KEPT = _kept()
# The same in every process of a test run: they are among the names of tests.
TOKEN, VIEWER_TOKEN = "hf_" + "a" * 43, "hf_" + "b" * 43
TOKEN_KEPT, VIEWER_TOKEN_KEPT = hash_token(TOKEN), hash_token(VIEWER_TOKEN)
PEER = "192.0.2.7"
USERS = f"""
[users.anna]
password = "{KEPT}"
role = "supervisor"
rings = "+15550142"

[users.vera]
password = "{KEPT}"
role = "viewer"

[tokens.crm]
hash = "{TOKEN_KEPT}"
role = "supervisor"

[tokens.wall]
hash = "{VIEWER_TOKEN_KEPT}"
role = "viewer"
"""


@dataclass
class Time:
    now: float = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now


class Clocked(SimulatedWorld):
    """A simulated machine with a wall clock of the test's."""

    def __init__(self, time: Time) -> None:
        super().__init__(0)
        self._time = time

    def wall(self) -> float:
        return self._time()


def entry(call_sid: str = "CA1", **changes: object) -> CallEntry:
    about = {
        "agent": "shop",
        "caller": "+15550142",
        "called": "+15550100",
        "arrived_at": 1_790_000_000.0,
        "phase": "talking",
    }
    return CallEntry(call_sid=call_sid, **(about | changes))


def detail(call_sid: str = "CA1", parts: Parts | None = None, **changes: object) -> CallDetail:
    return CallDetail(
        entry=entry(call_sid, **changes), parts=parts or Parts(), now=0.0, destinations=("desk",)
    )


@dataclass
class FakeReach:
    """The calls of one process, as a test says; what is posted to them is written down."""

    details: dict[str, CallDetail] = field(default_factory=dict)
    taken: list[tuple[str, AnyEvent]] = field(default_factory=list)
    mute: tuple[str, ...] = ()

    def add(self, shown: CallDetail) -> None:
        self.details[shown.entry.call_sid] = shown

    def processes(self) -> Sequence[str]:
        return ("", "another")

    def silent(self) -> Sequence[str]:
        return self.mute

    async def next_report(
        self, process: str, epoch: str, since: int, *, seconds: float
    ) -> Report | None:
        if process == "another":
            return None
        if epoch == "e":
            await asyncio.sleep(seconds)
        calls = tuple(shown.entry for shown in self.details.values())
        return Report(epoch="e", version=1, calls=calls, whole=True)

    async def look_at(self, call_sid: str) -> CallDetail | None:
        return self.details.get(call_sid)

    async def take(self, call_sid: str, event: AnyEvent) -> bool:
        self.taken.append((call_sid, event))
        return call_sid in self.details


@dataclass
class Office:
    """A console, what it stands on, and who asks it."""

    console: Console
    store: RecordStore
    line_calls: FakeReach
    users: Path
    time: Time
    app: Starlette
    origin: str

    def http_client(self, peer: str = PEER, **headers: str) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app, client=(peer, 4711)),
            base_url=self.origin,
            headers=headers,
        )

    @contextlib.asynccontextmanager
    async def signed_in(self, name: str = "anna") -> AsyncIterator[httpx.AsyncClient]:
        """A browser of somebody who has signed in; its CSRF token goes with all it asks."""
        async with self.http_client() as client:
            answer = await client.post(
                "/console/sign-in", json={"name": name, "password": PASSWORD}
            )
            assert answer.status_code == 200, answer.text
            client.headers["X-CSRF-Token"] = answer.json()["csrf"]
            yield client


MakeOffice = Callable[..., contextlib.AbstractAsyncContextManager[Office]]


@pytest.fixture
def make_office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeOffice:
    monkeypatch.setattr(passwords, "_scrypt", cheap_scrypt)

    @contextlib.asynccontextmanager
    async def make(
        *,
        origin: str = "https://line.example.test",
        users: str | None = USERS,
        hooks: Hooks | None = None,
        **plan: object,
    ) -> AsyncIterator[Office]:
        file, time, line_calls = tmp_path / "users.toml", Time(), FakeReach()
        if users is not None:
            file.write_text(users)
        world = Clocked(time)
        store = await open_store(f"sqlite:///{tmp_path}/calls.db", connect=world.sqlite)
        prices = Prices(line=0.6, listened=1.2, spoken=2.4, currency="EUR")
        console = Console(
            ConsoleConfig(users=file, folder=tmp_path, origin=origin, prices=prices, **plan),
            line_calls,
            store,
            now=time,
            hooks=hooks,
            world=world,
        )
        app = Starlette(routes=console.routes())
        yield Office(console, store, line_calls, file, time, app, origin)
        await console.aclose()
        await store.close()

    return make


@pytest.fixture
async def office(make_office: MakeOffice) -> AsyncIterator[Office]:
    async with make_office() as made:
        yield made
