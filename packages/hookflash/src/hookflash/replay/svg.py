"""The few SVG elements that a picture of a call is made of, and texts that fit. No I/O."""

from __future__ import annotations

import re
from html import escape

CHARACTER = 5.7
"""Pixels a character takes at 11 px, on the wide side."""

STYLE = """
svg{--paper:#fdfcf9;--ink:#22262b;--soft:#6d7680;--rule:#dcd8cc;--lane:#f4f2eb;--caller:#2c7a7b;
--agent:#5b4bb7;--human:#b45309;--cut:#a3a7ad;--alarm:#c53030;--ring:#cf9a3f;
font:11px system-ui,-apple-system,"Segoe UI","DejaVu Sans",sans-serif}
@media (prefers-color-scheme:dark){svg{--paper:#16181c;--ink:#e8e6e1;--soft:#98a1ab;--rule:#363b43;
--lane:#1d2025;--caller:#4fd1c5;--agent:#a99bff;--human:#f6ad55;--cut:#6b727b;--alarm:#fc8181;
--ring:#8d6a33}}
text{fill:var(--ink)}.soft{fill:var(--soft)}.title{font-size:19px;font-weight:650}
.fact{font-size:12px}.name{font-weight:600}.paper{fill:var(--paper)}.lane{fill:var(--lane)}
.caller{fill:var(--caller)}.agent{fill:var(--agent)}.human{fill:var(--human)}
.shade{opacity:.16}.bar{opacity:.85}.cut{fill:url(#hatch);opacity:.75}
.unheard{fill:var(--cut);text-decoration:line-through}.rule{stroke:var(--rule)}
.barge{stroke:var(--alarm);stroke-width:1.5;stroke-dasharray:3 2}
.alarm{fill:var(--alarm);font-weight:600}.wait{stroke:var(--ink);fill:none}
.ringing{fill:var(--ring);opacity:.5}.tool{fill:none;stroke:var(--soft)}
.failed{stroke:var(--alarm)}.stage{fill:var(--soft)}.stage-talking{fill:var(--agent)}
.stage-farewell{fill:var(--alarm)}.stage-moving,.stage-ringing,.stage-screening{fill:var(--ring)}
.stage-with-human{fill:var(--human)}.stage-returning{fill:var(--caller)}
.on{fill:var(--paper);font-weight:600;font-size:10px}
"""

HATCH = (
    '<defs><pattern id="hatch" width="5" height="5" patternUnits="userSpaceOnUse"'
    ' patternTransform="rotate(45)"><rect width="2" height="5" fill="var(--cut)"/>'
    "</pattern></defs>\n"
)


def text(x: float, y: float, words: str, kind: str = "") -> str:
    style = f' class="{kind}"' if kind else ""
    return f'<text{style} x="{x:.1f}" y="{y:.1f}">{escape(words)}</text>'


def rect(x: float, y: float, width: float, height: float, kind: str, radius: float = 4) -> str:
    return (
        f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}"'
        f' height="{height:.1f}" rx="{radius:g}"/>'
    )


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def path(steps: str, kind: str) -> str:
    return f'<path class="{kind}" d="{steps}"/>'


def told(tooltip: str, *parts: str) -> str:
    """Group `parts` under a tooltip."""
    return f"<g><title>{escape(tooltip)}</title>{''.join(parts)}</g>\n"


def wrapped(words: str, width: float) -> list[str]:
    """Break text into lines of about `width` pixels; at least one word a line."""
    lines: list[str] = []
    for word in re.findall(r"\S+", words):
        if lines and (len(lines[-1]) + 1 + len(word)) * CHARACTER <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def shortened(words: str, length: int) -> str:
    """Cut `words` to `length` characters, the last of them an ellipsis if anything is missing."""
    return words if len(words) <= length else f"{words[: max(0, length - 1)]}…"


def clock(seconds: float) -> str:
    """Minutes and seconds, as on a telephone's display."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
