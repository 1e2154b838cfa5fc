"""A small world around one call, for walks: a carrier that carries out what it is told, humans who
answer or do not, a model that speaks, and news that comes late, twice, out of order or never.

It has the truth: where the caller's leg is, which legs of humans live, what was said of either.
Everything that could happen next is a choice of `Walk.step`, made by its random generator.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import msgspec

from hookflash.core import commands as c
from hookflash.core import events as e
from hookflash.core.call import Call
from hookflash.core.handoff.states import HandoffState
from hookflash.core.phases import Phase
from hookflash.core.setup import CallSetup

START = 1_764_000_000.0
SID = "CA1"

ORDER_SECONDS = 5.0
"""How long the shell waits for anything but a move."""

ALONE_SECONDS = 3.0
"""What a caller may be left with: no agent, no human, no ringing, no music."""

MUSIC_SECONDS = 10.0
"""How long music may play to a caller for whom nobody is called any more."""

LOOK_SECONDS = 0.25
"""How often it is looked at while time passes."""


class Human(msgspec.Struct):
    """A human's leg, as the carrier has it. `at`: ringing, asked, parting, room, bridged, over."""

    wave: int
    number: int
    sid: str
    dialled: bool
    at: str = "ringing"
    answered: bool = False
    waits: bool = False
    """Whether the carrier asks about this human again after a few seconds."""


class Walk:
    """One walk. `step()` lets something happen; `finish()` lets the caller go and time pass."""

    def __init__(self, seed: int, setup: CallSetup) -> None:
        self.random = random.Random(seed)
        self.call = Call(setup)
        self.now = START
        self.caller = "ringing"
        """Where the caller's leg is: ringing, stream, dial, room, hold, queue, message, gone."""
        self.doing: Any = None
        self.humans: list[Human] = []
        self.news: list[e.AnyEvent] = []
        self.orders: list[Any] = []
        self.ordered: list[float] = []
        """When each was given."""
        self.wishes = 0
        self.session = False
        self.speaking: str | None = None
        self.marks: list[str] = []
        self.records: list[Any] = []
        self.deliveries: dict[str, Any] = {}
        self.reasons: list[str] = []
        self.trace: list[str] = []
        self.count = 0
        self.streams = 0
        self.collecting: set[str] = set()
        """The collections of digits that have not ended."""
        self.alone_since: float | None = None
        self.started = False
        """Whether somebody was in the caller's room with them."""
        self.ask(e.CallArrived(SID, "+15550100", "+15550101"))

    # --- telling the call -------------------------------------------------------------------------

    def tell(self, event: e.AnyEvent) -> None:
        event = self.call.without_digits(event)
        self.trace.append(f"{self.now - START:8.2f} < {event}")
        self.carry_out(self.call.receive(event, self.now), event)

    def ask(self, event: e.AnyEvent) -> tuple[Any, ...]:
        """A question of the carrier's: it must be answered."""
        event = self.call.without_digits(event)
        self.trace.append(f"{self.now - START:8.2f} ? {event}")
        commands = self.call.receive(event, self.now)
        answers = [each for each in commands if isinstance(each, c.AnswerCarrier)]
        consults = [each for each in commands if isinstance(each, c.OpenConsult)]
        assert len(answers) + len(consults) == 1, f"{event} was answered {answers}"
        self.carry_out(commands, event)
        if consults:
            return (consults[0],)
        assert answers[0].instructions, f"{event} was answered with nothing"
        if isinstance(event, e.CallArrived | e.InstructionsAsked):
            self.follow(answers[0].instructions)
        return answers[0].instructions

    def pass_time(self, seconds: float) -> None:
        """Let time pass, and look after the caller all the while."""
        end = self.now + seconds
        rounds = 0
        while True:
            deadline = self.call.deadline
            if deadline is not None and deadline <= min(end, self.now + LOOK_SECONDS):
                self.now = max(self.now, deadline)
                self.trace.append(f"{self.now - START:8.2f} expired")
                self.carry_out(self.call.expire(self.now), None)
                later = self.call.deadline
                assert later is None or later > self.now, f"rings without end: {self.timers()}"
                rounds += 1
                assert rounds < 10_000
            elif self.now >= end:
                return
            elif self.caller == "gone":
                # Nobody to look after: on to what happens next.
                self.now = end if deadline is None else min(end, deadline)
            else:
                self.now = min(end, self.now + LOOK_SECONDS)
            self.give_up()
            self.check_company()

    def give_up(self) -> None:
        """No order is waited for longer than the shell waits; it may be carried out all the same.

        It asks for one move after another, and the time of each begins when it is asked for.
        """
        moving = False
        for order, since in list(zip(self.orders, self.ordered, strict=True)):
            if isinstance(order, c.MoveCall):
                late, moving = not moving and self.now >= since + order.seconds, True
            else:
                late = self.now >= since + ORDER_SECONDS
            if late:
                done = self.random.random() < 0.3
                self.settle(order, "done, said refused" if done else "refused")

    def settle(self, order: Any, how: str) -> None:
        """The carrier does what REST asked of it, or not; the next move is asked for then."""
        index = next(at for at, each in enumerate(self.orders) if each is order)
        del self.orders[index], self.ordered[index]
        moves = [at for at, each in enumerate(self.orders) if isinstance(each, c.MoveCall)]
        if isinstance(order, c.MoveCall) and moves:
            self.ordered[moves[0]] = self.now
        self.order(order, how)

    def timers(self) -> dict[str, float | None]:
        call = self.call
        talk = call.conversation
        names = ("playout", "requests", "farewell", "model", "digits")
        found = {name: getattr(talk, name).deadline for name in names}
        found |= {"leg": call.caller_leg.deadline, "handoff": call.handoff.deadline}
        return {name: at and round(at - self.now, 2) for name, at in found.items()}

    def carry_out(self, commands: list[Any], cause: e.AnyEvent | None) -> None:
        for command in commands:
            if not isinstance(command, c.SendMark | c.PlayAudio):
                self.trace.append(f"{self.now - START:8.2f} >   {command}")
            match command:
                case c.MoveCall() | c.RingHuman() | c.CheckTargets():
                    self.orders.append(command)
                    self.ordered.append(self.now)
                    if isinstance(command, c.MoveCall):
                        self.check_uncut(cause)
                case c.CloseStream():
                    if self.caller == "stream":
                        self.news.append(e.StreamStopped(f"MZ{self.streams}"))
                        self.caller = "asking"
                case c.EndLeg(leg_sid=sid):
                    self.end_human(sid)
                case c.OpenModel():
                    self.session, self.wishes, self.speaking = True, 0, None
                    self.news.append(e.ModelReady("S"))
                case c.CloseModel():
                    self.session = False
                case c.RequestResponse():
                    assert self.session, "a wish to nobody"
                    self.wishes += 1
                case c.SendMark(name=name):
                    self.marks.append(name)
                case c.ClearAudio():
                    self.marks.clear()
                case c.PlayPrepared(line=line, item_id=item_id):
                    text = "One moment." if line == "filler" else ""
                    self.news.append(e.PreparedAudio(item_id, "", 8000, text))
                case c.GiveDigits(collection_id=collection_id):
                    self.collecting.remove(collection_id)
                case c.StoreRecord(record=record):
                    self.records.append(record)
                case c.Deliver(delivery=delivery):
                    self.deliveries[delivery.id] = delivery

    def check_uncut(self, cause: e.AnyEvent | None) -> None:
        """The last words are never cut by a move of ours, unless they took too long or the agent
        was lost in the middle of them."""
        patient = cause is not None and not isinstance(
            cause, e.ModelLost | e.ShutdownRequested | e.GiveBackRequested | e.CallRecovered
        )
        if patient and self.caller == "stream":
            assert not self.call.conversation.playout.playing(), f"cut by {cause}"

    def want_digits(self) -> None:
        """A tool waits for digits."""
        self.count += 1
        collection_id = f"D{self.count}"
        self.collecting.add(collection_id)
        secret = self.random.random() < 0.5
        self.tell(e.DigitsWanted(collection_id, self.random.choice((1, 4)), secret))

    # --- the carrier ------------------------------------------------------------------------------

    def follow(self, instructions: tuple[Any, ...]) -> None:
        """The caller's leg does what it is told, verb by verb."""
        for instruction in instructions:
            self.doing = instruction
            match instruction:
                case c.ConnectAgent():
                    self.caller = "connecting"
                    return
                case c.DialHumans(targets=targets, wave=wave):
                    self.caller = "dial"
                    for number in range(len(targets)):
                        self.add_human(wave if wave is not None else -1, number, dialled=True)
                    return
                case c.JoinRoom():
                    self.caller, self.started = "room", False
                    self.meet()
                    return
                case c.Hold():
                    self.caller = "hold"
                    return
                case c.JoinQueue():
                    self.caller = "queue"
                    return
                case c.ReferCaller():
                    self.caller = "refer"
                    return
                case c.TakeVoicemail():
                    self.caller = "message"
                    return
                case c.HangUp():
                    self.let_caller_go("hung up by us")
                    return
                case c.Speak():
                    continue
                case other:
                    raise AssertionError(f"a caller's leg cannot {other}")
        raise AssertionError(f"{instructions} lead nowhere")

    def add_human(self, wave: int, number: int, *, dialled: bool) -> Human:
        self.count += 1
        human = Human(wave, number, f"CA-human-{self.count}", dialled)
        self.humans.append(human)
        return human

    def end_human(self, sid: str, outcome: Any = None) -> None:
        for human in self.humans:
            if human.sid == sid and human.at != "over":
                was, human.at = human.at, "over"
                if not human.dialled:
                    self.say_leg(human, "completed", outcome)
                if was == "room":
                    self.room_over(human)

    def say_leg(self, human: Human, status: Any, outcome: Any = None) -> None:
        leg = None if human.dialled else human.number
        step = self.doing.step if human.dialled else human.wave
        self.news.append(e.LegChanged(human.sid, status, step, outcome, leg))

    def join(self, human: Human) -> None:
        """A human comes into the room."""
        human.at = "room"
        self.news.append(e.RoomChanged(human.wave, "joined", human.sid))
        self.meet()

    def meet(self) -> None:
        if any(self.in_callers_room(each) for each in self.humans):
            self.started = True
            self.news.append(e.RoomChanged(self.doing.wave, "started"))

    def in_callers_room(self, human: Human) -> bool:
        """Each wave has a room of its own."""
        return self.caller == "room" and human.at == "room" and human.wave == self.doing.wave

    def room_over(self, human: Human) -> None:
        """A human has left: the carrier asks for a caller who was with them at once."""
        if self.caller == "room" and human.wave == self.doing.wave:
            self.caller = "asking room"

    def leave_stream(self) -> None:
        if self.caller in ("stream", "connecting"):
            self.news.append(e.StreamStopped(f"MZ{self.streams}", "stop"))
        for human in self.humans:
            if human.dialled and human.at != "over":
                human.at = "over"

    def let_caller_go(self, why: str) -> None:
        if self.caller == "gone":
            return
        self.leave_stream()
        self.reasons.append(why)
        self.caller = "gone"
        self.news.append(e.CallCompleted())

    # --- what is true --------------------------------------------------------------------------

    def check(self) -> None:
        """What holds at every moment."""
        state, phase = self.call.handoff.state, self.call.phase
        live = [each for each in self.call.handoff.legs.live if not each.dialled]
        if not self.call.handoff.running and phase is not Phase.ENDED:
            assert not live, f"{live} are rung for nobody in {state}"
        if self.caller == "stream" and not self.session and not self.orders and not self.news:
            soon = self.call.deadline
            assert soon is not None and soon - self.now <= ALONE_SECONDS, "nothing is on its way"
        self.check_company()

    def check_company(self) -> None:
        """No caller hears nothing for longer than they may, once the carrier has told its news.

        A room has music until it has started: then it may be for nothing, but not for long, unless
        REST is asked for what comes next. The same holds if a human waits in another room.
        """
        nobody = not any(each.at != "over" for each in self.humans)
        apart = any(each.at == "room" for each in self.humans) and not any(
            self.in_callers_room(each) for each in self.humans
        )
        silent = self.caller == "stream" and not self.session
        silent = silent or (self.caller == "room" and nobody and self.started)
        music = self.caller == "room" and not self.started and not self.orders
        music = music and (nobody or apart)
        if self.news or not (silent or music):
            self.alone_since = None
        elif self.alone_since is None:
            self.alone_since = self.now
        else:
            lonely = self.now - self.alone_since
            most = ALONE_SECONDS if silent else MUSIC_SECONDS
            assert lonely <= most, f"nobody is with the caller ({self.caller}) for {lonely:.2f} s"

    def ask_about_those_who_wait(self) -> None:
        """The carrier asks again about humans who were told to wait for so many seconds."""

    def finish(self) -> None:
        """The caller hangs up, the last news comes, and nothing may be left."""
        self.let_caller_go("hung up")
        for _ in range(200):
            if not self.news and not self.orders:
                break
            self.deliver(lose=False)
            while self.orders:
                self.ordered.pop(0)
                self.order(self.orders.pop(0), "done")
        self.pass_time(20_000.0)
        for _ in range(50):
            self.deliver(lose=False)
        self.ask_about_those_who_wait()
        left = [each for each in self.humans if each.at != "over"]
        assert not left, f"left over: {left}"
        assert not self.collecting, "a tool waits for digits for ever"
        assert self.call.phase is Phase.ENDED
        assert self.records, "no record was kept"
        assert self.call.handoff.state in (
            HandoffState.IDLE,
            HandoffState.DONE,
            HandoffState.FAILED,
        )
        assert self.call.deadline is None or self.call.deadline > self.now

    def deliver(self, *, lose: bool) -> None:
        """Some news arrives: any of it, perhaps twice, perhaps (a notice) never."""
        if not self.news:
            return
        event = self.news.pop(self.random.randrange(len(self.news)))
        if lose and isinstance(event, e.RoomChanged) and self.random.random() < 0.2:
            return
        if isinstance(event, e.ModelReady) and not self.session:
            return
        self.tell(event)
        if self.random.random() < 0.1 and not isinstance(event, e.ModelReady):
            self.tell(event)

    def order(self, order: Any, how: str) -> None:
        """The carrier does what REST asked of it, or not; and says so, or not."""
        match order:
            case c.MoveCall():
                if how != "refused" and self.caller != "gone":
                    self.leave_stream()
                    self.follow(order.instructions)
                if how == "done":
                    gone = self.caller == "gone" and self.reasons[-1] == "hung up"
                    self.tell(
                        e.CarrierRefused(order.step, 400, 21220, gone=True)
                        if gone
                        else e.CallMoved(order.step)
                    )
                else:
                    self.tell(e.CarrierRefused(order.step, 500))
            case c.RingHuman():
                if how != "refused":
                    human = self.add_human(order.wave, order.leg, dialled=False)
                    self.say_leg(human, "initiated")
                if how == "done":
                    self.tell(e.LegPlaced(order.wave, order.leg, human.sid))
                else:
                    self.tell(e.LegRefused(order.wave, order.leg, 500))
            case c.CheckTargets():
                self.tell(
                    e.TargetsChecked(
                        order.check,
                        open=how != "refused",
                        opens="tomorrow",
                        free=None if how == "done" else (),
                    )
                )


Choice = tuple[float, Callable[[], None]]
