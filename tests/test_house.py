"""Rules for the whole repository: nothing private is in it, and its names are unambiguous."""

from __future__ import annotations

import ast
import re
import subprocess
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BINARY = {".wav", ".png", ".onnx", ".db", ".ico", ".gz"}

PRIVATE = {
    "a path of one machine": r"(?<![\w.])/(?:root|work|home/\w+|Users/\w+)/",
    "a registry's address": r"(?:py" r"pi\.org|python" r"hosted\.org|npm" r"js\.(?:org|com))",
    "an OpenAI key": r"\bsk-(?:proj-)?[A-Za-z0-9_-]{20,}",
    "a Twilio key": r"\bSK[0-9a-f]{32}\b",
    "a private key": r"BEGIN (?:RSA |EC )?PRIVATE KEY",
}
# Numbers that ring nobody: area code 555, 555-01xx, and Twilio's own documented test vector.
FICTIONAL = re.compile(r"\+1(?:555\d*|\d{3}55501\d\d)$|\+(?:14158675309|18005551212)$")
NUMBER = re.compile(r"(?<![\w+])\+[1-9]\d{9,14}\b")


def tracked() -> list[Path]:
    """Every text file that is, or is about to be, part of the repository."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\n")
    files = [ROOT / name for name in listed if name]
    return [file for file in files if file.suffix not in BINARY and file.is_file()]


def test_nothing_private_is_in_the_tree() -> None:
    found = []
    for file in tracked():
        text = file.read_text()
        for what, pattern in PRIVATE.items():
            found += [
                f"{file.relative_to(ROOT)}: {what}: {hit.group()}"
                for hit in re.finditer(pattern, text)
            ]
    assert not found


def test_no_telephone_number_could_ring_anybody() -> None:
    found = []
    for file in tracked():
        if file.suffix in {".lock", ".svg"}:
            continue
        hits = {hit.group() for hit in NUMBER.finditer(file.read_text())}
        found += [
            f"{file.relative_to(ROOT)}: {hit}" for hit in sorted(hits) if not FICTIONAL.match(hit)
        ]
    assert not found


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        file.relative_to(ROOT).as_posix()
        for file in sorted((ROOT / "packages").rglob("*.py"))
        if file.read_text().strip() and not re.match(r'(?:#.*\n)*"""\S', file.read_text())
    ]
    assert not silent


# --- names ----------------------------------------------------------------------------------------

SAME_CONCEPT = {
    "__init__.py": "Python's name for the code of a package",
    "__main__.py": "Python's name for the code that `python -m` runs",
    "app.py": "an ASGI application: the server's, and the one of the local carrier's REST API",
    "call.py": "a call: the core's value, and the command that places one",
    "calls.py": "calls, as the console, the command line and Twilio's REST API give access to them",
    "carrier.py": "the local carrier: the class, and the command that runs it",
    "chat.py": "a chat model at an OpenAI-compatible endpoint",
    "clock.py": "the time that calls see, which may run faster than the machine's",
    "conferences.py": "Twilio's conferences: how they work, and their REST resource",
    "console.py": "the console: its assembly, and the command that adds its users",
    "consult.py": "a consult: the agent talks with a human about a waiting caller",
    "deliveries.py": "deliveries to the owner: their store, and access by console and command line",
    "dial.py": "calling somebody: the local carrier's verb, and the command",
    "dispatch.py": "which function of a machine takes an event or a deadline",
    "ledger.py": "the measurement of the playout ledger: how it judges, and its command",
    "limits.py": "how long a machine may stay in each state",
    "messages.py": "the messages of a WebSocket, and their codec",
    "playout.py": "audio that plays out to a listener, and how much of it was heard",
    "queues.py": "Twilio's queues: how they work, and their REST resource",
    "recordings.py": "Twilio's recordings: how they work, and their REST resource",
    "server.py": "the HTTP and WebSocket server of a stand-in, on the loopback",
    "session.py": "a Realtime session: at the client's end, and at the server's",
    "speech_api.py": "OpenAI's speech API: its client, and its stand-in",
    "states.py": "the states of a machine",
    "streams.py": "Twilio's media streams: how they work, and their REST resource",
    "timeline.py": "what happened in a call, with times",
    "transcript.py": "who said what in a call, as heard: how it is kept, and how it is written",
    "usage.py": "the tokens of a response: as the model reports them, and as its stand-in counts",
    "wav.py": "WAV files of phone audio",
    "webhooks.py": "Twilio's webhooks: read by the product, sent by the local carrier",
    "world.py": "the world port: what it is, and the simulated one",
}
"""File name -> the one concept that it stands for in each folder of `packages`.

A name for two concepts is ambiguous in a search, a traceback and an editor's tab: rename one file.
"""


def ambiguous_names(names: Iterable[str], known: Collection[str]) -> list[str]:
    """Return what is wrong: names that are repeated but not known, or known but not repeated."""
    repeated = {name for name, count in Counter(names).items() if count > 1}
    unknown = [
        f"{name} occurs more than once: rename a file, or say in SAME_CONCEPT what all of them are"
        for name in sorted(repeated - set(known))
    ]
    stale = [
        f"{name} does not occur more than once: take it out of SAME_CONCEPT"
        for name in sorted(set(known) - repeated)
    ]
    return unknown + stale


def definitions(source: str) -> Iterator[tuple[str, int]]:
    """Yield name and line of every class and every name that is assigned."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ClassDef):
            yield node.name, node.lineno
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, node.lineno


def test_a_file_name_means_the_same_in_every_folder() -> None:
    names = [file.name for file in (ROOT / "packages").rglob("*.py")]
    assert ambiguous_names(names, SAME_CONCEPT) == []
    assert all(SAME_CONCEPT.values())


def test_a_state_says_of_what_it_is_the_state() -> None:
    found = [
        f"{file.relative_to(ROOT)}:{line}: name it after its machine, as in `TurnState`"
        for file in sorted((ROOT / "packages").rglob("*.py"))
        for name, line in definitions(file.read_text())
        if name == "State"
    ]
    assert not found


def test_the_check_of_file_names_finds_a_repeated_name_and_a_stale_entry() -> None:
    assert ambiguous_names(["a.py", "b.py", "b.py"], ["b.py"]) == []
    assert ambiguous_names(["a.py", "b.py", "b.py"], []) == [
        "b.py occurs more than once: rename a file, or say in SAME_CONCEPT what all of them are"
    ]
    assert ambiguous_names(["a.py", "b.py"], ["b.py"]) == [
        "b.py does not occur more than once: take it out of SAME_CONCEPT"
    ]


@pytest.mark.parametrize(
    "source",
    [
        "class State(Enum): ...",
        "class Turns:\n    class State(Enum): ...",
        "State = Literal['open', 'closed']",
        "State: TypeAlias = str",
    ],
)
def test_a_definition_is_found(source: str) -> None:
    assert "State" in {name for name, _ in definitions(source)}


def test_an_import_is_no_definition() -> None:
    assert list(definitions("from websockets.protocol import State\nprint(State.OPEN)")) == []
