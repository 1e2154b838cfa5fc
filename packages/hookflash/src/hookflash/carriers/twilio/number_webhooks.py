"""Read and set the webhooks of a telephone number by Twilio's REST API.

    resource       | acquired         | released
    httpx client   | `TwilioNumbers`  | `aclose`

Source: twilio.com/docs/phone-numbers/api/incomingphonenumber-resource.
"""

from __future__ import annotations

from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import quote, urlsplit

import httpx
import msgspec

from hookflash.carriers.twilio.urls import Urls, is_loopback
from hookflash.errors import CarrierError, ConfigError

SECONDS = 15.0

_T = TypeVar("_T")


class NumberWebhooks(msgspec.Struct, frozen=True):
    """What a number asks, as Twilio names it. An application SID replaces the URLs."""

    voice_url: str | None = ""
    voice_method: str | None = "POST"
    voice_fallback_url: str | None = ""
    voice_fallback_method: str | None = "POST"
    status_callback: str | None = ""
    status_callback_method: str | None = "POST"
    voice_application_sid: str | None = ""

    @classmethod
    def of_line(cls, public_url: str) -> NumberWebhooks:
        """Return the webhooks of a line that is reached at `public_url`."""
        urls = Urls.under(public_url)
        return cls(voice_url=urls.voice(), voice_fallback_url=urls.voice(),
                   status_callback=urls.status())  # fmt: skip

    def form(self) -> dict[str, str]:
        """Return the fields of an update. An empty value removes what is there."""
        return {
            "".join(part.capitalize() for part in name.split("_")): value or ""
            for name, value in msgspec.structs.asdict(self).items()
        }


class TwilioNumber(msgspec.Struct, frozen=True):
    """A number of the account, with its webhooks."""

    sid: str
    phone_number: str
    webhooks: NumberWebhooks


class _Listed(NumberWebhooks, frozen=True):
    sid: str = ""
    phone_number: str = ""


class _Page(msgspec.Struct, frozen=True):
    incoming_phone_numbers: list[_Listed] = []


class _Problem(msgspec.Struct, frozen=True):
    code: int | None = None
    message: str = ""


class TwilioNumbers:
    """The telephone numbers of an account: `async with TwilioNumbers(...) as numbers`.

    Raises `CarrierError` if Twilio refuses or does not answer, and `ConfigError` for wrong
    credentials.
    """

    def __init__(self, *, account_sid: str, auth_token: str, api_url: str) -> None:
        self._path = f"/2010-04-01/Accounts/{quote(account_sid, safe='')}/IncomingPhoneNumbers"
        self._client = httpx.AsyncClient(
            base_url=api_url.rstrip("/"),
            auth=(account_sid, auth_token),
            timeout=SECONDS,
            trust_env=not is_loopback(urlsplit(api_url).hostname or ""),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._client.aclose()

    async def find(self, number: str) -> TwilioNumber:
        """Return a number of the account. Raises `ConfigError` if the account does not have it."""
        body = await self._ask("GET", f"{self._path}.json", params={"PhoneNumber": number})
        found = _as(body, _Page).incoming_phone_numbers
        for each in found:
            if each.phone_number == number:
                names = NumberWebhooks.__struct_fields__
                webhooks = NumberWebhooks(**{name: getattr(each, name) for name in names})
                return TwilioNumber(each.sid, each.phone_number, webhooks)
        raise ConfigError(
            f"the account has no number {number}; write a number that you have bought at Twilio in"
            " E.164 form, such as +15550100"
        )

    async def count(self) -> int:
        """Return how many numbers the account has, at most 50."""
        body = await self._ask("GET", f"{self._path}.json")
        return len(_as(body, _Page).incoming_phone_numbers)

    async def set_webhooks(self, number: TwilioNumber, webhooks: NumberWebhooks) -> None:
        """Set all webhooks of a number."""
        await self._ask("POST", f"{self._path}/{number.sid}.json", data=webhooks.form())

    async def _ask(
        self,
        method: str,
        path: str,
        *,
        params: dict[str, str] | None = None,
        data: dict[str, str] | None = None,
    ) -> bytes:
        try:
            response = await self._client.request(method, path, params=params, data=data)
        except httpx.HTTPError as error:
            raise CarrierError(
                f"Twilio's REST API did not answer: {type(error).__name__}: {error}"
            ) from error
        if response.status_code == 401:
            raise ConfigError(
                "Twilio refuses the credentials; check TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN"
            )
        if response.status_code >= 400:
            problem = _as(response.content, _Problem)
            raise CarrierError(
                f"Twilio answers {response.status_code} to {method} of the number:"
                f" {problem.message or 'no reason is given'}"
            )
        return response.content


def _as(body: bytes, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.MsgspecError as error:
        raise CarrierError(f"Twilio's answer about the number cannot be read: {error}") from error
