"""InstructionWriter a document and reading it back, with what Twilio documents as the judge."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from urllib.parse import urlsplit

from hypothesis import strategies as st

from hookflash.carriers.twilio.caller_ids import Parties
from hookflash.carriers.twilio.twiml import render
from hookflash.carriers.twilio.urls import Urls
from hookflash.carriers.twilio.voices import Voices
from hookflash.core import commands as c
from hookflash.core.handoff_plan import Target, queue_target

HOST = "https://line.example.com"
URLS = Urls.under(HOST)
CALL = "CA22222222222222222222222222222222"
LEG = "CA33333333333333333333333333333333"
WORKFLOW = "WW" + "0123456789abcdef" * 2
PARTIES = Parties(call_sid=CALL, number="+15550142", own_number="+15550100")

_METHOD = ("method", "statusCallbackMethod", "waitUrlMethod")
_STATUS = {"statusCallback", "statusCallbackMethod", "statusCallbackEvent"}
_SCREENED = {"url", "method", *_STATUS}
_DETECTED = {"machineDetection", "amdStatusCallback", "amdStatusCallbackMethod"}

# Verb -> (documented attributes that we use, allowed children). Sources: twilio.com/docs/voice
# /twiml/connect, /start, /stream, /dial, /number, /client, /sip, /conference, /enqueue, /gather,
# /record, /refer, /say, /play, /redirect, /leave, /hangup.
DOCUMENTED: dict[str, tuple[set[str], set[str]]] = {
    "Response": (
        set(),
        set(
            "Connect Dial Enqueue Gather Hangup Leave Play Record Redirect Refer Say Start".split()
        ),
    ),
    "Connect": ({"action", "method"}, {"Stream"}),
    "Start": (set(), {"Stream"}),
    "Stream": ({"url", "name", "track", "statusCallback", "statusCallbackMethod"}, {"Parameter"}),
    "Parameter": ({"name", "value"}, set()),
    "Dial": (
        {"action", "method", "timeout", "callerId", "answerOnBridge", "hangupOnStar"},
        {"Number", "Client", "Sip", "Conference"},
    ),
    "Number": (_SCREENED | _DETECTED | {"sendDigits"}, set()),
    "Client": (_SCREENED, set()),
    "Sip": (_SCREENED | _DETECTED, set()),
    "Conference": (
        {
            *("beep", "startConferenceOnEnter", "endConferenceOnExit", "participantLabel"),
            *("jitterBufferSize", *_STATUS),
        },
        set(),
    ),
    "Enqueue": ({"action", "method", "waitUrl", "waitUrlMethod", "workflowSid"}, {"Task"}),
    "Task": (set(), set()),
    "Gather": (
        {"action", "method", "numDigits", "finishOnKey", "actionOnEmptyResult", "timeout"},
        {"Say", "Play"},
    ),
    "Record": (
        {
            *("action", "method", "maxLength", "timeout", "finishOnKey", "playBeep", "transcribe"),
            *("transcribeCallback", "recordingStatusCallback", "recordingStatusCallbackMethod"),
            "recordingStatusCallbackEvent",
        },
        set(),
    ),
    "Refer": ({"action", "method"}, {"Sip"}),
    "Say": ({"language", "voice"}, set()),
    "Play": (set(), set()),
    "Redirect": ({"method"}, set()),
    "Leave": (set(), set()),
    "Hangup": (set(), set()),
}
IN_A_QUEUE = {"Response", "Say", "Play", "Pause", "Gather", "Redirect", "Leave", "Hangup"}


def written(
    *instructions: c.Instruction, parties: Parties = PARTIES, voices: Voices | None = None
) -> ET.Element:
    text = render(
        instructions, URLS, parties=parties, token=lambda step: f"token-of-{step}", voices=voices
    )
    assert text.startswith('<?xml version="1.0" encoding="UTF-8"?>')
    return ET.fromstring(text)


def check_documented(element: ET.Element) -> None:
    """Assert that only documented attributes are there, and that every address is absolute."""
    attributes, children = DOCUMENTED[element.tag]
    assert set(element.attrib) <= attributes, element.tag
    for name, value in element.attrib.items():
        assert not value.startswith(("[", "(")), f"{element.tag} {name} is a list"
        if name.endswith(("Callback", "action", "waitUrl")):
            assert value.startswith(f"{HOST}/twilio/"), name
        if name == "url" and element.tag == "Stream":
            assert value in (f"wss://line.example.com/twilio/{kind}" for kind in ("media", "notes"))
        elif name == "url":
            assert value.startswith(f"{HOST}/twilio/human/{CALL}/")
        if name in _METHOD:
            assert value == "POST"
    if element.tag in ("Play", "Redirect"):
        assert (element.text or "").startswith(f"{HOST}/twilio/")
    for child in element:
        assert child.tag in children, f"<{child.tag}> in <{element.tag}>"
        check_documented(child)


def paths(element: ET.Element) -> list[str]:
    """Return the path of every address of ours in a document."""
    found = [*element.attrib.values(), element.text or ""]
    inner = [path for child in element for path in paths(child)]
    return [urlsplit(each).path for each in found if each.startswith(HOST)] + inner


# --- all that can be written --------------------------------------------------------------------

steps = st.integers(0, 10_000)
few = st.integers(0, 20)
texts = st.text(st.characters(), max_size=200)
languages = st.none() | st.sampled_from(["de-DE", "en-GB"])
extensions = st.just("") | st.from_regex(r"[wW]{0,4}[0-9*#]{1,8}", fullmatch=True)
phones = st.builds(Target.phone, st.from_regex(r"\+[1-9][0-9]{5,14}", fullmatch=True), extensions)
sips = st.from_regex(r"sip:[a-z&;=?]{1,20}@[a-z.;=&?-]{1,20}", fullmatch=True).map(Target.sip)
clients = st.from_regex(r"[A-Za-z0-9_.@+-]{1,40}", fullmatch=True).map(Target.client)
queues = st.one_of(
    st.just(queue_target(WORKFLOW)),
    st.from_regex(r"[A-Za-z0-9_. -]{1,64}", fullmatch=True).map(queue_target),
)
caller_ids = st.none() | st.sampled_from(["+15550111", "caller"])


def instructions_with(said: st.SearchStrategy[str]) -> st.SearchStrategy[c.Instruction]:
    """Return every kind of instruction; `said` are the texts of free length in it."""
    return st.one_of(
        st.builds(c.ConnectAgent, steps),
        st.builds(
            c.DialHumans,
            steps,
            st.lists(phones | clients | sips, min_size=1, max_size=3).map(tuple),
            st.integers(5, 600),
            caller_ids,
            st.none() | few,
        ),
        st.builds(c.JoinRoom, st.just(CALL), few, steps, st.none() | few, st.booleans()),
        st.builds(c.JoinQueue, steps, queues, st.dictionaries(st.sampled_from("abc"), said)),
        st.builds(c.KeepInQueue, steps, said, st.integers(1, 90), languages),
        st.just(c.LeaveQueue()),
        st.builds(c.ReferCaller, steps, sips),
        st.builds(c.Hold, steps, said, few),
        st.builds(c.TakeVoicemail, steps, said, st.integers(1, 600), st.booleans(), languages),
        st.builds(
            c.Screen, few, few, said, st.sampled_from(["pressed", "parting"]), language=languages
        ),
        st.just(c.Bridge()),
        st.builds(c.Speak, said, languages),
        st.just(c.HangUp()),
    )


def said_in(document: ET.Element) -> Sequence[str]:
    return [say.text or "" for say in document.iter("Say")]
