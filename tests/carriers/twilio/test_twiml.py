"""Instructions as TwiML: what each becomes, and that all of it is documented."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookflash.carriers.twilio.twiml import (
    MAX_REST_CHARACTERS,
    fit_for_rest,
    own_number,
    render,
)
from hookflash.carriers.twilio.urls import RETRY, Urls
from hookflash.core.commands import (
    ConnectAgent,
    DialHumans,
    HangUp,
    Instruction,
    JoinQueue,
    Speak,
)
from hookflash.core.handoff_plan import Target
from hookflash.errors import CarrierError, ConfigError

URLS = Urls.under("https://line.example.com")
WORKFLOW = "WW" + "0123456789abcdef" * 2

# Verb -> (documented attributes that we use, allowed children). Sources: twilio.com/docs/voice
# /twiml/connect, /stream, /dial, /number, /client, /sip, /enqueue, /say, /hangup.
DOCUMENTED: dict[str, tuple[set[str], set[str]]] = {
    "Response": (set(), {"Connect", "Dial", "Enqueue", "Say", "Hangup"}),
    "Connect": ({"action", "method"}, {"Stream"}),
    "Stream": ({"url", "name", "track", "statusCallback", "statusCallbackMethod"}, {"Parameter"}),
    "Parameter": ({"name", "value"}, set()),
    "Dial": (
        {"action", "method", "timeout", "callerId", "answerOnBridge"},
        {"Number", "Client", "Sip"},
    ),
    "Number": ({"statusCallback", "statusCallbackMethod", "statusCallbackEvent"}, set()),
    "Client": ({"statusCallback", "statusCallbackMethod", "statusCallbackEvent"}, set()),
    "Sip": ({"statusCallback", "statusCallbackMethod", "statusCallbackEvent"}, set()),
    "Enqueue": ({"action", "method", "workflowSid"}, {"Task"}),
    "Task": (set(), set()),
    "Say": ({"language", "voice"}, set()),
    "Hangup": (set(), set()),
}


def written(*instructions: Instruction, **options: str | None) -> ET.Element:
    text = render(instructions, URLS, token=lambda step: f"token-of-{step}", **options)
    assert text.startswith('<?xml version="1.0" encoding="UTF-8"?>')
    return ET.fromstring(text)


def check_documented(element: ET.Element) -> None:
    attributes, children = DOCUMENTED[element.tag]
    assert set(element.attrib) <= attributes, element.tag
    for name, value in element.attrib.items():
        assert not value.startswith(("[", "(")), f"{element.tag} {name} is a list"
        if name in ("action", "statusCallback"):
            assert value.startswith("https://line.example.com/twilio/")
        if name == "url":
            assert value == "wss://line.example.com/twilio/media"
        if name.endswith("ethod"):
            assert value == "POST"
    for child in element:
        assert child.tag in children, f"<{child.tag}> in <{element.tag}>"
        check_documented(child)


def test_connect_agent_opens_a_stream_with_its_token_and_a_net_under_it() -> None:
    connect, hangup = written(ConnectAgent(3))
    assert connect.attrib == {
        "action": "https://line.example.com/twilio/connect/3" + RETRY,
        "method": "POST",
    }
    (stream,) = connect
    assert stream.attrib == {
        "url": "wss://line.example.com/twilio/media",
        "statusCallback": "https://line.example.com/twilio/stream",
        "statusCallbackMethod": "POST",
    }
    assert [(p.tag, p.attrib) for p in stream] == [
        ("Parameter", {"name": "token", "value": "token-of-3"})
    ]
    assert hangup.tag == "Hangup"


def test_dial_humans_rings_all_kinds_of_targets_at_once() -> None:
    dial, _ = written(
        DialHumans(
            5,
            (
                Target.phone("+15550177"),
                Target.client("anna"),
                Target.sip("sip:desk@example.com;transport=tls?x-a=1&x-b=2"),
            ),
            25,
            caller_id="+15550100",
        )
    )
    assert dial.attrib == {
        "action": "https://line.example.com/twilio/dial/5" + RETRY,
        "method": "POST",
        "timeout": "25",
        "callerId": "+15550100",
        "answerOnBridge": "true",
    }
    assert [(noun.tag, noun.text) for noun in dial] == [
        ("Number", "+15550177"),
        ("Client", "anna"),
        ("Sip", "sip:desk@example.com;transport=tls?x-a=1&x-b=2"),
    ]
    for noun in dial:
        assert noun.attrib == {
            "statusCallback": "https://line.example.com/twilio/leg/5",
            "statusCallbackMethod": "POST",
            "statusCallbackEvent": "initiated ringing answered completed",
        }


def test_caller_id_is_the_instructions_own_else_our_number_else_left_to_twilio() -> None:
    anna = (Target.client("anna"),)
    own, default = DialHumans(1, anna, 20, "+15550111"), DialHumans(1, anna, 20)
    assert written(own, own_number="+15550100")[0].get("callerId") == "+15550111"
    assert written(default, own_number="+15550100")[0].get("callerId") == "+15550100"
    assert "callerId" not in written(default)[0].attrib


def test_a_workflow_gets_its_attributes_as_a_task() -> None:
    attributes = {"reason": 'a "refund" & more', "name": "J\u00fcrgen\n\x01"}
    enqueue, _ = written(JoinQueue(7, Target.queue(WORKFLOW), attributes))
    assert enqueue.attrib == {
        "action": "https://line.example.com/twilio/queue/7" + RETRY,
        "method": "POST",
        "workflowSid": WORKFLOW,
    }
    (task,) = enqueue
    assert json.loads(task.text or "") == attributes


def test_a_plain_queue_is_a_name() -> None:
    enqueue, _ = written(JoinQueue(7, Target.queue("support desk"), {"reason": "x"}))
    assert enqueue.text == "support desk"
    assert list(enqueue) == []
    assert "workflowSid" not in enqueue.attrib


def test_speech_is_escaped_and_freed_of_what_xml_cannot_hold() -> None:
    say, hangup = written(
        Speak("Tom & <Jerry>\x00\ud800 caf\u00e9"), HangUp(), language="de-DE", voice="Polly.Vicki"
    )
    assert say.text == "Tom & <Jerry>   caf\u00e9"
    assert say.attrib == {"language": "de-DE", "voice": "Polly.Vicki"}
    assert hangup.tag == "Hangup"


def test_a_document_always_ends_with_one_hang_up() -> None:
    for instructions in [(), (HangUp(),), (Speak("x"),), (Speak("x"), HangUp())]:
        tags = [element.tag for element in written(*instructions)]
        assert tags[-1] == "Hangup"
        assert tags.count("Hangup") == 1


def test_what_twilio_could_not_carry_out_is_refused() -> None:
    anna = Target.client("anna")
    for instruction in (
        DialHumans(1, (), 20),
        DialHumans(1, (anna,) * 11, 20),
        DialHumans(1, (Target.queue("desk"),), 20),
        JoinQueue(1, anna),
    ):
        with pytest.raises(ConfigError, match="<Dial>|<Enqueue>"):
            written(instruction)
    with pytest.raises(ConfigError, match="stream token"):
        render((ConnectAgent(1),), URLS, token=lambda step: "x" * 495)


def test_a_document_too_long_for_rest_is_refused_and_one_that_fits_is_left_alone() -> None:
    assert fit_for_rest("x" * MAX_REST_CHARACTERS) == "x" * MAX_REST_CHARACTERS
    with pytest.raises(CarrierError, match="4000 characters, this has 4001") as caught:
        fit_for_rest("x" * (MAX_REST_CHARACTERS + 1))
    assert not caught.value.retryable


def test_ten_telephones_at_once_fit_into_a_rest_update() -> None:
    phones = tuple(Target.phone(f"+1555010{n:08d}") for n in range(10))
    document = render((DialHumans(99, phones, 600),), URLS, token=str, own_number="+15550100")
    assert fit_for_rest(document) == document


@pytest.mark.parametrize(
    ("direction", "caller", "called", "number"),
    [
        ("inbound", "+15550142", "+15550100", "+15550100"),
        ("inbound", "anonymous", "+15550100", "+15550100"),
        ("inbound", "client:web", "+15550100", "+15550100"),
        ("inbound", "sip:a@example.com", "+15550100", None),
        ("inbound", "+15550142", "sip:line@example.com", None),
        ("inbound", "client:web", "", None),
        ("outbound", "+15550100", "+15550142", "+15550100"),
        ("outbound", "client:web", "+15550142", None),
    ],
)
def test_our_own_number_in_a_call_may_be_shown(
    direction: str, caller: str, called: str, number: str | None
) -> None:
    assert own_number(direction, caller, called) == number


steps = st.integers(0, 10_000)
targets = st.one_of(
    st.from_regex(r"\+[1-9][0-9]{5,14}", fullmatch=True).map(Target.phone),
    st.from_regex(r"[A-Za-z0-9_.@+-]{1,40}", fullmatch=True).map(Target.client),
    st.from_regex(r"sip:[a-z&;=?]{1,20}@[a-z.;=&?-]{1,20}", fullmatch=True).map(Target.sip),
)
queues = st.one_of(
    st.just(Target.queue(WORKFLOW)),
    st.from_regex(r"[A-Za-z0-9_. -]{1,64}", fullmatch=True).map(Target.queue),
)
instructions = st.one_of(
    st.builds(ConnectAgent, steps),
    st.builds(
        DialHumans,
        steps,
        st.lists(targets, min_size=1, max_size=10).map(tuple),
        st.integers(5, 600),
        st.none() | st.just("+15550100"),
    ),
    st.builds(JoinQueue, steps, queues, st.dictionaries(st.text(), st.text(), max_size=3)),
    st.builds(Speak, st.text(st.characters())),
    st.just(HangUp()),
)


@given(st.lists(instructions, max_size=4), st.none() | st.just("+15550199"))
def test_all_twiml_that_we_can_write_parses_and_uses_only_documented_attributes(
    sequence: list[Instruction], number: str | None
) -> None:
    check_documented(written(*sequence, own_number=number))
