from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

import pytest

from hookflash.core import commands as c
from hookflash.core import events as e
from hookflash.replay.picture import draw, gaps_between, merge_spans, row_pieces
from hookflash.replay.sound import Tracks
from hookflash.replay.timeline import Spoken, read_timeline

SVG = "{http://www.w3.org/2000/svg}"
LOUD, QUIET = b"\x00", b"\xff"


def texts(svg: str) -> list[str]:
    return [node.text or "" for node in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def kinds(svg: str) -> list[str]:
    return re.findall(r'class="([^"]+)"', svg)


def tracks(seconds: float, *loud: tuple[str, float, float]) -> Tracks:
    sound = {"said": bytearray(QUIET * int(seconds * 8000))}
    sound["heard"] = bytearray(sound["said"])
    for name, start, end in loud:
        size = int((end - start) * 8000)
        sound[name][int(start * 8000) : int(start * 8000) + size] = LOUD * size
    return Tracks(bytes(sound["said"]), bytes(sound["heard"]))


def test_the_picture_is_well_formed_whatever_was_said(whole_call: Any, record: Any) -> None:
    whole_call.command(31.2, c.StoreRecord(record))
    svg = draw(read_timeline(whole_call.lines))
    words = texts(svg)
    assert "Riverside: handed off" in words
    assert "A human & please <now>" in " ".join(words)
    assert {"talking", "farewell", "ringing", "with human"} <= set(words)


def test_what_was_cut_is_struck_out_and_the_barge_in_is_marked(whole_call: Any) -> None:
    svg = draw(read_timeline(whole_call.lines))
    assert "barge-in" in texts(svg)
    assert {"cut", "unheard", "barge"} <= set(kinds(svg))


def test_every_twenty_seconds_begin_a_row(whole_call: Any) -> None:
    svg = draw(read_timeline(whole_call.lines))
    assert svg.count("<g transform=") == 2
    assert "0:20" in texts(svg)


def test_an_empty_call_is_still_a_picture(script: Any) -> None:
    svg = draw(read_timeline(script.lines))
    assert "Riverside: not finished" in texts(svg)
    assert "human" not in texts(svg)


def test_the_outbound_track_is_the_humans_from_ringing_on(whole_call: Any) -> None:
    sound = tracks(31.0, ("heard", 1.0, 2.0), ("heard", 22.0, 30.0), ("said", 25.0, 26.0))
    svg = draw(read_timeline(whole_call.lines), sound)
    paths = re.findall(r'<path class="(\w+)" d="M([\d.]+)', svg)
    assert [kind for kind, _ in paths if kind != "wait"] == ["agent", "caller", "human"]


def test_tracks_that_begin_later_are_drawn_later(whole_call: Any) -> None:
    def first_x(starts_at: float) -> float:
        sound = tracks(10.0, ("said", 1.0, 2.0))
        moved = Tracks(sound.said, sound.heard, starts_at)
        svg = draw(read_timeline(whole_call.lines), moved)
        found = re.search(r'<path class="caller" d="M([\d.]+)', svg)
        assert found is not None
        return float(found[1])

    assert first_x(0.5) - first_x(0.0) == pytest.approx(0.5 * 60)
    assert first_x(-0.5) - first_x(0.0) == pytest.approx(-0.5 * 60)


def test_with_sound_the_wait_is_measured_from_the_end_of_speech(whole_call: Any) -> None:
    without = draw(read_timeline(whole_call.lines))
    assert "0.50 s" in texts(without)
    sound = tracks(31.0, ("said", 3.0, 3.4))
    assert "1.10 s" in texts(draw(read_timeline(whole_call.lines), sound))


def test_tools_that_failed_or_were_cancelled_say_so(script: Any) -> None:
    script.event(0, e.CallArrived("CA", "+15550100", "+15550101"))
    script.command(1.0, c.RunTool("t1", "look_up", "{}"))
    script.event(1.5, e.ToolFinished("t1", "broken", failed=True))
    script.command(2.0, c.RunTool("t2", "look_up", "{}"))
    script.command(2.5, c.CancelTool("t2"))
    svg = draw(read_timeline(script.lines))
    assert "tool failed" in kinds(svg)
    assert any("cancelled" in words for words in texts(svg))


def test_the_facts_of_a_call_are_told_above_it(whole_call: Any, record: Any) -> None:
    whole_call.command(31.2, c.StoreRecord(record))
    (facts,) = [words for words in texts(draw(read_timeline(whole_call.lines))) if "·" in words]
    assert "1 barge-in · 1 tool call · a human after 12.5 s" in facts


def test_speech_over_the_end_of_a_row_is_split_with_its_words() -> None:
    spoken = Spoken("agent", 18.0, 22.0, "one two three four", "five")
    assert list(row_pieces(spoken)) == [
        (18.0, 20.0, "one two", ""),
        (20.0, 22.0, "three four", "five"),
    ]


def test_spans_that_touch_are_one_and_the_time_between_is_the_rest() -> None:
    spans = merge_spans(iter([(5.0, 6.0), (1.0, 2.0), (2.0, 3.0)]))
    assert spans == [(1.0, 3.0), (5.0, 6.0)]
    assert [span for span in gaps_between(spans)][1] == (3.0, 5.0)
