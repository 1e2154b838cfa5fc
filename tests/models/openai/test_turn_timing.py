"""Timing lines, with time as a number."""

from __future__ import annotations

from hookflash.core import commands, events
from hookflash.models.openai.turn_timing import TurnTiming

SOUND = events.ModelAudio("resp_1", "item_1", "", 8000)


def test_a_turn_and_a_barge_in_are_timed() -> None:
    watch = TurnTiming(100.0)
    assert watch.event(events.ModelReady(), 100.35) == "ready 350 ms after opening"
    assert watch.event(events.CallerSpeechStarted("u"), 101.0) is None
    assert watch.event(events.CallerSpeechStopped("u"), 102.0) is None
    assert watch.event(events.ResponseStarted("resp_1"), 102.1) is None
    assert watch.event(SOUND, 102.4) == "first sound 400 ms after the caller stopped"
    assert watch.event(SOUND, 102.5) is None
    assert watch.event(events.ResponseEnded("resp_1", "completed"), 102.65) == (
        "resp_1 completed: 2000 ms of sound in 250 ms"
    )
    assert watch.event(events.CallerSpeechStarted("u2"), 103.0) is None
    assert watch.command(commands.TruncateItem("item_1", 820), 103.02) == (
        "item_1 was heard for 820 ms; cut 20 ms after the caller began"
    )


def test_a_greeting_is_timed_from_our_request() -> None:
    watch = TurnTiming(0.0)
    assert watch.command(commands.RequestResponse(), 1.0) is None
    assert watch.event(SOUND, 1.5) == "first sound 500 ms after we asked"


def test_an_unrequested_response_is_named_as_such() -> None:
    watch = TurnTiming(0.0)
    assert watch.event(events.ResponseEnded("resp_0", "failed"), 0.5) is None
    assert watch.event(SOUND, 1.0) == "first sound, unasked"
    assert watch.command(commands.TruncateItem("item_1", 0), 1.1) == "item_1 was heard for 0 ms"
    assert watch.command(commands.DeleteItem("item_1"), 1.2) is None
