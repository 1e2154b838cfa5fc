"""Write a call as one HTML file: timeline, transcript and audio, in step. Opens without a server.

The file loads nothing from elsewhere: its policy allows only its own script, by its hash. All text
of a call is escaped.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from html import escape
from pathlib import Path

from hookflash.errors import ConfigError
from hookflash.replay.journal_json import parse_lines
from hookflash.replay.picture import LANES_LEFT, PIXELS_PER_SECOND, ROW_SECONDS, draw
from hookflash.replay.sound import Tracks
from hookflash.replay.svg import clock
from hookflash.replay.timeline import Timeline, read_timeline
from hookflash.replay.transcript import entries

HEADER_BYTES = 58
"""The header of a recording, as `runtime/wav.py` writes it."""

_ASSETS = Path(__file__).parent


def page_of_journal(journal: bytes, recording: bytes | None = None) -> str:
    """Return the page of a call from its journal, and its stereo recording if there is one.

    Both are the contents of the files. Raises `ConfigError` if the journal has no record, because
    the call has not ended.
    """
    timeline = read_timeline(parse_lines(journal.decode(errors="replace")))
    if timeline.record is None:
        raise ConfigError("the journal has no record: expected a call that has ended")
    if recording is None:
        return page(timeline, None)
    sound = recording[HEADER_BYTES:]
    starts_at = timeline.record.recorded_from or 0.0
    return page(timeline, Tracks(said=sound[0::2], heard=sound[1::2], starts_at=starts_at))


def page(timeline: Timeline, tracks: Tracks | None) -> str:
    """Return the page of a call."""
    return "".join(_parts(timeline, tracks))


def _parts(timeline: Timeline, tracks: Tracks | None) -> Iterator[str]:
    script = (_ASSETS / "page.js").read_text(encoding="utf-8")
    style = (_ASSETS / "page.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline';"
        " media-src data: blob:; base-uri 'none'; form-action 'none'"
    )
    title = f"{timeline.agent}: {timeline.disposition.replace('_', ' ') or 'not finished'}"
    yield (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(policy)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n<main>\n"
    )
    yield f"<h1>{escape(title)}</h1>\n"
    summary = timeline.record.summary if timeline.record is not None else ""
    if summary:
        yield f'<p class="summary">{escape(summary)}</p>\n'
    yield from _audio(tracks)
    yield '<section aria-label="Transcript"><h2>Transcript</h2>\n<ol class="turns">\n'
    for start, end, who, said, cut in entries(timeline):
        unheard = f' <s title="never heard">{escape(cut)}</s>' if cut else ""
        speaker = f'<b class="{escape(who)}">{escape(who)}</b> ' if who else ""
        kind = escape(who) or "step"
        yield (
            f'<li data-start="{start:.3f}" data-end="{end:.3f}" data-kind="{kind}">'
            f'<button type="button">{clock(start)}</button>'
            f"<p>{speaker}{escape(said)}{unheard}</p></li>\n"
        )
    yield "</ol></section>\n"
    yield (
        '<section aria-label="Timeline"><h2>Timeline</h2>\n'
        f'<div class="timeline" tabindex="0" role="group" aria-label="Drawn call"'
        f' data-row="{ROW_SECONDS:g}" data-left="{LANES_LEFT:g}"'
        f' data-scale="{PIXELS_PER_SECOND:g}">\n'
    )
    yield draw(timeline, tracks)
    yield f"</div></section>\n</main>\n<script>{script}</script>\n</body>\n</html>\n"


def _audio(tracks: Tracks | None) -> Iterator[str]:
    if tracks is None:
        yield '<p class="soft">This call was not recorded.</p>\n'
        return
    sound = _wav(tracks)
    yield (
        f'<audio controls preload="auto" data-starts-at="{tracks.starts_at:.3f}"'
        ' aria-label="Recording: the caller on the left, what they heard on the right"'
        f' src="data:audio/wav;base64,{base64.b64encode(sound).decode()}"></audio>\n'
        '<p class="soft">Space plays and pauses, the arrow keys skip five seconds.</p>\n'
    )


def _wav(tracks: Tracks) -> bytes:
    """Return the tracks as a stereo WAV of mu-law (RFC 2361), the shorter padded with silence."""
    size = max(len(tracks.said), len(tracks.heard))
    both = bytearray(2 * size)
    both[0::2] = tracks.said.ljust(size, b"\xff")
    both[1::2] = tracks.heard.ljust(size, b"\xff")
    parts = (
        (
            b"fmt ",
            b"\x07\x00\x02\x00"
            + (8000).to_bytes(4, "little")
            + (16_000).to_bytes(4, "little")
            + b"\x02\x00\x08\x00\x00\x00",
        ),
        (b"fact", size.to_bytes(4, "little")),
        (b"data", bytes(both)),
    )
    body = b"".join(name + len(data).to_bytes(4, "little") + data for name, data in parts)
    return b"RIFF" + (4 + len(body)).to_bytes(4, "little") + b"WAVE" + body
