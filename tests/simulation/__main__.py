"""Plays simulated calls.

python -m tests.simulation --seed 7 --verbose       one call, with its timeline
python -m tests.simulation --seeds 1000             many; a failing one is shrunk and printed
python -m tests.simulation --ci                     the set of `make test`, with its table of visits
python -m tests.simulation --silences               the same set, with its table of silences
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from unittest.mock import patch

import msgspec

from hookflash.core.phases import Phase

from . import visits as table_of_visits
from .checks import Violation
from .known import known
from .plan import FAULTS, SESSION_TROUBLES, TROUBLES, Plan, directed, draw
from .play import Played, Simulation, play
from .shrink import shrink

CI_SEEDS = 500
CI_EXACT_SEEDS = 30
"""So many calls are played with Twilio's own 20 ms a media message."""

DIRECTED_SEED = 1_000_000
_CHUNK = 10
_SHRUNK = 3
"""So many failures are shrunk; the others are only named."""

_FAULTS_IN_WORDS = {
    "slow": "a response begins late",
    "failed": "a response fails",
    "rate-limited": "a response is refused for a while (rate limit)",
    "incomplete": "a response is broken off by the model",
    "empty": "a response has no content",
    "text-only": "a response has text and no sound",
    "silent": "a response begins, and nothing comes of it",
    "freeze": "a response stops in the middle of a sentence",
    "no-response": "the model does not answer a turn",
    "no-speech-stopped": "the model does not notice the end of a turn",
    "tool-of-no-name": "the model calls a tool that does not exist",
    "tool-bad-arguments": "the model calls a tool with invalid arguments",
    "error-event": "the model sends an error",
    "drop": "the model's connection breaks before a response",
    "close": "the model closes the session before a response",
    "close-while-speaking": "the model closes the session while it speaks",
    "refuse-upgrade": "the model refuses a connection",
    "no-session-created": "the model accepts a connection and creates no session",
    "short-session": "every session ends after 20 or 45 s",
    "rest-500": "REST answers 500",
    "rest-429": "REST answers 429",
    "rest-silent": "REST does not answer",
    "rest-late": "REST answers 3 s late",
    "rest-broken": "REST carries an order out and breaks off before it answers",
    "webhook-twice": "a webhook comes twice",
    "webhook-never": "the status webhook of a human's leg never comes",
    "webhook-late": "the status webhooks of a human's leg come out of order",
    "stream-cut": "the media stream breaks",
    "stream-frozen": "the media stream carries nothing, and neither end is told",
    "model-frozen": "the model's connection carries nothing, and neither end is told",
    "model-dropped": "the model's connection breaks",
    "model-complains": "the model sends an error that nothing has caused",
    "marks-not-returned": "`clear` returns no marks",
    "jitter": "the media stream is late by up to 80 ms",
    "kill": "the process is killed and started again",
    "restart": "the process is asked to end and started again",
    "disk-full": "no file can be written for 10 s",
}


@dataclass
class Tally:
    """What came of some seeds."""

    passed: int = 0
    failed: list[tuple[Plan, Violation]] = field(default_factory=list)
    known: Counter[str] = field(default_factory=Counter)
    visits: Counter[table_of_visits.Cell] = field(default_factory=Counter)
    virtual_seconds: float = 0.0
    silences: list[tuple[frozenset[str], float]] = field(default_factory=list)
    """What struck in each call, and the call's longest silence in seconds."""

    def add(self, other: Tally) -> None:
        self.passed += other.passed
        self.failed += other.failed
        self.known += other.known
        self.visits += other.visits
        self.virtual_seconds += other.virtual_seconds
        self.silences += other.silences


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.simulation",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seed", type=int, help="play the call of this seed")
    parser.add_argument("--plan", help="play this plan (JSON), as a shrunk one is printed")
    parser.add_argument("--seeds", type=int, default=100, help="play so many (default 100)")
    parser.add_argument("--first", type=int, default=0, help="the first seed (default 0)")
    parser.add_argument("--frame-ms", type=int, help="sound in a media message (20 is Twilio's)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--verbose", action="store_true", help="print the timeline")
    parser.add_argument("--visits", action="store_true", help="print the table of visits")
    parser.add_argument("--ci", action="store_true", help="play the set that CI plays")
    parser.add_argument(
        "--silences",
        action="store_true",
        help="play that set, and print what is silent for how long",
    )
    given = parser.parse_args()
    if given.plan is not None and given.seed is not None:
        parser.error("--plan and --seed are two calls: give one of them")
    if given.seeds < 1:
        parser.error(f"--seeds: expected 1 or more, got {given.seeds}")
    try:
        one = chosen(given)
    except ValueError as error:
        parser.error(f"this is no plan that can be played: {error}")
    if one is not None:
        return tell(play(one), verbose=given.verbose)
    plans = [draw(seed) for seed in range(given.first, given.first + given.seeds)]
    if given.frame_ms is not None:
        plans = [msgspec.structs.replace(plan, frame_ms=given.frame_ms) for plan in plans]
    if given.ci or given.silences:
        plans = ci_set()
    tally = play_all(plans, given.jobs)
    if given.silences:
        print(silences_table(tally.silences))
    if given.visits or given.ci:
        print(table_of_visits.table(tally.visits))
    return report(tally, check_visits=given.ci)


def ci_set() -> list[Plan]:
    """Return the plans that CI plays: random ones, and one for each thing in each state."""
    exact = [msgspec.structs.replace(draw(seed), frame_ms=20) for seed in range(CI_EXACT_SEEDS)]
    random = [draw(seed) for seed in range(CI_EXACT_SEEDS, CI_EXACT_SEEDS + CI_SEEDS)]
    return [*exact, *random, *directed(DIRECTED_SEED)]


def chosen(given: argparse.Namespace) -> Plan | None:
    """Return the one plan that was asked for, if it was one. Raises ValueError."""
    plan = None
    if given.plan is not None:
        plan = msgspec.json.decode(given.plan, type=Plan)
    elif given.seed is not None:
        plan = of_seed(given.seed)
    if plan is not None and given.frame_ms is not None:
        plan = msgspec.structs.replace(plan, frame_ms=given.frame_ms)
    return plan


def of_seed(seed: int) -> Plan:
    """Return the plan of a seed: the directed call of that seed, or else the one drawn from it."""
    named = directed(DIRECTED_SEED) if seed >= DIRECTED_SEED else []
    return next((plan for plan in named if plan.seed == seed), None) or draw(seed)


def tell(played: Played, *, verbose: bool) -> int:
    """Print what became of one plan."""
    print(msgspec.json.encode(played.plan).decode())
    if verbose:
        print("\n".join(played.timeline), "", sep="\n")
    news = 0
    for violation in played.violations:
        entry = known(violation, played.plan)
        news += entry is None
        print(f"{violation}{f'  (known: {entry.name})' if entry else ''}")
    print(f"{played.virtual_seconds:.1f} virtual seconds, {played.disposition}")
    return bool(news)


def play_all(plans: list[Plan], jobs: int) -> Tally:
    """Play plans in several processes."""
    began = time.perf_counter()
    chunks = [plans[start : start + _CHUNK] for start in range(0, len(plans), _CHUNK)]
    tally = Tally()
    with ProcessPoolExecutor(max_workers=max(1, jobs)) as pool:
        for done, part in enumerate(pool.map(play_some, chunks), 1):
            tally.add(part)
            for plan, violation in part.failed:
                print(f"seed {plan.seed}: {violation}", flush=True)
            if sys.stdout.isatty():
                print(f"{min(done * _CHUNK, len(plans))} of {len(plans)}", end="\r", flush=True)
    took = time.perf_counter() - began
    print(f"{len(plans)} calls, {tally.virtual_seconds:.0f} virtual seconds in {took:.0f} s")
    return tally


def play_some(plans: list[Plan]) -> Tally:
    tally = Tally()
    for plan in plans:
        struck: set[str] = set()
        try:
            with _noting_what_strikes(struck):
                played = play(plan)
        except Exception as error:
            # Whatever it is, the other calls are played, and this one is told with its seed.
            tally.failed.append((plan, Violation(0.0, "crash", repr(error))))
            continue
        tally.visits += played.visits
        tally.virtual_seconds += played.virtual_seconds
        tally.silences.append((frozenset(struck), played.longest_silence))
        news = [each for each in played.violations if known(each, plan) is None]
        for each in played.violations:
            if (entry := known(each, plan)) is not None:
                tally.known[entry.name] += 1
        if news:
            tally.failed.append((plan, news[0]))
        else:
            tally.passed += 1
    return tally


def _noting_what_strikes(struck: set[str]) -> AbstractContextManager[object]:
    """Add to `struck` the troubles, faults and orders that really happen in a call."""
    strike = Simulation.strike

    def note(simulation: Simulation, kind: str) -> None:
        struck.add(kind)
        strike(simulation, kind)

    return patch.object(Simulation, "strike", note)


def silences_table(silences: list[tuple[frozenset[str], float]]) -> str:
    """Return, as Markdown, how long callers heard nothing while something was owed to them.

    For each fault: all calls in which it struck, and those in which it was the only fault.
    """
    faults = (*TROUBLES, *SESSION_TROUBLES, *FAULTS)
    undisturbed = [seconds for struck, seconds in silences if struck.isdisjoint(faults)]
    rows = [
        "| Fault | Calls | Longest silence | With no other fault | Longest silence |",
        "| --- | --- | --- | --- | --- |",
        f"| no fault |{_longest(undisturbed)}{_longest(undisturbed)}",
    ]
    for fault in faults:
        calls = [(struck, seconds) for struck, seconds in silences if fault in struck]
        alone = [seconds for struck, seconds in calls if len(struck.intersection(faults)) == 1]
        both = _longest([seconds for _, seconds in calls]) + _longest(alone)
        rows.append(f"| `{fault}`: {_FAULTS_IN_WORDS[fault]} |{both}")
    return "\n".join(rows)


def _longest(seconds: list[float]) -> str:
    return f" {len(seconds)} | {max(seconds):.1f} s |" if seconds else " 0 | - |"


def report(tally: Tally, *, check_visits: bool) -> int:
    """Print what failed, the first ones shrunk, and return the exit code."""
    for plan, violation in tally.failed[:_SHRUNK]:
        if violation.kind == "crash":
            continue
        small = shrink(plan, violation.kind, play)
        print(f"\nseed {plan.seed}, shrunk; play it with --plan '...':")
        tell(play(small), verbose=True)
    for name, count in tally.known.most_common():
        print(f"known, {count} times: {name}")
    wrong = 0
    if check_visits:
        reasons = table_of_visits.read_reasons(table_of_visits.REASONS.read_text())
        live = [phase.value for phase in Phase if phase is not Phase.ENDED]
        cells = table_of_visits.cells(FAULTS, live)
        for cell in table_of_visits.unexplained(cells, tally.visits, reasons):
            wrong += 1
            print(f"never visited, and {table_of_visits.REASONS.name} gives no reason: {cell}")
        for cell, reason in table_of_visits.superfluous(tally.visits, reasons):
            wrong += 1
            print(f"visited, though {table_of_visits.REASONS.name} says: {cell}: {reason}")
    print(f"simulated: {tally.passed} passed, {len(tally.failed)} failed")
    return bool(tally.failed or wrong)


if __name__ == "__main__":
    sys.exit(main())
