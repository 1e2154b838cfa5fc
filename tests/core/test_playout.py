from __future__ import annotations

import pytest

from hookflash.core.commands import ClearAudio, PlayAudio, SendMark
from hookflash.core.conversation.playout import Playout, Settled

T = 1_764_000_000.0


def opened(**options: int) -> Playout:
    """A ledger whose road takes 80 ms there and back."""
    ledger = Playout(**options)
    (probe,) = ledger.start(T)
    assert probe == SendMark("1:1:probe")
    assert ledger.mark("1:1:probe", T + 0.08) == []
    return ledger


def add(ledger: Playout, item: str, ms: int, now: float) -> list[PlayAudio | SendMark]:
    return ledger.add("r", item, "", ms * 8, now)


def marks(commands: list[PlayAudio | SendMark]) -> list[str]:
    return [each.name for each in commands if isinstance(each, SendMark)]


def test_sound_is_followed_by_a_mark_of_its_own() -> None:
    ledger = opened()
    assert marks(add(ledger, "a", 100, T + 0.05)) == ["1:2:a:100"]
    assert marks(add(ledger, "a", 150, T + 0.05)) == ["1:3:a:250"]


def test_an_item_is_known_while_any_of_it_is_unheard() -> None:
    ledger = opened()
    add(ledger, "a", 200, T)
    item = ledger.item("a")
    assert item is not None and item.generated == 1600 and not item.ended
    ledger.cut(T + 0.1)
    assert ledger.item("a") is None


def test_only_a_piece_behind_other_sound_of_its_item_just_prolongs_it() -> None:
    ledger = opened(lead_ms=400, chunk_ms=200)
    assert not ledger.speaks_on("r", "a")
    add(ledger, "a", 100, T)
    assert ledger.speaks_on("r", "a") and not ledger.prolonged, "it is the first"
    add(ledger, "a", 100, T)
    assert ledger.prolonged
    assert not ledger.speaks_on("r", "b"), "a new item"
    add(ledger, "b", 100, T)
    assert not ledger.speaks_on("r", "b"), "behind another item"
    add(ledger, "b", 300, T)
    assert not ledger.prolonged, "a part is held until the lead allows it"
    ledger.cut(T + 0.05)
    assert not ledger.speaks_on("r", "a")


def test_small_pieces_of_audio_share_a_mark() -> None:
    ledger = opened()
    sent = [marks(add(ledger, "a", 20, T + 0.05 + number / 50)) for number in range(10)]
    assert sent == [[], [], [], [], ["1:6:a:100"], [], [], [], [], ["1:11:a:200"]]
    ledger.mark("1:6:a:100", T + 0.23)
    assert round(ledger.heard_ms("a", T + 0.24), 1) == 190


def test_the_last_small_pieces_of_an_item_are_marked_when_it_ends() -> None:
    ledger = opened()
    assert marks(add(ledger, "a", 60, T + 0.05)) == []
    assert ledger.end_item("a") == [SendMark("1:2:a:60")]
    assert ledger.end_item("a") == [], "it ends once"
    assert ledger.end_response("r") == []
    ledger.mark("1:2:a:60", T + 0.19)
    assert ledger.heard() == [Settled("a", 60, 60, T + 0.05, False, True, "r")]


def test_small_pieces_held_back_are_marked_when_they_are_sent() -> None:
    ledger = opened(lead_ms=1000, chunk_ms=500)
    add(ledger, "a", 1060, T + 1)
    assert ledger.end_item("a") == []
    sent: list[str] = []
    for second in range(1, 5):
        sent += marks(ledger.expire(T + second + 0.9))
    assert sent[-1].endswith(":a:1060")


def test_nothing_is_marked_twice_or_where_nobody_listens() -> None:
    ledger = opened()
    add(ledger, "a", 60, T + 1)
    add(ledger, "b", 40, T + 1)
    assert ledger.end_item("a") == [], "the mark of b speaks for it"
    closed = Playout()
    add(closed, "a", 60, T)
    assert closed.end_item("a") == []


def test_a_gap_among_small_pieces_is_timed_by_the_next_mark() -> None:
    ledger = opened()
    add(ledger, "a", 40, T + 1)
    add(ledger, "a", 40, T + 1.3)
    (mark,) = marks(add(ledger, "a", 400, T + 1.3))
    add(ledger, "a", 200, T + 1.5)
    # What came behind the gap had played 10 ms later than it was sent.
    ledger.mark(mark, T + 1.3 + 0.44 + 0.08 + 0.01)
    assert round(ledger.heard_ms("a", T + 1.85), 1) == 580


def test_long_pieces_are_cut_into_chunks() -> None:
    ledger = opened(chunk_ms=400)
    sizes = [each.size for each in add(ledger, "a", 1000, T) if isinstance(each, PlayAudio)]
    assert sum(sizes) == 8000
    assert max(sizes) <= 3200


def test_between_marks_sound_plays_in_real_time() -> None:
    ledger = opened()
    add(ledger, "a", 1000, T + 1)
    assert round(ledger.heard_ms("a", T + 1.3), 3) == 300
    assert ledger.heard_ms("a", T + 9) == 1000, "and never beyond what was sent"
    assert ledger.heard_ms("unknown", T + 9) == 0


def test_heard_never_goes_back_when_a_mark_shows_that_it_played_later() -> None:
    ledger = opened()
    commands = add(ledger, "a", 200, T + 1)
    add(ledger, "a", 1000, T + 1)
    before = ledger.heard_ms("a", T + 1.5)
    ledger.mark(marks(commands)[-1], T + 1.5)
    assert ledger.heard_ms("a", T + 1.5) == before


def test_through_an_underrun_only_what_was_there_has_played() -> None:
    ledger = opened()
    for second in range(3):
        for name in marks(add(ledger, "a", 500, T + second)):
            ledger.mark(name, T + second + (0.08 if name.endswith("probe") else 0.58))
    add(ledger, "a", 500, T + 3)
    assert round(ledger.heard_ms("a", T + 3.25), 1) == 1750


def test_audio_sent_into_a_nearly_empty_buffer_is_timed_by_its_mark() -> None:
    ledger = opened()
    first = add(ledger, "a", 500, T)
    second = add(ledger, "a", 500, T + 0.48)
    ledger.mark(marks(first)[-1], T + 0.58)
    add(ledger, "a", 500, T + 1.0)
    ledger.mark(marks(second)[-1], T + 1.10)
    # The second chunk ended at 1.02 on the sender's clock: it had come too late by 20 ms.
    assert round(ledger.heard_ms("a", T + 1.12), 1) == 1100


def test_the_shortest_round_trip_is_that_of_the_connection() -> None:
    ledger = opened()
    assert ledger.mark("1:1:probe", T + 9) == [], "twice is once"
    (probe, mark) = marks(add(ledger, "a", 1000, T + 2))
    ledger.mark(probe, T + 2.5)
    assert round(ledger.quiet_at() - T, 3) == 3.08
    ledger.mark(mark, T + 3.08)
    (probe, mark) = marks(add(ledger, "a", 400, T + 5))
    ledger.mark(probe, T + 5.03)
    assert round(ledger.quiet_at() - T, 3) == 5.43
    ledger.mark(mark, T + 5.43)
    assert marks(add(ledger, "a", 1000, T + 5.45)) == ["1:6:a:2400"], "measured a moment ago"


def test_three_late_marks_in_a_row_move_the_estimate() -> None:
    ledger = opened()
    names = [marks(add(ledger, "a", 500, T + 1))[-1] for _ in range(6)]
    ledger.mark(names[0], T + 1.58)
    ledger.mark(names[1], T + 2.18)
    ledger.mark(names[2], T + 2.68)
    assert round(ledger.sent_ahead_ms(T + 2.7)) == 1300, "two may be jitter"
    ledger.mark(names[3], T + 3.18)
    assert round(ledger.sent_ahead_ms(T + 3.2)) == 900, "the third is 0.1 s late as they were"


def test_a_mark_that_was_lost_is_settled_by_the_next() -> None:
    ledger = opened()
    add(ledger, "a", 500, T + 1)
    (*_, last) = marks(add(ledger, "a", 500, T + 1))
    assert ledger.mark(last, T + 2.08) == []
    assert not ledger.playing()
    assert ledger.heard_ms("a", T + 2.08) == 1000


def test_a_mark_that_never_comes_is_given_up() -> None:
    ledger = opened()
    add(ledger, "a", 500, T + 1)
    ledger.end_item("a")
    assert ledger.deadline is not None
    assert round(ledger.deadline - T, 3) == 2.58
    assert ledger.expire(T + 2.5) == []
    assert ledger.heard() == []
    assert ledger.expire(ledger.deadline) == []
    assert ledger.heard() == [Settled("a", 500, 500, T + 1, False, True, "r")]
    assert ledger.deadline is None


def test_unknown_marks_change_nothing() -> None:
    ledger = opened()
    add(ledger, "a", 500, T)
    for name in ("", "x", "1", "1:x", "0:3:a:500", "2:3:a:500", "1:-3:a", "responsePart"):
        assert ledger.mark(name, T + 0.6) == []
    assert ledger.playing()


def test_the_lead_bounds_what_is_sent_ahead() -> None:
    ledger = opened(lead_ms=2000, chunk_ms=500)
    commands = add(ledger, "a", 10_000, T)
    assert 1500 < sum(each.size for each in commands if isinstance(each, PlayAudio)) / 8 <= 2000
    assert 1500 < ledger.sent_ahead_ms(T) <= 2000
    assert ledger.deadline is not None
    more = ledger.expire(ledger.deadline)
    assert [type(each) for each in more] == [PlayAudio, SendMark]
    assert ledger.sent_ahead_ms(ledger.deadline) <= 2000


def test_a_mark_that_shows_room_lets_more_be_sent() -> None:
    ledger = opened(lead_ms=1010, chunk_ms=500)
    names = marks(add(ledger, "a", 3000, T))
    assert [type(each) for each in ledger.mark(names[0], T + 0.58)] == [PlayAudio, SendMark]


def test_a_cut_takes_what_was_held_back_too() -> None:
    ledger = opened(lead_ms=1010, chunk_ms=500)
    add(ledger, "a", 3000, T)
    ledger.end_response("r")
    commands, (fate,) = ledger.cut(T + 0.7)
    assert commands == [ClearAudio()]
    assert fate == Settled("a", 700, 3000, T, True, True, "r")
    assert not ledger.playing()
    assert ledger.deadline is None


def test_less_than_a_frame_left_counts_as_heard() -> None:
    ledger = opened()
    add(ledger, "a", 1000, T)
    ledger.end_item("a")
    _, (fate,) = ledger.cut(T + 0.985)
    assert fate == Settled("a", 1000, 1000, T, False, True, "r")


def test_an_item_that_can_still_grow_is_cut_even_when_all_of_it_was_heard() -> None:
    ledger = opened()
    for name in marks(add(ledger, "a", 1000, T)):
        ledger.mark(name, T + 1.08)
    commands, (fate,) = ledger.cut(T + 2)
    assert commands == []
    assert fate == Settled("a", 1000, 1000, T, True, False, "r")
    assert add(ledger, "a", 100, T + 2) == []


def test_pieces_without_sound_are_nothing() -> None:
    ledger = opened()
    assert ledger.add("r", "a", "", 0, T) == []
    assert ledger.idle()


def test_the_end_of_a_response_is_that_of_its_items_only() -> None:
    ledger = opened()
    ledger.add("r1", "a", "", 800, T)
    ledger.add("r2", "b", "", 800, T)
    ledger.end_response("r1")
    ledger.end_item("unknown")
    _, fates = ledger.cut(T)
    assert [(fate.item_id, fate.ended) for fate in fates] == [("a", True), ("b", False)]


def test_the_next_item_after_a_cut_starts_a_new_generation() -> None:
    ledger = opened()
    add(ledger, "a", 1000, T)
    ledger.cut(T + 0.5)
    commands = ledger.add("r2", "b", "", 8000, T + 2)
    assert marks(commands) == ["2:3:probe", "2:4:b:1000"]
    assert round(ledger.heard_ms("b", T + 2.5), 1) == 500


def test_items_of_a_lost_session_do_not_grow() -> None:
    ledger = opened()
    add(ledger, "a", 1000, T)
    ledger.end_all()
    assert add(ledger, "a", 1000, T) == []
    ledger.mark("1:2:a:1000", T + 1.08)
    assert ledger.heard() == [Settled("a", 1000, 1000, T, False, True, "r")]


def test_nothing_is_sent_without_a_stream() -> None:
    ledger = Playout()
    assert add(ledger, "a", 1000, T) == []
    assert ledger.deadline is None
    sent = [type(each) for each in ledger.start(T + 1)]
    assert sent == [SendMark, PlayAudio, SendMark], "what waited goes out when there is one"


def test_a_stream_that_stops_settles_what_was_on_it_once() -> None:
    ledger = opened()
    add(ledger, "a", 1000, T)
    assert [fate.heard_ms for fate in ledger.stop(T + 0.4)] == [400]
    assert ledger.stop(T + 0.5) == []


def test_a_dropped_response_is_not_played_and_each_item_is_reported_once() -> None:
    ledger = opened()
    assert not ledger.unheard("r", "a")
    ledger.drop("r")
    assert ledger.unheard("r", "a")
    assert not ledger.unheard("r", "a")
    assert add(ledger, "a", 100, T) == []


def test_a_sound_is_withdrawn_once() -> None:
    ledger = opened()
    add(ledger, "a", 1000, T)
    assert ledger.withdraw("b", T + 0.4) == []
    assert ledger.withdraw("a", T + 0.4) == [ClearAudio()]
    assert ledger.withdraw("a", T + 0.4) == []
    assert not ledger.playing()
    assert ledger.heard() == []
    assert marks(add(ledger, "b", 100, T + 0.5)) == ["2:3:probe", "2:4:b:100"]
    ledger.mark("1:2:a:1000", T + 0.6)
    assert ledger.playing(), "a mark of what was withdrawn says nothing"


def test_the_position_of_playback_can_be_read() -> None:
    ledger = Playout()
    assert not ledger.played().open
    ledger.start(10.0)
    ledger.mark("1:1:probe", 10.05)
    mark = ledger.add("r1", "a", "", 800, 11.0)[-1]
    assert isinstance(mark, SendMark)
    before = ledger.played()
    assert (before.generation, before.open, before.confirmed, len(before.waiting)) == (
        1,
        True,
        0,
        1,
    )
    ledger.mark(mark.name, 11.16)
    after = ledger.played()
    assert (after.confirmed, len(after.waiting)) == (1, 0)
    assert after.round_trip_ms == pytest.approx(50.0)
    assert after.edge_ms == pytest.approx(11_110.0)
    ledger.stop(12.0)
    assert (ledger.played().generation, ledger.played().open) == (2, False)
