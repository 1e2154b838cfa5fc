"""TwiML as Twilio reads it: names, attributes, nesting, size."""

from __future__ import annotations

import pytest

from hookflash_local.carrier.twiml.parse import TwimlError, parse, relative_urls


def problems(inner: str) -> list[tuple[int, str]]:
    return list(parse(f"<Response>{inner}</Response>").problems)


def test_a_good_document_has_no_problems() -> None:
    document = parse(
        '<?xml version="1.0" encoding="UTF-8"?><Response>'
        '<Connect action="/a"><Stream url="wss://h/p"><Parameter name="t" value="1"/></Stream>'
        '</Connect><Dial timeout="20" callerId="+15550100001" action="/d">'
        '<Number url="/w" statusCallbackEvent="initiated completed">+15550100002</Number></Dial>'
        '<Enqueue workflowSid="WW00000000000000000000000000000000"><Task>{}</Task></Enqueue>'
        '<Say voice="alice" language="en-GB">bye &amp; thanks</Say><Hangup/></Response>'
    )
    assert document.problems == ()
    assert [verb.name for verb in document.verbs] == ["Connect", "Dial", "Enqueue", "Say", "Hangup"]
    assert document.verbs[3].text == "bye & thanks"
    assert document.verbs[1].number("timeout", 30) == 20
    assert document.verbs[1].children_named("Number")[0].get("url") == "/w"


@pytest.mark.parametrize(
    ("inner", "text"),
    [
        ("<say>x</say>", "<say> is unknown"),
        ("<Dial><Stream url='wss://h'/></Dial>", "<Stream> is not allowed inside <Dial>"),
        ("<Number>1</Number>", "<Number> is not allowed inside <Response>"),
        ("<Dial Timeout='20'>1</Dial>", "<Dial> has no attribute 'Timeout'"),
        ("<Dial timeout='4'>1</Dial>", "<Dial timeout='4'> is not allowed"),
        ("<Dial><Number statusCallbackEvent=\"['initiated']\">1</Number></Dial>", "not allowed"),
        ("<Connect>words</Connect>", "<Connect> cannot hold text"),
        ("<Connect><Stream url='wss://h' statusCallback='/r'/></Connect>", "statusCallback"),
    ],
)
def test_what_is_against_the_grammar_is_a_schema_warning(inner: str, text: str) -> None:
    ((code, said),) = problems(inner)
    assert code == 12200
    assert text in said


@pytest.mark.parametrize(
    "inner",
    [
        "<Pay/>",
        "<Dial><Sim>1</Sim></Dial>",
        '<Dial referUrl="/r">1</Dial>',
        '<Connect><ConversationRelay url="wss://h"/></Connect>',
    ],
)
def test_what_twilio_can_and_we_cannot_is_said_so(inner: str) -> None:
    ((code, said),) = problems(inner)
    assert code == 0
    assert "not simulated" in said or "no effect" in said


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("", 12100),
        ("hello", 12100),
        ("<Response>", 12100),
        ("<response/>", 12100),
        ("<Response>" + "<!--" + "x" * 70_000 + "--></Response>", 11750),
    ],
)
def test_what_is_no_document_raises(body: str, code: int) -> None:
    with pytest.raises(TwimlError) as error:
        parse(body)
    assert error.value.code == code


def test_relative_urls_are_found_wherever_they_are() -> None:
    document = parse(
        '<Response><Gather action="/a"><Say>x</Say></Gather>'
        '<Dial action="https://h/d"><Number url="/w">1</Number></Dial>'
        '<Dial><Conference waitUrl="">r</Conference></Dial><Redirect>b</Redirect></Response>'
    )
    assert relative_urls(document) == ["Gather action", "Number url", "Redirect"]
