from __future__ import annotations

import random

import pytest

from hookflash.core import events as e
from hookflash.core.call import Call
from hookflash.core.commands import Message
from hookflash.core.conversation.playout import Settled
from hookflash.core.conversation.transcript import Line
from hookflash.core.record import ToolUse
from hookflash.core.setup import CallSetup
from hookflash.runtime.call_views import NEWEST, CallViews

ARRIVED_AT = 1000.0


@pytest.fixture
def call() -> Call:
    call = Call(CallSetup())
    call.receive(e.CallArrived("CA1", "+15550100009", "+15550100001"), ARRIVED_AT)
    return call


def turn(call: Call, number: int) -> None:
    """The caller says something, and the agent answers."""
    at, transcript = ARRIVED_AT + 5.0 * number, call.conversation.transcript
    transcript.caller_started(f"u{number}", at)
    transcript.caller_said(f"u{number}", f"Question {number}.", at + 1)
    transcript.agent_says(f"a{number}", f"Answer {number}.", at + 1)
    transcript.agent_heard(Settled(f"a{number}", 900, 900, at + 2, False, True), at + 3)


def test_a_long_call_is_seen_whole_and_in_order(call: Call) -> None:
    views = CallViews(call)
    for number in range(500):
        turn(call, number)
        if number % 7 == 0:
            call.conversation.transcript.note(Message("system", "The caller typed 5."))
        views.of(2000.0)
    expected = call.conversation.transcript.utterances(ARRIVED_AT)
    seen = views.of(2000.0).transcript
    assert seen == expected and len(seen) == 1000
    assert seen[-1] == expected[-1] and seen[:3] == expected[:3] and seen[-6:] == expected[-6:]


def test_an_earlier_view_does_not_change(call: Call) -> None:
    views = CallViews(call)
    for number in range(100):
        turn(call, number)
    before = views.of(2000.0).transcript
    expected = call.conversation.transcript.utterances(ARRIVED_AT)
    for number in range(100, 300):
        turn(call, number)
        views.of(2000.0)
    assert before == expected
    assert len(views.of(2000.0).transcript) == 600


def test_a_look_reads_no_more_lines_in_a_long_call_than_in_a_short_one(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    views = CallViews(call)
    read: list[int] = []
    utterance = views._utterance

    def counted(line: Line) -> object:
        read[-1] += 1
        return utterance(line)

    monkeypatch.setattr(views, "_utterance", counted)
    for number in range(2000):
        turn(call, number)
        read.append(0)
        views.of(2000.0)
    assert max(read) <= 4 * NEWEST, read
    assert max(read[-200:]) <= max(read[:200])


def test_what_becomes_known_late_finds_its_place(call: Call) -> None:
    views, chance = CallViews(call), random.Random(7)
    for number in range(300):
        turn(call, number)
        at = ARRIVED_AT + 5.0 * number - chance.choice([0.5, 30.0, 400.0])
        if number % 5 == 0:
            call.conversation.transcript.human_said("human", f"Remark {number}.", at, at + 1)
        assert views.of(3000.0).transcript == call.conversation.transcript.utterances(ARRIVED_AT)


def test_lines_that_stay_open_do_not_keep_the_others_from_being_settled(call: Call) -> None:
    views = CallViews(call)
    for number in range(400):
        turn(call, number)
        call.conversation.transcript.agent_says(
            f"never{number}", "Unheard.", ARRIVED_AT + 5.0 * number
        )
        views.of(3000.0)
    assert len(views._newest) < 400
    assert views.of(3000.0).transcript == call.conversation.transcript.utterances(ARRIVED_AT)


def test_words_of_a_line_that_is_still_open_are_seen_when_they_come(call: Call) -> None:
    views = CallViews(call)
    call.conversation.transcript.caller_started("u", ARRIVED_AT + 1)
    assert views.of(1002.0).transcript == ()
    call.conversation.transcript.caller_said("u", "Hello.", ARRIVED_AT + 2)
    assert [each.text for each in views.of(1003.0).transcript] == ["Hello."]


def test_speech_is_counted_for_each_speaker(call: Call) -> None:
    views = CallViews(call)
    for number in range(200):
        turn(call, number)
        call.conversation.transcript.lines[-2].ended_at += 1.5
        views.of(2000.0)
    assert views.spoken_seconds("agent") == pytest.approx(200 * 0.9)
    assert views.spoken_seconds("caller") == pytest.approx(200 * 1.5)
    assert views.spoken_seconds("human") == 0.0


def test_failed_tools_are_counted(call: Call) -> None:
    views = CallViews(call)
    for failed in (True, False, True):
        call.conversation.tool_uses.append(
            ToolUse(
                name="look_up", arguments="{}", output="", failed=failed, started_at=0, seconds=0
            )
        )
        views.of(1001.0)
    assert views.of(1001.0).failed_tools == 2


def test_times_begin_when_the_call_arrives() -> None:
    call = Call(CallSetup())
    views = CallViews(call)
    call.conversation.transcript.caller_said("u", "Hello?", 999.0)
    assert views.of(1000.0).transcript[0].started_at == 999.0
    call.receive(e.CallArrived("CA1", "", ""), ARRIVED_AT)
    assert views.of(1000.0).transcript[0].started_at == -1.0
