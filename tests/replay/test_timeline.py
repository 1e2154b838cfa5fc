from __future__ import annotations

from typing import Any

import pytest

from hookflash.core import commands as c
from hookflash.core import events as e
from hookflash.replay.timeline import JournalReader, Stage, read_timeline

BEGAN = 1_795_336_000.0


def spans(timeline: Any) -> list[tuple[str, float, float]]:
    return [(one.speaker, one.start, one.end) for one in timeline.spoken]


def test_times_are_seconds_since_the_call_arrived(whole_call: Any) -> None:
    timeline = read_timeline(whole_call.lines)
    assert (timeline.call_sid, timeline.agent) == ("CA" + "0f" * 16, "Riverside")
    assert timeline.seconds == 31.0
    assert spans(timeline)[0] == ("agent", pytest.approx(0.8), pytest.approx(2.3))


def test_a_barge_in_cuts_what_was_not_heard_yet(whole_call: Any) -> None:
    timeline = read_timeline(whole_call.lines)
    cut = timeline.spoken[2]
    assert (cut.start, cut.end) == (pytest.approx(4.5), pytest.approx(6.0))
    assert cut.cut_seconds == pytest.approx(1.5)
    assert cut.text and cut.cut
    assert f"{cut.text} {cut.cut}" == "We are open from nine until five on all days."
    assert timeline.barge_ins == [6.0]


def test_a_clear_with_nothing_to_throw_away_is_no_barge_in(script: Any) -> None:
    script.event(0, e.CallArrived("CA", "+15550100", "+15550101"))
    script.agent_says(1.0, "a1", "Hello.", 1.0)
    script.command(3.0, c.ClearAudio())
    timeline = read_timeline(script.lines)
    assert timeline.barge_ins == []
    assert timeline.spoken[0].cut == ""


def test_two_items_queued_play_one_after_another_and_only_the_rest_is_cut(script: Any) -> None:
    script.event(0, e.CallArrived("CA", "+15550100", "+15550101"))
    script.agent_says(0.0, "a1", "First sentence.", 2.0)
    script.agent_says(0.0, "a2", "Second sentence.", 2.0)
    script.command(3.0, c.ClearAudio())
    first, second = read_timeline(script.lines).spoken
    assert (first.start, first.end, first.cut_seconds) == (0.0, 2.0, 0.0)
    assert (second.start, second.end, second.cut_seconds) == (2.0, 3.0, 1.0)


def test_what_was_held_back_and_never_sent_is_cut_as_well(script: Any) -> None:
    script.event(0, e.CallArrived("CA", "+15550100", "+15550101"))
    script.event(0, e.ModelAudio("r1", "a1", "", 8000 * 4))
    script.event(0, e.AgentTranscribed("a1", "A very long sentence indeed"))
    script.command(0, c.PlayAudio("", 8000))
    script.command(0.5, c.ClearAudio())
    (spoken,) = read_timeline(script.lines).spoken
    assert (spoken.end, spoken.cut_seconds) == (0.5, 3.5)


def test_late_deltas_of_a_cut_response_are_not_taken_for_the_next_one(script: Any) -> None:
    script.event(0, e.CallArrived("CA", "+15550100", "+15550101"))
    script.agent_says(0.0, "a1", "Hello there.", 2.0)
    script.command(1.0, c.ClearAudio())
    script.event(1.1, e.ModelAudio("r-a1", "a1", "", 8000))
    script.agent_says(2.0, "a2", "Yes?", 1.0)
    timeline = read_timeline(script.lines)
    assert spans(timeline) == [("agent", 0.0, 1.0), ("agent", 2.0, 3.0)]


def test_sound_sent_after_the_buffer_ran_dry_starts_when_it_is_sent(script: Any) -> None:
    script.event(0, e.CallArrived("CA", "+15550100", "+15550101"))
    for at in (0.0, 1.5):
        script.event(at, e.ModelAudio("r1", "a1", "", 8000))
        script.command(at, c.PlayAudio("", 8000))
    (spoken,) = read_timeline(script.lines).spoken
    assert (spoken.start, spoken.end) == (0.0, 2.5)


def test_the_record_has_the_last_word(whole_call: Any, record: Any) -> None:
    whole_call.command(31.2, c.StoreRecord(record))
    timeline = read_timeline(whole_call.lines)
    assert timeline.disposition == "handed_off"
    assert [(one.start, one.text) for one in timeline.spoken] == [
        (said.started_at, said.text) for said in record.utterances
    ]
    assert timeline.spoken[2].cut_seconds == pytest.approx(1.5)


def test_a_cut_that_the_journal_says_nothing_of_is_as_long_as_its_text(
    script: Any, record: Any
) -> None:
    script.event(0, e.CallArrived("CA", "+15550100", "+15550101"))
    script.command(31.2, c.StoreRecord(record))
    cut = read_timeline(script.lines).spoken[2]
    assert cut.cut_seconds == pytest.approx(1.48 * len(cut.cut) / len(cut.text))


def test_stages_follow_the_phase_and_while_it_runs_the_hand_off(whole_call: Any) -> None:
    timeline = read_timeline(whole_call.lines)
    assert [stage.name for stage in timeline.stages] == [
        "answering",
        "talking",
        "farewell",
        "moving",
        "ringing",
        "with human",
        "ended",
    ]
    assert timeline.stages[2] == Stage("farewell", 9.0, 10.0)
    assert timeline.human_spans() == [(21.5, 31.0)]


def test_a_human_leg_rings_is_answered_and_ends(whole_call: Any) -> None:
    (leg,) = read_timeline(whole_call.lines).legs
    assert (leg.start, leg.answered, leg.end, leg.outcome) == (10.2, 21.5, 31.0, "bridged")
    whole_call.event(32.0, e.LegChanged("CAother", "completed", 3, "busy"))
    assert read_timeline(whole_call.lines).legs[1].outcome == "busy"


def test_tools_are_spans_with_their_answer(script: Any) -> None:
    script.event(0, e.CallArrived("CA", "+15550100", "+15550101"))
    for call_id in ("t1", "t2", "t3"):
        script.command(1.0, c.RunTool(call_id, call_id, "{}"))
    script.event(2.0, e.ToolFinished("t1", "yes"))
    script.event(2.5, e.ToolFinished("t2", "broken", failed=True))
    script.command(3.0, c.CancelTool("t3"))
    script.event(4.0, e.ToolFinished("t3", "late"))
    first, second, third = read_timeline(script.lines).tools
    assert (first.end, first.output, first.failed) == (2.0, "yes", False)
    assert (second.output, second.failed) == ("broken", True)
    assert (third.end, third.cancelled, third.output) == (3.0, True, "")


def test_latency_runs_from_the_callers_last_word_to_the_agents_first(whole_call: Any) -> None:
    waits = read_timeline(whole_call.lines).latencies()
    assert [(wait.start, wait.end) for wait in waits] == [(4.0, 4.5), (8.0, 9.0)]
    assert waits[0].seconds == 0.5


def test_no_latency_is_counted_for_an_answer_that_came_much_later(script: Any) -> None:
    script.event(0, e.CallArrived("CA", "+15550100", "+15550101"))
    script.caller_says(1.0, 2.0, "c1", "Hello?")
    script.agent_says(20.0, "a1", "Hello.", 1.0)
    assert read_timeline(script.lines).latencies() == []


def test_speech_has_ended_once_it_was_heard(script: Any) -> None:
    reader = JournalReader()
    script.event(0, e.CallArrived("CA", "+15550100", "+15550101"))
    script.agent_says(0.0, "a1", "Hello.", 1.0)
    for line in script.lines:
        reader.feed(line)
    assert not reader.timeline.spoken[0].ended
    reader.tick(BEGAN + 1.5)
    assert reader.timeline.seconds == 1.5
    assert reader.timeline.spoken[0].ended


def test_lines_of_a_later_version_are_passed_over(script: Any) -> None:
    script.lines += [{"something": "else"}, {"at": 1.0, "expired": True}]
    script.event(2.0, e.ModelReady())
    assert read_timeline(script.lines).spoken == []
