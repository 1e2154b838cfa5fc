from __future__ import annotations

from hookflash.core.caller_leg.route import Route
from hookflash.core.caller_leg.states import RouteState
from hookflash.core.commands import CloseStream, ConnectAgent, HangUp, MoveCall

T = 1000.0
AGENT = (ConnectAgent(1),)
END = (HangUp(),)


def following() -> Route:
    route = Route(2.0)
    route.next_step()
    route.answer(0, "", AGENT)
    return route


def leaving() -> Route:
    route = following()
    route.next_step()
    assert route.move(END, T, where="stream") == [MoveCall(2, END, 2.0)]
    return route


def test_a_webhook_is_new_once() -> None:
    route = following()
    assert route.known_answer(0, "") == AGENT
    assert route.known_answer(1, "") is None
    route.next_step()
    route.answer(1, "", END)
    assert route.known_answer(1, "") == END
    assert route.known_answer(0, "") == AGENT


def test_a_late_question_is_answered_with_what_is_in_force_and_then_always() -> None:
    route = leaving()
    assert route.known_answer(1, "") == END
    route.next_step()
    route.answer(2, "", AGENT)
    assert route.known_answer(1, "") == END


def test_rest_is_watched_a_little_longer_than_the_shell_does() -> None:
    route = leaving()
    assert route.deadline == T + 2.25
    assert route.expire(T + 2) == []
    assert route.expire(T + 2.25) == [CloseStream()]
    assert route.state is RouteState.CLOSING


def test_a_refusal_uses_the_connect_action_once() -> None:
    route = leaving()
    assert route.refused(1, T, fixed=False) == []
    assert route.refused(2, T, fixed=False) == [CloseStream()]
    assert route.refused(2, T, fixed=False) == []


def test_a_move_ends_when_the_carrier_executes_it() -> None:
    for arrive in (
        lambda route: route.accepted(2, T, fixed=False),
        lambda route: route.known_answer(1, ""),
    ):
        route = leaving()
        arrive(route)  # type: ignore[no-untyped-call]
        assert route.state is RouteState.FOLLOWING
        assert route.deadline is None
        assert route.refused(2, T, fixed=False) == []


def test_an_older_acceptance_or_answer_does_not_end_the_move() -> None:
    route = leaving()
    route.accepted(1, T, fixed=False)
    assert route.known_answer(0, "") == AGENT
    assert route.state is RouteState.REST


def test_without_a_stream_the_carrier_is_waited_for_first() -> None:
    route = following()
    route.next_step()
    assert route.move(END, T, where="between") == []
    assert route.expire(T + 5) == [MoveCall(2, END, 2.0)]


def test_a_move_is_tried_three_times() -> None:
    route = leaving()
    now = T
    commands = []
    while (moves := route.expire(now)) is not None:
        commands += moves
        now += 0.5
    assert commands.count(CloseStream()) == 3
    assert commands.count(MoveCall(2, END, 2.0)) == 2, "besides the first"
    assert route.deadline is None


def test_a_move_that_was_given_up_and_done_all_the_same_is_put_right() -> None:
    """It may have undone what the carrier was answered since: that is done again, once."""
    for late in ("accepted", "refused"):
        route = leaving()
        route.refused(2, T, fixed=False)
        route.next_step()
        route.answer(1, "", AGENT)
        route.followed()
        assert getattr(route, late)(2, T, fixed=True) == []
        assert getattr(route, late)(2, T, fixed=False) == [MoveCall(3, AGENT, 2.0)]
        assert getattr(route, late)(2, T, fixed=False) == []


def test_a_move_that_was_seen_to_be_carried_out_is_not_put_right_when_rest_tells_of_it() -> None:
    for late in ("accepted", "refused"):
        route = leaving()
        assert route.known_answer(1, "") == END, "the carrier asks, so it is moved"
        route.next_step()
        route.answer(2, "", AGENT)
        assert getattr(route, late)(2, T, fixed=False) == []


def test_a_stream_that_an_older_move_may_have_ended_is_opened_again_once() -> None:
    route = leaving()
    assert route.stopped(T) == [], "it is being moved, and that is why"
    route.refused(2, T, fixed=False)
    route.next_step()
    route.answer(1, "", AGENT)
    route.followed()
    assert route.stopped(T) == [], "nobody else has moved it"
    route.accepted(2, T, fixed=True)
    assert route.stopped(T) == [MoveCall(3, AGENT, 2.0)]
    route.accepted(3, T, fixed=False)
    assert route.stopped(T) == []


def test_a_slow_rest_update_moves_the_caller_by_the_connect_action() -> None:
    """Nothing is heard since the first move: two in a row would be twice the silence."""
    route = leaving()
    route.next_step()
    assert route.move(AGENT, T + 2, where="leaving") == [CloseStream()]
    assert route.known_answer(2, "") == AGENT
    assert route.state is RouteState.FOLLOWING

    accepted = leaving()
    accepted.accepted(2, T, fixed=False)
    accepted.next_step()
    assert accepted.move(AGENT, T + 2, where="leaving") == [MoveCall(3, AGENT, 2.0)]

    closed = leaving()
    closed.refused(2, T, fixed=False)
    assert closed.expire(T + 5) == [MoveCall(2, END, 2.0)]
    closed.next_step()
    moves = closed.move(AGENT, T + 6, where="leaving")
    assert moves == [MoveCall(3, AGENT, 2.0)], "its stream was closed before: nobody would ask"


def test_without_a_stream_rest_is_tried_for_longer() -> None:
    route = following()
    route.next_step()
    now, moves = T, len(route.move(END, T, where="elsewhere"))
    while (then := route.expire(now := now + 10.0)) is not None:
        moves += sum(isinstance(each, MoveCall) for each in then)
    assert moves == 20
