from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from hookflash.carriers.twilio.urls import Urls
from hookflash.cli import hookflash, main
from hookflash.errors import ConfigError
from hookflash.settings import DEFAULT_FILE, Settings

HEAVY = (
    "rich pydantic pydantic_settings numpy starlette uvicorn sqlalchemy alembic twilio httpx picows"
    " ctranslate2"
).split()


def exit_code(arguments: list[str]) -> object:
    with pytest.raises(SystemExit) as left:
        main(arguments)
    return left.value.code


def test_every_command_says_in_one_line_what_it_does() -> None:
    context = click.Context(hookflash)
    names = hookflash.list_commands(context)
    assert {"call", "demo", "replay", "serve"} <= set(names)
    for name in names:
        command = hookflash.get_command(context, name)
        assert command is not None and command.get_short_help_str()


def test_the_help_shows_each_command_in_a_whole_sentence_of_a_terminal_of_80_columns() -> None:
    told = CliRunner().invoke(hookflash, ["--help"], terminal_width=80).output
    listed = told.partition("Commands:\n")[2].splitlines()
    assert [line.split()[0] for line in listed] == hookflash.list_commands(click.Context(hookflash))
    assert [line for line in listed if not line.endswith(".") or line.endswith("...")] == []


def test_the_module_runs_as_the_command_does_and_its_help_imports_nothing_heavy() -> None:
    program = (
        "import runpy, sys; sys.argv = ['hookflash', '--help']\n"
        "try: runpy.run_module('hookflash', run_name='__main__')\n"
        "except SystemExit as left: print(left.code)\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    told = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
    )
    assert told.stdout.startswith("Usage: hookflash")
    assert "demo" in told.stdout
    assert told.stdout.splitlines()[-2:] == ["0", "[]"]


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(["--version"]) == 0
    assert capsys.readouterr().out.startswith("hookflash, version 0.")


def test_an_unknown_command_or_option_exits_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(["transfer"]) == 2
    assert exit_code(["_call_output"]) == 2
    assert exit_code(["serve", "--no-such-option"]) == 2
    assert "No such command 'transfer'" in capsys.readouterr().err


def test_the_help_of_serve_has_each_default_and_each_setting_that_is_needed() -> None:
    told = " ".join(CliRunner().invoke(hookflash, ["serve", "--help"]).output.split())
    server = Settings().server
    for default in (server.host, server.port, server.workers):
        assert re.search(rf"\[default: HOOKFLASH_\w+ or {re.escape(str(default))}\]", told)
    assert f"[default: {DEFAULT_FILE} " in told
    assert f"HOOKFLASH_DRAIN_SECONDS ({server.drain_seconds:g} s)" in told
    with pytest.raises(ConfigError) as refused:
        Settings().check_serving()
    needed = re.findall(r"^  (\w+):", str(refused.value), re.M)
    assert len(needed) == 4
    assert [name for name in needed if name not in told] == []
    urls = Urls.under("https://line.example.com")
    for url in (urls.voice(), urls.status()):
        assert f"HOOKFLASH_PUBLIC_URL and {url.removeprefix('https://line.example.com')}." in told


def test_what_must_be_changed_is_told_in_words_and_exits_with_2(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert exit_code(["serve", "no_such_agent.py"]) == 2
    told = capsys.readouterr().err
    assert told.startswith("hookflash: AGENT 'no_such_agent.py'")
    assert "Traceback" not in told


@pytest.mark.parametrize("workers", ["1", "2"])
def test_an_error_after_the_log_has_begun_is_a_line_of_the_log(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    workers: str,
) -> None:
    """A program that reads the log as JSON must not miss why the server does not start."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOOKFLASH_LOG_FORMAT", "json")
    for name in ("HOOKFLASH_PUBLIC_URL", "TWILIO_AUTH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    assert exit_code(["serve", "nothing.py", "--workers", workers]) == 2
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert lines[-1]["level"] == "CRITICAL"
    expected = "nothing.py" if workers == "1" else "HOOKFLASH_PUBLIC_URL"
    assert expected in lines[-1]["message"]
