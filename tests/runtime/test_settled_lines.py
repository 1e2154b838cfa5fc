from __future__ import annotations

import pytest

from hookflash.core.commands import Message
from hookflash.core.conversation.playout import Settled
from hookflash.core.conversation.transcript import Transcript
from hookflash.runtime.journal_lines import Said
from hookflash.runtime.settled_lines import SettledLines


def heard(item_id: str, *, ms: int = 1000, of: int = 1000) -> Settled:
    return Settled(item_id, ms, of, 12.0, ms < of, True)


@pytest.fixture
def transcript() -> Transcript:
    return Transcript()


def test_a_callers_line_is_told_when_its_words_are_there(transcript: Transcript) -> None:
    settled = SettledLines(transcript)
    transcript.caller_started("u1", 10.0)
    assert settled.changes() == []
    transcript.caller_stopped("u1", 11.0)
    transcript.caller_said("u1", "My order is late.", 11.5)
    assert settled.changes() == [Said("caller", "My order is late.", 10.0, 11.0, id="u1")]
    assert settled.changes() == []


def test_an_agents_line_is_told_as_heard_when_the_ledger_has_closed_it(
    transcript: Transcript,
) -> None:
    settled = SettledLines(transcript)
    transcript.agent_says("a1", "One moment please.", 11.0)
    assert settled.changes() == []
    transcript.agent_heard(heard("a1", ms=500), 13.0)
    assert settled.changes() == [
        Said("agent", "One", 12.0, 12.5, cut="moment please.", id="a1"),
    ]


def test_words_that_come_late_are_told_again(transcript: Transcript) -> None:
    settled = SettledLines(transcript)
    transcript.agent_says("a1", "One ", 11.0)
    transcript.agent_heard(heard("a1"), 13.0)
    assert [each.text for each in settled.changes()] == ["One "]
    transcript.agent_says("a1", "moment.", 13.1)
    assert [each.text for each in settled.changes()] == ["One moment."]
    assert settled.changes() == []


def test_nobody_is_told_of_what_was_never_heard(transcript: Transcript) -> None:
    settled = SettledLines(transcript)
    transcript.agent_heard(heard("a1", ms=0, of=0), 13.0)
    transcript.agent_says("a2", "Never.", 14.0)
    assert settled.changes() == []


def test_notes_and_what_humans_say_are_told_once(transcript: Transcript) -> None:
    settled = SettledLines(transcript)
    transcript.note(Message("system", "The caller typed 5."))
    transcript.human_said("human", "Hello.", 20.0, 21.0)
    assert settled.changes() == [
        Said("note", "The caller typed 5.", 0.0, 0.0),
        Said("human", "Hello.", 20.0, 21.0),
    ]


def test_who_goes_on_tells_only_of_what_was_open(transcript: Transcript) -> None:
    transcript.caller_said("u1", "Hello.", 10.0)
    transcript.agent_says("a1", "One moment.", 11.0)
    settled = SettledLines(transcript)
    assert settled.changes() == []
    transcript.agent_heard(heard("a1"), 13.0)
    assert [each.id for each in settled.changes()] == ["a1"]


def test_what_is_watched_does_not_grow_with_the_call(transcript: Transcript) -> None:
    settled = SettledLines(transcript)
    for number in range(200):
        transcript.agent_says(f"never-{number}", "Unheard.", 10.0)
        transcript.caller_said(f"u{number}", "Hello.", 10.0)
        assert [each.id for each in settled.changes()] == [f"u{number}"]
    assert len(settled._open) <= 32 and len(settled._watched) <= 4
