"""A browser for each party, and a line whose TwiML a test writes."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from playwright.async_api import Playwright, async_playwright, expect
from starlette.requests import Request
from starlette.responses import Response

from hookflash_local.carrier import HumanPhone, NumberConfig, Offer, PhoneServer, StandinCarrier
from hookflash_local.carrier.http_server import ApiServer

from .phone_parts import PATIENCE_SECONDS, PhonePage, Role, launch

LINE, ANNA = "+15550100001", "+15550100002"
ORIGIN = "https://line.example.test"

Opened = Callable[..., Awaitable[PhonePage]]


@pytest.fixture
async def playwright() -> AsyncIterator[Playwright]:
    if shutil.which("chromium") is None:
        pytest.skip("there is no chromium: run scripts/system-packages chromium")
    expect.set_options(timeout=PATIENCE_SECONDS * 1000)
    async with async_playwright() as playwright:
        yield playwright


@pytest.fixture
async def opened(playwright: Playwright, tmp_path: Path) -> AsyncIterator[Opened]:
    """Open an address in a browser of its own: `await opened(url, color_scheme="dark")`.

    Where a page has both phones, say which of them is meant: `await opened(url, "caller")`.
    """
    pages: list[PhonePage] = []
    async with contextlib.AsyncExitStack() as stack:

        async def opened(url: str, role: Role | None = None, **more: Any) -> PhonePage:
            microphone = tmp_path / f"microphone-{len(pages)}.wav"
            browser = await stack.enter_async_context(await launch(playwright, microphone))
            page = await (await browser.new_context(**more)).new_page()
            page.set_default_timeout(60_000)
            the_page = PhonePage(page, microphone, role)
            pages.append(the_page)
            return await the_page.open(url)

        yield opened
        for each in pages:
            assert each.troubles == []
            ours = ("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:")
            assert [url for url in each.fetched if not url.startswith(ours)] == []


@dataclass
class Line:
    """A line that answers with the test's own TwiML: `line.twiml["/voice"] = "<Response/>"`."""

    server: PhoneServer
    carrier: StandinCarrier
    twiml: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope, receive)
        path = request.url.path
        self.asked.append((path, dict(parse_qsl((await request.body()).decode()))))
        answer = Response(self.twiml.get(path, "<Response/>"), media_type="text/xml")
        await answer(scope, receive, send)


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    async with StandinCarrier() as carrier:
        offer = Offer((LINE,), "Riverside Books", (HumanPhone(ANNA, "support"),))
        async with PhoneServer(carrier, offer) as server:
            line = Line(server, carrier)
            app = ApiServer(line)
            app.start()
            carrier.tunnel[ORIGIN] = f"http://127.0.0.1:{app.port}"
            carrier.numbers[LINE] = NumberConfig(f"{ORIGIN}/voice")
            yield line
            for call in carrier.calls:
                call.end("completed", by="test")
            await carrier.callbacks_sent()
            await app.stop()
    assert carrier.leftovers() == []
