from __future__ import annotations

import io
from typing import Any

from rich.console import Console

from hookflash.core import commands as c
from hookflash_local.demo.call_display import CallDisplay


def shown(lines: list[Any], terminal: bool = False) -> str:
    output = io.StringIO()
    console = Console(file=output, force_terminal=terminal, width=100, color_system=None)
    with CallDisplay(console) as display:
        for line in lines:
            display.feed(line)
    return output.getvalue()


def test_what_happens_is_told_once_and_when_it_is_known(whole_call: Any, record: Any) -> None:
    whole_call.command(31.2, c.StoreRecord(record))
    lines = shown(whole_call.lines).splitlines()
    assert [line[7:].split("  ")[0] or line[15:30] for line in lines] != []
    text = "\n".join(lines)
    for words in (
        "agent   Hello, how can I help?",
        "caller  Are you open?",
        'tool    hours {"day":"sat"} answered: 9-17 (200 ms)',
        "barge-in: the caller speaks, the agent stops",
        "caller  A human & please <now>",
        "the hand-off waits until it was heard",
        "caller and human hear each other",
    ):
        assert text.count(words) == 1, words


def test_what_was_cut_follows_what_was_heard(whole_call: Any) -> None:
    assert "We are open from nine [cut off: until five on all days.]" in shown(whole_call.lines)
    assert "We are open from nine until five on all days." in shown(whole_call.lines, True)


def test_what_was_still_being_said_at_the_end_is_told_too(script: Any) -> None:
    script.agent_says(0.0, "a1", "Goodbye and thank you.", 3.0)
    assert "Goodbye and thank you." in shown(script.lines)


def test_a_terminal_shows_who_speaks_at_the_moment(script: Any) -> None:
    script.state(0.0, "talking")
    script.agent_says(0.0, "a1", "Goodbye and thank you.", 3.0)
    assert "agent   Goodbye and thank you." in shown(script.lines, terminal=True)
