from __future__ import annotations

from pathlib import Path

from hookflash.console.journal_trace import read_trace
from hookflash.core import commands as c
from hookflash.core import events as e
from hookflash.core.setup import CallSetup
from hookflash.runtime.journal import Journals


def test_a_journal_with_the_former_spelling_of_an_outcome_is_read(tmp_path: Path) -> None:
    journals = Journals(tmp_path)
    journal = journals.begin("CA1", CallSetup())
    journal.write(1.0, e.LegPlaced(1, 0, "CA9"), [c.RunTool("t1", "look", "{}")])
    journal.write(2.0, e.LegChanged("CA9", "ringing", 1, None, 0), [])
    journal.write(3.0, e.LegChanged("CA9", "completed", 1, "cancelled", 0), [])
    journals.close()
    (path,) = tmp_path.glob("*.jsonl")
    text = path.read_text()
    assert text.count('"outcome":"cancelled"') == 1
    path.write_text(text.replace('"cancelled"', '"canceled"'))
    (leg,) = read_trace(path.read_bytes().splitlines()).legs.values()
    assert (leg.ended_at, leg.outcome) == (3.0, "cancelled")
