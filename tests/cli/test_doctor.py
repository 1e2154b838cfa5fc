"""`hookflash doctor` against the local Twilio and a stand-in for the model's list."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import parse_qsl

import pytest
from twilio.request_validator import RequestValidator

from hookflash.cli import main
from hookflash_local.testing.local_twilio import NUMBER, LocalTwilio

AGENT = 'from hookflash import Agent\nagent = Agent("shop", instructions="We sell.")\n'


class Peer(BaseHTTPRequestHandler):
    """OpenAI's list of models, and a server of Hookflash at its public URL."""

    model: dict[str, object] = {}
    date: str = ""
    status: int = 200
    health: str = "ok"
    token: str = ""
    strict: bool = True

    def do_GET(self) -> None:
        if self.path == "/healthz":
            self._answer(200, self.health)
        elif self.headers["Authorization"] != "Bearer a-key":
            self._answer(401, "{}")
        else:
            self._answer(self.status, json.dumps(self.model))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        url = f"http://{self.headers['Host']}{self.path}"
        signed = RequestValidator(self.token).validate(
            url, dict(parse_qsl(body)), self.headers.get("X-Twilio-Signature", "")
        )
        self._answer(204 if signed or not self.strict else 403, "")

    def date_time_string(self, timestamp: float | None = None) -> str:
        return self.date or formatdate(timestamp, usegmt=True)

    def _answer(self, status: int, text: str) -> None:
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def twilio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalTwilio]:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("HOOKFLASH_")]:
        monkeypatch.delenv(name)
    (tmp_path / "agent.py").write_text(AGENT)
    with LocalTwilio() as local, ThreadingHTTPServer(("127.0.0.1", 0), Peer) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        base = f"127.0.0.1:{server.server_port}"
        for name, value in {
            "model": {"id": "m"}, "date": "", "status": 200, "health": "ok", "strict": True,
            "token": local.auth_token,
        }.items():  # fmt: skip
            monkeypatch.setattr(Peer, name, value)
        for name, value in {
            "OPENAI_API_KEY": "a-key",
            "HOOKFLASH_MODEL_URL": f"ws://{base}/v1/realtime",
            "HOOKFLASH_PUBLIC_URL": f"http://{base}",
            "HOOKFLASH_TWILIO_API_URL": local.api_url,
            "TWILIO_ACCOUNT_SID": local.account_sid,
            "TWILIO_AUTH_TOKEN": local.auth_token,
        }.items():
            monkeypatch.setenv(name, value)
        local.voice("https://old.example.test/voice")
        try:
            yield local
        finally:
            server.shutdown()
            thread.join()


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[object, dict[str, str]]:
    """Return the exit code, and what each check has found."""
    with pytest.raises(SystemExit) as left:
        main(["doctor", *arguments, "--json"])
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert all(each["remedy"] for each in lines if each["state"] == "wrong")
    return left.value.code, {
        each["check"]: f"{each['state']}: {each['text']}; {each['remedy']}" for each in lines
    }


def test_a_line_that_is_ready(twilio: LocalTwilio, capsys: pytest.CaptureFixture[str]) -> None:
    code, found = run(capsys, "agent.py")
    assert code == 0, found
    assert list(found) == [
        "agent", "settings", "clock", "model", "carrier", "signature", "disk", "database",
    ]  # fmt: skip
    assert found["signature"].startswith("ok: a signed webhook is accepted, and an unsigned one")
    assert found["carrier"].startswith("ok: the credentials are valid; the account has 1 numbers")
    with pytest.raises(SystemExit):
        main(["doctor"])
    told = capsys.readouterr().out
    assert "ok    settings: all that `hookflash serve` needs is set\n" in told
    assert "note  database: there is none yet" in told


def test_each_problem_has_a_remedy(
    twilio: LocalTwilio, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Peer, "date", "Mon, 01 Jan 2024 00:00:00 GMT")
    monkeypatch.setattr(Peer, "model", {"id": "m", "shutdown_date": "2027-05-01"})
    monkeypatch.setattr(Peer, "token", "another")
    code, found = run(capsys, "no_agent.py", "--number", NUMBER)
    assert code == 1
    assert found["agent"].startswith("wrong: AGENT 'no_agent.py': there is no file")
    assert "s off; let the machine take its time" in found["clock"]
    assert found["model"].startswith("note: ") and "is shut down on 2027-05-01" in found["model"]
    assert found["number"] == (
        f"wrong: {NUMBER} asks https://old.example.test/voice; run `hookflash number {NUMBER}"
        " --set`"
    )
    assert found["signature"].startswith("wrong: our own signature is refused")
    monkeypatch.setattr(Peer, "strict", False)
    monkeypatch.setenv("OPENAI_API_KEY", "refused")
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", "wrong")
    monkeypatch.setenv("HOOKFLASH_DATABASE_URL", "postgresql://127.0.0.1:1/none")
    monkeypatch.setenv("HOOKFLASH_CLUSTER_URL", "redis://127.0.0.1:1/0")
    code, found = run(capsys)
    assert found["model"].startswith("wrong: the key is refused")
    assert found["signature"].startswith("wrong: an unsigned webhook is accepted")
    assert found["carrier"] == (
        "wrong: Twilio refuses the credentials; check TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN"
    )
    assert found["database"].startswith("wrong: ")
    assert found["Redis"].startswith("wrong: it cannot be reached: ")
    assert found["settings"].startswith("wrong: HOOKFLASH_CLUSTER_SECRET; ")


def test_a_public_url_that_leads_elsewhere_is_told(
    twilio: LocalTwilio, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Peer, "health", "<html>")
    monkeypatch.setattr(Peer, "status", 404)
    code, found = run(capsys)
    assert code == 1
    assert "answers 200, but not as Hookflash does" in found["public URL"]
    assert found["model"].startswith("note: ")
    monkeypatch.setenv("HOOKFLASH_PUBLIC_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("HOOKFLASH_MODEL_URL", "ws://127.0.0.1:1/v1/realtime")
    code, found = run(capsys)
    assert "cannot be reached: ConnectError" in found["public URL"]
    assert "cannot be reached: ConnectError" in found["model"]
