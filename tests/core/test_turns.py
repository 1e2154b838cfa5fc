from __future__ import annotations

from hookflash.core.commands import CancelResponse, RequestResponse
from hookflash.core.conversation.requests import ALREADY_ACTIVE, Requests
from hookflash.core.conversation.states import RequestState

WORDS = RequestResponse("Say hello.")
GO_ON = RequestResponse()
T = 1000.0


def test_a_wish_is_granted_at_once_when_the_floor_is_free() -> None:
    floor = Requests()
    assert floor.ask(WORDS, T) == [WORDS]
    assert floor.state is RequestState.ASKED
    assert floor.busy


def test_a_wish_waits_for_the_running_response() -> None:
    floor = Requests()
    floor.response_started("r1", T)
    assert floor.ask(GO_ON, T) == []
    assert floor.response_ended("other", T) == []
    assert floor.response_ended("r1", T) == [GO_ON]


def test_words_outrank_no_words() -> None:
    floor = Requests()
    floor.response_started("r1", T)
    floor.ask(GO_ON, T)
    floor.ask(WORDS, T)
    floor.ask(GO_ON, T)
    assert floor.response_ended("r1", T) == [WORDS]


def test_a_wish_without_words_is_met_by_the_models_own_response() -> None:
    floor = Requests()
    floor.caller_started()
    assert floor.ask(GO_ON, T) == []
    floor.caller_stopped(T)
    floor.response_started("own", T)
    assert floor.response_ended("own", T) == []
    assert not floor.busy


def test_a_wish_with_words_follows_the_models_own_response() -> None:
    floor = Requests()
    floor.caller_started()
    floor.ask(WORDS, T)
    floor.caller_stopped(T)
    floor.response_started("own", T)
    assert floor.response_ended("own", T) == [WORDS]


def test_if_the_model_does_not_answer_the_caller_the_wish_is_granted() -> None:
    floor = Requests()
    floor.caller_started()
    floor.ask(GO_ON, T)
    floor.caller_stopped(T)
    assert floor.deadline == T + 2
    assert floor.expire(T + 1) == []
    assert floor.expire(T + 2) == [GO_ON]


def test_what_was_asked_for_must_begin_in_time() -> None:
    floor = Requests()
    floor.ask(WORDS, T)
    assert floor.deadline == T + 10
    assert not floor.overdue(T + 9)
    assert floor.overdue(T + 10)
    floor.ask(GO_ON, T + 1)
    floor.caller_started()
    floor.caller_stopped(T + 1)
    assert floor.deadline == T + 3, "the nearer of both"
    assert floor.expire(T + 3) == []
    floor.response_started("r1", T + 5)
    assert floor.deadline == T + 25, "a response without a sound is no answer"
    assert not floor.overdue(T + 24)
    assert floor.overdue(T + 25)
    floor.sounded(T + 25)
    assert not floor.overdue(T + 99)
    assert floor.deadline is None


def test_ours_that_crosses_the_callers_speech_is_cancelled_and_its_words_kept() -> None:
    floor = Requests()
    floor.ask(WORDS, T)
    floor.caller_started()
    assert floor.response_started("r1", T) == [CancelResponse("r1")]
    assert floor.response_ended("r1", T) == []
    floor.caller_stopped(T)
    assert floor.expire(T + 2) == [WORDS]


def test_ours_without_words_that_crosses_the_callers_speech_is_cancelled_for_good() -> None:
    floor = Requests()
    floor.ask(GO_ON, T)
    floor.caller_started()
    assert floor.response_started("r1", T) == [CancelResponse("r1")]
    assert floor.response_ended("r1", T) == []
    assert not floor.busy


def test_a_protected_line_is_not_taken_away() -> None:
    floor = Requests()
    floor.protected = True
    floor.ask(WORDS, T)
    assert not floor.caller_started()
    assert floor.response_started("r1", T) == []


def test_a_refused_request_is_kept_until_the_other_response_is_over() -> None:
    for wish in (WORDS, GO_ON):
        floor = Requests()
        floor.ask(wish, T)
        floor.response_started("own", T)
        floor.refused(ALREADY_ACTIVE, T)
        assert floor.response_ended("own", T) == [wish]


def test_a_refused_request_whose_rival_is_never_seen_is_made_again() -> None:
    floor = Requests()
    floor.ask(WORDS, T)
    floor.refused("something_else", T)
    assert floor.state is RequestState.ASKED
    floor.refused(ALREADY_ACTIVE, T)
    assert floor.state is RequestState.FREE
    assert floor.expire(T + 2) == [WORDS]


def test_a_wish_that_was_dropped_is_not_kept_when_it_is_refused() -> None:
    floor = Requests()
    floor.ask(WORDS, T)
    floor.drop_wish(T)
    floor.refused(ALREADY_ACTIVE, T)
    assert floor.expire(T + 2) == []
    assert not floor.busy


def test_a_failed_response_is_retried_twice() -> None:
    floor = Requests()
    floor.ask(WORDS, T)
    assert floor.response_failed("unknown", T), "that was not the running one"
    for _ in range(2):
        floor.response_started("r", T)
        assert floor.response_failed("r", T)
        assert floor.expire(T + 1) == [WORDS]
    floor.response_started("r", T)
    assert not floor.response_failed("r", T)


def test_the_models_own_answer_is_retried_too() -> None:
    floor = Requests()
    floor.response_started("own", T)
    assert floor.response_failed("own", T)
    assert floor.expire(T + 1) == [GO_ON]


def test_a_success_or_a_new_session_forgets_the_failures() -> None:
    floor = Requests()
    for _ in range(5):
        floor.response_started("r", T)
        assert floor.response_failed("r", T)
        floor.response_started("r", T)
        floor.response_ended("r", T)
    floor.failures = 2
    assert not floor.forget(T)
    assert floor.failures == 0


def test_a_session_that_is_gone_owes_what_was_asked_of_it() -> None:
    floor = Requests()
    floor.ask(WORDS, T)
    assert floor.forget(T)
    assert floor.cancel() == []
    assert not floor.busy
    assert floor.deadline is None
