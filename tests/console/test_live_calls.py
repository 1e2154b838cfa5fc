"""What consoles are told of live calls: a real call, driven by hand, its sound passed over."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from hookflash.console import live_calls as live_module
from hookflash.console.call_detail import outcomes
from hookflash.console.live_calls import LiveCalls
from hookflash.console.prices import Prices
from hookflash.console.shapes import LastLine, Parts, Question
from hookflash.console.trace import Trace
from hookflash.core import events as e
from hookflash.core.call import Call
from hookflash.core.commands import PlayAudio, SendMark
from hookflash.core.handoff_plan import Destination, HandoffPlan, Target
from hookflash.core.phases import Phase
from hookflash.core.record import HandoffAttempt
from hookflash.core.setup import CallSetup
from hookflash.core.token_usage import Tokens
from hookflash.runtime.audio_capture import AudioCapture
from hookflash.runtime.journal import Journals
from hookflash.runtime.live_levels import Levels

from ..core.conftest import START, Scene

DESK = Destination(
    key="billing", when="a refund", plan=HandoffPlan(targets=(Target.phone("+15550102"),))
)


class Watched(Scene):
    """A scene whose every event consoles may see."""

    def __init__(self, *, journal: Path | None = None) -> None:
        super().__init__(CallSetup(agent="shop", destinations=(DESK,)))
        self.known = True
        self.live = LiveCalls(
            lambda sid: self if self.known and sid == "CA1" else None,
            lambda: self.now,
            prices=Prices(line=6.0, listened=60.0, spoken=120.0),
            journal=lambda sid: journal,
        )

    def __call__(self, event: e.AnyEvent) -> list:
        commands = super().__call__(event)
        self.live.watch("CA1", event, commands)
        return commands

    def wait(self, seconds: float) -> list:
        commands = super().wait(seconds)
        self.live.watch("CA1", None, commands)
        return commands

    async def parts(self) -> Parts:
        found = await self.live.detail("CA1")
        assert found is not None
        return found.parts


@pytest.fixture
def scene() -> Watched:
    return Watched()


async def test_a_line_is_cut_where_the_caller_has_heard_it(scene: Watched) -> None:
    scene.talk()
    text = "One two three four five six seven eight nine ten."
    scene.say("i1", "r1", 4000, text=text, ended=False)
    scene.now += 2.0
    (line,) = (await scene.parts()).lines
    assert (line.speaker, line.ended_at, line.cut) == ("agent", None, "")
    assert line.text + " " + line.ahead == text
    assert 20 <= len(line.text) <= 27
    scene.speaks()
    agent, caller = (await scene.parts()).lines
    assert agent.ended_at == pytest.approx(agent.started_at + 2.0, abs=0.1)
    assert agent.ahead == ""
    assert agent.text + " " + agent.cut == text
    assert (caller.speaker, caller.text, caller.ended_at) == ("caller", "", None)
    scene.after(0.5, e.CallerSpeechStopped("c1"))
    scene(e.CallerTranscribed("c1", "Stop."))
    parts = await scene.parts()
    assert parts.lines[1].text == "Stop."
    assert parts.lines[1].ended_at is not None
    (barge_in,) = parts.barge_ins
    assert barge_in.at == pytest.approx(2.0, abs=0.1)


async def test_the_sound_of_an_open_call_is_told_in_pieces(scene: Watched) -> None:
    capture = AudioCapture(scene.call, lambda: scene.now, on_unused=lambda: None)
    levels = Levels(capture, lambda: scene.now)
    levels.left, levels.right = bytearray(b"\xff" * 50), bytearray(b"\x10" * 50)
    levels.since = START + 3.0
    shown: list[Levels | None] = [levels]
    scene.live._levels = lambda sid: shown[0]
    scene.talk()
    first, second = (await scene.parts()).sound
    assert (first.started_at, first.left, first.right) == (3.0, "f" * 40, "1" * 40)
    assert (second.started_at, second.left) == (5.0, "f" * 10)
    levels.left += b"\x00"
    levels.right += b"\x00"
    same, longer = (await scene.parts()).sound
    assert same is first
    assert (longer.id, longer.left) == (second.id, "f" * 10 + "0")
    shown[0] = None
    assert (await scene.parts()).sound == (first,)


async def test_an_item_that_nobody_has_heard_yet_is_all_ahead(scene: Watched) -> None:
    scene.talk()
    scene(e.AgentTranscribed("i1", "Hello there."))
    (line,) = (await scene.parts()).lines
    assert (line.text, line.ahead) == ("", "Hello there.")


async def test_an_answer_is_timed_from_the_callers_last_word(scene: Watched) -> None:
    scene.greet()
    scene.speaks("c1")
    scene.after(1.0, e.CallerSpeechStopped("c1"))
    scene(e.CallerTranscribed("c1", "Hello?"))
    scene.now += 0.7
    scene.say("i2", "r2", 1000, text="Yes?")
    scene.now += 1.0
    scene.returned()
    (latency,) = (await scene.parts()).latencies
    assert latency.ended_at - latency.started_at == pytest.approx(0.7, abs=0.05)


async def test_tools_are_shown_while_they_run_and_after(scene: Watched) -> None:
    scene.greet()
    scene(e.ToolCallRequested("t1", "find_order", '{"number": 7}', "r1"))
    entry = (await scene.live.next_report("", 0, seconds=0)).calls[0]
    assert entry.running == ("find_order",)
    scene.after(1.5, e.ToolFinished("t1", "on its way"))
    scene(e.ToolCallRequested("t2", "find_order", "x" * 5000, "r1"))
    scene(e.ToolFinished("t2", "no", failed=True))
    scene(e.ToolFinished("t2", "late"))
    first, second = (await scene.parts()).tools
    assert (first.status, first.seconds, first.output) == ("answered", 1.5, "on its way")
    assert (second.status, len(second.arguments), second.output) == ("failed", 4000, "no")


async def test_a_tool_that_is_cancelled_is_shown_as_that(scene: Watched) -> None:
    scene.greet()
    scene(e.ToolCallRequested("t1", "find_order", "{}", "r1"))
    scene(e.CallCompleted())
    (tool,) = (await scene.parts()).tools
    assert tool.status == "cancelled"


async def test_a_hand_off_is_shown_with_its_state_its_legs_and_its_time(scene: Watched) -> None:
    scene.moved()
    entry = scene.live.report("", 0).calls[0]
    assert entry.phase == "handing off"
    assert entry.handoff is not None
    assert (entry.handoff.destination, entry.handoff.state) == ("billing", "moving")
    assert entry.handoff.reason == "a refund"
    assert entry.state == "moving"
    # No phone rings yet, so none can stop ringing.
    assert entry.handoff.until is None
    scene.after(1.0, e.LegChanged("CA9", "ringing", 2))
    entry = scene.live.report("", 0).calls[0]
    assert entry.handoff is not None
    assert entry.handoff.until == scene.now + DESK.plan.ring_seconds
    (leg,) = (await scene.parts()).legs
    assert (leg.status, leg.answered_at) == ("ringing", None)
    scene.after(3.0, e.LegChanged("CA9", "answered", 2))
    assert (await scene.parts()).legs[0].status == "answered"
    scene.after(9.0, e.LegChanged("CA9", "completed", 2, "bridged"))
    parts = await scene.parts()
    assert (parts.legs[0].status, parts.legs[0].outcome) == ("over", "bridged")
    names = [stage.name for stage in parts.stages]
    assert names[:2] == ["answering", "talking"]
    assert "moving" in names and "ringing" in names
    assert all(
        stage.ended_at == later.started_at
        for stage, later in zip(parts.stages, parts.stages[1:], strict=False)
    )


async def test_the_time_left_is_what_the_humans_phone_rings(scene: Watched) -> None:
    plan = HandoffPlan(targets=(Target.phone("+15550102"),), manner="warm", ring_seconds=20)
    desk = Destination(key="billing", when="a refund", plan=plan)
    scene.call = Call(CallSetup(agent="shop", destinations=(desk,)))
    scene.greet()
    scene(e.HandoffRequested("billing", "angry", source="console", by="anna"))
    scene.after(0.4, e.LegPlaced(1, 0, "CAh"))

    def until() -> float | None:
        handoff = scene.live.report("", 0).calls[0].handoff
        assert handoff is not None and handoff.state == "ringing"
        return handoff.until

    assert until() is None
    scene.after(2.0, e.LegChanged("CAh", "ringing", 1, None, 0))
    assert until() == scene.now + 20
    # The hand-off itself waits longer, because the carrier rings longer than it is told.
    assert scene.call.handoff.deadline is not None
    assert scene.call.handoff.deadline > scene.now + 20
    scene.after(3.0, e.LegChanged("CAh", "completed", 1, "busy", 0))
    (outcome,) = (await scene.parts()).outcomes
    assert (outcome.destination, outcome.outcome) == ("billing", "busy")
    assert outcome.text == "Billing was busy"
    assert outcome.at == pytest.approx(scene.now - START, abs=0.01)


async def test_the_list_has_the_last_line_and_who_speaks(scene: Watched) -> None:
    scene.greet()
    scene.speaks("c1")
    first = scene.live.report("", 0)
    assert (first.calls[0].state, first.calls[0].speaking) == ("talking", "caller")
    scene.after(1.0, e.CallerSpeechStopped("c1"))
    scene(e.CallerTranscribed("c1", "Are you open?"))
    changed = scene.live.report(first.epoch, first.version)
    (entry,) = changed.calls
    assert entry.last == LastLine(speaker="caller", text="Are you open?")
    assert entry.speaking == ""
    scene.say("i2", "r2", 4000, text="Yes, until five.", ended=False)
    scene.now += 3.0
    entry = scene.live.report("", 0).calls[0]
    assert entry.speaking == "agent"
    assert entry.last is not None and entry.last.speaker == "agent"
    assert "Yes, until five.".startswith(entry.last.text)
    scene(e.QuestionAsked("q1", "Is it in stock?"))
    assert scene.live.report("", 0).calls[0].state == "asking"


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (e.RoomChanged(1, "left", "CAh"), "The human hung up"),
        (e.RoomChanged(1, "left", "CA1"), "The caller hung up"),
        (e.LegChanged("CAh", "completed", 1), "The human hung up"),
        (e.InstructionsAsked(2, "dial", outcome="bridged"), "The human hung up"),
        (e.CallCompleted(), "The caller hung up"),
        (e.GiveBackRequested("anna"), "The human gave the caller back"),
        (e.HumanAsked(1, 0, "CAh", "left"), "The human gave the caller back"),
        (e.HintGiven("x", "anna"), "The talk with the human was over"),
    ],
)
def test_who_ends_the_talk_with_a_human_is_told(event: e.AnyEvent, text: str) -> None:
    trace = Trace()
    trace.enter_stage("talking", "ringing", 10.0)
    trace.add_event(e.LegChanged("CAh", "ringing", 1), 10.0)
    trace.add_event(e.LegChanged("CAh", "answered", 1), 12.0)
    trace.enter_stage("with a human", "with human", 14.0)
    attempt = HandoffAttempt(
        destination="front_desk", reason="", source="tool", started_at=10.0, outcome="bridged"
    )
    assert outcomes(trace, [attempt], 0.0) == ()
    trace.add_event(event, 20.0)
    trace.add_event(e.CallCompleted(), 20.5)
    trace.enter_stage("ended", "done", 21.0)
    (outcome,) = outcomes(trace, [attempt], 0.0)
    later = isinstance(event, e.HintGiven)
    assert outcome.text == ("The caller hung up" if later else text)
    assert outcome.at == (20.5 if later else 20.0)


def test_an_attempt_without_a_leg_ends_with_the_next_or_with_its_stage() -> None:
    trace = Trace()
    trace.enter_stage("talking", "checking", 10.0)
    trace.enter_stage("talking", "ringing", 12.0)
    trace.enter_stage("talking", "idle", 30.0)

    def attempt(at: float, outcome: str) -> HandoffAttempt:
        return HandoffAttempt(
            destination="desk", reason="", source="tool", started_at=at, outcome=outcome
        )

    ended = outcomes(
        trace, [attempt(10.0, "closed"), attempt(12.0, "timeout"), attempt(40.0, "odd")], 0.0
    )
    assert [(each.at, each.text) for each in ended] == [
        (12.0, "Desk was closed"),
        (40.0, "Desk took too long"),
        (40.0, "Desk odd"),
    ]


async def test_a_farewell_has_its_time_too(scene: Watched) -> None:
    scene.greet()
    scene(e.HandoffRequested("billing", "angry", source="console", by="anna"))
    entry = scene.live.report("", 0).calls[0]
    assert entry.handoff is not None and entry.handoff.state == "farewell"
    assert entry.handoff.until is not None
    (action,) = (await scene.parts()).actions
    assert (action.by, action.kind, action.text) == ("anna", "handoff", "billing: angry")


async def test_actions_and_questions_are_shown(scene: Watched) -> None:
    scene.greet()
    scene(e.HintGiven("a regular", "anna"))
    scene(e.SayRequested("one moment", "anna"))
    scene.after(2.0, e.QuestionAsked("q1", "Is it in stock?"))
    entry = scene.live.report("", 0).calls[0]
    since = pytest.approx(scene.now - START, abs=0.01)
    assert entry.question == Question(id="q1", text="Is it in stock?", asked_at=since)
    scene(e.QuestionAnswered("q1", "yes", "ben"))
    assert scene.live.report("", 0).calls[0].question is None
    scene(e.HandoffCancelled("ben"))
    scene(e.GiveBackRequested("ben"))
    scene(e.HandoffRequested("billing", "x", source="caller"))
    assert [(each.by, each.kind) for each in (await scene.parts()).actions] == [
        ("anna", "hint"),
        ("anna", "say"),
        ("ben", "answer"),
        ("ben", "cancel"),
        ("ben", "giveback"),
    ]


async def test_a_call_whose_model_tells_its_tokens_costs_by_them(scene: Watched) -> None:
    scene.live = LiveCalls(
        lambda sid: scene,
        lambda: scene.now,
        prices=Prices(line=6.0, listened=60.0, tokens=(4.0, 0.4, 32.0, 0.4, 16.0, 64.0)),
    )
    scene.talk()
    scene(e.TokensUsed(Tokens(text_read=100_000)))
    scene(e.TokensUsed(Tokens(sound_written=10_000)))
    cost = scene.live.report("", 0).calls[0].cost
    assert cost.counted
    assert cost.model == pytest.approx(0.4 + 0.64)


async def test_a_call_costs_by_the_minute_and_by_the_speech(scene: Watched) -> None:
    scene.greet()
    scene.now = START + 60.0
    cost = scene.live.report("", 0).calls[0].cost
    assert (cost.carrier, cost.model, cost.total) == (6.0, 2.0, 8.0)


async def test_a_reconnecting_page_gets_the_changes_since_its_last_event(scene: Watched) -> None:
    live = scene.live
    scene.arrive()
    first = live.report("", 0)
    assert (first.whole, [each.call_sid for each in first.calls]) == (True, ["CA1"])
    nothing = live.report(first.epoch, first.version)
    assert (nothing.whole, nothing.calls, nothing.gone) == (False, (), ())
    scene(e.ModelReady("S1"))
    assert live.report(first.epoch, first.version).calls == ()
    scene.stream()
    changed = live.report(first.epoch, first.version)
    assert [each.phase for each in changed.calls] == ["talking"]
    scene(e.CallCompleted())
    over = live.report(changed.epoch, changed.version)
    assert (over.calls, over.gone, scene.call.phase) == ((), ("CA1",), Phase.ENDED)
    assert live.report("another", 3).whole
    assert live.report(live.epoch, 10_000).whole
    found = await live.detail("CA1")
    assert found is not None and found.entry.phase == "ended"
    scene.known = False
    assert await live.detail("CA1") is None


async def test_a_waiting_reader_is_notified_at_the_next_change(
    scene: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_module, "COALESCE_SECONDS", 0.0)
    scene.arrive()
    first = await scene.live.next_report("", 0, seconds=60)
    waiting = [
        asyncio.create_task(scene.live.next_report(first.epoch, first.version, seconds=60))
        for _ in range(2)
    ]
    await asyncio.sleep(0)
    scene(e.ModelReady("S1"))
    scene.stream()
    assert [(await each).calls[0].phase for each in waiting] == ["talking", "talking"]
    late = await scene.live.next_report(scene.live.epoch, scene.live._version, seconds=0.01)
    assert (late.calls, late.gone, late.whole) == ((), (), False)


def test_audio_and_word_events_do_not_change_the_list(scene: Watched) -> None:
    scene.greet()
    asked: list[str] = []
    scene.live._find = lambda sid: asked.append(sid)  # type: ignore[func-returns-value]
    sound = [PlayAudio("", 160), SendMark("m")]
    scene.live.watch("CA1", e.ModelAudio("r", "i", "", 160), sound)
    scene.live.watch("CA1", e.MarkReturned("m"), [])
    scene.live.watch("CA1", e.MarkReturned("m"), sound)
    scene.live.watch("CA1", e.AgentTranscribed("i", "Hello"), [])
    scene.live.watch("CA1", e.CallerAudio("", 160, 0), [])
    assert asked == []


def test_the_number_of_retained_ended_calls_is_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live_module, "_MAX_GONE", 3)
    monkeypatch.setattr(live_module, "_MAX_TRACES", 2)
    scenes = {}
    live = LiveCalls(scenes.get, lambda: START)
    for number in range(6):
        sid = f"CA{number}"
        scene = scenes[sid] = Scene(CallSetup())
        for event in (e.CallArrived(sid, "", ""), e.CallCompleted()):
            live.watch(sid, event, scene(event))
        # A webhook that comes late changes nothing, and leaves nothing behind.
        live.watch(sid, e.CallCompleted(), scene(e.CallCompleted()))
    assert len(live._traces) == 2
    assert not live._changed
    assert live.report(live.epoch, 9).gone == ("CA5", "CA4")
    assert live.report(live.epoch, 1).whole


async def test_a_call_of_another_process_is_shown_with_what_happened_there(
    tmp_path: Path,
) -> None:
    setup = CallSetup(agent="shop", destinations=(DESK,))
    journals = Journals(tmp_path)
    journal = journals.begin("CA1", setup)
    before = _Journalled(setup, journal)
    before.greet()
    before(e.ToolCallRequested("t1", "find_order", "{}", "r1"))
    before.after(1.0, e.ToolFinished("t1", "yes"))
    before.say("i2", "r2", 4000, text="A long line.", ended=False)
    before.after(1.0, e.CallerSpeechStarted("c1"))
    before(e.HintGiven("a regular", "anna"))
    before.after(5.0, e.CallRecovered())
    journals.close()

    scene = Watched(journal=journals.find("CA1"))
    scene.call, scene.now = before.call, before.now
    scene(e.CallRecovered())
    scene.after(1.0, e.HintGiven("in a hurry", "ben"))
    scene.speaks("c9")
    parts = await scene.parts()
    assert [(tool.name, tool.status) for tool in parts.tools] == [("find_order", "answered")]
    assert [action.text for action in parts.actions] == ["a regular", "in a hurry"]
    assert len(parts.barge_ins) == 1
    assert [stage.name for stage in parts.stages][:2] == ["answering", "talking"]
    assert parts.stages[1].ended_at is not None
    assert await scene.parts() == parts


class _Journalled(Scene):
    def __init__(self, setup: CallSetup, journal: object) -> None:
        super().__init__(setup)
        self._journal = journal

    def __call__(self, event: e.AnyEvent) -> list:
        from hookflash.runtime.journal import JournalState

        commands = super().__call__(event)
        state = JournalState(self.call.phase.value, self.call.handoff.state.value)
        self._journal.write(self.now, event, commands, state)
        return commands


async def test_a_journal_that_is_gone_or_broken_is_no_reason_to_show_nothing(
    tmp_path: Path,
) -> None:
    for journal in (None, tmp_path, tmp_path / "none.jsonl"):
        scene = Watched(journal=journal)
        scene.call = Call(CallSetup())
        scene(e.CallArrived("CA1", "", ""))
        scene.live._traces.clear()
        scene(e.CallRecovered())
        assert (await scene.parts()).tools == ()
