"""A hand-off as a drawing: what is in it, who says what to whom, and that it is an SVG."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from hookflash.core import commands as c
from hookflash.core import events as e
from hookflash.core.delivery import Delivery
from hookflash.core.handoff_plan import Target
from hookflash.runtime.journal_lines import JournalLine
from hookflash_local.demo.sequence_diagram import CALLER, HOOKFLASH, MODEL, Row, draw, read_sequence

ANNA = Target.phone("+15550102")
T = 1000.0


def lines(*happened: e.AnyEvent | c.AnyCommand) -> list[JournalLine]:
    return [
        JournalLine(T + number, each)
        if isinstance(each, e.Event)
        else JournalLine(T + number, command=each)
        for number, each in enumerate(happened)
    ]


def rows(*happened: e.AnyEvent | c.AnyCommand) -> list[tuple[str, str, str]]:
    return [(row.source, row.target, row.words) for row in read_sequence(lines(*happened)).rows]


WARM = (
    e.CallArrived("CA1", "+15550100", "+15550101"),
    c.AnswerCarrier((c.ConnectAgent(1),)),
    e.ToolCallRequested("t1", "transfer_to_human", "{}"),
    c.RingHuman(1, 0, ANNA, 20),
    c.SendToolOutput("t1", '{"status": "ringing"}'),
    e.LegChanged("CA2", "ringing", 1, None, 0),
    e.HumanAsked(1, 0, "CA2", "answered"),
    c.AnswerCarrier((c.Screen(1, 0, "..."),)),
    e.HumanAsked(1, 0, "CA2", "pressed", "1"),
    c.AnswerCarrier((c.JoinRoom("CA1", 1, leg=0),)),
    c.MoveCall(2, (c.JoinRoom("CA1", 1, 2),), 2.0),
    e.RoomChanged(1, "started"),
    e.LegChanged("CA2", "completed", 1, None, 0),
    e.InstructionsAsked(2, "room"),
    c.AnswerCarrier((c.HangUp(),)),
    e.CallCompleted(),
)


def test_a_warm_hand_off_reads_from_the_call_to_its_end() -> None:
    assert rows(*WARM) == [
        (CALLER, HOOKFLASH, "calls"),
        (HOOKFLASH, CALLER, "<Connect><Stream>"),
        (MODEL, HOOKFLASH, "transfer_to_human(...)"),
        (HOOKFLASH, "human 1", "REST: POST Calls"),
        (HOOKFLASH, MODEL, "“ringing”"),
        ("human 1", HOOKFLASH, "rings"),
        ("human 1", HOOKFLASH, "picks up"),
        (HOOKFLASH, "human 1", "<Gather><Say>"),
        ("human 1", HOOKFLASH, "presses 1"),
        (HOOKFLASH, "human 1", "<Dial><Conference>"),
        (HOOKFLASH, CALLER, "REST: <Dial><Conference>"),
        (CALLER, "human 1", "hear each other"),
        ("human 1", HOOKFLASH, "is over"),
        (CALLER, HOOKFLASH, "room is over"),
        (HOOKFLASH, CALLER, "<Hangup/>"),
        (CALLER, HOOKFLASH, "the call is over"),
    ]


def test_times_count_from_the_call() -> None:
    sequence = read_sequence(lines(*WARM))
    assert sequence.rows[0] == Row(0.0, CALLER, HOOKFLASH, "calls")
    assert sequence.rows[-1].at == 15.0
    assert [row.kind for row in sequence.rows].count("band") == 1


def test_humans_that_the_carrier_dials_are_told_apart() -> None:
    assert rows(
        e.LegChanged("CA2", "ringing", 2),
        e.LegChanged("CA2", "completed", 2, "busy"),
        e.LegChanged("CA3", "ringing", 3),
        e.LegChanged("CA3", "answered", 3),
        e.LegChanged("CA2", "initiated", 2),
    ) == [
        ("human 1", HOOKFLASH, "rings"),
        ("human 1", HOOKFLASH, "busy"),
        ("human 2", HOOKFLASH, "rings"),
        (CALLER, "human 2", "hear each other"),
    ]


@pytest.mark.parametrize(
    ("happened", "row"),
    [
        (e.InstructionsAsked(2, "dial", "", "busy"), (CALLER, HOOKFLASH, "dial is over: busy")),
        (e.QueueAsked(2, 3), (CALLER, HOOKFLASH, "waits, number 3")),
        (e.HumanAsked(2, 1, "CA3", "pressed"), ("human 2.2", HOOKFLASH, "presses nothing")),
        (e.HumanAsked(2, 0, "CA3", "left"), ("human 2", HOOKFLASH, "presses *")),
        (e.HumanAsked(2, 0, "CA3", "parting", "2"), ("human 2", HOOKFLASH, "presses 2")),
        (e.StreamStarted("MZ1", 1), (CALLER, HOOKFLASH, "media stream opens")),
        (e.CallerTranscribed("c1", "A  person."), (CALLER, HOOKFLASH, "“A person.”")),
        (e.ConsultDecided("CA2", "connect"), ("human 1", HOOKFLASH, "consulted: connect")),
        (e.VoicemailTranscribed(3, "Call me."), (CALLER, HOOKFLASH, "voicemail: “Call me.”")),
        (
            e.HandoffRequested("desk", "x", source="policy"),
            (CALLER, HOOKFLASH, "a human is wanted (policy)"),
        ),
        (c.EndLeg("CA2"), (HOOKFLASH, "human 1", "REST: end the leg")),
        (c.CloseStream(), (HOOKFLASH, CALLER, "closes the stream")),
        (
            c.OpenConsult(1, 0, "CA2", "a refund", "desk"),
            (HOOKFLASH, "human 1", "<Connect><Stream>: the agent briefs"),
        ),
        (c.SendToolOutput("t1", "[1]"), (HOOKFLASH, MODEL, "“[1]”")),
        (c.SendToolOutput("t1", "Friday"), (HOOKFLASH, MODEL, "“Friday”")),
        (
            c.Deliver(
                Delivery(
                    id="d",
                    kind="callback",
                    call_sid="CA1",
                    agent="shop",
                    destination="desk",
                    created_at=T,
                )
            ),
            (HOOKFLASH, "the owner", "callback, kept until delivered"),
        ),
    ],
)
def test_what_leads_to_a_human_has_a_row(
    happened: e.AnyEvent | c.AnyCommand, row: tuple[str, str, str]
) -> None:
    assert rows(happened) == [row]


def test_a_consult_shows_what_was_said_to_the_human_where_it_was_said() -> None:
    call = [
        JournalLine(T, e.CallArrived("CA1", "+15550100", "+15550101")),
        JournalLine(T + 1, command=c.OpenConsult(1, 0, "CA2", "a refund", "desk")),
        JournalLine(T + 4, e.CallerTranscribed("c1", "It is order 4021.")),
        JournalLine(T + 6, e.ConsultDecided("CA2", "connect")),
    ]
    talk = [
        JournalLine(T + 1, e.CallArrived("CA2", "+15550100", "+15550102")),
        JournalLine(T + 2, e.AgentTranscribed("a1", "A caller wants a refund.")),
        JournalLine(T + 3, e.ModelAudioEnded("r1", "a1")),
        JournalLine(T + 3.5, e.CallerTranscribed("h0", "")),
        JournalLine(T + 5, e.CallerTranscribed("h1", "Put them through.")),
        JournalLine(T + 5.5, e.ToolCallRequested("t1", "connect_caller", "{}")),
        JournalLine(T + 7, command=c.MoveCall(2, (c.JoinRoom("CA1", 1, leg=0),), 2.0)),
    ]
    found = read_sequence(call, {"CA2": talk, "CA9": talk})
    assert [(row.at, row.source, row.target, row.words) for row in found.rows] == [
        (0.0, CALLER, HOOKFLASH, "calls"),
        (1.0, HOOKFLASH, "human 1", "<Connect><Stream>: the agent briefs"),
        (3.0, MODEL, "human 1", "“A caller wants a refund.”"),
        (4.0, CALLER, HOOKFLASH, "“It is order 4021.”"),
        (5.0, "human 1", MODEL, "“Put them through.”"),
        (5.5, MODEL, HOOKFLASH, "connect_caller(...)"),
        (6.0, "human 1", HOOKFLASH, "consulted: connect"),
        (7.0, HOOKFLASH, "human 1", "REST: <Dial><Conference>"),
    ]


def test_what_the_agent_says_is_quoted_whole_and_once() -> None:
    said = rows(
        e.AgentTranscribed("a1", "I am "),
        e.AgentTranscribed("a1", "connecting you with somebody who can help."),
        e.ModelAudioEnded("r1", "a1"),
        e.ModelAudioEnded("r1", "a1"),
        e.CallerTranscribed("c1", ""),
    )
    assert said == [(MODEL, CALLER, "“I am connecting you with somebody who can ...”")]


def test_the_drawing_is_an_svg_with_a_life_for_each() -> None:
    drawing = draw(read_sequence(lines(*WARM)), "Warm & <kind>")
    root = ElementTree.fromstring(drawing)
    texts = ["".join(each.itertext()) for each in root.iter("{http://www.w3.org/2000/svg}text")]
    assert texts[0] == "Warm & <kind>"
    assert texts[1:5] == [CALLER, HOOKFLASH, MODEL, "human 1"]
    assert "<Dial><Conference>" in texts
