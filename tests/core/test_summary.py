from __future__ import annotations

from typing import Any

import pytest

from hookflash.core.record import CallRecord, HandoffAttempt, ToolUse, Utterance
from hookflash.core.summary import extract, summarise


def said(*texts: str, speaker: str = "caller") -> list[Utterance]:
    return [
        Utterance(speaker=speaker, text=text, started_at=float(n), ended_at=n + 1.0)  # type: ignore[arg-type]
        for n, text in enumerate(texts)
    ]


def tool(output: str, *, failed: bool = False, name: str = "find_order") -> ToolUse:
    return ToolUse(
        name=name, arguments="{}", output=output, failed=failed, started_at=1.0, seconds=0.1
    )


def attempt(outcome: str, destination: str = "billing_desk", reason: str = "") -> HandoffAttempt:
    return HandoffAttempt(
        destination=destination, reason=reason, source="tool", started_at=1.0, outcome=outcome
    )


def record(**fields: object) -> CallRecord:
    told = {
        "call_sid": "CA1",
        "agent": "shop",
        "caller": "+15550100",
        "called": "+15550101",
        "disposition": "handled_by_agent",
        "arrived_at": 0.0,
        "seconds": 10.0,
    } | fields
    return CallRecord(**told)  # type: ignore[arg-type]


def test_a_human_is_told_why_what_was_said_and_what_was_found() -> None:
    utterances = [
        *said("Hello.", "My order 4711 has not come."),
        *said("I will look.", speaker="agent"),
        *said("Yes.", "I want my money back."),
    ]
    assert extract(utterances, [tool("It was sent on Monday.")], "a refund") == (
        'Wanted: a refund. The caller said: "My order 4711 has not come", then "I want my money'
        ' back". The tool "find order" says: It was sent on Monday.'
    )


def test_nothing_to_tell_is_an_empty_text() -> None:
    assert extract([], [], "") == ""
    assert extract(said("Hello.", "Thank you, bye."), [], " ") == ""


def test_of_many_turns_the_first_and_those_with_most_that_is_new_are_told_in_order() -> None:
    utterances = said(
        "My bicycle is broken.",
        "Broken, my bicycle.",
        "The rear wheel lost three spokes yesterday.",
        "It is broken.",
        "Can somebody repair it before Friday evening?",
        "Before Friday.",
    )
    assert extract(utterances, [], "") == (
        'The caller said: "My bicycle is broken", then "The rear wheel lost three spokes'
        ' yesterday", then "Can somebody repair it before Friday evening?"'
    )


def test_a_reason_in_the_callers_own_words_is_told_once() -> None:
    utterances = said("I want to speak to support.", "It is about a refund.")
    assert extract(utterances, [], "I want to speak to support") == (
        'Wanted: I want to speak to support. The caller said: "It is about a refund".'
    )
    assert extract(utterances[:1], [], "I want to speak to support!") == (
        "Wanted: I want to speak to support!"
    )


def test_turns_that_only_repeat_are_left_out() -> None:
    assert extract(said("A new bell.", "The new bell."), [], "") == (
        'The caller said: "A new bell".'
    )


@pytest.mark.parametrize(
    ("output", "told"),
    [
        ('{"status": "sent", "days_left": 2, "items": [1], "note": ""}', "status: sent, days"),
        ('{"items": [1]}', "{'items': [1]}."),
        ("[1, 2]", "[1, 2]."),
        ("12", "12."),
        ('"ready!"', "ready!"),
    ],
)
def test_what_a_tool_gave_is_told_in_words(output: str, told: str) -> None:
    assert extract([], [tool(output)], "").startswith(f'The tool "find order" says: {told}')


def test_a_tool_that_failed_and_a_long_text_are_told_shortly() -> None:
    text = extract([], [tool("word " * 100, failed=True)], "")
    assert text.startswith('The tool "find order" has failed: word word')
    assert text.endswith(" ...")
    assert len(text) < 200


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"handoffs": (attempt("bridged", reason="a refund"),)}, "The caller spoke with billing"),
        ({"handoffs": (attempt("busy"), attempt("busy"))}, "Billing desk could not be reached: th"),
        ({"handoffs": (attempt("failed"),)}, "Billing desk could not be reached."),
        ({"disposition": "abandoned"}, "The caller hung up before anybody could help."),
        ({}, ""),
    ],
)
def test_the_end_of_a_call_is_told(fields: dict[str, Any], told: str) -> None:
    summary = summarise(record(**fields))
    assert told in summary
    assert summary.count("could not be reached") <= 1


def test_a_summary_gives_the_last_reason() -> None:
    handoffs = (attempt("busy", reason="a refund"), attempt("bridged", "desk", "a complaint"))
    assert summarise(record(handoffs=handoffs)) == (
        "Wanted: a complaint. Billing desk could not be reached: the line was busy. The caller"
        " spoke with desk."
    )


def test_a_cancelled_attempt_is_told_unless_the_destination_was_reached() -> None:
    (call_off, ring_group) = (
        summarise(record(handoffs=(attempt("cancelled"), *others)))
        for others in ((), (attempt("bridged"),))
    )
    assert call_off == "The attempt to reach billing desk was cancelled."
    assert ring_group == "The caller spoke with billing desk."


def test_what_a_human_said_where_it_was_written_down_is_part_of_it() -> None:
    utterances = [
        *said("My bell is broken."),
        *said("Hello.", "I will send you a new one on Friday.", speaker="human"),
    ]
    assert summarise(record(utterances=tuple(utterances), handoffs=(attempt("bridged"),))) == (
        'The caller said: "My bell is broken". The human said: "I will send you a new one on'
        ' Friday". The caller spoke with billing desk.'
    )
