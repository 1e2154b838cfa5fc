"""Send deliveries and events of calls to the owner's webhook, signed.

    POST, JSON: the fields of `Delivery`, and `revision`; of an event: `id`, `kind`, `at`, `data`
    Hookflash-Delivery    the id, the same at each attempt and each revision
    Hookflash-Revision    the number of the delivery's version, from 1
    Hookflash-Signature   t=SECONDS,v1=HEX: HMAC-SHA256 over "SECONDS.BODY" with the shared secret

Any status from 200 to 299 means accepted. A redirect does not, because the body would go to an
address that the owner has not configured. `Retry-After` is respected.

    resource       acquired           released
    httpx client   `WebhookOutlet`    `aclose`
"""

from __future__ import annotations

import email.utils
import hashlib
import hmac
import logging
from collections.abc import Callable
from urllib.parse import quote, urlsplit

import httpx
import msgspec

from hookflash import __version__
from hookflash.core.call_events import CallEvent
from hookflash.core.delivery import Delivery
from hookflash.core.delivery_retries import TrackedDelivery
from hookflash.runtime.delivery_worker import NotTaken

WEBHOOK_SECONDS = 10.0
_LONGEST_RETRY_SECONDS = 6 * 3600.0

log = logging.getLogger("hookflash.call.deliveries")


class WebhookOutlet:
    """Posts deliveries to `url`. See `delivery_worker.Outlet`.

    `body` returns the JSON of one; None takes that of a `Delivery`.
    """

    name = "webhook"

    def __init__(
        self,
        url: str,
        secret: str,
        *,
        now: Callable[[], float],
        seconds: float = WEBHOOK_SECONDS,
        transport: httpx.AsyncBaseTransport | None = None,
        body: Callable[[TrackedDelivery], bytes] | None = None,
    ) -> None:
        self._body = body or webhook_body
        self.seconds = seconds
        self._url = url
        self._secret = secret
        self._now = now
        self._client = httpx.AsyncClient(
            # The limit of each wait; the delivery worker limits the whole attempt.
            timeout=seconds,
            follow_redirects=False,
            headers={"User-Agent": f"hookflash/{__version__}"},
            transport=transport,
        )

    def wants(self, delivery: Delivery) -> bool:
        return True

    async def send(self, stored: TrackedDelivery) -> None:
        body = self._body(stored)
        headers = {
            "Content-Type": "application/json",
            # The model may have written part of the id, so quote it for a header.
            "Hookflash-Delivery": quote(stored.delivery.id, safe=""),
            "Hookflash-Revision": str(stored.revision),
            "Hookflash-Signature": signature(body, self._secret, int(self._now())),
        }
        try:
            # Only the status is read, however long the body is.
            async with self._client.stream(
                "POST", self._url, content=body, headers=headers
            ) as response:
                status = response.status_code
                wait = self._retry_seconds(response)
        except httpx.HTTPError as error:
            host = urlsplit(self._url).hostname
            raise NotTaken(f"{host}: {type(error).__name__}: {error}") from error
        if not 200 <= status < 300:
            raise NotTaken(f"answered {status}", retry_seconds=wait)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    def _retry_seconds(self, response: httpx.Response) -> float:
        """Return the requested delay: seconds or a date (RFC 9110, 10.2.3)."""
        asked = response.headers.get("Retry-After", "").strip()
        if asked.isdecimal() and len(asked) <= 9:
            seconds = float(asked)
        else:
            try:
                seconds = email.utils.parsedate_to_datetime(asked).timestamp() - self._now()
            except (TypeError, ValueError):
                return 0.0
        return min(max(seconds, 0.0), _LONGEST_RETRY_SECONDS)


def webhook_body(stored: TrackedDelivery) -> bytes:
    """Return the JSON body."""
    fields = msgspec.structs.asdict(stored.delivery)
    return msgspec.json.encode(fields | {"revision": stored.revision})


def event_body(stored: TrackedDelivery) -> bytes:
    """Return the JSON body of an event: what a hook gets is in `data`."""
    event = stored.delivery
    assert isinstance(event, CallEvent)
    return msgspec.json.encode(
        {
            "id": event.id,
            "kind": event.kind,
            "at": event.created_at,
            "data": msgspec.Raw(event.data.encode()),
        }
    )


def signature(body: bytes, secret: str, at: int) -> str:
    """Return the value of `Hookflash-Signature` for `body`, signed at `at` seconds since 1970."""
    signed = hmac.new(secret.encode(), b"%d." % at + body, hashlib.sha256)
    return f"t={at},v1={signed.hexdigest()}"
