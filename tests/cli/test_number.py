"""`hookflash number` at the local Twilio."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from hookflash.cli import main
from hookflash_local.testing.local_twilio import NUMBER, LocalTwilio

PUBLIC = "https://line.example.test"


@pytest.fixture
def twilio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalTwilio]:
    monkeypatch.chdir(tmp_path)
    with LocalTwilio() as local:
        monkeypatch.setenv("HOOKFLASH_TWILIO_API_URL", local.api_url)
        monkeypatch.setenv("HOOKFLASH_PUBLIC_URL", PUBLIC)
        monkeypatch.setenv("TWILIO_ACCOUNT_SID", local.account_sid)
        monkeypatch.setenv("TWILIO_AUTH_TOKEN", local.auth_token)
        local.voice("https://old.example.test/voice")
        yield local


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[object, str, str]:
    with pytest.raises(SystemExit) as left:
        main(["number", *arguments])
    told = capsys.readouterr()
    return left.value.code, told.out, told.err


def test_the_webhooks_of_a_number_are_shown_and_set(
    twilio: LocalTwilio, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, NUMBER)
    assert code == 1
    assert out.splitlines()[0] == (
        f"A call comes in:       https://old.example.test/voice  (this line: {PUBLIC}/twilio/voice)"
    )
    assert f"`hookflash number {NUMBER} --set`" in err
    code, out, err = run(capsys, NUMBER, "--set")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        f"A call comes in:       {PUBLIC}/twilio/voice",
        f"Primary handler fails: {PUBLIC}/twilio/voice",
        f"Call status changes:   {PUBLIC}/twilio/status",
    ]
    config = twilio.carrier.numbers[NUMBER]
    assert (config.voice_url, config.fallback_url) == (f"{PUBLIC}/twilio/voice",) * 2
    assert (config.status_callback, config.voice_method) == (f"{PUBLIC}/twilio/status", "POST")
    code, out, _ = run(capsys, NUMBER, "--json")
    told = json.loads(out)
    assert code == 0 and told["same"] and told["webhooks"]["voice_url"] == config.voice_url


def test_an_unknown_number_and_wrong_credentials_are_told(
    twilio: LocalTwilio, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, _, err = run(capsys, "+15550199")
    assert code == 2 and "the account has no number +15550199" in err
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", "another")
    code, _, err = run(capsys, NUMBER)
    assert code == 2 and "check TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN" in err
    monkeypatch.setenv("HOOKFLASH_TWILIO_API_URL", "http://127.0.0.1:1")
    code, _, err = run(capsys, NUMBER)
    assert code == 1 and "Twilio's REST API did not answer" in err
    monkeypatch.delenv("TWILIO_AUTH_TOKEN")
    code, _, err = run(capsys, NUMBER)
    assert code == 2 and "  TWILIO_AUTH_TOKEN: the account's auth token" in err
