"""A conference: who is in it, when it starts and ends, who hears whom. Mixing is by reading.

It starts when two are in, one of them with `startConferenceOnEnter`; it ends when one with
`endConferenceOnExit` leaves, or the last one. Only the first member's status callback counts.
Source: Twilio, `<Conference>`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from hookflash.standins.carrier import ids, sounds
from hookflash.standins.carrier.clock import Clock
from hookflash.standins.carrier.hearing import Mix, Source
from hookflash.standins.carrier.leg import Leg
from hookflash.standins.carrier.playout import Playout

Tell = Callable[[str, dict[str, str]], None]
"""Called with the event (`participant-join`) and its parameters."""


@dataclass(eq=False)
class Member:
    leg: Leg
    starts: bool = True
    ends: bool = False
    muted: bool = False
    label: str = ""
    beep: str = "true"
    over: asyncio.Event = field(default_factory=asyncio.Event)

    def form(self) -> dict[str, str]:
        form = {
            "CallSid": self.leg.sid,
            "Muted": "true" if self.muted else "false",
            "Hold": "false",
            "Coaching": "false",
            "EndConferenceOnExit": "true" if self.ends else "false",
            "StartConferenceOnEnter": "true" if self.starts else "false",
        }
        return {**form, "ParticipantLabel": self.label} if self.label else form


class Room:
    """`started` is set when the members hear each other."""

    def __init__(self, name: str, clock: Clock, tell: Tell) -> None:
        self.name = name
        self.sid = ids.new_sid("CF")
        self.members: dict[str, Member] = {}
        self.started = asyncio.Event()
        self.sequence = 0
        self._clock = clock
        self._tell = tell
        self._announcements = Playout(clock.now())

    def join(self, member: Member) -> None:
        self._settle()
        self.members[member.leg.sid] = member
        member.leg.note("joined", room=self.name)
        self._tell("participant-join", member.form())
        if self.started.is_set():
            self._let_hear(member)
        elif len(self.members) > 1 and any(each.starts for each in self.members.values()):
            self.started.set()
            self._tell("conference-start", {})
            for each in self.members.values():
                self._let_hear(each)
        if self.started.is_set() and member.beep in ("true", "onEnter"):
            self._announcements.play(sounds.beep(), self._clock.now())

    def leave(self, member: Member) -> None:
        """Take a member out; it may be the end of the room."""
        if member.leg.sid not in self.members:
            return
        self._settle()
        del self.members[member.leg.sid]
        member.over.set()
        member.leg.listen_to(None)
        member.leg.note("left", room=self.name)
        status = "completed" if not member.leg.live else "in-progress"
        reason = "participant_hung_up" if not member.leg.live else "participant_updated_via_api"
        self._tell(
            "participant-leave",
            {**member.form(), "ParticipantCallStatus": status, "ReasonParticipantLeft": reason},
        )
        if self.started.is_set() and member.beep in ("true", "onExit"):
            self._announcements.play(sounds.beep(), self._clock.now())
        if member.ends:
            self._end(member, "participant-with-end-conference-on-exit-left")
        elif not self.members:
            self._end(member, "last-participant-left")

    def _end(self, by: Member, reason: str) -> None:
        for member in list(self.members.values()):
            del self.members[member.leg.sid]
            member.leg.listen_to(None)
            member.leg.note("left", room=self.name)
            self._tell(
                "participant-leave",
                {**member.form(), "ReasonParticipantLeft": "moderator_ended_conference"},
            )
            member.over.set()
        form = {"CallSidEndingConference": by.leg.sid, "ReasonConferenceEnded": reason}
        if by.label:
            form["ParticipantLabelEndingConference"] = by.label
        self._tell("conference-end", form)

    def _let_hear(self, member: Member) -> None:
        def others() -> Iterable[Source]:
            yield self._announcements
            for each in self.members.values():
                if each is not member and not each.muted:
                    yield each.leg.mouth

        member.leg.listen_to(Mix(others))

    def _settle(self) -> None:
        """Let everybody hear up to now, before it changes who is in the mix."""
        for member in self.members.values():
            member.leg.listen_to(member.leg.ear.source)
