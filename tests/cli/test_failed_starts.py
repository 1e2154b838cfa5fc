"""A start that fails is immediate, and its reason is one line."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hookflash.cli import main
from hookflash.settings import is_placeholder

AGENT = 'from hookflash import Agent\nagent = Agent("shop", instructions="We sell.", {more})\n'
SETTINGS = {
    "HOOKFLASH_PUBLIC_URL": "https://line.example.test",
    "OPENAI_API_KEY": "a-key",
    "TWILIO_ACCOUNT_SID": "AC" + "1" * 32,
    "TWILIO_AUTH_TOKEN": "a-token",
}


@pytest.fixture(autouse=True)
def _settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("HOOKFLASH_")]:
        monkeypatch.delenv(name)
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "agent.py").write_text(AGENT.format(more=""))


@pytest.fixture
def busy_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        yield taken.getsockname()[1]


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Return the one line of an error, without log lines."""
    began = time.monotonic()
    with pytest.raises(SystemExit) as left:
        main([*arguments])
    # Nothing is waited for: before, a delivery worker was, for ten seconds.
    assert time.monotonic() - began < 9
    assert left.value.code == 2
    told = [line for line in capsys.readouterr().err.splitlines() if " INFO " not in line]
    assert len(told) == 1, told
    return told[0]


def test_a_port_in_use_is_told_before_anything_is_opened(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, busy_port: int
) -> None:
    for more in ([], ["--workers", "2"]):
        told = refused(capsys, "serve", "agent.py", "--port", str(busy_port), *more)
        assert told == (
            f"hookflash: cannot listen on 127.0.0.1 port {busy_port}: Address already in use;"
            " choose another --port"
        )
    assert not (tmp_path / "hookflash-data").exists()


@pytest.mark.parametrize("host", ["no.such.host.invalid", "192.0.2.1"])
def test_a_host_that_is_none_of_this_machine_is_told(
    capsys: pytest.CaptureFixture[str], host: str
) -> None:
    told = refused(capsys, "serve", "agent.py", "--port", "0", "--host", host)
    assert told.startswith(f"hookflash: cannot listen on {host} port 0: ")
    assert told.endswith("; choose another --host")


def test_a_broken_file_of_users_is_told_at_once(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "hookflash-users.toml").write_text("[users.x")
    told = refused(capsys, "serve", "agent.py", "--port", "0")
    assert told.startswith("hookflash: hookflash-users.toml: it is not valid TOML")
    assert not (tmp_path / "hookflash-data").exists()


def test_a_data_folder_that_cannot_be_made_is_told(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("HOOKFLASH_DATA_DIR", "file/data")
    told = refused(capsys, "serve", "agent.py", "--port", "0")
    assert told.startswith("hookflash: HOOKFLASH_DATA_DIR: the folder file/data cannot be made: ")


def test_a_wrong_option_is_one_line_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert refused(capsys, "serve", "agent.py", "--port", "99999") == (
        "hookflash: Invalid value for '--port': 99999 is not in the range 0<=x<=65535; see"
        " `hookflash serve --help`"
    )
    assert refused(capsys, "transfer").endswith("; see `hookflash --help`")
    assert "requires an argument; see `hookflash call --help`" in refused(capsys, "call", "--wav")


@pytest.mark.parametrize(
    ("name", "value"), [("OPENAI_API_KEY", "..."), ("TWILIO_AUTH_TOKEN", "<your token>")]
)
def test_a_placeholder_is_no_secret(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit):
        main(["serve", "agent.py", "--port", "0"])
    assert f"  {name}: it is the placeholder {value!r}; put the " in capsys.readouterr().err


def test_what_examples_show_is_a_placeholder_and_a_key_is_none() -> None:
    for text in ("...", "sk-...", "sk-xxxx", "<key>", "[key]", "changeme", "your-key", "\u2026"):
        assert is_placeholder(text), text
    for text in ("sk-proj-abc", "0" * 32, "a-token", "", None):
        assert not is_placeholder(text), text


def test_a_model_of_another_api_is_refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOKFLASH_MODEL", "gpt-live-1")
    told = refused(capsys, "serve", "agent.py", "--port", "0")
    assert told.startswith("hookflash: HOOKFLASH_MODEL: 'gpt-live-1' is no model of the Realtime")


def test_an_unknown_voice_is_named_in_the_log(
    caplog: pytest.LogCaptureFixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "agent.py").write_text(AGENT.format(more='voice="bogus"'))
    (tmp_path / "file").write_text("x")
    # The start ends here, after the check of the voices.
    monkeypatch.setenv("HOOKFLASH_DATA_DIR", "file/data")
    with caplog.at_level(logging.WARNING), pytest.raises(SystemExit):
        main(["serve", "agent.py", "--port", "0"])
    assert "agent shop: the voice 'bogus' is not known" in caplog.text
