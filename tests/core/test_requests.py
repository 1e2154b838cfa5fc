"""The queue of requests to the model, and the one response that runs."""

from __future__ import annotations

import pytest

from hookflash.core.commands import CancelResponse, RequestResponse
from hookflash.core.conversation.requests import ALREADY_ACTIVE, Kind, Request, Requests
from hookflash.core.conversation.states import RequestState

T = 1000.0
WORDS = Request(Kind.HANDOFF, "Say hello.")
GO_ON = Request(Kind.TOOL)
OWED = Request(Kind.OWED)
COMPANY = Request(Kind.COMPANY, "It still rings.", "none")
GREETING = Request(Kind.GREETING, "Greet.")
OPENING = Request(Kind.OPENING, "Welcome back.")


def sent(request: Request, number: int = 1) -> list[RequestResponse]:
    """The command that sends a request."""
    return [RequestResponse(request.instructions, request.tools, f"request-{number}")]


def spoken(requests: Requests, response_id: str, request_id: str = "") -> None:
    """A response is spoken to its end."""
    assert requests.response_started(response_id, request_id, T) == []
    requests.sounded(T)
    assert requests.response_ended(response_id, "completed", 0.0, T)


def asked(request: Request) -> Requests:
    requests = Requests()
    assert requests.ask(request, T) == sent(request)
    return requests


# --- the queue --------------------------------------------------------------------------------


def test_a_request_is_sent_at_once_when_the_model_is_free() -> None:
    requests = Requests()
    assert not requests.busy and not requests.asks and not requests.owes
    assert requests.ask(WORDS, T) == sent(WORDS)
    assert requests.state is RequestState.ASKED
    assert requests.busy and requests.asks and requests.owes
    assert not requests.answering


def test_a_request_waits_for_the_running_response() -> None:
    requests = Requests()
    requests.response_started("r1", "", T)
    assert requests.answering
    assert requests.ask(GO_ON, T) == []
    requests.sounded(T)
    assert requests.response_ended("other", "completed", 0.0, T)
    assert requests.send_next(T) == [], "that was not the running one"
    assert requests.response_ended("r1", "completed", 0.0, T)
    assert requests.send_next(T) == sent(GO_ON)


def test_each_request_has_an_id_of_its_own() -> None:
    requests = asked(WORDS)
    spoken(requests, "r1", "request-1")
    assert requests.ask(WORDS, T) == sent(WORDS, 2)


def test_the_queue_is_in_the_order_of_the_kinds() -> None:
    requests = Requests()
    requests.response_started("r1", "", T)
    for kind in reversed(Kind):
        requests.put(Request(kind, kind.name))
    requests.sounded(T)
    requests.response_ended("r1", "completed", 0.0, T)
    said = []
    for number, _ in enumerate(Kind, 1):
        (command,) = requests.send_next(T)
        said.append(command.instructions)
        spoken(requests, f"r{number + 1}", command.request_id)
    assert said == [kind.name for kind in Kind]
    assert not requests.busy


def test_two_requests_of_a_kind_are_both_sent_in_the_order_they_came() -> None:
    requests = Requests()
    for text in ("One.", "Two."):
        requests.put(Request(Kind.HUMANS_WORDS, text))
    assert requests.send_next(T)[0].instructions == "One."
    spoken(requests, "r1", "request-1")
    assert requests.send_next(T)[0].instructions == "Two."


def test_a_request_without_words_is_there_once_at_most() -> None:
    requests = Requests()
    requests.put(GO_ON)
    requests.put(GO_ON)
    requests.put(OWED)
    assert requests.send_next(T) == sent(GO_ON)
    spoken(requests, "r1", "request-1")
    assert requests.send_next(T) == sent(OWED, 2)
    spoken(requests, "r2", "request-2")
    assert requests.send_next(T) == []


def test_of_prompts_only_the_newest_is_made() -> None:
    requests = Requests()
    for text in ("Are you there?", "Hello?"):
        requests.put(Request(Kind.PROMPT, text))
    assert requests.send_next(T)[0].instructions == "Hello?"
    assert not requests.owes, "nobody waits for it"
    spoken(requests, "r1", "request-1")
    assert not requests.busy


def test_what_was_not_sent_can_be_dropped() -> None:
    requests = Requests()
    requests.put(COMPANY)
    requests.put(GO_ON)
    requests.drop(Kind.COMPANY, Kind.PROMPT)
    assert requests.send_next(T) == sent(GO_ON)
    spoken(requests, "r1", "request-1")
    assert not requests.busy


def test_a_request_to_keep_the_caller_company_is_never_owed() -> None:
    requests = Requests()
    requests.put(COMPANY)
    assert requests.busy and not requests.owes
    requests.send_next(T)
    assert not requests.owes
    requests.response_started("r1", "request-1", T)
    assert not requests.owes
    requests.put(GO_ON)
    assert not requests.owes, "not while something else is said"
    requests.sounded(T)
    requests.response_ended("r1", "completed", 0.0, T)
    assert requests.owes


def test_the_models_own_answer_is_owed_until_it_has_ended() -> None:
    requests = Requests()
    requests.response_started("own", "", T)
    assert requests.owes
    requests.sounded(T)
    assert requests.owes
    requests.response_ended("own", "completed", 0.0, T)
    assert not requests.owes


# --- what is not true any more ----------------------------------------------------------------


def test_what_is_superseded_is_not_sent() -> None:
    requests = Requests()
    requests.put(COMPANY)
    assert requests.supersede(Kind.COMPANY) == []
    assert requests.send_next(T) == []


def test_what_is_superseded_and_has_no_sound_yet_is_stopped() -> None:
    requests = asked(COMPANY)
    requests.response_started("r1", "request-1", T)
    assert requests.supersede(Kind.HANDOFF) == []
    assert requests.supersede(Kind.COMPANY) == [CancelResponse("r1")]
    requests.cancelled(T)
    assert requests.supersede(Kind.COMPANY) == [], "once"


def test_what_is_superseded_and_is_being_heard_is_said_to_its_end() -> None:
    requests = asked(COMPANY)
    requests.response_started("r1", "request-1", T)
    requests.sounded(T)
    assert requests.supersede(Kind.COMPANY) == []


def test_what_is_superseded_on_its_way_is_not_begun() -> None:
    requests = asked(COMPANY)
    assert requests.supersede(Kind.COMPANY) == []
    assert not requests.owes
    assert requests.response_started("r1", "request-1", T) == [CancelResponse("r1")]


def test_what_is_superseded_on_its_way_does_not_stop_the_models_own_answer() -> None:
    requests = asked(COMPANY)
    requests.supersede(Kind.COMPANY)
    assert requests.response_started("own", "", T) == []


def test_everything_can_be_dropped_that_was_asked_for_too() -> None:
    requests = asked(WORDS)
    requests.put(GO_ON)
    requests.drop_all(T)
    assert not requests.asks and not requests.owes
    requests.lost(T)
    assert not requests.busy


def test_a_request_that_was_dropped_is_not_kept_when_it_is_refused() -> None:
    requests = asked(WORDS)
    requests.drop_all(T)
    requests.refused(ALREADY_ACTIVE, "request-1", T)
    assert requests.expire(T + 2) == []
    assert not requests.busy


# --- the model's own answers ------------------------------------------------------------------


@pytest.mark.parametrize("request_", [GO_ON, OWED, GREETING, OPENING])
def test_a_request_that_the_models_own_answer_meets_is_not_made(request_: Request) -> None:
    requests = Requests()
    requests.caller_started()
    assert requests.ask(request_, T) == []
    requests.caller_stopped(T)
    spoken(requests, "own")
    assert requests.send_next(T) == []
    assert not requests.busy


def test_words_follow_the_models_own_answer() -> None:
    requests = Requests()
    requests.caller_started()
    requests.ask(WORDS, T)
    requests.caller_stopped(T)
    spoken(requests, "own")
    assert requests.send_next(T) == sent(WORDS)


def test_a_greeting_that_is_protected_follows_the_models_own_answer() -> None:
    requests = asked(GREETING)
    requests.protected = True
    stopped = requests.response_started("own", "", T, own_is_due=True)
    assert stopped == [CancelResponse("own")]
    requests.cancelled(T)
    requests.refused(ALREADY_ACTIVE, "request-1", T)
    assert requests.response_ended("own", "cancelled", 0.0, T)
    assert requests.send_next(T) == sent(GREETING, 2)
    spoken(requests, "r2", "request-2")
    assert requests.send_next(T) == sent(OWED, 3), "and the caller's turn is answered after it"


def test_the_models_own_answer_is_not_stopped_when_no_first_line_is_due() -> None:
    requests = asked(Request(Kind.CONSENT, "Recorded."))
    requests.protected = True
    spoken(requests, "r1", "request-1")
    assert requests.response_started("own", "", T) == []


def test_what_the_own_answer_may_not_know_is_asked_again_when_it_is_refused() -> None:
    requests = asked(GO_ON)
    requests.put(GO_ON)
    assert requests.response_started("own", "", T, own_is_due=True) == []
    requests.refused(ALREADY_ACTIVE, "request-1", T)
    requests.sounded(T)
    requests.response_ended("own", "completed", 0.0, T)
    assert requests.send_next(T) == sent(GO_ON, 2)
    spoken(requests, "r2", "request-2")
    assert not requests.busy, "once"


def test_an_answer_that_was_asked_for_is_met_by_the_models_own() -> None:
    requests = asked(OWED)
    requests.response_started("own", "", T, own_is_due=True)
    requests.sounded(T)
    requests.response_ended("own", "completed", 0.0, T)
    requests.refused(ALREADY_ACTIVE, "request-1", T)
    assert not requests.busy


def test_if_the_model_does_not_answer_the_caller_the_request_is_sent() -> None:
    requests = Requests()
    requests.caller_started()
    requests.ask(GO_ON, T)
    requests.caller_stopped(T)
    assert requests.deadline == T + 2
    assert not requests.paused
    assert requests.expire(T + 1) == []
    assert requests.expire(T + 2) == sent(GO_ON)


def test_a_caller_who_stops_while_nothing_is_asked_changes_nothing() -> None:
    requests = Requests()
    requests.caller_started()
    requests.caller_stopped(T)
    assert requests.deadline is None


def test_a_session_that_echoes_ids_shows_which_response_is_ours() -> None:
    requests = asked(WORDS)
    spoken(requests, "r1", "request-1")
    requests.ask(WORDS, T)
    assert requests.response_started("own", "", T) == []
    assert requests.owes and requests.asks, "that is the model's own answer"
    requests.sounded(T)
    requests.response_ended("own", "completed", 0.0, T)
    spoken(requests, "r2", "request-2")
    assert not requests.asks


def test_a_session_that_echoes_no_ids_begins_what_was_asked_for() -> None:
    requests = asked(WORDS)
    spoken(requests, "r1")
    assert not requests.busy


def test_without_ids_a_turn_of_the_caller_tells_the_models_own_answer() -> None:
    requests = asked(WORDS)
    requests.response_started("own", "", T, own_is_due=True)
    assert requests.answers and not requests.saying(Kind.HANDOFF)
    assert requests.asks, "ours is still to come"
    requests.response_started("r1", "", T)
    assert requests.saying(Kind.HANDOFF)
    assert not requests.asks


@pytest.mark.parametrize("kind", Kind)
def test_some_of_what_is_said_is_no_answer_to_the_callers_turn(kind: Kind) -> None:
    requests = asked(Request(kind, "Words."))
    requests.response_started("r1", "request-1", T)
    assert requests.saying(kind)
    none = {Kind.CONSENT, Kind.HUMANS_WORDS, Kind.GREETING, Kind.COMPANY}
    none |= {Kind.ALMOST_OVER, Kind.PROMPT}
    assert requests.answers == (kind not in none)


def test_a_request_is_pending_until_its_response_has_ended() -> None:
    requests = Requests()
    assert not requests.pending(Kind.HANDOFF)
    requests.put(WORDS)
    assert requests.pending(WORDS.kind) and not requests.pending(Kind.PROMPT)
    requests.send_next(T)
    assert requests.pending(WORDS.kind)
    requests.response_started("r1", "request-1", T)
    requests.sounded(T)
    assert requests.pending(WORDS.kind)
    requests.response_ended("r1", "completed", 0.0, T)
    assert not requests.pending(WORDS.kind)


def test_the_id_of_another_request_is_not_the_one_that_is_asked() -> None:
    requests = asked(WORDS)
    assert requests.response_started("old", "request-0", T) == []
    assert requests.asks


# --- barge-in ---------------------------------------------------------------------------------


def test_ours_that_crosses_the_callers_speech_is_cancelled_and_its_words_kept() -> None:
    requests = asked(WORDS)
    requests.caller_started()
    assert requests.response_started("r1", "request-1", T) == [CancelResponse("r1")]
    requests.cancelled(T)
    assert requests.response_ended("r1", "cancelled", 0.0, T)
    assert requests.send_next(T) == []
    requests.caller_stopped(T)
    assert requests.expire(T + 2) == sent(WORDS, 2)


def test_ours_without_words_that_crosses_the_callers_speech_is_cancelled_for_good() -> None:
    requests = asked(GO_ON)
    requests.caller_started()
    assert requests.response_started("r1", "request-1", T) == [CancelResponse("r1")]
    requests.cancelled(T)
    assert requests.response_ended("r1", "cancelled", 0.0, T)
    assert not requests.busy


def test_an_own_answer_that_crosses_the_callers_speech_is_cancelled() -> None:
    requests = Requests()
    requests.caller_started()
    assert requests.response_started("own", "", T) == [CancelResponse("own")]
    requests.cancelled(T)
    requests.response_ended("own", "cancelled", 0.0, T)
    assert not requests.busy


def test_a_protected_line_is_not_taken_away() -> None:
    requests = Requests()
    requests.protected = True
    assert requests.ask(WORDS, T) == sent(WORDS)
    requests.caller_started()
    assert requests.response_started("r1", "request-1", T) == []


def test_a_protected_line_is_sent_although_the_caller_speaks() -> None:
    requests = Requests()
    requests.caller_started()
    assert requests.ask(WORDS, T) == []
    requests.protected = True
    assert requests.send_next(T) == sent(WORDS)


def test_waiting_for_the_end_of_a_cancelled_response_has_a_limit() -> None:
    requests = Requests()
    requests.response_started("r1", "", T)
    requests.ask(WORDS, T)
    assert requests.cancel() == [CancelResponse("r1")]
    requests.cancelled(T)
    assert requests.state is RequestState.CANCELLING
    assert requests.cancel() == [], "once"
    requests.cancelled(T + 1)
    assert requests.deadline == T + 1.5, "and its time does not begin again"
    assert requests.expire(T + 1.4) == []
    assert not requests.overdue(T + 1.5), "a session is not lost by it"
    assert requests.expire(T + 1.5) == sent(WORDS)
    assert requests.response_ended("r1", "cancelled", 0.0, T + 2)
    assert requests.state is RequestState.ASKED, "its end comes too late"  # type: ignore[comparison-overlap]


def test_when_nothing_runs_there_is_nothing_to_cancel() -> None:
    requests = Requests()
    assert requests.cancel() == []
    requests.cancelled(T)
    assert requests.state is RequestState.FREE


# --- refusals ---------------------------------------------------------------------------------


@pytest.mark.parametrize("request_", [WORDS, GO_ON])
@pytest.mark.parametrize("request_id", ["", "request-1"])
def test_a_refused_request_is_kept_until_the_other_response_is_over(
    request_: Request, request_id: str
) -> None:
    requests = asked(request_)
    requests.response_started("own", "", T, own_is_due=True)
    requests.refused(ALREADY_ACTIVE, request_id, T)
    requests.sounded(T)
    assert requests.response_ended("own", "completed", 0.0, T)
    assert requests.send_next(T) == sent(request_, 2)


def test_a_refused_request_is_sent_again_if_the_other_response_is_never_seen() -> None:
    requests = asked(WORDS)
    requests.refused("something_else", "request-1", T)
    requests.refused(ALREADY_ACTIVE, "request-7", T)
    assert requests.state is RequestState.ASKED
    requests.refused(ALREADY_ACTIVE, "request-1", T)
    assert requests.state is RequestState.FREE  # type: ignore[comparison-overlap]
    assert requests.send_next(T + 1) == []
    assert requests.expire(T + 2) == sent(WORDS, 2)


# --- failures ---------------------------------------------------------------------------------


def test_a_failed_response_is_retried_twice() -> None:
    requests = asked(WORDS)
    assert requests.response_ended("unknown", "failed", 0.0, T), "that was not the running one"
    for number in (1, 2):
        requests.response_started("r", f"request-{number}", T)
        assert requests.response_ended("r", "failed", 0.0, T)
        assert requests.paused
        assert requests.send_next(T) == [], "after a moment"
        assert requests.expire(T + 1) == sent(WORDS, number + 1)
        assert not requests.paused
    requests.response_started("r", "request-3", T)
    assert not requests.response_ended("r", "failed", 0.0, T)


@pytest.mark.parametrize("status", ["completed", "incomplete"])
def test_a_response_without_a_sound_is_asked_for_again_at_once(status: str) -> None:
    requests = asked(WORDS)
    for number in (1, 2):
        requests.response_started("r", f"request-{number}", T)
        assert requests.response_ended("r", status, 0.0, T)  # type: ignore[arg-type]
        assert not requests.paused
        assert requests.send_next(T) == sent(WORDS, number + 1)
    requests.response_started("r", "request-3", T)
    assert not requests.response_ended("r", status, 0.0, T)  # type: ignore[arg-type]


def test_a_response_that_has_called_a_tool_needs_no_sound() -> None:
    requests = asked(WORDS)
    requests.response_started("r1", "request-1", T)
    requests.called_tool(T)
    assert requests.response_ended("r1", "completed", 0.0, T)
    assert not requests.busy
    requests.response_started("r2", "", T)
    assert requests.response_ended("r2", "completed", 0.0, T)
    assert requests.busy, "which says nothing about the next response"


def test_the_models_own_answer_is_retried_too() -> None:
    requests = Requests()
    requests.response_started("own", "", T)
    assert requests.response_ended("own", "failed", 0.0, T)
    assert requests.expire(T + 1) == sent(OWED)


@pytest.mark.parametrize(("wanted", "seconds"), [(0.2, 1.0), (7.5, 7.6), (60.0, 20.1)])
def test_a_models_retry_delay_is_respected(wanted: float, seconds: float) -> None:
    requests = asked(WORDS)
    requests.response_started("r1", "request-1", T)
    requests.response_ended("r1", "failed", wanted, T)
    assert requests.deadline == T + seconds
    assert requests.expire(T + seconds - 0.1) == []
    assert requests.paused
    assert requests.expire(T + seconds) == sent(WORDS, 2)


def test_a_caller_who_speaks_does_not_shorten_what_the_model_asked_for() -> None:
    requests = asked(WORDS)
    requests.response_started("r1", "request-1", T)
    requests.response_ended("r1", "failed", 10.0, T)
    requests.caller_started()
    requests.caller_stopped(T + 1)
    assert requests.paused
    assert requests.expire(T + 3) == []


def test_a_success_resets_the_count_of_failures() -> None:
    requests = Requests()
    for _ in range(5):
        requests.response_started("r", "", T)
        assert requests.response_ended("r", "failed", 0.0, T)
        requests.expire(T + 1)
        spoken(requests, "r")
    assert requests.failures == 0


def test_only_a_response_that_was_spoken_to_its_end_is_a_success() -> None:
    requests = Requests()
    requests.response_started("r1", "", T)
    requests.response_ended("r1", "failed", 0.0, T)
    for response, status in (("r2", "cancelled"), ("r3", "incomplete")):
        requests.response_started(response, "", T)
        requests.sounded(T)
        assert requests.response_ended(response, status, 0.0, T)  # type: ignore[arg-type]
        assert requests.failures == 1


# --- what takes too long ----------------------------------------------------------------------


def test_what_was_asked_for_must_begin_in_time() -> None:
    requests = asked(WORDS)
    assert requests.deadline == T + 10
    assert not requests.overdue(T + 9)
    assert requests.overdue(T + 10)
    requests.ask(GO_ON, T + 1)
    requests.caller_started()
    requests.caller_stopped(T + 1)
    assert requests.deadline == T + 3, "the nearer of both"
    assert requests.expire(T + 3) == []
    requests.response_started("r1", "request-1", T + 5)
    assert requests.deadline == T + 25, "a response without a sound is no answer"
    assert not requests.overdue(T + 24)
    assert requests.overdue(T + 25)
    requests.sounded(T + 25)
    assert requests.state is RequestState.SPEAKING
    assert requests.deadline == T + 35, "nor is one that stops in the middle"
    requests.sounded(T + 30)
    assert requests.deadline == T + 40
    requests.called_tool(T + 31)
    assert requests.deadline == T + 41, "it calls a tool, and may speak on"
    assert not requests.overdue(T + 40)
    assert requests.overdue(T + 41)
    requests.response_ended("r1", "completed", 0.0, T + 41)
    assert requests.deadline is None


def test_sound_that_comes_when_nothing_runs_changes_no_state() -> None:
    requests = Requests()
    requests.sounded(T)
    assert requests.state is RequestState.FREE


# --- a session that is gone -------------------------------------------------------------------


def test_what_a_lost_session_was_asked_for_the_next_one_says() -> None:
    requests = asked(WORDS)
    requests.put(GO_ON)
    requests.lost(T)
    assert requests.cancel() == []
    assert requests.deadline is None
    assert requests.send_next(T) == sent(WORDS, 2)
    spoken(requests, "r1")
    assert requests.send_next(T) == sent(GO_ON, 3)


def test_what_a_lost_session_had_begun_without_a_sound_the_next_one_says() -> None:
    requests = asked(WORDS)
    requests.response_started("r1", "request-1", T)
    requests.lost(T)
    assert requests.send_next(T) == sent(WORDS, 2)


def test_what_a_lost_session_was_saying_is_not_said_again() -> None:
    requests = asked(WORDS)
    requests.response_started("r1", "request-1", T)
    requests.sounded(T)
    requests.lost(T)
    assert not requests.busy


def test_what_a_lost_session_was_asked_without_words_is_gone_with_it() -> None:
    requests = asked(GO_ON)
    requests.lost(T)
    assert not requests.busy


def test_a_line_about_recording_that_a_lost_session_has_not_said_is_not_kept_here() -> None:
    consent = Request(Kind.CONSENT, "This call is recorded.")
    for begun in (False, True):
        requests = asked(consent)
        if begun:
            requests.response_started("r1", "request-1", T)
        requests.lost(T)
        assert not requests.busy, "it is asked for anew, or it is not due any more"


def test_the_next_session_need_not_echo_ids() -> None:
    requests = asked(WORDS)
    spoken(requests, "r1", "request-1")
    requests.caller_started()
    requests.lost(T)
    assert not requests.caller_speaking
    requests.ask(WORDS, T)
    spoken(requests, "r1")
    assert not requests.busy


def test_when_the_talk_is_over_nothing_is_asked_any_more() -> None:
    requests = asked(WORDS)
    requests.put(GO_ON)
    requests.failures = 2
    requests.forget(T)
    assert requests.cancel() == []
    assert not requests.busy
    assert requests.deadline is None
    assert requests.failures == 0
