"""A browser for each party, and a line whose TwiML a test writes."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from msgspec.structs import replace
from playwright.async_api import Playwright, async_playwright, expect
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount

from hookflash.console import shapes as s
from hookflash_local.carrier import (
    HumanPhone,
    NumberConfig,
    Offer,
    Phones,
    PhoneServer,
    StandinCarrier,
)
from hookflash_local.carrier import phone_app as make_phone_app
from hookflash_local.carrier.http_server import ApiServer

from ..console.pages import story
from ..console.pages.conftest import PageServer, entry
from ..console.pages.test_past_pages import past
from .phone_parts import PATIENCE_SECONDS, PhonePage, Role, launch

LINE, ANNA = "+15550100001", "+15550100002"
ORIGIN = "https://line.example.test"
CONSOLE = "/console/static/embed.js"
SAY = ("When are you open on Saturday?", "Where is my order? It is number 4571.", "A person?")

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


class StagedConsole(PageServer):
    """A console whose every call is the one that a test shows."""

    def show(self, shown: s.CallEntry, parts: s.Parts) -> None:
        self.shown, self.parts = shown, parts

    def detail(self, call_sid: str) -> s.CallDetail:
        return s.CallDetail(
            entry=replace(self.shown, call_sid=call_sid),
            parts=self.parts,
            now=time.time(),
            destinations=("support",),
        )


class EveryCall(dict[str, Any]):
    """The stage's call under every SID."""

    def __init__(self, make: Any) -> None:
        super().__init__()
        self._make = make

    def __contains__(self, call_sid: object) -> bool:
        return True

    def __getitem__(self, call_sid: str) -> Any:
        return self._make(call_sid)

    def get(self, call_sid: str, default: Any = None) -> Any:
        return self._make(call_sid)


@dataclass
class DemoStage:
    """What `stage` yields: the console's answers, the line's TwiML, and where both are served."""

    console: StagedConsole
    line: Line
    origin: str

    def say(self, message: s.AnyFeedMessage) -> None:
        """Send a message of the feed to every page."""
        # The console's routes run in the test's own loop.
        self.console._say(message)


@pytest.fixture
async def stage() -> AsyncIterator[DemoStage]:
    """The demo's page with real phones, and a console that a test tells what to show."""
    stage = StagedConsole()
    stage.show(entry(1), story.parts(20.0))
    stage.details = EveryCall(stage.detail)
    ended = past(1, seconds=story.SECONDS, disposition="handed_off", seconds_to_human=10.8)
    stage.past_calls = EveryCall(lambda sid: story.past_call(ended))
    async with StandinCarrier() as carrier:
        humans = (HumanPhone(ANNA, "support"),)
        offer = Offer((LINE,), "Riverside Books", humans, CONSOLE, SAY)
        phones = make_phone_app(Phones(carrier), lambda: offer)
        app = Starlette(routes=[Mount("/demo", phones), *stage._app().routes])
        server = ApiServer(app, sockets=True)
        server.start()
        line = Line(None, carrier)  # type: ignore[arg-type]
        answers = ApiServer(line)
        answers.start()
        carrier.tunnel[ORIGIN] = f"http://127.0.0.1:{answers.port}"
        carrier.numbers[LINE] = NumberConfig(f"{ORIGIN}/voice")
        yield DemoStage(stage, line, f"http://127.0.0.1:{server.port}")
        for call in carrier.calls:
            call.end("completed", by="test")
        await carrier.callbacks_sent()
        for queue in stage._open:
            queue.put_nowait(None)
        await server.stop()
        await answers.stop()
    # Only its routes were used, in this test's own loop.
    stage._loop.close()
