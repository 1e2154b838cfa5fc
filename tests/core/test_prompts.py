from __future__ import annotations

from typing import Any

import msgspec
import pytest

from hookflash.core import prompts
from hookflash.core.handoff_plan import Destination, HandoffPlan, Target

DESK = Destination(
    key="front_desk-2", when="", plan=HandoffPlan(targets=(Target.phone("+15550102"),))
)


def test_a_greeting_of_the_owner_is_said_word_for_word() -> None:
    assert '"Hello, Anna\'s bakery."' in prompts.greeting("Hello, Anna's bakery.")
    assert "word for word" not in prompts.greeting("")


def test_a_destination_is_spoken_of_as_a_person_would() -> None:
    assert prompts.spoken(DESK) == "front desk 2"
    assert '"I am connecting you with front desk 2 now' in prompts.farewell(DESK)


@pytest.mark.parametrize("outcome", ["busy", "no-answer", "declined", "failed", "machine", "odd"])
def test_the_caller_is_told_why_nobody_was_reached(outcome: str) -> None:
    known, said = prompts.came_back(DESK, outcome)
    assert prompts.why(outcome) in known
    assert prompts.why(outcome) in said


@pytest.mark.parametrize(
    ("offers", "message", "back"),
    [((), False, False), (("voicemail",), True, False), (("voicemail", "callback"), True, True)],
)
def test_what_may_be_offered_is_what_the_plan_allows(
    offers: tuple[Any, ...], message: bool, back: bool
) -> None:
    plan = HandoffPlan(targets=(Target.phone("+15550102"),), offers=offers)
    desk = Destination(key="desk", when="", plan=plan)
    known, wanted = prompts.came_back(desk, "busy")
    for text in (known, wanted, prompts.after_human(desk)[0]):
        assert ("record a message" in text) is message
        assert ("called back" in text) is back


def test_a_tools_status_is_json() -> None:
    status = msgspec.json.decode(prompts.tool_status("refused", 'got "x"'))
    assert status == {"status": "refused", "detail": 'got "x"'}
