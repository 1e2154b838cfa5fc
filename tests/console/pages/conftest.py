"""A browser, and a server that tells the console's pages whatever a test wants them to be told.

The server side has tests of its own, and `test_whole_console.py` runs both together; here a page
is put into states that a real server reaches seldom: a link that breaks, a gap in the feed,
hostile text.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import Any

import msgspec
import pytest
import uvicorn
from playwright.sync_api import Browser, Page, expect, sync_playwright
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, Response, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket, WebSocketDisconnect

from hookflash.console import shapes as s
from hookflash.console.access import HEADERS
from hookflash.console.pages import STATIC
from hookflash.console.shapes import DeliveryEntry, DeliveryPage
from hookflash.core.state_words import state_of

ALL = (
    "listen",
    "hint",
    "say",
    "handoff",
    "cancel",
    "giveback",
    "hangup",
    "answer",
    "delete",
    "retry",
    "audit",
)
SID = "CA" + "0" * 31


def sid(number: int) -> str:
    return f"{SID}{number}" if number < 10 else f"CA{number:032d}"


def entry(number: int = 1, **changes: Any) -> s.CallEntry:
    known: dict[str, Any] = {
        "call_sid": sid(number),
        "agent": "Riverside",
        "caller": f"+155501{number:05d}",
        "called": "+15550100001",
        "arrived_at": time.time() - 20,
        "phase": "talking",
    }
    known |= changes
    handoff = known.get("handoff")
    known.setdefault(
        "state",
        "asking"
        if known.get("question")
        else state_of(known["phase"], handoff.state if handoff else "idle"),
    )
    return s.CallEntry(**known)


def detail(shown: s.CallEntry, **parts: Any) -> s.CallDetail:
    return s.CallDetail(
        entry=shown, parts=s.Parts(**parts), now=time.time(), destinations=("front_desk", "billing")
    )


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        self.listening.set()


class PageServer:
    """The addresses of `docs/reference/console-api.md`, with answers that a test sets."""

    def __init__(self) -> None:
        self._open: set[asyncio.Queue[bytes | None]] = set()
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._be_as_new()

    def _be_as_new(self) -> None:
        self.session: s.Session | None = s.Session(
            name="anna", role="supervisor", csrf="the-token", can=ALL, rings=True
        )
        self.calls: dict[str, s.CallEntry] = {}
        self.details: dict[str, s.CallDetail] = {}
        self.past: list[s.PastEntry] = []
        self.past_calls: dict[str, s.PastCall] = {}
        self.figures: s.Figures | None = None
        self.audit: list[s.AuditEntry] = []
        self.deliveries: list[DeliveryEntry] = []
        self.recording: bytes = b""
        self.journal = ""
        self.asked: list[tuple[str, str, Any]] = []
        self.feeds: list[tuple[str, str]] = []
        self.refusal: tuple[int, s.Fault] | None = None
        self.remembers = True
        self.broken = False
        self.listeners = 0
        self.up = True
        self._said: list[s.AnyFeedMessage] = []

    # --- what a test says -----------------------------------------------------------------------

    def begin_anew(self, page: Page) -> None:
        """Forget all that was said and asked, and let `page` leave what it showed."""
        page.goto("about:blank")
        done = threading.Event()

        def begin() -> None:
            for queue in self._open:
                queue.put_nowait(None)
            self._be_as_new()
            done.set()

        self._loop.call_soon_threadsafe(begin)
        assert done.wait(60)

    def say(self, message: s.AnyFeedMessage) -> None:
        """Send a message of the feed to every page; one that is away gets it when it is back."""
        self._loop.call_soon_threadsafe(self._say, message)

    def break_link(self) -> None:
        """Close every feed, and answer none until `mend_link`."""
        self.up = False
        self._loop.call_soon_threadsafe(lambda: [queue.put_nowait(None) for queue in self._open])

    def mend_link(self) -> None:
        self.up = True

    def wait_for(self, action: str, seconds: float = 60.0) -> Any:
        """Return what was sent with the first request of this action."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for _, path, body in list(self.asked):
                if path.endswith(f"/{action}"):
                    return body
            time.sleep(0.02)
        raise AssertionError(f"nobody asked for {action}; asked: {self.asked}")

    # --- the server -----------------------------------------------------------------------------

    def start(self) -> str:
        self._thread.start()
        assert self._started.wait(60)
        return self.address

    def close(self) -> None:
        self.break_link()
        self._server.should_exit = True
        self._thread.join(60)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        config = uvicorn.Config(self._app(), port=0, log_level="critical", lifespan="off")
        self._server = _Server(config)
        with contextlib.closing(self._loop):
            self._loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        serving = asyncio.ensure_future(self._server.serve())
        await self._server.listening.wait()
        port = self._server.servers[0].sockets[0].getsockname()[1]
        self.address = f"http://127.0.0.1:{port}"
        self._started.set()
        await serving

    def _say(self, message: s.AnyFeedMessage) -> None:
        self._said.append(message)
        for queue in self._open:
            queue.put_nowait(_event(len(self._said), message))

    def _app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/console", self._page("index.html")),
                Route("/console/", self._page("index.html")),
                Route("/console/sign-in", self._page("sign-in.html"), methods=["GET"]),
                Route("/console/sign-in", self._sign_in, methods=["POST"]),
                Route("/console/sign-out", self._sign_out, methods=["POST"]),
                Route("/console/session", self._session),
                Route("/console/feed", self._feed),
                WebSocketRoute("/console/calls/{sid}/listen", self._listen),
                Mount("/console/static", StaticFiles(directory=STATIC)),
                Route("/api/past", self._past),
                Route("/api/past.csv", self._export),
                Route("/api/past/{sid}/transcript", self._export),
                Route("/api/past/{sid}/journal", self._journal),
                Route("/api/past/{sid}/replay", self._export),
                Route("/api/deliveries/{id}/recording", self._recording),
                Route("/api/past/{sid}", self._past_call, methods=["GET", "DELETE"]),
                Route("/api/past/{sid}/recording", self._recording),
                Route("/api/figures", self._figures),
                Route("/api/audit", self._audit),
                Route("/api/calls/{sid}/{action}", self._act, methods=["POST"]),
                Route("/api/deliveries", self._deliveries),
                Route("/api/deliveries/{id}/{action}", self._act, methods=["POST"]),
            ]
        )

    def _page(self, name: str) -> Any:
        async def page(_: Request) -> Response:
            return FileResponse(STATIC / name, headers=HEADERS)

        return page

    async def _session(self, _: Request) -> Response:
        if self.session is None:
            return _fault(401, "sign-in", "Please sign in.")
        return _json(self.session)

    async def _sign_in(self, request: Request) -> Response:
        given = await request.json()
        if given != {"name": "anna", "password": "right"}:
            return _fault(401, "sign-in", "The name or the password is wrong.")
        self.session = s.Session(name="anna", role="supervisor", csrf="the-token", can=ALL)
        return _json(self.session)

    async def _sign_out(self, _: Request) -> Response:
        self.session = None
        return Response(status_code=204)

    async def _feed(self, request: Request) -> Response:
        if not self.up:
            return _fault(503, "unreachable", "The server is away.")
        wanted, last = (
            request.query_params.get("call", ""),
            request.headers.get("last-event-id", ""),
        )
        self.feeds.append((wanted, last))
        return StreamingResponse(self._events(wanted, last), media_type="text/event-stream")

    async def _events(self, wanted: str, last: str) -> AsyncIterator[bytes]:
        queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._open.add(queue)
        try:
            number = len(self._said)
            if last and self.remembers:
                for place in range(int(last), number):
                    yield _event(place + 1, self._said[place])
            else:
                yield _event(number, s.Snapshot(calls=tuple(self.calls.values()), now=time.time()))
                if wanted and wanted in self.details:
                    yield _event(number, s.CallShown(detail=self.details[wanted]))
                elif wanted:
                    yield _event(number, s.CallUnknown(call_sid=wanted))
            while (data := await queue.get()) is not None:
                yield data
        finally:
            self._open.discard(queue)

    async def _listen(self, socket: WebSocket) -> None:
        """The caller is loud, what they hear is silent: 20 ms a frame, left and right by turns."""
        await socket.accept()
        self.listeners += 1
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):
            while self.up:
                await socket.send_bytes(b"\x80\xff\x00\xff" * 80)
                await asyncio.sleep(0.02)
            await socket.close(1011)
        self.listeners -= 1

    async def _act(self, request: Request) -> Response:
        if self.session is None or request.headers.get("x-csrf-token") != self.session.csrf:
            return _fault(403, "csrf", "The token is missing.")
        self.asked.append(("POST", request.url.path, await request.json()))
        if self.refusal is not None:
            return _fault(self.refusal[0], self.refusal[1].code, self.refusal[1].message)
        return Response(msgspec.json.encode(s.Taken()), 202, media_type="application/json")

    async def _export(self, request: Request) -> Response:
        self.asked.append(("GET", request.url.path, dict(request.query_params)))
        return Response("a file", headers={"Content-Disposition": "attachment"})

    async def _journal(self, request: Request) -> Response:
        self.asked.append(("GET", request.url.path, None))
        return Response(self.journal, media_type="application/x-ndjson")

    async def _past(self, request: Request) -> Response:
        if self.broken:
            return _fault(503, "unreachable", "The database does not answer.")
        query = dict(request.query_params)
        self.asked.append(("GET", request.url.path, query))
        first, limit = int(query.get("before", 0)), int(query.get("limit", 50))
        found = [
            one
            for one in self.past
            if query.get("disposition", one.disposition) == one.disposition
            and one.caller.endswith(query.get("digits", ""))
            and query.get("text", "") in one.excerpt
        ]
        more = first + limit < len(found)
        page = s.PastPage(
            calls=tuple(found[first : first + limit]), next=str(first + limit) if more else None
        )
        return _json(page)

    async def _past_call(self, request: Request) -> Response:
        if self.broken:
            return _fault(503, "unreachable", "The database does not answer.")
        past = self.past_calls.get(request.path_params["sid"])
        if past is None:
            return _fault(404, "unknown", "No such call.")
        if request.method == "DELETE":
            self.asked.append(("DELETE", request.url.path, None))
            del self.past_calls[request.path_params["sid"]]
            return Response(status_code=204)
        return _json(past)

    async def _recording(self, request: Request) -> Response:
        return _ranged(self.recording, request.headers.get("range"))

    async def _figures(self, request: Request) -> Response:
        if self.broken:
            return _fault(503, "unreachable", "The database does not answer.")
        self.asked.append(("GET", request.url.path, dict(request.query_params)))
        return _json(self.figures)

    async def _deliveries(self, request: Request) -> Response:
        if self.broken:
            return _fault(503, "unreachable", "The database does not answer.")
        query = dict(request.query_params)
        self.asked.append(("GET", request.url.path, query))
        ids = [one.id for one in self.deliveries]
        first, limit = ids.index(query["before"]) + 1 if "before" in query else 0, 50
        found = [
            one for one in self.deliveries[first:] if query.get("state", one.state) == one.state
        ][:limit]
        return _json(
            DeliveryPage(
                deliveries=tuple(found),
                counts=Counter(one.state for one in self.deliveries),
                next=found[-1].id if len(found) == limit else None,
            )
        )

    async def _audit(self, request: Request) -> Response:
        if self.broken:
            return _fault(503, "unreachable", "The database does not answer.")
        self.asked.append(("GET", request.url.path, dict(request.query_params)))
        return _json(s.AuditPage(entries=tuple(self.audit)))


def _json(value: Any) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json")


def _fault(status: int, code: str, message: str) -> Response:
    return Response(msgspec.json.encode(s.Fault(code=code, message=message)), status)


def _event(number: int, message: s.AnyFeedMessage) -> bytes:
    data = msgspec.json.encode(message).decode()
    return f"id: {number}\nevent: {type(message).__name__}\ndata: {data}\n\n".encode()


def _ranged(data: bytes, wanted: str | None) -> Response:
    headers = {"Accept-Ranges": "bytes"}
    if wanted is None:
        return Response(data, media_type="audio/wav", headers=headers)
    first, _, last = wanted.removeprefix("bytes=").partition("-")
    start, end = int(first), int(last) if last else len(data) - 1
    headers["Content-Range"] = f"bytes {start}-{end}/{len(data)}"
    return Response(data[start : end + 1], 206, media_type="audio/wav", headers=headers)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Of one module, not of the session: while it is there, its own event loop runs in this thread,
    and no test with another one could."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("chromium is not installed: run scripts/system-packages chromium")
    # Long, since nobody loses by it: a page has until then for what must happen.
    expect.set_options(timeout=60_000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program,
            args=["--no-sandbox", "--autoplay-policy=no-user-gesture-required"],
        )
        yield browser
        browser.close()


@pytest.fixture
def server() -> Iterator[PageServer]:
    server = PageServer()
    server.start()
    yield server
    server.close()


@pytest.fixture
def page(browser: Browser, server: PageServer) -> Iterator[Page]:
    """A page that has not gone anywhere yet. Any error in it, also of its policy, is a failure."""
    context = browser.new_context(base_url=server.address, viewport={"width": 1280, "height": 860})
    page = context.new_page()
    page.set_default_timeout(60_000)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda said: _is_fault(said) and errors.append(said.text))
    yield page
    context.close()
    assert not errors


def _is_fault(said: Any) -> bool:
    # Chromium reports every refused request; what the page makes of it is tested.
    return said.type in ("error", "warning") and "Failed to load resource" not in said.text
