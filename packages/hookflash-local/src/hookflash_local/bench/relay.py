"""What the relay costs, against a bare relay in C in the same run.

For each number of calls the relays take turns, several times: start, place the calls, settle,
measure, interrupt the agents and measure again, stop. What is told are medians; what is to be
compared are the ratios of neighbours, because machines have moods.
"""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from hookflash.errors import ConfigError
from hookflash_local.bench.accuracy import measure_accuracy
from hookflash_local.bench.faults import measure_faults
from hookflash_local.bench.leak import measure_leak
from hookflash_local.bench.processes import cores, require_realtime
from hookflash_local.bench.programs import BenchError, compiled
from hookflash_local.bench.report import (
    HOOKFLASH,
    REFERENCE,
    TLS,
    WORKERS,
    Limit,
    Machine,
    Report,
    Row,
    Run,
    Shared,
    Spread,
)
from hookflash_local.bench.stage import Rig, Stage
from hookflash_local.bench.watched import PAGES, measure_watched

LIMIT_MS = 20.0
PARTS = ("cost", "tls", "workers", "limit", "faults", "ledger", "console", "leak")
_FIRST = 6
"""Enough that each of two workers has had one."""
_STEP = 50
_FULL = 0.95
_FOREIGN = 0.15
"""What others may use of our cores: the orchestrator, the system, a shell."""

Tell = Callable[[str], None]
Certificate = tuple[Path, Path]


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be measured.

    `compared` are the numbers of calls at which TLS and workers are. Each caller interrupts the
    agent every `barge_seconds`. `pages` are how many pages of the console follow the calls, by
    turns; None is without a console.
    """

    parts: tuple[str, ...] = PARTS
    calls: tuple[int, ...] = (10, 50, 100, 150, 200, 400)
    compared: tuple[int, ...] = (50, 150)
    seconds: float = 5.0
    settle_seconds: float = 1.5
    barge_seconds: float = 2.0
    runs: int = 3
    repeats: int = 2
    most_calls: int = 800
    fault_calls: int = 50
    ledger_calls: int = 100
    watched_calls: int = 200
    pages: tuple[int | None, ...] = PAGES
    leak_calls: int = 1000
    leak_seconds: float = 200.0
    realtime: bool = False
    alone: bool = True


QUICK = Plan(
    parts=("cost",),
    calls=(3,),
    compared=(3,),
    seconds=0.5,
    settle_seconds=0.2,
    barge_seconds=1.0,
    runs=1,
    repeats=0,
    most_calls=50,
    fault_calls=3,
    ledger_calls=3,
    watched_calls=3,
    pages=(None, 0, 2),
    leak_calls=5,
    leak_seconds=0.0,
    alone=False,
)


@dataclass(frozen=True)
class _Variant:
    """A relay, as it is to be run."""

    name: str
    open: Callable[[], AbstractAsyncContextManager[Stage]]


async def measure(plan: Plan, tell: Tell = lambda doing: None) -> Report:
    """Measure all that `plan` asks for; `tell` is told what is being done.

    Raises `ConfigError` for what is missing on this machine, `BenchError` for what failed.
    """
    report = Report(machine=Machine.here(), seconds=plan.seconds)
    if plan.realtime:
        require_realtime()
    with contextlib.ExitStack() as stack:
        tell("compiling the reference relay and the load generator")
        programs = stack.enter_context(compiled())
        trusted = stack.enter_context(certificate()) if "tls" in plan.parts else None
        await _measure(plan, Rig(programs, trusted, plan.realtime, plan.alone), report, tell)
    if len(cores()) == 1:
        report.notes.append("Relay and load generator had to share one core.")
    return report


async def _measure(plan: Plan, rig: Rig, report: Report, tell: Tell) -> None:
    for calls in _numbers(plan):
        variants = _variants(plan, calls, rig)
        report.rows += await _cost(plan, calls, variants, tell, report.notes)
    if "workers" in plan.parts:
        for calls in plan.compared:
            report.shared.append(await _shared(plan, calls, rig, tell))
    if "limit" in plan.parts:
        for variant in [*_plain(rig), _two_workers(rig)]:
            tell(f"{variant.name}: how many calls")
            report.limits.append(await _limit(plan, variant))
    if "faults" in plan.parts:
        report.faults = await measure_faults(rig, plan.fault_calls, plan.seconds / 2, tell)
    if "ledger" in plan.parts:
        report.accuracy = await measure_accuracy(
            rig, plan.ledger_calls, 2 * plan.seconds, tell, settle=plan.settle_seconds
        )
    if "console" in plan.parts:
        report.watched = await measure_watched(
            rig,
            plan.watched_calls,
            plan.seconds,
            plan.runs,
            tell,
            plan.pages,
            settle=plan.settle_seconds,
        )
    if "leak" in plan.parts:
        report.leak = await measure_leak(rig, plan.leak_calls, plan.leak_seconds, tell)


@contextlib.contextmanager
def certificate() -> Iterator[Certificate]:
    """Make a certificate for this machine, and its key, that are gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="hookflash-bench-") as folder:
        paths = Path(folder) / "certificate.pem", Path(folder) / "key.pem"
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-nodes", "-days", "2"]
        command += ["-pkeyopt", "ec_paramgen_curve:prime256v1", "-subj", "/CN=localhost"]
        command += ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
        command += ["-out", str(paths[0]), "-keyout", str(paths[1])]
        try:
            subprocess.run(command, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            raise ConfigError(
                "TLS is measured with a certificate that openssl makes: apt-get install openssl,"
                " or leave TLS out (--part)"
            ) from None
        yield paths


# --- cost -----------------------------------------------------------------------------------------


def _numbers(plan: Plan) -> Sequence[int]:
    if "cost" in plan.parts:
        return plan.calls
    return plan.compared if "tls" in plan.parts else ()


def _plain(rig: Rig) -> list[_Variant]:
    return [_Variant(REFERENCE, rig.reference), _Variant(HOOKFLASH, rig.hookflash)]


def _two_workers(rig: Rig) -> _Variant:
    return _Variant(HOOKFLASH + WORKERS, lambda: rig.hookflash(workers=2))


def _variants(plan: Plan, calls: int, rig: Rig) -> list[_Variant]:
    variants = _plain(rig)
    if calls not in plan.compared:
        return variants
    if "tls" in plan.parts:
        variants += [
            _Variant(REFERENCE + TLS, lambda: rig.reference(tls=True)),
            _Variant(HOOKFLASH + TLS, lambda: rig.hookflash(tls=True)),
        ]
    return variants


async def _cost(
    plan: Plan, calls: int, variants: Sequence[_Variant], tell: Tell, notes: list[str]
) -> list[Row]:
    """Return a row for each variant; one that fails is noted and left out, the reference aside."""
    runs: dict[str, list[Run]] = {variant.name: [] for variant in variants}
    for number in range(plan.runs):
        for variant in [each for each in variants if each.name in runs]:
            tell(f"{variant.name}: {calls} calls, run {number + 1} of {plan.runs}")
            try:
                runs[variant.name].append(await _undisturbed(variant, calls, plan))
            except BenchError as error:
                if variant.name == REFERENCE:
                    raise
                del runs[variant.name]
                notes.append(f"{variant.name} with {calls} calls was not measured: {_brief(error)}")
    return [Row.of(found, runs[REFERENCE]) for found in runs.values()]


def _brief(error: BenchError) -> str:
    """Return what went wrong, and the last that the line has logged."""
    first, *log = str(error).splitlines()
    return f"{first} ... {log[-1]}" if log else first


async def _undisturbed(variant: _Variant, calls: int, plan: Plan) -> Run:
    """Run again, a few times at most, while others are busy on our cores; keep the quietest.

    Those who go before everybody need not wait for quiet.
    """
    found: list[Run] = []
    for _ in range(1 if plan.realtime else 1 + plan.repeats):
        async with variant.open() as stage:
            found.append(await _run(variant.name, stage, calls, plan))
        if found[-1].window.foreign_share < _FOREIGN:
            break
    return min(found, key=lambda run: run.window.foreign_share)


async def _run(name: str, stage: Stage, calls: int, plan: Plan) -> Run:
    # What the first call of a process loads belongs to no call.
    await stage.place(_FIRST)
    await stage.end()
    stage.started_ms.clear()
    before = stage.resident_bytes
    await stage.place(calls)
    window = (await stage.measure(plan.seconds, settle=plan.settle_seconds)).check()
    memory_kb = (stage.resident_bytes - before) / 1024 / calls
    stage.load.order("barge", plan.barge_seconds)
    interrupted = await stage.measure(max(plan.seconds / 2, plan.barge_seconds), settle=0.1)
    if window.calls != calls:
        gone = stage.load.gone[0] if stage.load.gone else "they never spoke"
        raise BenchError(f"{name}: {calls} calls were placed, {window.calls} were live: {gone}")
    return Run(
        relay=name,
        window=window,
        barge_in=interrupted.barge_in,
        memory_kb=memory_kb,
        start=Spread.of(stage.started_ms),
    )


async def _shared(plan: Plan, calls: int, rig: Rig, tell: Tell) -> Shared:
    """Measure one worker with `calls` and two with twice as many, by turns."""
    alone, both = _plain(rig)[1], _two_workers(rig)
    runs: list[tuple[Run, Run]] = []
    for number in range(plan.runs):
        tell(f"{alone.name}, one worker and two: {calls} calls each, {number + 1} of {plan.runs}")
        one = await _undisturbed(alone, calls, plan)
        runs.append((one, await _undisturbed(both, 2 * calls, plan)))
    return Shared.of(calls, runs)


# --- how many -------------------------------------------------------------------------------------


async def _limit(plan: Plan, variant: _Variant) -> Limit:
    """Add calls until p99 passes 20 ms twice in a row, or something else is full."""
    good, curve, stopped_by = 0, [], f"no more than {plan.most_calls} were asked for"
    async with variant.open() as stage:
        while len(stage.live) < plan.most_calls:
            try:
                await stage.place(_STEP)
            except BenchError as error:
                stopped_by = str(error).partition("\n")[0]
                break
            calls = len(stage.live)
            window = await stage.measure(plan.seconds / 2, settle=0.5)
            if window.p99 > LIMIT_MS:
                window = await stage.measure(plan.seconds / 2, settle=0.5)
            curve.append((calls, window.p99))
            if window.load_share > _FULL:
                stopped_by = "the load generator's core was full"
                break
            if window.p99 > LIMIT_MS:
                stopped_by = f"p99 was {window.p99:.0f} ms, the core {window.cpu_share:.0%} full"
                break
            good = calls
    return Limit(relay=variant.name, calls=good, stopped_by=stopped_by, curve=tuple(curve))
