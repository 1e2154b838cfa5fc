"""A conference: who takes part, when it starts and ends, who hears whom.

    init --two participants, one of them starts it--> in-progress --the last one left, or
      |                                                   |        one with endConferenceOnExit-->
      +--------------------- completed by REST -----------+--------------------> completed

A muted participant hears the others and is not heard. A participant on hold neither hears nor is
heard. A coach hears everybody and is heard by one participant. A participant who is alone after
the others left hears silence: Twilio documents music only before the start (see `Unconfirmed`).
Only the first participant's status callback counts.
Source: Twilio, `<Conference>`, Conference and Participant resources.

resource           | acquired   | released
hold document      | `hold`     | `unhold`, or when the participant leaves; `Tasks`
announcement       | `announce` | when it has been played; `Tasks`
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from hookflash_local.carrier.clock import Clock
from hookflash_local.carrier.exchange import Exchange
from hookflash_local.carrier.legs.leg import Leg
from hookflash_local.carrier.media import sounds
from hookflash_local.carrier.media.playout import Playout
from hookflash_local.carrier.media.sources import Loop, Mix, Source
from hookflash_local.carrier.twiml.execution import run
from hookflash_local.carrier.twiml.fetch import TwimlUrl

Notify = Callable[[str, dict[str, str]], None]
"""Called with the event (`participant-join`) and its parameters."""


def _said(value: bool) -> str:
    return "true" if value else "false"


@dataclass(eq=False)
class Participant:
    """`coaching` is the SID of the coached call; `holding` is the task that plays on hold."""

    leg: Leg
    starts: bool = True
    ends: bool = False
    muted: bool = False
    held: bool = False
    label: str = ""
    beep: str = "true"
    coaching: str = ""
    joined_at: float = 0.0
    holding: asyncio.Task[None] | None = None
    over: asyncio.Event = field(default_factory=asyncio.Event)

    def form(self) -> dict[str, str]:
        form = {
            "CallSid": self.leg.sid,
            "Muted": _said(self.muted),
            "Hold": _said(self.held),
            "Coaching": _said(bool(self.coaching)),
            "EndConferenceOnExit": _said(self.ends),
            "StartConferenceOnEnter": _said(self.starts),
        }
        return {**form, "ParticipantLabel": self.label} if self.label else form


@dataclass
class Ending:
    """How a conference ended; `by` and `label` are the call SID and label of who ended it."""

    reason: str = ""
    by: str = ""
    label: str = ""


class Conference:
    """`started` is set when the participants hear each other, `completed` when it is over."""

    def __init__(
        self, name: str, sid: str, clock: Clock, notify: Notify, *, music_for_the_last: bool = False
    ) -> None:
        self.name = name
        self.sid = sid
        self.participants: dict[str, Participant] = {}
        self.started = asyncio.Event()
        self.completed = False
        self.sequence = 0
        self.created = clock.wall()
        self.ending = Ending()
        self._clock = clock
        self._notify = notify
        self._music_for_the_last = music_for_the_last
        self._announcements = Playout(clock.now())

    @property
    def status(self) -> str:
        if self.completed:
            return "completed"
        return "in-progress" if self.started.is_set() else "init"

    def find(self, name: str) -> Participant | None:
        """Find a participant by call SID or label."""
        labelled = (each for each in self.participants.values() if each.label == name)
        return self.participants.get(name) or next(labelled, None)

    def join(self, participant: Participant, **noted: str) -> None:
        """Add a participant. `noted` is written on the timeline with it."""
        self._settle()
        participant.joined_at = self._clock.wall()
        self.participants[participant.leg.sid] = participant
        participant.leg.note("joined", conference=self.name, **noted)
        self._notify("participant-join", participant.form())
        if self.started.is_set():
            # A participant who was alone and heard music hears the conference again.
            for each in (
                list(self.participants.values()) if self._music_for_the_last else [participant]
            ):
                self.let_hear(each)
        elif len(self.participants) > 1 and any(each.starts for each in self.participants.values()):
            self.started.set()
            self._notify("conference-start", {})
            for each in self.participants.values():
                self.let_hear(each)
        if self.started.is_set() and participant.beep in ("true", "onEnter"):
            self._announcements.play(sounds.beep(), self._clock.now())

    def leave(self, participant: Participant, *, kicked: bool = False) -> None:
        """Remove a participant; the conference may end with it. `kicked`: removed by REST."""
        if participant.leg.sid not in self.participants:
            return
        self._settle()
        reason = "participant_updated_via_api" if participant.leg.live else "participant_hung_up"
        self._part(participant, reason)
        if self.started.is_set() and participant.beep in ("true", "onExit"):
            self._announcements.play(sounds.beep(), self._clock.now())
        how = "kicked" if kicked else "left"
        if participant.ends or not self.participants:
            who = (
                "participant-with-end-conference-on-exit"
                if participant.ends
                else "last-participant"
            )
            self._end(Ending(f"{who}-{how}", participant.leg.sid, participant.label))
        elif len(self.participants) == 1 and self._music_for_the_last and self.started.is_set():
            (last,) = self.participants.values()
            last.leg.listen_to(Loop(sounds.hold_music(), self._clock.now()))

    def complete(self) -> None:
        """End it by REST."""
        if not self.completed:
            self._settle()
            self._end(Ending("conference-ended-via-api"))

    def add_failed(self, leg: Leg) -> None:
        """Notify that a participant called by REST did not answer."""
        form = {"CallSid": leg.sid, "ParticipantCallStatus": leg.status}
        self._notify(
            "participant-leave", {**form, "ReasonParticipantLeft": "participant_add_failed"}
        )

    def mute(self, participant: Participant, muted: bool) -> None:
        self._settle()
        participant.muted = muted
        self._notify("participant-mute" if muted else "participant-unmute", participant.form())

    def hold(self, participant: Participant, held: bool) -> None:
        """Remove a participant from the mix, or put it back."""
        self._settle()
        participant.held = held
        participant.leg.note("held" if held else "unheld", conference=self.name)
        self._notify("participant-hold" if held else "participant-unhold", participant.form())
        if held:
            participant.leg.listen_to(None)
        elif self.started.is_set():
            self.let_hear(participant)

    def modified(self, participant: Participant) -> None:
        self._notify("participant-modify", participant.form())

    def announced(self, participant: Participant) -> None:
        """An announcement to one participant is over: it hears the conference again."""
        self._notify("announcement-end", participant.form())
        if self.started.is_set() and participant.leg.sid in self.participants:
            self.let_hear(participant)

    def let_hear(self, participant: Participant) -> None:
        """Let a participant hear the others, those of each moment, unless it is held."""
        if participant.held:
            return

        def others() -> Iterable[Source]:
            yield self._announcements
            for each in self.participants.values():
                heard = each.coaching in ("", participant.leg.sid)
                if each is not participant and heard and not each.muted and not each.held:
                    yield each.leg.inbound_audio

        participant.leg.listen_to(Mix(others))
        participant.leg.note("conference-joined", conference=self.name)

    def _part(self, participant: Participant, reason: str) -> None:
        del self.participants[participant.leg.sid]
        if participant.holding:
            participant.holding.cancel()
        participant.leg.listen_to(None)
        participant.leg.note("left", conference=self.name, reason=reason)
        status = "in-progress" if participant.leg.live else "completed"
        form = {"ParticipantCallStatus": status, "ReasonParticipantLeft": reason}
        self._notify("participant-leave", {**participant.form(), **form})
        participant.over.set()

    def _end(self, ending: Ending) -> None:
        via_api = ending.reason == "conference-ended-via-api"
        for participant in list(self.participants.values()):
            reason = "conference_ended_via_api" if via_api else "moderator_ended_conference"
            self._part(participant, reason)
        self.completed, self.ending = True, ending
        form = {"ReasonConferenceEnded": ending.reason}
        if ending.by:
            form["CallSidEndingConference"] = ending.by
        if ending.label:
            form["ParticipantLabelEndingConference"] = ending.label
        self._notify("conference-end", form)

    def _settle(self) -> None:
        """Write the outbound audio of every participant up to now, before the mix changes."""
        for participant in self.participants.values():
            participant.leg.listen_to(participant.leg.outbound_audio.source)


_AGAIN_SECONDS = 1.0
"""The shortest time between two requests of a hold document."""


def hold(
    exchange: Exchange, conference: Conference, participant: Participant, wanted: TwimlUrl | None
) -> None:
    """Put a participant on hold, with music or with the document at `wanted`, in a loop."""
    if participant.held:
        return
    conference.hold(participant, True)
    if wanted is None:
        participant.leg.listen_to(Loop(sounds.hold_music(), exchange.clock.now()))
        return
    work = _held(exchange, participant, wanted)
    participant.holding = exchange.tasks.start(work, f"hold {participant.leg.sid}")


def unhold(conference: Conference, participant: Participant) -> None:
    if not participant.held:
        return
    if participant.holding:
        participant.holding.cancel()
        participant.holding = None
    conference.hold(participant, False)


def announce(
    exchange: Exchange, conference: Conference, participant: Participant, wanted: TwimlUrl
) -> None:
    """Play the document at `wanted` to one participant only."""

    async def announcement() -> None:
        await run(exchange, participant.leg, wanted, segment="wait")
        conference.announced(participant)

    exchange.tasks.start(announcement(), f"announcement {participant.leg.sid}")


async def _held(exchange: Exchange, participant: Participant, wanted: TwimlUrl) -> None:
    while (await run(exchange, participant.leg, wanted, segment="wait")).how != "failed":
        await exchange.clock.sleep(_AGAIN_SECONDS)
