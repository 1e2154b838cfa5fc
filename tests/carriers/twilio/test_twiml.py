"""Documents as a whole: streams, speech, endings, and what REST takes."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hookflash.carriers.twilio.caller_ids import Parties
from hookflash.carriers.twilio.document_text import ELLIPSIS
from hookflash.carriers.twilio.twiml import MAX_REST_CHARACTERS, render, render_for_rest
from hookflash.carriers.twilio.urls import RETRY
from hookflash.carriers.twilio.voices import Voices
from hookflash.core.commands import (
    Bridge,
    ConnectAgent,
    DialHumans,
    HangUp,
    Hold,
    Instruction,
    JoinQueue,
    KeepInQueue,
    LeaveQueue,
    Redirect,
    Screen,
    Speak,
)
from hookflash.core.handoff_plan import Target, queue_target
from hookflash.errors import CarrierError, ConfigError

from .conftest import (
    CALL,
    PARTIES,
    URLS,
    WORKFLOW,
    check_documented,
    instructions_with,
    paths,
    said_in,
    texts,
    written,
)


def for_rest(*instructions: Instruction) -> str:
    return render_for_rest(instructions, URLS, parties=PARTIES, token=lambda step: "t" * 43)


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


def test_a_humans_own_stream_is_asked_about_by_the_callers_call() -> None:
    connect, _ = written(ConnectAgent(3), parties=replace(PARTIES, consulting=True))
    assert connect.get("action") == f"https://line.example.com/twilio/consult/{CALL}/3" + RETRY


def test_speech_is_escaped_and_freed_of_what_xml_cannot_hold() -> None:
    voices = Voices("de-DE", "Polly.Vicki")
    say, hangup = written(Speak("Tom & <Jerry>\x00\ud800 café"), HangUp(), voices=voices)
    assert say.text == "Tom & <Jerry>   café"
    assert say.attrib == {"language": "de-DE", "voice": "Polly.Vicki"}
    assert hangup.tag == "Hangup"


def test_another_language_is_not_spoken_in_the_lines_own_voice() -> None:
    voices = Voices("de-DE", "Polly.Vicki")
    assert written(Speak("x", "fr-FR"), voices=voices)[0].attrib == {"language": "fr-FR"}


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("fr", {"language": "fr-FR"}),
        ("de", {"language": "de-DE", "voice": "Polly.Vicki"}),
        ("xx", {"language": "de-DE", "voice": "Polly.Vicki"}),
    ],
)
def test_the_language_of_an_agent_becomes_a_locale_of_twilios(
    language: str, said: dict[str, str]
) -> None:
    voices = Voices("de-DE", "Polly.Vicki")
    assert written(Speak("x", language), voices=voices)[0].attrib == said
    assert written(Speak("x", "de-DE"), voices=voices)[0].get("voice") == "Polly.Vicki"
    assert written(Speak("x"))[0].attrib == {}


def test_a_text_with_nothing_to_say_is_not_said() -> None:
    assert [element.tag for element in written(Speak(" \x00\n"))] == ["Hangup"]


def test_a_document_always_ends_with_one_hang_up() -> None:
    for instructions in [(), (HangUp(),), (Speak("x"),), (Speak("x"), HangUp())]:
        tags = [element.tag for element in written(*instructions)]
        assert tags[-1] == "Hangup"
        assert tags.count("Hangup") == 1


def test_a_call_goes_back_to_the_application_that_had_it() -> None:
    (redirect,) = written(Redirect("https://own.example.com/incoming-call?a=1&b=2"))
    assert (redirect.tag, redirect.attrib) == ("Redirect", {"method": "POST"})
    assert redirect.text == "https://own.example.com/incoming-call?a=1&b=2"


def test_a_document_whose_end_means_something_has_no_hang_up() -> None:
    assert [element.tag for element in written(Bridge())] == []
    assert [element.tag for element in written(Speak("x"), Bridge())] == ["Say"]
    assert [element.tag for element in written(LeaveQueue())] == ["Leave"]
    assert [element.tag for element in written(KeepInQueue(1, "x"))] == ["Gather"]


def test_a_token_too_long_for_a_parameter_is_refused() -> None:
    with pytest.raises(ConfigError, match="stream token"):
        render((ConnectAgent(1),), URLS, parties=PARTIES, token=lambda step: "x" * 495)


# --- over REST ----------------------------------------------------------------------------------


def test_a_document_that_fits_is_left_alone() -> None:
    instructions = (Speak("word " * 700), HangUp())
    assert for_rest(*instructions) == render(instructions, URLS, parties=PARTIES, token=str)


def test_what_is_said_is_shortened_until_a_document_fits() -> None:
    document = ET.fromstring(for_rest(Speak("good morning " * 900), HangUp()))
    (said,) = said_in(document)
    assert 3_800 < len(said) < 4_000
    assert said.endswith(("good" + ELLIPSIS, "morning" + ELLIPSIS))


def test_short_texts_stay_whole_and_long_ones_share_what_is_left() -> None:
    long = "a long story & more " * 300
    document = ET.fromstring(for_rest(Speak("Hello."), Speak(long), Speak(long)))
    hello, one, other = said_in(document)
    assert hello == "Hello."
    assert one == other and 1_000 < len(one) < 2_000


def test_the_summary_of_a_task_is_shortened_too() -> None:
    attributes = {"reason": "a refund", "summary": 'said "no" \n' * 1000}
    document = ET.fromstring(for_rest(JoinQueue(1, queue_target(WORKFLOW), attributes)))
    task = next(document.iter("Task")).text or ""
    assert '"reason": "a refund"' in task and ELLIPSIS.encode("unicode_escape").decode() in task


def test_a_stream_gets_one_token_however_often_its_document_is_written() -> None:
    minted: list[int] = []

    def token(step: int) -> str:
        minted.append(step)
        return "t"

    instructions = (Speak("word " * 2000), ConnectAgent(7))
    render_for_rest(instructions, URLS, parties=PARTIES, token=token)
    assert minted == [7]


def test_ten_screened_telephones_at_once_fit_into_a_rest_update() -> None:
    phones = tuple(Target.phone(f"+1555010{n:08d}") for n in range(10))
    assert len(for_rest(DialHumans(99, phones, 600, wave=1))) <= MAX_REST_CHARACTERS


def test_too_many_long_addresses_are_refused_for_the_other_road() -> None:
    desks = tuple(Target.sip(f"sip:{'d' * 200}{n}@example.com") for n in range(10))
    with pytest.raises(CarrierError, match="4000 characters, this has 5[0-9]{3}") as caught:
        for_rest(DialHumans(1, desks, 20, wave=1))
    assert not caught.value.retryable


anything = instructions_with(texts)
longer = instructions_with(st.text(st.characters(), min_size=200, max_size=3000))


@given(st.lists(anything, max_size=4), st.none() | st.just("+15550199"))
def test_all_twiml_that_we_can_write_parses_and_uses_only_documented_attributes(
    sequence: list[Instruction], number: str | None
) -> None:
    check_documented(written(*sequence, parties=Parties(call_sid=CALL, own_number=number)))


@given(longer)
def test_whatever_is_said_a_document_fits_into_a_rest_update(instruction: Instruction) -> None:
    document = for_rest(instruction)
    assert len(document) <= MAX_REST_CHARACTERS
    check_documented(ET.fromstring(document))


@given(anything)
def test_every_address_that_is_sent_by_rest_is_absolute(instruction: Instruction) -> None:
    document = for_rest(instruction)
    check_documented(ET.fromstring(document))
    for value in re.findall(r'(?:action|url|Url|Callback)="([^"]*)"', document):
        assert value.startswith(("https://line.example.com/", "wss://line.example.com/"))


hostile = st.sampled_from(
    ["</Say><Hangup/>", '"/><Dial>+15550199</Dial>', "]]>", "<!--", "&lt;", "%0a", "../..", "?a=1"]
)


@given(st.lists(hostile | texts, min_size=1, max_size=5).map("".join))
def test_what_is_said_can_never_become_an_instruction(text: str) -> None:
    tame = written(Speak("x"), Hold(1, "x"), Screen(1, 2, "x"))
    document = written(Speak(f"x{text}"), Hold(1, f"x{text}"), Screen(1, 2, f"x{text}"))
    assert [each.tag for each in document.iter()] == [each.tag for each in tame.iter()]
    assert paths(document) == paths(tame)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=64))
def test_a_call_sid_can_never_become_another_address(call_sid: str) -> None:
    parties = Parties(call_sid=call_sid)
    (path,) = paths(written(Screen(1, 2, "x"), parties=parties))
    assert re.fullmatch(r"/twilio/human/[^/?#]+/1/2/pressed", path)
