from __future__ import annotations

from typing import Any

import msgspec

from hookflash.core import commands as c
from hookflash.core import events as e
from hookflash.core.handoff_plan import Target
from hookflash.runtime.journal_lines import JournalLine
from hookflash_local.demo.ring_attempts import RingAttempts

ANNA = Target.phone("+15550102")


def told(*happened: Any) -> list[str]:
    attempts, texts = RingAttempts(), []
    for number, each in enumerate(happened):
        line = JournalLine(float(number), each) if isinstance(each, e.Event) else None
        line = line or JournalLine(float(number), command=each)
        decoded = msgspec.json.decode(msgspec.json.encode(line))
        texts += [step.text for step in attempts.feed(decoded)]
    return texts


def test_each_attempt_is_told_from_the_order_to_its_outcome() -> None:
    assert told(
        c.RingHuman(1, 0, ANNA, 20),
        e.LegChanged("CA2", "ringing", 1, None, 0),
        e.LegChanged("CA2", "completed", 1, "busy", 0),
        c.RingHuman(2, 0, ANNA, 20),
        e.HumanAsked(2, 0, "CA3", "answered"),
        c.AnswerCarrier((c.Screen(2, 0, "Call for billing."),)),
        e.HumanAsked(2, 0, "CA3", "pressed", "1"),
        c.AnswerCarrier((c.JoinRoom("CA1", 2, leg=0),)),
        e.HumanAsked(2, 0, "CA3", "left"),
        e.LegChanged("CA3", "completed", 2, None, 0),
        e.LegChanged("CA3", "completed", 2, None, 0),
    ) == [
        "human 1 is called, while the agent stays with the caller",
        "human 1 is busy",
        "human 2 is called, while the agent stays with the caller",
        "human 2 picks up",
        "human 2 hears: “Call for billing.”",
        "human 2 presses 1 and takes the call",
        "human 2 presses * and is asked what becomes of the caller",
        "human 2 has hung up",
    ]


def test_who_declines_is_not_said_to_hang_up_too() -> None:
    assert told(
        c.RingHuman(1, 0, ANNA, 20),
        c.OpenConsult(1, 0, "CA2", "a refund", "desk"),
        e.HumanAsked(1, 0, "CA2", "pressed", ""),
        e.HumanAsked(1, 0, "CA2", "pressed", "2"),
        e.LegChanged("CA2", "completed", 1, None, 0),
    ) == [
        "human 1 is called, while the agent stays with the caller",
        "the agent tells human 1 what it is about",
        "human 1 presses 2 and declines",
    ]


def test_what_is_said_to_the_caller_is_not_taken_for_a_whisper() -> None:
    assert (
        told(
            e.CallArrived("CA1", "+15550100", "+15550101"),
            c.AnswerCarrier((c.Speak("Sorry."), c.HangUp())),
            e.LegChanged("CA2", "ringing", 2),
        )
        == []
    )
