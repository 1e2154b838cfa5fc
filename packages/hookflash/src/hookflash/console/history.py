"""A call's trace, read from its journal: of a call that is over, or that another process had.

Most lines of a journal are of sound, which a trace does not know: they are passed over unread.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from hookflash.console.trace import Trace
from hookflash.core.commands import ClearAudio
from hookflash.core.events import CallerSpeechStarted, CallRecovered
from hookflash.runtime.journal_lines import Line

_SOUND = tuple(
    f'"type":"{name}"'.encode()
    for name in ("ModelAudio", "PlayAudio", "SendMark", "MarkReturned", "AgentTranscribed")
)
_SOUND_WITHIN = 64
"""A line says its type within its first bytes: `{"at":1790000000.123456,"event":{"type":"...`."""


def read_history(path: Path, *, until_recovered: bool = False) -> Trace:
    """Return what the journal says; `until_recovered`: only what was before the newest recovery.

    Lines that cannot be read (a crash has cut one short, a newer version wrote it) are left out.
    Raises `OSError`.
    """
    decoder = msgspec.json.Decoder(Line)
    trace, before, barged = Trace(), Trace(), False
    with path.open("rb") as file:
        for text in file:
            if any(sound in text[:_SOUND_WITHIN] for sound in _SOUND):
                continue
            try:
                line = decoder.decode(text)
            except msgspec.DecodeError:
                continue
            if line.event is not None:
                if until_recovered and type(line.event) is CallRecovered:
                    trace.goes_on(before)
                    trace, before = Trace(), trace
                trace.take(line.event, line.at)
                barged = type(line.event) is CallerSpeechStarted
            elif line.command is not None:
                trace.did(line.command, line.at)
                if barged and type(line.command) is ClearAudio:
                    trace.barge_ins.append(line.at)
            elif line.state is not None:
                trace.enter(line.state.phase, line.state.handoff, line.at)
    return before if until_recovered else trace
