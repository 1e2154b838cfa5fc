"""What `<Dial>` dials: the leg of a `<Number>`, `<Client>` or `<Sip>`, and who may be shown.

Source: Twilio, `<Dial>` (callerId), `<Number>`, `<Client>`, `<Sip>`.
"""

from __future__ import annotations

import re

from hookflash_local.carrier import notices, recorder, sip
from hookflash_local.carrier.amd import Detection, detection
from hookflash_local.carrier.leg import Leg
from hookflash_local.carrier.lives import Scene
from hookflash_local.carrier.reports import StatusReports, wanted
from hookflash_local.carrier.tape import Tape, tape_wish
from hookflash_local.carrier.twiml import Element

_NUMBER = re.compile(r"\+?[0-9][0-9 ().-]{2,20}")
_WORD = re.compile(r"[A-Za-z0-9+_.-]+")


def dialled_leg(scene: Scene, dial: Element, noun: Element) -> Leg | tuple[int, str]:
    """Make the leg of one noun, or notice and return why it cannot be: Twilio's code, a text."""
    address = noun.text
    problem: tuple[int, str] | None = None
    if noun.name == "Client":
        identity = noun.children_named("Identity")
        address = "client:" + (identity[0].text if identity else noun.text)
    elif noun.name == "Sip":
        problem = sip.problem(address)
    elif not _NUMBER.fullmatch(address):
        problem = notices.BAD_NUMBER, f"not a phone number: {address!r}"
    caller = dial.get("callerId") or scene.leg.about.from_
    if problem is None and not _may_show(scene, noun, caller):
        problem = notices.BAD_CALLER_ID, f"callerId {caller!r} is not allowed here"
    if problem is not None:
        scene.exchange.notice(*problem, scene.leg)
        return problem
    reports = StatusReports()
    if noun.get("statusCallback"):
        url = scene.page.resolve(noun.get("statusCallback"))
        events = wanted(noun.get("statusCallbackEvent"))
        reports = StatusReports(url, noun.get("statusCallbackMethod") or "POST", events)
    return scene.exchange.new_leg(
        caller, address, "outbound-dial", parent=scene.leg, reports=reports
    )


def dialled_detection(scene: Scene, noun: Element) -> Detection | None:
    """Read the machine detection of `<Number>` and `<Sip>`: it always runs beside the call."""
    if not noun.get("machineDetection"):
        return None
    told = None
    if noun.get("amdStatusCallback"):
        url = scene.page.resolve(noun.get("amdStatusCallback"))
        told = (url, noun.get("amdStatusCallbackMethod") or "POST")
    fields = {name[:1].upper() + name[1:]: value for name, value in noun.attributes.items()}
    return detection(fields, asynchronous=True, report_to=told)


def dial_tape(scene: Scene, dial: Element) -> Tape:
    """Record the caller's leg of a `<Dial>`: both who calls and what they hear."""
    fields = {
        "RecordingChannels": "dual" if dial.get("record").endswith("-dual") else "mono",
        "RecordingTrack": dial.get("recordingTrack", "both"),
        "Trim": dial.get("trim", "do-not-trim"),
    }
    told = scene.callback(dial, "recordingStatusCallback")
    events = frozenset(dial.get("recordingStatusCallbackEvent").split())
    wish = tape_wish("DialVerb", fields, told, events, trim="do-not-trim")
    return recorder.start(scene.exchange, scene.leg, wish)


def sip_call_id(leg: Leg) -> str:
    """Return the Call-ID header of a leg's INVITE."""
    return f"{leg.sid.lower()}@0.0.0.0"


def _may_show(scene: Scene, noun: Element, caller: str) -> bool:
    """To a telephone: the call's own To or From, or a number of the account; after a SIP call only
    the latter. To a browser also a client, to SIP any word."""
    about = scene.leg.about
    if noun.name == "Client":
        return True
    if noun.name == "Sip":
        return _WORD.fullmatch(caller.removeprefix("sip:").partition("@")[0]) is not None
    if scene.exchange.directory.owns(caller):
        return True
    if about.from_.startswith("sip:") or not caller.startswith("+"):
        return False
    return caller in (about.from_, about.to)
