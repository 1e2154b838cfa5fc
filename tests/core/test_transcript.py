from __future__ import annotations

from hookflash.core.commands import Message
from hookflash.core.conversation.playout import Settled
from hookflash.core.conversation.transcript import HISTORY_CHARACTERS, Transcript
from hookflash.core.record import Utterance

T = 1000.0


def heard(item: str, ms: int, of: int, *, cut: bool = True, ended: bool = True) -> Settled:
    return Settled(item, ms, of, T, cut, ended)


def told(*pieces: str, fate: Settled, late: str = "") -> tuple[str, str]:
    transcript = Transcript()
    for piece in pieces:
        transcript.agent_says(fate.item_id, piece, T)
    transcript.agent_heard(fate, T + 5)
    if late:
        transcript.agent_says(fate.item_id, late, T + 6)
    (line,) = transcript.utterances(T)
    return line.text, line.cut


def test_what_was_heard_to_its_end_is_there_as_it_was_said() -> None:
    assert told("One two ", "three.", fate=heard("a", 900, 900, cut=False)) == (
        "One two three.",
        "",
    )


def test_a_cut_falls_in_proportion_and_back_to_a_whole_word() -> None:
    assert told("one two three four", fate=heard("a", 500, 1000)) == ("one two", "three four")
    assert told("one two three four", fate=heard("a", 0, 1000)) == ("", "one two three four")
    assert told("immeasurable", fate=heard("a", 900, 1000)) == ("", "immeasurable")
    assert told("one two", fate=heard("a", 1000, 1000)) == ("one two", "")


def test_text_that_runs_ahead_of_its_sound_is_not_taken_as_heard() -> None:
    """While an item is generated its text is ahead: 100 ms of sound are no forty words."""
    text = "word " * 40
    kept, _ = told(text, fate=heard("a", 100, 100, ended=False))
    assert kept == ""


def test_text_that_comes_after_the_cut_is_cut_with_the_rest() -> None:
    assert told("one two ", fate=heard("a", 500, 1000), late="three four") == (
        "one two",
        "three four",
    )


def test_its_lines_are_read_as_they_are_and_an_item_is_settled_by_its_last_word() -> None:
    transcript = Transcript()
    transcript.agent_says("a", "One two.", T)
    (line,) = transcript.lines
    assert (line.speaker, line.whole, line.started_at, line.ended_at) == ("agent", "One two.", T, T)
    assert not transcript.is_settled("a")
    transcript.agent_heard(heard("a", 900, 900, cut=False), T + 1)
    assert transcript.is_settled("a")


def test_an_item_without_sound_or_text_is_no_line() -> None:
    transcript = Transcript()
    transcript.agent_heard(Settled("a", 0, 0, None, True, False), T)
    assert transcript.utterances(T) == ()
    assert not transcript.agent_was_heard


def test_the_callers_line_may_come_before_or_after_the_agents() -> None:
    transcript = Transcript()
    transcript.caller_started("c", T)
    transcript.caller_started("c", T + 9)
    transcript.caller_stopped("c", T + 1)
    transcript.caller_stopped("unknown", T + 1)
    transcript.agent_says("a", "Yes?", T + 2)
    transcript.agent_heard(Settled("a", 500, 500, T + 2, False, True), T + 3)
    transcript.caller_said("c", " Hello? ", T + 4)
    transcript.caller_said("late", "Are you there?", T + 5)
    assert transcript.utterances(T) == (
        Utterance(speaker="caller", text="Hello?", started_at=0.0, ended_at=1.0),
        Utterance(speaker="agent", text="Yes?", started_at=2.0, ended_at=2.5),
        Utterance(speaker="caller", text="Are you there?", started_at=5.0, ended_at=5.0),
    )
    assert transcript.agent_was_heard


def test_the_history_has_roles_and_notes() -> None:
    transcript = Transcript()
    transcript.caller_said("c", "Hello?", T)
    transcript.note(Message("system", "The line broke."))
    transcript.agent_says("a", "Yes?", T)
    transcript.agent_says("silent", "", T)
    for item in ("a", "silent"):
        transcript.agent_heard(Settled(item, 500, 500, T, False, True), T + 1)
    assert transcript.history() == (
        Message("user", "Hello?"),
        Message("system", "The line broke."),
        Message("assistant", "Yes?"),
    )
    assert len(transcript.utterances(T)) == 2, "a note is not an utterance"


def test_the_history_has_a_line_when_it_is_known_how_much_of_it_was_heard() -> None:
    transcript = Transcript()
    transcript.agent_says("a", "One two three four", T)
    assert transcript.history() == ()
    line = transcript.agent_heard(Settled("a", 500, 1000, T, True, True), T + 1)
    assert transcript.history() == (Message("assistant", line.text),)
    assert (line.text, line.cut) == ("One two", "three four")


def test_when_the_call_is_over_what_was_not_heard_never_was() -> None:
    transcript = Transcript()
    transcript.caller_said("c", "Hello?", T)
    transcript.agent_says("a", "Yes?", T)
    transcript.close()
    assert [(line.text, line.cut) for line in transcript.utterances(T)] == [
        ("Hello?", ""),
        ("", "Yes?"),
    ]


def test_what_a_human_said_takes_its_place_when_it_is_known_later() -> None:
    transcript = Transcript()
    transcript.note(Message("system", "They met."))
    transcript.human_said("caller", "Yes.", T + 4, T + 5)
    told = transcript.human_said("human", " Is it a red one? ", T + 1, T + 4)
    assert told == Message("system", "The human said: Is it a red one?")
    transcript.agent_says("a", "Welcome back.", T + 9)
    transcript.agent_heard(Settled("a", 500, 500, T + 9, False, True), T + 10)
    assert transcript.human_said("caller", "Bye.", T + 6, T + 7) == Message("user", "Bye.")
    assert [each.text for each in transcript.history()] == [
        "They met.",
        "The human said: Is it a red one?",
        "Yes.",
        "Bye.",
        "Welcome back.",
    ]


def test_of_a_long_call_the_newest_lines_are_told_and_the_older_ones_in_short() -> None:
    transcript = Transcript()
    transcript.note(Message("system", "They met."))
    for number in range(20):
        transcript.caller_said(
            f"c{number}", f"My order number is {number}. " + "x" * 2940, T + number
        )
    older, *told = transcript.history()
    assert older.role == "system"
    assert older.text.startswith("Of the 8 lines before these: ")
    assert "My order number is" in older.text
    assert [each.text[:22] for each in told] == [
        f"My order number is {n}. "[:22] for n in range(7, 20)
    ]
    assert sum(len(each.text) + 60 for each in told) <= HISTORY_CHARACTERS
