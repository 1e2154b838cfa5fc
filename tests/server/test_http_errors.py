"""What no route answers: every 405 says which methods there are, and no address is too long."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from hookflash import Agent
from hookflash.console.access import HEADERS
from hookflash.server.assembly import open_line
from hookflash_local.simulation.world import SimulatedWorld

from ..settings_parts import settings_of
from .test_every_route import filled, walk

PUBLIC = "https://line.example.test/phone"


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[Starlette]:
    chosen = {
        "public_url": PUBLIC,
        "twilio_account_sid": "AC" + "0" * 32,
        "twilio_auth_token": "secret",
        "openai_api_key": "any",
        "data_dir": tmp_path,
    }
    world = SimulatedWorld(0)
    async with open_line(settings_of(**chosen), Agent("shop", instructions="x"), world=world) as it:
        yield it.app
    world.close()


@pytest.fixture
async def client(app: Starlette) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, client=("192.0.2.7", 4711))
    async with httpx.AsyncClient(transport=transport, base_url="https://line.example.test") as it:
        yield it


async def test_every_405_of_the_application_has_the_methods_of_its_address(
    app: Starlette, client: httpx.AsyncClient
) -> None:
    methods: dict[str, set[str]] = {}
    for path, route in walk(app.routes):
        if isinstance(route, Route):
            assert route.methods is not None
            methods.setdefault(filled(path), set()).update(route.methods)
    assert len(methods) > 80
    assert methods["/api/past/CA1"] == {"DELETE", "GET", "HEAD"}
    assert methods["/phone/console/sign-in"] == {"GET", "HEAD", "POST"}
    for address, there in methods.items():
        for method in {"DELETE", "GET", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"} - there:
            answer = await client.request(method, address)
            assert answer.status_code == 405, f"{method} {address}"
            assert answer.headers["allow"] == ", ".join(sorted(there)), f"{method} {address}"


@pytest.mark.parametrize("prefix", ["", "/phone"])
async def test_the_api_says_in_words_which_method_was_expected(
    client: httpx.AsyncClient, prefix: str
) -> None:
    answer = await client.put(f"{prefix}/api/past/CA1")
    assert answer.status_code == 405
    assert answer.json() == {
        "code": "method",
        "message": "Expected one of the methods DELETE, GET, HEAD; got PUT.",
    }
    for name, value in HEADERS.items():
        assert answer.headers[name] == value


async def test_an_unknown_address_is_a_404_which_the_api_puts_in_words(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.get("/api/weather")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown")
    answer = await client.get("/twilio/weather")
    assert (answer.status_code, answer.content) == (404, b"")


@pytest.mark.parametrize("digits", [10, 5000])
@pytest.mark.parametrize(
    "path", ["/twilio/music/{}.wav", "/twilio/dial/{}", "/phone/twilio/leg/{}"]
)
async def test_a_number_in_an_address_that_is_too_long_is_a_404(
    client: httpx.AsyncClient, path: str, digits: int
) -> None:
    answer = await client.post(path.format("9" * digits))
    assert answer.status_code == 404
