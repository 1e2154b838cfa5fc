"""Ten thousand walks through hand-offs: whatever comes in whatever order, nobody is left behind.

A walk lets things happen at random (`walker.py`) in a small world that has the truth (`world.py`).
After each step and at the end: every question is answered, no leg is left over, the last words are
never cut, and there is always a record. And four times in each second that passes: no caller has
heard nothing, no agent, human, ringing or music, for more than three seconds.
"""

from __future__ import annotations

from typing import Any

import pytest

from hookflash.core.handoff_plan import Destination, HandoffPlan, Target, queue_target
from hookflash.core.setup import CallSetup

from .walker import Walker

ANNA, BEN = Target.phone("+15550102"), Target.phone("+15550103")
BOTH = (ANNA, BEN)
WALKS, STEPS = 1000, 70

PLANS: dict[str, dict[str, Any]] = {
    "cold": {"targets": BOTH},
    "cold, screened": {"targets": BOTH, "accept": "press-1", "otherwise": "voicemail"},
    "cold ring, screened": {"targets": BOTH, "order": "ring", "accept": "press-1"},
    "warm hunt": {"targets": BOTH, "manner": "warm", "afterwards": "return"},
    "warm ring": {"targets": BOTH, "manner": "warm", "order": "ring", "otherwise": "voicemail"},
    "warm, whoever answers": {"targets": BOTH, "manner": "warm", "accept": "human-detected"},
    "warm, ends": {"targets": (ANNA,), "manner": "warm", "otherwise": "hang-up", "attempts": 2},
    "consult": {"targets": BOTH, "manner": "consult", "otherwise": "callback"},
    "queue": {"targets": (queue_target("support"), ANNA), "otherwise": "return"},
    "refer": {"targets": (Target.sip("sip:a@example.com"),), "manner": "refer"},
}


def walk(seed: int, plan: dict[str, Any]) -> Walker:
    to = Destination(key="desk", when="", plan=HandoffPlan(**plan), checked=seed % 3 == 0)
    setup = CallSetup(destinations=(to,), fallback="desk" if seed % 2 else None, key_to_human="0")
    walker = Walker(seed, setup)
    try:
        for _ in range(STEPS):
            walker.step()
        walker.finish()
    except BaseException:
        print(f"walk({seed}, {plan})")
        print("\n".join(walker.trace[-60:]))
        raise
    return walker


@pytest.mark.random
@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS.keys())
def test_a_thousand_random_walks_end_every_call(plan: dict[str, Any]) -> None:
    met = 0
    for seed in range(WALKS):
        walker = walk(seed, plan)
        met += any(each.outcome == "bridged" for each in walker.records[-1].handoffs)
    assert met > WALKS / 50, "hardly anybody ever met: the walks do not get anywhere"
