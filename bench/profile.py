# .venv/bin/pip install py-spy
# .venv/bin/python bench/profile.py --load bursts --calls 100
"""Profile `hookflash serve` under load and print a Markdown table of CPU time by part.

Two tools sample the same server one after the other. `perf` gives the kernel's share by system
call. py-spy divides the rest: it samples stacks that hold Python's lock, with native frames. Each
sample counts for the innermost frame of a known part. So an interpreter function counts for the
Python function that it runs, and the JSON codec for its caller.
"""

from __future__ import annotations

import asyncio
import re
import sys
import tempfile
from collections import Counter
from pathlib import Path

import click

from hookflash.errors import ConfigError
from hookflash_local.bench.harness import LOADS, STEADY, Harness, LoadedRelay
from hookflash_local.bench.processes import Placement, cores
from hookflash_local.bench.programs import compiled

SYSTEM_CALLS = {
    "system calls: send": r"__x64_sys_send(?:to|msg)|ksys_write|do_writev",
    "system calls: receive": r"ksys_read|__x64_sys_recv(?:from|msg)",
    "system calls: wait": r"__x64_sys_epoll_\w+",
}
PARTS = {
    "TLS": r"libssl|libcrypto|ssl_object|_ssl\.",
    "core": r"hookflash/core/",
    "journal": r"hookflash/runtime/journal",
    "metrics": r"hookflash/server/(metrics|counts)",
    "adapters: Twilio, OpenAI": r"hookflash/(carriers|models)/",
    "driver": r"hookflash/runtime/",
    "sockets: ours": r"hookflash/server/",
    "sockets: picows": r"picows",
    "event loop: uvloop": r"uvloop|loop\.c",
}
_ENCODES = re.compile(r"^(Frames\.\w+|encode\w*) .*messages\.py")
_DECODES = re.compile(r"^(decode\w*|to_event|payload_size|_is_base64) ")
_CODEC = re.compile(r"msgspec/|binascii")
_KERNEL = re.compile(r"^_*(send\w*|recv\w*|readv?|writev?|epoll_\w+) \(libc")
_RATE = 400
LEAST_SAMPLES = 300
"""At 300 samples a part of 20 % has a standard error of 2.3 %."""


def part_of(frames: list[str]) -> str | None:
    """Return the part to which a stack (outermost frame first) belongs.

    Return None for system calls, which `perf` measures.
    """
    if _KERNEL.match(frames[-1]):
        return None
    for frame in reversed(frames):
        if _ENCODES.match(frame):
            return "encode"
        if _DECODES.match(frame):
            return "decode"
        if _CODEC.search(frame):
            written = any(_ENCODES.match(each) for each in frames)
            return "encode" if written else "decode"
        for part, pattern in PARTS.items():
            if re.search(pattern, frame):
                return part
    return "other"


async def user_shares(loaded: LoadedRelay, seconds: int, folder: Path) -> dict[str, float]:
    """Return each part's share of the server's time outside the kernel, from py-spy.

    Raises `ConfigError` if py-spy is missing.
    """
    found = folder / "stacks.txt"
    command = [str(Path(sys.executable).with_name("py-spy")), "record", "--gil", "--native"]
    command += ["-r", str(_RATE), "-d", str(seconds), "-f", "raw", "-o", str(found)]
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            *("-p", str(loaded.relay.pid)),
            stdout=asyncio.subprocess.DEVNULL,
            # It pauses the server for each sample, so it must not wait for a core itself.
            preexec_fn=Placement(tuple(cores()[-1:])).apply,
        )
    except FileNotFoundError:
        raise ConfigError("the profile needs py-spy: .venv/bin/pip install py-spy") from None
    await process.wait()
    counted: Counter[str] = Counter()
    for line in found.read_text().splitlines():
        stack, _, count = line.rpartition(" ")
        part = part_of(stack.split(";"))
        if part is not None:
            counted[part] += int(count)
    total = sum(counted.values())
    if total < LEAST_SAMPLES:
        raise ConfigError(
            f"expected at least {LEAST_SAMPLES} samples from py-spy, got {total}: the machine is"
            " busy; take more --seconds"
        )
    return {part: count / total for part, count in counted.most_common()}


async def kernel_shares(loaded: LoadedRelay, seconds: int, folder: Path) -> dict[str, float]:
    """Return the share of the server's time in each kind of system call, from perf.

    Raises `ConfigError` if perf is missing.
    """
    data = str(folder / "perf.data")
    record = ["perf", "record", "-q", "-g", "-e", "cpu-clock", "-F", "997", "-o", data]
    report = ["perf", "report", "-i", data, "--children", "-g", "none", "--sort", "sym", "--stdio"]
    try:
        process = await asyncio.create_subprocess_exec(
            *record, "-p", str(loaded.relay.pid), "--", "sleep", str(seconds)
        )
        await process.wait()
        process = await asyncio.create_subprocess_exec(
            *report, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )
        output = (await process.communicate())[0].decode()
    except FileNotFoundError:
        raise ConfigError("the profile needs perf: apt-get install linux-perf") from None
    shares = {name: _children(output, symbols) for name, symbols in SYSTEM_CALLS.items()}
    rest = _children(output, "do_syscall_64|el0_svc") - sum(shares.values())
    return {**shares, "system calls: others": max(0.0, rest)}


def _children(report: str, symbols: str) -> float:
    """Return the share of all functions whose names match `symbols`, with their callees."""
    pattern = rf"^ +([\d.]+)% +[\d.]+% +\[k\] (?:{symbols})\b"
    return sum(float(share) for share in re.findall(pattern, report, re.M)) / 100


async def profile(load: str, calls: int, seconds: int) -> None:
    with compiled() as programs, tempfile.TemporaryDirectory() as name:
        async with Harness(programs, exclusive=True, load=load).hookflash() as loaded:
            await loaded.place(calls)
            window = (await loaded.measure(seconds)).check()
            kernel = await kernel_shares(loaded, seconds, Path(name))
            user = await user_shares(loaded, seconds, Path(name))
    left = 1 - sum(kernel.values())
    shares = kernel | {part: share * left for part, share in user.items()}
    print(f"{load}, {calls} calls: {window.cpu_ms:.2f} ms of CPU per second of a call\n")
    print("| part | share | ms per second of a call |\n|---|---:|---:|")
    for part, share in sorted(shares.items(), key=lambda row: -row[1]):
        print(f"| {part} | {share:.1%} | {share * window.cpu_ms:.2f} |")


@click.command
@click.option("--load", type=click.Choice(LOADS), default=STEADY, show_default=True)
@click.option("--calls", default=100, show_default=True, help="Calls at once.")
@click.option("--seconds", default=6, show_default=True, help="How long each tool samples.")
def main(load: str, calls: int, seconds: int) -> None:
    """Print the CPU time of a call by part."""
    asyncio.run(profile(load, calls, seconds))


if __name__ == "__main__":
    main()
