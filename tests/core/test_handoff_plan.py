from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from hookflash.core.handoff_plan import HandoffPlan, Target, queue_target
from hookflash.errors import ConfigError

ANNA = Target.phone("+15550102")
DESK = queue_target("support desk")


@pytest.mark.parametrize(
    ("make", "good"),
    [
        (Target.phone, "+15550102"),
        (Target.sip, "sip:desk@example.com"),
        (Target.sip, "SIPS:desk@example.com;transport=tls"),
        (Target.client, "anna.b@example.com"),
        (queue_target, "WW0123456789abcdef0123456789abcdef"),
        (queue_target, "support desk"),
    ],
)
def test_a_target_has_the_address_that_it_was_made_from(
    make: Callable[[str], Target], good: str
) -> None:
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
        (queue_target, "a/b"),
        (queue_target, "x" * 65),
    ],
)
def test_an_address_that_cannot_be_rung_is_no_target(
    make: Callable[[str], Target], bad: str
) -> None:
    with pytest.raises(ConfigError, match="expected"):
        make(bad)


@pytest.mark.parametrize(
    ("extension", "keys"),
    [
        ("123", "123"),
        ("ww12#", "ww12#"),
        (",,*9W1", "WWWW*9W1"),
        ("1" * 32, "1" * 32),
        ("," * 15 + "12", "W" * 30 + "12"),
        ("", ""),
    ],
)
def test_a_number_may_have_an_extension_with_pauses(extension: str, keys: str) -> None:
    target = Target.phone("+15550102", extension=extension)
    assert target == Target("phone", "+15550102", extension)
    assert target.keys == keys


@pytest.mark.parametrize(
    "extension", ["12a", "1 2", "x12", "ww", ",", "1" * 33, "," * 16 + "1", "\u0661", 123, None]
)
def test_an_extension_has_only_keys_and_pauses(extension: Any) -> None:
    with pytest.raises(ConfigError, match="extension must be a text") as raised:
        Target.phone("+15550102", extension=extension)
    assert repr(extension) in str(raised.value)


def test_targets_of_older_journals_have_no_extension() -> None:
    old = b'{"kind":"phone","address":"+15550102"}'
    assert msgspec.json.decode(old, type=Target) == Target.phone("+15550102")


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (
            {"targets": (Target.phone("+15550102", "12"),), "accept": "human-detected"},
            "not possible with an extension",
        ),
        ({"targets": ()}, "targets must be a tuple of targets, such as"),
        ({"targets": (ANNA,) * 11, "order": "ring"}, "at most 10"),
        ({"targets": (ANNA, DESK), "order": "ring"}, "queue cannot ring"),
        ({"ring_seconds": 4}, "5 to 600"),
        ({"ring_seconds": 601}, "5 to 600"),
        ({"order": "round-robin"}, "order must be one of hunt, ring; got"),
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
    HandoffPlan(targets=(Target.phone("+15550102", "12"),), accept="press-1")
    HandoffPlan(targets=(ANNA,), accept="human-detected")


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"manner": "lukewarm"}, "manner must be one of cold, consult, refer, warm; got"),
        ({"accept": "nod"}, "accept must be one of"),
        ({"targets": ("+15550102",)}, "got ('+15550102',)"),
        ({"targets": ANNA}, "targets must be a tuple of targets"),
        ({"give_back": "no"}, "give_back must be True or False; got 'no'"),
        ({"ring_seconds": True}, "ring_seconds must be a whole number from 5 to 600 (Twilio's"),
        ({"whisper": 1}, "whisper must be a text or None; got 1"),
        (
            {"offers": ("tea",)},
            "offers must be a tuple, each one of callback, voicemail; got ('tea',)",
        ),
        ({"attempts": 0}, "attempts must be a whole number from 1 to 10; got 0"),
        ({"total_seconds": 1}, "total_seconds must be a whole number from 5 to 14400; got 1"),
        (
            {"queue_announce_seconds": 1},
            "queue_announce_seconds must be a whole number from 5 to 600; got 1",
        ),
        (
            {"whisper": "{name} calls"},
            "whisper has ['name'], which nothing fills in; it knows destination, caller",
        ),
        (
            {"holidays": ("12-24 Christmas Eve", "25.12.2026")},
            "a date such as 2026-12-25; got ('12-24 Christmas Eve', '25.12.2026')",
        ),
        (
            {"talk_seconds": 59},
            "talk_seconds must be a whole number from 60 to 86400 or None; got 59",
        ),
        ({"talk_seconds": True}, "talk_seconds must be a whole number from 60 to 86400"),
        ({"targets": (DESK,), "talk_seconds": 600}, "talk_seconds is not possible in a queue"),
        ({"caller_id": "5550100"}, "caller_id must be one of your numbers"),
        (
            {"queue_leave_key": "12"},
            "queue_leave_key must be one key of a telephone, or empty; got '12'",
        ),
        ({"targets": (DESK,), "manner": "warm"}, "a queue cannot be reached warm"),
        ({"targets": (ANNA,), "manner": "refer"}, "use Target.sip"),
    ],
)
def test_contradictions_within_a_plan_are_refused(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError) as raised:
        HandoffPlan(**{"targets": (ANNA,)} | wrong)
    assert says in str(raised.value)


def test_what_makes_an_answer_count_depends_on_the_manner() -> None:
    assert HandoffPlan(targets=(ANNA,)).acceptance == "any-answer"
    assert HandoffPlan(targets=(ANNA,), manner="warm").acceptance == "press-1"
    assert HandoffPlan(targets=(ANNA,), manner="warm", accept="any-answer").acceptance == (
        "any-answer"
    )


def test_a_cold_plan_is_screened_only_where_it_says_so() -> None:
    assert not HandoffPlan(targets=(ANNA,)).screened
    assert HandoffPlan(targets=(ANNA,), accept="press-1").screened
    assert HandoffPlan(targets=(ANNA,), whisper="{reason}").screened


def test_callers_may_be_shown_by_their_own_number() -> None:
    assert HandoffPlan(targets=(ANNA,), caller_id="caller").caller_id == "caller"
