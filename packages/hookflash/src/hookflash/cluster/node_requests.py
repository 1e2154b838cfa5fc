"""Requests between nodes: HTTP, signed with the cluster's secret.

    POST /node
    Hookflash-Time: 1764000000         when it was sent, in seconds since 1970
    Hookflash-Within: 1500             within how many milliseconds it is to be answered
    Hookflash-Signature: HEX           HMAC-SHA256 of time, within, path and body

A node stops working on a request when its time is over. A request may arrive twice, because its
sender cannot know whether it has: what answers it must be idempotent. The same signature opens the
WebSockets of `/node/...`, over which sound is relayed.

    resource       acquired               released
    connections    the first requests     close()
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Callable, Mapping

import httpx

TIME, WITHIN, SIGNATURE = "hookflash-time", "hookflash-within", "hookflash-signature"
SKEW_SECONDS = 60.0
"""How much the clocks of two nodes may differ."""

CONNECT_SECONDS = 0.5
MAX_BYTES = 48 * 1024 * 1024
PATH = "/node"


class NodeGone(Exception):
    """A node cannot be reached, or failed to answer."""


def derived_key(secret: str, purpose: str) -> bytes:
    """Return the key for one purpose, so that a signature for one is none for another."""
    return hmac.digest(secret.encode(), f"hookflash:{purpose}".encode(), hashlib.sha256)


class NodeSignature:
    """Signs requests and checks their signatures. `wall` is the time since 1970."""

    def __init__(self, secret: str, wall: Callable[[], float]) -> None:
        self._key = derived_key(secret, "node-requests")
        self._wall = wall

    def headers(self, path: str, body: bytes, *, seconds: float) -> dict[str, str]:
        """Return the headers of a request that is to be answered within `seconds`."""
        sent, within = f"{self._wall():.3f}", str(max(1, round(seconds * 1000)))
        return {TIME: sent, WITHIN: within, SIGNATURE: self._sign(sent, within, path, body)}

    def check(self, headers: Mapping[str, str], path: str, body: bytes) -> float | None:
        """Return within how many seconds a request is to be answered; None: refuse it."""
        sent, within = headers.get(TIME, ""), headers.get(WITHIN, "")
        given = headers.get(SIGNATURE, "").encode("utf-8", "replace")
        if not hmac.compare_digest(given, self._sign(sent, within, path, body).encode()):
            return None
        if abs(self._wall() - float(sent)) > SKEW_SECONDS:
            return None
        return int(within) / 1000

    def _sign(self, sent: str, within: str, path: str, body: bytes) -> str:
        head = f"{sent}\n{within}\n{path}\n".encode("utf-8", "replace")
        return hmac.new(self._key, head + body, hashlib.sha256).hexdigest()


class NodeClient:
    """Sends requests to other nodes."""

    def __init__(self, signature: NodeSignature) -> None:
        self._signature = signature
        self._http: httpx.AsyncClient | None = None

    async def ask(self, address: str, body: bytes, *, seconds: float) -> bytes:
        """Return a node's answer. Raises `NodeGone`, or `TimeoutError` after `seconds`."""
        if self._http is None:
            # No proxy of the environment is used: nodes reach each other directly.
            self._http = httpx.AsyncClient(trust_env=False, timeout=None)
        headers = self._signature.headers(PATH, body, seconds=seconds)
        try:
            async with asyncio.timeout(seconds):
                answer = await self._http.post(f"{address}{PATH}", content=body, headers=headers)
        except httpx.HTTPError as error:
            raise NodeGone(str(error) or type(error).__name__) from None
        if answer.status_code != 200:
            raise NodeGone(f"it answered {answer.status_code}")
        return answer.content

    async def close(self) -> None:
        if self._http is not None:
            await self._http.aclose()
