"""`<Dial>`: rings humans, lets them screen the call, bridges; or joins a conference or a queue.

    nouns -> ring (at once, or one after another) -> whisper -> bridge -> action
                |  busy, no-answer, failed                |  declined: still `completed`
                +-------------------------------------> action

The action's parameters: DialCallStatus is `completed` as soon as somebody answered; DialBridged
says whether both parties talked. DialCallSid and DialCallDuration are absent after a conference;
the duration is also absent if the dialled leg was moved away. `<Sip>` adds its Call-ID and response
code. ErrorCode and ErrorMessage say why a noun could not be dialled. If the parent leg is moved or
over, the action is requested all the same and its answer ignored.
Source: Twilio, `<Dial>` (callerId), `<Number>`, `<Client>`, `<Sip>`.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass

from hookflash_local.carrier import alerts, sip
from hookflash_local.carrier.legs.amd import Detection, detect, detection
from hookflash_local.carrier.legs.bridge import bridge
from hookflash_local.carrier.legs.leg import Leg
from hookflash_local.carrier.legs.outbound import begin_script, ring, send_digits
from hookflash_local.carrier.media import recordings, sounds
from hookflash_local.carrier.media.recordings import CallRecording, recording_options
from hookflash_local.carrier.media.sources import Loop
from hookflash_local.carrier.twiml.execution import Finish, Next, VerbContext, run, verb
from hookflash_local.carrier.twiml.parse import Element
from hookflash_local.carrier.twiml.verbs.conference import join_conference
from hookflash_local.carrier.twiml.verbs.enqueue import take_from_queue
from hookflash_local.carrier.webhooks import SIP_CODES, FetchFailed, StatusCallback, wanted

MOST_NOUNS = 10
_WORST_LAST = ("canceled", "failed", "busy", "no-answer", "completed")


@dataclass
class Dialling:
    """What is known so far. `bridged` and `child` are of the leg that won, or was last; `error` is
    why one could not be dialled."""

    context: VerbContext
    element: Element
    status: str = "canceled"
    child: Leg | None = None
    bridged: bool = False
    in_conference: bool = False
    recording: CallRecording | None = None
    error: tuple[int, str] | None = None

    def form(self) -> dict[str, str]:
        """Return the action's parameters."""
        form = {"DialCallStatus": self.status, "DialBridged": "true" if self.bridged else "false"}
        if self.error is not None and not self.bridged:
            form["ErrorCode"], form["ErrorMessage"] = str(self.error[0]), self.error[1]
        if self.in_conference or self.child is None:
            return form
        form["DialCallSid"] = self.child.sid
        if self.child.about.to.startswith(("sip:", "sips:")):
            form["DialSipCallId"] = sip_call_id(self.child)
            form["DialSipResponseCode"] = SIP_CODES.get(self.child.status, "200")
        if self.recording and self.bridged:
            form["RecordingUrl"] = recordings.url_of(self.context.exchange, self.recording)
        if self.child.seconds is not None and not self.child.execution.left_dial.is_set():
            form["DialCallDuration"] = str(int(self.child.seconds))
        return form

    def settle(self, child: Leg) -> None:
        """Take note of how one leg ended; the best outcome of all counts."""
        status = "completed" if child.about.answered else child.status
        if status == "completed" and not self.context.exchange.unconfirmed.declined_is_completed:
            status = "completed" if self.bridged else "no-answer"
        if self.child is None or _WORST_LAST.index(status) >= _WORST_LAST.index(self.status):
            self.status, self.child = status, child


@verb("Dial")
async def dial(context: VerbContext, element: Element) -> Next:
    leg = context.leg
    if not element.true("answerOnBridge"):
        leg.answer()
    dialling = Dialling(context, element)
    try:
        joined = await _carry_out(dialling)
    except asyncio.CancelledError:
        # The caller's leg was moved by REST or is over: asked all the same, the answer ignored.
        _ask_in_vain(dialling)
        raise
    leg.note("dial-result", **dialling.form())
    if joined and element.get("action"):
        return context.ask(element.get("action"), element.get("method"), dialling.form())
    return None


def _ask_in_vain(dialling: Dialling) -> None:
    context, element = dialling.context, dialling.element
    if element.get("action"):
        context.ask_and_ignore(element.get("action"), element.get("method"), dialling.form())
    elif (
        context.following is not None and context.following.name == "Redirect" and context.leg.live
    ):
        context.ask_and_ignore(context.following.text, context.following.get("method"))


async def _carry_out(dialling: Dialling) -> bool:
    """Do what stands in the element; False if it fell through to the next verb untried."""
    context, element = dialling.context, dialling.element
    special = element.children_named("Conference", "Queue")
    nouns = element.children_named("Number", "Client", "Sip")
    if element.text:
        nouns.append(Element("Number", {}, (), element.text))
    if special:
        context.leg.answer()
        if nouns or len(special) > 1:
            text = f"<{special[0].name}> must stand alone in <Dial>"
            context.exchange.alert(alerts.SCHEMA, text, context.leg)
        if special[0].name == "Queue":
            dialling.status = await take_from_queue(context, element, special[0])
            dialling.bridged = dialling.status == "completed"
            return True
        dialling.in_conference, dialling.status, dialling.bridged = True, "answered", True
        status = await join_conference(context, element, special[0])
        dialling.status, dialling.bridged = status, status == "answered"
        return bool(status)
    if not 0 < len(nouns) <= MOST_NOUNS:
        text = f"<Dial> has {len(nouns)} targets, expected 1 to {MOST_NOUNS}"
        context.exchange.alert(alerts.SCHEMA, text, context.leg)
        nouns = nouns[:MOST_NOUNS]
    dialling.status = "failed" if not nouns else "canceled"
    await _ring_and_bridge(dialling, nouns)
    return True


async def _ring_and_bridge(dialling: Dialling, nouns: list[Element]) -> None:
    context, element = dialling.context, dialling.element
    leg = context.leg
    rounds = [[noun] for noun in nouns] if element.true("sequential") else [nouns]
    children: list[Leg] = []
    winner: Leg | None = None
    leg.listen_to(Loop(sounds.ringing_cycle(), context.exchange.clock.now()))
    if element.get("record").startswith("record-from-ringing"):
        dialling.recording = record_dial(context, element)
    try:
        for group in rounds:
            winner = await _ring_group(dialling, group, children)
            if winner:
                break
        if winner:
            leg.answer()
            dialling.bridged, dialling.status, dialling.child = True, "completed", winner
            limit = element.number("timeLimit", 0) or None
            star = element.true("hangupOnStar")
            left = winner.execution.left_dial
            begin_script(context.exchange, winner)
            if element.get("record").startswith(("record-from-answer", "true")):
                dialling.recording = record_dial(context, element)
            await bridge(context.exchange, leg, winner, until=left, limit=limit, star=star)
    finally:
        if dialling.recording:
            dialling.recording.stop()
        leg.listen_to(None)
        for child in children:
            if not child.execution.left_dial.is_set():
                child.end("completed" if child.about.answered else "canceled", by="dial")
            if winner is None:
                dialling.settle(child)


async def _ring_group(dialling: Dialling, nouns: list[Element], children: list[Leg]) -> Leg | None:
    """Ring all of `nouns` at once; return the first leg that may be bridged."""
    attempts: set[asyncio.Task[Leg | None]] = set()
    for noun in nouns:
        child = dialled_leg(dialling.context, dialling.element, noun)
        if isinstance(child, tuple):
            dialling.status, dialling.error = "failed", child
            continue
        children.append(child)
        attempts.add(asyncio.create_task(_attempt(dialling, noun, child), name=f"ring {child.sid}"))
    running = set(attempts)
    try:
        while running:
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for attempt in done:
                if (winner := attempt.result()) is not None:
                    return winner
        return None
    finally:
        for attempt in attempts:
            attempt.cancel()
        await asyncio.gather(*attempts, return_exceptions=True)


async def _attempt(dialling: Dialling, noun: Element, child: Leg) -> Leg | None:
    """Ring one leg and let it screen; return it if it is to be bridged."""
    exchange = dialling.context.exchange
    if not await ring(exchange, child, dialling.element.number("timeout", 30.0)):
        return None
    wanted = dialled_detection(dialling.context, noun)
    if wanted is not None:
        exchange.tasks.start(detect(exchange, child, wanted), f"detection {child.sid}")
    if noun.get("sendDigits"):
        await send_digits(exchange, child, noun.get("sendDigits"))
    if noun.get("url"):
        begin_script(exchange, child)
        if not await _whisper(dialling.context, noun, child):
            child.end("completed", by="twiml")
            return None
    return child if child.live and not child.execution.left_dial.is_set() else None


async def _whisper(context: VerbContext, noun: Element, child: Leg) -> bool:
    """Run the screening document on the dialled leg; True if it ran out without a hang-up."""
    child.note("whisper")
    try:
        form = {"SipCallId": sip_call_id(child)} if noun.name == "Sip" else {}
        entry = context.ask(noun.get("url"), noun.get("method"), form)
    except FetchFailed as error:
        context.exchange.alert(error.code, error.text, child)
        return False
    work = run(context.exchange, child, entry, segment="whisper")
    task = context.exchange.tasks.start(work, f"whisper {child.sid}")
    child.execution.document_task = task
    try:
        await asyncio.wait([task])
    finally:
        task.cancel()
        if child.execution.document_task is task:
            child.execution.document_task = None
    if task.cancelled() or task.exception() is not None:
        return child.execution.left_dial.is_set()
    return task.result() == Finish("ran-out")


_NUMBER = re.compile(r"\+?[0-9][0-9 ().-]{2,20}")
_WORD = re.compile(r"[A-Za-z0-9+_.-]+")


def dialled_leg(context: VerbContext, dial: Element, noun: Element) -> Leg | tuple[int, str]:
    """Create the leg of one noun; if that is not allowed, alert and return code and text."""
    address = noun.text
    problem: tuple[int, str] | None = None
    if noun.name == "Client":
        identity = noun.children_named("Identity")
        address = "client:" + (identity[0].text if identity else noun.text)
    elif noun.name == "Sip":
        problem = sip.problem(address)
    elif not _NUMBER.fullmatch(address):
        problem = alerts.BAD_NUMBER, f"not a phone number: {address!r}"
    caller = dial.get("callerId") or context.leg.about.from_
    if problem is None and not _may_show(context, noun, caller):
        problem = alerts.BAD_CALLER_ID, f"callerId {caller!r} is not allowed here"
    if problem is not None:
        context.exchange.alert(*problem, context.leg)
        return problem
    status_callback = StatusCallback()
    if noun.get("statusCallback"):
        url = context.page.resolve(noun.get("statusCallback"))
        events = wanted(noun.get("statusCallbackEvent"))
        status_callback = StatusCallback(url, noun.get("statusCallbackMethod") or "POST", events)
    return context.exchange.new_leg(
        caller, address, "outbound-dial", parent=context.leg, status_callback=status_callback
    )


def dialled_detection(context: VerbContext, noun: Element) -> Detection | None:
    """Read the machine detection of `<Number>` and `<Sip>`: it always runs beside the call."""
    if not noun.get("machineDetection"):
        return None
    to = None
    if noun.get("amdStatusCallback"):
        url = context.page.resolve(noun.get("amdStatusCallback"))
        to = (url, noun.get("amdStatusCallbackMethod") or "POST")
    fields = {name[:1].upper() + name[1:]: value for name, value in noun.attributes.items()}
    return detection(fields, asynchronous=True, callback=to)


def record_dial(context: VerbContext, dial: Element) -> CallRecording:
    """Record the caller's leg of a `<Dial>`: both who calls and what they hear."""
    fields = {
        "RecordingChannels": "dual" if dial.get("record").endswith("-dual") else "mono",
        "RecordingTrack": dial.get("recordingTrack", "both"),
        "Trim": dial.get("trim", "do-not-trim"),
    }
    to = context.callback(dial, "recordingStatusCallback")
    events = frozenset(dial.get("recordingStatusCallbackEvent").split())
    options = recording_options("DialVerb", fields, to, events, trim="do-not-trim")
    return recordings.start(context.exchange, context.leg, options)


def sip_call_id(leg: Leg) -> str:
    """Return the Call-ID header of a leg's INVITE."""
    return f"{leg.sid.lower()}@0.0.0.0"


def _may_show(context: VerbContext, noun: Element, caller: str) -> bool:
    """To a telephone: the call's own To or From, or a number of the account; after a SIP call only
    the latter. To a browser also a client, to SIP any word."""
    about = context.leg.about
    if noun.name == "Client":
        return True
    if noun.name == "Sip":
        return _WORD.fullmatch(caller.removeprefix("sip:").partition("@")[0]) is not None
    if context.exchange.directory.owns(caller):
        return True
    if about.from_.startswith("sip:") or not caller.startswith("+"):
        return False
    return caller in (about.from_, about.to)
