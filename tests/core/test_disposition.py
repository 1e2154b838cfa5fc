from __future__ import annotations

from typing import Any

import pytest

from hookflash.core.disposition import Disposition, find_disposition


def disposition(**differs: Any) -> Disposition:
    usual: dict[str, Any] = {
        "outcomes": (),
        "left_voicemail": False,
        "wants_callback": False,
        "let_go": False,
        "time_over": False,
        "hung_up_at_voicemail": False,
        "agent_was_heard": True,
    }
    return find_disposition(**{**usual, **differs})


def test_the_agent_handles_a_call_without_a_handoff() -> None:
    assert disposition() == "handled_by_agent"
    assert disposition(outcomes=["no-answer", "cancelled"]) == "handled_by_agent"


def test_a_caller_who_spoke_with_a_human_was_handed_off_whatever_came_after() -> None:
    outcomes = ["busy", "bridged", "caller-gone"]
    assert disposition(outcomes=outcomes, left_voicemail=True, let_go=True) == "handed_off"


def test_what_the_caller_left_counts_before_how_they_went() -> None:
    assert disposition(left_voicemail=True, wants_callback=True, let_go=True) == "voicemail"
    assert disposition(wants_callback=True, let_go=True) == "callback"


def test_a_caller_who_was_let_go_got_nobody() -> None:
    assert disposition(let_go=True, outcomes=["no-answer"]) == "failed"


def test_a_call_that_the_agent_ended_because_its_time_was_over_has_a_disposition_of_its_own() -> (
    None
):
    assert disposition(time_over=True, outcomes=["caller-gone"]) == "time_limit"
    assert disposition(time_over=True, outcomes=["bridged"]) == "handed_off"
    assert disposition(time_over=True, let_go=True) == "failed"


@pytest.mark.parametrize(
    "differs",
    [
        {"outcomes": ["no-answer", "caller-gone"]},
        {"hung_up_at_voicemail": True},
        {"agent_was_heard": False},
    ],
)
def test_a_caller_who_hung_up_too_early_has_abandoned_the_call(differs: dict[str, Any]) -> None:
    assert disposition(**differs) == "abandoned"


def test_a_caller_who_hung_up_in_an_earlier_attempt_was_helped_later() -> None:
    assert disposition(outcomes=["caller-gone", "no-answer"]) == "handled_by_agent"
