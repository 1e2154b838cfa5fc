"""The whole measurement, as small as it gets: `hookflash serve` as a process, webhooks signed."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from hookflash_local.bench import relays
from hookflash_local.bench.harness import Harness
from hookflash_local.bench.processes import Placement, cores
from hookflash_local.bench.programs import BenchError, Programs
from hookflash_local.bench.relay_benchmark import PARTS, QUICK, Plan, measure
from hookflash_local.bench.report import HOOKFLASH, MINIMAL, REFERENCE, Report


@pytest.mark.realtime
async def test_each_part_is_measured_and_told() -> None:
    parts = ("workers", "ledger", "console", "leak")
    report = await measure(msgspec.structs.replace(QUICK, parts=parts, seconds=1.0))
    the_console_is_measured_with_and_without_pages(report)
    two_workers_are_measured_with_twice_the_calls(report)
    what_the_model_is_told_was_heard_is_measured_on_a_busy_line(report)
    memory_is_followed_over_calls_that_come_and_go(report)
    the_report_is_json_that_reads_back(report)


@pytest.mark.realtime
async def test_the_relays_are_measured_side_by_side_under_each_load() -> None:
    report = await measure(msgspec.structs.replace(QUICK, parts=("cost",), seconds=1.0))
    assert [(row.load, row.relay, row.calls) for row in report.rows] == [
        (load, relay, 3)
        for load in ("steady", "bursts")
        for relay in (REFERENCE, MINIMAL, HOOKFLASH)
    ]
    for in_c, minimal, ours in (report.rows[:3], report.rows[3:]):
        assert in_c.times == minimal.times_minimal == 1.0
        assert minimal.added_ms == 0.0
        assert ours.times is not None and ours.times_minimal is not None
        assert ours.times > 0
        assert ours.times_minimal > 0
    for row in report.rows:
        assert row.runs == 1
        assert row.cpu_ms > 0
        assert row.lost == 0
        assert 0 < row.up.p50 <= row.up.p99 <= row.up.max
        assert 0 < row.start.p50 <= row.start.max
        assert row.memory_kb < 2000
        # In a second of bursts not every call need be in a piece of speech.
        assert row.load == "bursts" or 0 < row.down.p50 <= row.down.p99 <= row.down.max
        assert row.load == "bursts" or 0 < row.barge_in.p50 <= row.barge_in.max


def the_console_is_measured_with_and_without_pages(report: Report) -> None:
    assert [each.pages for each in report.watched] == [None, 0, 2]
    assert [each.calls for each in report.watched] == [3] * 3
    for each in report.watched:
        assert each.cpu_ms > 0
        # In a second not every page need be told something.
        assert each.messages >= 0
        assert each.messages == 0 or each.pages


def two_workers_are_measured_with_twice_the_calls(report: Report) -> None:
    (shared,) = report.shared
    assert shared.calls == 3
    assert all(cpu_ms > 0 for cpu_ms in shared.cpu_ms)
    assert all(p99 > 0 for p99 in shared.p99)
    assert shared.times == pytest.approx(2 * shared.cpu_ms[0] / shared.cpu_ms[1])


def what_the_model_is_told_was_heard_is_measured_on_a_busy_line(report: Report) -> None:
    few, many, jittered = report.accuracy
    assert "jitter" in jittered.condition
    for each in (few, many, jittered):
        assert each.calls == 3
        assert each.cuts >= 1
        assert 0 <= each.p50 <= each.p99 <= each.max


def memory_is_followed_over_calls_that_come_and_go(report: Report) -> None:
    assert report.leak is not None
    assert [calls for calls, _ in report.leak.curve] == [1, 2, 3, 4, 5]
    assert all(20 < megabytes < 1000 for _, megabytes in report.leak.curve)


def the_report_is_json_that_reads_back(report: Report) -> None:
    assert msgspec.json.decode(msgspec.json.encode(report), type=Report) == report


def test_the_plan_knows_all_parts() -> None:
    assert Plan().parts == PARTS
    assert set(QUICK.parts) <= set(PARTS)


@pytest.mark.realtime
async def test_the_time_limit_of_each_call_is_accepted(programs: Programs) -> None:
    """A server that must repeat the request costs more than a call on Twilio does."""
    async with Harness(programs).hookflash() as loaded:
        await loaded.place(3)
        assert isinstance(loaded.relay, relays.ServedLine)
        for _ in range(1500):
            if loaded.relay.twilio_api.answered >= 3:
                break
            await asyncio.sleep(0.02)
        assert loaded.relay.twilio_api.answered >= 3


@pytest.mark.realtime
async def test_a_line_that_does_not_start_is_quoted() -> None:
    wrong = {"HOOKFLASH_LEAD_MS": "soon"}
    with pytest.raises(BenchError, match=r"(?s)hookflash serve did not start.*HOOKFLASH_LEAD_MS"):
        async with relays.served(1, placement=Placement(tuple(cores())), environ=wrong):
            pass


@pytest.mark.realtime
async def test_a_webhook_that_is_refused_is_said_with_the_lines_log() -> None:
    wrong = {"TWILIO_AUTH_TOKEN": "another"}
    with pytest.raises(BenchError, match=r"from /twilio/voice, got 403; hookflash serve logged"):
        async with relays.served(1, placement=Placement(tuple(cores())), environ=wrong) as line:
            await line.arrive("CA" + "1" * 32)
