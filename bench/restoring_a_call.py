"""Measure how restoring a call of one hour affects the other calls of a process.

    python bench/restoring_a_call.py [--minutes 60] [--calls 50] [--rounds 5]

Two journals are restored while `--calls` others stream in real time, 50 frames a second each way:

spoken   an hour of talk, played through the core: every 6 s a turn of the caller (start, end,
         transcript) and an answer of 2.5 s in pieces of 50 ms, with its words, marks and timers
dense    an hour with `--entries` entries that are not audio (50 per second by default), most of
         them of tools: the worst case of a busy model

Each is restored in two ways: at once (`read_journal`, `rebuild`), and in slices, as the switchboard
does it. Work is the CPU time of the event loop between two wakes of a 1 ms timer. A stall is the
delay of that timer. The output has the longest of each, as the median of `--rounds`. It also has
the longest stall in two seconds without restoring, because other processes cause stalls too.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

from hookflash.agents.agent import Agent
from hookflash.agents.directory import Directory
from hookflash.core import events as e
from hookflash.core.call import Call
from hookflash.core.commands import AnyCommand, ConnectAgent, SendMark
from hookflash.core.phases import Phase
from hookflash.core.setup import CallSetup
from hookflash.core.token_usage import Tokens
from hookflash.runtime.clock import SystemClock
from hookflash.runtime.journal import Journals, JournalState
from hookflash.runtime.journal_replay import read_journal, rebuild
from hookflash.runtime.settled_lines import SettledLines
from hookflash.runtime.switchboard import Switchboard

TURN_SECONDS = 6.0
PIECES, PIECE_BYTES = 50, 400
WORDS = "Let me have a look at your order, it left our house on Monday and should be there.".split()
SID = "CAhour"


class Ports:
    """A carrier, a model and a store that accept everything and return nothing."""

    stream_sid = "MZ"

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *arguments, **named: None

    def open(self, setup: Any, on_event: Any) -> Ports:
        return Ports()


class RecordedCall:
    """A call that is played through the core, and its journal."""

    def __init__(self, journals: Journals, setup: CallSetup) -> None:
        self.call = Call(setup)
        self._journal = journals.begin(SID, setup)
        self._settled = SettledLines(self.call.conversation.transcript)
        self._marks: list[tuple[float, str]] = []
        self.entries = 0

    def take(self, event: e.AnyEvent, at: float) -> None:
        """Process an event at `at`, after everything that was due before."""
        self._pass(at)
        self._carry_out(at, event, self.call.receive(event, at))

    def _pass(self, at: float) -> None:
        while True:
            due = self.call.deadline
            mark = self._marks[0][0] if self._marks else at
            if due is not None and due <= min(mark, at):
                self._carry_out(due, "expired", self.call.expire(due))
            elif self._marks and mark <= at:
                moment, name = self._marks.pop(0)
                event = e.MarkReturned(name)
                self._carry_out(moment, event, self.call.receive(event, moment))
            else:
                return

    def _carry_out(self, at: float, cause: Any, commands: list[AnyCommand]) -> None:
        self.entries += 1 + len(commands)
        state = JournalState(self.call.phase.value, self.call.handoff.state.value)
        self._journal.write(at, cause, commands, state, self._settled.changes())
        for command in commands:
            if isinstance(command, SendMark):
                heard = self._marks[-1][0] if self._marks else at
                self._marks.append((max(at, heard) + 0.05, command.name))

    def end(self) -> None:
        assert self.call.phase is Phase.TALKING
        self._journal.close()


def spoken(call: RecordedCall, seconds: float) -> None:
    """Play `seconds` of talk."""
    start = time.time() - seconds
    call.take(e.CallArrived(SID, "+15550100009", "+15550100001"), start)
    call.take(e.StreamStarted("MZ1", 1), start + 0.3)
    call.take(e.ModelReady("sess"), start + 0.4)
    for turn in range(int(seconds / TURN_SECONDS)):
        at = start + 1 + turn * TURN_SECONDS
        item = f"u{turn}"
        call.take(e.CallerSpeechStarted(item), at)
        call.take(e.CallerSpeechStopped(item), at + 2)
        call.take(e.ResponseStarted(f"r{turn}"), at + 2.1)
        call.take(
            e.CallerTranscribed(item, f"I would like to know where my order {turn} is."), at + 2.2
        )
        for piece in range(PIECES):
            moment = at + 2.3 + piece * 0.02
            if piece < len(WORDS):
                call.take(e.AgentTranscribed(f"a{turn}", f"{WORDS[piece]} "), moment)
            call.take(e.ModelAudio(f"r{turn}", f"a{turn}", "A" * 8, PIECE_BYTES), moment)
        call.take(e.ModelAudioEnded(f"r{turn}", f"a{turn}"), at + 3.4)
        call.take(e.ResponseEnded(f"r{turn}", "completed"), at + 3.41)


def dense(call: RecordedCall, seconds: float, entries: int) -> None:
    """Play `seconds` of a call with `entries` journal entries that are not audio."""
    start = time.time() - seconds
    call.take(e.CallArrived(SID, "+15550100009", "+15550100001"), start)
    call.take(e.StreamStarted("MZ1", 1), start + 0.3)
    call.take(e.ModelReady("sess"), start + 0.4)
    turn = 0
    while call.entries < entries:
        at = start + 1 + call.entries * seconds / entries
        turn += 1
        item, response = f"u{turn}", f"r{turn}"
        call.take(e.CallerSpeechStarted(item), at)
        call.take(e.CallerSpeechStopped(item), at)
        call.take(e.ResponseStarted(response), at)
        call.take(e.CallerTranscribed(item, f"I would like to know where my order {turn} is."), at)
        for number in range(40):
            call_id = f"c{turn}-{number}"
            call.take(e.ToolCallRequested(call_id, "look_up", '{"order": 7}', response), at)
            call.take(e.TokensUsed(Tokens()), at)
        for number in range(40):
            call.take(e.ToolFinished(f"c{turn}-{number}", '{"status": "sent"}'), at)
        call.take(e.ResponseEnded(response, "completed"), at)


def switchboard(journals: Journals) -> Switchboard:
    ports: Any = Ports()
    return Switchboard(
        Directory.of(Agent("desk", instructions="Be kind.")),
        clock=SystemClock(),
        control=ports,
        connector=ports,
        records=ports,
        journals=journals,
        make_context=lambda agent, call, post, ask, collect: None,
    )


async def streaming(board: Switchboard, call_sid: str) -> None:
    """Run one call that streams all the time: a frame each way every 20 ms."""
    await board.arrive(e.CallArrived(call_sid, "+15550100009", "+15550100001"))
    stream: Any = Ports()
    sink = board.attach(call_sid, stream)
    assert sink is not None
    sink(e.StreamStarted(f"MZ{call_sid}", 1))
    sink(e.ModelReady("sess"))
    sink(e.ResponseStarted("r1"))
    frame, loop = "A" * 216, asyncio.get_running_loop()
    due = loop.time()
    for number in range(1_000_000):
        due += 0.02
        await asyncio.sleep(due - loop.time())
        sink(e.CallerAudio(frame, 160, number * 20))
        sink(e.ModelAudio("r1", f"i{number // 500}", frame, 160))


async def stalls(during: Callable[[], Awaitable[object]]) -> tuple[float, float, float, float]:
    """Return the longest work and the longest stall while `during` runs, in ms, the longest stall
    of two seconds before, in ms, and the duration in seconds."""

    async def watch(late: list[float], worked: list[float]) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due, used = loop.time() + 0.001, time.thread_time()
            await asyncio.sleep(0.001)
            late.append((loop.time() - due) * 1000)
            worked.append((time.thread_time() - used) * 1000)

    async def watched(work: Awaitable[object]) -> tuple[float, float, float]:
        late: list[float] = []
        worked: list[float] = []
        task = asyncio.create_task(watch(late, worked))
        await asyncio.sleep(0.01)
        began = time.perf_counter()
        await work
        took = time.perf_counter() - began
        await asyncio.sleep(0.01)
        task.cancel()
        return max(worked), max(late), took

    _, before, _ = await watched(asyncio.sleep(2))
    worked, longest, took = await watched(during())
    return worked, longest, before, took


async def measure(folder: Path, calls: int, rounds: int) -> None:
    path = folder / f"{SID}.jsonl"
    original = path.read_bytes()
    found: dict[str, list[tuple[float, float, float, float]]] = {"at once": [], "in slices": []}
    for _ in range(rounds):
        board = switchboard(journals := Journals(folder))
        talking = [asyncio.create_task(streaming(board, f"CA{number}")) for number in range(calls)]
        await asyncio.sleep(1)

        async def at_once() -> None:
            rebuild(*read_journal(path))

        async def in_slices(board: Switchboard = board) -> None:
            answer = await board.ask(SID, e.InstructionsAsked(1, "connect"))
            assert answer == (ConnectAgent(2),), answer

        for name, how in (("at once", at_once), ("in slices", in_slices)):
            found[name].append(await stalls(how))
        for task in talking:
            task.cancel()
        await board.close()
        journals.close()
        path.write_bytes(original)
    for name, rows in found.items():
        columns = (statistics.median(column) for column in zip(*rows, strict=True))
        worked, longest, before, took = columns
        print(
            f"  {name:10} longest work {worked:6.1f} ms, longest stall {longest:6.1f} ms"
            f" (without it {before:.1f}), restored in {took:.2f} s"
        )


def journals_made(folder: Path, minutes: float, entries: int) -> Iterator[str]:
    """Write each journal as `folder`/CAhour.jsonl, and yield its description."""
    makers: dict[str, Callable[[RecordedCall], None]] = {
        "spoken": lambda call: spoken(call, minutes * 60),
        "dense": lambda call: dense(call, minutes * 60, entries),
    }
    for name, make in makers.items():
        (folder / f"{SID}.jsonl").unlink(missing_ok=True)
        journals = Journals(folder, queue_lines=10_000_000)
        call = RecordedCall(journals, CallSetup(agent="desk"))
        make(call)
        call.end()
        journals.close()
        size = (folder / f"{SID}.jsonl").stat().st_size / 1e6
        lines = len(call.call.conversation.transcript.lines)
        yield f"{name}: {call.entries} events and commands, {lines} lines said, {size:.1f} MB"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--calls", type=int, default=50)
    parser.add_argument("--entries", type=int, default=180_000)
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="hookflash-restoring-"))
    try:
        for what in journals_made(folder, chosen.minutes, chosen.entries):
            print(what)
            asyncio.run(measure(folder, chosen.calls, chosen.rounds))
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
