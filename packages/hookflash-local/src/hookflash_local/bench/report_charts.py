"""Draw a report as bar and line charts for the docs, as SVG for light and dark mode. No I/O."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from hookflash_local.bench.report import HOOKFLASH, MINIMAL, REFERENCE, MemoryGrowth, Report, Row

_STYLE = """
svg{--paper:#fdfcf9;--ink:#22262b;--soft:#6d7680;--rule:#dcd8cc;--a:#a3a7ad;--b:#5b4bb7;
--c:#2c7a7b;--d:#c2741f;font:12px system-ui,-apple-system,"Segoe UI","DejaVu Sans",sans-serif}
@media (prefers-color-scheme:dark){svg{--paper:#16181c;--ink:#e8e6e1;--soft:#98a1ab;
--rule:#363b43;--a:#6b727b;--b:#a99bff;--c:#4fd1c5;--d:#e8a552}}
text{fill:var(--ink)}.soft{fill:var(--soft)}.title{font-size:15px;font-weight:650}
.end{text-anchor:end}.middle{text-anchor:middle}.paper{fill:var(--paper)}
.rule{stroke:var(--rule)}.a{fill:var(--a)}.b{fill:var(--b)}.c{fill:var(--c)}.d{fill:var(--d)}
.line{fill:none;stroke-width:2}.line.a{stroke:var(--a)}.line.b{stroke:var(--b)}
.line.c{stroke:var(--c)}.line.d{stroke:var(--d)}.line.a,.line.b,.line.c,.line.d{fill:none}
"""
_WIDTH = 860.0
_LEFT, _RIGHT, _TOP = 60.0, 20.0, 46.0
_BAR = 30.0
_PANEL = 300.0

KINDS = {REFERENCE: "a", MINIMAL: "d", HOOKFLASH: "b"}
"""Relay -> CSS class of its lines and bars."""

Series = tuple[str, str, Sequence[tuple[float, float]]]
"""Name, CSS class and (x, y) points of one line."""


def cost_chart(report: Report) -> str:
    """Draw CPU per second of a call: for each load lines over the calls, and bars per relay."""
    height = 0.0
    parts: list[str] = []
    for load in report.loads:
        found = [row for row in report.rows if row.load == load]
        series: list[Series] = [
            (relay, kind, [(float(row.calls), row.cpu_ms) for row in found if row.relay == relay])
            for relay, kind in KINDS.items()
        ]
        title = f"Load {load}: CPU milliseconds for a second of a call, by calls at once"
        parts.append(_moved(height, curves(title, series, _PANEL, True)))
        height += _PANEL
        for calls in sorted({row.calls for row in found if row.relay not in KINDS}):
            rows = [row for row in found if row.calls == calls]
            bars_ = [
                (row.relay, row.cpu_ms, _cost_label(row.cpu_ms, row.times), _kind(row.relay))
                for row in rows
            ]
            parts.append(_moved(height, bars(f"Load {load}, {calls} calls at once", bars_)))
            height += _TOP + _BAR * len(rows) + 14
    return _svg(height or _PANEL, parts)


def delay_chart(report: Report) -> str:
    """Draw the delay of audio for each load, in ms: median and p99 of the slower direction."""
    height = 0.0
    parts: list[str] = []
    for load in report.loads:
        for name, figure in (("median", _median_ms), ("99th percentile", _p99_ms)):
            series: list[Series] = [
                (
                    relay,
                    kind,
                    [
                        (float(row.calls), figure(row))
                        for row in report.rows
                        if (row.load, row.relay) == (load, relay)
                    ],
                )
                for relay, kind in KINDS.items()
            ]
            title = f"Load {load}: delay of a piece of sound in ms, {name}"
            parts.append(_moved(height, curves(title, series, _PANEL, True)))
            height += _PANEL
    return _svg(height or _PANEL, parts)


def _median_ms(row: Row) -> float:
    return max(row.up.p50, row.down.p50)


def _p99_ms(row: Row) -> float:
    return max(row.up.p99, row.down.p99)


def memory_chart(leak: MemoryGrowth) -> str:
    """Draw the relay's memory in MB while calls start and end."""
    points = [(float(calls), megabytes) for calls, megabytes in leak.curve]
    title = f"Megabytes while {leak.calls} calls come and go"
    return _svg(240, [curves(title, [("hookflash serve", "b", points)], 240, False)])


def curves(title: str, series: Sequence[Series], height: float, logarithmic: bool) -> str:
    """Draw lines over common axes, `height` in pixels. `logarithmic` applies to the x axis."""
    points = [point for _, _, each in series for point in each]
    if not points:
        return ""
    top = _ceiling(max(y for _, y in points))
    first, last = min(x for x, _ in points), max(x for x, _ in points)
    floor, right = height - 34, _WIDTH - _RIGHT

    def across(x: float) -> float:
        if last <= first:
            return (_LEFT + right) / 2
        share = (x - first) / (last - first)
        if logarithmic:
            share = math.log(x / first) / math.log(last / first)
        return _LEFT + share * (right - _LEFT)

    def up(y: float) -> float:
        return floor - y / top * (floor - _TOP)

    parts = [_text(14, 22, title, "title")]
    for step in range(5):
        value = top * step / 4
        parts.append(f'<path class="rule" d="M{_LEFT} {up(value):.1f}H{right}"/>')
        parts.append(_text(_LEFT - 8, up(value) + 4, f"{value:g}", "soft end"))
    marks = sorted({x for x, _ in points})
    for x in marks if len(marks) <= 10 else (marks[0], marks[len(marks) // 2], marks[-1]):
        parts.append(_text(across(x), floor + 18, f"{x:g}", "soft middle"))
    legend = right - sum(_legend_width(name) for name, _, _ in series)
    for name, kind, each in series:
        steps = "L".join(f"{across(x):.1f} {up(y):.1f}" for x, y in each)
        if steps:
            parts.append(f'<path class="line {kind}" d="M{steps}"/>')
        if len(each) <= 10:
            parts += [
                f'<circle class="{kind}" cx="{across(x):.1f}" cy="{up(y):.1f}" r="3.5">'
                f"<title>{escape(name)}: {y:.3g} ({x:g})</title></circle>"
                for x, y in each
            ]
        parts.append(f'<rect class="{kind}" x="{legend:.0f}" y="16" width="14" height="4"/>')
        parts.append(_text(legend + 20, 22, name, "soft"))
        legend += _legend_width(name)
    return "".join(parts)


def bars(title: str, values: Sequence[tuple[str, float, str, str]]) -> str:
    """Draw one horizontal bar per (name, value, label, CSS class)."""
    left = 210.0
    scale = (_WIDTH - left - 190) / max(1e-9, *(value for _, value, _, _ in values))
    parts = [_text(14, 30, title, "title")]
    for number, (name, value, label, kind) in enumerate(values):
        y = _TOP + number * _BAR
        parts.append(_text(left - 10, y + 15, name, "end"))
        parts.append(
            f'<rect class="{kind}" x="{left:g}" y="{y:g}" width="{value * scale:.1f}" height="20"'
            ' rx="3"/>'
        )
        parts.append(_text(left + value * scale + 8, y + 15, label, "soft"))
    return "".join(parts)


def _legend_width(name: str) -> float:
    return 36 + 6.4 * len(name)


def _cost_label(value: float, times: float | None) -> str:
    return f"{value:.2f} ms" + ("" if times is None else f", x {times:.2f}")


def _kind(relay: str) -> str:
    """Return the class of a relay; variants of Hookflash, such as with TLS, have their own."""
    if relay not in KINDS and relay.startswith(HOOKFLASH):
        return "c"
    return next(kind for name, kind in KINDS.items() if relay.startswith(name))


def _ceiling(value: float) -> float:
    """Return a round number of at least `value` that divides well by four."""
    size = 10.0 ** math.floor(math.log10(max(value, 1e-3)))
    return next(step * size for step in (1, 2, 4, 6, 8, 10) if step * size >= value)


def _text(x: float, y: float, words: str, kind: str) -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}">{escape(words)}</text>'


def _moved(down: float, part: str) -> str:
    return f'<g transform="translate(0 {down:g})">{part}</g>'


def _svg(height: float, parts: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH:g} {height:g}">\n'
        f"<style>{_STYLE}</style>\n"
        f'<rect class="paper" width="{_WIDTH:g}" height="{height:g}"/>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )
