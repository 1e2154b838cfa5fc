"""Check Twilio's signature on webhooks and on the upgrade of the media socket. No I/O.

`X-Twilio-Signature` is base64(HMAC(secret, url + the sorted form fields)). The URL is the public
one as Twilio requested it: `https://...` for webhooks, `wss://...` exactly as in the TwiML for a
socket. Build that URL from configuration, never from the Host header. A body that is not a form is
covered by the query parameter `bodySHA256`.

The digest comes from Twilio's `RequestValidator`. It is compared here in constant time, for every
secret. Twilio signs a default port or leaves it out, so both forms are accepted, also for `wss`.
Sources: twilio.com/docs/usage/security, /usage/webhooks/webhooks-security.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from hashlib import sha256
from urllib.parse import parse_qs, urlsplit

from twilio.request_validator import (
    HMAC_SHA1,
    HMAC_SHA256,
    RequestValidator,
)

from hookflash.carriers.twilio.webhooks import Form

HEADER = "x-twilio-signature"
SETTINGS_HEADER = "x-twilio-webhooks-signature-settings"
FORM_TYPE = "application/x-www-form-urlencoded"

_DEFAULT_PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}


class Signatures:
    """Checks signatures against the valid auth tokens (several during a rotation).

    `shared_keys` maps the id of a Twilio SharedKey to its secret, for webhooks with the header
    `X-Twilio-Webhooks-Signature-Settings: key=<id>,algorithm=HMAC_SHA256`.
    """

    def __init__(
        self, auth_tokens: Sequence[str], shared_keys: Mapping[str, str] | None = None
    ) -> None:
        self._tokens = tuple(RequestValidator(token) for token in auth_tokens if token)
        self._keys = {
            name: RequestValidator(secret) for name, secret in (shared_keys or {}).items() if secret
        }

    @property
    def has_secret(self) -> bool:
        """Return whether there is a secret to check signatures with."""
        return bool(self._tokens or self._keys)

    def request(
        self,
        url: str,
        body: bytes,
        *,
        signature: str,
        content_type: str = FORM_TYPE,
        settings: str = "",
    ) -> bool:
        """Return whether a webhook is from Twilio. `url` is public, with its query, without a
        fragment.

        A form's fields are signed with the URL; any other body must match `bodySHA256`. An empty
        body (GET) is signed by its URL alone. Raises `CarrierProtocolError` for too many fields.
        """
        if not body:
            return self._signed(url, None, signature, settings)
        if content_type.partition(";")[0].strip().lower() == FORM_TYPE:
            return self._signed(url, Form.parse(body), signature, settings)
        expected = parse_qs(urlsplit(url).query).get("bodySHA256", [""])[0]
        intact = _same(sha256(body).hexdigest(), expected.lower())
        return self._signed(url, None, signature, settings) and intact

    def socket(self, url: str, *, signature: str, settings: str = "") -> bool:
        """Return whether the upgrade of `url` (`wss://...`, as in the TwiML) is from Twilio."""
        return self._signed(url, None, signature, settings)

    def _signed(self, url: str, form: Form | None, signature: str, settings: str) -> bool:
        key, algorithm = _settings(settings)
        if algorithm not in (HMAC_SHA1, HMAC_SHA256):
            return False
        with_key = self._keys.get(key)
        if key:
            validators = (with_key,) if with_key else ()
        else:
            validators = self._tokens
        good = False
        for validator in validators:
            for candidate in _with_and_without_port(url):
                good |= _same(
                    validator.compute_signature(candidate, form, algorithm), signature.strip()
                )
        return good


def _settings(header: str) -> tuple[str, str]:
    """Read `key=<id>,algorithm=<name>`; the default is the auth token and HMAC-SHA1."""
    values: dict[str, str] = {}
    for part in header.split(","):
        name, _, value = part.partition("=")
        values[name.strip().lower()] = value.strip()
    return values.get("key", ""), values.get("algorithm", "").upper() or HMAC_SHA1


def _with_and_without_port(url: str) -> tuple[str, ...]:
    parts = urlsplit(url)
    if parts.port is None:
        other = f"{parts.netloc}:{_DEFAULT_PORTS[parts.scheme]}"
    else:
        other = parts.netloc.rpartition(":")[0]
    rest = url[len(f"{parts.scheme}://{parts.netloc}") :]
    return (url, f"{parts.scheme}://{other}{rest}")


def _same(expected: str, given: str) -> bool:
    return hmac.compare_digest(expected.encode(), given.encode("utf-8", "replace"))
