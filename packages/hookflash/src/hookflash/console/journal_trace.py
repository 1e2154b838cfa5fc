"""Read a call's trace from its journal, for an ended call or one that another process had.

Most lines of a journal are about audio, which a trace does not contain: they are skipped unread.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from hookflash.console.trace import Trace
from hookflash.core.commands import ClearAudio
from hookflash.core.events import CallerSpeechStarted, CallRecovered
from hookflash.runtime.journal_lines import JournalLine

_SOUND = tuple(
    f'"type":"{name}"'.encode()
    for name in ("ModelAudio", "PlayAudio", "SendMark", "MarkReturned", "AgentTranscribed")
)
_SOUND_WITHIN = 64
"""The type of a line is within its first bytes: `{"at":1790000000.123456,"event":{"type":"...`."""


_OLD_OUTCOME, _OUTCOME = b'"outcome":"canceled"', b'"outcome":"cancelled"'
"""Journals up to version 4 have Twilio's spelling. Quotes within JSON text are escaped, so nothing
that was said can match."""


def read_trace(journal: Iterable[bytes], *, until_recovered: bool = False) -> Trace:
    """Return the trace in the lines of a journal; with `until_recovered`, only the part before the
    last recovery.

    Lines that cannot be read (cut short by a crash, or of a newer version) are skipped. Raises what
    reading the lines raises.
    """
    decoder = msgspec.json.Decoder(JournalLine)
    trace, before, barged = Trace(), Trace(), False
    for text in journal:
        if any(sound in text[:_SOUND_WITHIN] for sound in _SOUND):
            continue
        try:
            line = decoder.decode(text.replace(_OLD_OUTCOME, _OUTCOME))
        except msgspec.DecodeError:
            continue
        if line.event is not None:
            if until_recovered and type(line.event) is CallRecovered:
                trace.prepend(before)
                trace, before = Trace(), trace
            trace.add_event(line.event, line.at)
            barged = type(line.event) is CallerSpeechStarted
        elif line.command is not None:
            trace.add_command(line.command, line.at)
            if barged and type(line.command) is ClearAudio:
                trace.barge_ins.append(line.at)
        elif line.state is not None:
            trace.enter_stage(line.state.phase, line.state.handoff, line.at)
    return before if until_recovered else trace
