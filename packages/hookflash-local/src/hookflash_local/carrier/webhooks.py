"""The carrier's questions and reports: signed requests to the other side's URLs.

    fetch  asks for TwiML or a sound; the answer counts, so redirects, retries and limits apply
    tell   reports (status callbacks); only a 2xx is expected, and nobody waits for it

Signatures are computed over the public URL; the request goes where the tunnel leads. Retries
carry the same I-Twilio-Idempotency-Token. Cookies are kept for each call.

resource         | acquired     | released
HTTP connections | constructor  | `close`
task of a report | `tell`       | `Tasks` (named `report ...`)
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookiejar import CookieJar, DefaultCookiePolicy
from random import Random
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

import httpx

from hookflash_local.carrier import notices
from hookflash_local.carrier.clock import Clock
from hookflash_local.carrier.faults import (
    Delayed,
    Dropped,
    Faults,
    Never,
    OutOfOrder,
    Twice,
)
from hookflash_local.carrier.notices import Notices
from hookflash_local.carrier.overrides import Cause, Policy, policy_of
from hookflash_local.carrier.signature import sign
from hookflash_local.carrier.tasks import Tasks
from hookflash_local.carrier.tunnel import NotReachable, road
from hookflash_local.carrier.twiml import MAX_BYTES

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
        found: Notices,
        *,
        auth_token: str,
        tunnel: Mapping[str, str],
        entropy: Random,
    ) -> None:
        self.clock = clock
        self.tasks = tasks
        self.faults = faults
        self.notices = found
        self.tunnel = tunnel
        self.log: list[Sent] = []
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
        """Ask `url` and return its answer. Raises FetchFailed.

        At most 15 s, at most ten redirects, at most `max_bytes` of answer.
        """
        policy = policy_of(url)
        try:
            async with self.clock.timeout(policy.total_seconds):
                return await self._fetch(url, method, form, call_sid, policy, max_bytes)
        except TimeoutError:
            raise FetchFailed(
                notices.RETRIEVAL_FAILED, f"no answer in {policy.total_seconds:g} s", url
            ) from None

    def tell(self, url: str, method: str, form: Form, *, call_sid: str) -> None:
        """Report to `url` and go on; anything but a 2xx is a notice."""
        self.tasks.start(self._tell(url, method, form, call_sid), f"report to {url}")

    async def _tell(self, url: str, method: str, form: Form, call_sid: str) -> None:
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
            self.notices.add(error.code, f"{error.text}: {url}", call_sid, self.clock.now())
        for event in overtaken:
            event.set()

    async def _hold(self, fault: OutOfOrder) -> None:
        """Wait until a later report was answered."""
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
            raise FetchFailed(notices.TOO_MANY_REDIRECTS, "more than ten redirects", url)
        if not 200 <= response.status_code < 300:
            raise FetchFailed(
                notices.RETRIEVAL_FAILED, f"answered with status {response.status_code}", url
            )
        if len(response.content) > max_bytes:
            raise FetchFailed(
                notices.TOO_LARGE, f"the answer has {len(response.content)} bytes", url
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
            raise FetchFailed(notices.CONNECTION_FAILED, "lost by a fault", url)
        if isinstance(fault, Dropped):
            raise _AttemptFailed("ct", notices.CONNECTION_FAILED, "dropped by a fault")
        request, sent = self._request(url, method, form, call_sid, policy, token)
        try:
            # httpx gives the read timeout to each piece; the answer as a whole is meant here.
            async with self.clock.timeout(policy.connect_seconds + policy.read_seconds):
                response = await self._client.send(request)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            text = f"cannot connect: {error}"
            raise _AttemptFailed("ct", notices.CONNECTION_FAILED, text) from None
        except (httpx.TimeoutException, TimeoutError):
            raise _AttemptFailed("rt", notices.RETRIEVAL_FAILED, "no answer in time") from None
        except httpx.TransportError as error:
            text = f"the connection broke: {error}"
            raise _AttemptFailed("rt", notices.RETRIEVAL_FAILED, text) from None
        sent.status = response.status_code
        self._cookies.setdefault(call_sid, httpx.Cookies()).extract_cookies(response)
        if isinstance(fault, Twice):
            again = self._request(url, method, form, call_sid, policy, token)
            self.tasks.start(self._again(again, fault.seconds), f"report twice to {url}")
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
            way = road(public, self.tunnel)
        except (NotReachable, ValueError) as error:
            raise FetchFailed(notices.BAD_HOST, str(error), url) from None
        signed = form if method == "POST" else None
        headers = {
            **way.headers,
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
            way.url,
            data=dict(form) if method == "POST" else None,
            headers=headers,
            timeout=httpx.Timeout(seconds[1], connect=seconds[0]),
        )
        sent = Sent(method, url, dict(form), self.clock.now(), headers=headers)
        self.log.append(sent)
        return request, sent
