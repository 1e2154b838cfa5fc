"""Measure the local speech: word errors and times for every recording that ships with Hookflash.

    python bench/speech.py            print the tables
    python bench/speech.py --write    also write them into docs/local-speech.md
    python bench/speech.py --tables turn "whole turns"    only these; use an idle machine

Each recording is fed to the turn detector in frames of 20 ms, as in a call. The detected turns are
transcribed and joined. Errors are counted after normalisation: case and punctuation do not count,
and numbers are compared digit by digit ("ten" is "10").
"""

from __future__ import annotations

import argparse
import asyncio
import re
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jiwer
import turns
from caller_tables import lines_table, requests_table, values_table

from hookflash_local import audio
from hookflash_local.model.components import (
    DialogueManager,
    DialogueRequest,
    Say,
    SpeechEnded,
    Turn,
)
from hookflash_local.model.speech import LocalComponents, load_components
from hookflash_local.model.speech.spoken_numbers import figures

DOCUMENT = Path(__file__).parent.parent / "docs" / "local-speech.md"
FRAME_BYTES = 160
PAUSE = b"\xff" * 8000
ALIKE = {"mister": "mr", "missus": "mrs", "okay": "ok"}
QUESTION = "tts-hours-piper-joe"
INSTRUCTIONS = "We are open Monday to Friday from nine to six, and on Saturday from ten to two."


def normalised(text: str) -> str:
    """Return `text` normalised for comparison: lower case, no punctuation, each digit a word."""
    words = re.sub(r"[^a-z0-9' ]", " ", text.lower()).split()
    spaced = " ".join(ALIKE.get(word, word) for word in words)
    for number in sorted(_numbers_in(spaced), key=len, reverse=True):
        spaced = re.sub(rf"\b{re.escape(number)}\b", " ".join("".join(figures(number))), spaced)
    return " ".join(spaced.split())


def _numbers_in(text: str) -> list[str]:
    """Return the longest runs of number words in `text`."""
    runs: list[list[str]] = [[]]
    for word in text.split():
        if figures(word) or (word == "oh" and runs[-1]):
            runs[-1].append(word)
        elif runs[-1]:
            runs.append([])
    return [" ".join(run) for run in runs if run]


def heard(components: LocalComponents, sound: bytes) -> list[str]:
    """Return the transcript of each turn in `sound` (mu-law at 8 kHz)."""
    detector = components.new_turn_detector({})
    stream = sound + PAUSE
    events = [
        event
        for start in range(0, len(stream), FRAME_BYTES)
        for event in detector.feed(stream[start : start + FRAME_BYTES])
    ]
    ended = [event for event in events if isinstance(event, SpeechEnded)]
    return [components.transcriber.transcribe(event.audio) for event in ended]


def errors(reference: str, hypothesis: str) -> tuple[int, int]:
    """Return (number of wrong words, number of words) of one hypothesis."""
    wanted, got = normalised(reference), normalised(hypothesis)
    if not got:
        return len(wanted.split()), len(wanted.split())
    found = jiwer.process_words(wanted, got)
    wrong = found.substitutions + found.deletions + found.insertions
    return wrong, len(wanted.split())


def recordings_table(components: LocalComponents) -> str:
    rows = ["| recording | said | heard | turns | wrong |", "|---|---|---|---|---|"]
    sums = {"real": [0, 0], "synthetic": [0, 0]}
    for name in audio.names():
        recording = audio.load(name)
        texts = heard(components, recording.audio)
        hypothesis = " ".join(texts)
        wrong, words = errors(recording.transcript, hypothesis)
        kind = "synthetic" if "synthetic" in recording.licence else "real"
        sums[kind][0] += wrong
        sums[kind][1] += words
        rows.append(
            f"| {name} | {recording.transcript} | {hypothesis} | {len(texts)}"
            f" | {wrong} of {words} |"
        )
    rows.append("")
    for kind, (wrong, words) in sums.items():
        rows.append(f"* {kind} voices: {wrong} of {words} words wrong, WER {wrong / words:.1%}")
    return "\n".join(rows)


async def _first_sentence(manager: DialogueManager, request: DialogueRequest) -> str:
    async for each in manager.answer(request):
        if isinstance(each, Say):
            return each.text
    return ""


def turn_table(components: LocalComponents, rounds: int) -> str:
    """Measure a turn from the turn detector's decision to the first audio of the answer."""
    detector = components.new_turn_detector({})
    sound = audio.load(QUESTION).audio + PAUSE
    ended = next(event for event in detector.feed(sound) if isinstance(event, SpeechEnded))
    columns: dict[str, list[float]] = {
        "speech-to-text": [],
        "dialogue manager": [],
        "first audio": [],
    }
    for _ in range(rounds):
        begun = time.perf_counter()
        text = components.transcriber.transcribe(ended.audio)
        transcribed = time.perf_counter()
        request = DialogueRequest(INSTRUCTIONS, [Turn("user", text)])
        answer = asyncio.run(_first_sentence(components.dialogue_manager, request))
        thought = time.perf_counter()
        next(iter(components.voice.speak(answer)))
        spoken = time.perf_counter()
        for column, seconds in zip(
            columns.values(),
            (transcribed - begun, thought - transcribed, spoken - thought),
            strict=True,
        ):
            column.append(seconds)
    columns["total, after the turn's end was detected"] = [
        sum(each) for each in zip(*columns.values(), strict=True)
    ]
    rows = ["| step | median, ms | 95th percentile, ms |", "|---|---|---|"]
    for name, seconds in columns.items():
        ordered = sorted(seconds)
        late = ordered[int(len(ordered) * 0.95)]
        rows.append(f"| {name} | {statistics.median(ordered) * 1000:.0f} | {late * 1000:.0f} |")
    return "\n".join(rows)


def pauses_table(components: LocalComponents) -> str:
    """Count the turns in all recordings for each `silence_duration_ms`."""
    rows = ["| silence_duration_ms | turns | more than recordings |", "|---|---|---|"]
    names = audio.names()
    for silence_ms in (300, 500, 700, 1000):
        turns = 0
        for name in names:
            detector = components.new_turn_detector({"silence_duration_ms": silence_ms})
            events: list[Any] = detector.feed(audio.load(name).audio + PAUSE + PAUSE)
            turns += sum(isinstance(event, SpeechEnded) for event in events)
        rows.append(f"| {silence_ms} | {turns} | {turns - len(names)} |")
    return "\n".join(rows)


def write(document: Path, name: str, table: str) -> None:
    """Write `table` between its two markers in `document`."""
    text = document.read_text(encoding="utf-8")
    pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end of {name} -->)", re.DOTALL)
    changed, count = pattern.subn(lambda match: f"{match[1]}{table}\n{match[2]}", text)
    if count != 1:
        raise SystemExit(f"{document}: expected one pair of markers called {name}, found {count}")
    document.write_text(changed, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the local speech.")
    parser.add_argument("--write", action="store_true", help="write the tables into the docs")
    parser.add_argument(
        "--tables", nargs="*", help="only these tables, by the names of their markers"
    )
    parser.add_argument("--rounds", type=int, default=20, help="number of timed turns")
    chosen = parser.parse_args()
    begun = time.perf_counter()
    components = load_components(lambda what, done: print(f"{done:4.0%} {what}", file=sys.stderr))
    print(f"loaded in {time.perf_counter() - begun:.1f} s", file=sys.stderr)

    def hear(sound: bytes) -> str:
        return " ".join(heard(components, sound))

    tables: dict[str, Callable[[], str]] = {
        "recordings": lambda: recordings_table(components),
        "lines": lambda: lines_table(hear, errors),
        "requests": lambda: requests_table(hear),
        "values": lambda: values_table(hear),
        "turn": lambda: turn_table(components, chosen.rounds),
        "whole turns": lambda: turns.table(asyncio.run(turns.stand_in(chosen.rounds))),
        "pauses": lambda: pauses_table(components),
    }
    for name in chosen.tables or tables:
        table = tables[name]()
        print(f"{table}\n")
        if chosen.write:
            write(DOCUMENT, name, table)


if __name__ == "__main__":
    main()
