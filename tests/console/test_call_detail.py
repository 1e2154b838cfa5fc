"""A long call is put together as a short one is, and costs little more at each look."""

from __future__ import annotations

import pytest

from hookflash.console import call_detail
from hookflash.console.feed import patch
from hookflash.console.prices import Prices
from hookflash.console.shapes import CallDetail
from hookflash.console.trace import Trace
from hookflash.core.call import Call
from hookflash.core.commands import Message
from hookflash.core.conversation.playout import Settled
from hookflash.core.events import CallArrived
from hookflash.core.setup import CallSetup
from hookflash.runtime.call_views import CallViews


class Shown:
    """A call that a page has open."""

    def __init__(self) -> None:
        self.call = Call(CallSetup())
        self.call.receive(CallArrived("CA1", "+15550100009", "+15550100001"), 1000.0)
        self._views, self._lines = CallViews(self.call), call_detail.TranscriptLines()

    def turn(self, number: int) -> None:
        at, transcript = 1000.0 + 5.0 * number, self.call.conversation.transcript
        transcript.caller_started(f"u{number}", at)
        transcript.caller_stopped(f"u{number}", at + 1)
        transcript.caller_said(f"u{number}", f"Question {number}.", at + 1)
        transcript.agent_says(f"a{number}", f"Answer {number}.", at + 1)
        transcript.agent_heard(Settled(f"a{number}", 900, 900, at + 2, False, True), at + 3)

    def look(self) -> CallDetail:
        return self._detail(self._lines)

    def look_afresh(self) -> CallDetail:
        return self._detail(call_detail.TranscriptLines())

    def _detail(self, lines: call_detail.TranscriptLines) -> CallDetail:
        return call_detail.detail(self.call, Trace(), self._views, lines, Prices(), 9000.0)


@pytest.fixture
def shown() -> Shown:
    return Shown()


def test_a_long_call_looks_the_same_however_often_it_was_looked_at(shown: Shown) -> None:
    for number in range(200):
        shown.turn(number)
        if number % 9 == 0:
            shown.call.conversation.transcript.note(Message("system", "The caller typed 5."))
        if number % 3 == 0:
            shown.look()
    detail = shown.look()
    assert detail == shown.look_afresh()
    assert len(detail.parts.lines) == 400
    assert [wait.id for wait in detail.parts.latencies] == [str(each) for each in range(200)]
    assert {wait.ended_at - wait.started_at for wait in detail.parts.latencies} == {1.0}


def test_unchanged_lines_stay_the_same_objects(shown: Shown) -> None:
    for number in range(200):
        shown.turn(number)
    before = shown.look().parts
    shown.turn(200)
    after = shown.look().parts
    same = [old is new for old, new in zip(before.lines, after.lines, strict=False)]
    assert all(same[:340])
    changed = patch(before, after)
    assert changed is not None
    assert [line.text for line in changed.lines] == ["Question 200.", "Answer 200."]
    assert [wait.id for wait in changed.latencies] == ["200"]


def test_lines_that_stay_open_do_not_keep_the_others_from_being_settled(shown: Shown) -> None:
    shown.call.conversation.transcript.caller_started("never", 1000.0)
    for number in range(200):
        shown.turn(number)
    before, after = shown.look().parts.lines, shown.look().parts.lines
    assert before == after and before[0].ended_at is None
    assert sum(old is new for old, new in zip(before, after, strict=True)) > 300


def test_a_part_that_is_gone_needs_everything_anew(shown: Shown) -> None:
    shown.turn(0)
    before = shown.look().parts
    assert patch(before, Shown().look().parts) is None
