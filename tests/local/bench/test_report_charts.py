from __future__ import annotations

from xml.etree import ElementTree

import msgspec

from hookflash_local.bench.report import ConsoleCost, Machine, MemoryGrowth, Report, Row
from hookflash_local.bench.report_charts import cost_chart, delay_chart, memory_chart
from hookflash_local.bench.report_tables import tables

from .test_report import run

SVG = "{http://www.w3.org/2000/svg}"


def report() -> Report:
    machine = Machine(processor="some", cores=2, kernel="6", python="3.11")
    rows = []
    for load, cost in (("steady", 2.0), ("bursts", 4.0)):
        for calls in (10, 50, 150):
            in_c, minimal, ours = (
                run("C relay", 1.6),
                run("minimal relay", 1.8),
                run("hookflash", cost, p50=0.15),
            )
            found = [in_c, minimal, ours]
            if calls != 10:
                found.append(run("hookflash, TLS", 3.3))
            for each in found:
                row = Row.of([each], [in_c], [minimal], load=load)
                rows.append(msgspec.structs.replace(row, calls=calls))
    leak = MemoryGrowth(calls=100, seconds=9, curve=((50, 80.0), (100, 81.5)), growth_kb=12)
    watched = [
        ConsoleCost(pages=pages, calls=200, cpu_ms=3.0, cpu_share=share, p99=1.5, messages=9.5)
        for pages, share in ((None, 0.60), (2, 0.62))
    ]
    return Report(
        machine=machine, seconds=5, rows=rows, leak=leak, watched=watched, notes=["A note."]
    )


def texts(picture: str) -> list[str]:
    return [each.text or "" for each in ElementTree.fromstring(picture).iter(f"{SVG}text")]


def test_the_cost_has_a_curve_for_each_relay_and_bars_where_more_were_compared() -> None:
    picture = cost_chart(report())
    root = ElementTree.fromstring(picture)
    lines = [path for path in root.iter(f"{SVG}path") if "line" in path.get("class", "")]
    assert len(lines) == 2 * 3
    bars = [bar for bar in root.iter(f"{SVG}rect") if bar.get("height") == "20"]
    assert len(bars) == 2 * 2 * 4
    assert "Load bursts, 50 calls at once" in texts(picture)
    assert "2.00 ms, x 1.25" in texts(picture)


def test_delay_and_memory_are_drawn() -> None:
    picture = texts(delay_chart(report()))
    for load in ("steady", "bursts"):
        assert f"Load {load}: delay of a piece of sound in ms, median" in picture
    assert picture.count("minimal relay") == 4
    leak = report().leak
    assert leak is not None
    assert "Megabytes while 100 calls come and go" in texts(memory_chart(leak))


def test_a_report_without_rows_draws_an_empty_picture() -> None:
    assert texts(cost_chart(Report(machine=report().machine, seconds=1))) == []


def test_the_tables_hold_the_numbers_and_the_verdict() -> None:
    from rich.console import Console

    console = Console(width=100, record=True, quiet=True)
    with console.capture() as captured:
        for part in tables(report()):
            console.print(part)
    assert captured.get() == ""
    loud = Console(width=100)
    with loud.capture() as captured:
        for part in tables(report()):
            loud.print(part)
    printed = captured.get()
    assert "hookflash, TLS" in printed
    assert "steady, 50 calls: 1.25 times the C relay, within target 2" in printed
    assert "steady, 50 calls: 1.11 times the minimal relay, within target 1.5" in printed
    assert "bursts, 150 calls: 2.50 times the C relay, over target 2" in printed
    assert "bursts, 150 calls: 2.22 times the minimal relay, over target 1.5" in printed
    assert "median delay +0.05 ms from the minimal relay's, within target 0.1" in printed
    assert "+2.0%" in printed
    assert "A note." in printed
