"""Each example's own header line is run to its documented end: real speech, on a virtual clock."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from .conftest import Run

ROOT = Path(__file__).parents[3]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
pytestmark = pytest.mark.timeout(240)


def header_line(path: Path) -> list[str]:
    """Return the arguments of the `hookflash call` in the header of an example."""
    text = ""
    for line in path.read_text().splitlines():
        if line.startswith("#     ") and (text or "hookflash call" in line):
            text += line[6:].removesuffix("\\")
        elif text:
            break
    program, *arguments = shlex.split(text)
    assert program == "hookflash", path.name
    return arguments


ENDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "01_hello": ("handled_by_agent", ("from ten to two", "12 Mill Lane")),
    "02_tool": ("handled_by_agent", ("Order 1001 is on its way and will arrive tomorrow.",)),
    "03_handoff": ("handed_off", ("the call moves", "caller and human hear each other")),
    "04_hunt_group": (
        "handed_off",
        ("human 1 is busy", "human 2 does not answer", "human 3 presses 1 and takes the call"),
    ),
    "05_ring_group": (
        "handed_off",
        ("human 1 presses 1 and takes the call", "Somebody else has taken this call."),
    ),
    "06_consult": ("handed_off", ("the agent tells human 1 what it is about",)),
    "07_queue": ("handed_off", ("the goodbye was heard; the call moves",)),
    "08_callback": ("callback", ("I have the number 5 5 5 0 1 2 3. Is that right?",)),
    "09_messages": ("voicemail", ("nobody there: the caller comes back", "leave your message")),
    "10_ask_a_human": (
        "handled_by_agent",
        ("I am asking a colleague.", "agent   Up to ten percent is fine."),
    ),
}
"""How the call in the header ends, and what is shown on the way. Others end without a failure."""

PROMPTS = ("Ask the caller", "ask for the number of the order", "Tell the caller")
"""What the agent's model is told, and must not read aloud."""


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_header_line_is_run_to_its_end(simulated: Run, path: Path) -> None:
    arguments = [
        str(ROOT / each) if each.startswith("examples/") else each for each in header_line(path)
    ]
    told, lines = simulated(*arguments)
    record, text = told["record"], "\n".join(lines)
    disposition, shown = ENDS.get(path.stem, (record["disposition"], ()))
    assert record["disposition"] == disposition, text
    assert [each for each in shown if each not in text] == []
    assert told["waited_for"] == ""
    said = " ".join(each["text"] for each in record["utterances"] if each["speaker"] == "agent")
    assert [each for each in PROMPTS if each in said] == []
    # Lines are in order of time, and a call ends soon after its last words.
    times = [minutes(line) for line in lines if line[:5].strip()[:1].isdigit()]
    assert times == sorted(times)
    assert record["seconds"] < 90
    assert record["summary"]


def minutes(line: str) -> int:
    """Return the time at which a line begins, in seconds."""
    before, _, after = line.split()[0].partition(":")
    return 60 * int(before) + int(after)


def test_every_file_that_an_example_or_the_readme_names_exists() -> None:
    pages = [*EXAMPLES, ROOT / "README.md"]
    named = [
        (page.name, each)
        for page in pages
        for each in re.findall(r"--(?:wav|meanwhile) ([^\s`|]+)", page.read_text())
    ]
    assert [each for each in named if each[1] != "FILE" and not (ROOT / each[1]).exists()] == []
