"""Scenarios that are played, by the command, by the rules and by a chat model."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from click.testing import CliRunner, Result

from hookflash_local.cli import evaluate, text_chat
from hookflash_local.testing.scenario_run import verdict

AGENT = "hookflash_local.demo.bookshop_agent"

SCENARIOS = """
agent: hookflash_local.demo.bookshop_agent
scenarios:
  - name: An order is looked up, and support is busy
    repeat: 2
    humans: {support: busy}
    tools: {order_status: "Order 4571 arrives on Monday."}
    turns:
      - caller: Where is my order 4571?
      - expect: {agent_said: Monday, called: {tool: order_status, arguments: {number: "4571"}}}
      - caller: I want to speak to a person, please.
    expect:
      - handed_off: {to: support, outcome: busy}
      - disposition: handled_by_agent
      - at_most_seconds: 120
  - name: A human answers
    humans: {support: answers}
    turns:
      - caller: Can I speak to a person please?
      - human: Good day.
      - human_hangs_up
    expect: {handed_off: support, disposition: handed_off, human_heard: a person}
  - name: The model is scripted
    turns:
      - waits: 2
      - caller: {says: "Hello?", interrupting: true}
      - model_calls: {tool: order_status, saying: One moment., arguments: {number: "9"}}
      - model: There is no such order.
      - presses: "1"
      - caller: A person then.
      - model_hands_off: {to: support, reason: an unknown order}
      - hangs_up
    expect:
      - agent_said: no such order
      - handed_off: {to: support, outcome: no-answer, reason: unknown}
      - did_not_call: refund
"""


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("URL", "MODEL", "KEY"):
        monkeypatch.delenv(f"HOOKFLASH_LLM_{name}", raising=False)


def run(tmp_path: Path, text: str, *options: str) -> Result:
    (tmp_path / "calls.yaml").write_text(text)
    return CliRunner().invoke(evaluate.command, ["calls.yaml", *options], standalone_mode=False)


def test_the_scenarios_of_a_file_pass(tmp_path: Path) -> None:
    ran = run(tmp_path, SCENARIOS)
    assert ran.return_value == 0, ran.output
    lines = ran.output.splitlines()
    assert lines[0].startswith("ok    An order is looked up, and support is busy (2 of 2 passed), ")
    assert lines[-1] == "3 scenarios, all passed"


def test_a_failure_has_its_line_and_the_timeline(tmp_path: Path) -> None:
    text = SCENARIOS.replace("agent_said: no such order", "agent_said: certainly")
    ran = run(tmp_path, text, "--only", "scripted")
    assert ran.return_value == 1
    first, problem, *timeline, last = ran.output.splitlines()
    assert first.startswith("FAIL  The model is scripted, ")
    assert problem.startswith(
        "      line 34: expected the agent to say 'certainly'; came: Hello, this is Riverside"
    )
    assert any("agent   There is no such order." in line for line in timeline)
    assert last == "1 scenario, 1 failed"


def test_a_turn_that_cannot_be_played_fails_the_scenario(tmp_path: Path) -> None:
    text = (
        f"agent: {AGENT}\nscenarios:\n  - name: one\n    at_least: 0\n"
        "    turns: [{model: Hello}]\n    expect: {agent_said: Hello}\n"
    )
    ran = run(tmp_path, text, "--json")
    assert ran.return_value == 0
    played = json.loads(ran.output)
    assert played["passed"] is True
    (call,) = played["calls"]
    assert call["problems"] == [
        "line 5: the model cannot say 'Hello': nothing was asked of it. Expected something that it"
        " answers before, such as caller_says(...) or the output of a tool"
    ]


@pytest.mark.parametrize(
    ("text", "options", "told"),
    [
        (SCENARIOS, ["--only", "refunds"], "no scenario of calls.yaml has this in its name"),
        (SCENARIOS.replace(f"agent: {AGENT}", ""), [], "it names no agent: add `agent: agent.py`"),
        (SCENARIOS.replace("{support: busy}", "{sales: busy}"), [], "humans has 'sales'; expected"),
        (
            f"agent: {AGENT}\nscenarios:\n  - name: one\n    persona: angry\n"
            "    expect: {agent_said: Hello}\n",
            [],
            "line 3: scenario 'one' has a persona, which needs a chat model: set HOOKFLASH_LLM_URL",
        ),
    ],
)
def test_a_file_that_does_not_fit_is_refused(
    tmp_path: Path, text: str, options: list[str], told: str
) -> None:
    assert told in str(run(tmp_path, text, *options).exception)


# --- a chat model ---------------------------------------------------------------------------------


class ChatHandler(BaseHTTPRequestHandler):
    """A chat model: the agent says that it is open, the caller asks once, the judge is strict."""

    asked: list[dict] = []

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append(body)
        system = body["messages"][0]["content"]
        if "You play the caller" in system:
            first = "  caller  " not in body["messages"][1]["content"]
            text = "When are you open?" if first else "[hangs up]"
        elif "You judge a telephone call" in system:
            kind = "polite" in body["messages"][1]["content"]
            text = json.dumps({"pass": kind, "why": "It was curt."})
        else:
            text = "We are open from nine to six."
        if body.get("stream"):
            chunk = json.dumps({"choices": [{"delta": {"content": text}}]})
            self._answer(f"data: {chunk}\n\ndata: [DONE]\n\n")
        else:
            self._answer(json.dumps({"choices": [{"message": {"content": text}}]}))

    def _answer(self, text: str) -> None:
        data = text.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def chat_model(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict]]:
    ChatHandler.asked = []
    with ThreadingHTTPServer(("127.0.0.1", 0), ChatHandler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("HOOKFLASH_LLM_URL", f"http://127.0.0.1:{server.server_port}/v1")
        monkeypatch.setenv("HOOKFLASH_LLM_MODEL", "small")
        yield ChatHandler.asked
        server.shutdown()
        thread.join()


def test_a_chat_model_is_the_caller_the_agent_and_the_judge(
    tmp_path: Path, chat_model: list[dict]
) -> None:
    text = (
        f"agent: {AGENT}\nscenarios:\n  - name: one\n    persona: You want to buy a book.\n"
        "    expect:\n      - agent_said: nine to six\n      - caller_said: when are you open\n"
        "      - judge: The agent is polite.\n      - judge: The agent says the price.\n"
    )
    ran = run(tmp_path, text)
    assert ran.return_value == 1
    problems = [line for line in ran.output.splitlines() if line.startswith("      line")]
    assert problems == [
        "      line 9: expected 'The agent says the price.'; the judge says: It was curt."
    ]
    persona = [each for each in chat_model if "You play" in each["messages"][0]["content"]]
    assert len(persona) == 2 and persona[0]["messages"][0]["content"].endswith("to buy a book.")
    assert run(tmp_path, SCENARIOS, "--rules", "--only", "human answers").return_value == 0


def test_a_verdict_is_read_strictly() -> None:
    assert verdict('I think: {"pass": true, "why": "ok"}') == (True, "ok")
    assert verdict('{"pass": "yes"}')[0] is False
    assert verdict("{nothing}") == (False, "no verdict, but '{nothing}'")
    assert verdict("passed") == (False, "no verdict, but 'passed'")


# --- the command for a talk in text ---------------------------------------------------------------


def chat(*options: str, typed: str = "") -> Result:
    return CliRunner().invoke(
        text_chat.command, [AGENT, *options], input=typed, standalone_mode=False
    )


def test_a_talk_in_text_shows_tools_and_hand_offs() -> None:
    typed = (
        "/help\nWhere is my order 4571?\n/press 1\n/wait 3\n/shout\n/human hello\n"
        "I want to speak to a person.\n/human Good day.\n/hangup\n"
    )
    ran = chat("--human", "answers", typed=typed)
    assert ran.return_value == 0, ran.output
    for told in (
        "0:00  agent   Hello, this is Riverside Books. How can I help you?",
        "/press 12#   press keys",
        'tool    order_status {"number":"4571"} answered: Order 4571 left our warehouse',
        "no human is on a line who could say 'hello'",
        "human   human 1 presses 1 and takes the call",
        "hand-off: the caller and the human hear each other",
        "the call is over: handed_off",
    ):
        assert told in ran.output, ran.output
    assert ran.output.count("How can I help you?") == 1


def test_a_talk_in_text_needs_no_keyboard_and_names_a_wrong_human() -> None:
    ran = chat("--human", "busy", "--say", "I want to speak to a person.", "--say", "Bye.")
    assert ran.return_value == 0
    assert "human   human 1 is busy" in ran.output
    assert "--human: expected answers, declines" in str(chat("--human", "sleeps").exception)
