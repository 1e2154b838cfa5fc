"""What a process costs, by the kernel's own books: time on the cores, memory, where it may run.

A process counts with all its descendants, so that one that has workers is measured whole.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import fcntl
import os
import signal
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

from hookflash.errors import ConfigError

_PROC = Path("/proc")
_TICK_SECONDS = 1 / os.sysconf("SC_CLK_TCK")
_PRIORITY = -10
_WAIT_SECONDS = 0.1
_PR_SET_PDEATHSIG = 1
_C = ctypes.CDLL(None)
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def require_realtime() -> None:
    """Raise `ConfigError` where processes of ours may not go before everything else."""
    policy = os.sched_getscheduler(0)
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except PermissionError:
        raise ConfigError("--realtime needs root (or CAP_SYS_NICE)") from None
    os.sched_setscheduler(0, policy, os.sched_param(0))


def family(pid: int) -> list[int]:
    """Return `pid` and all its descendants that are alive."""
    children: dict[int, list[int]] = {}
    for stat in _PROC.glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            children.setdefault(int(_fields(stat)[1]), []).append(int(stat.parent.name))
    found = [pid]
    for each in found:
        found += children.get(each, ())
    return found


def cpu_seconds(pid: int) -> float:
    """Return the user and system time that the family has used, all threads together."""
    return sum(_cpu_seconds(each) for each in family(pid))


def busy_seconds(core: int) -> float:
    """Return how long a core has worked, for whomever, since the machine was started."""
    for text in (_PROC / "stat").read_text().splitlines():
        name, *times = text.split()
        if name == f"cpu{core}":
            # Fields: user, nice, system, idle, iowait, irq, softirq, steal (proc(5)).
            ticks = [int(time) for time in times[:8]]
            return (sum(ticks) - ticks[3] - ticks[4]) * _TICK_SECONDS
    return 0.0


@contextlib.asynccontextmanager
async def alone() -> AsyncIterator[None]:
    """Wait until nobody else measures on this machine, and keep others out meanwhile."""
    with (Path(tempfile.gettempdir()) / "hookflash-bench.lock").open("a") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                await asyncio.sleep(_WAIT_SECONDS)
        yield


def kill(pid: int) -> None:
    """End the family at once."""
    for each in family(pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(each, signal.SIGKILL)


def resident_bytes(pid: int) -> int:
    """Return how much memory of the family is in RAM; pages that they share count each time."""
    return sum(_resident_bytes(each) for each in family(pid))


def cores() -> list[int]:
    """Return the cores that we may use."""
    return sorted(os.sched_getaffinity(0))


class Seat(NamedTuple):
    """Where a process runs, and whether before everything else on this machine."""

    cores: tuple[int, ...]
    realtime: bool = False

    def take(self) -> None:
        """Sit down: called in a child before it becomes its program.

        It ends when we end, however that is. Without `realtime` it goes before others where we
        may, as a matter of priority; with it, raises `PermissionError` where we may not.
        """
        _C.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        os.sched_setaffinity(0, self.cores)
        if self.realtime:
            os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
            return
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, 0, _PRIORITY)
            # Linux shares the cores among sessions first (sched(7), autogroup), then by priority.
            os.setsid()
            (_PROC / "self" / "autogroup").write_text(str(_PRIORITY))


def _fields(stat: Path) -> list[str]:
    """Return what follows the name, which is in brackets and may hold spaces: state, parent..."""
    return stat.read_text().rpartition(")")[2].split()


def _cpu_seconds(pid: int) -> float:
    # The CPU clock of another process (clock_getcpuclockid): the sum that /proc/PID/stat tells in
    # ticks of 10 ms, to the nanosecond.
    try:
        return time.clock_gettime_ns((~pid << 3) | 2) / 1e9
    except OSError:
        return 0.0


def _resident_bytes(pid: int) -> int:
    try:
        return int((_PROC / str(pid) / "statm").read_text().split()[1]) * _PAGE_BYTES
    except OSError:
        return 0
