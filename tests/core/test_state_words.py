"""The table of words for states has each state, and each is used as it stands."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from hookflash.core.delivery_retries import DeliveryState
from hookflash.core.disposition import Disposition
from hookflash.core.events import Outcome
from hookflash.core.handoff.states import HandoffState
from hookflash.core.phases import Phase
from hookflash.core.state_words import (
    ASKING,
    CALL_STATES,
    DELIVERY_STATES,
    DISPOSITIONS,
    OUTCOMES,
    SOURCES,
    state_of,
)

DOCS = Path(__file__).parents[2] / "docs" / "reference"


def test_each_phase_and_each_state_of_a_hand_off_has_one_word() -> None:
    reached = {state_of(phase.value, state.value) for phase in Phase for state in HandoffState}
    assert reached | {ASKING} == set(CALL_STATES)


def test_a_hand_off_that_runs_names_the_state_until_the_call_ends() -> None:
    assert state_of("ringing", "idle") == "answering"
    assert state_of("talking", "ringing") == "ringing"
    assert state_of("with a human", "with human") == "with human"
    assert state_of("with a human", "idle") == "with human"
    assert state_of("ended", "ringing") == "ended"


def test_the_other_tables_have_all_words() -> None:
    assert set(get_args(Outcome)) | {"closed"} == set(OUTCOMES)
    assert set(get_args(Disposition)) == set(DISPOSITIONS)
    assert set(get_args(DeliveryState)) == set(DELIVERY_STATES)
    assert set(SOURCES) == {"tool", "caller", "console", "policy", "application", "failure"}


def test_the_page_of_dispositions_has_the_same_words() -> None:
    page = (DOCS / "dispositions.md").read_text()
    for word in (*OUTCOMES, *DISPOSITIONS):
        assert f"| `{word}` |" in page, word
