"""Read an ended call's answers from its journal: when each was wanted, generated and heard.

A turn is a response of the model that made sound. It has the end of the caller's speech before it,
its first text or sound, its first sound that was heard, and its tokens.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from hookflash.console.shapes import Turn
from hookflash.core.events import (
    AgentTranscribed,
    CallerSpeechStarted,
    CallerSpeechStopped,
    ModelAudio,
    PreparedAudio,
    ResponseStarted,
    TokensUsed,
)
from hookflash.core.record import Utterance
from hookflash.core.token_usage import Tokens
from hookflash.runtime.journal_lines import JournalLine

_HEARD_LIMIT_SECONDS = 20.0
"""Speech that begins later than this after a response's first sound is not its own."""

_KINDS = tuple(
    f'"type":"{kind.__name__}"'.encode()
    for kind in (
        AgentTranscribed,
        CallerSpeechStarted,
        CallerSpeechStopped,
        ModelAudio,
        PreparedAudio,
        ResponseStarted,
        TokensUsed,
    )
)
_SOUND = b'"sound":'
_TYPE_WITHIN = 64


class _Answer(msgspec.Struct):
    stopped_at: float | None
    generated_at: float | None = None
    tokens: Tokens = Tokens()
    sounds: bool = False


def read_turns(
    journal: Iterable[bytes], utterances: Sequence[Utterance], arrived_at: float
) -> tuple[Turn, ...]:
    """Return the answers in the lines of a journal; `utterances` are the record's.

    Lines that cannot be read are skipped.
    """
    answers = _answers(_lines(journal))
    spoken = [said for said in utterances if said.speaker == "agent" and said.text]
    turns: list[Turn] = []
    place = 0
    for answer in answers:
        if not answer.sounds or answer.generated_at is None:
            continue
        generated = answer.generated_at - arrived_at
        heard: float | None = None
        while place < len(spoken):
            began = spoken[place].started_at
            if began < generated - 0.05:
                place += 1
                continue
            if began - generated <= _HEARD_LIMIT_SECONDS:
                heard = began
                place += 1
            break
        tokens = answer.tokens
        turns.append(
            Turn(
                id=str(len(turns)),
                stopped_at=_since(arrived_at, answer.stopped_at),
                generated_at=round(generated, 3),
                heard_at=heard,
                tokens_read=tokens.text_read
                + tokens.text_cached
                + tokens.sound_read
                + tokens.sound_cached,
                tokens_written=tokens.text_written + tokens.sound_written,
            )
        )
    return tuple(turns)


def _answers(lines: Iterator[JournalLine]) -> list[_Answer]:
    answers: list[_Answer] = []
    stopped: float | None = None
    for line in lines:
        event = line.event
        current = answers[-1] if answers else None
        if line.sound is not None:
            if current is not None and line.sound.pieces:
                current.sounds = True
                current.generated_at = current.generated_at or line.sound.pieces[0][0]
            continue
        match event:
            case CallerSpeechStarted():
                stopped = None
            case CallerSpeechStopped():
                stopped = line.at
            case ResponseStarted():
                answer = _Answer(stopped_at=stopped)
                if current is not None and not current.sounds and stopped is None:
                    # It only called a tool: this one answers the caller.
                    answer = _Answer(stopped_at=current.stopped_at, tokens=current.tokens)
                answers.append(answer)
                stopped = None
            case AgentTranscribed() if current is not None:
                current.generated_at = current.generated_at or line.at
            case ModelAudio() | PreparedAudio() if current is not None:
                current.sounds = True
                current.generated_at = current.generated_at or line.at
            case TokensUsed() if current is not None:
                current.tokens = current.tokens + event.tokens
    return answers


def _lines(journal: Iterable[bytes]) -> Iterator[JournalLine]:
    decoder = msgspec.json.Decoder(JournalLine)
    for text in journal:
        begin = text[:_TYPE_WITHIN]
        if _SOUND not in begin and not any(kind in begin for kind in _KINDS):
            continue
        try:
            yield decoder.decode(text)
        except msgspec.DecodeError:
            continue


def _since(arrived_at: float, moment: float | None) -> float | None:
    return None if moment is None else round(moment - arrived_at, 3)
