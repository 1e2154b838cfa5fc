"""The ledger against the truth: the buffer of the stand-in carrier, at the end of a road."""

from __future__ import annotations

import base64
import heapq
from collections.abc import Callable
from functools import partial
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hookflash.core.commands import ClearAudio, PlayAudio, SendMark
from hookflash.core.conversation.playout import FRAME_MS, Playout
from hookflash_local.carrier.media import playout as carrier

START = 1_764_000_000.0


class Road:
    """A ledger and a carrier, with a delay each way; every message may be late, in order."""

    def __init__(
        self,
        there: float,
        back: float,
        *,
        lead_ms: int = 5000,
        chunk_ms: int = 1000,
        returns_cleared: bool = True,
        late: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self.now = START
        self.ledger = Playout(lead_ms=lead_ms, chunk_ms=chunk_ms)
        self.carrier = carrier.Playout(START)
        self.returns_cleared = returns_cleared
        self.voices: dict[str, int] = {}
        self.sent: dict[str, float] = {}
        self.heard: dict[str, float] = {}
        self.cleared_at: float | None = None
        self.there, self.back, self.late = there, back, late
        self._arrived = {"there": START, "back": START}
        self._due: list[tuple[float, int, Callable[[], object]]] = []
        self._count = count()
        self.carry(self.ledger.start(START))

    # --- what happens to the ledger -----------------------------------------------------------

    def say(self, response: str, item: str, size: int) -> None:
        voice = self.voices.setdefault(item, len(self.voices) + 1)
        payload = base64.b64encode(bytes([voice]) * size).decode()
        self.carry(self.ledger.add(response, item, payload, size, self.now))

    def cut(self) -> dict[str, float]:
        """Cut; return what the ledger says was heard of each open item, in ms."""
        commands, settled = self.ledger.cut(self.now)
        self.carry(commands)
        for each in settled:
            assert each.heard_ms >= int(self.heard.get(each.item_id, 0.0)), "heard went back"
            assert each.heard_ms <= self.sent.get(each.item_id, 0.0) + FRAME_MS
            assert each.heard_ms <= each.generated_ms
        self.heard.clear()
        return {each.item_id: float(each.heard_ms) for each in settled}

    def look(self) -> None:
        """Heard never goes back and never exceeds what was sent."""
        for item, sent in self.sent.items():
            heard = self.ledger.heard_ms(item, self.now)
            if heard:
                assert self.heard.get(item, 0.0) <= heard <= sent
                self.heard[item] = heard
        for done in self.ledger.heard():
            assert not done.cut
            self.heard.pop(done.item_id, None)

    def wait(self, seconds: float) -> None:
        """Let time pass: messages arrive, marks come back, the ledger's timer rings."""
        end = self.now + seconds
        while True:
            deadline = self.ledger.deadline
            due = min(self._due[0][0] if self._due else end, end)
            if deadline is not None and deadline <= due:
                self.now = max(self.now, deadline)
                self.carry(self.ledger.expire(self.now))
                later = self.ledger.deadline
                assert later is None or later > self.now, "the timer rings without end"
            elif self._due and self._due[0][0] <= end:
                self.now, _, happen = heapq.heappop(self._due)
                happen()
            else:
                self.now = end
                self.look()
                return
            self.look()

    # --- the road -----------------------------------------------------------------------------

    def carry(
        self, commands: list[PlayAudio | SendMark] | list[SendMark] | list[ClearAudio]
    ) -> None:
        for command in commands:
            if isinstance(command, PlayAudio):
                item = self._item(command.payload)
                self.sent[item] = self.sent.get(item, 0.0) + command.size / 8
                assert self.ledger.sent_ahead_ms(self.now) <= self.ledger._lead_ms + 1001
            at = self._plan("there", self.there, partial(self._arrive, command))
            if isinstance(command, ClearAudio):
                self.cleared_at = at

    def _arrive(self, command: PlayAudio | SendMark | ClearAudio) -> None:
        match command:
            case PlayAudio(payload=payload):
                self.carrier.play(base64.b64decode(payload), self.now)
            case SendMark(name=name):
                self._return(self.carrier.mark(name, self.now))
                self._watch()
            case ClearAudio():
                names = self.carrier.clear(self.now)
                self._return(names if self.returns_cleared else [])

    def _watch(self) -> None:
        if self.carrier.next_deadline is not None:
            at = max(self.now, self.carrier.next_deadline)
            heapq.heappush(self._due, (at, next(self._count), self._played))

    def _played(self) -> None:
        self._return([name for _, name in self.carrier.due(self.now)])
        self._watch()

    def _return(self, names: list[str]) -> None:
        for name in names:
            self._plan("back", self.back, partial(self._returned, name))

    def _returned(self, name: str) -> None:
        self.carry(self.ledger.mark(name, self.now))

    def _plan(self, way: str, delay: float, happen: Callable[[], object]) -> float:
        at = max(self.now + delay + self.late(), self._arrived[way])
        self._arrived[way] = at
        heapq.heappush(self._due, (at, next(self._count), happen))
        return at

    def _item(self, payload: str) -> str:
        voice = base64.b64decode(payload)[0]
        return next(item for item, byte in self.voices.items() if byte == voice)

    def truth_ms(self, item: str, at: float) -> float:
        sound = b"".join(piece for _, piece in self.carrier.segments(at))
        return sound.count(self.voices[item]) / 8


steps = st.lists(
    st.one_of(
        st.tuples(st.just("say"), st.integers(1, 12_000)),
        st.tuples(st.just("wait"), st.integers(0, 3_000)),
        st.tuples(st.just("wait"), st.integers(0, 200)),
        st.tuples(st.just("item"), st.booleans()),
        st.tuples(st.just("cut"), st.just(0)),
    ),
    max_size=40,
)
delays = st.integers(0, 80).map(lambda ms: ms / 1000)


def rehearse(road: Road, script: list[tuple[str, int | bool]], bound_ms: float) -> None:
    """Play a script; at every cut compare each item with the ear when the `clear` arrives."""
    number = 0
    for what, value in [*script, ("cut", 0)]:
        if what == "say":
            road.say(f"r{number}", f"i{number}", int(value))
        elif what == "wait":
            road.wait(value / 1000)
        elif what == "item":
            if value:
                road.carry(road.ledger.end_item(f"i{number}"))
            number += 1
        else:
            road.cleared_at = None
            claims = road.cut()
            number += 1
            if road.cleared_at is not None:
                road.wait(road.cleared_at - road.now)
            for item, heard_ms in claims.items():
                truth_ms = road.truth_ms(item, road.now)
                assert abs(heard_ms - truth_ms) <= bound_ms, f"{item}: {heard_ms}, {truth_ms}"


@settings(max_examples=150, deadline=None)
@given(script=steps, there=delays, back=delays, returns_cleared=st.booleans())
def test_the_estimate_is_within_a_frame_of_what_was_heard(
    script: list[tuple[str, int | bool]], there: float, back: float, returns_cleared: bool
) -> None:
    rehearse(Road(there, back, returns_cleared=returns_cleared), script, FRAME_MS)


@settings(max_examples=60, deadline=None)
@given(
    script=steps,
    there=delays,
    back=delays,
    lead_ms=st.integers(300, 2_000),
    chunk_ms=st.integers(20, 300),
)
def test_a_short_lead_changes_nothing_of_what_was_heard(
    script: list[tuple[str, int | bool]], there: float, back: float, lead_ms: int, chunk_ms: int
) -> None:
    rehearse(Road(there, back, lead_ms=lead_ms, chunk_ms=chunk_ms), script, FRAME_MS)


LATE_MS = 60
"""The most that one message is late by in the test below."""


@settings(max_examples=100, deadline=None)
@given(script=steps, there=delays, back=delays, late=st.randoms(use_true_random=False))
def test_jitter_moves_heard_by_no_more_than_the_jitter(
    script: list[tuple[str, int | bool]], there: float, back: float, late: object
) -> None:
    """One message in twenty is late, and holds up those behind it. The bound is what no ledger can
    know: how late the sound itself was, and how late the mark that told of it, and a frame."""
    assert hasattr(late, "random")
    road = Road(
        there, back, late=lambda: late.random() * LATE_MS / 1000 if late.random() < 0.05 else 0.0
    )
    rehearse(road, script, 2 * LATE_MS + FRAME_MS)


@pytest.mark.parametrize("back", [0.0, 0.08])
def test_a_whole_answer_is_heard_to_its_end(back: float) -> None:
    road = Road(0.04, back)
    for _ in range(30):
        road.say("r", "i", 8 * 330)
    road.carry(road.ledger.end_response("r"))
    road.wait(9.9)
    assert not road.ledger.idle(), "the last of it is still on its way"
    road.wait(0.2)
    assert road.ledger.idle()
    assert road.truth_ms("i", road.now) == 9900.0
