"""The tools that an agent has by itself: only what some plan of its can keep."""

from __future__ import annotations

import pytest

from hookflash.agents.builtin_tool_specs import CONSULT_TOOLS, END_CALL, handoff_tools
from hookflash.agents.tool import RESERVED_TOOLS
from hookflash.core import builtin_tools
from hookflash.core.handoff_plan import Destination, HandoffPlan, Target

ANNA = (Target.client("anna"),)


def names(*plans: HandoffPlan) -> list[str]:
    destinations = [
        Destination(key=f"d{number}", when="x", plan=plan) for number, plan in enumerate(plans)
    ]
    return [tool.name for tool in handoff_tools(destinations)]


@pytest.mark.parametrize(
    ("plans", "more"),
    [
        ([HandoffPlan(targets=ANNA)], []),
        ([HandoffPlan(targets=ANNA, manner="warm")], ["cancel_transfer"]),
        ([HandoffPlan(targets=ANNA, manner="consult")], ["cancel_transfer"]),
        ([HandoffPlan(targets=ANNA, otherwise="voicemail")], ["take_voicemail"]),
        ([HandoffPlan(targets=ANNA, offers=("voicemail",))], ["take_voicemail"]),
        ([HandoffPlan(targets=ANNA, otherwise="callback")], ["schedule_callback"]),
        ([HandoffPlan(targets=ANNA, offers=("callback",))], ["schedule_callback"]),
        (
            [
                HandoffPlan(targets=ANNA, manner="warm", otherwise="hang-up"),
                HandoffPlan(targets=ANNA, offers=("callback", "voicemail")),
            ],
            ["cancel_transfer", "take_voicemail", "schedule_callback"],
        ),
    ],
)
def test_a_model_is_offered_what_some_plan_can_keep(plans, more: list[str]) -> None:
    assert names(*plans) == ["transfer_to_human", *more]


def test_without_destinations_there_is_nothing_to_offer() -> None:
    assert names() == []


def test_a_model_that_talks_with_a_human_decides_one_thing() -> None:
    assert [tool.name for tool in CONSULT_TOOLS] == [
        builtin_tools.CONNECT_TOOL,
        builtin_tools.DECLINE_TOOL,
        builtin_tools.LEFT_TOOL,
    ]


def test_none_of_these_names_can_be_an_owners_tool() -> None:
    plan = HandoffPlan(targets=ANNA, manner="warm", offers=("callback", "voicemail"))
    ours = {*names(plan), END_CALL.name, *(tool.name for tool in CONSULT_TOOLS)}
    assert ours <= set(RESERVED_TOOLS)


def test_every_schema_is_an_object_that_takes_nothing_else() -> None:
    plan = HandoffPlan(targets=ANNA, manner="warm", offers=("callback", "voicemail"))
    destination = Destination(key="desk", when="x", plan=plan)
    for tool in (*handoff_tools([destination]), END_CALL, *CONSULT_TOOLS):
        assert tool.parameters["type"] == "object"
        assert tool.parameters["additionalProperties"] is False
        assert set(tool.parameters["required"]) == set(tool.parameters["properties"])
