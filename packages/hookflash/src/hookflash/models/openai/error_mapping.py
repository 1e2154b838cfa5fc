"""Map errors of the API to events of the call. No I/O.

    severity   consequence
    benign     a normal race; logged only
    refused    the session continues; the caller may need an answer
    rotate     the session has ended or is unusable; another one may work
    fatal      no session works until the owner changes something

Texts say what came and what to do. They never contain the key: the API's text about a wrong key
repeats a part of it, so for a refused upgrade only status and code are used.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from hookflash.core.events import ModelLost, ModelRefused
from hookflash.models.openai.messages import ErrorView

Severity = Literal["benign", "refused", "rotate", "fatal"]

_BENIGN = {
    "response_cancel_not_active",
    "conversation_already_has_active_response",
    "input_audio_buffer_commit_empty",
}
_BENIGN_PREFIXES = ("item_truncate_", "item_delete_")
_BENIGN_TEXTS = ("already shorter than", "no active response found", "already has an active resp")

REMEDIES = {
    "invalid_api_key": "check OPENAI_API_KEY",
    "model_not_found": "check HOOKFLASH_MODEL, and that the key's project may use it",
    "beta_api_shape_disabled": "the URL leads to the retired beta API: check HOOKFLASH_MODEL_URL",
    "account_deactivated": "ask OpenAI about the account",
}
"""Error codes that the owner must resolve, and how."""

_CREDIT = "check the account's credit"

_OTHER_REMEDIES = {
    "insufficient_quota": "add credit, or raise the budget of the key's project, at OpenAI; until"
    " then callers reach no agent",
    "rate_limit_exceeded": "the account's rate limit is reached: ask OpenAI for a higher one, or"
    " take fewer calls at once",
    "server_error": "an error at the model's provider: see its status page",
    "content_filter": "the model's content filter has stopped it: see what the agent was asked",
    "max_output_tokens": "it reached the limit of its length: ask for shorter answers in the"
    " agent's instructions",
    "session_expired": "the session reached its time limit",
}
"""Other codes that the log explains. They end no call by themselves."""

_TEXT_LIMIT = 300


class _RefusalError(msgspec.Struct, frozen=True):
    """The error in the body of a refused upgrade. Proxies write an HTTP status as its code."""

    code: str | int | None = None


class _Refusal(msgspec.Struct, frozen=True):
    error: _RefusalError | None = None


def remedy_for(code: str) -> str:
    """Return what to do about an error or a failed response with `code`, for the log."""
    known = REMEDIES.get(code) or _OTHER_REMEDIES.get(code)
    return known or "look the code up in the reference of the model's API"


def severity(error: ErrorView) -> Severity:
    """Return the severity of an error in a configured session."""
    code, text = error.code or "", (error.message or "").lower()
    if code in REMEDIES:
        return "fatal"
    if code == "session_expired":
        return "rotate"
    benign = (
        code in _BENIGN
        or code.startswith(_BENIGN_PREFIXES)
        or (code == "invalid_value" and (error.param or "").endswith("audio_end_ms"))
        or any(known in text for known in _BENIGN_TEXTS)
    )
    return "benign" if benign else "refused"


def on_error(error: ErrorView) -> ModelLost | ModelRefused:
    """Return the event for an error in a configured session."""
    weight = severity(error)
    if weight == "fatal":
        return ModelLost(_with_remedy(error), remedy="none")
    if weight == "rotate":
        return ModelLost(_described(error))
    return ModelRefused(
        code=error.code or error.type or "unknown",
        message=(error.message or "")[:_TEXT_LIMIT],
        benign=weight == "benign",
        request_id=error.event_id if isinstance(error.event_id, str) else "",
    )


def on_error_while_configuring(error: ErrorView) -> ModelLost:
    """Return the event for an error before the configuration was accepted.

    An update is rejected as a whole. The session would continue with its defaults, including 24 kHz
    PCM, and the caller would hear noise. So the session is not used, whatever the error is.
    """
    code = error.code or ""
    if severity(error) == "fatal":
        return ModelLost(_with_remedy(error), remedy="none")
    if code == "insufficient_quota":
        return ModelLost(f"{_described(error)}: {_CREDIT}", remedy="none")
    passing = code in ("session_expired", "rate_limit_exceeded") or error.type == "server_error"
    if passing:
        return ModelLost(_described(error))
    setting = f" (parameter {error.param})" if error.param else ""
    return ModelLost(
        f"the model rejected the session's configuration as a whole{setting}, and the call is not"
        f" bridged to it: change the setting that it names. {_described(error)}",
        remedy="none",
    )


def on_close(code: int, reason: str) -> ModelLost:
    """Return the event for the end of the socket; `code` is WebSocket's, 1006 without a close.

    The API closes with 4000 (3000 for an invalid key) after a fatal error, and often names the
    error in `reason`, such as `invalid_request_error.invalid_api_key`.
    """
    text = f"the model closed the connection (code {code}{', ' if reason else ''}{reason[:100]})"
    known = ErrorView(code=reason.rpartition(".")[2].strip() or None)
    if severity(known) == "fatal":
        return ModelLost(f"{text}: {REMEDIES[known.code or '']}", remedy="none")
    expired = "session_expired" in reason or "maximum duration" in reason
    if code in (3000, 4000) and not expired:
        return ModelLost(f"{text}: a fatal error in what we asked for", remedy="none")
    return ModelLost(text)


def on_refused_upgrade(status: int, body: bytes) -> ModelLost:
    """Return the event for an HTTP status other than 101 at the upgrade."""
    code = _code_in(body)
    text = f"the model refused the connection (HTTP {status}{' ' if code else ''}{code})"
    if code in REMEDIES:
        return ModelLost(f"{text}: {REMEDIES[code]}", remedy="none")
    if code == "insufficient_quota":
        return ModelLost(f"{text}: {_CREDIT}", remedy="none")
    if status in (408, 425, 429) or status >= 500:
        return ModelLost(text)
    remedies = {
        401: REMEDIES["invalid_api_key"],
        403: "the key may not use this model, or not from this country: check OPENAI_API_KEY"
        " and HOOKFLASH_MODEL",
        404: "check HOOKFLASH_MODEL and HOOKFLASH_MODEL_URL",
    }
    remedy = remedies.get(status, "check HOOKFLASH_MODEL_URL (redirects are not followed)")
    return ModelLost(f"{text}: {remedy}", remedy="none")


def _code_in(body: bytes) -> str:
    try:
        error = msgspec.json.decode(body, type=_Refusal).error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    return str(error.code or "")[:80] if error else ""


def _described(error: ErrorView) -> str:
    return f"{error.code or error.type or 'error'}: {(error.message or '')[:_TEXT_LIMIT]}"


def _with_remedy(error: ErrorView) -> str:
    return f"the model refused the session ({error.code}): {REMEDIES[error.code or '']}"
