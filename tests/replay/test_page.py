"""One HTML file of a call: it opens alone, loads nothing, and takes nothing said for markup."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Any

import msgspec
import pytest

from hookflash.core import commands as c
from hookflash.errors import ConfigError
from hookflash.replay.page import page, page_of_journal
from hookflash.replay.sound import Tracks
from hookflash.replay.timeline import read_timeline
from hookflash.runtime.wav import header


def test_the_page_has_the_words_the_drawing_and_the_sound(whole_call: Any, record: Any) -> None:
    whole_call.command(31.2, c.StoreRecord(record))
    html = page(read_timeline(whole_call.lines), Tracks(said=b"\x10" * 80, heard=b"\xff" * 40))
    assert "A human &amp; please &lt;now&gt;" in html
    assert "<now>" not in html
    assert "<svg " in html
    (sound,) = re.findall(r'src="data:audio/wav;base64,([^"]+)"', html)
    wav = base64.b64decode(sound)
    assert wav[:4] == b"RIFF" and len(wav) == 58 + 160
    assert wav[58:60] == b"\x10\xff"
    (script,) = re.findall(r"<script>(.*?)</script>", html, re.S)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src &#x27;sha256-{digest}&#x27;" in html
    assert not re.findall(r"(?:src|href)=\"https?:", html)


def test_a_journal_and_its_recording_become_a_page(whole_call: Any, record: Any) -> None:
    def journal() -> bytes:
        return b"\n".join(map(msgspec.json.encode, whole_call.lines))

    with pytest.raises(ConfigError, match="has no record"):
        page_of_journal(journal())
    whole_call.command(31.2, c.StoreRecord(record))
    assert "This call was not recorded." in page_of_journal(journal())
    assert "data:audio/wav;base64," in page_of_journal(journal(), header(800) + b"\x10\xff" * 800)
