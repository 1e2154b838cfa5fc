"""A console over two worker processes: it shows the calls of both, whichever it is asked of."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect

from hookflash.console.passwords import hash_token
from hookflash.runtime.live_audio import FRAME_BYTES
from hookflash_local.carrier import Line
from hookflash_local.carrier.parties import Script

from .test_console import KEPT, PASSWORD
from .test_handoff import greeted
from .test_workers import Crew, calls_on_both, crew

TOKEN = "hf_" + "a" * 43

pytestmark = pytest.mark.realtime


async def signed_in(client: httpx.AsyncClient) -> str:
    answer = await client.post("/console/sign-in", json={"name": "vera", "password": PASSWORD})
    assert answer.status_code == 200
    return answer.headers["set-cookie"].partition(";")[0]


class Asking:
    """One worker's console, asked again and again over a connection that it has accepted."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.close = writer.close

    async def calls(self) -> tuple[set[str], list[str]]:
        """Return the calls that it shows, and whom it misses."""
        self._writer.write(
            b"GET /api/calls HTTP/1.1\r\nHost: line.example.test\r\n"
            + f"Authorization: Bearer {TOKEN}\r\n\r\n".encode()
        )
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode().lower()
        size = int(head.partition("content-length:")[2].partition("\r\n")[0])
        shown = json.loads(await self._reader.readexactly(size))
        return {each["call_sid"] for each in shown["calls"]}, shown["missing"]

    async def until(self, true: Callable[[set[str], list[str]], bool]) -> None:
        """Ask until what it shows and whom it misses are right: its round comes once a second."""
        async with asyncio.timeout(30):
            while not true(*await self.calls()):
                pass


def staying(done: asyncio.Event) -> Script:
    """Return what a caller does who listens to the greeting and stays until all is `done`."""

    async def script(telephone: Line) -> None:
        await greeted(telephone)
        await done.wait()
        await telephone.hang_up()

    return script


async def asking(line: Crew, slot: str) -> Asking:
    return Asking(*await asyncio.open_connection(sock=await line.connection_to(slot)))


async def test_the_calls_of_both_workers_are_seen_and_acted_upon_and_who_hangs_is_named(
    tmp_path: Path,
) -> None:
    (tmp_path / "hookflash-users.toml").write_text(
        f'[tokens.crm]\nhash = "{hash_token(TOKEN)}"\nrole = "supervisor"\n'
        f'[users.vera]\npassword = "{KEPT}"\nrole = "viewer"\n'
    )
    async with crew(tmp_path) as line:
        done = asyncio.Event()
        calls = await calls_on_both(line, staying(done))
        sids = {call.sid for call in calls}

        def whole(shown: set[str], missing: list[str]) -> bool:
            return (shown, missing) == (sids, [])

        one, two = await asking(line, "1"), await asking(line, "2")
        await one.until(whole)
        await two.until(whole)
        await a_token_sees_and_acts_upon(line, sids)

        pid = line.pid_of("2")
        os.kill(pid, signal.SIGSTOP)
        try:
            await one.until(lambda shown, missing: bool(missing) and set() < shown < sids)
        finally:
            os.kill(pid, signal.SIGCONT)
        await one.until(whole)
        for each in (one, two):
            each.close()

        done.set()
        await asyncio.gather(*(call.ended() for call in calls))
        await line.carrier.callbacks_sent()
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with httpx.AsyncClient(base_url=line.origin, headers=headers, timeout=30) as client:
            async with asyncio.timeout(30):
                while len((await client.get("/api/past")).json()["calls"]) < len(calls):
                    pass
            trail = (await client.get("/api/audit", params={"who": "crm"})).json()["entries"]
            assert {each["call_sid"] for each in trail} == sids


async def a_token_sees_and_acts_upon(line: Crew, sids: set[str]) -> None:
    """Whichever worker is asked, a hint and the sound go through to the one that has the call."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with httpx.AsyncClient(base_url=line.origin, headers=headers, timeout=30) as client:
        cookie = await signed_in(client)
        for sid in sids:
            detail = await client.get(f"/api/calls/{sid}")
            assert detail.json()["entry"]["phase"] == "talking"
            hint = await client.post(f"/api/calls/{sid}/hint", json={"text": f"for {sid}"})
            assert hint.status_code == 202
            detail = (await client.get(f"/api/calls/{sid}")).json()
            assert [each["text"] for each in detail["parts"]["actions"]] == [f"for {sid}"]
            address = f"{line.origin.replace('http', 'ws')}/console/calls/{sid}/listen"
            for _ in range(2):
                async with connect(address, additional_headers={"Cookie": cookie}) as sound:
                    assert len(await sound.recv()) == FRAME_BYTES
