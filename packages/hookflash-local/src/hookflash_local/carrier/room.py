"""A conference: who is in it, when it starts and ends, who hears whom. Mixing is by reading.

    init --two are in, one of them starts it--> in-progress --the last left, or one who ends it-->
      +------------------------------------------ ended by REST ----------------------> completed

Whoever is muted hears the room and is not heard; whoever is held neither hears it nor is heard;
a coach hears all and is heard by one. Who is alone after the others left hears silence: the
documents have music only before the start (see `Unconfirmed`). Only the first member's status
callback counts. Source: Twilio, `<Conference>`, Conference and Participant resources.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from hookflash_local.carrier import sounds
from hookflash_local.carrier.clock import Clock
from hookflash_local.carrier.hearing import Loop, Mix, Source
from hookflash_local.carrier.leg import Leg
from hookflash_local.carrier.playout import Playout

Tell = Callable[[str, dict[str, str]], None]
"""Called with the event (`participant-join`) and its parameters."""


def _said(value: bool) -> str:
    return "true" if value else "false"


@dataclass(eq=False)
class Member:
    """`coaching` is the SID of the one who is coached; `holding` plays what a held one hears."""

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
    """How a conference ended. `by` is the SID of whoever ended it, `label` their label."""

    reason: str = ""
    by: str = ""
    label: str = ""


class Room:
    """`started` is set when the members hear each other, `completed` when it is over."""

    def __init__(
        self, name: str, sid: str, clock: Clock, tell: Tell, *, music_for_the_last: bool = False
    ) -> None:
        self.name = name
        self.sid = sid
        self.members: dict[str, Member] = {}
        self.started = asyncio.Event()
        self.completed = False
        self.sequence = 0
        self.created = clock.wall()
        self.ending = Ending()
        self._clock = clock
        self._tell = tell
        self._music_for_the_last = music_for_the_last
        self._announcements = Playout(clock.now())

    @property
    def status(self) -> str:
        if self.completed:
            return "completed"
        return "in-progress" if self.started.is_set() else "init"

    def find(self, name: str) -> Member | None:
        """Find a member by call SID or label."""
        labelled = (each for each in self.members.values() if each.label == name)
        return self.members.get(name) or next(labelled, None)

    def join(self, member: Member, **noted: str) -> None:
        """Take a member in. `noted` is written on the timeline with it."""
        self._settle()
        member.joined_at = self._clock.wall()
        self.members[member.leg.sid] = member
        member.leg.note("joined", room=self.name, **noted)
        self._tell("participant-join", member.form())
        if self.started.is_set():
            # With music for whoever is alone, the one who was so far hears the room again.
            for each in list(self.members.values()) if self._music_for_the_last else [member]:
                self.let_hear(each)
        elif len(self.members) > 1 and any(each.starts for each in self.members.values()):
            self.started.set()
            self._tell("conference-start", {})
            for each in self.members.values():
                self.let_hear(each)
        if self.started.is_set() and member.beep in ("true", "onEnter"):
            self._announcements.play(sounds.beep(), self._clock.now())

    def leave(self, member: Member, *, kicked: bool = False) -> None:
        """Take a member out; it may be the end of the room. `kicked`: by REST."""
        if member.leg.sid not in self.members:
            return
        self._settle()
        reason = "participant_updated_via_api" if member.leg.live else "participant_hung_up"
        self._part(member, reason)
        if self.started.is_set() and member.beep in ("true", "onExit"):
            self._announcements.play(sounds.beep(), self._clock.now())
        how = "kicked" if kicked else "left"
        if member.ends or not self.members:
            who = "participant-with-end-conference-on-exit" if member.ends else "last-participant"
            self._end(Ending(f"{who}-{how}", member.leg.sid, member.label))
        elif len(self.members) == 1 and self._music_for_the_last and self.started.is_set():
            (last,) = self.members.values()
            last.leg.listen_to(Loop(sounds.hold_music(), self._clock.now()))

    def complete(self) -> None:
        """End it by REST."""
        if not self.completed:
            self._settle()
            self._end(Ending("conference-ended-via-api"))

    def add_failed(self, leg: Leg) -> None:
        """Tell that somebody who was called into the room by REST did not come."""
        form = {"CallSid": leg.sid, "ParticipantCallStatus": leg.status}
        self._tell("participant-leave", {**form, "ReasonParticipantLeft": "participant_add_failed"})

    def mute(self, member: Member, muted: bool) -> None:
        self._settle()
        member.muted = muted
        self._tell("participant-mute" if muted else "participant-unmute", member.form())

    def hold(self, member: Member, held: bool) -> None:
        """Take a member out of the mix, or put it back. What it hears while held is not ours."""
        self._settle()
        member.held = held
        member.leg.note("held" if held else "unheld", room=self.name)
        self._tell("participant-hold" if held else "participant-unhold", member.form())
        if held:
            member.leg.listen_to(None)
        elif self.started.is_set():
            self.let_hear(member)

    def modified(self, member: Member) -> None:
        self._tell("participant-modify", member.form())

    def announced(self, member: Member) -> None:
        """An announcement to one member is over: it hears the room again."""
        self._tell("announcement-end", member.form())
        if self.started.is_set() and member.leg.sid in self.members:
            self.let_hear(member)

    def let_hear(self, member: Member) -> None:
        """Let a member hear the others, whoever they are at each moment, unless it is held."""
        if member.held:
            return

        def others() -> Iterable[Source]:
            yield self._announcements
            for each in self.members.values():
                heard = each.coaching in ("", member.leg.sid)
                if each is not member and heard and not each.muted and not each.held:
                    yield each.leg.mouth

        member.leg.listen_to(Mix(others))
        member.leg.note("conference-joined", room=self.name)

    def _part(self, member: Member, reason: str) -> None:
        del self.members[member.leg.sid]
        if member.holding:
            member.holding.cancel()
        member.leg.listen_to(None)
        member.leg.note("left", room=self.name, reason=reason)
        status = "in-progress" if member.leg.live else "completed"
        form = {"ParticipantCallStatus": status, "ReasonParticipantLeft": reason}
        self._tell("participant-leave", {**member.form(), **form})
        member.over.set()

    def _end(self, ending: Ending) -> None:
        via_api = ending.reason == "conference-ended-via-api"
        for member in list(self.members.values()):
            reason = "conference_ended_via_api" if via_api else "moderator_ended_conference"
            self._part(member, reason)
        self.completed, self.ending = True, ending
        form = {"ReasonConferenceEnded": ending.reason}
        if ending.by:
            form["CallSidEndingConference"] = ending.by
        if ending.label:
            form["ParticipantLabelEndingConference"] = ending.label
        self._tell("conference-end", form)

    def _settle(self) -> None:
        """Let everybody hear up to now, before it changes who is in the mix."""
        for member in self.members.values():
            member.leg.listen_to(member.leg.ear.source)
