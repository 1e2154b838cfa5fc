"""The answers of a call are read from its journal."""

from __future__ import annotations

import msgspec

from hookflash.console.journal_turns import read_turns
from hookflash.core import events as e
from hookflash.core.record import Utterance
from hookflash.core.token_usage import Tokens
from hookflash.runtime.journal_lines import JournalLine, Sound

AT = 1000.0


def written(*lines: JournalLine | bytes) -> list[bytes]:
    return [line if isinstance(line, bytes) else msgspec.json.encode(line) for line in lines]


def said(start: float) -> Utterance:
    return Utterance(speaker="agent", text="Yes.", started_at=start, ended_at=start + 1)


def test_an_answer_is_timed_from_the_end_of_speech_over_its_first_token_to_its_sound() -> None:
    journal = written(
        JournalLine(AT + 0.5, e.ResponseStarted("r0")),
        JournalLine(AT + 0.6, sound=Sound("r0", "i0", [(AT + 0.6, 800, "m")])),
        JournalLine(AT + 3.0, e.CallerSpeechStarted("u1")),
        JournalLine(AT + 5.0, e.CallerSpeechStopped("u1")),
        # Only a tool is called: the caller still waits for what follows.
        JournalLine(AT + 5.2, e.ResponseStarted("r1")),
        JournalLine(AT + 5.3, e.TokensUsed(Tokens(text_read=10, text_written=2))),
        JournalLine(AT + 5.5, e.ResponseStarted("r2")),
        JournalLine(AT + 5.6, e.AgentTranscribed("i2", "Yes.")),
        JournalLine(AT + 5.7, e.ModelAudio("r2", "i2", "", 800)),
        JournalLine(AT + 6.0, e.TokensUsed(Tokens(sound_read=30, sound_written=40))),
        b'{"at":1006.1,"event":{"type":"ResponseStarted","response',
        JournalLine(AT + 9.0, e.ResponseStarted("r3")),
        JournalLine(AT + 9.1, e.ModelAudio("r3", "i3", "", 800)),
    )
    greeting, answer, unheard = read_turns(journal, (said(0.7), said(5.9)), AT)
    assert (greeting.stopped_at, greeting.generated_at, greeting.heard_at) == (None, 0.6, 0.7)
    assert (answer.stopped_at, answer.generated_at, answer.heard_at) == (5.0, 5.6, 5.9)
    assert (answer.tokens_read, answer.tokens_written) == (40, 42)
    assert (unheard.stopped_at, unheard.heard_at) == (None, None)
