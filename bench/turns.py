"""Measure how long a caller waits in whole turns with the stand-in model's process, in real time.

    python bench/turns.py                    measure the stand-in model
    python bench/turns.py --url ws://...     measure another Realtime server

An answer's time is from the caller's last loud frame to the first audio of the answer, with the
silence that ends a turn. An interruption's time is from its first loud frame to the cancellation.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
from collections.abc import Sequence

from live_call import LiveCall, call

from hookflash_local import audio
from hookflash_local.model.process import ModelProcess

INSTRUCTIONS = (
    "You are the receptionist of Harbour Bikes.\n"
    "- We are open Monday to Friday from nine to six, and on Saturday from ten to two.\n"
    "- To cancel a subscription, write to us by the end of the month, with your name, your address"
    " and the number of your subscription, and we send you a confirmation within a week.\n"
)
LONG = "tts-cancel-piper-joe"
QUESTIONS = ("tts-hours-piper-joe", LONG, "tts-hours-flite-slt", "tts-yes-piper-joe")
INTERRUPTION = "tts-interrupt-piper-joe"
_LISTENS_SECONDS = 0.8


async def answer_seconds(line: LiveCall, name: str) -> float:
    """Ask, and return the time to the answer's first audio, in seconds."""
    _, ended = await line.play(audio.load(name).audio)
    at, _ = await line.until("response.output_audio.delta", ended)
    await line.until("response.done", at)
    return at - ended


async def interruption_seconds(line: LiveCall) -> float:
    """Ask, interrupt the answer, and return the time until it stopped, in seconds."""
    _, ended = await line.play(audio.load(LONG).audio)
    at, _ = await line.until("response.output_audio.delta", ended)
    await line.listen(_LISTENS_SECONDS)
    began, ended = await line.play(audio.load(INTERRUPTION).audio)
    stopped, done = await line.until("response.done", at)
    assert done["response"]["status"] == "cancelled", "the answer ended before it was interrupted"
    await line.until("response.done", stopped)
    return stopped - began


async def measure(url: str, key: str, rounds: int) -> dict[str, list[float]]:
    """Return the seconds of each turn and of each interruption."""
    found: dict[str, list[float]] = {"answer": [], "interruption": []}
    for number in range(rounds):
        async with call(url, key, instructions=INSTRUCTIONS) as line:
            found["answer"].append(await answer_seconds(line, QUESTIONS[number % len(QUESTIONS)]))
        if number % 2 == 0:
            async with call(url, key, instructions=INSTRUCTIONS) as line:
                found["interruption"].append(await interruption_seconds(line))
    return found


def table(found: dict[str, Sequence[float]]) -> str:
    """Return the results as a Markdown table, in ms."""
    named = {
        "answer": "last audio of the caller to first audio of the answer",
        "interruption": "first audio of an interruption to the end of the answer",
    }
    rows = ["| from - to | times | median, ms | 95th percentile, ms |", "|---|---|---|---|"]
    for kind, seconds in found.items():
        ordered = sorted(seconds)
        late = ordered[min(int(len(ordered) * 0.95), len(ordered) - 1)]
        middle = statistics.median(ordered)
        rows.append(f"| {named[kind]} | {len(ordered)} | {middle * 1000:.0f} | {late * 1000:.0f} |")
    return "\n".join(rows)


async def stand_in(rounds: int) -> dict[str, list[float]]:
    # At twice real time, so that the answer can still be interrupted.
    async with ModelProcess(mode="local", pace=2.0) as model:
        return await measure(model.url, "any", rounds)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure whole turns.")
    parser.add_argument("--url", help="a Realtime server; without it, the stand-in model's process")
    parser.add_argument("--key", default="any", help="its key")
    parser.add_argument("--rounds", type=int, default=20)
    chosen = parser.parse_args()
    if chosen.url:
        found = asyncio.run(measure(chosen.url, chosen.key, chosen.rounds))
    else:
        found = asyncio.run(stand_in(chosen.rounds))
    print(table(found))


if __name__ == "__main__":
    main()
