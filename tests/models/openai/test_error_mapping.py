"""What errors, closes and refused upgrades mean for the call."""

from __future__ import annotations

import json

import pytest

from hookflash.core.events import ModelLost, ModelRefused
from hookflash.models.openai.error_mapping import (
    REMEDIES,
    on_close,
    on_error,
    on_error_while_configuring,
    on_refused_upgrade,
    severity,
)
from hookflash.models.openai.messages import ErrorView


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ErrorView(code="response_cancel_not_active"), "benign"),
        (ErrorView(code="conversation_already_has_active_response"), "benign"),
        (ErrorView(code="input_audio_buffer_commit_empty"), "benign"),
        (ErrorView(code="item_truncate_invalid_item_id"), "benign"),
        (ErrorView(code="item_delete_invalid_item_id"), "benign"),
        (ErrorView(code="invalid_value", param="audio_end_ms"), "benign"),
        (ErrorView(code="invalid_value", param="session.audio.output.voice"), "refused"),
        (ErrorView(code="invalid_value"), "refused"),
        (ErrorView(message="Cancellation failed: No active response found"), "benign"),
        (ErrorView(code="rate_limit_exceeded"), "refused"),
        (ErrorView(code="session_expired"), "rotate"),
        (ErrorView(), "refused"),
        *[(ErrorView(code=code), "fatal") for code in REMEDIES],
    ],
)
def test_errors_are_sorted_by_the_table(error: ErrorView, expected: str) -> None:
    assert severity(error) == expected


def test_an_error_without_anything_still_has_a_code() -> None:
    assert on_error(ErrorView()) == ModelRefused("unknown", "", False)


def test_a_long_message_is_cut() -> None:
    refused = on_error(ErrorView(code="odd", message="x" * 5000))
    assert isinstance(refused, ModelRefused)
    assert len(refused.message) == 300


@pytest.mark.parametrize("code", sorted(REMEDIES))
def test_a_fatal_error_names_its_remedy_and_not_the_servers_text(code: str) -> None:
    error = ErrorView(code=code, message="Incorrect API key provided: sk-abc***xyz")
    for lost in (on_error(error), on_error_while_configuring(error)):
        assert isinstance(lost, ModelLost)
        assert lost.remedy == "none"
        assert REMEDIES[code] in lost.reason
        assert "sk-abc" not in lost.reason


def test_a_rejected_configuration_names_the_parameter_if_it_is_known() -> None:
    lost = on_error_while_configuring(ErrorView(code="unknown_parameter", param="session.x"))
    assert "(parameter session.x)" in lost.reason
    assert "(parameter" not in on_error_while_configuring(ErrorView(code="odd")).reason


@pytest.mark.parametrize(
    ("code", "reason", "remedy"),
    [
        (1000, "", "rotate"),
        (1001, "Your session hit the maximum duration of 60 minutes.", "rotate"),
        (1006, "", "rotate"),
        (1011, "keepalive ping timeout", "rotate"),
        (4000, "", "none"),
        (4000, "invalid_request_error.beta_api_shape_disabled", "none"),
        (3000, "invalid_request_error.invalid_api_key", "none"),
        (1008, "invalid_request_error.model_not_found", "none"),
        (4000, "invalid_request_error.session_expired", "rotate"),
        (4000, "Your session hit the maximum duration of 60 minutes.", "rotate"),
    ],
)
def test_what_a_close_means(code: int, reason: str, remedy: str) -> None:
    lost = on_close(code, reason)
    assert lost.remedy == remedy
    assert f"code {code}" in lost.reason


@pytest.mark.parametrize(
    ("status", "code", "remedy", "words"),
    [
        (401, "", "none", "OPENAI_API_KEY"),
        (401, "invalid_api_key", "none", "OPENAI_API_KEY"),
        (403, "", "none", "country"),
        (404, "", "none", "HOOKFLASH_MODEL"),
        (404, "model_not_found", "none", "project"),
        (429, "insufficient_quota", "none", "credit"),
        (429, "rate_limit_exceeded", "rotate", "429"),
        (429, 1113, "rotate", "HTTP 429 1113"),
        (408, "", "rotate", "408"),
        (503, "", "rotate", "503"),
        (302, "", "none", "redirects"),
        (200, "", "none", "HOOKFLASH_MODEL_URL"),
    ],
)
def test_what_a_refused_upgrade_means(
    status: int, code: str | int, remedy: str, words: str
) -> None:
    body = json.dumps({"error": {"code": code, "message": "sk-abc***xyz"}}).encode()
    lost = on_refused_upgrade(status, body)
    assert lost.remedy == remedy
    assert words in lost.reason
    assert "sk-abc" not in lost.reason


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"\xff", b"{}", b'{"error":null}', b'{"error":{"code":null}}']
)
def test_a_refusal_that_says_nothing_goes_by_its_status(body: bytes) -> None:
    assert on_refused_upgrade(401, body).remedy == "none"
    assert on_refused_upgrade(502, body).remedy == "rotate"
