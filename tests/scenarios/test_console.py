"""The console by its URLs, on a call between the stand-ins: seen, acted upon, kept."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from hookflash.console.passwords import hash_password, hash_token
from hookflash_local.carrier import Human, Line

from .conftest import CALLER, DESK, LINE, PUBLIC, samples, shop
from .test_handoff import FAREWELL, GREETING, asked_to, desk, greeted, say

PASSWORD = "correct horse battery"
KEPT = hash_password(PASSWORD)
TOKEN_KEPT = hash_token("hf_" + "a" * 43)


@pytest.fixture
def users(tmp_path: Path) -> dict:
    file = tmp_path / "users.toml"
    file.write_text(
        f'[users.anna]\npassword = "{KEPT}"\nrole = "supervisor"\nrings = "{DESK}"\n'
        f'[users.vera]\npassword = "{KEPT}"\nrole = "viewer"\n'
        f'[tokens.crm]\nhash = "{TOKEN_KEPT}"\nrole = "supervisor"\n'
    )
    return {"console_users": file}


class Page:
    """A browser's page, as far as the server can tell."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self.csrf = ""
        self.id = ""

    async def sign_in(self, name: str = "anna", password: str = PASSWORD) -> httpx.Response:
        answer = await self.client.post(
            "/console/sign-in", json={"name": name, "password": password}
        )
        if answer.is_success:
            self.csrf = answer.json()["csrf"]
            # The cookie is for https, which ends at a proxy in front of us.
            cookie = answer.headers["set-cookie"].partition(";")[0]
            self.client.headers["Cookie"] = cookie
        return answer

    async def act(self, sid: str, action: str, **body: object) -> httpx.Response:
        return await self.client.post(
            f"/api/calls/{sid}/{action}", json=body, headers={"X-CSRF-Token": self.csrf}
        )

    async def get(self, path: str, **query: object) -> dict:
        answer = await self.client.get(path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    @contextlib.asynccontextmanager
    async def feed(self, **query: str) -> AsyncIterator[Feed]:
        headers = {"Last-Event-ID": self.id} if self.id else {}
        async with self.client.stream(
            "GET", "/console/feed", params=query, headers=headers
        ) as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            yield Feed(self, stream)


class Feed:
    def __init__(self, page: Page, stream: httpx.Response) -> None:
        self._page = page
        self._lines = stream.aiter_lines()
        self.seen: list[dict] = []

    async def next(self) -> dict:
        event: dict = {}
        async for line in self._lines:
            name, _, value = line.partition(": ")
            if name == "id":
                self._page.id = value
            elif name == "data":
                event = json.loads(value)
            elif not line and event:
                self.seen.append(event)
                return event
        raise AssertionError("the feed has ended")

    async def until(self, true) -> dict:
        async with asyncio.timeout(20):
            while not true(await self.next()):
                pass
        return self.seen[-1]


@contextlib.asynccontextmanager
async def page(s, name: str | None = "anna") -> AsyncIterator[Page]:
    origin = s.carrier.tunnel[PUBLIC]
    async with httpx.AsyncClient(base_url=origin, timeout=20) as client:
        opened = Page(client)
        if name is not None:
            assert (await opened.sign_in(name)).status_code == 200
        yield opened


def parts(event: dict, kind: str) -> list[dict]:
    """Return the parts of a kind that an event of the feed brings."""
    found = event.get("parts") or event.get("detail", {}).get("parts") or {}
    return found.get(kind, [])


def texts(event: dict) -> list[str]:
    return [line["text"] for line in parts(event, "lines")]


def kinds(event: dict) -> list[str]:
    return [action["kind"] for action in parts(event, "actions")]


async def test_a_call_is_seen_from_its_ring_to_its_record(stage, users):
    async with stage(settings=users) as s:
        s.model.on(
            "response.create",
            [say("hi", 800, GREETING, "Hello, this is the shop.")],
            where=asked_to("just begun"),
        )
        seen = asyncio.Event()

        async def script(line: Line) -> None:
            await greeted(line)
            await s.model.perform([{"hears": {"text": "my brake", "ms": 600, "respond": False}}])
            await seen.wait()
            await line.hang_up()

        async with page(s) as p, p.feed() as calls:
            assert (await calls.next())["calls"] == []
            call = await s.call(script)
            found = await calls.until(lambda event: event["calls"])
            (entry,) = found["calls"]
            assert (entry["call_sid"], entry["caller"], entry["called"]) == (call.sid, CALLER, LINE)
            p.id = ""
            async with p.feed(call=call.sid) as one:
                snapshot = await one.next()
                assert [each["call_sid"] for each in snapshot["calls"]] == [call.sid]
                await one.until(lambda event: event["type"] == "CallShown")
                await one.until(lambda event: "my brake" in texts(event))
                detail = await p.get(f"/api/calls/{call.sid}")
                agent, caller = detail["parts"]["lines"]
                assert (agent["speaker"], agent["text"]) == ("agent", "Hello, this is the shop.")
                assert agent["ended_at"] - agent["started_at"] == pytest.approx(0.8, abs=1e-6)
                assert (caller["speaker"], caller["text"]) == ("caller", "my brake")
                assert [each["name"] for each in detail["parts"]["stages"]] == [
                    "answering",
                    "talking",
                ]
                assert [each["call_sid"] for each in (await p.get("/api/calls"))["calls"]] == [
                    call.sid
                ]
                seen.set()
                await one.until(lambda event: event["type"] == "CallOver")
            await calls.until(lambda event: call.sid in event.get("gone", ()))
            await s.record(call)
            past = await p.get("/api/past", text="brake", digits=CALLER[-4:])
            assert [each["call_sid"] for each in past["calls"]] == [call.sid]
            assert past["calls"][0]["excerpt"] == "my brake"
            kept = await p.get(f"/api/past/{call.sid}")
            assert [line["text"] for line in kept["parts"]["lines"]] == [
                "Hello, this is the shop.",
                "my brake",
            ]
            assert [each["name"] for each in kept["parts"]["stages"]][:2] == [
                "answering",
                "talking",
            ]
            whole = (await p.get("/api/figures"))["whole"]
            assert (whole["calls"], whole["dispositions"]) == (1, {"handled_by_agent": 1})


async def test_a_supervisor_hints_speaks_hands_off_and_hangs_up(stage, users):
    async with stage(shop(), settings=users) as s:
        s.model.on("response.create", [say("hi", 400, GREETING)], where=asked_to("just begun"))
        s.model.on("response.create", [say("said", 600, FAREWELL)], where=asked_to("Ring twice"))
        talking, done = asyncio.Event(), asyncio.Event()

        async def script(line: Line) -> None:
            await greeted(line)
            talking.set()
            await done.wait()

        s.carrier.humans[DESK] = Human(answer_after=0.5, script=desk)
        async with page(s) as p:
            call = await s.call(script)
            await talking.wait()
            sid = call.sid
            assert (await p.act(sid, "hint", text="They are a regular.")).status_code == 202
            hinted = await s.model.until("conversation.item.create")
            assert "They are a regular." in json.dumps(hinted)
            assert (await p.act(sid, "say", text="Ring twice")).status_code == 202
            async with p.feed(call=sid) as one:
                await one.until(lambda event: "say" in kinds(event))
                wrong = await p.act(sid, "handoff", destination="nobody")
                assert (wrong.status_code, wrong.json()["code"]) == (400, "request")
                assert "desk" in wrong.json()["message"]
                taken = await p.act(sid, "handoff", destination="desk", reason="I know them")
                assert taken.status_code == 202
                await one.until(
                    lambda event: (
                        ((event.get("entry") or {}).get("handoff") or {}).get("state")
                        == "with human"
                    )
                )
            done.set()
            assert (await p.act(sid, "hangup", reason="done")).status_code == 202
            call.end("completed", by="test")
            record = await s.record(call)
            assert record.handoffs[0].source == "console"
            assert samples(call.recording().heard, FAREWELL) == 600 * 8
            trail = await p.get("/api/audit", call=sid)
            assert [each["action"] for each in trail["entries"]] == [
                "hangup",
                "handoff",
                "say",
                "hint",
            ]
            assert {each["who"] for each in trail["entries"]} == {"anna"}
            assert (await p.client.delete(f"/api/past/{sid}")).status_code == 403
            gone = await p.client.delete(f"/api/past/{sid}", headers={"X-CSRF-Token": p.csrf})
            assert gone.status_code == 204
            assert (await p.get("/api/past"))["calls"] == []
