# .venv/bin/pip install py-spy
# .venv/bin/python bench/profile.py --calls 100
"""Where the time of a call goes: samples `hookflash serve` under load, prints a table in Markdown.

Two tools look at the same line one after the other. `perf` tells what part of its time is spent in
the kernel, for which system calls. py-spy divides the rest: it samples what runs with Python's
lock, native frames included, and each sample belongs to the innermost frame that names a part of
the work, so that an interpreter's function counts for the Python function that it runs, and the
JSON codec for whoever called it.
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
from hookflash_local.bench.programs import compiled
from hookflash_local.bench.stage import Rig, Stage

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


def part_of(frames: list[str]) -> str | None:
    """Return the part of the work that a stack, outermost frame first, is about; None for the
    kernel's, of which `perf` tells."""
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


async def user_shares(stage: Stage, seconds: int, folder: Path) -> dict[str, float]:
    """Return which share of its time outside the kernel the line spends at what, by py-spy."""
    found = folder / "stacks.txt"
    command = [str(Path(sys.executable).with_name("py-spy")), "record", "--gil", "--native"]
    command += ["-r", str(_RATE), "-d", str(seconds), "-f", "raw", "-o", str(found)]
    try:
        process = await asyncio.create_subprocess_exec(
            *command, "-p", str(stage.relay.pid), stdout=asyncio.subprocess.DEVNULL
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
    return {part: count / total for part, count in counted.most_common()}


async def kernel_shares(stage: Stage, seconds: int, folder: Path) -> dict[str, float]:
    """Return how much of its time the line spends in which system calls, by perf."""
    data = str(folder / "perf.data")
    record = ["perf", "record", "-q", "-g", "-e", "cpu-clock", "-F", "997", "-o", data]
    report = ["perf", "report", "-i", data, "--children", "-g", "none", "--sort", "sym", "--stdio"]
    try:
        process = await asyncio.create_subprocess_exec(
            *record, "-p", str(stage.relay.pid), "--", "sleep", str(seconds)
        )
        await process.wait()
        process = await asyncio.create_subprocess_exec(
            *report, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )
        said = (await process.communicate())[0].decode()
    except FileNotFoundError:
        raise ConfigError("the profile needs perf: apt-get install linux-perf") from None
    shares = {name: _children(said, symbols) for name, symbols in SYSTEM_CALLS.items()}
    rest = _children(said, "do_syscall_64|el0_svc") - sum(shares.values())
    return {**shares, "system calls: others": max(0.0, rest)}


def _children(report: str, symbols: str) -> float:
    """Return the share of all functions of these names, with what they call."""
    pattern = rf"^ +([\d.]+)% +[\d.]+% +\[k\] (?:{symbols})\b"
    return sum(float(share) for share in re.findall(pattern, report, re.M)) / 100


async def profile(calls: int, seconds: int) -> None:
    with compiled() as programs, tempfile.TemporaryDirectory() as name:
        async with Rig(programs).hookflash() as stage:
            await stage.place(calls)
            window = (await stage.measure(seconds)).check()
            kernel = await kernel_shares(stage, seconds, Path(name))
            user = await user_shares(stage, seconds, Path(name))
    left = 1 - sum(kernel.values())
    shares = kernel | {part: share * left for part, share in user.items()}
    print(f"{calls} calls: {window.cpu_ms:.2f} ms of CPU for a second of a call\n")
    print("| part | share | ms for a second of a call |\n|---|---:|---:|")
    for part, share in sorted(shares.items(), key=lambda row: -row[1]):
        print(f"| {part} | {share:.1%} | {share * window.cpu_ms:.2f} |")


@click.command
@click.option("--calls", default=100, show_default=True, help="Calls at once.")
@click.option("--seconds", default=6, show_default=True, help="How long each tool looks.")
def main(calls: int, seconds: int) -> None:
    """Print where the time of a call goes."""
    asyncio.run(profile(calls, seconds))


if __name__ == "__main__":
    main()
