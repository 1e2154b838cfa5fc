from __future__ import annotations

from hookflash.core.commands import EndLeg
from hookflash.core.handoff.legs import Legs, LegState


def test_a_leg_is_known_by_its_place_and_by_its_sid() -> None:
    legs = Legs()
    leg = legs.place(1, 0, 3)
    assert legs.find(1, 0) is leg and legs.find(1, None) is None and legs.find(2, 0) is None
    assert legs.by_sid("CA2") is None and legs.by_sid("") is None
    assert legs.sid_known(leg, "CA2") == []
    assert leg.state is LegState.RINGING
    assert legs.by_sid("CA2") is leg
    leg.state = LegState.ASKED
    assert legs.sid_known(leg, "CA2") == [] and leg.state is LegState.ASKED


def test_who_took_the_call_is_known_when_their_leg_is_over() -> None:
    legs = Legs()
    one, two = legs.place(1, 0, 3), legs.place(1, 1, 4)
    legs.take(two)
    assert legs.taken is two and legs.taker(1) == 4
    legs.over(two)
    assert legs.taken is None and legs.taker(1) == 4 and legs.taker(2) is None
    legs.end(one)
    assert legs.taker(1) == 4


def test_of_two_who_took_the_call_in_turn_the_last_one_has_it() -> None:
    legs = Legs()
    one, two, earlier = legs.place(2, 0, 3), legs.place(2, 1, 4), legs.place(1, 0, 5)
    legs.take(earlier)
    legs.over(earlier)
    legs.take(one)
    legs.over(one)
    legs.take(two)
    assert legs.chosen is two
    assert legs.taker(2) == 4 and legs.taker(1) == 5


def test_who_has_waited_for_longest_is_next() -> None:
    legs = Legs()
    one, two = legs.place(1, 0, 3), legs.place(1, 1, 4)
    assert legs.waiting is None and legs.chosen is None
    one.state, one.waits_since = LegState.WAITING, 8.0
    two.state, two.waits_since = LegState.WAITING, 7.0
    assert legs.waiting is two
    two.state = LegState.JOINING
    assert legs.waiting is one and legs.chosen is two


def test_a_released_leg_is_ended_once() -> None:
    legs = Legs()
    leg = legs.place(1, 0, 0)
    legs.sid_known(leg, "CA2")
    assert legs.end(leg) == [EndLeg("CA2")]
    assert legs.end(leg) == []
    assert legs.live == []


def test_a_leg_without_a_sid_is_ended_as_soon_as_it_has_one() -> None:
    legs = Legs()
    leg = legs.place(1, 0, 0)
    assert legs.end(leg) == []
    assert legs.sid_known(leg, "") == []
    assert legs.sid_known(leg, "CA2") == [EndLeg("CA2")]
    assert legs.sid_known(leg, "CA2") == []


def test_a_leg_that_is_over_or_told_so_is_not_ended_again() -> None:
    legs = Legs()
    one, two = legs.place(1, 0, 0), legs.place(1, 1, 1)
    for leg, sid in ((one, "CA2"), (two, "CA3")):
        legs.sid_known(leg, sid)
    legs.over(one)
    assert legs.end(one) == []
    assert legs.end(two, by_answer=True) == []


def test_a_leg_that_the_carrier_has_dialled_is_the_carriers_to_end() -> None:
    legs = Legs()
    leg = legs.place(1, 0, 0, dialled=True)
    legs.sid_known(leg, "CA2")
    assert legs.end(leg) == []


def test_all_legs_but_the_chosen_one_are_ended() -> None:
    legs = Legs()
    one, two = legs.place(1, 0, 0), legs.place(1, 1, 1)
    for leg, sid in ((one, "CA2"), (two, "CA3")):
        legs.sid_known(leg, sid)
    assert legs.taken is None
    one.state = LegState.TAKEN
    assert legs.taken is one
    assert legs.end_all(one) == [EndLeg("CA3")]
    assert legs.live == [one]
    assert legs.end_all() == [EndLeg("CA2")]
