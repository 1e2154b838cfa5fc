"""Opening hours, holidays and presence, for a destination of an agent."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from hookflash.core.commands import CheckTargets
from hookflash.core.events import TargetsChecked
from hookflash.core.handoff_plan import Destination, HandoffPlan, Target
from hookflash.runtime.presence import Presence
from hookflash.runtime.target_checks import AgentChecks

ANNA, BEN, EVA = (Target.client(name) for name in ("anna", "ben", "eva"))
MONDAY = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
NIGHT = datetime(2026, 11, 23, 22, 0, tzinfo=UTC)
ALL_DAYS = tuple(
    (MONDAY + timedelta(days=number)).strftime("%Y-%m-%d") for number in range(-1, 368)
)


class At:
    """A clock that stands; what is waited for passes at once."""

    def __init__(self, moment: datetime) -> None:
        self.moment = moment

    def now(self) -> float:
        return self.moment.timestamp()

    def delay(self, seconds: float) -> float:
        return seconds / 100


async def found(
    moment: datetime = MONDAY, is_free: Presence | None = None, key: str = "desk", **plan: object
) -> TargetsChecked:
    desk = Destination(key="desk", when="x", plan=HandoffPlan(targets=(ANNA, BEN, EVA), **plan))
    return await AgentChecks([desk], is_free, At(moment)).check(CheckTargets(7, key))


@pytest.mark.parametrize(
    ("moment", "plan", "opens"),
    [
        (MONDAY, {}, None),
        (MONDAY, {"hours": "mon-fri 09:00-17:00 UTC"}, None),
        (NIGHT, {"hours": "mon-fri 09:00-17:00 UTC"}, "tomorrow at nine in the morning"),
        (MONDAY, {"hours": "fri 12:30-17:00 UTC"}, "on Friday at 12:30 in the afternoon"),
        (MONDAY, {"hours": "mon 09:00-09:30 Europe/Berlin"}, "on Monday, November 30, at nine"),
        (
            NIGHT,
            {"hours": "daily 00:00-24:00 UTC", "holidays": ("11-23 Repentance Day",)},
            "tomorrow at midnight",
        ),
        (NIGHT, {"hours": "mon 09:00-17:00 UTC", "holidays": ("2026-11-30",)}, "December 7"),
    ],
)
async def test_a_closed_destination_says_when_it_opens(moment, plan, opens: str | None) -> None:
    checked = await found(moment, **plan)
    assert checked.open is (opens is None)
    assert (opens or "") in checked.opens
    assert checked.free is None


async def test_a_destination_that_never_opens_says_nothing_of_it() -> None:
    checked = await found(hours="mon 02:00-02:01 UTC", holidays=ALL_DAYS)
    assert checked == TargetsChecked(7, open=False)


async def test_the_owner_knows_who_is_free() -> None:
    async def is_free(target: Target) -> bool:
        return target != BEN

    assert (await found(is_free=is_free)).free == (0, 2)


async def test_a_hook_that_fails_or_hangs_keeps_nobody_from_being_rung(caplog) -> None:
    async def is_free(target: Target) -> bool:
        if target == ANNA:
            raise RuntimeError("the calendar is down")
        if target == BEN:
            await asyncio.Event().wait()
        return False

    assert (await found(is_free=is_free)).free == (0, 1)
    assert "the calendar is down" in caplog.text and "no answer within" in caplog.text


async def test_nobody_is_asked_about_a_destination_that_is_closed() -> None:
    async def is_free(target: Target) -> bool:
        raise AssertionError(target)

    assert not (await found(NIGHT, is_free, hours="mon-fri 09:00-17:00 UTC")).open


async def test_a_destination_that_is_gone_is_rung() -> None:
    assert await found(key="gone") == TargetsChecked(7)


# --- computed addresses ---------------------------------------------------------------------------

OWNER = Target("function", "owner")


async def computed(*functions, is_free: Presence | None = None, **plan: object) -> TargetsChecked:
    """Check a destination whose first targets are functions, and whose last is Anna."""
    targets = (*(OWNER for _ in functions), ANNA)
    desk = Destination(key="desk", when="x", plan=HandoffPlan(targets=targets, **plan))
    checks = AgentChecks(
        [desk], is_free, At(MONDAY), functions={"desk": dict(enumerate(functions))}
    )
    checks.context = {"account": "ben"}
    return await checks.check(CheckTargets(7, "desk"))


async def test_addresses_are_computed_by_plain_and_async_functions_of_the_call() -> None:
    def plain(call) -> Target | None:
        return Target.client(call["account"])

    async def later(call) -> Target | None:
        await asyncio.sleep(0)
        return EVA

    async def none(call) -> Target | None:
        return None

    found = await computed(plain, later, none)
    assert found == TargetsChecked(7, targets=(BEN, EVA, OWNER, ANNA))


async def test_the_owner_is_asked_who_is_free_of_the_computed_targets_too() -> None:
    asked: list[Target] = []

    async def is_free(target: Target) -> bool:
        asked.append(target)
        return target != ANNA

    found = await computed(lambda call: BEN, lambda call: None, is_free=is_free)
    assert found == TargetsChecked(7, free=(0,), targets=(BEN, OWNER, ANNA))
    assert asked == [BEN, ANNA]


async def fails(call: object) -> Target:
    raise ValueError("the database is down")


async def hangs(call: object) -> Target:
    await asyncio.sleep(3600)
    return BEN


async def exits(call: object) -> Target:
    raise SystemExit(1)


@pytest.mark.parametrize(
    ("function", "logged"),
    [
        (fails, "fails failed; it is left out"),
        (hangs, "hangs said nothing within 1 s; it is left out"),
        (exits, "exits failed; it is left out"),
        (lambda call: "+15550102", "returned a str; expected a Target"),
        (lambda call: OWNER, "returned a function; expected a Target"),
    ],
)
async def test_a_function_that_does_not_say_whom_to_ring_is_left_out(
    function, logged: str, caplog
) -> None:
    assert await computed(function) == TargetsChecked(7, targets=(OWNER, ANNA))
    assert logged in caplog.text
    assert "5550102" not in caplog.text


async def test_a_computed_target_that_does_not_fit_its_plan_is_left_out(caplog) -> None:
    desk = Destination(key="desk", when="x", plan=HandoffPlan(targets=(OWNER,), manner="refer"))
    checks = AgentChecks([desk], None, At(MONDAY), functions={"desk": {0: lambda call: ANNA}})
    assert await checks.check(CheckTargets(7, "desk")) == TargetsChecked(7, targets=(OWNER,))
    assert "a computed target does not fit its plan" in caplog.text
