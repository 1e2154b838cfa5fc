from __future__ import annotations

from typing import Any

from hookflash.core import commands as c
from hookflash.core import events as e
from hookflash.replay.timeline import read_timeline
from hookflash.replay.transcript import transcript_text


def test_the_transcript_tells_the_call_in_order_as_it_was_heard(
    whole_call: Any, record: Any
) -> None:
    whole_call.command(31.2, c.StoreRecord(record))
    head, blank, *lines = transcript_text(read_timeline(whole_call.lines)).splitlines()
    assert head.startswith("Riverside · ") and head.endswith(" · 0:31 · handed off")
    assert blank == ""
    assert lines == [
        " 0:00  agent   Hello, how can I help?",
        " 0:03  caller  Are you open?",
        ' 0:04  tool    hours {"day":"sat"} answered: 9-17',
        " 0:04  agent   We are open from nine [cut off: until five on all days.]",
        " 0:06  caller  A human & please <now>",
        " 0:09  agent   One moment.",
        " 0:09          farewell: The agent speaks its last words to the caller.",
        " 0:10          moving: The carrier moves the caller off the stream.",
        " 0:10          ringing: A human's phone rings.",
        " 0:10          hand-off: a human answers after 11.3 s",
        " 0:21          with human: The caller talks with a human.",
    ]


def test_a_human_who_was_not_reached_is_told_with_the_reason(script: Any) -> None:
    script.event(0, e.CallArrived("CA", "+15550100", "+15550101"))
    script.event(1, e.LegChanged("CAh", "ringing", 1))
    assert "ringing, no answer yet" in transcript_text(read_timeline(script.lines))
    script.event(2, e.LegChanged("CAh", "completed", 1, "busy"))
    assert "ringing, busy" in transcript_text(read_timeline(script.lines))


def test_tools_that_failed_or_were_cancelled_say_so(script: Any) -> None:
    script.event(0, e.CallArrived("CA", "+15550100", "+15550101"))
    script.command(1, c.RunTool("t1", "look_up", "{}"))
    script.event(2, e.ToolFinished("t1", "no such order", failed=True))
    script.command(3, c.RunTool("t2", "look_up", "{}"))
    script.command(4, c.CancelTool("t2"))
    text = transcript_text(read_timeline(script.lines))
    assert "look_up {} failed: no such order" in text
    assert "look_up {} answered: cancelled" in text
