"""What callers, models and owners write stays what it is: in TwiML, addresses, forms and SIP URIs.

A caller's name comes from their telephone, reasons and summaries come from a model that a caller
talks to. None of it may become an instruction, another address, another field or another header.
"""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hookflash.carriers.twilio.caller_ids import Parties
from hookflash.carriers.twilio.ring_request import ring_fields
from hookflash.carriers.twilio.twiml import render
from hookflash.carriers.twilio.urls import Urls
from hookflash.core.call import Call
from hookflash.core.commands import (
    AnswerCarrier,
    ConnectAgent,
    DialHumans,
    HangUp,
    JoinQueue,
    JoinRoom,
    MoveCall,
    ReferCaller,
    RingHuman,
    Screen,
)
from hookflash.core.events import CallArrived, HumanAsked, ModelReady, ToolCallRequested
from hookflash.core.handoff_plan import Destination, HandoffPlan, Target, queue_target
from hookflash.core.setup import CallSetup
from hookflash.errors import ConfigError

from .conftest import CALL, PARTIES, URLS, WORKFLOW, check_documented, written

HOSTILE = (
    *("</Sip><Hangup/>", "</Task><Dial>+15550199</Dial>", '"/><Dial>+15550199</Dial>', "]]>"),
    *("<!--", "&lt;", "&#13;", "%0d%0a", "\r\n", "\r\nX-Evil: 1", "\n", "\t", "\x00", "\u2028"),
    *("../..", "?a=1", "#top", ";lr", "&To=%2B15550199", "&To=+15550199", "=", "+", " ", "@", "'"),
    *("sip:", "<sip:x@example.org>", "{reason}", "{0.__class__}", "\\", '"', "\u202e", "\ud800"),
)
hostile = st.lists(
    st.sampled_from(HOSTILE) | st.text(st.characters(), max_size=12), min_size=1, max_size=5
).map("".join)
whole = hostile.map(lambda text: text.encode("utf-8", "replace").decode())
"""As a form or a path can hold it: without half a character."""

addresses = st.builds(
    "{}{}@{}".format, st.sampled_from(["sip:", "SIPS:", "sip:desk", ""]), hostile, hostile
)


def accepted(make: object, text: str) -> Target | None:
    """Return the target, or None for one that is refused with a reason."""
    try:
        return make(text)  # type: ignore[operator, no-any-return]
    except ConfigError as error:
        assert "expected" in str(error)
        return None


def sent(fields: dict[str, str | list[str]]) -> list[tuple[str, str]]:
    """Return the form that the carrier reads, from the very bytes of the request."""
    request = httpx.Request("POST", "https://api.example.com", data=fields)
    return parse_qsl(request.content.decode("ascii"), keep_blank_values=True, strict_parsing=True)


def check_rung_as_it_is(target: Target, to: str) -> None:
    form = sent(ring_fields(RingHuman(1, 0, target, 20), URLS, PARTIES))
    tame = sent(ring_fields(RingHuman(1, 0, Target.sip("sip:a@example.com"), 20), URLS, PARTIES))
    assert [value for name, value in form if name == "To"] == [to]
    assert [name for name, _ in form] == [name for name, _ in tame]


# --- addresses of humans ----------------------------------------------------------------------


@given(addresses)
@example("sip:desk@example.com?X-Header=%0d%0aX-Evil:1")
@example("sip:de\x00sk@example.com")
@example("sip:desk\x7f@example.com")
@example("sip:desk@example.com\n")
def test_a_sip_address_is_one_printable_word_or_refused(uri: str) -> None:
    target = accepted(Target.sip, uri)
    if target is None:
        return
    assert re.fullmatch(r"(?i)sips?:[!-~]+", uri) and uri.count("@") == 1
    assert not set(uri) & set("<>\"'") and len(uri) < 255
    for instruction in (DialHumans(1, (target,), 20), ReferCaller(1, target)):
        document = written(instruction)
        check_documented(document)
        assert [each.text for each in document.iter("Sip")] == [uri]
    check_rung_as_it_is(target, uri)


@given(hostile | st.from_regex(r"[\w.@+-]{1,20}", fullmatch=True))
@example("anna\n")
@example("\u0661nna")
def test_an_identity_is_letters_and_digits_or_refused(identity: str) -> None:
    target = accepted(Target.client, identity)
    if target is None:
        return
    assert re.fullmatch(r"[A-Za-z0-9_.@+-]+", identity)
    document = written(DialHumans(1, (target,), 20))
    check_documented(document)
    assert [each.text for each in document.iter("Client")] == [identity]
    check_rung_as_it_is(target, f"client:{identity}")


@given(hostile | st.from_regex(r"\+[0-9]{1,18}", fullmatch=True))
@example("+15550102\n")
@example("+1555010\u0662")
def test_a_number_is_a_number_or_refused(number: str) -> None:
    target = accepted(Target.phone, number)
    if target is None:
        return
    assert re.fullmatch(r"\+[1-9][0-9]{5,14}", number)
    check_rung_as_it_is(target, number)


@given(hostile)
@example("support\n")
def test_the_name_of_a_queue_is_a_name_or_refused(name: str) -> None:
    target = accepted(queue_target, name)
    if target is not None:
        assert re.fullmatch(r"[A-Za-z0-9_. -]{1,64}", name)
        assert [each.text for each in written(JoinQueue(1, target)).iter("Enqueue")] == [name]


# --- who calls --------------------------------------------------------------------------------


@given(hostile, hostile, hostile, st.sampled_from(["inbound", "outbound"]))
@example("sip:+15550199@example.org", "+15550101", "", "inbound")
def test_what_a_caller_is_called_is_shown_to_nobody(
    caller: str, called: str, token: str, direction: str
) -> None:
    parties = Parties.of(CALL, direction=direction, caller=caller, called=called, call_token=token)
    for caller_id in (None, "caller", "+15550111"):
        wanted = RingHuman(1, 0, Target.client("anna"), 20, caller_id)
        shown = dict(sent(ring_fields(wanted, URLS, parties)))["From"]
        assert re.fullmatch(r"\+[1-9][0-9]{5,14}|client:hookflash", shown)
        dialled = DialHumans(1, (Target.phone("+15550102"),), 20, caller_id)
        document = written(dialled, parties=parties)
        check_documented(document)
        (dial,) = document.iter("Dial")
        assert re.fullmatch(r"\+[1-9][0-9]{5,14}", dial.get("callerId", "+15550100"))


@given(whole.map("t{}".format))
def test_a_token_that_came_with_a_call_is_one_field(token: str) -> None:
    parties = Parties(call_sid=CALL, number="+15550142", own_number="+15550100", call_token=token)
    form = sent(
        ring_fields(RingHuman(1, 0, Target.phone("+15550102"), 20, "caller"), URLS, parties)
    )
    assert [value for name, value in form if name == "CallToken"] == [token]
    assert [value for name, value in form if name == "To"] == ["+15550102"]


# --- addresses of ours ------------------------------------------------------------------------


@pytest.mark.parametrize("base", ["https://line.example.com", "https://example.com/phone"])
@given(call_sid=whole)
def test_a_call_cannot_lead_to_another_address(base: str, call_sid: str) -> None:
    urls = Urls.under(base)
    tame = [urlsplit(each) for each in about(urls, "CA1")]
    for found, wanted in zip(map(urlsplit, about(urls, call_sid)), tame, strict=True):
        assert (found.scheme, found.netloc) == (wanted.scheme, wanted.netloc)
        assert (found.query, found.fragment) == (wanted.query, wanted.fragment)
        parts, wants = found.path.split("/"), wanted.path.split("/")
        assert len(parts) == len(wants) and not {".", ".."} & set(parts)
        different = [part for part, want in zip(parts, wants, strict=True) if part != want]
        assert len(different) <= 1


def about(urls: Urls, call_sid: str) -> list[str]:
    return [
        urls.human(call_sid, 1, 2, "answered"),
        urls.human_status(call_sid, 1, 2),
        urls.consult(call_sid, 3),
        urls.room_events(call_sid, 1),
        urls.transcript(call_sid),
    ]


# --- TwiML ------------------------------------------------------------------------------------


@given(hostile.map(lambda text: "".join(each for each in text if each.isprintable())))
def test_a_custom_parameter_is_one_parameter(token: str) -> None:
    text = render((ConnectAgent(1),), URLS, parties=PARTIES, token=lambda step: f"t{token}")
    document = ET.fromstring(text)
    check_documented(document)
    (parameter,) = document.iter("Parameter")
    assert (parameter.get("name"), parameter.get("value")) == ("token", f"t{token}")


@given(whole)
def test_a_room_is_named_in_letters_and_digits(call_sid: str) -> None:
    document = written(JoinRoom(call_sid, 1, 2))
    (room,) = [each.text or "" for each in document.iter("Conference")]
    assert re.fullmatch(r"hookflash-[A-Za-z0-9_-]{0,64}-1", room)


# --- from the model's mouth -------------------------------------------------------------------

PLANS = {
    "cold": HandoffPlan(targets=(Target.phone("+15550102"),), whisper="{reason} {summary}"),
    "warm": HandoffPlan(targets=(Target.sip("sip:ben@example.com"),), manner="warm"),
    "task": HandoffPlan(targets=(queue_target(WORKFLOW),)),
}
TARGETS = {target for plan in PLANS.values() for target in plan.targets}
arguments = st.fixed_dictionaries(
    {"destination": st.sampled_from([*PLANS]), "reason": hostile, "summary": hostile}
)
anything = st.dictionaries(
    st.sampled_from(["destination", "reason", "summary", "to", "number", "address"]) | hostile,
    hostile | st.integers() | st.none() | st.lists(hostile, max_size=2),
    max_size=5,
)


@given(st.sampled_from([*HOSTILE, "+15550199", "Anna"]), arguments | anything)
def test_whatever_a_model_asks_for_only_a_plans_humans_are_reached(
    caller: str, asked: dict[str, object]
) -> None:
    setup = CallSetup(
        destinations=tuple(Destination(key=key, when="", plan=plan) for key, plan in PLANS.items())
    )
    call, now = Call(setup), 1_764_000_000.0
    parties = Parties.of(CALL, direction="inbound", caller=caller, called="+15550101")
    happened = [
        CallArrived(CALL, caller, "+15550101"),
        ModelReady("S1"),
        ToolCallRequested("t1", "transfer_to_human", json.dumps(asked), "r1"),
        HumanAsked(1, 0, "CA2", "answered"),
    ]
    commands = [each for event in happened for each in call.receive(event, now)]
    for _ in range(20):
        if (deadline := call.deadline) is None:
            break
        commands += call.expire(deadline)
        now = deadline

    said = 0
    for command in commands:
        match command:
            case RingHuman(target=target):
                assert target in TARGETS
                check_rung_as_it_is(target, target.address)
            case MoveCall(instructions=instructions) | AnswerCarrier(instructions=instructions):
                document = written(*instructions, parties=parties)
                check_documented(document)
                said += sum(isinstance(each, Screen) for each in instructions)
                reached = {
                    each.text for each in document.iter() if each.tag in ("Number", "Sip", "Client")
                }
                assert reached <= {target.address for target in TARGETS}
                for task in document.iter("Task"):
                    given_up = json.loads(task.text or "")
                    assert given_up["transcript_url"] == URLS.transcript(CALL)
                    assert isinstance(instructions[0], JoinQueue)
                tame = [type(each) for each in instructions]
                assert len(list(document.iter("Hangup"))) <= tame.count(HangUp) + 1
    understood = [each for each in commands if isinstance(each, RingHuman)]
    assert said == len(understood), "a human who was rung has heard the whisper"
