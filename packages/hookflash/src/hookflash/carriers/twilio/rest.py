"""Twilio's REST API for live calls: update a call, ring a human, end a leg.

It uses httpx instead of Twilio's client, whose async transport has no timeouts.

    resource       | acquired         | released
    httpx client   | `TwilioControl`  | `aclose`

An update is retried once after a 429, a 5xx or a broken connection. It is idempotent: at worst a
phone starts to ring again. A request to ring a human is repeated only if it was certainly not
executed, because a second one would ring them twice:

* if there was no connection at all;
* with the line's own number, if the number to show was refused (21210, 21212);
* after a 429, by the caller of this module, who knows how long waiting is useful.

All attempts end within the time that is given with the request.

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

from hookflash.carriers.twilio.ring_request import Fields
from hookflash.carriers.twilio.urls import is_loopback
from hookflash.core.caller_number import masked
from hookflash.core.commands import Instruction, RingHuman
from hookflash.errors import CarrierError, ConfigError

log = logging.getLogger("hookflash.call")

NOT_IN_PROGRESS = 21220
NO_SUCH_CALL = 20404
NOT_TO_BE_SHOWN = (21210, 21212)
"""The number in From is not verified or not valid, for example because a `CallToken` was
refused."""
END_SECONDS = 5.0
RECORDING_SECONDS = 20.0
RECORDING_BYTES = 50_000_000

_T = TypeVar("_T")


class InstructionWriter(Protocol):
    """Writes the contents of requests for the call whose SID comes first.

    It issues the streams' tokens and knows the parties of a call, so the server provides it.
    """

    def for_rest(self, call_sid: str, instructions: Sequence[Instruction]) -> str:
        """Return TwiML for a REST update."""
        ...

    def ring_request(self, call_sid: str, what: RingHuman) -> Fields:
        """Return the form fields of a call to place."""
        ...

    def place_request(self, caller: str, called: str, ring_seconds: int) -> Fields:
        """Return the form fields of a call from `caller` to `called`."""
        ...


_NOT_FOUND = 404


class _Problem(msgspec.Struct, frozen=True):
    """The body of an error response."""

    code: int | None = None
    message: str = ""


class _Placed(msgspec.Struct, frozen=True):
    """The body of the response to a placed call."""

    sid: str = ""


class TwilioControl:
    """Satisfies `runtime.ports.CarrierControl`. Raises `CarrierError` only.

    `gone` is set for 21220 and 20404: the call had already ended. `pause_seconds` is the delay
    before a retry.
    """

    def __init__(
        self,
        *,
        account_sid: str,
        auth_token: str,
        api_url: str,
        writer: InstructionWriter,
        pause_seconds: float = 0.2,
    ) -> None:
        self._writer = writer
        self._pause_seconds = pause_seconds
        self._calls = f"/2010-04-01/Accounts/{quote(account_sid, safe='')}/Calls"
        self._client = httpx.AsyncClient(
            base_url=api_url.rstrip("/"),
            auth=(account_sid, auth_token),
            timeout=None,
            headers={"Accept": "application/json"},
            # The environment's proxy is not for a stand-in on this machine.
            trust_env=not is_loopback(urlsplit(api_url).hostname or ""),
        )

    async def redirect(self, call_sid: str, url: str, *, seconds: float) -> None:
        """Let the live call ask `url` what is next; what it is doing now is abandoned at once."""
        fields: Fields = {"Url": url, "Method": "POST"}
        await self._update(call_sid, fields, seconds, again=_refused_or_never_sent)

    async def move(
        self, call_sid: str, instructions: Sequence[Instruction], *, seconds: float
    ) -> None:
        """Send new `instructions` to the live call; what it is doing now is abandoned at once."""
        document = self._writer.for_rest(call_sid, instructions)
        # A move whose answer was lost may have been executed. Repeating it would start again
        # what the caller is in already.
        await self._update(call_sid, {"Twiml": document}, seconds, again=_refused_or_never_sent)

    async def ring(self, call_sid: str, what: RingHuman, *, seconds: float) -> str:
        """Place a call to a human, for the call `call_sid`. Return the SID of their leg.

        If Twilio refuses to show the plan's number, the line's own number is shown.
        """
        what_for = f"the request to ring a human for {call_sid}"
        fields = self._writer.ring_request(call_sid, what)
        try:
            async with asyncio.timeout(seconds):
                try:
                    body = await self._place_call(fields, what_for, seconds)
                except CarrierError as error:
                    ours = self._with_our_number(call_sid, what, fields, error)
                    if ours is None:
                        raise
                    log.warning(
                        "! %s: %s; retry with the line's own number: check caller_id",
                        *(what_for, error),
                    )
                    body = await self._place_call(ours, what_for, seconds)
        except TimeoutError:
            raise _too_late(what_for, seconds) from None
        leg_sid = _as(body, _Placed()).sid
        if not leg_sid:
            raise CarrierError(f"Twilio placed a call for {call_sid} and did not say which")
        return leg_sid

    async def place(self, caller: str, called: str, ring_seconds: int, *, seconds: float) -> str:
        """Call somebody. Return the SID of the call.

        The request is repeated only if it was certainly not received.
        """
        what_for = "the request to place a call"
        fields = self._writer.place_request(caller, called, ring_seconds)
        call_sid = _as(await self._place_call(fields, what_for, seconds), _Placed()).sid
        if not call_sid:
            raise CarrierError("Twilio placed a call and did not say which")
        return call_sid

    async def _place_call(self, fields: Fields, what_for: str, seconds: float) -> bytes:
        path = f"{self._calls}.json"
        return await self._ask(path, fields, seconds, what_for, again=_never_sent)

    def _with_our_number(
        self, call_sid: str, what: RingHuman, refused: Fields, error: CarrierError
    ) -> Fields | None:
        """Return the request with the line's own number; None if that changes nothing."""
        if error.carrier_code not in NOT_TO_BE_SHOWN:
            return None
        try:
            ours = self._writer.ring_request(
                call_sid, msgspec.structs.replace(what, caller_id=None)
            )
        except ConfigError:
            # The line has no number.
            return None
        return None if ours == refused else ours

    async def limit(self, call_sid: str, seconds: int) -> None:
        """Set the longest duration of a live call (`TimeLimit`). What it does now goes on."""
        await self._update(call_sid, {"TimeLimit": str(seconds)}, END_SECONDS)

    async def pause_recording(self, call_sid: str, *, paused: bool) -> bool:
        """Pause or resume the recording of a live call that somebody has started at Twilio.

        Return False if none runs. While it is paused, the recording has silence.
        """
        path = f"{self._calls}/{quote(call_sid, safe='')}/Recordings/Twilio.CURRENT.json"
        fields: Fields = {"Status": "in-progress"}
        if paused:
            fields = {"Status": "paused", "PauseBehavior": "silence"}
        try:
            what = f"the pause of a recording of {call_sid}"
            await self._ask(path, fields, END_SECONDS, what, again=_passing)
        except CarrierError as error:
            if error.status != _NOT_FOUND:
                raise
            return False
        return True

    async def end_leg(self, leg_sid: str) -> None:
        """End a leg, ringing or connected. A leg that has already ended is not an error."""
        try:
            await self.end(leg_sid)
        except CarrierError as error:
            if not error.gone:
                raise

    async def end(self, call_sid: str) -> None:
        """End the live call."""
        await self._update(call_sid, {"Status": "completed"}, END_SECONDS)

    async def recording(self, url: str) -> bytes:
        """Return the WAV of a recording. `url` is that of Twilio's `RecordingUrl`.

        The account's credentials are sent to the API's own address only.
        """
        try:
            ours, theirs = self._client.base_url, httpx.URL(url)
        except httpx.InvalidURL as error:
            raise CarrierError(f"expected the address of a recording, got {url!r}") from error
        if (theirs.scheme, theirs.host, theirs.port) != (ours.scheme, ours.host, ours.port):
            raise CarrierError(
                f"expected a recording at {ours.host} (HOOKFLASH_TWILIO_API_URL), got one at"
                f" {theirs.host}"
            )
        what, parts = "the request for a recording", bytearray()
        try:
            async with (
                asyncio.timeout(RECORDING_SECONDS),
                # Twilio answers with a redirect to where the sound is.
                self._client.stream("GET", f"{url}.wav", follow_redirects=True) as response,
            ):
                if not response.is_success:
                    await response.aread()
                    raise _refusal(response)
                async for part in response.aiter_bytes():
                    parts += part
                    if len(parts) > RECORDING_BYTES:
                        raise CarrierError(f"the recording is longer than {RECORDING_BYTES} bytes")
        except TimeoutError:
            raise _too_late(what, RECORDING_SECONDS) from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise CarrierError(
                f"Twilio could not be reached: {type(error).__name__}: {error}", retryable=True
            ) from error
        return bytes(parts)

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
        """Return the body of the response. A failed request is retried once if `again` returns
        True."""
        try:
            async with asyncio.timeout(seconds):
                try:
                    return await self._post(path, fields)
                except CarrierError as error:
                    if not again(error):
                        raise
                    log.info("! %s: %s; retry", what, error)
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
    """Return whether Twilio has refused for now, or cannot have received the request."""
    return _never_sent(error) or (error.retryable and error.status is not None)


def _never_sent(error: CarrierError) -> bool:
    """Return whether Twilio cannot have received the request: there was no connection."""
    return isinstance(error.__cause__, httpx.ConnectError | httpx.ConnectTimeout)


def _too_late(what: str, seconds: float) -> CarrierError:
    return CarrierError(f"Twilio did not answer {what} within {seconds:g} s", retryable=True)


def _refusal(response: httpx.Response) -> CarrierError:
    """Return the error for an error response: Twilio's JSON, or anything else from a proxy.

    Its text is for logs; phone numbers are masked.
    """
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
    """Read `Retry-After` in whole seconds; a date is ignored (RFC 9110, 10.2.3)."""
    return float(text) if re.fullmatch(r"[0-9]{1,6}", text.strip()) else None


def _as(body: bytes, otherwise: _T) -> _T:
    """Decode a body as the type of `otherwise`; return `otherwise` if it is invalid."""
    try:
        return msgspec.json.decode(body, type=type(otherwise))
    except (ValueError, RecursionError):
        return otherwise
