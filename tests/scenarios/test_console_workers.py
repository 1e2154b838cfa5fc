"""A console over two worker processes: it shows the calls of both, whichever it is asked of."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import httpx

from hookflash.console.passwords import hash_token
from hookflash.standins.carrier import Line

from .test_handoff import greeted
from .test_workers import crew, live_workers

TOKEN = "hf_" + "a" * 43


async def test_the_calls_of_both_workers_are_seen_and_acted_upon(tmp_path: Path) -> None:
    (tmp_path / "hookflash-users.toml").write_text(
        f'[tokens.crm]\nhash = "{hash_token(TOKEN)}"\nrole = "supervisor"\n'
    )
    async with crew(tmp_path) as line:
        done = asyncio.Event()

        async def script(telephone: Line) -> None:
            await greeted(telephone)
            await done.wait()
            await telephone.hang_up()

        calls = [await line.call(script) for _ in range(4)]
        sids = {call.sid for call in calls}
        found = await line.until(
            lambda found: all(found.get(("hookflash_calls", w, "talking")) == 2 for w in "12")
        )
        assert found
        headers = {"Authorization": f"Bearer {TOKEN}"}
        for slot in ("1", "2"):
            # Each worker is asked itself, over a connection that it has accepted.
            connection = await line.connection_to(slot)
            # One that was stopped a moment ago counts as silent until it is asked again.
            await line.until(lambda found: live_workers(found) == {"1", "2"})
            reader, writer = await asyncio.open_connection(sock=connection)
            writer.write(
                b"GET /api/calls HTTP/1.1\r\nHost: line.example.test\r\nConnection: close\r\n"
                + f"Authorization: Bearer {TOKEN}\r\n\r\n".encode()
            )
            answer = await reader.read()
            writer.close()
            shown = json.loads(answer.partition(b"\r\n\r\n")[2])
            assert {each["call_sid"] for each in shown["calls"]} == sids
        async with httpx.AsyncClient(base_url=line.origin, headers=headers, timeout=20) as client:
            for sid in sids:
                detail = await client.get(f"/api/calls/{sid}")
                assert detail.json()["entry"]["phase"] == "talking"
                hint = await client.post(f"/api/calls/{sid}/hint", json={"text": f"for {sid}"})
                assert hint.status_code == 202
                detail = (await client.get(f"/api/calls/{sid}")).json()
                assert [each["text"] for each in detail["parts"]["actions"]] == [f"for {sid}"]
            done.set()
            await asyncio.gather(*(call.ended() for call in calls))
            await line.carrier.reports_sent()
            async with asyncio.timeout(60):
                while len((await client.get("/api/past")).json()["calls"]) < len(calls):
                    pass
            trail = (await client.get("/api/audit", params={"who": "crm"})).json()["entries"]
            assert {each["call_sid"] for each in trail} == sids
