from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest

from hookflash.cli import main
from hookflash.core.delivery import Delivery
from hookflash.core.delivery_retries import Attempt, attempted
from hookflash.stores.database import open_database
from hookflash.stores.deliveries import DeliveryStore

CALLBACK = Delivery(
    id="CA1-callback",
    kind="callback",
    call_sid="CA1",
    agent="shop",
    destination="billing",
    created_at=1_764_000_000.0,
    caller="+15550101",
    number="+15550102",
    wish="after five\x1b[2J",
)
VOICEMAIL = Delivery(
    id="CA2-voicemail",
    kind="voicemail",
    call_sid="CA2",
    agent="shop",
    destination="billing",
    created_at=1_764_000_060.0,
    transcript="Hello, it's me.",
)


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    url = f"sqlite:///{tmp_path}/calls.db"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOOKFLASH_DATABASE_URL", url)
    return url


def fill(url: str, *deliveries: Delivery, dead: bool = False) -> None:
    async def put() -> None:
        engine = await open_database(url)
        store, now = DeliveryStore(engine), time.time()
        for delivery in deliveries:
            await store.put(delivery, now)
        if dead:
            for kept in await store.claim(now, lease="a", seconds=9.0, limit=99):
                attempt = Attempt(wanted=("hook",), error="hook: no")
                after = attempted(kept, attempt, now, chance=0.5, dead_seconds=0.0)
                await store.finish(after, "a")
        await engine.dispose()

    asyncio.run(put())


def run(*arguments: str) -> Any:
    with pytest.raises(SystemExit) as left:
        main(["deliveries", *arguments])
    return left.value.code


def test_deliveries_are_listed_newest_first(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    fill(url, CALLBACK, VOICEMAIL)
    assert run() == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.endswith("waiting  voicemail  CA2-voicemail  billing  unknown  Hello, it's me.")
    assert second.endswith("CA1-callback  billing  +15550102  after five [2J")


def test_where_there_are_none_it_says_so(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    fill(url)
    assert run() == 0
    assert run("--state", "dead") == 0
    assert capsys.readouterr().out == "no deliveries\nno deliveries are dead\n"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [((), 0), (("--json",), 0), (("--retry", "all"), 0), (("--retry", "CA1-callback"), 1)],
)
def test_without_a_database_it_says_so_and_creates_nothing(
    arguments: tuple[str, ...],
    code: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HOOKFLASH_DATABASE_URL", raising=False)
    assert run(*arguments) == code
    out, err = capsys.readouterr()
    file = Path("hookflash-data", "hookflash.db")
    assert (out, err) == ("", f"hookflash: no deliveries: there is no database {file} yet\n")
    assert list(tmp_path.iterdir()) == []


def test_each_is_one_object_in_json(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    fill(url)
    assert run("--json") == 0
    assert capsys.readouterr().out == ""
    fill(url, CALLBACK, VOICEMAIL)
    assert run("--json", "--limit", "1") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["delivery"]["id"], told["state"]) == ("CA2-voicemail", "waiting")


def test_what_is_dead_is_tried_again_when_asked(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(url, CALLBACK, VOICEMAIL, dead=True)
    assert run("--state", "dead") == 0
    assert capsys.readouterr().out.count("(1 failed, the last: hook: no)") == 2
    assert run("--retry", "CA1-callback", "--state", "waiting") == 0
    out, err = capsys.readouterr()
    assert err == "1 retried\n"
    assert out.count("\n") == 1
    assert run("--retry", "CA1-callback") == 1
    assert "no delivery CA1-callback is dead or unroutable" in capsys.readouterr().err
    assert run("--retry", "all") == 0
    assert capsys.readouterr().err == "1 retried\n"
    assert run("--retry", "all") == 0
