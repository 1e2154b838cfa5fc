"""`<Dial>`: rings humans, lets them screen the call, bridges; or joins a conference or a queue.

    nouns -> ring (at once, or one after another) -> whisper -> bridge -> action
                |  busy, no-answer, failed                |  declined: still `completed`
                +-------------------------------------> action

The action's parameters follow the documents: DialCallStatus is `completed` as soon as somebody
answered, DialBridged says whether both really talked, DialCallSid and DialCallDuration are absent
after a conference, the duration also if the dialled leg was moved away; after `<Sip>` its Call-ID
and response code are told too. After a noun that could not be dialled ErrorCode and ErrorMessage
say why. If the parent is moved or gone, the action is asked all the same
and its answer ignored. Source: Twilio, `<Dial>`, `<Number>`, `<Sip>`.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from hookflash_local.carrier import notices, recorder, sounds
from hookflash_local.carrier.amd import detect
from hookflash_local.carrier.bridge import bridge
from hookflash_local.carrier.hearing import Loop
from hookflash_local.carrier.keys import send_digits
from hookflash_local.carrier.leg import Leg
from hookflash_local.carrier.lives import Finish, Next, Scene, run, verb
from hookflash_local.carrier.reports import SIP_CODES
from hookflash_local.carrier.ringing import begin_script, ring
from hookflash_local.carrier.tape import Tape
from hookflash_local.carrier.twiml import Element
from hookflash_local.carrier.verbs.conference import join_conference
from hookflash_local.carrier.verbs.dialled import (
    dial_tape,
    dialled_detection,
    dialled_leg,
    sip_call_id,
)
from hookflash_local.carrier.verbs.enqueue import take_from_queue
from hookflash_local.carrier.webhooks import FetchFailed

MOST_NOUNS = 10
_WORST_LAST = ("canceled", "failed", "busy", "no-answer", "completed")


@dataclass
class Dialling:
    """What is known so far. `bridged` and `child` are of the leg that won, or was last; `error` is
    why one could not be dialled."""

    scene: Scene
    element: Element
    status: str = "canceled"
    child: Leg | None = None
    bridged: bool = False
    in_conference: bool = False
    tape: Tape | None = None
    error: tuple[int, str] | None = None

    def form(self) -> dict[str, str]:
        """Return what the action is told."""
        form = {"DialCallStatus": self.status, "DialBridged": "true" if self.bridged else "false"}
        if self.error is not None and not self.bridged:
            form["ErrorCode"], form["ErrorMessage"] = str(self.error[0]), self.error[1]
        if self.in_conference or self.child is None:
            return form
        form["DialCallSid"] = self.child.sid
        if self.child.about.to.startswith(("sip:", "sips:")):
            form["DialSipCallId"] = sip_call_id(self.child)
            form["DialSipResponseCode"] = SIP_CODES.get(self.child.status, "200")
        if self.tape and self.bridged:
            form["RecordingUrl"] = recorder.url_of(self.scene.exchange, self.tape)
        if self.child.seconds is not None and not self.child.course.left_dial.is_set():
            form["DialCallDuration"] = str(int(self.child.seconds))
        return form

    def settle(self, child: Leg) -> None:
        """Take note of how one leg ended; the best outcome of all counts."""
        status = "completed" if child.about.answered else child.status
        if status == "completed" and not self.scene.exchange.unconfirmed.declined_is_completed:
            status = "completed" if self.bridged else "no-answer"
        if self.child is None or _WORST_LAST.index(status) >= _WORST_LAST.index(self.status):
            self.status, self.child = status, child


@verb("Dial")
async def dial(scene: Scene, element: Element) -> Next:
    leg = scene.leg
    if not element.true("answerOnBridge"):
        leg.answer()
    dialling = Dialling(scene, element)
    try:
        joined = await _carry_out(dialling)
    except asyncio.CancelledError:
        # The caller's leg was moved by REST or is over: asked all the same, the answer ignored.
        _ask_in_vain(dialling)
        raise
    leg.note("dial-result", **dialling.form())
    if joined and element.get("action"):
        return scene.ask(element.get("action"), element.get("method"), dialling.form())
    return None


def _ask_in_vain(dialling: Dialling) -> None:
    scene, element = dialling.scene, dialling.element
    if element.get("action"):
        scene.ask_in_vain(element.get("action"), element.get("method"), dialling.form())
    elif scene.following is not None and scene.following.name == "Redirect" and scene.leg.live:
        scene.ask_in_vain(scene.following.text, scene.following.get("method"))


async def _carry_out(dialling: Dialling) -> bool:
    """Do what stands in the element; False if it fell through to the next verb untried."""
    scene, element = dialling.scene, dialling.element
    special = element.children_named("Conference", "Queue")
    nouns = element.children_named("Number", "Client", "Sip")
    if element.text:
        nouns.append(Element("Number", {}, (), element.text))
    if special:
        scene.leg.answer()
        if nouns or len(special) > 1:
            text = f"<{special[0].name}> must stand alone in <Dial>"
            scene.exchange.notice(notices.SCHEMA, text, scene.leg)
        if special[0].name == "Queue":
            dialling.status = await take_from_queue(scene, element, special[0])
            dialling.bridged = dialling.status == "completed"
            return True
        dialling.in_conference, dialling.status, dialling.bridged = True, "answered", True
        status = await join_conference(scene, element, special[0])
        dialling.status, dialling.bridged = status, status == "answered"
        return bool(status)
    if not 0 < len(nouns) <= MOST_NOUNS:
        text = f"<Dial> has {len(nouns)} targets, expected 1 to {MOST_NOUNS}"
        scene.exchange.notice(notices.SCHEMA, text, scene.leg)
        nouns = nouns[:MOST_NOUNS]
    dialling.status = "failed" if not nouns else "canceled"
    await _ring_and_bridge(dialling, nouns)
    return True


async def _ring_and_bridge(dialling: Dialling, nouns: list[Element]) -> None:
    scene, element = dialling.scene, dialling.element
    leg = scene.leg
    rounds = [[noun] for noun in nouns] if element.true("sequential") else [nouns]
    children: list[Leg] = []
    winner: Leg | None = None
    leg.listen_to(Loop(sounds.ringing_cycle(), scene.exchange.clock.now()))
    if element.get("record").startswith("record-from-ringing"):
        dialling.tape = dial_tape(scene, element)
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
            left = winner.course.left_dial
            begin_script(scene.exchange, winner)
            if element.get("record").startswith(("record-from-answer", "true")):
                dialling.tape = dial_tape(scene, element)
            await bridge(scene.exchange, leg, winner, until=left, limit=limit, star=star)
    finally:
        if dialling.tape:
            dialling.tape.stop()
        leg.listen_to(None)
        for child in children:
            if not child.course.left_dial.is_set():
                child.end("completed" if child.about.answered else "canceled", by="dial")
            if winner is None:
                dialling.settle(child)


async def _ring_group(dialling: Dialling, nouns: list[Element], children: list[Leg]) -> Leg | None:
    """Ring all of `nouns` at once; return the first leg that may be bridged."""
    attempts: set[asyncio.Task[Leg | None]] = set()
    for noun in nouns:
        child = dialled_leg(dialling.scene, dialling.element, noun)
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
    exchange = dialling.scene.exchange
    if not await ring(exchange, child, dialling.element.number("timeout", 30.0)):
        return None
    wanted = dialled_detection(dialling.scene, noun)
    if wanted is not None:
        exchange.tasks.start(detect(exchange, child, wanted), f"detection {child.sid}")
    if noun.get("sendDigits"):
        await send_digits(exchange, child, noun.get("sendDigits"))
    if noun.get("url"):
        begin_script(exchange, child)
        if not await _whisper(dialling.scene, noun, child):
            child.end("completed", by="twiml")
            return None
    return child if child.live and not child.course.left_dial.is_set() else None


async def _whisper(scene: Scene, noun: Element, child: Leg) -> bool:
    """Run the screening document on the dialled leg; True if it ran out without a hang-up."""
    child.note("whisper")
    try:
        form = {"SipCallId": sip_call_id(child)} if noun.name == "Sip" else {}
        entry = scene.ask(noun.get("url"), noun.get("method"), form)
    except FetchFailed as error:
        scene.exchange.notice(error.code, error.text, child)
        return False
    work = run(scene.exchange, child, entry, segment="whisper")
    program = scene.exchange.tasks.start(work, f"whisper {child.sid}")
    child.course.program = program
    try:
        await asyncio.wait([program])
    finally:
        program.cancel()
        if child.course.program is program:
            child.course.program = None
    if program.cancelled() or program.exception() is not None:
        return child.course.left_dial.is_set()
    return program.result() == Finish("ran-out")
