"""Run the stand-in model as a process: `python -m hookflash_local.model --mode local`.

Standard output has one JSON object per line:

    {"progress": text, "fraction": 0..1}     while it loads
    {"ready": true, "url": "ws://127.0.0.1:PORT/v1/realtime"}
                                             in local mode also "speech_url" (`speech_service.py`)
    {"unmet": null or text}                  scripted mode, at the end: what was not met
    {"error": text, "code": ...}             if it cannot start

The process ends when its standard input closes, so it cannot outlive its parent.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from hookflash.errors import ConfigError, HookflashError
from hookflash_local.model.local_model import local_model
from hookflash_local.model.script import Script
from hookflash_local.model.scripted import ScriptedModel
from hookflash_local.model.timing import Pace, Timing

Report = Callable[[dict[str, Any]], None]
_PARENT_CHECK_SECONDS = 1.0


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m hookflash_local.model", description="A small Realtime model server."
    )
    parser.add_argument("--mode", choices=("local", "scripted"), default="local")
    parser.add_argument("--script", type=Path, help="a JSON file with steps (scripted mode)")
    parser.add_argument("--port", type=int, default=0, help="the port; 0 takes a free one")
    parser.add_argument(
        "--speech-port",
        type=int,
        default=0,
        help="the speech service's port; 0 takes a free one (local mode)",
    )
    parser.add_argument("--speed", type=float, default=1.0, help="time runs this many times faster")
    parser.add_argument("--network-ms", type=float, default=0.0, help="network delay, each way")
    parser.add_argument("--session-seconds", type=float, default=3600.0)
    parser.add_argument(
        "--pace", type=float, help="speak at this multiple of real time (local mode)"
    )
    parser.add_argument("--chunk-ms", type=int, default=100, help="audio per delta (local mode)")
    parser.add_argument("--parent-pid", type=int, help="end when this process has ended")
    return parser.parse_args(argv)


async def _serve(options: argparse.Namespace, report: Report) -> None:
    timing = Timing(
        speed=options.speed,
        network_ms=options.network_ms,
        session_seconds=options.session_seconds,
    )
    if options.mode == "scripted":
        await _serve_script(options, timing, report)
        return
    # Imported here: this loads numpy and the speech models, which a script does not need.
    from hookflash_local.model.speech import load_components
    from hookflash_local.model.speech_service import SpeechService

    def progress(doing: str, fraction: float) -> None:
        report({"progress": doing, "fraction": fraction})

    components = await asyncio.to_thread(load_components, progress)
    pace = Pace(factor=options.pace, chunk_ms=options.chunk_ms)
    async with (
        local_model(components, port=options.port, timing=timing, pace=pace) as model,
        SpeechService(components, port=options.speech_port) as speech,
    ):
        report({"ready": True, "url": model.url, "speech_url": speech.url})
        await _ended(options.parent_pid)


def _read_script(path: Path) -> Script:
    try:
        steps: Script = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"script {path}: expected a JSON file with steps: {error}") from error
    if not isinstance(steps, list):
        raise ConfigError(f"script {path}: expected a list of steps, got {type(steps).__name__}")
    return steps


async def _serve_script(options: argparse.Namespace, timing: Timing, report: Report) -> None:
    async with ScriptedModel(
        _read_script(options.script) if options.script else (),
        speed=timing.speed,
        network_ms=timing.network_ms,
        session_seconds=timing.session_seconds,
        port=options.port,
    ) as model:
        report({"ready": True, "url": model.url})
        await _ended(options.parent_pid)
        try:
            model.assert_met()
        except AssertionError as unmet:
            report({"unmet": str(unmet)})
        else:
            report({"unmet": None})


async def _ended(parent_pid: int | None) -> None:
    """Return when standard input closes or the parent process has ended."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    closed = asyncio.ensure_future(reader.read())
    try:
        while parent_pid is None or os.getppid() == parent_pid:
            done, _ = await asyncio.wait([closed], timeout=_PARENT_CHECK_SECONDS)
            if done:
                return
    finally:
        closed.cancel()
        transport.close()


def _reporter(lines: TextIO) -> Report:
    def report(message: dict[str, Any]) -> None:
        # One write per line, because progress comes from another thread.
        lines.write(json.dumps(message) + "\n")
        lines.flush()

    return report


def main(argv: list[str] | None = None) -> int:
    options = _arguments(argv)
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    # Libraries may print to standard output. It is redirected, so that only this program's own
    # lines go there.
    lines = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    report = _reporter(lines)
    with lines, contextlib.suppress(KeyboardInterrupt, BrokenPipeError):
        try:
            asyncio.run(_serve(options, report))
        except HookflashError as error:
            report({"error": str(error), "code": error.code})
            return 1
        except OSError as error:
            ports = f"{options.port} (or {options.speech_port} for speech)"
            report({"error": f"cannot serve on port {ports}: {error}", "code": "config"})
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
