"""SVG elements and styles for drawings of calls, and text fitted to a width. No I/O."""

from __future__ import annotations

import re
from html import escape

CHARACTER = 5.7
"""Width of a character at 11 px, in pixels. An upper estimate."""

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
    """Return a text element at (`x`, `y`) in pixels; `kind` is its CSS class."""
    style = f' class="{kind}"' if kind else ""
    return f'<text{style} x="{x:.1f}" y="{y:.1f}">{escape(words)}</text>'


def rect(x: float, y: float, width: float, height: float, kind: str, radius: float = 4) -> str:
    """Return a rectangle with rounded corners, all lengths in pixels; `kind` is its CSS class."""
    return (
        f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}"'
        f' height="{height:.1f}" rx="{radius:g}"/>'
    )


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    """Return a line, in pixels; `kind` is its CSS class."""
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def path(steps: str, kind: str) -> str:
    """Return a path with the data `steps`; `kind` is its CSS class."""
    return f'<path class="{kind}" d="{steps}"/>'


def with_tooltip(tooltip: str, *parts: str) -> str:
    """Return `parts` as a group with a tooltip."""
    return f"<g><title>{escape(tooltip)}</title>{''.join(parts)}</g>\n"


def wrap_text(words: str, width: float) -> list[str]:
    """Break text into lines of about `width` pixels, with at least one word per line."""
    lines: list[str] = []
    for word in re.findall(r"\S+", words):
        if lines and (len(lines[-1]) + 1 + len(word)) * CHARACTER <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def shorten(words: str, length: int) -> str:
    """Cut `words` to `length` characters. If anything was cut, the last one is an ellipsis."""
    return words if len(words) <= length else f"{words[: max(0, length - 1)]}…"


def clock(seconds: float) -> str:
    """Return `seconds` as minutes and seconds, such as `1:05`."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
