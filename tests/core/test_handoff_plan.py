from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hookflash.core.handoff_plan import HandoffPlan, Target
from hookflash.errors import ConfigError

ANNA = Target.phone("+15550102")
DESK = Target.queue("support desk")


@pytest.mark.parametrize(
    ("make", "good"),
    [
        (Target.phone, "+15550102"),
        (Target.sip, "sip:desk@example.com"),
        (Target.sip, "SIPS:desk@example.com;transport=tls"),
        (Target.client, "anna.b@example.com"),
        (Target.queue, "WW0123456789abcdef0123456789abcdef"),
        (Target.queue, "support desk"),
    ],
)
def test_a_target_is_a_place_that_can_be_rung(make: Callable[[str], Target], good: str) -> None:
    assert make(good).address == good


@pytest.mark.parametrize(
    ("make", "bad"),
    [
        (Target.phone, "5550102"),
        (Target.phone, "+0550102"),
        (Target.phone, "+15550102;ext=1"),
        (Target.sip, "desk@example.com"),
        (Target.sip, "sip:a b@example.com"),
        (Target.sip, "sip:" + "a" * 250 + "@example.com"),
        (Target.client, "anna<script>"),
        (Target.client, ""),
        (Target.queue, "a/b"),
        (Target.queue, "x" * 65),
    ],
)
def test_what_cannot_be_rung_is_no_target(make: Callable[[str], Target], bad: str) -> None:
    with pytest.raises(ConfigError, match="expected"):
        make(bad)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"targets": ()}, "targets is empty"),
        ({"targets": (ANNA,) * 11, "order": "ring"}, "at most 10"),
        ({"targets": (ANNA, DESK), "order": "ring"}, "queue cannot ring"),
        ({"ring_seconds": 4}, "5 to 600"),
        ({"ring_seconds": 601}, "5 to 600"),
        ({"order": "round-robin"}, "order must be one of hunt, ring"),
        ({"manner": "lukewarm"}, "manner must be one of"),
        ({"otherwise": "pray"}, "otherwise must be one of"),
        ({"afterwards": "dance"}, "afterwards must be one of"),
        ({"caller_id": "5550102"}, "caller_id"),
    ],
)
def test_a_plan_that_cannot_work_is_refused_with_the_reason(
    wrong: dict[str, Any], says: str
) -> None:
    with pytest.raises(ConfigError, match=says):
        HandoffPlan(**({"targets": (ANNA,)} | wrong))


def test_plans_that_work() -> None:
    HandoffPlan(targets=(ANNA,) * 11)
    HandoffPlan(targets=(ANNA, DESK))
    HandoffPlan(targets=(DESK,), order="ring")
    HandoffPlan(targets=(ANNA,), caller_id="+15550109")
