"""Twilio's REST side of a live call: give it other instructions, ring a human, end a leg.

On httpx and not on the official client: its async transport has no timeout at all, and two
endpoints with one deadline each read better than a client wrapped from outside.

    resource       | acquired         | released
    httpx client   | `TwilioControl`  | `aclose`

An update that met a 429, a 5xx or a broken connection is tried once more: made twice it is the same
document twice, at worst a telephone starts to ring again. The order to ring a human is repeated
only where it surely was not taken, for a second one rings them a second time: after no connection
at all; with our own number where the one to be shown was refused (21210, 21212); and after a 429 by
whoever ordered it, who knows how long it is worth to wait. All of it is done inside the time that
is given with the request.
Source: twilio.com/docs/voice/api/call-resource.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar
from urllib.parse import quote, urlsplit

import httpx
import msgspec

from hookflash.carriers.twilio.ringing import Fields
from hookflash.carriers.twilio.urls import is_loopback
from hookflash.core.caller_number import masked
from hookflash.core.commands import Instruction, RingHuman
from hookflash.errors import CarrierError, ConfigError

log = logging.getLogger("hookflash.call")

NOT_IN_PROGRESS = 21220
NO_SUCH_CALL = 20404
NOT_TO_BE_SHOWN = (21210, 21212)
"""The number in From is not verified, or is none: the `CallToken` was not taken, say."""
END_SECONDS = 5.0

_T = TypeVar("_T")


class Writing(Protocol):
    """Writes what is sent, for the call whose SID comes first.

    It mints the streams' tokens and knows who is on a call, so it belongs to the server.
    """

    def for_rest(self, call_sid: str, instructions: Sequence[Instruction]) -> str:
        """Return TwiML that REST takes."""
        ...

    def order(self, call_sid: str, what: RingHuman) -> Fields:
        """Return the fields of a call to be placed."""
        ...


class _Problem(msgspec.Struct, frozen=True):
    """The body of an error, as far as it is read."""

    code: int | None = None
    message: str = ""


class _Placed(msgspec.Struct, frozen=True):
    """The body of a call that was placed, as far as it is read."""

    sid: str = ""


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
        writing: Writing,
        pause_seconds: float = 0.2,
    ) -> None:
        self._writing = writing
        self._pause_seconds = pause_seconds
        self._calls = f"/2010-04-01/Accounts/{quote(account_sid, safe='')}/Calls"
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
        document = self._writing.for_rest(call_sid, instructions)
        # A move that was carried out although its answer was lost must not be repeated: it would
        # begin anew what the caller is in already.
        await self._update(call_sid, {"Twiml": document}, seconds, again=_refused_or_never_sent)

    async def ring(self, call_sid: str, what: RingHuman, *, seconds: float) -> str:
        """Place a call to a human, for the call `call_sid`; return the SID of their leg.

        Where Twilio does not show the number that the plan wants, it shows our own.
        """
        what_for = f"the order to ring a human for {call_sid}"
        fields = self._writing.order(call_sid, what)
        try:
            async with asyncio.timeout(seconds):
                try:
                    body = await self._order(fields, what_for, seconds)
                except CarrierError as error:
                    ours = self._with_our_number(call_sid, what, fields, error)
                    if ours is None:
                        raise
                    log.warning(
                        "! %s: %s; once more with the line's own number: check caller_id",
                        *(what_for, error),
                    )
                    body = await self._order(ours, what_for, seconds)
        except TimeoutError:
            raise _too_late(what_for, seconds) from None
        leg_sid = _as(body, _Placed()).sid
        if not leg_sid:
            raise CarrierError(f"Twilio placed a call for {call_sid} and did not say which")
        return leg_sid

    async def _order(self, fields: Fields, what_for: str, seconds: float) -> bytes:
        path = f"{self._calls}.json"
        return await self._ask(path, fields, seconds, what_for, again=_never_sent)

    def _with_our_number(
        self, call_sid: str, what: RingHuman, refused: Fields, error: CarrierError
    ) -> Fields | None:
        """Return the order again with our own number; None where that changes nothing."""
        if error.carrier_code not in NOT_TO_BE_SHOWN:
            return None
        try:
            ours = self._writing.order(call_sid, msgspec.structs.replace(what, caller_id=None))
        except ConfigError:
            # There is no number of ours.
            return None
        return None if ours == refused else ours

    async def end_leg(self, leg_sid: str) -> None:
        """End a leg, ringing or not; one that is over already is no error."""
        try:
            await self.end(leg_sid)
        except CarrierError as error:
            if not error.gone:
                raise

    async def end(self, call_sid: str) -> None:
        """End the live call."""
        await self._update(call_sid, {"Status": "completed"}, END_SECONDS)

    async def aclose(self) -> None:
        await self._client.aclose()

    async def _update(
        self,
        call_sid: str,
        fields: Fields,
        seconds: float,
        again: Callable[[CarrierError], bool] | None = None,
    ) -> None:
        path = f"{self._calls}/{quote(call_sid, safe='')}.json"
        await self._ask(path, fields, seconds, f"the update of {call_sid}", again=again or _passing)

    async def _ask(
        self,
        path: str,
        fields: Fields,
        seconds: float,
        what: str,
        *,
        again: Callable[[CarrierError], bool],
    ) -> bytes:
        """Return the body of the answer; what fails is tried once more if `again` says so."""
        try:
            async with asyncio.timeout(seconds):
                try:
                    return await self._post(path, fields)
                except CarrierError as error:
                    if not again(error):
                        raise
                    log.info("! %s: %s; once more", what, error)
                    await asyncio.sleep(self._pause_seconds)
                    return await self._post(path, fields)
        except TimeoutError:
            raise _too_late(what, seconds) from None

    async def _post(self, path: str, fields: Fields) -> bytes:
        try:
            response = await self._client.post(path, data=fields)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise CarrierError(
                f"Twilio could not be reached: {type(error).__name__}: {error}", retryable=True
            ) from error
        if not response.is_success:
            raise _refusal(response)
        return response.content


def _passing(error: CarrierError) -> bool:
    return error.retryable


def _refused_or_never_sent(error: CarrierError) -> bool:
    """Whether Twilio has said that it did not do it for now, or cannot have heard of it."""
    return _never_sent(error) or (error.retryable and error.status is not None)


def _never_sent(error: CarrierError) -> bool:
    """Whether Twilio cannot have taken the request: there was no connection."""
    return isinstance(error.__cause__, httpx.ConnectError | httpx.ConnectTimeout)


def _too_late(what: str, seconds: float) -> CarrierError:
    return CarrierError(f"Twilio did not answer {what} within {seconds:g} s", retryable=True)


def _refusal(response: httpx.Response) -> CarrierError:
    """Map an error response. Its body is Twilio's JSON, or anything else from a proxy. The text is
    for logs, and no whole telephone number is in it."""
    problem = _as(response.content, _Problem())
    status = response.status_code
    message = masked(problem.message)[:200]
    remedy = "; check TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN" if status == 401 else ""
    return CarrierError(
        f"Twilio refused with {status}, code {problem.code}: {message}{remedy}",
        status=status,
        carrier_code=problem.code,
        retryable=status == 429 or status >= 500,
        gone=problem.code in (NOT_IN_PROGRESS, NO_SUCH_CALL),
        retry_after=_seconds(response.headers.get("Retry-After", "")),
    )


def _seconds(text: str) -> float | None:
    """Read `Retry-After` as whole seconds; a date is none (RFC 9110, 10.2.3)."""
    return float(text) if re.fullmatch(r"[0-9]{1,6}", text.strip()) else None


def _as(body: bytes, otherwise: _T) -> _T:
    """Read a body; `otherwise`, which gives the type, for what is nothing of the kind."""
    try:
        return msgspec.json.decode(body, type=type(otherwise))
    except (ValueError, RecursionError):
        return otherwise
