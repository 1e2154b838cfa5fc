"""Authenticate requests: signatures for all requests, one-time tokens for all streams.

A webhook without a valid signature is answered 403 and not processed. A media socket needs a signed
upgrade and, in its `start` message, a token that was issued for its call shortly before. The
signature of the socket's URL is the same for every call. Without the token, anyone who has seen the
URL once could connect to the model. Both are checked against the configured public URL.

Unsigned requests are accepted only if every peer is a stand-in on this machine, and only from
programs on this machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from random import Random
from typing import NamedTuple
from urllib.parse import urlsplit

from starlette.requests import ClientDisconnect, HTTPConnection, Request

from hookflash.carriers.twilio.signature import FORM_TYPE, HEADER, SETTINGS_HEADER, Signatures
from hookflash.carriers.twilio.urls import Urls, is_loopback
from hookflash.carriers.twilio.webhooks import Form
from hookflash.client_address import ClientAddresses
from hookflash.errors import CarrierProtocolError, ConfigError
from hookflash.server.connection_limits import trust_connection
from hookflash.server.refusals import SIGNATURE, Refusal, shown
from hookflash.world import SYSTEM, url_token

BODY_BYTES = 64 * 1024
BODY_SECONDS = 5.0
TOKEN_SECONDS = 120.0
TOKENS_A_CALL = 8
CACHED_ANSWERS = 4096

_HOST_CHARACTERS = 255


class RequestAuthenticator:
    """Accepts Twilio's requests. Without auth tokens and `allow_unsigned`, it accepts none.

    `clients` tells whether an unsigned request is from this machine.
    """

    def __init__(
        self,
        *,
        signatures: Signatures,
        urls: Urls,
        clients: ClientAddresses,
        allow_unsigned: bool = False,
    ) -> None:
        self._signatures = signatures
        self._urls = urls
        self._clients = clients
        self._allow_unsigned = allow_unsigned

    async def form(self, request: Request) -> tuple[Form, bytes]:
        """Return a webhook's form and its raw body.

        Raises `Refusal`: 403 for an invalid or missing signature, 413 for a body larger than
        `BODY_BYTES`, 408 if the body takes longer than `BODY_SECONDS`, 400 for an invalid form.
        """
        body = await self._body(request)
        try:
            form = Form.parse(body)
            if not self._unsigned(request) and not self._signs(
                request, self._url(request, self._urls.http), body
            ):
                raise Refusal(403, SIGNATURE, body=body)
        except CarrierProtocolError as error:
            raise Refusal(400, "body", f"the form cannot be read: {error}") from None
        trust_connection(request.scope)
        return form, body

    def admits(self, socket: HTTPConnection) -> bool:
        """Return whether the upgrade of a media socket is signed."""
        return self._unsigned(socket) or self._signs(
            socket, self._url(socket, self._urls.socket), b""
        )

    def explain(self, connection: HTTPConnection, body: bytes) -> str:
        """Return why the signature of a request or an upgrade is wrong, and what to do.

        It is for the log. `body` is what was signed with the URL. If the signature is right for
        another URL, such as that in the Host header, the text names it.
        """
        is_socket = connection.scope["type"] == "websocket"
        absolute = self._urls.socket if is_socket else self._urls.http
        checked = shown(self._url(connection, absolute))
        if HEADER not in connection.headers:
            if self._allow_unsigned:
                return (
                    "only programs on this machine may send unsigned requests to this line, and"
                    " none through a proxy; to serve others, set TWILIO_AUTH_TOKEN"
                )
            return (
                f"it has no X-Twilio-Signature for {checked}; either it is not from Twilio, or a"
                " proxy removes the header"
            )
        if not self._signatures.has_secret:
            return "no signature can be checked without a secret; set TWILIO_AUTH_TOKEN"
        for origin, url in self._other_urls(connection, is_socket=is_socket):
            with contextlib.suppress(ValueError):
                if self._signs(connection, url, body):
                    return (
                        f"the signature is that of {shown(url)}, and {checked} was checked; set"
                        f" HOOKFLASH_PUBLIC_URL to {shown(origin)}"
                    )
        return (
            f"the signature does not match {checked}; set HOOKFLASH_PUBLIC_URL to the address that"
            " Twilio requests, and TWILIO_AUTH_TOKEN to the auth token of the number's account"
        )

    def _signs(self, connection: HTTPConnection, url: str, body: bytes) -> bool:
        """Return whether the request's signature is that of `url` and `body`."""
        signature = connection.headers.get(HEADER, "")
        settings = connection.headers.get(SETTINGS_HEADER, "")
        if connection.scope["type"] == "websocket":
            return self._signatures.socket(url, signature=signature, settings=settings)
        return self._signatures.request(
            url,
            body,
            signature=signature,
            content_type=connection.headers.get("content-type", FORM_TYPE),
            settings=settings,
        )

    def _other_urls(
        self, connection: HTTPConnection, *, is_socket: bool
    ) -> Iterator[tuple[str, str]]:
        """Yield public URLs that the request may be for, each with the request's URL under it."""
        path = self._raw_path(connection)
        inner = self._urls.inner(path)
        query = connection.scope["query_string"].decode("latin-1")
        rest = f"{inner}?{query}" if query else inner
        names = ("x-forwarded-host", "x-original-host", "host")
        hosts = dict.fromkeys(
            connection.headers.get(name, "").partition(",")[0].strip()[:_HOST_CHARACTERS]
            for name in names
        )
        for host in filter(None, hosts):
            for scheme in ("https", "http"):
                for prefix in dict.fromkeys(("", self._urls.path)):
                    origin = f"{scheme}://{host}{prefix}"
                    url = f"ws{origin.removeprefix('http')}" if is_socket else origin
                    yield origin, f"{url}{rest}"

    def _unsigned(self, connection: HTTPConnection) -> bool:
        """Return whether a request may be unsigned: allowed, and from this machine.

        If the request has a signature and there is a secret, the signature is checked.
        """
        if not self._allow_unsigned:
            return False
        if HEADER in connection.headers and self._signatures.has_secret:
            return False
        return self._clients.is_local(connection)

    def _url(self, connection: HTTPConnection, absolute: Callable[[str], str]) -> str:
        """Return the URL that Twilio requested: the public URL with this path and query."""
        query: bytes = connection.scope["query_string"]
        url = absolute(self._urls.inner(self._raw_path(connection)))
        return f"{url}?{query.decode('latin-1')}" if query else url

    @staticmethod
    def _raw_path(connection: HTTPConnection) -> str:
        raw: bytes = connection.scope.get("raw_path") or connection.scope["path"].encode()
        return raw.decode("latin-1")

    async def _body(self, request: Request) -> bytes:
        body = bytearray()
        try:
            async with asyncio.timeout(BODY_SECONDS):
                async for chunk in request.stream():
                    body += chunk
                    if len(body) > BODY_BYTES:
                        raise Refusal(413, "body", f"the body is larger than {BODY_BYTES} bytes")
        except TimeoutError:
            text = f"the body did not arrive within {BODY_SECONDS:g} s"
            raise Refusal(408, "body", text) from None
        except ClientDisconnect:
            raise Refusal(400, "body", "the peer has left in the middle of the body") from None
        return bytes(body)


class _Issued(NamedTuple):
    token: str
    step: int
    expires_at: float


class StreamTokens:
    """One-time tokens for media streams, each for one call and one step of its TwiML.

    A token works once, for its own call, within `TOKEN_SECONDS`. `now` is a clock in seconds. With
    a `key` the tokens are signed, so that another process with the same key can `verify` them;
    `wall` is then the time since 1970.
    """

    def __init__(
        self,
        now: Callable[[], float] = SYSTEM.monotonic,
        entropy: Random = SYSTEM.entropy("stream-tokens"),
        *,
        key: bytes = b"",
        wall: Callable[[], float] = SYSTEM.wall,
    ) -> None:
        self._now = now
        self._key = key
        self._wall = wall
        self._entropy = entropy
        self.refused = 0
        """How many tokens were wrong, used or too old."""
        self._issued: dict[str, deque[_Issued]] = {}
        self._order: deque[tuple[float, str]] = deque()

    def mint(self, call_sid: str, step: int) -> str:
        """Return a new token for the stream of `step`. If the call has too many, the oldest is
        dropped."""
        now = self._now()
        self._sweep(now)
        token = url_token(self._entropy, 32)
        if self._key:
            until = round(self._wall() + TOKEN_SECONDS)
            token = f"{step}.{until}.{token}"
            token = f"{token}.{self._signature(call_sid, token)}"
        expires_at = now + TOKEN_SECONDS
        issued = self._issued.setdefault(call_sid, deque(maxlen=TOKENS_A_CALL))
        issued.append(_Issued(token, step, expires_at))
        self._order.append((expires_at, call_sid))
        return token

    def redeem(self, call_sid: str, token: str) -> int | None:
        """Return the step of a valid token, once; None if the token is invalid.

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
            self.refused += not self._key
            return None
        issued.remove(found)
        return found.step

    def verify(self, call_sid: str, token: str) -> int | None:
        """Return the step of a token that a process with the same key has signed; None if it is
        invalid or has expired.

        Whether it was used is not known here.
        """
        signed, _, signature = token.rpartition(".")
        expected = self._signature(call_sid, signed).encode()
        given = signature.encode("utf-8", "replace")
        if not self._key or not hmac.compare_digest(given, expected):
            return None
        step, until, _ = signed.split(".")
        return int(step) if self._wall() < int(until) else None

    def _signature(self, call_sid: str, signed: str) -> str:
        what = f"{call_sid}.{signed}".encode("utf-8", "replace")
        return hmac.new(self._key, what, sha256).hexdigest()[:32]

    def _sweep(self, now: float) -> None:
        """Drop expired tokens. They expire in the order in which they were issued."""
        while self._order and self._order[0][0] <= now:
            _, call_sid = self._order.popleft()
            issued = self._issued.get(call_sid)
            while issued and issued[0].expires_at <= now:
                issued.popleft()
            if not issued:
                self._issued.pop(call_sid, None)


class AnswerCache:
    """The answers to recent webhooks, so that a repeated webhook gets the same answer.

    Twilio repeats a webhook that was answered late or not at all. An attacker can replay a recorded
    one with its valid signature. Neither may get another token or ask the core twice. The newest
    `CACHED_ANSWERS` are held. A key identifies one delivery.
    """

    def __init__(self) -> None:
        self._cached: OrderedDict[tuple[str, ...], str] = OrderedDict()

    def find(self, keys: Iterable[tuple[str, ...]]) -> str | None:
        for key in keys:
            if key in self._cached:
                return self._cached[key]
        return None

    def store(self, keys: Iterable[tuple[str, ...]], answer: str) -> None:
        for key in keys:
            self._cached[key] = answer
        while len(self._cached) > CACHED_ANSWERS:
            self._cached.popitem(last=False)


def require_stand_ins(urls: Iterable[str]) -> None:
    """Raise `ConfigError` unless every URL is on this machine: only then may requests be
    unsigned."""
    for url in urls:
        if not is_loopback(urlsplit(url).hostname or ""):
            raise ConfigError(
                "unsigned requests are accepted only if every peer is a stand-in on this"
                f" machine, and {url!r} is not; set TWILIO_AUTH_TOKEN"
            )
