"""The stand-in's server: WebSocket sessions at `ws://127.0.0.1:PORT/v1/realtime?model=...`, and the
speech API (`speech_api.py`) on the same port.

    task                | acquired        | released
    listening socket    | __aenter__      | __aexit__
    one per connection  | by websockets   | when its socket closes, at the latest by __aexit__

As with OpenAI, the upgrade checks path, model and key. A client with the retired beta header is
accepted, gets the error `beta_api_shape_disabled`, and is closed with code 4000. The server listens
on the loopback only.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import http
import itertools
import json
from collections.abc import Callable
from random import Random
from types import TracebackType
from typing import Any, Self, cast
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response

from hookflash.world import SYSTEM
from hookflash_local.model import speech_api
from hookflash_local.model.items import Ids
from hookflash_local.model.realtime_conversation import Conversation
from hookflash_local.model.session import Behaviour, Session
from hookflash_local.model.speech_api import (
    Answer,
    HttpOrSession,
    HttpRequest,
    Speak,
    pattern,
    read_request,
    refusal,
    voice_name,
)
from hookflash_local.model.timing import Faults, Timing
from hookflash_local.model.validation import Refusal

PATH = "/v1/realtime"
AZURE_PATH = "/openai/v1/realtime"
"""Where Azure OpenAI has the API; the name of the deployment is the model."""
_GARBAGE = b"<html><head><title>502 Bad Gateway</title></head></html>\n"
_LARGEST_FRAME = 24 * 1024 * 1024
"""15 MiB of audio in base64, and room for the rest of the event."""


class ModelServer:
    """A Realtime server: `async with ModelServer(...) as server: server.url`.

    `new_behaviour` makes the behaviour of each session. `sessions` lists all sessions, the newest
    last. IDs come from `entropy` if it is given; `wall` returns the time in seconds since 1970.
    `speak` is the voice of the speech API, by default a tone pattern; `spoken` lists its requests.
    """

    def __init__(
        self,
        new_behaviour: Callable[[], Behaviour],
        *,
        port: int = 0,
        timing: Timing | None = None,
        faults: Faults | None = None,
        entropy: Random | None = None,
        wall: Callable[[], float] = SYSTEM.wall,
        speak: Speak = pattern,
    ) -> None:
        self.timing = timing or Timing()
        self.faults = faults or Faults()
        self.sessions: list[Session] = []
        self.refused_upgrades: list[int] = []
        self.models: list[str] = []
        """The model of each session, as its URL names it."""
        self.key_headers: list[str] = []
        """The header that the key of each session came in."""
        self.spoken: list[dict[str, Any]] = []
        self._speak = speak
        self._new_behaviour = new_behaviour
        self._port = port
        self._names = itertools.count(1)
        self._salt = (entropy or SYSTEM.entropy("model-ids")).randbytes(3).hex()
        self._wall = wall
        self._server: Server | None = None
        self._closing = asyncio.Event()

    @property
    def url(self) -> str:
        """The URL to connect to, without `?model=`."""
        return f"ws://127.0.0.1:{self._port}{PATH}"

    @property
    def azure_url(self) -> str:
        """The URL at which the server behaves as Azure OpenAI does."""
        return f"ws://127.0.0.1:{self._port}{AZURE_PATH}"

    @property
    def speech_url(self) -> str:
        """The full URL of the speech API."""
        return f"http://127.0.0.1:{self._port}{speech_api.PATH}"

    async def __aenter__(self) -> Self:
        self._server = await serve(
            self._serve,
            "127.0.0.1",
            self._port,
            process_request=self._admit,
            create_connection=cast(
                "type[ServerConnection]", functools.partial(HttpOrSession, answer=self._answer)
            ),
            compression=None,
            max_size=_LARGEST_FRAME,
            ping_interval=None,
            close_timeout=1,
            open_timeout=60,
        )
        self._port = next(iter(self._server.sockets)).getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closing.set()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def _admit(self, socket: ServerConnection, request: Request) -> Response | None:
        """Return the HTTP answer that refuses the upgrade, or None to accept it."""
        if self.faults.silent == "upgrade":
            await self._closing.wait()
        url = urlsplit(request.path)
        query = parse_qs(url.query)
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        if self.faults.refuse_upgrade:
            return self._refuse(
                socket, self.faults.refuse_upgrade, "refused", "Refused by a fault."
            )
        if url.path not in (PATH, AZURE_PATH):
            return self._refuse(socket, 404, "not_found", f"There is nothing at {url.path}.")
        # Azure OpenAI takes the key in a header of its own.
        azure = url.path == AZURE_PATH and request.headers.get("api-key", "").strip()
        if not azure and (scheme != "Bearer" or not key.strip()):
            return self._refuse(socket, 401, "invalid_api_key", "You did not provide an API key.")
        if not query.get("model"):
            return self._refuse(socket, 400, "missing_model", "The query has no 'model'.")
        return None

    async def _answer(self, posted: HttpRequest) -> Answer:
        """Answer a speech request."""
        order = read_request(posted)
        if isinstance(order, Answer):
            return order
        self.spoken.append(order)
        await self._pause(self.faults.speech_delay_ms)
        if self.faults.speech_status:
            return refusal(self.faults.speech_status, "Refused by a fault.", code="refused")
        if self.faults.speech_garbage:
            return Answer(200, "audio/pcm", _GARBAGE)
        await self._pause(2 * self.timing.network_ms)
        return Answer(200, "audio/pcm", await self._speak(order["input"], voice_name(order)))

    async def _pause(self, ms: float) -> None:
        """Wait for `ms` of the call's time, or until the server closes."""
        if ms:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.timing.seconds(ms)):
                    await self._closing.wait()

    def _refuse(self, socket: ServerConnection, status: int, code: str, text: str) -> Response:
        self.refused_upgrades.append(status)
        body = {"error": {"type": "invalid_request_error", "code": code, "message": text}}
        answer = socket.respond(http.HTTPStatus(status), json.dumps(body))
        del answer.headers["Content-Type"]
        answer.headers["Content-Type"] = "application/json"
        return answer

    async def _serve(self, socket: ServerConnection) -> None:
        request = socket.request
        assert request is not None, "the handshake is over when the handler is called"
        conversation = Conversation(
            Ids(f"{self._salt}{next(self._names)}"),
            model=parse_qs(urlsplit(request.path).query)["model"][0],
            expires_at=int(self._wall() + self.timing.session_seconds),
        )
        if "realtime=v1" in request.headers.get("OpenAI-Beta", ""):
            refusal = Refusal(
                "beta_api_shape_disabled", "The Realtime Beta API is no longer supported."
            )
            await socket.send(json.dumps(conversation.refused(refusal)))
            await socket.close(4000, "invalid_request_error.beta_api_shape_disabled")
            return
        self.models.append(parse_qs(urlsplit(request.path).query)["model"][0])
        self.key_headers.append("api-key" if "api-key" in request.headers else "authorization")
        session = Session(socket, conversation, self._new_behaviour(), self.timing, self.faults)
        self.sessions.append(session)
        await session.run()
