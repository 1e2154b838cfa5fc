"""The phones' server: who may open a socket, what a page may fetch, and what is no message."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from hookflash.errors import ConfigError
from hookflash_local.carrier.phones.server import HumanPhone, Offer, PhoneServer

from .phone_parts import page

HUMAN = HumanPhone("+15550100002", "Anna")


@pytest.fixture
async def server(world) -> AsyncIterator[PhoneServer]:
    offer = Offer(("+15550100001",), "Shop", (HUMAN,), "/console/static/embed.js")
    async with PhoneServer(world.carrier, offer) as server:
        yield server


@pytest.fixture
async def client(server: PhoneServer) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=server.url) as client:
        yield client


async def test_the_pages_are_there_and_the_offer_names_the_lines(client) -> None:
    for path in ("/", "/phone?as=caller", "/static/phone.css", "/static/tokens.css"):
        assert (await client.get(path)).status_code == 200, path
    assert (await client.get("/offer.json")).json() == {
        "lines": ["+15550100001"],
        "agent": "Shop",
        "humans": [{"number": "+15550100002", "name": "Anna"}],
        "console": "/console/static/embed.js",
        "say": [],
    }


async def test_a_page_may_fetch_nothing_from_elsewhere_and_run_nothing_inline(
    client, server
) -> None:
    policy = (await client.get("/")).headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    assert f"connect-src 'self' ws://127.0.0.1:{server.port}" in policy
    assert (await client.get("/static/phone.js")).headers["content-security-policy"] == policy


async def test_another_site_in_the_same_browser_gets_nothing(client, server) -> None:
    evil = {"Origin": "https://evil.example.test"}
    assert (await client.get("/offer.json", headers=evil)).status_code == 403
    rebound = {"Host": f"evil.example.test:{server.port}"}
    assert (await client.get("/", headers=rebound)).status_code == 403
    with pytest.raises(InvalidStatus, match="403"):
        await connect(f"ws://127.0.0.1:{server.port}/phones", additional_headers=evil)


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        ("no json", "expected a JSON object"),
        ('{"type": "shout"}', "not a message that a phone can send"),
        ('{"type": "press", "key": "A"}', "expected one key of"),
        ('{"type": "register", "role": "human", "number": "anna"}', "expected a number such as"),
        ('{"type": "register", "role": "human"}', "needs the number at which it is called"),
        ('{"type": "hang-up"}', "the first message must be: register"),
    ],
)
async def test_what_is_no_message_is_refused_with_a_reason(server, sent: str, why: str) -> None:
    async with page(server) as the_page:
        await the_page.socket.send(sent)
        await the_page.until(lambda page: page.refusals)
        assert why in the_page.refusals[0]
        await the_page.ask("register", role="human", number="client:anna")
        await the_page.until(lambda page: page.shown)


async def test_a_frame_of_another_length_is_refused(server) -> None:
    async with page(server, "caller") as the_page:
        await the_page.socket.send(b"\xff" * 100)
        await the_page.until(lambda page: page.refusals)
        assert "expected 160 bytes" in the_page.refusals[0]
        await the_page.ask("register", role="caller")
        await the_page.until(lambda page: len(page.refusals) == 2)


async def test_what_is_asked_of_a_phone_without_a_call_does_nothing(server) -> None:
    async with page(server, "caller") as the_page:
        for kind in ("answer", "decline", "hang-up"):
            await the_page.ask(kind)
        for kind in ("hold", "mute"):
            await the_page.ask(kind, on=True)
        await the_page.ask("press", key="5")
        await the_page.socket.send(b"\xff" * 160)
        await the_page.ask("dial", to="nobody")
        await the_page.until(lambda page: page.refusals)
        assert the_page.shown["state"] == "idle" and len(the_page.refusals) == 1


async def test_a_taken_port_says_what_to_do(world, server) -> None:
    with pytest.raises(ConfigError, match=f"port {server.port}.*another port"):
        async with PhoneServer(world.carrier, port=server.port):
            pass
