"""What must be set before a line can be served, each with what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hookflash.setting_forms import is_loopback

if TYPE_CHECKING:
    from hookflash.settings import Settings

_SECRET_LENGTH = 16
"""How long a secret must be that deliveries are signed with."""


def missing_for_serving(settings: Settings) -> list[str]:
    """Return what is missing; empty if `serve` can start."""
    missing: list[str] = []
    if not settings.public_url:
        missing.append(
            "HOOKFLASH_PUBLIC_URL: the https address under which Twilio reaches this server;"
            " for a trial, the address that your tunnel (ngrok, cloudflared) shows"
        )
    if not settings.unsigned_allowed:
        if not settings.twilio_account_sid:
            missing.append(
                "TWILIO_ACCOUNT_SID: the account's SID, from the front page of console.twilio.com"
            )
        if not settings.twilio_auth_token:
            missing.append(
                "TWILIO_AUTH_TOKEN: the account's auth token, from the same page; without it"
                " nobody can tell Twilio's requests from a stranger's, so unsigned serving"
                " needs every peer (HOOKFLASH_PUBLIC_URL, HOOKFLASH_TWILIO_API_URL,"
                " HOOKFLASH_MODEL_URL) to be a stand-in on this machine"
            )
    if not settings.openai_api_key and not is_loopback(settings.model_url):
        missing.append(
            "OPENAI_API_KEY: a key from platform.openai.com/api-keys; or set"
            " HOOKFLASH_MODEL_URL to a model on this machine"
        )
    if settings.delivery_url and len(settings.delivery_secret or "") < _SECRET_LENGTH:
        missing.append(
            "HOOKFLASH_DELIVERY_SECRET: at least 16 characters that nobody can guess, such as"
            " `openssl rand -hex 32` prints; whoever takes deliveries at HOOKFLASH_DELIVERY_URL"
            " checks their signature with it"
        )
    return missing
