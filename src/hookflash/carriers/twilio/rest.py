"""Twilio's REST side of a live call: give it other instructions, or end it.

On httpx and not on the official client: its async transport has no timeout at all, and two
endpoints with one deadline each read better than a client wrapped from outside.

    resource       | acquired         | released
    httpx client   | `TwilioControl`  | `aclose`

A request is made twice at most, both times inside the time that its caller gave it: a 429, a
5xx or a broken connection is tried once more. An update made twice is the same document twice:
at worst a telephone starts to ring again. Source: twilio.com/docs/voice/api/call-resource.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import msgspec

from hookflash.carriers.twilio.twiml import fit_for_rest
from hookflash.carriers.twilio.urls import is_loopback
from hookflash.core.commands import Instruction
from hookflash.errors import CarrierError

log = logging.getLogger("hookflash.call")

NOT_IN_PROGRESS = 21220
NO_SUCH_CALL = 20404
END_SECONDS = 5.0

Render = Callable[[str, Sequence[Instruction]], str]
"""(call SID, instructions) -> TwiML: it mints the stream's token, so it belongs to the server."""


class _Problem(msgspec.Struct, frozen=True):
    """The body of an error, as far as it is read."""

    code: int | None = None
    message: str = ""


class TwilioControl:
    """Satisfies `runtime.ports.CarrierControl`. Raises `CarrierError` and nothing else.

    `gone` is set for 21220 and 20404, which only mean that the call was already over.
    `pause_seconds` is waited before the second attempt.
    """

    def __init__(
        self,
        *,
        account_sid: str,
        auth_token: str,
        api_url: str,
        render: Render,
        pause_seconds: float = 0.2,
    ) -> None:
        self._render = render
        self._pause_seconds = pause_seconds
        self._calls = f"/2010-04-01/Accounts/{quote(account_sid, safe='')}/Calls/"
        self._client = httpx.AsyncClient(
            base_url=api_url.rstrip("/"),
            auth=(account_sid, auth_token),
            timeout=None,
            headers={"Accept": "application/json"},
            # A proxy of the environment is for the world outside, not for a stand-in.
            trust_env=not is_loopback(urlsplit(api_url).hostname or ""),
        )

    async def move(
        self, call_sid: str, instructions: Sequence[Instruction], *, seconds: float
    ) -> None:
        """Give the live call `instructions`; what it does now is abandoned at once."""
        document = fit_for_rest(self._render(call_sid, instructions))
        await self._update(call_sid, {"Twiml": document}, seconds)

    async def end(self, call_sid: str) -> None:
        """End the live call."""
        await self._update(call_sid, {"Status": "completed"}, END_SECONDS)

    async def aclose(self) -> None:
        await self._client.aclose()

    async def _update(self, call_sid: str, fields: dict[str, str], seconds: float) -> None:
        path = f"{self._calls}{quote(call_sid, safe='')}.json"
        try:
            async with asyncio.timeout(seconds):
                try:
                    await self._post(path, fields)
                except CarrierError as error:
                    if not error.retryable:
                        raise
                    log.info("! %s carrier: %s; once more", call_sid, error)
                    await asyncio.sleep(self._pause_seconds)
                    await self._post(path, fields)
        except TimeoutError:
            raise CarrierError(
                f"Twilio did not answer the update of {call_sid} within {seconds:g} s",
                retryable=True,
            ) from None

    async def _post(self, path: str, fields: dict[str, str]) -> None:
        try:
            response = await self._client.post(path, data=fields)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise CarrierError(
                f"Twilio could not be reached: {type(error).__name__}: {error}", retryable=True
            ) from error
        if not response.is_success:
            raise _refusal(response)


def _refusal(response: httpx.Response) -> CarrierError:
    """Map an error response. Its body is Twilio's JSON, or anything else from a proxy."""
    try:
        problem = msgspec.convert(_json(response), _Problem)
    except msgspec.ValidationError:
        problem = _Problem()
    status = response.status_code
    remedy = "; check TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN" if status == 401 else ""
    return CarrierError(
        f"Twilio refused with {status}, code {problem.code}: {problem.message[:200]}{remedy}",
        status=status,
        carrier_code=problem.code,
        retryable=status == 429 or status >= 500,
        gone=problem.code in (NOT_IN_PROGRESS, NO_SUCH_CALL),
    )


def _json(response: httpx.Response) -> Any:
    try:
        return msgspec.json.decode(response.content)
    except (ValueError, RecursionError):
        return {}
