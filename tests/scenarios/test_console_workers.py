"""A console over two worker processes: it shows the calls of both, whichever it is asked of."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path

import httpx
from websockets.asyncio.client import connect

from hookflash.console.passwords import hash_token
from hookflash.runtime.listening import FRAME_BYTES
from hookflash.standins.carrier import Leg, Line
from hookflash.standins.carrier.party import Script

from .test_console import KEPT, PASSWORD
from .test_handoff import greeted
from .test_workers import Crew, crew, live_workers, total

TOKEN = "hf_" + "a" * 43
MOST_CALLS = 30


async def signed_in(client: httpx.AsyncClient) -> str:
    answer = await client.post("/console/sign-in", json={"name": "vera", "password": PASSWORD})
    assert answer.status_code == 200
    return answer.headers["set-cookie"].partition(";")[0]


async def calls_that_a_worker_shows(line: Crew, slot: str) -> set[str]:
    """Ask one worker itself, over a connection that it has accepted."""
    connection = await line.connection_to(slot)
    await line.until(lambda found: live_workers(found) == {"1", "2"})
    reader, writer = await asyncio.open_connection(sock=connection)
    writer.write(
        b"GET /api/calls HTTP/1.1\r\nHost: line.example.test\r\nConnection: close\r\n"
        + f"Authorization: Bearer {TOKEN}\r\n\r\n".encode()
    )
    answer = await reader.read()
    writer.close()
    shown = json.loads(answer.partition(b"\r\n\r\n")[2])
    return {each["call_sid"] for each in shown["calls"]}


class Asking:
    """One worker's console, asked again and again over a connection that it has accepted."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

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

    async def until(self, wanted: tuple[set[str], int]) -> None:
        """Ask until it shows these calls, and misses so many workers."""
        async with asyncio.timeout(20):
            while True:
                shown, missing = await self.calls()
                if (shown, len(missing)) == wanted:
                    return


def staying(done: asyncio.Event) -> Script:
    """Return what a caller does who listens to the greeting and stays until all is `done`."""

    async def script(telephone: Line) -> None:
        await greeted(telephone)
        await done.wait()
        await telephone.hang_up()

    return script


async def each_has_one(line: Crew, calls: int) -> bool:
    """Return whether both workers have one of so many calls, once all are with their agents."""
    found = await line.until(lambda found: total(found, "hookflash_calls", "talking") == calls)
    return all(found.get(("hookflash_calls", slot, "talking"), 0.0) for slot in ("1", "2"))


async def test_a_worker_that_hangs_is_named_and_then_the_list_is_whole(tmp_path: Path) -> None:
    (tmp_path / "hookflash-users.toml").write_text(
        f'[tokens.crm]\nhash = "{hash_token(TOKEN)}"\nrole = "viewer"\n'
    )
    async with crew(tmp_path) as line:
        done = asyncio.Event()
        calls: list[Leg] = []
        while not await each_has_one(line, len(calls)):
            # Workers that have just been started get to know each other first.
            assert len(calls) < MOST_CALLS
            calls.append(await line.call(staying(done)))
        connection = await line.connection_to("1")
        reader, writer = await asyncio.open_connection(sock=connection)
        one, everything = Asking(reader, writer), {call.sid for call in calls}
        await one.until((everything, 0))
        pid = line.pid_of("2")
        os.kill(pid, signal.SIGSTOP)
        try:
            async with asyncio.timeout(20):
                while not (told := await one.calls())[1]:
                    """Its round comes once a second."""
            assert told[0] and told[0] < everything
        finally:
            os.kill(pid, signal.SIGCONT)
        await one.until((everything, 0))
        writer.close()
        done.set()
        await asyncio.gather(*(call.ended() for call in calls))
        await line.carrier.reports_sent()


async def test_the_calls_of_both_workers_are_seen_and_acted_upon(tmp_path: Path) -> None:
    (tmp_path / "hookflash-users.toml").write_text(
        f'[tokens.crm]\nhash = "{hash_token(TOKEN)}"\nrole = "supervisor"\n'
        f'[users.vera]\npassword = "{KEPT}"\nrole = "viewer"\n'
    )
    async with crew(tmp_path) as line:
        done = asyncio.Event()
        calls = [await line.call(staying(done)) for _ in range(4)]
        sids = {call.sid for call in calls}
        await line.until(lambda found: total(found, "hookflash_calls", "talking") == 4)
        headers = {"Authorization": f"Bearer {TOKEN}"}
        for slot in ("1", "2"):
            # One that was stopped a moment ago counts as silent until it is asked again.
            async with asyncio.timeout(20):
                while await calls_that_a_worker_shows(line, slot) != sids:
                    await line.until(lambda found: live_workers(found) == {"1", "2"})
        async with httpx.AsyncClient(base_url=line.origin, headers=headers, timeout=20) as client:
            for sid in sids:
                detail = await client.get(f"/api/calls/{sid}")
                assert detail.json()["entry"]["phase"] == "talking"
                hint = await client.post(f"/api/calls/{sid}/hint", json={"text": f"for {sid}"})
                assert hint.status_code == 202
                detail = (await client.get(f"/api/calls/{sid}")).json()
                assert [each["text"] for each in detail["parts"]["actions"]] == [f"for {sid}"]
                # Whichever worker is asked, the sound comes from the one that has the call.
                cookie = await signed_in(client)
                address = f"{line.origin.replace('http', 'ws')}/console/calls/{sid}/listen"
                for _ in range(2):
                    async with connect(address, additional_headers={"Cookie": cookie}) as sound:
                        assert len(await sound.recv()) == FRAME_BYTES
            done.set()
            await asyncio.gather(*(call.ended() for call in calls))
            await line.carrier.reports_sent()
            async with asyncio.timeout(60):
                while len((await client.get("/api/past")).json()["calls"]) < len(calls):
                    pass
            trail = (await client.get("/api/audit", params={"who": "crm"})).json()["entries"]
            assert {each["call_sid"] for each in trail} == sids
