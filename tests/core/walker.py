"""The choices of a walk: what may happen next in `world.Walk`, and how likely each is."""

from __future__ import annotations

from typing import Any

from hookflash.core import commands as c
from hookflash.core import events as e

from .world import Choice, Human, Walk

TOOLS = {
    "transfer_to_human": '{"destination": "desk", "reason": "a refund", "summary": "Order 12."}',
    "cancel_transfer": "{}",
    "schedule_callback": '{"number": "+15550100", "wish": "tomorrow"}',
    "take_voicemail": "{}",
    "end_call": "{}",
}


class Walker(Walk):
    """Lets one thing after another happen."""

    def step(self) -> None:
        choices = [*self.of_time(), *self.of_caller(), *self.of_model(), *self.of_humans()]
        choices += self.of_people()
        weights = [weight for weight, _ in choices]
        ((_, happen),) = self.random.choices(choices, weights)
        happen()
        self.check()

    def of_time(self) -> list[Choice]:
        choices: list[Choice] = [(2.0, lambda: self.pass_time(self.random.choice((0.1, 1.0, 7.0))))]
        if self.news:
            choices.append((4.0, lambda: self.deliver(lose=True)))
        moving = False
        for order in self.orders:
            if isinstance(order, c.MoveCall):
                # The driver asks for one move after another.
                if moving:
                    continue
                moving = True
            for weight, how in ((3.0, "done"), (0.3, "refused"), (0.2, "done, said refused")):
                choices.append((weight, lambda o=order, h=how: self.settle(o, h)))  # type: ignore[misc]
        return choices

    def of_caller(self) -> list[Choice]:
        doing = self.caller
        if doing == "gone":
            return []
        choices: list[Choice] = [(0.12, lambda: self.let_caller_go("hung up"))]
        if doing == "connecting":
            choices.append((3.0, self.open_stream))
            choices.append((0.2, lambda: self.asks("connect")))
        if doing == "stream":
            choices.append((0.4, self.speak_up))
            choices.append((0.1, lambda: self.tell(e.DigitPressed("0"))))
            choices.append((0.05, self.want_digits))
            if self.collecting:
                choices.append((1.0, lambda: self.tell(e.DigitPressed(self.random.choice("12#")))))
                choices.append((0.1, lambda: self.tell(e.DigitsUnwanted(min(self.collecting)))))
            choices.append((0.05, self.lose_stream))
            if self.marks:
                choices.append((4.0, self.hear))
        if doing == "asking":
            choices.append((5.0, lambda: self.asks("connect")))
        if doing == "asking room":
            choices.append((5.0, lambda: self.asks("room")))
        if doing == "hold":
            choices.append((2.0, lambda: self.asks("hold")))
        if doing == "refer":
            outcome = self.random.choice(("bridged", "failed"))
            choices.append((1.0, lambda: self.asks("refer", outcome)))
        if doing == "queue":
            choices += [
                (0.5, lambda: self.asks("queue", "bridged")),
                (0.3, lambda: self.asks("queue", "no-answer")),
                (1.0, self.wait_in_queue),
            ]
        if doing == "message":
            choices.append((1.0, self.leave_message))
        return choices

    def asks(self, point: str, outcome: str | None = None) -> None:
        step = self.doing.step
        self.ask(e.InstructionsAsked(step, point, "", outcome))  # type: ignore[arg-type]

    def open_stream(self) -> None:
        self.streams += 1
        self.caller = "stream"
        self.marks.clear()
        self.tell(e.StreamStarted(f"MZ{self.streams}", self.doing.step))

    def lose_stream(self) -> None:
        self.caller = "asking"
        self.tell(e.StreamStopped(f"MZ{self.streams}"))

    def hear(self) -> None:
        """Everything that was sent is played, and its marks come back."""
        self.pass_time(max(0.0, self.call.conversation.playout.quiet_at() - self.now))
        marks, self.marks = self.marks, []
        for name in marks:
            if self.caller == "stream":
                self.tell(e.MarkReturned(name))

    def speak_up(self) -> None:
        self.count += 1
        item = f"c{self.count}"
        self.tell(e.CallerSpeechStarted(item))
        self.now += 0.5
        self.tell(e.CallerSpeechStopped(item))
        self.tell(e.CallerTranscribed(item, "Well, {summary} and my number is 12."))
        if self.session:
            self.wishes += 1

    def wait_in_queue(self) -> None:
        digit = self.random.choice(("", "", "1"))
        answer = self.ask(e.QueueAsked(self.doing.step, 2, 30, 60, digit))
        if isinstance(answer[0], c.LeaveQueue):
            self.asks("queue", "no-answer")

    def leave_message(self) -> None:
        step = self.doing.step
        seconds = self.random.choice((0.0, 12.0))
        recording = e.Recording("https://api.twilio.test/RE1", seconds, "RE1")
        if self.random.random() < 0.3:
            self.let_caller_go("hung up")
        self.ask(e.InstructionsAsked(step, "voicemail", "", None, recording))
        self.news.append(e.RecordingReady(step, recording))
        self.news.append(e.VoicemailTranscribed(step, "call me"))

    # --- the model --------------------------------------------------------------------------------

    def of_model(self) -> list[Choice]:
        if not self.session:
            return []
        choices: list[Choice] = [
            (0.05, lambda: self.tell(e.ModelLost("gone", "rotate"))),
            (0.02, lambda: self.tell(e.ModelLost("wrong key", "none"))),
        ]
        if self.wishes:
            choices.append((4.0, self.speak))
        return choices

    def speak(self) -> None:
        """The model answers: words, perhaps a tool."""
        self.wishes -= 1
        self.count += 1
        response, item = f"r{self.count}", f"a{self.count}"
        self.tell(e.ResponseStarted(response))
        said = self.random.choice(("Hello there.", "I am connecting you with the desk now."))
        self.tell(e.AgentTranscribed(item, said))
        self.tell(e.ModelAudio(response, item, "", self.random.choice((800, 8000))))
        if self.random.random() < 0.4:
            name = self.random.choices(list(TOOLS), (6, 1, 1, 1, 0.5))[0]
            self.tell(e.ToolCallRequested(f"t{self.count}", name, TOOLS[name], response))
        if self.session:
            self.tell(e.ModelAudioEnded(response, item))
            self.tell(e.ResponseEnded(response, "completed"))

    # --- humans -----------------------------------------------------------------------------------

    def of_humans(self) -> list[Choice]:
        choices: list[Choice] = []
        for human in self.humans:
            choices += self.of_dialled(human) if human.dialled else self.of_placed(human)
        return choices

    def of_placed(self, human: Human) -> list[Choice]:
        at = human.at
        if at == "ringing":
            outcome = self.random.choice(("busy", "no-answer", "failed"))
            return [
                (1.0, lambda: self.say_leg(human, "ringing")),
                (2.0, lambda: self.answer(human)),
                (0.7, lambda: self.end_human(human.sid, outcome)),
            ]
        if at == "asked":
            digit = self.random.choice(("1", "1", "1", "2", "", "7"))
            return [(2.0, lambda: self.press(human, digit)), (0.4, lambda: self.hang_up(human))]
        if at == "consult":
            decision = self.random.choice(("connect", "decline", "voicemail"))
            return [(1.5, lambda: self.consulted(human, decision))]
        if at == "room":
            return [(0.3, lambda: self.hang_up(human)), (0.4, lambda: self.star(human))]
        if at == "parting":
            digit = self.random.choice(("1", "2", ""))
            return [(2.0, lambda: self.press(human, digit)), (0.3, lambda: self.hang_up(human))]
        return []

    def of_dialled(self, human: Human) -> list[Choice]:
        if self.caller != "dial":
            return []
        at = human.at
        if at == "ringing":
            return [
                (1.0, lambda: self.say_leg(human, "ringing")),
                (1.5, lambda: self.answer(human)),
                (0.5, lambda: self.dial_over(human, "no-answer")),
            ]
        if at == "asked":
            digit = self.random.choice(("1", "2", ""))
            return [(2.0, lambda: self.press(human, digit))]
        if at == "bridged":
            return [(0.5, lambda: self.dial_over(human, "bridged"))]
        return []

    def answer(self, human: Human) -> None:
        human.answered = True
        self.say_leg(human, "answered")
        if human.dialled and human.wave < 0:
            human.at = "bridged"
            return
        by = self.random.choice(("", "", "human", "machine"))
        self.told(human, self.ask_human(human, "answered", by=by))

    def press(self, human: Human, digit: str) -> None:
        point = "parting" if human.at == "parting" else "pressed"
        self.told(human, self.ask_human(human, point, digit))

    def ask_about_those_who_wait(self) -> None:
        for human in self.humans:
            if human.at == "asked" and human.waits:
                self.press(human, "")

    def star(self, human: Human) -> None:
        human.at = "left"
        self.room_over(human)
        self.told(human, self.ask_human(human, "left"))

    def consulted(self, human: Human, decision: str) -> None:
        """What was said on the consulting leg; that call sees to its own leg."""
        human.at = "leaving"
        self.tell(e.ConsultDecided(human.sid, decision, "busy"))  # type: ignore[arg-type]
        if human.at == "over":
            return
        if decision == "connect":
            self.join(human)
        else:
            self.end_human(human.sid)

    def ask_human(self, human: Human, point: str, digit: str = "", by: str = "") -> Any:
        event = e.HumanAsked(human.wave, human.number, human.sid, point, digit, by)  # type: ignore[arg-type]
        answer = self.ask(event)
        if self.random.random() < 0.05 and point != "pressed":
            assert self.ask(event), "asked twice"
        return answer

    def told(self, human: Human, instructions: tuple[Any, ...]) -> None:
        """The human's leg does what it is told."""
        for instruction in instructions:
            match instruction:
                case c.Screen(point=point, seconds=seconds):
                    human.at = "parting" if point == "parting" else "asked"
                    human.waits = seconds is not None
                case c.OpenConsult():
                    human.at = "consult"
                case c.JoinRoom():
                    self.join(human)
                case c.Bridge():
                    if self.caller == "dial":
                        human.at = "bridged"
                case c.HangUp():
                    if human.dialled:
                        self.dial_over(human, "declined")
                    else:
                        self.end_human(human.sid)

    def hang_up(self, human: Human) -> None:
        self.end_human(human.sid)

    def dial_over(self, human: Human, outcome: str) -> None:
        """A dialled leg is over; when all are, the carrier asks what is next."""
        human.at = "over"
        ours = [each for each in self.humans if each.dialled]
        if outcome == "bridged":
            for each in ours:
                each.at = "over"
        if self.caller == "dial" and all(each.at == "over" for each in ours):
            self.asks("dial", outcome)

    # --- people around the call -------------------------------------------------------------------

    def of_people(self) -> list[Choice]:
        if self.caller == "gone":
            return []
        return [
            (0.1, lambda: self.tell(e.HandoffRequested("desk", "a supervisor wants it"))),
            (0.05, lambda: self.tell(e.HandoffCancelled("anna"))),
            (0.05, lambda: self.tell(e.GiveBackRequested("anna"))),
            (0.05, lambda: self.tell(e.SayRequested("hello", "anna"))),
            (0.05, lambda: self.tell(e.HintGiven("be kind", "anna"))),
            (0.01, lambda: self.tell(e.ShutdownRequested())),
        ]
