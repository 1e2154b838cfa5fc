from __future__ import annotations

import os
from pathlib import Path

import pytest

from hookflash.core.commands import Deliver
from hookflash.core.delivery import Delivery
from hookflash.core.events import CallArrived, CallerTranscribed
from hookflash.core.setup import CallSetup
from hookflash.runtime.journal import Journals
from hookflash.runtime.journal_deliveries import deliveries_since


def message(call_sid: str, **about: str) -> Delivery:
    return Delivery(
        id=f"{call_sid}-message",
        kind="message",
        call_sid=call_sid,
        agent="shop",
        destination="billing",
        created_at=1.0,
        **about,
    )


def write(folder: Path, call_sid: str, *deliveries: Delivery) -> Path:
    journals = Journals(folder)
    journal = journals.begin(call_sid, CallSetup())
    journal.write(1.0, CallArrived(call_sid, "+15550101", "+15550100"), [])
    for delivery in deliveries:
        spoken = CallerTranscribed("c1", 'I say "type":"Deliver" to you')
        journal.write(2.0, spoken, [Deliver(delivery)])
    journal.close()
    journals.close()
    return folder / f"{call_sid}.jsonl"


def test_what_calls_left_is_found_in_their_journals(tmp_path: Path) -> None:
    first, more = message("CA1"), message("CA1", summary="The invoice is wrong.")
    write(tmp_path, "CA1", first, more)
    write(tmp_path, "CA2")
    write(tmp_path, "CA3", message("CA3"))
    assert list(deliveries_since(tmp_path, 0.0)) == [first, more, message("CA3")]


def test_journals_of_long_ago_are_not_read(tmp_path: Path) -> None:
    old = write(tmp_path, "CA1", message("CA1"))
    os.utime(old, (100.0, 100.0))
    write(tmp_path, "CA2", message("CA2"))
    assert list(deliveries_since(tmp_path, 100.0)) == [message("CA2")]
    assert list(deliveries_since(tmp_path / "nowhere", 0.0)) == []


def test_a_line_that_was_cut_short_and_a_file_that_cannot_be_read_are_passed_over(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(tmp_path, "CA1", message("CA1"))
    path.write_bytes(path.read_bytes() + b'{"at":3.0,"command":{"type":"Deliver","deliv')
    (tmp_path / "CA0.jsonl").mkdir()
    assert list(deliveries_since(tmp_path, 0.0)) == [message("CA1")]
    assert "journal CA0.jsonl cannot be searched for deliveries" in caplog.text
