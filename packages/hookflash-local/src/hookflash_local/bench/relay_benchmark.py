"""Measure the cost of Hookflash's relay against two bare relays, in C and in Python, in one run.

For each load and number of calls the relays take turns, several times: start, place the calls,
settle, measure, interrupt the agents, measure again, stop. The report has medians. Compare the
ratios of neighbouring runs and not absolute times, because timings on shared machines vary.
"""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from hookflash.errors import ConfigError
from hookflash_local.bench.console_cost import PAGES, measure_console_cost
from hookflash_local.bench.fault_isolation import measure_faults
from hookflash_local.bench.harness import LOADS, Harness, LoadedRelay
from hookflash_local.bench.ledger_under_load import measure_ledger
from hookflash_local.bench.memory_growth import measure_memory_growth
from hookflash_local.bench.processes import cores, require_realtime
from hookflash_local.bench.programs import BenchError, compiled
from hookflash_local.bench.report import (
    HOOKFLASH,
    MINIMAL,
    REFERENCE,
    TLS,
    WORKERS,
    Limit,
    Machine,
    Report,
    Row,
    Run,
    Spread,
    TwoWorkers,
)
from hookflash_local.bench.strangers import measure_strangers

LIMIT_MS = 20.0
PARTS = ("cost", "tls", "workers", "limit", "faults", "strangers", "ledger", "console", "leak")
RELAYS = {"c": REFERENCE, "minimal": MINIMAL, "hookflash": HOOKFLASH}
"""The relays in the order of a round, by their names on the command line."""
_WARM_UP_CALLS = 6
"""Enough that each of two workers gets at least one."""
_STEP = 50
_FULL = 0.95
_FOREIGN = 0.15
"""The share of the measured cores that other processes may use, such as the system or a shell."""

Progress = Callable[[str], None]
Certificate = tuple[Path, Path]


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What to measure.

    `calls` are the numbers of calls at once; `compared` those for TLS and two workers. Each number
    is measured `runs` times for `seconds`, and repeated up to `repeats` times if the machine was
    busy. Each caller interrupts the agent every `barge_seconds`. `loads` and `relays` are for the
    cost and for the most calls; the other parts are measured under the load `steady`. `pages` are
    the numbers of console pages; None is without a console. `exclusive` waits for other benchmarks
    on this machine.
    """

    parts: tuple[str, ...] = PARTS
    loads: tuple[str, ...] = LOADS
    relays: tuple[str, ...] = tuple(RELAYS)
    calls: tuple[int, ...] = (10, 50, 150, 400)
    compared: tuple[int, ...] = (50, 150)
    seconds: float = 5.0
    settle_seconds: float = 1.5
    barge_seconds: float = 2.0
    runs: int = 3
    repeats: int = 2
    most_calls: int = 800
    fault_calls: int = 50
    ledger_calls: int = 100
    console_calls: int = 200
    pages: tuple[int | None, ...] = PAGES
    leak_calls: int = 1000
    leak_seconds: float = 200.0
    realtime: bool = False
    exclusive: bool = True


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
    console_calls=3,
    pages=(None, 0, 2),
    leak_calls=5,
    leak_seconds=0.0,
    exclusive=False,
)


@dataclass(frozen=True)
class _Variant:
    """A relay in one configuration, and how to start it."""

    name: str
    open: Callable[[], AbstractAsyncContextManager[LoadedRelay]]


async def measure(plan: Plan, on_progress: Progress = lambda step: None) -> Report:
    """Measure everything in `plan`; `on_progress` gets the current step as text.

    Raises `ConfigError` if this machine lacks something, and `BenchError` if a measurement fails.
    """
    report = Report(machine=Machine.here(), seconds=plan.seconds)
    if plan.realtime:
        require_realtime()
    with contextlib.ExitStack() as stack:
        on_progress("compiling the reference relay and the load generator")
        programs = stack.enter_context(compiled())
        trusted = stack.enter_context(certificate()) if "tls" in plan.parts else None
        await _measure(
            plan, Harness(programs, trusted, plan.realtime, plan.exclusive), report, on_progress
        )
    if len(cores()) == 1:
        report.notes.append("The relay and the load generator shared the machine's only core.")
    return report


async def _measure(plan: Plan, harness: Harness, report: Report, on_progress: Progress) -> None:
    for load in plan.loads:
        for calls in _numbers(plan):
            variants = _variants(plan, calls, replace(harness, load=load))
            report.rows += await _cost(plan, load, calls, variants, on_progress, report.notes)
    if "workers" in plan.parts:
        for calls in plan.compared:
            report.shared.append(await _workers(plan, calls, harness, on_progress))
    if "limit" in plan.parts:
        for load in plan.loads:
            loaded = replace(harness, load=load)
            variants = _plain(plan, loaded)
            if HOOKFLASH in (variant.name for variant in variants):
                variants.append(_two_workers(loaded))
            for variant in variants:
                on_progress(f"{load}, {variant.name}: how many calls")
                report.limits.append(await _limit(plan, load, variant))
    if "faults" in plan.parts:
        report.faults = await measure_faults(
            harness, plan.fault_calls, plan.seconds / 2, on_progress
        )
    if "strangers" in plan.parts:
        report.faults += await measure_strangers(
            harness, plan.fault_calls, plan.seconds / 2, on_progress
        )
    if "ledger" in plan.parts:
        report.accuracy = await measure_ledger(
            harness, plan.ledger_calls, 2 * plan.seconds, on_progress, settle=plan.settle_seconds
        )
    if "console" in plan.parts:
        report.watched = await measure_console_cost(
            harness,
            plan.console_calls,
            plan.seconds,
            plan.runs,
            on_progress,
            plan.pages,
            settle=plan.settle_seconds,
        )
    if "leak" in plan.parts:
        report.leak = await measure_memory_growth(
            harness, plan.leak_calls, plan.leak_seconds, on_progress
        )


@contextlib.contextmanager
def certificate() -> Iterator[Certificate]:
    """Make a certificate and key for this machine, which are deleted afterwards.

    Raises `ConfigError` if openssl is missing or fails.
    """
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
                "measuring TLS needs openssl, which is missing or failed: apt-get install openssl,"
                " or choose other parts with --part"
            ) from None
        yield paths


# --- cost -----------------------------------------------------------------------------------------


def _numbers(plan: Plan) -> Sequence[int]:
    if "cost" in plan.parts:
        return plan.calls
    return plan.compared if "tls" in plan.parts else ()


def _plain(plan: Plan, harness: Harness) -> list[_Variant]:
    starts = {"c": harness.reference, "minimal": harness.minimal, "hookflash": harness.hookflash}
    return [_Variant(RELAYS[name], starts[name]) for name in RELAYS if name in plan.relays]


def _two_workers(harness: Harness) -> _Variant:
    return _Variant(HOOKFLASH + WORKERS, lambda: harness.hookflash(workers=2))


def _variants(plan: Plan, calls: int, harness: Harness) -> list[_Variant]:
    variants = _plain(plan, harness)
    if "tls" in plan.parts and calls in plan.compared:
        secured = {
            "c": lambda: harness.reference(tls=True),
            "minimal": lambda: harness.minimal(tls=True),
            "hookflash": lambda: harness.hookflash(tls=True),
        }
        names = [name for name in RELAYS if name in plan.relays]
        variants += [_Variant(RELAYS[name] + TLS, secured[name]) for name in names]
    return variants


async def _cost(
    plan: Plan,
    load: str,
    calls: int,
    variants: Sequence[_Variant],
    on_progress: Progress,
    notes: list[str],
) -> list[Row]:
    """Return a row for each variant. One that fails becomes a note; a reference must not fail."""
    runs: dict[str, list[Run]] = {variant.name: [] for variant in variants}
    for number in range(plan.runs):
        for variant in [each for each in variants if each.name in runs]:
            on_progress(f"{load}, {variant.name}: {calls} calls, run {number + 1} of {plan.runs}")
            try:
                runs[variant.name].append(await _quietest_run(variant, calls, plan))
            except BenchError as error:
                if variant.name in (REFERENCE, MINIMAL):
                    raise
                del runs[variant.name]
                notes.append(
                    f"{load}: {variant.name} with {calls} calls was not measured: {_brief(error)}"
                )
    in_c, minimal = runs.get(REFERENCE, []), runs.get(MINIMAL, [])
    return [Row.of(found, in_c, minimal, load=load) for found in runs.values()]


def _brief(error: BenchError) -> str:
    """Return the error and the last line that the server logged."""
    first, *log = str(error).splitlines()
    return f"{first} ... {log[-1]}" if log else first


async def _quietest_run(variant: _Variant, calls: int, plan: Plan) -> Run:
    """Run up to `1 + repeats` times while other processes use the cores; keep the quietest run.

    With real-time priority one run is enough.
    """
    found: list[Run] = []
    for _ in range(1 if plan.realtime else 1 + plan.repeats):
        async with variant.open() as loaded:
            found.append(await _run(variant.name, loaded, calls, plan))
        if found[-1].window.foreign_share < _FOREIGN:
            break
    return min(found, key=lambda run: run.window.foreign_share)


async def _run(name: str, loaded: LoadedRelay, calls: int, plan: Plan) -> Run:
    # Load what only the first calls of a process load, before anything is measured.
    await loaded.place(_WARM_UP_CALLS)
    await loaded.end()
    loaded.started_ms.clear()
    before = loaded.resident_bytes
    await loaded.place(calls)
    window = (await loaded.measure(plan.seconds, settle=plan.settle_seconds)).check()
    memory_kb = (loaded.resident_bytes - before) / 1024 / calls
    loaded.load.order("barge", plan.barge_seconds)
    interrupted = await loaded.measure(max(plan.seconds / 2, plan.barge_seconds), settle=0.1)
    if window.calls != calls:
        gone = loaded.load.gone[0] if loaded.load.gone else "no audio came"
        raise BenchError(f"{name}: expected {calls} live calls, got {window.calls}: {gone}")
    return Run(
        relay=name,
        window=window,
        barge_in=interrupted.barge_in,
        memory_kb=memory_kb,
        start=Spread.of(loaded.started_ms),
    )


async def _workers(plan: Plan, calls: int, harness: Harness, on_progress: Progress) -> TwoWorkers:
    """Measure one worker with `calls` and two workers with twice as many, in turns."""
    single, both = _Variant(HOOKFLASH, harness.hookflash), _two_workers(harness)
    runs: list[tuple[Run, Run]] = []
    for number in range(plan.runs):
        on_progress(
            f"{single.name}, one worker and two: {calls} calls each, {number + 1} of {plan.runs}"
        )
        one = await _quietest_run(single, calls, plan)
        runs.append((one, await _quietest_run(both, 2 * calls, plan)))
    return TwoWorkers.of(calls, runs)


# --- how many -------------------------------------------------------------------------------------


async def _limit(plan: Plan, load: str, variant: _Variant) -> Limit:
    """Add calls until p99 passes 20 ms twice in a row, or the load generator's core is full."""
    good, curve, stopped_by = 0, [], f"the limit of the measurement, {plan.most_calls}, was reached"
    async with variant.open() as loaded:
        while len(loaded.live) < plan.most_calls:
            try:
                await loaded.place(_STEP)
            except BenchError as error:
                stopped_by = str(error).partition("\n")[0]
                break
            calls = len(loaded.live)
            window = await loaded.measure(plan.seconds / 2, settle=0.5)
            if window.p99 > LIMIT_MS:
                window = await loaded.measure(plan.seconds / 2, settle=0.5)
            curve.append((calls, window.p99))
            if window.load_share > _FULL:
                stopped_by = "the load generator's core was full"
                break
            if window.p99 > LIMIT_MS:
                stopped_by = f"p99 was {window.p99:.0f} ms, the core {window.cpu_share:.0%} full"
                break
            good = calls
    return Limit(
        load=load, relay=variant.name, calls=good, stopped_by=stopped_by, curve=tuple(curve)
    )
