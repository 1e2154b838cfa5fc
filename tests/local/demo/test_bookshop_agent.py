from __future__ import annotations

import pytest

from hookflash import ToolError
from hookflash_local.demo.bookshop_agent import agent, order_status


async def test_an_order_is_found_however_its_number_is_written() -> None:
    assert (await order_status("4571")).startswith("Order 4571")
    assert (await order_status("4 5-7 1")).startswith("Order 4571")


async def test_an_unknown_order_is_told_to_the_model() -> None:
    with pytest.raises(ToolError, match="no order with the number 9"):
        await order_status("9")


def test_the_agent_is_complete_and_has_one_person_to_turn_to() -> None:
    assert agent.check() is agent
    assert [each.key for each in agent.destinations] == ["support"]
