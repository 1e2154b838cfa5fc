"""The phones' page, and a socket for each phone: on loopback, alone or within a server there.

    async with PhoneServer(carrier, Offer(humans=(HumanPhone("+15550100002", "Anna"),))) as server:
        server.url                                 # a port of its own, or:
    Mount("/demo", phone_app(Phones(carrier), lambda: offer))

    ""             caller's phone, a place for the live call, human's phone
    "phone"        one phone: `as` is caller or human, `number` the human's
    "offer.json"   what can be called, and who can be (`Offer`)
    "phones"       the socket (`phone_messages`)
    "static/..."   the page's files

Only pages that came from here may open a socket or be read: another site in the same browser
could otherwise listen to a call. Nothing is fetched from elsewhere; the policy below forbids it.

resource          | acquired     | released
listening port    | `__aenter__` | `__aexit__`
sockets           | by uvicorn   | when a page goes, at the latest by `__aexit__`
sending, a socket | `_Sockets`   | with the socket
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import msgspec
from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from hookflash.errors import ConfigError
from hookflash_local.carrier.carrier import StandinCarrier
from hookflash_local.carrier.http_server import ApiServer
from hookflash_local.carrier.phones.messages import (
    BadMessage,
    Refused,
    Register,
    Replaced,
    Shown,
    check_frame,
    read_text,
    write,
)
from hookflash_local.carrier.phones.phone import Phone
from hookflash_local.carrier.phones.registry import Phones

STATIC = Path(__file__).parent / "static"
CONSOLE_STYLES = ("hookflash", "console/static/css")
MOST_WAITING = 100
"""Frames that may wait for a page that does not read; two seconds."""

_LOOPBACK = re.compile(r"(?:127\.0\.0\.1|localhost|\[::1\])(?::\d{1,5})?")
REPLACED = 4001
"""Closed with this code, a page does not come back."""


class HumanPhone(msgspec.Struct, frozen=True):
    """A human who can be called: `number`, `client:name` or `sip:...`, and a name to show."""

    number: str
    name: str = ""


class Offer(msgspec.Struct, frozen=True):
    """What the page offers: numbers to call and the agent behind them, humans who can be called.

    `console` is the module that shows a live call in an element (`showCall`), on this origin; the
    page has a place for it, and says so where there is none. `say` are sentences to try.
    """

    lines: tuple[str, ...] = ()
    agent: str = ""
    humans: tuple[HumanPhone, ...] = ()
    console: str = ""
    say: tuple[str, ...] = ()


class PhoneServer:
    """Serve the phones at a port of their own. `offer` may be replaced: each page asks for it.

    Raises `ConfigError` if `port` is taken.
    """

    def __init__(
        self,
        carrier: StandinCarrier,
        offer: Offer | None = None,
        *,
        port: int = 0,
        grace_seconds: float = 15.0,
    ) -> None:
        self.phones = Phones(carrier, grace_seconds=grace_seconds)
        self.offer = offer or Offer(lines=tuple(carrier.numbers))
        app = phone_app(self.phones, lambda: self.offer)
        self._server = ApiServer(app, port=port, sockets=True)

    async def __aenter__(self) -> Self:
        try:
            self._server.start()
        except OSError as error:
            raise ConfigError(
                f"cannot open the phones' page on port {self._server.port}: {error.strerror};"
                " stop what has it, or choose another port (0 takes a free one)"
            ) from None
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._server.stop()

    async def go_down(self) -> None:
        """Close what is open and answer nobody, until `come_back`."""
        await self._server.stop()

    def come_back(self) -> None:
        """Listen again, on the same port."""
        self._server.start()

    @property
    def port(self) -> int:
        return self._server.port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"


def phone_app(phones: Phones, offer: Callable[[], Offer]) -> ASGIApp:
    """Return the application; its addresses are relative, so that it may be mounted anywhere."""

    async def demo_page(_: Request) -> Response:
        return FileResponse(STATIC / "demo-page.html")

    async def phone(_: Request) -> Response:
        return FileResponse(STATIC / "phone.html")

    async def tell_offer(_: Request) -> Response:
        return Response(msgspec.json.encode(offer()), media_type="application/json")

    return _Guard(
        Starlette(
            routes=[
                Route("/", demo_page),
                Route("/phone", phone),
                Route("/offer.json", tell_offer),
                WebSocketRoute("/phones", _Sockets(phones).serve),
                # `tokens.css` is the console's, so that both can share a page.
                Mount("/static", StaticFiles(directory=STATIC, packages=[CONSOLE_STYLES])),
            ]
        )
    )


class _Sockets:
    """Serves each page's socket from its registration to its end."""

    def __init__(self, phones: Phones) -> None:
        self._phones = phones

    async def serve(self, socket: WebSocket) -> None:
        await socket.accept()
        page = _Page()
        sending = asyncio.create_task(page.send_to(socket), name="phone page")
        phone: Phone | None = None
        try:
            while True:
                message = await socket.receive()
                if message["type"] == "websocket.disconnect":
                    return
                phone = await self._take(message, page, phone)
        except WebSocketDisconnect:
            """The page was closed."""
        finally:
            if phone is not None:
                self._phones.leave(phone, page)
            sending.cancel()
            await asyncio.wait([sending])

    async def _take(self, message: Message, page: _Page, phone: Phone | None) -> Phone | None:
        """Carry out one message; the page is told what cannot be done."""
        try:
            if (data := message.get("bytes")) is not None:
                if phone is not None and phone.page is page:
                    phone.speak(check_frame(data))
                return phone
            said = read_text(message.get("text") or "")
            if phone is None:
                if not isinstance(said, Register):
                    raise BadMessage("the first message must be: register")
                return self._phones.register(said, page)
            if phone.page is page:
                await self._phones.handle(phone, said)
        except BadMessage as error:
            page.refuse(str(error))
        return phone


class _Page:
    """What is to be sent to one socket (`Page`)."""

    def __init__(self) -> None:
        self._waiting: asyncio.Queue[Shown | Refused | Replaced | bytes] = asyncio.Queue()

    def show(self, shown: Shown) -> None:
        self._waiting.put_nowait(shown)

    def hear(self, frame: bytes) -> None:
        if self._waiting.qsize() < MOST_WAITING:
            self._waiting.put_nowait(frame)

    def replaced(self) -> None:
        self._waiting.put_nowait(Replaced())

    def refuse(self, why: str) -> None:
        self._waiting.put_nowait(Refused(why))

    async def send_to(self, socket: WebSocket) -> None:
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):
            # RuntimeError: starlette's word for a socket that was closed meanwhile.
            while True:
                message = await self._waiting.get()
                if isinstance(message, bytes):
                    await socket.send_bytes(message)
                    continue
                await socket.send_text(write(message))
                if isinstance(message, Replaced):
                    await socket.close(REPLACED)
                    return


class _Guard:
    """Answers only pages of its own origin, and sends the policy that lets them fetch no other."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        origin = headers.get("origin")
        # A name that leads here (DNS rebinding) shows in the host, another site in the origin.
        ours = origin is None or urlsplit(origin).netloc == host
        if not _LOOPBACK.fullmatch(host) or not ours:
            await PlainTextResponse("not from here", 403)(scope, receive, send)
            return

        async def send_with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                added = MutableHeaders(scope=message)
                added["Content-Security-Policy"] = _policy(host)
                added["X-Content-Type-Options"] = "nosniff"
                added["Referrer-Policy"] = "no-referrer"
                added["Cache-Control"] = "no-cache"
            await send(message)

        await self._app(scope, receive, send_with_policy)


def _policy(host: str) -> str:
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' data:",
            "media-src 'self' blob:",
            # Not every browser takes 'self' to mean its sockets too.
            f"connect-src 'self' ws://{host}",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'self'",
        )
    )
