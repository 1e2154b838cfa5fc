"""The invariants of a simulated call, checked while time passes and once more at its end.

`Checks.look` is called several times a virtual second. Each invariant knows the truth from the
outside: what the carrier played, who was connected, what the model was told. Only whether a
hand-off is under way is asked of the product, and which events have reached it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hookflash.core.call import Call
from hookflash.core.handoff.states import HandoffState
from hookflash.core.phases import Phase
from hookflash.runtime.journal_replay import read_journal, replay
from hookflash_local.carrier.legs.leg import Leg
from hookflash_local.carrier.media.sources import Loop
from hookflash_local.model.session import Session

from .people import NO_TURN, Ear
from .voices import heard_ms

if TYPE_CHECKING:
    from .model import Spoken
    from .play import Simulation

SILENCE_SECONDS = 3.0
SLACK_SECONDS = 0.25
"""How much later than it happened something is seen: a media message and a look."""

FROZEN_SECONDS = 2.0
"""How long a frozen stream may go unnoticed: 1.2 s and a check, 2 s if it never carried sound."""

ANSWER_SECONDS = 20.0
"""How long after a turn of the caller the model has spoken, whatever was played meanwhile. Two
sessions may be lost in that time."""

ENDLESS_SECONDS = 20.0
"""After so long a silence is reported though it still lasts."""

HEARD_MS = 20.0
RINGING_ON_SECONDS = 3.0
"""So long after somebody has the caller others may still ring: the order to stop takes its time."""

QUEUED_SECONDS = 10.0
"""So much later than it was generated a sentence may be said: others are queued before it."""

NO_ANSWER_SECONDS = 3.0
"""So soon after a sound that is no turn the model may answer it, and the answer is dropped."""

GAP_MS = 250.0
"""So much silence within a sentence is heard as a gap."""

UNREPORTED_SECONDS = 60.0
"""A caller who was with a human for longer is known to have left the queue: it has not asked."""

OTHERS_SECONDS = 40.0
"""Of those who accept within so many seconds, one is connected: it is one hand-off."""

ITEM_SECONDS = 40
"""Within so many seconds after it was generated an item is heard, or not at all."""

TOLD_SECONDS = 0.3
"""So soon after it cut an item the product may say it on, and it is not the model's any more."""

CONNECT_SECONDS = 8.0
"""Within so many seconds somebody who has accepted is connected, or there is a reason."""

FROZEN = frozenset({"model-frozen", "stream-frozen"})
"""Faults after which neither what was heard nor what was told can be known."""

_UNDER_WAY = frozenset(
    {
        HandoffState.CHECKING,
        HandoffState.FAREWELL,
        HandoffState.MOVING,
        HandoffState.RINGING,
        HandoffState.SCREENING,
        HandoffState.CLOSING,
        HandoffState.BRIDGING,
        HandoffState.RETURNING,
    }
)


@dataclass(frozen=True)
class Violation:
    """A broken invariant.

    `at` is seconds since the call was placed, `kind` names the invariant, `struck` are the
    troubles, faults and orders that had really happened by then.
    """

    at: float
    kind: str
    text: str
    struck: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return f"{self.at:8.2f} VIOLATION {self.kind}: {self.text}"


class Checks:
    """The invariants of one simulation."""

    def __init__(self, simulation: Simulation) -> None:
        self.violations: list[Violation] = []
        self.longest_silence = 0.0
        self._sim = simulation
        self._ear: Ear | None = None
        self._turn: tuple[str, float] | None = None
        self._unanswered: float | None = None
        """When the first turn ended after which the model has not spoken."""
        self._spoke_until = 0.0
        self._looped_until = 0.0
        self._waits_since: float | None = None
        self._silent: tuple[float, str] | None = None
        self._told = False
        self._ends = False
        self._speech: list[tuple[float, float]] = []
        """When the caller spoke, in seconds of the carrier."""
        self._no_turns: list[float] = []
        """When the sounds ended that want no answer."""
        self._met_at: float | None = None
        self._ringing_on: set[str] = set()
        self._checked: set[Session] = set()
        self._presses: list[tuple[Leg, float]] = []
        self._typed = ""
        """All keys that the caller has pressed, in order."""

    # --- what the actors tell ---------------------------------------------------------------------

    def caller_spoke(self, text: str, began: float, ended: float) -> None:
        self._spoke_until = ended
        self._speech.append((began, ended))
        if text not in NO_TURN:
            self._turn = (text, ended)
            if self._unanswered is None:
                self._unanswered = ended
        else:
            self._no_turns.append(ended)

    def caller_typed(self, digits: str) -> None:
        self._typed += digits

    def code_given(self, digits: str) -> None:
        """A tool has got the digits that it waited for: they were typed, in this order."""
        keys = iter(self._typed)
        if not all(digit in keys for digit in digits):
            self.broken("digits", f"a tool got {digits!r}, and {self._typed!r} was typed")

    def handoff_became(self, state: str) -> None:
        self._ends = self._ends or state == HandoffState.MESSAGE.value

    def human_pressed(self, leg: Leg, at: float) -> None:
        self._presses.append((leg, at))

    def broken(self, kind: str, text: str) -> None:
        violation = Violation(round(self._sim.now(), 2), kind, text, frozenset(self._sim.struck))
        self.violations.append(violation)
        self._sim.note(f"VIOLATION {kind}: {text}")

    # --- while time passes ------------------------------------------------------------------------

    def look(self) -> None:
        leg = self._sim.caller
        if leg is None or not leg.live or leg.about.answered is None:
            return
        if self._ear is None:
            self._ear = Ear(leg)
        self._ear.look()
        self._look_for_silence(leg, self._ear)
        self._look_for_answer(leg)
        self._look_for_ringing(leg)

    def _look_for_ringing(self, caller: Leg) -> None:
        """Once somebody has the caller, nobody else is rung."""
        if not self._sim.bridged(caller) or self._sim.plan.to == "queue":
            self._met_at = None
            return
        now = self._sim.clock()
        if self._met_at is None:
            self._met_at = now
        for leg in self._sim.carrier.calls:
            rings = leg.status in ("queued", "ringing") and leg.sid not in self._ringing_on
            if rings and now - self._met_at > RINGING_ON_SECONDS and self._undisturbed:
                self._ringing_on.add(leg.sid)
                self.broken("rings-on", "a human has the caller, and another one is still rung")

    def _look_for_silence(self, leg: Leg, ear: Ear) -> None:
        owed = self._owed(leg, ear)
        now = ear.until
        if owed is None or leg.inbound_audio.end > now:
            self._silence_over(now)
            return
        reason, since = owed
        if isinstance(leg.outbound_audio.source, Loop):
            # Ringing, with its pauses of four seconds, or music: what waiting sounds like.
            self._looped_until = now
        quiet = now - max(since, self._spoke_until, self._looped_until, ear.last_sound or 0.0)
        self.longest_silence = max(self.longest_silence, quiet)
        if quiet <= SILENCE_SECONDS + SLACK_SECONDS + self._unnoticed(now, quiet):
            self._silence_over(now)
        elif self._silent is None:
            self._silent = (now - quiet, reason)
        elif quiet > ENDLESS_SECONDS and not self._told:
            self._tell_silence(now)

    def _unnoticed(self, now: float, quiet: float) -> float:
        """Return how much longer a silence may last in which the stream froze, in seconds.

        Nothing shows a frozen stream but the sound that does not come, so it is noticed late. What
        was played meanwhile is lost.
        """
        froze = self._sim.struck.get("stream-frozen")
        if froze is None:
            return 0.0
        at = (self._sim.caller.timeline.start if self._sim.caller else 0.0) + froze
        return FROZEN_SECONDS if now - quiet <= at <= now else 0.0

    def _look_for_answer(self, leg: Leg) -> None:
        """Check that the model answers; prepared lines and tones are no answer."""
        since, call = self._unanswered, self._sim.call
        if since is None:
            return
        # A process that was started meanwhile takes the call up when the carrier asks about it.
        elsewhere = (
            call is None
            or self._sim.bridged(leg)
            or call.phase is not Phase.TALKING
            or call.handoff.state in _UNDER_WAY
        )
        spoke = any(
            spoken.at > since and self._sim.listener(spoken.session) is leg
            for spoken in self._sim.model.spoken[-40:]
        )
        if elsewhere or spoke or self._ends:
            self._unanswered = None
        elif self._sim.clock() - since > ANSWER_SECONDS:
            self._unanswered = None
            self.broken("unanswered", f"the model says nothing for {ANSWER_SECONDS:g} s")

    def _silence_over(self, now: float) -> None:
        """Report a silence that has ended, unless it was reported while it lasted."""
        if self._silent is not None and not self._told:
            self._tell_silence(now)
        self._silent = None
        self._told = False

    def _tell_silence(self, now: float) -> None:
        if self._silent is not None:
            since, reason = self._silent
            self._told = True
            self.broken("silence", f"{now - since:.1f} s while {reason}")

    def _owed(self, leg: Leg, ear: Ear) -> tuple[str, float] | None:
        """Return what is owed to the caller now and since when, or None."""
        opened = leg.outbound_audio.opened_at or 0.0
        call = self._sim.call
        if self._sim.bridged(leg):
            self._waits_since = None
            self._turn = None
            return None
        ends = self._ends
        if call is not None:
            message = call.handoff.state is HandoffState.MESSAGE
            ends = self._ends = message or call.phase in (Phase.ENDING, Phase.ENDED)
        if ends:
            # Nothing is owed to a caller who leaves a message, whether a process serves or not.
            return None
        if self._sim.referring(leg):
            # The caller's own device rings; the carrier has nothing to play.
            self._waits_since = None
            self._spoke_until = ear.until
            return None
        if call is not None and call.handoff.state in _UNDER_WAY:
            if self._waits_since is None:
                self._waits_since = ear.until
            return f"a human is being brought ({call.handoff.state.value})", self._waits_since
        self._waits_since = None
        if call is not None and call.conversation.collection.open:
            # It is their turn to type; with a secret code, nobody hears them meanwhile.
            self._spoke_until = ear.until
            self._turn = None
            return None
        if ear.last_sound is None:
            return "the greeting is owed", opened
        if self._turn is not None:
            text, ended = self._turn
            if ear.last_sound > ended:
                self._turn = None
            else:
                return f"an answer to {text!r} is owed", ended
        return None

    @property
    def _undisturbed(self) -> bool:
        """Whether nothing has gone wrong and nobody has interfered: the strictest rules hold."""
        return not self._sim.struck

    def spoken_over(self, session: Session, response_id: str) -> None:
        """The caller has been speaking for a while over what a response says."""
        response = session.conversation.responses[response_id]
        plan = self._sim.plan
        protected = plan.record or not plan.greeting_interruptible
        call = self._sim.call
        if call is not None and call.handoff.state is HandoffState.CLOSING:
            # The line that announces the human is said to its end, whoever speaks.
            protected = True
        if call is not None and call.conversation.length.ended:
            # So is the goodbye of a call whose time is over.
            protected = True
        leg = self._sim.listener(session)
        if response.running and not protected and self._undisturbed and leg is self._sim.caller:
            self.broken("barge-in", f"{response_id} runs on though the caller speaks over it")

    def model_asked(self, session: Session) -> None:
        """The model begins a response: what it remembers is what was heard."""
        self._check_history(session)
        leg = self._sim.listener(session)
        frozen = not FROZEN.isdisjoint(self._sim.struck)
        if leg is None or not leg.streams or frozen:
            # What the model was told is on a road that carries nothing any more.
            return
        now = self._sim.clock()
        if leg.streams[-1].playout.end > now - 0.5:
            return
        heard = self._heard(leg)
        for spoken in self._sim.model.spoken[-40:]:
            if spoken.session is not session or spoken.at > now - 1.0:
                continue
            entry = session.conversation.items.get(spoken.item_id)
            remembered = entry.audio_ms if entry is not None else 0.0
            truth = self._heard_of(heard, leg, spoken)
            if abs(remembered - truth) > self._tolerance_ms:
                self.broken(
                    "memory",
                    f"the model remembers {remembered:.0f} ms of {spoken.item_id}, of which"
                    f" {truth:.0f} ms were heard",
                )

    def _check_history(self, session: Session) -> None:
        """A session that goes on with a call knows what was said before it."""
        model = self._sim.model
        if self._sim.listener(session) is not self._sim.caller or session in self._checked:
            return
        self._checked.add(session)
        before = [text for other, text in model.understood if other is not session and text]
        if not before or not self._undisturbed:
            return
        known = "\n".join(str(entry.item) for entry in session.conversation.items)
        if before[-1] not in known:
            self.broken(
                "history", f"a new session does not know that the caller said {before[-1]!r}"
            )

    # --- at the end -------------------------------------------------------------------------------

    def finish(self, folder: Path) -> None:
        """Check what holds of a call that is over."""
        sim = self._sim
        leg = sim.caller
        assert leg is not None
        if self._ear is not None:
            self._silence_over(self._ear.until)
        heard = self._heard(leg)
        self._check_truncations()
        self._check_lines(heard, leg)
        self._check_tools()
        self._check_acceptances(leg)
        self._check_record(leg)
        if self._undisturbed:
            self._check_sentences(heard, leg)
            self._check_whispers()
            self._check_targets(leg)
        for error in sim.model.errors:
            if error.get("code") not in sim.expected_errors:
                self.broken("model-error", f"{error.get('code')}: {error.get('message')}")
        for left in sim.carrier.leftovers():
            self.broken("leftover", left)
        for _ in range(sim.sessions_left()):
            self.broken("leftover", "a session of the model is open")
        for path in sorted((folder / "journals").glob("*.jsonl")):
            self._check_journal(path)

    @property
    def _tolerance_ms(self) -> float:
        """How exactly the product can know what was heard.

        Two messages that are late cannot be told from ones that are not: the mark that says when
        the sound began, and the `clear` that ends it. `tests/core/test_playout_truth.py` has the
        same bound.
        """
        return HEARD_MS + 2 * self._sim.carrier.faults.jitter_ms

    def _heard(self, leg: Leg) -> bytes:
        if leg.outbound_audio.is_open:
            leg.outbound_audio.advance(int(self._sim.clock() * 8000))
        return bytes(leg.outbound_audio.recording)

    def _heard_of(self, heard: bytes, leg: Leg, spoken: Spoken) -> float:
        """Return how much of an item is in what a leg has heard, in milliseconds.

        Looked for where it can be: from when it was generated on.
        """
        start = max(0, int((spoken.at - (leg.outbound_audio.opened_at or 0.0)) * 8000))
        return heard_ms(heard[start : start + ITEM_SECONDS * 8000], spoken.sentence.byte)

    def _check_truncations(self) -> None:
        """What the model is told was heard by then; what is said on after a sound that was no
        interruption, it is told in words."""
        for item_id, told_ms, at in self._sim.model.truncations:
            spoken = self._sim.model.find(item_id)
            leg = self._sim.listener(spoken.session) if spoken is not None else None
            if spoken is None or leg is None or not FROZEN.isdisjoint(self._sim.struck):
                continue
            if told_ms * 8 > spoken.generated:
                self.broken("heard", f"{item_id} was cut at {told_ms} ms, beyond what there is")
            ended = max(0, int((at - (leg.outbound_audio.opened_at or 0.0) + TOLD_SECONDS) * 8000))
            truth = self._heard_of(self._heard(leg)[:ended], leg, spoken)
            if abs(told_ms - truth) > self._tolerance_ms:
                self.broken("heard", f"{item_id} was cut at {told_ms} ms, {truth:.0f} were heard")

    def _check_lines(self, heard: bytes, leg: Leg) -> None:
        """Lines that a caller hears once are heard once.

        A line does not count if the product was not told that its response was complete. More
        might have followed, and a call must not be recorded unannounced.
        """
        again = not {"kill", "restart", "stream-cut"}.isdisjoint(self._sim.struck)
        for what, sign in (("greeting", "The call has just begun"), ("consent", "Before anything")):
            whole = [
                spoken
                for spoken in self._sim.model.spoken
                if sign in spoken.instructions
                and spoken.response_id in self._sim.finished
                and self._heard_of(heard, leg, spoken) >= spoken.sentence.ms - HEARD_MS
            ]
            if len(whole) > 1 and not again:
                self.broken("twice", f"the {what} was heard {len(whole)} times")

    def _check_sentences(self, heard: bytes, leg: Leg) -> None:
        """What the agent says is heard whole and without a gap, unless the caller interrupts.

        An answer to a sound that is no turn may be dropped: what the sound had cut is said on.
        """
        ended = self._sim.ended_at
        for spoken in self._sim.model.spoken:
            whole_sound = spoken.sentence.ms * 8
            if self._sim.listener(spoken.session) is not leg or spoken.generated < whole_sound:
                # What was cancelled before it was generated is not said: a human is there already.
                continue
            last = spoken.at + spoken.sentence.ms / 1000 + QUEUED_SECONDS
            if ended < last or any(
                began < last and until > spoken.at - 1.0 for began, until in self._speech
            ):
                continue
            if not spoken.instructions and any(
                until < spoken.at < until + NO_ANSWER_SECONDS for until in self._no_turns
            ):
                continue
            whole = self._heard_of(heard, leg, spoken)
            if whole < spoken.sentence.ms - HEARD_MS:
                self.broken(
                    "cut-off",
                    f"{spoken.item_id} lasts {spoken.sentence.ms} ms, {whole:.0f} were heard, and"
                    f" nobody spoke: {spoken.sentence.text[:60]!r}",
                )
        cut = {item_id for item_id, _, _ in self._sim.model.truncations}
        for spoken in self._sim.model.spoken:
            if self._sim.listener(spoken.session) is leg and spoken.item_id not in cut:
                gap = self._gap_of(heard, leg, spoken)
                if gap > GAP_MS:
                    self.broken("gap", f"{gap:.0f} ms of silence within {spoken.item_id}")

    def _gap_of(self, heard: bytes, leg: Leg, spoken: Spoken) -> float:
        """Return how much silence is between the first and the last sample of an item."""
        start = max(0, int((spoken.at - (leg.outbound_audio.opened_at or 0.0)) * 8000))
        window = heard[start : start + ITEM_SECONDS * 8000]
        run = bytes([spoken.sentence.byte]) * 24
        first, last = window.find(run), window.rfind(run)
        if first < 0:
            return 0.0
        span = window[first : last + 24]
        return (len(span) - span.count(spoken.sentence.byte)) / 8

    def _check_whispers(self) -> None:
        """A human is told who is on the line before they accept with a key."""
        for leg, at in self._presses:
            told = [e for e in leg.timeline.find("say", leg.sid) if leg.timeline.start + e.at < at]
            named = any("0 0 0 9" in str(e.detail["text"]) for e in told)
            if told and not named and not self._sim.plan.by_sip:
                self.broken("whisper", f"a human accepts and has not been told who calls: {told}")

    def _check_targets(self, caller: Leg) -> None:
        """Before nobody is reached everybody was tried."""
        record, plan = self._sim.record, self._sim.plan
        if record is None or not record.handoffs or plan.to != "phones" or self._speech_late():
            return
        last = record.handoffs[-1]
        if last.outcome in ("bridged", "cancelled", "caller-gone", "closed"):
            return
        # A hand-off that was called off during its farewell has no target.
        tried = {attempt.target for attempt in record.handoffs} - {None}
        known = set(range(len(plan.humans)))
        if plan.functions != "none" and len(plan.humans) == 1:
            # The function names nobody, and the only human comes after it.
            known = {1}
        elif plan.functions in ("slow", "failing"):
            known -= {0}
        if plan.order == "hunt" and tried != known:
            self.broken("targets", f"only targets {sorted(map(str, tried))} were tried")

    def _speech_late(self) -> bool:
        """Whether somebody said that they want nobody any more: then not all are tried."""
        return bool(self._sim.cancels)

    def _check_tools(self) -> None:
        model = self._sim.model
        if "model-frozen" in self._sim.struck:
            return
        counts = Counter(call_id for _, call_id, _ in model.outputs)
        for _, call_id, asked in model.outputs:
            if not asked:
                self.broken("tool-answer", f"{call_id} was answered to a session that did not ask")
        for call_id, count in counts.items():
            if count > 1:
                self.broken("tool-answer", f"{call_id} was answered {count} times")
        for call_id, due_at, closed_at in model.calls():
            if call_id not in counts and closed_at > due_at:
                self.broken("tool-answer", f"{call_id} was never answered")

    def _check_acceptances(self, caller: Leg) -> None:
        """A human who accepts in time is connected."""
        gone = min((e.at for e in caller.timeline.find("ended", caller.sid)), default=None)
        start = caller.timeline.start
        if not {"kill", "restart"}.isdisjoint(self._sim.struck):
            # Who was about to be connected is told by the next process that the call goes on.
            return
        if self._sim.plan.manner == "consult" and "stream-frozen" in self._sim.struck:
            # They say so to the agent, but the stream carries nothing: nobody can have heard it.
            return
        for leg, at in self._presses:
            if gone is not None and start + gone < at + CONNECT_SECONDS:
                continue
            others = any(
                _connected(each) and abs(when - at) < OTHERS_SECONDS for each, when in self._presses
            )
            if not _connected(leg) and not others and not self._sim.cancelled(at):
                self.broken("accepted", f"a human pressed 1 at {at - start:.1f} s in vain")

    def _check_record(self, caller: Leg) -> None:
        record = self._sim.record
        if self._sim.expects_losses or not self._sim.arrived:
            return
        if record is None:
            self.broken("record", "there is no record of the call")
            return
        bridged = sum(attempt.outcome == "bridged" for attempt in record.handoffs)
        meetings = sum(
            len(caller.timeline.find(kind, caller.sid))
            for kind in ("bridged", "conference-joined", "referred")
        )
        if bridged > meetings:
            self.broken("outcome", f"{bridged} attempts are bridged, {meetings} humans were met")
        met = _connected(caller) or any(
            event.detail["status"] in ("in-progress", "completed")
            for event in caller.timeline.find("referred", caller.sid)
        )
        if bridged and not met:
            self.broken("outcome", "an attempt is recorded as bridged; nobody was connected")
        if met and not bridged and not self._bridge_unreported(caller):
            self.broken("outcome", "a human was connected; no attempt is recorded as bridged")

    def _bridge_unreported(self, caller: Leg) -> bool:
        """Whether the only report of a bridge came when no process was there to take it.

        The carrier reports once that a caller was taken from a queue: after they have talked. If
        they talk for less time than the queue's announcement takes, there is no other sign.
        """
        if {"kill", "restart"}.isdisjoint(self._sim.struck):
            return False
        told = [
            sent.status
            for sent in self._sim.carrier.requests
            if sent.form.get("CallSid") == caller.sid
            and "bridged" in sent.form.get("QueueResult", "")
        ]
        met = [each.at for each in caller.timeline.find("bridged", caller.sid)]
        talked = self._sim.ended_at - caller.timeline.start - max(met, default=-UNREPORTED_SECONDS)
        return bool(told) and not any(told) and talked < UNREPORTED_SECONDS

    def _check_journal(self, path: Path) -> None:
        if self._sim.expects_losses:
            return
        head, lines = read_journal(path)
        for number, step in enumerate(replay(Call(head.setup), lines)):
            if not step.same:
                self.broken(
                    "journal",
                    f"{path.stem[:6]} step {number} ({type(step.cause).__name__}):"
                    f" then {step.then}, now {step.now}"[:400],
                )
                return


def _connected(leg: Leg) -> bool:
    """Whether this leg was ever connected with another one."""
    kinds = ("bridged", "conference-joined")
    return any(leg.timeline.find(kind, leg.sid) for kind in kinds)
