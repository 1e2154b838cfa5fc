"""Without sign-in nothing is reached but health, the signed webhooks and the protected sockets.

Every route of the application is asked for by a stranger, found by walking the routes themselves:
one that is added later is asked for as well, and fails here if it answers.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute

from hookflash import Agent
from hookflash.console.access import HEADERS
from hookflash.console.pages import SIGN_IN, STATIC, needed_by
from hookflash.console.passwords import hash_password
from hookflash.server.assembly import open_line
from hookflash_local.simulation.world import SimulatedWorld

from ..settings_parts import settings_of

PUBLIC = "https://line.example.test/phone"
STRANGER = ("192.0.2.7", 4711)
HERE = ("127.0.0.1", 4711)
KEPT = hash_password("correct horse battery")

FILLED = {"sid": "CA1", "id": "CA1-message", "step": "1", "worker": "w1", "path": "app.js"} | {
    "call_sid": "CA1",
    "wave": "1",
    "leg": "0",
    "seconds": "2",
}
HEALTH = {"/healthz", "/readyz"}
# What somebody who wants to sign in must reach: the form, and where it is sent.
DOOR = {"GET /console/sign-in", "POST /console/sign-in"}
# What is played to somebody who waits: it is the same for all, and tells nothing of anybody.
MUSIC = {"GET /twilio/music/{seconds:number}.wav"}
# These send a stranger on to the form, and show nothing.
SENT_ON = {"GET /console", "GET /console/"}


@pytest.fixture(params=["users", "open"])
async def app(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Starlette]:
    users = tmp_path / "users.toml"
    users.write_text(f'[users.anna]\npassword = "{KEPT}"\nrole = "supervisor"\n')
    chosen = {
        "public_url": PUBLIC,
        "twilio_account_sid": "AC" + "0" * 32,
        "twilio_auth_token": "secret",
        "openai_api_key": "any",
        "data_dir": tmp_path,
        "console_users": users,
    }
    if request.param == "open":
        chosen |= {
            "public_url": "http://127.0.0.1:8080/phone",
            "twilio_api_url": "http://127.0.0.1:9001",
            "model_url": "ws://127.0.0.1:9002",
            "console_open": True,
        }
    agent, world = Agent("shop", instructions="Sell."), SimulatedWorld(0)
    async with open_line(settings_of(**chosen), agent, world=world) as line:
        yield line.app
    world.close()


def walk(routes: list[BaseRoute], under: str = "") -> Iterator[tuple[str, Route | WebSocketRoute]]:
    for route in routes:
        if isinstance(route, Mount):
            assert route.routes, f"{route.path}: an application that cannot be walked"
            yield from walk(route.routes, under + route.path)
        else:
            assert isinstance(route, Route | WebSocketRoute), f"{route}: not known how to ask it"
            yield under + route.path, route


def filled(path: str) -> str:
    return re.sub(r"{(\w+)(?::\w+)?}", lambda found: FILLED[found[1]], path)


def without_prefix(path: str) -> str:
    return path.removeprefix("/phone")


async def closed_unaccepted(app: Starlette, path: str) -> bool:
    scope = {
        "type": "websocket",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"host", b"line.example.test")],
        "client": STRANGER,
        "server": ("line.example.test", 443),
        "scheme": "wss",
        "subprotocols": [],
    }
    sent: list[dict[str, object]] = []

    async def receive() -> dict[str, object]:
        return {"type": "websocket.connect"}

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return [message["type"] for message in sent] == ["websocket.close"]


async def test_a_stranger_reaches_only_health_and_the_sign_in_page(app: Starlette) -> None:
    asked = set()
    client = httpx.AsyncClient(
        transport=httpx.ASGITransport(app, client=STRANGER), base_url="https://line.example.test"
    )
    async with client:
        for path, route in walk(app.routes):
            address = filled(path)
            if isinstance(route, WebSocketRoute):
                assert await closed_unaccepted(app, address), address
                asked.add(without_prefix(path))
                continue
            assert route.methods is not None, f"{path} takes every method"
            for method in route.methods - {"HEAD"}:
                answer = await client.request(method, address, json={})
                what = f"{method} {without_prefix(path)}"
                asked.add(what)
                if path in HEALTH:
                    assert answer.status_code == 200
                elif what in MUSIC:
                    assert answer.headers["content-type"] == "audio/x-wav"
                elif what in SENT_ON:
                    assert answer.status_code == 303, what
                    assert answer.headers["location"] == "/phone/console/sign-in"
                elif what in DOOR:
                    assert answer.status_code in (200, 400, 404), what
                else:
                    assert answer.status_code in (401, 403), f"{what}: {answer.status_code}"
    assert asked >= {
        "POST /twilio/voice",
        "POST /twilio/human/{call_sid}/{wave:number}/{leg:number}/answered",
        "/twilio/media",
        "/twilio/notes",
        "/twilio/notes/{worker}",
        "GET /metrics",
        "GET /api/calls",
        "POST /api/calls/{sid}/hint",
        "GET /console/feed",
        "/console/calls/{sid}/listen",
        "GET /console/static/{path:path}",
        "DELETE /api/past/{sid}",
        "GET /api/audit",
        "POST /api/deliveries/{id}/retry",
    }


async def test_every_answer_of_the_console_says_how_a_browser_must_treat_it(
    app: Starlette,
) -> None:
    client = httpx.AsyncClient(
        transport=httpx.ASGITransport(app, client=STRANGER), base_url="https://line.example.test"
    )
    async with client:
        for path in ("/console", "/console/sign-in", "/console/static/app.js", "/api/calls"):
            answer = await client.get(path)
            for name in HEADERS:
                assert name in answer.headers, f"{path}: {name}"
    assert "unsafe" not in HEADERS["Content-Security-Policy"]


async def test_before_sign_in_only_the_form_is_served() -> None:
    shown = needed_by(STATIC, SIGN_IN)
    assert not {"app.js", "live-store.js", "past-calls.js"} & shown
    assert len(shown) <= 8


@pytest.mark.parametrize("app", ["open"], indirect=True)
@pytest.mark.parametrize(
    ("peer", "headers", "status"),
    [
        (HERE, {}, 200),
        (STRANGER, {}, 401),
        (HERE, {"Host": "line.example.test"}, 401),
        (HERE, {"X-Forwarded-For": "192.0.2.7"}, 401),
        (HERE, {"Forwarded": "for=192.0.2.7"}, 401),
        (HERE, {"Via": "1.1 proxy"}, 401),
        (HERE, {"Cf-Connecting-Ip": "192.0.2.7"}, 401),
    ],
)
async def test_an_open_console_is_open_on_this_machine_only(
    app: Starlette, peer: tuple[str, int], headers: dict[str, str], status: int
) -> None:
    client = httpx.AsyncClient(
        transport=httpx.ASGITransport(app, client=peer), base_url="http://localhost:8080"
    )
    async with client:
        answer = await client.get("/api/calls", headers=headers)
        assert answer.status_code == status
        if status == 200:
            changed = await client.post("/api/calls/CA1/hint", json={"text": "x"})
            assert (changed.status_code, changed.json()["code"]) == (403, "csrf")
