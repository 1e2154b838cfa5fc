"""A journal that this version wrote, kept: it shows when `JOURNAL_VERSION` has to be raised.

Where the first test fails, the core answers the same events differently now. Raise
`JOURNAL_VERSION` in `runtime/journal.py`, write the journal anew, and keep the old ones:

    python -m tests.runtime.test_journal_version
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from hookflash.core import events as e
from hookflash.core.call import Call
from hookflash.runtime.journal import JOURNAL_VERSION
from hookflash.runtime.journal_facts import call_from_facts, read_facts
from hookflash.runtime.journal_replay import read_journal, replay

from .test_journal_facts import RUNG, SETUP, live

KEPT = Path(__file__).parent / "journals"

LIFE: list[tuple[float, e.AnyEvent | None]] = [
    *RUNG,
    (1006.0, e.HumanAsked(1, 0, "CAleg1", "answered")),
    (1007.0, e.HumanAsked(1, 0, "CAleg1", "pressed", "1")),
    (1007.5, e.ResponseStarted("r3")),
    (1007.6, e.ModelAudio("r3", "i3", "", 800)),
    (1007.7, e.ModelAudioEnded("r3", "i3")),
    (1007.8, e.ResponseEnded("r3", "completed")),
    (1016.0, None),
    (1016.2, e.CallMoved(2)),
    (1017.0, e.RoomChanged(1, "started")),
    (1030.0, e.InstructionsAsked(2, "room")),
    (1031.0, e.LegChanged("CAleg1", "completed", 1, None, 0)),
    (1040.0, e.CallCompleted()),
]
"""A greeting, a question, a warm hand-off, the talk with the human, and the end."""


def test_a_stored_journal_of_this_version_gives_the_same_commands() -> None:
    path = KEPT / f"{JOURNAL_VERSION}.jsonl"
    assert path.is_file(), (
        f"no journal of version {JOURNAL_VERSION} is kept: see this module's text"
    )
    head, lines = read_journal(path)
    different = [step for step in replay(Call(head.setup), lines) if not step.same]
    assert not different, "raise JOURNAL_VERSION: see this module's text"


def test_facts_are_read_from_every_stored_journal() -> None:
    for path in KEPT.glob("*.jsonl"):
        facts = read_facts(path.read_bytes())
        assert facts.over and facts.arrived == RUNG[0][1]
        texts = [
            each.text
            for each in call_from_facts(
                "CA1", facts, SETUP, 1050.0
            ).conversation.transcript.history()
        ]
        assert texts[:2] == ["Hello, how can I help you?", "My order is late."]


def write() -> None:
    """Write the journal of this version."""
    with tempfile.TemporaryDirectory() as folder:
        _, data = live(Path(folder), LIFE)
    KEPT.mkdir(exist_ok=True)
    (KEPT / f"{JOURNAL_VERSION}.jsonl").write_bytes(data)


if __name__ == "__main__":
    write()
