"""Signed requests to the application's URLs: TwiML documents, sounds and status callbacks.

    fetch    requests TwiML or a sound; its answer counts, so redirects, retries and limits apply
    notify   sends a status callback; only a 2xx is expected, and nobody waits for it

The signature covers the public URL; the request goes to the tunnel's loopback target, and nowhere
else. Retries carry the same I-Twilio-Idempotency-Token. Each call has its own cookies.

A URL's fragment holds connection overrides: `https://h/p?x=1#ct=2000&rt=5000&tt=9000&rc=3&rp=all`
sets connect, read and total milliseconds, the number of retries and their causes. The fragment is
neither sent nor signed. A value out of range becomes the nearest allowed one; unknown keys are
ignored. Source: Twilio, Webhooks connection overrides.

A signature is base64(HMAC-SHA1(auth token, S)). S is the public URL without its fragment, followed,
for a form, by every name and value, sorted by name, with no delimiter. For a media socket S is the
wss URL alone. Source: Twilio, Security; Webhooks security.

Status callbacks of a call: by default only `completed`, which covers busy, failed, no-answer and
canceled too. SequenceNumber counts from 0; the order of arrival is not guaranteed.
Source: Twilio, Call resource (StatusCallbackEvent), `<Number statusCallback>`.

resource           | acquired     | released
HTTP connections   | constructor  | `close`
task of a callback | `notify`     | `Tasks` (named `callback ...`)
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.cookiejar import CookieJar, DefaultCookiePolicy
from random import Random
from typing import Literal
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

import httpx

from hookflash_local.carrier import alerts
from hookflash_local.carrier.alerts import Alerts
from hookflash_local.carrier.clock import Clock
from hookflash_local.carrier.faults import Delayed, Dropped, Faults, Never, OutOfOrder, Twice
from hookflash_local.carrier.ids import rfc2822
from hookflash_local.carrier.tasks import Tasks
from hookflash_local.carrier.twiml.parse import MAX_BYTES

MAX_REDIRECTS = 10

Form = Mapping[str, str]


class FetchFailed(Exception):
    """The other side could not be asked, or its answer is of no use. `code` is Twilio's."""

    def __init__(self, code: int, text: str, url: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.url = url


@dataclass(frozen=True)
class Reply:
    """`url` is where the answer came from, after redirects: relative URLs in it start there."""

    url: str
    status: int
    content_type: str
    body: bytes


@dataclass
class Sent:
    """One request as it was sent, for tests: `at` in carrier seconds, `status` 0 if none came."""

    method: str
    url: str
    form: dict[str, str]
    at: float
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)


class _AttemptFailed(Exception):
    def __init__(self, cause: Cause, code: int, text: str) -> None:
        super().__init__(text)
        self.cause: Cause = cause
        self.code = code


class Webhooks:
    """`log` holds every request that was sent, in order."""

    def __init__(
        self,
        clock: Clock,
        tasks: Tasks,
        faults: Faults,
        found: Alerts,
        *,
        auth_token: str,
        tunnel: Mapping[str, str],
        entropy: Random,
    ) -> None:
        self.clock = clock
        self.tasks = tasks
        self.faults = faults
        self.alerts = found
        self.tunnel = tunnel
        self.log: list[Sent] = []
        self.on_answer: Callable[[Sent], None] | None = None
        """Called with each request when it was answered."""
        self._auth_token = auth_token
        self._entropy = entropy
        self._cookies: dict[str, httpx.Cookies] = {}
        self._held: list[tuple[str, asyncio.Event]] = []
        # Each call has its own cookies; the client itself, shared by all, takes none.
        no_cookies = CookieJar(policy=DefaultCookiePolicy(allowed_domains=[]))
        self._client = httpx.AsyncClient(
            trust_env=False, verify=False, follow_redirects=False, timeout=None, cookies=no_cookies
        )

    async def close(self) -> None:
        await self._client.aclose()

    async def fetch(
        self, url: str, method: str, form: Form, *, call_sid: str, max_bytes: int = MAX_BYTES
    ) -> Reply:
        """Request `url` and return its answer. Raises FetchFailed.

        At most 15 s, at most ten redirects, at most `max_bytes` of answer. These are real seconds:
        a faster clock of the carrier does not make the application faster.
        """
        policy = policy_of(url)
        try:
            async with asyncio.timeout(policy.total_seconds):
                return await self._fetch(url, method, form, call_sid, policy, max_bytes)
        except TimeoutError:
            raise FetchFailed(
                alerts.RETRIEVAL_FAILED, f"no answer in {policy.total_seconds:g} s", url
            ) from None

    def notify(self, url: str, method: str, form: Form, *, call_sid: str) -> None:
        """Send a callback to `url` without waiting; an answer other than 2xx is an alert."""
        self.tasks.start(self._notify(url, method, form, call_sid), f"callback to {url}")

    async def _notify(self, url: str, method: str, form: Form, call_sid: str) -> None:
        overtaken = [event for match, event in self._held if match in url]
        fault = self.faults.of_webhook(url, Never, Delayed, OutOfOrder)
        if isinstance(fault, Never):
            return
        if isinstance(fault, Delayed):
            await self.clock.sleep(fault.seconds)
        if isinstance(fault, OutOfOrder):
            await self._hold(fault)
        try:
            await self.fetch(url, method, form, call_sid=call_sid)
        except FetchFailed as error:
            self.alerts.add(error.code, f"{error.text}: {url}", call_sid, self.clock.now())
        for event in overtaken:
            event.set()

    async def _hold(self, fault: OutOfOrder) -> None:
        """Wait until a later callback was answered."""
        held = (fault.match, asyncio.Event())
        self._held.append(held)
        try:
            async with self.clock.timeout(fault.seconds):
                await held[1].wait()
        except TimeoutError:
            pass
        finally:
            self._held.remove(held)

    async def _fetch(
        self, url: str, method: str, form: Form, call_sid: str, policy: Policy, max_bytes: int
    ) -> Reply:
        for _ in range(MAX_REDIRECTS + 1):
            response = await self._with_retries(url, method, form, call_sid, policy)
            if response.status_code not in (301, 302, 303, 307, 308):
                break
            if response.status_code < 307:
                method, form = "GET", {}
            url = urljoin(url, response.headers.get("location", ""))
        else:
            raise FetchFailed(alerts.TOO_MANY_REDIRECTS, "more than ten redirects", url)
        if not 200 <= response.status_code < 300:
            raise FetchFailed(
                alerts.RETRIEVAL_FAILED, f"answered with status {response.status_code}", url
            )
        if len(response.content) > max_bytes:
            raise FetchFailed(
                alerts.TOO_LARGE, f"the answer has {len(response.content)} bytes", url
            )
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        return Reply(url.partition("#")[0], response.status_code, kind, response.content)

    async def _with_retries(
        self, url: str, method: str, form: Form, call_sid: str, policy: Policy
    ) -> httpx.Response:
        token = str(uuid.UUID(bytes=self._entropy.randbytes(16), version=4))
        for attempt in range(policy.retries + 1):
            last = attempt == policy.retries
            try:
                response = await self._once(url, method, form, call_sid, policy, token)
            except _AttemptFailed as error:
                if last or not policy.repeats(error.cause):
                    raise FetchFailed(error.code, str(error), url) from None
                continue
            cause: Cause = "4xx" if response.status_code < 500 else "5xx"
            if last or response.status_code < 400 or not policy.repeats(cause):
                return response
        raise AssertionError("the last attempt always returns or raises")

    async def _once(
        self, url: str, method: str, form: Form, call_sid: str, policy: Policy, token: str
    ) -> httpx.Response:
        fault = self.faults.of_webhook(url, Twice, Delayed, Dropped, Never)
        if isinstance(fault, Delayed):
            await self.clock.sleep(fault.seconds)
        if isinstance(fault, Never):
            raise FetchFailed(alerts.CONNECTION_FAILED, "lost by a fault", url)
        if isinstance(fault, Dropped):
            raise _AttemptFailed("ct", alerts.CONNECTION_FAILED, "dropped by a fault")
        request, sent = self._request(url, method, form, call_sid, policy, token)
        try:
            # httpx gives the read timeout to each piece; the answer as a whole is meant here.
            async with asyncio.timeout(policy.connect_seconds + policy.read_seconds):
                response = await self._client.send(request)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            text = f"cannot connect: {error}"
            raise _AttemptFailed("ct", alerts.CONNECTION_FAILED, text) from None
        except (httpx.TimeoutException, TimeoutError):
            raise _AttemptFailed("rt", alerts.RETRIEVAL_FAILED, "no answer in time") from None
        except httpx.TransportError as error:
            text = f"the connection broke: {error}"
            raise _AttemptFailed("rt", alerts.RETRIEVAL_FAILED, text) from None
        sent.status = response.status_code
        if self.on_answer is not None:
            self.on_answer(sent)
        self._cookies.setdefault(call_sid, httpx.Cookies()).extract_cookies(response)
        if isinstance(fault, Twice):
            again = self._request(url, method, form, call_sid, policy, token)
            self.tasks.start(self._again(again, fault.seconds), f"callback twice to {url}")
        return response

    async def _again(self, again: tuple[httpx.Request, Sent], seconds: float) -> None:
        request, sent = again
        await self.clock.sleep(seconds)
        try:
            sent.status = (await self._client.send(request)).status_code
        except httpx.TransportError:
            return

    def _request(
        self, url: str, method: str, form: Form, call_sid: str, policy: Policy, token: str
    ) -> tuple[httpx.Request, Sent]:
        public = url.partition("#")[0]
        if method == "GET" and form:
            parts = urlsplit(public)
            pairs = parse_qsl(parts.query, keep_blank_values=True) + list(form.items())
            public = parts._replace(query=urlencode(pairs)).geturl()
        try:
            route = tunnel_route(public, self.tunnel)
        except (NotReachable, ValueError) as error:
            raise FetchFailed(alerts.BAD_HOST, str(error), url) from None
        signed = form if method == "POST" else None
        headers = {
            **route.headers,
            "X-Twilio-Signature": sign(self._auth_token, public, signed),
            "I-Twilio-Idempotency-Token": token,
            "User-Agent": "TwilioProxy/1.1",
            "Accept": "*/*",
        }
        cookies = self._cookies.get(call_sid)
        if cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
        seconds = self.clock.real(policy.connect_seconds), self.clock.real(policy.read_seconds)
        request = self._client.build_request(
            method,
            route.url,
            data=dict(form) if method == "POST" else None,
            headers=headers,
            timeout=httpx.Timeout(seconds[1], connect=seconds[0]),
        )
        sent = Sent(method, url, dict(form), self.clock.now(), headers=headers)
        self.log.append(sent)
        return request, sent


TOTAL_SECONDS = 15.0
"""The hard limit of any call-related webhook."""

Cause = Literal["4xx", "5xx", "ct", "rt"]


@dataclass(frozen=True)
class Policy:
    """Seconds of the carrier; `retry_on` names the causes after which a request is repeated."""

    connect_seconds: float = 5.0
    read_seconds: float = 15.0
    total_seconds: float = TOTAL_SECONDS
    retries: int = 1
    retry_on: frozenset[str] = frozenset({"ct"})

    def repeats(self, cause: Cause) -> bool:
        return "all" in self.retry_on or cause in self.retry_on


def _bounded(text: str, low: int, high: int, otherwise: float) -> float:
    return float(min(high, max(low, int(text)))) if text.isdecimal() else otherwise


def policy_of(url: str) -> Policy:
    """Read the fragment of `url`."""
    given = dict(parse_qsl(url.partition("#")[2]))
    return Policy(
        connect_seconds=_bounded(given.get("ct", ""), 100, 10_000, 5000.0) / 1000,
        read_seconds=_bounded(given.get("rt", ""), 100, 15_000, 15_000.0) / 1000,
        total_seconds=_bounded(given.get("tt", ""), 100, 15_000, 15_000.0) / 1000,
        retries=int(_bounded(given.get("rc", ""), 0, 5, 1.0)),
        retry_on=frozenset(given["rp"].split(",")) if "rp" in given else frozenset({"ct"}),
    )


def sign(auth_token: str, url: str, form: Mapping[str, str] | None = None) -> str:
    """Return the value of X-Twilio-Signature."""
    signed = url.partition("#")[0]
    signed += "".join(name + value for name, value in sorted((form or {}).items()))
    digest = hmac.new(auth_token.encode(), signed.encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()


_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_ALIKE = {"https": "wss", "http": "ws", "wss": "wss", "ws": "ws"}


class NotReachable(Exception):
    """The URL leads to no loopback address, directly or by the tunnel."""


def is_loopback(url: str) -> bool:
    return urlsplit(url).hostname in _LOOPBACK


@dataclass(frozen=True)
class Route:
    """Where the bytes really go, and the headers that the tunnel adds."""

    url: str
    headers: dict[str, str]


def tunnel_route(url: str, tunnel: Mapping[str, str]) -> Route:
    """Map a public http(s) or ws(s) URL by the tunnel's table of origins, without its fragment.

    An origin may be followed by the beginning of a path, for URLs that have it. The first origin
    that matches counts.
    Raises NotReachable for an address that is neither in the table nor on loopback.
    """
    public = url.partition("#")[0]
    parts = urlsplit(public)
    for origin, target in tunnel.items():
        front = urlsplit(origin)
        same = front.netloc == parts.netloc and parts.path.startswith(front.path)
        if same and _ALIKE.get(front.scheme) == _ALIKE.get(parts.scheme):
            back = urlsplit(target)
            if not is_loopback(target):
                raise NotReachable(f"the tunnel's target {target} is not on loopback")
            secure = back.scheme in ("https", "wss")
            kind = ("wss" if secure else "ws") if parts.scheme in ("ws", "wss") else back.scheme
            forwarded = "https" if parts.scheme in ("https", "wss") else "http"
            return Route(
                parts._replace(scheme=kind, netloc=back.netloc).geturl(),
                {"X-Forwarded-Proto": forwarded, "X-Forwarded-Host": parts.netloc},
            )
    if not is_loopback(public):
        raise NotReachable(
            f"{parts.scheme}://{parts.netloc} is not on loopback and not in the tunnel's table"
        )
    return Route(public, {})


FINAL_STATUSES = frozenset({"completed", "busy", "failed", "no-answer", "canceled"})

SIP_CODES = {"completed": "200", "busy": "486", "no-answer": "487", "canceled": "487"}


@dataclass
class StatusCallback:
    """Status callbacks of one call. `events`: initiated, ringing, answered, completed."""

    url: str = ""
    method: str = "POST"
    events: frozenset[str] = frozenset({"completed"})
    sequence: int = 0

    def notify(
        self, event: str, form: Form, webhooks: Webhooks, *, wall: float, seconds: float | None
    ) -> None:
        """Send `event` if it is subscribed. `seconds` is the duration of an answered call."""
        if not self.url or event not in self.events:
            return
        body = {
            **form,
            "Timestamp": rfc2822(wall) or "",
            "CallbackSource": "call-progress-events",
            "SequenceNumber": str(self.sequence),
        }
        self.sequence += 1
        if event == "completed":
            whole = int(seconds or 0)
            body["CallDuration"] = str(whole)
            body["Duration"] = str(-(-whole // 60))
            body["SipResponseCode"] = SIP_CODES.get(form["CallStatus"], "500")
        webhooks.notify(self.url, self.method, body, call_sid=form["CallSid"])


def wanted(events: str) -> frozenset[str]:
    """Read a list as TwiML has it, separated by spaces; empty means the default."""
    return frozenset(events.split()) or frozenset({"completed"})
