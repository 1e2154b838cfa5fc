"""What a file of scenarios may say, and the line that an error names."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hookflash.errors import ConfigError
from hookflash_local.testing.scenario_file import Check, Scenario, Turn, read_scenarios

EXPECT = "\n    expect: {agent_said: hello}"


def read(tmp_path: Path, text: str) -> tuple[Scenario, ...]:
    file = tmp_path / "calls.yaml"
    file.write_text(text)
    return read_scenarios(file).scenarios


def test_a_scenario_is_read_with_its_lines(tmp_path: Path) -> None:
    (scenario,) = read(
        tmp_path,
        """
scenarios:
  - name: An order
    repeat: 3
    at_least: 2
    at: 2026-03-02T12:00:00+00:00
    from: "+15550100"
    humans: {support: busy, sales: [busy, answers]}
    tools:
      order_status: {state: sent}
    turns:
      - caller: Where is 4571?
      - caller: {says: stop, interrupting: true}
      - presses: 12#
      - waits: 2.5
      - model_calls: order_status
      - model_hands_off: {to: support, reason: a refund}
      - expect:
          - agent_said: hello
          - called: {tool: order_status, arguments: {number: 4571}}
      - hangs_up
    expect: {handed_off: support, not_handed_off: true, at_most_seconds: 60}
""",
    )
    assert scenario.name == "An order"
    assert (scenario.repeat, scenario.at_least, scenario.caller) == (3, 2, "+15550100")
    assert scenario.at == datetime(2026, 3, 2, 12, tzinfo=UTC)
    assert scenario.humans == {"support": "busy", "sales": ["busy", "answers"]}
    assert scenario.tools == {"order_status": {"state": "sent"}}
    assert scenario.scripted and not scenario.needs_chat
    assert scenario.turns[0] == Turn("caller", {"text": "Where is 4571?"}, 12)
    assert [turn.kind for turn in scenario.turns[1:]] == [
        "caller", "presses", "waits", "model_calls", "model_hands_off", "expect", "hangs_up",
    ]  # fmt: skip
    assert scenario.turns[6].checks == (
        Check("agent_said", {"text": "hello"}, 19),
        Check("called", {"tool": "order_status", "arguments": {"number": 4571}}, 20),
    )
    assert [check.kind for check in scenario.checks] == [
        "handed_off", "not_handed_off", "at_most_seconds",
    ]  # fmt: skip


def test_a_persona_and_a_judge_need_a_chat_model(tmp_path: Path) -> None:
    played, judged = read(
        tmp_path,
        f"scenarios:\n  - name: one\n    persona: Mrs Jones{EXPECT}\n"
        "  - name: two\n    turns: [{caller: hi}, {expect: {judge: polite}}]\n",
    )
    assert (played.needs_chat, played.max_turns) == ("persona", 12)
    assert judged.needs_chat == "judge"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "calls.yaml: expected scenarios, the file is empty"),
        ("a: [1", "line 1: this is no YAML: "),
        ("a: \x07", "this is no YAML: "),
        ("- 1", "line 1: the file: expected names with values, such as `name: value`, got a list"),
        ("tests: []", "line 1: the file: expected agent, scenarios, got 'tests'"),
        ("agent: a.py", "line 1: the file: scenarios is missing"),
        ("scenarios: []", "line 1: scenarios: expected at least one scenario, got a list"),
        ("scenarios: 3", "line 1: scenarios: expected a list, got '3'"),
        ("scenarios:\n  - turns: []", "line 2: scenarios 1: name is missing"),
        ("scenarios:\n  - name: a\n    name: b", "line 3: scenarios 1: name is given twice"),
        ("scenarios:\n  - name: a", "line 2: scenarios 1: expected either turns, or a persona"),
        ("scenarios:\n  - name: [a]\n    turns: []", "line 2: name: expected a text, got a list"),
        ("scenarios:\n  - name: a\n    turns: [{caller: hi}]", "line 2: scenarios 1: expected "
         "something under expect in scenario 'a'"),
        (f"scenarios:\n  - name: a\n    turns: []{EXPECT}\n  - name: a\n    turns: []{EXPECT}",
         "line 5: another scenario (line 2) has the name 'a' already"),
        (f"scenarios:\n  - name: a\n    repeat: 0\n    turns: []{EXPECT}",
         "line 3: repeat: expected a whole number from 1 to 100, got '0'"),
        (f"scenarios:\n  - name: a\n    repeat: 2.5\n    turns: []{EXPECT}",
         "line 3: repeat: expected a whole number"),
        (f"scenarios:\n  - name: a\n    at: 12:30\n    turns: []{EXPECT}",
         "line 3: at: expected a time with a time zone, such as 2026-12-24T18:30:00+01:00"),
        (f"scenarios:\n  - name: a\n    at: 2026-01-01T12:00:00\n    turns: []{EXPECT}",
         "line 3: at: expected a time with a time zone"),
        (f"scenarios:\n  - name: a\n    humans:\n      desk: sleeps\n    turns: []{EXPECT}",
         "line 4: desk: expected one of answers, declines"),
        (f"scenarios:\n  - name: a\n    turns:\n      - calls: hi{EXPECT}",
         "line 4: turns 1: expected caller, presses, waits"),
        (f"scenarios:\n  - name: a\n    turns:\n      - shouts{EXPECT}",
         "line 4: turns 1: expected one of caller, presses"),
        (f"scenarios:\n  - name: a\n    turns:\n      - {{caller: a, waits: 1}}{EXPECT}",
         "line 4: turns 1: expected one step, such as `caller: text`"),
        (f"scenarios:\n  - name: a\n    turns:\n      - caller: ''{EXPECT}",
         "line 4: caller: expected a text, got nothing"),
        (f"scenarios:\n  - name: a\n    turns:\n      - waits: soon{EXPECT}",
         "line 4: waits: expected a number from 0 to 3600, got 'soon'"),
        (f"scenarios:\n  - name: a\n    turns:\n"
         f"      - caller: {{says: a, interrupting: maybe}}{EXPECT}",
         "line 4: interrupting: expected true or false, got 'maybe'"),
        ("scenarios:\n  - name: a\n    turns: []\n    expect:\n      - {}",
         "line 5: expect 1: expected one of agent_said"),
        ("scenarios:\n  - name: a\n    turns: []\n    expect: {disposition: good}",
         "line 4: disposition: expected one of handled_by_agent"),
        ("scenarios:\n  - name: a\n    turns: []\n    expect: {delivered: letter}",
         "line 4: delivered: expected voicemail, callback or message, got 'letter'"),
        ("scenarios:\n  - name: a\n    turns: []\n    expect: {not_handed_off: false}",
         "line 4: not_handed_off: expected true, got 'false'"),
        ("scenarios:\n  - name: a\n    turns: []\n    expect: {called: {name: x}}",
         "line 4: called: expected tool, arguments, got 'name'"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(told)):
        read(tmp_path, text)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no.yaml: cannot be read: No such file"):
        read_scenarios(tmp_path / "no.yaml")
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(ConfigError, match="it is not UTF-8"):
        read_scenarios(tmp_path / "bytes.yaml")
