"""Who may come in: signatures on every request, one-time tokens on every stream.

A webhook without a valid signature is answered 403 and read no further. A media socket needs two
things: a signed upgrade, and in `start` a token that we minted for this call a moment ago; the
signature of the socket's URL is the same for every call, so by itself it would open the model to
whoever has seen it once. Both are checked against the configured public URL.

Unsigned requests are let in only where every peer is a stand-in on this machine.
"""

from __future__ import annotations

import asyncio
import hmac
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from random import Random
from typing import NamedTuple
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, HTTPConnection, Request

from hookflash.carriers.twilio.signature import FORM_TYPE, HEADER, SETTINGS_HEADER, Signatures
from hookflash.carriers.twilio.urls import Urls, is_loopback
from hookflash.carriers.twilio.webhooks import Form
from hookflash.errors import CarrierProtocolError, ConfigError
from hookflash.world import SYSTEM, url_token

BODY_BYTES = 64 * 1024
BODY_SECONDS = 5.0
TOKEN_SECONDS = 120.0
TOKENS_A_CALL = 8
ANSWERS_KEPT = 4096


class Guard:
    """Lets Twilio's requests in. Without auth tokens and without `allow_unsigned`, nobody's."""

    def __init__(self, *, signatures: Signatures, urls: Urls, allow_unsigned: bool = False) -> None:
        self._signatures = signatures
        self._urls = urls
        self._allow_unsigned = allow_unsigned

    async def form(self, request: Request) -> tuple[Form, bytes]:
        """Return a webhook's form and its body as it came.

        Raises `HTTPException`: 403 for a wrong or missing signature, 413 for a body beyond
        `BODY_BYTES`, 408 for one that does not come within `BODY_SECONDS`, 400 for no form.
        """
        body = await self._body(request)
        try:
            form = Form.parse(body)
            if not self._unsigned(request) and not self._signatures.request(
                self._url(request, self._urls.http),
                body,
                signature=request.headers.get(HEADER, ""),
                content_type=request.headers.get("content-type", FORM_TYPE),
                settings=request.headers.get(SETTINGS_HEADER, ""),
            ):
                raise HTTPException(403)
        except CarrierProtocolError:
            raise HTTPException(400) from None
        return form, body

    def admits(self, socket: HTTPConnection) -> bool:
        """Return whether the upgrade of a media socket is signed."""
        return self._unsigned(socket) or self._signatures.socket(
            self._url(socket, self._urls.socket),
            signature=socket.headers.get(HEADER, ""),
            settings=socket.headers.get(SETTINGS_HEADER, ""),
        )

    def _unsigned(self, connection: HTTPConnection) -> bool:
        """Return whether this peer need not sign: allowed, and on this machine.

        A signature that comes all the same is checked, if there is a secret to check it with.
        """
        if not self._allow_unsigned:
            return False
        if HEADER in connection.headers and self._signatures.has_secret:
            return False
        return connection.client is not None and is_loopback(connection.client.host)

    def _url(self, connection: HTTPConnection, absolute: Callable[[str], str]) -> str:
        """Return the URL as Twilio asked for it: our public one with this path and query."""
        raw: bytes = connection.scope.get("raw_path") or connection.scope["path"].encode()
        query: bytes = connection.scope["query_string"]
        url = absolute(self._urls.inner(raw.decode("latin-1")))
        return f"{url}?{query.decode('latin-1')}" if query else url

    async def _body(self, request: Request) -> bytes:
        body = bytearray()
        try:
            async with asyncio.timeout(BODY_SECONDS):
                async for chunk in request.stream():
                    body += chunk
                    if len(body) > BODY_BYTES:
                        raise HTTPException(413)
        except TimeoutError:
            raise HTTPException(408) from None
        except ClientDisconnect:
            raise HTTPException(400) from None
        return bytes(body)


class _Issued(NamedTuple):
    token: str
    step: int
    expires_at: float


class StreamTokens:
    """One-time tokens for media streams, each bound to a call and to the step of its TwiML.

    A token works once, for its own call, within `TOKEN_SECONDS`. `now` is a clock in seconds.
    """

    def __init__(
        self,
        now: Callable[[], float] = SYSTEM.monotonic,
        entropy: Random = SYSTEM.entropy("stream-tokens"),
    ) -> None:
        self._now = now
        self._entropy = entropy
        self._issued: dict[str, deque[_Issued]] = {}
        self._order: deque[tuple[float, str]] = deque()

    def mint(self, call_sid: str, step: int) -> str:
        """Return a new token for the stream of `step`; the oldest of too many is forgotten."""
        now = self._now()
        self._sweep(now)
        token = url_token(self._entropy, 32)
        expires_at = now + TOKEN_SECONDS
        issued = self._issued.setdefault(call_sid, deque(maxlen=TOKENS_A_CALL))
        issued.append(_Issued(token, step, expires_at))
        self._order.append((expires_at, call_sid))
        return token

    def redeem(self, call_sid: str, token: str) -> int | None:
        """Return the step for which `token` was minted, once; None if it is not good.

        Every token of the call is compared, each in constant time.
        """
        self._sweep(self._now())
        issued = self._issued.get(call_sid, deque())
        given = token.encode("utf-8", "replace")
        found = None
        for candidate in issued:
            if hmac.compare_digest(candidate.token.encode(), given):
                found = candidate
        if found is None:
            return None
        issued.remove(found)
        return found.step

    def _sweep(self, now: float) -> None:
        """Forget what has expired. Tokens expire in the order in which they were minted."""
        while self._order and self._order[0][0] <= now:
            _, call_sid = self._order.popleft()
            issued = self._issued.get(call_sid)
            while issued and issued[0].expires_at <= now:
                issued.popleft()
            if not issued:
                self._issued.pop(call_sid, None)


class Answers:
    """What was answered to a webhook, so that the same one again gets the same answer.

    Twilio repeats a webhook that was answered too late or not at all, and a recorded one can be
    sent again with its valid signature: neither may mint another token or ask the core twice.
    The newest `ANSWERS_KEPT` are kept. A key is anything that names one delivery.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, ...], str] = OrderedDict()

    def find(self, keys: Iterable[tuple[str, ...]]) -> str | None:
        for key in keys:
            if key in self._kept:
                return self._kept[key]
        return None

    def keep(self, keys: Iterable[tuple[str, ...]], answer: str) -> None:
        for key in keys:
            self._kept[key] = answer
        while len(self._kept) > ANSWERS_KEPT:
            self._kept.popitem(last=False)


def require_stand_ins(urls: Iterable[str]) -> None:
    """Raise `ConfigError` unless every URL names this machine: only then nobody need sign."""
    for url in urls:
        if not is_loopback(urlsplit(url).hostname or ""):
            raise ConfigError(
                "unsigned requests are accepted only where every peer is a stand-in on this"
                f" machine, and {url!r} is not; set TWILIO_AUTH_TOKEN"
            )
