"""Calls that the line has placed: who answers, and what the agent does about a mailbox."""

from __future__ import annotations

from typing import Any

import pytest

from hookflash.core import commands as c
from hookflash.core import events as e
from hookflash.core.call import Call
from hookflash.core.mailbox_words import is_mailbox
from hookflash.core.phases import Phase
from hookflash.core.setup import CallSetup, Outbound

NOW = 1_764_000_000.0
SID = "CA1"


def placed(**outbound: Any) -> Call:
    call = Call(CallSetup(outbound=Outbound(**outbound), greeting="Hello."))
    assert call.receive(e.CallPlaced(SID, "+15550101", "+15550100"), NOW) == []
    return call


def answered(**outbound: Any) -> Call:
    """A call that was answered, whose stream and session are open."""
    call = placed(**outbound)
    call.receive(e.CallArrived(SID, "+15550101", "+15550100", "outbound"), NOW + 5)
    call.receive(e.StreamStarted("MZ1", 1), NOW + 5.1)
    call.receive(e.ModelReady(), NOW + 5.2)
    return call


def orders(commands: list[Any], kind: type) -> list[Any]:
    return [each for each in commands if isinstance(each, kind)]


def says(call: Call, text: str, at: float, item: str = "u1") -> list[Any]:
    found = call.receive(e.CallerSpeechStarted(item), at)
    found += call.receive(e.CallerSpeechStopped(item), at + 2)
    return found + call.receive(e.CallerTranscribed(item, text), at + 2.2)


def disposition(call: Call) -> str:
    return call.record(NOW + 100).disposition


def test_a_placed_call_rings_until_it_is_answered() -> None:
    call = placed(known="Order 7.")
    assert call.phase is Phase.RINGING
    assert call.deadline == NOW + 90
    commands = call.receive(e.CallArrived(SID, "+15550101", "+15550100", "outbound"), NOW + 5)
    assert orders(commands, c.AnswerCarrier)[0].instructions == (c.ConnectAgent(1),)
    (opened,) = orders(commands, c.OpenModel)
    assert "You have placed this call yourself" in opened.history[0].text
    assert opened.history[0].text.endswith("Order 7.")
    record = call.record(NOW + 10)
    assert (record.direction, record.answered_after) == ("outbound", 5.0)
    assert call.info.party == "+15550100"


@pytest.mark.parametrize(
    ("status", "told"),
    [("busy", "busy"), ("no-answer", "no_answer"), ("canceled", "cancelled"), ("failed", "failed")],
)
def test_a_call_that_is_not_answered_ends_with_its_reason(status: str, told: str) -> None:
    call = placed()
    (stored,) = orders(call.receive(e.CallCompleted(status), NOW + 9), c.StoreRecord)
    assert stored.record.disposition == told
    assert stored.record.answered_after is None


def test_a_call_of_which_nothing_is_heard_any_more_counts_as_failed() -> None:
    call = placed()
    assert call.expire(NOW + 89) == []
    assert orders(call.expire(NOW + 90), c.StoreRecord)
    assert disposition(call) == "failed"


def test_a_person_is_talked_with_whatever_the_carrier_says_of_others() -> None:
    call = answered()
    for by in ("unknown", "human"):
        assert call.receive(e.CalleeDetected(by), NOW + 7) == []  # type: ignore[arg-type]
    assert call.info.answered_by == "unknown"
    says(call, "Is this a voicemail?", NOW + 8)
    assert call.conversation.machine is None


def test_a_fax_machine_is_hung_up_on() -> None:
    call = answered(on_machine="talk")
    commands = call.receive(e.CalleeDetected("fax"), NOW + 7)
    assert c.MoveCall(2, (c.HangUp(),), 2.0) in commands
    assert disposition(call) == "fax"


def test_a_mailbox_is_hung_up_on_without_a_word() -> None:
    call = answered()
    commands = call.receive(e.CalleeDetected("machine"), NOW + 7)
    assert c.MoveCall(2, (c.HangUp(),), 2.0) in commands
    assert disposition(call) == "machine"
    assert call.receive(e.CalleeDetected("machine-end"), NOW + 8) == []


def test_the_agent_talks_with_a_machine_if_the_owner_wants_that() -> None:
    call = answered(on_machine="talk")
    assert call.receive(e.CalleeDetected("machine-end"), NOW + 7) == []
    assert call.expire(NOW + 12) is not None
    assert call.phase is Phase.TALKING
    assert call.record(NOW + 20).answered_by == "machine"


def test_the_message_follows_the_end_of_the_greeting() -> None:
    call = answered(on_machine="leave_message", message="Call us.")
    call.receive(e.ResponseStarted("r1", "x"), NOW + 5.5)
    call.receive(e.CalleeDetected("machine-end"), NOW + 9)
    commands = call.expire(NOW + 9.6)
    commands += call.receive(e.ResponseEnded("r1", "cancelled"), NOW + 9.7)
    (asked,) = orders(commands, c.RequestResponse)
    assert 'nothing else: "Call us."' in asked.instructions
    assert disposition(call) == "machine"
    call.receive(e.ResponseStarted("r2", asked.request_id), NOW + 10)
    call.receive(e.ModelAudio("r2", "i2", "", 8000), NOW + 10.1)
    call.receive(e.ModelAudioEnded("r2", "i2"), NOW + 10.2)
    call.receive(e.ResponseEnded("r2", "completed"), NOW + 10.3)
    moved: list[Any] = []
    while (deadline := call.deadline) is not None and deadline < NOW + 20:
        moved += call.expire(deadline)
    assert orders(moved, c.MoveCall)
    assert disposition(call) == "message_left"


def test_a_mailbox_that_is_heard_is_not_answered_and_gets_the_message_when_it_is_quiet() -> None:
    call = answered(on_machine="leave_message", message="Call us.")
    commands = says(call, "Please leave a message after the tone.", NOW + 6)
    assert call.conversation.mailbox_greets
    # The model answers by itself, as it would a person: that is cancelled.
    commands = call.receive(e.ResponseStarted("r5"), NOW + 8.3)
    assert orders(commands, c.CancelResponse) == [c.CancelResponse("r5")]
    call.receive(e.ResponseEnded("r5", "cancelled"), NOW + 8.4)
    # It goes on: the quiet begins again after it.
    call.receive(e.CallerSpeechStarted("u2"), NOW + 9)
    assert not orders(call.expire(NOW + 10.5), c.RequestResponse)
    call.receive(e.CallerSpeechStopped("u2"), NOW + 11)
    assert not orders(call.expire(NOW + 12.9), c.RequestResponse)
    (asked,) = orders(call.expire(NOW + 13), c.RequestResponse)
    assert "Call us." in asked.instructions
    assert call.record(NOW + 20).answered_by == "machine"


def test_a_mailbox_whose_stream_opens_late_hears_nothing_of_the_agent_before() -> None:
    call = placed(on_machine="leave_message", message="Call us.")
    call.receive(e.CallArrived(SID, "+15550101", "+15550100", "outbound"), NOW + 5)
    call.receive(e.CalleeDetected("machine"), NOW + 6)
    call.receive(e.StreamStarted("MZ1", 1), NOW + 6.1)
    assert not orders(call.receive(e.ModelReady(), NOW + 6.2), c.RequestResponse)


def test_words_of_a_mailbox_count_only_at_the_beginning() -> None:
    call = answered(on_machine="hang_up")
    says(call, "Please leave a message after the tone.", NOW + 80)
    assert call.conversation.machine is None


def test_a_detection_on_a_call_that_came_in_changes_nothing() -> None:
    call = Call(CallSetup())
    call.receive(e.CallArrived(SID, "+15550100", "+15550101"), NOW)
    assert call.receive(e.CalleeDetected("fax"), NOW + 1) == []
    assert call.record(NOW + 2).direction == "inbound"


@pytest.mark.parametrize(
    "text",
    [
        "Hi, you have reached the voicemail of Ann. Please leave a message after the beep.",
        "The mailbox is full.",
        "Bitte hinterlassen Sie eine Nachricht nach dem Signalton.",
        "Veuillez laisser votre message après le bip.",
        "Deje su mensaje después de la señal.",
        "Lasciate un messaggio dopo il segnale acustico.",
        "Deixe a sua mensagem após o sinal.",
        "Spreek een bericht in na de toon.",
    ],
)
def test_greetings_of_mailboxes_are_recognised(text: str) -> None:
    assert is_mailbox(text)


@pytest.mark.parametrize(
    "text",
    ["Hello?", "Is this a voicemail?", "Can I leave now?", "I got your message.", "Who is that?"],
)
def test_what_people_say_is_not(text: str) -> None:
    assert not is_mailbox(text)
