"""The tap against the truth: the buffer of the stand-in carrier, at the end of a road."""

from __future__ import annotations

import base64
import random
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hookflash.core.commands import PlayAudio
from hookflash.core.events import CallerAudio
from hookflash.runtime.audio_capture import AudioCapture
from hookflash.runtime.tracks import Block

from ..core.test_playout_truth import START, Road

FRAME = 160


class Sink:
    """All that was handed out, laid in place."""

    block_frames = 50

    def __init__(self) -> None:
        self.sound = bytearray()
        self.ends = 0
        self.blocks: list[Block] = []

    def put(self, block: Block) -> None:
        assert 2 * block.first >= len(self.sound), "blocks come in order"
        self.blocks.append(block)
        self.sound += b"\xff" * (2 * block.first - len(self.sound)) + block.stereo()

    def end(self) -> None:
        self.ends += 1

    left = property(lambda self: bytes(self.sound[0::2]))
    right = property(lambda self: bytes(self.sound[1::2]))


class TappedRoad(Road):
    """A ledger, a carrier with a caller who speaks all the time, and a tap in between."""

    def __init__(self, *roads: float, sink: Sink | None = None, **options: Any) -> None:
        self.capture: AudioCapture | None = None
        self.frames = 0
        self.unused = 0
        super().__init__(*roads, **options)
        self.call: Any = SimpleNamespace(
            conversation=SimpleNamespace(playout=self.ledger),
            caller_leg=SimpleNamespace(stream_sid="MZ1"),
            facts=SimpleNamespace(call_sid="CA1"),
        )
        self.capture = AudioCapture(self.call, lambda: self.now, on_unused=self._left)
        self.sink = sink or Sink()
        self.capture.add(self.sink)

    def _left(self) -> None:
        self.unused += 1

    def carry(self, commands: Any) -> None:
        super().carry(commands)
        if self.capture is not None:
            self.capture.follow(commands)

    def wait(self, seconds: float) -> None:
        """Let time pass; a frame of the caller comes whenever one has arrived."""
        end = self.now + seconds
        while (at := START + (self.frames + 1) * 0.02 + self.back) <= end:
            super().wait(max(0.0, at - self.now))
            assert self.capture is not None
            self.capture.add_caller_audio(frame(self.frames))
            self.frames += 1
        super().wait(max(0.0, end - self.now))

    def hang_up(self) -> None:
        """The carrier's `stop` has come."""
        self.ledger.stop(self.now)
        assert self.capture is not None
        self.capture.close()

    def apart(self, voice: int) -> float:
        """Return how far a voice is from where it was at the ear, in ms, by the caller's sound."""
        truth = self.carrier.read(round(START * 8000), round(self.now * 8000))
        ours = self.sink.right[self.sink.left.index(bytes([200]) * FRAME) :]
        return abs(truth.index(voice) - ours.index(voice)) / 8


def frame(number: int, byte: int | None = None) -> CallerAudio:
    """A frame of the caller's; only the first is of the byte 200."""
    sound = bytes([200 if number == 0 else 201] if byte is None else [byte]) * FRAME
    return CallerAudio(base64.b64encode(sound).decode(), FRAME, number * 20)


steps = st.lists(
    st.one_of(
        st.tuples(st.just("say"), st.integers(200, 12_000)),
        st.tuples(st.just("wait"), st.integers(0, 3_000)),
        st.tuples(st.just("wait"), st.integers(0, 200)),
        st.tuples(st.just("item"), st.just(0)),
        st.tuples(st.just("cut"), st.just(0)),
    ),
    max_size=20,
)
delays = st.integers(0, 80).map(lambda ms: ms / 1000)


def rehearse(road: TappedRoad, script: list[tuple[str, int]], bound_ms: float) -> None:
    number = 0
    # The road is measured before anybody can speak.
    road.wait(0.2)
    for what, value in script:
        if what == "say" and number < 150:
            road.say(f"r{number}", f"i{number}", value)
        elif what == "wait":
            road.wait(value / 1000)
        elif what == "item":
            road.carry(road.ledger.end_item(f"i{number}"))
            number += 1
        else:
            road.cut()
            number += 1
    road.wait(2.0 + road.ledger.sent_ahead_ms(road.now) / 1000)
    while road.ledger.playing():
        road.wait(1.0)
    road.hang_up()
    heard = road.carrier.read(round(START * 8000), round(road.now * 8000))
    for voice in road.voices.values():
        # A `clear` cuts where it arrives, which is known to within a frame.
        assert abs(road.sink.right.count(voice) - heard.count(voice)) <= (bound_ms + 20) * 8
        if min(heard.count(voice), road.sink.right.count(voice)) > FRAME:
            assert road.apart(voice) <= bound_ms
    assert road.sink.ends == road.unused == 1
    assert road.sink.left.count(201) == FRAME * (road.frames - 1)


@settings(max_examples=80, deadline=None)
@given(script=steps, there=delays, back=delays)
def test_what_was_heard_is_where_it_was_heard(
    script: list[tuple[str, int]], there: float, back: float
) -> None:
    rehearse(TappedRoad(there, back), script, 20)


@settings(max_examples=50, deadline=None)
@given(script=steps, there=delays, back=delays, seed=st.integers(0, 1000))
def test_jitter_moves_it_by_no_more_than_the_jitter(
    script: list[tuple[str, int]], there: float, back: float, seed: int
) -> None:
    chance = random.Random(seed)
    late = lambda: chance.random() * 0.06 if chance.random() < 0.05 else 0.0  # noqa: E731
    rehearse(TappedRoad(there, back, late=late), script, 2 * 60 + 20)


def test_a_whole_answer_is_kept_to_its_last_sample() -> None:
    road = TappedRoad(0.04, 0.03)
    for _ in range(30):
        road.say("r", "i", 8 * 330)
    road.carry(road.ledger.end_response("r"))
    road.wait(10.5)
    road.hang_up()
    assert road.sink.right.count(1) == 30 * 8 * 330
    begins = road.sink.right.index(1)
    assert set(road.sink.right[begins : begins + 30 * 8 * 330]) == {1}, "without a gap"
    assert road.apart(1) <= 1


def test_a_mark_that_was_late_does_not_move_what_was_said() -> None:
    road = TappedRoad(0.04, 0.04)
    delay = [0.15]
    road.late = lambda: delay.pop() if delay and road.sent else 0.0
    road.say("r", "i", 8 * 1000)
    road.carry(road.ledger.end_response("r"))
    road.wait(2.0)
    road.hang_up()
    assert road.apart(1) <= 20
    assert road.sink.right.count(1) == 8000


def test_who_comes_in_the_middle_hears_the_rest_in_its_place() -> None:
    late, early = Sink(), Sink()
    road = TappedRoad(0.02, 0.02, sink=early)
    assert road.capture is not None
    road.say("r", "i", 8 * 900)
    road.wait(0.5)
    road.capture.add(late)
    road.say("r", "j", 8 * 400)
    road.wait(2.0)
    road.capture.remove(late)
    road.capture.remove(late)
    assert road.unused == 0
    road.hang_up()
    assert late.ends == 0 and early.ends == 1
    assert late.right.count(2) == early.right.count(2) == 3200
    assert late.right.index(2) == early.right.index(2)


def test_a_tap_of_a_call_that_speaks_already_has_no_sound_of_before() -> None:
    road = TappedRoad(0.02, 0.02)
    road.say("r", "i", 8 * 400)
    road.wait(0.1)
    call = road.call
    sink = Sink()
    other = AudioCapture(call, lambda: road.now, on_unused=lambda: None)
    other.add(sink)
    road.capture, first = other, road.capture
    road.say("r", "j", 8 * 400)
    road.wait(2.0)
    road.hang_up()
    assert sink.right.count(1) == 0
    assert sink.right.count(2) == 3200
    assert first is not None


def test_a_carrier_whose_times_jump_is_taken_by_its_arrival() -> None:
    road = TappedRoad(0.02, 0.02)
    assert road.capture is not None
    road.wait(1.5)
    for number in range(100):
        road.now += 0.02
        road.capture.add_caller_audio(frame(10_000_000 + number, byte=50))
    for number in range(100):
        road.now += 0.02
        road.capture.add_caller_audio(frame(number, byte=60))
    road.capture.close()
    left = road.sink.left
    assert left.count(50) == left.count(60) == 100 * FRAME
    assert left.index(60) - left.index(50) == 100 * FRAME
    assert len(left) < 8000 * 6


def test_blocks_come_even_if_a_mark_does_not() -> None:
    road = TappedRoad(0.02, 0.02)
    road.say("r", "i", 8 * 400)
    road.carrier.mark = lambda name, now: []  # type: ignore[method-assign]  # it loses them
    assert road.capture is not None
    road.wait(8.0)
    assert len(road.sink.left) > 8000 * 6
    road.hang_up()
    assert road.sink.right.count(1) == 3200


def test_a_long_silence_is_no_great_block() -> None:
    road = TappedRoad(0.02, 0.02)
    assert road.capture is not None
    road.wait(1.2)
    road.call.caller_leg.stream_sid = None
    road.ledger.stop(road.now)
    road.capture.follow(())
    road.now += 3600.0
    road.call.caller_leg.stream_sid = "MZ2"
    road.carry(road.ledger.start(road.now))
    for number in range(60):
        road.now += 0.02
        road.capture.add_caller_audio(frame(number, byte=70))
    road.hang_up()
    assert max(block.size for block in road.sink.blocks) <= 16_000
    assert len(road.sink.blocks) < 10
    assert road.sink.left.count(70) == 60 * FRAME
    hour = road.sink.left.index(70) / 8000
    assert hour == pytest.approx(3600 + 1.2, abs=0.05)


def test_notes_of_a_humans_part_are_kept_too() -> None:
    road = TappedRoad(0.02, 0.02)
    assert road.capture is not None
    road.wait(1.2)
    road.ledger.stop(road.now)
    road.capture.follow(())
    road.capture.begin_notes()
    for number in range(100):
        road.now += 0.02
        road.capture.notes_audio(frame(number, byte=80), "inbound")
        road.capture.notes_audio(frame(number, byte=90), "outbound")
    road.capture.close()
    assert road.sink.left.count(80) == road.sink.right.count(90) == 100 * FRAME
    assert road.sink.left.index(80) == road.sink.right.index(90)


def test_commands_other_than_sound_change_nothing() -> None:
    road = TappedRoad(0.0, 0.0)
    assert road.capture is not None
    road.capture.follow([])
    assert not any(isinstance(each, PlayAudio) for each in road.sink.blocks)
