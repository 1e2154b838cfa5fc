"""Read CPU time and memory of processes from the kernel, and place processes on cores. Linux only.

A process is measured with all its descendants, so that a server's workers count.
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
    """Raise `ConfigError` if this process may not use real-time scheduling."""
    policy = os.sched_getscheduler(0)
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except PermissionError:
        raise ConfigError("--realtime needs root or CAP_SYS_NICE: run it as root") from None
    os.sched_setscheduler(0, policy, os.sched_param(0))


def family(pid: int) -> list[int]:
    """Return `pid` and its living descendants."""
    children: dict[int, list[int]] = {}
    for stat in _PROC.glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            children.setdefault(int(_fields(stat)[1]), []).append(int(stat.parent.name))
    found = [pid]
    for each in found:
        found += children.get(each, ())
    return found


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of the process and its descendants, user and system, in seconds."""
    return sum(_cpu_seconds(each) for each in family(pid))


def busy_seconds(core: int) -> float:
    """Return how long a core has been busy since boot, for any process, in seconds."""
    for text in (_PROC / "stat").read_text().splitlines():
        name, *times = text.split()
        if name == f"cpu{core}":
            # Fields: user, nice, system, idle, iowait, irq, softirq, steal (proc(5)).
            ticks = [int(time) for time in times[:8]]
            return (sum(ticks) - ticks[3] - ticks[4]) * _TICK_SECONDS
    return 0.0


@contextlib.asynccontextmanager
async def exclusive_lock() -> AsyncIterator[None]:
    """Hold a lock on the machine, so that only one benchmark measures at a time."""
    with (Path(tempfile.gettempdir()) / "hookflash-bench.lock").open("a") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                await asyncio.sleep(_WAIT_SECONDS)
        yield


def kill(pid: int) -> None:
    """Kill the process and its descendants."""
    for each in family(pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(each, signal.SIGKILL)


def resident_bytes(pid: int) -> int:
    """Return the resident memory of the process and its descendants in bytes.

    Shared pages count once per process.
    """
    return sum(_resident_bytes(each) for each in family(pid))


def cores() -> list[int]:
    """Return the cores that this process may use."""
    return sorted(os.sched_getaffinity(0))


class Placement(NamedTuple):
    """The cores on which a process runs, and whether it has real-time priority."""

    cores: tuple[int, ...]
    realtime: bool = False

    def apply(self) -> None:
        """Apply the placement to this process: call it in a child before it runs its program.

        The child is killed when its parent ends. Without `realtime` its priority is raised if that
        is allowed. With `realtime`, raises `PermissionError` if that is not allowed.
        """
        _C.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        os.sched_setaffinity(0, self.cores)
        if self.realtime:
            os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
            return
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, 0, _PRIORITY)
            # Linux divides CPU among sessions first, then by priority: sched(7), autogroup.
            os.setsid()
            (_PROC / "self" / "autogroup").write_text(str(_PRIORITY))


def _fields(stat: Path) -> list[str]:
    """Return the fields after the name (in brackets, may hold spaces): state, parent ..."""
    return stat.read_text().rpartition(")")[2].split()


def _cpu_seconds(pid: int) -> float:
    # The CPU clock of another process (clock_getcpuclockid): the sum in /proc/PID/stat, but in
    # nanoseconds instead of ticks of 10 ms.
    try:
        return time.clock_gettime_ns((~pid << 3) | 2) / 1e9
    except OSError:
        return 0.0


def _resident_bytes(pid: int) -> int:
    try:
        return int((_PROC / str(pid) / "statm").read_text().split()[1]) * _PAGE_BYTES
    except OSError:
        return 0
