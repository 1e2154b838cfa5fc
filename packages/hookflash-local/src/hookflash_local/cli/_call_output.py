"""Run a local call for `call` and `demo`, and print progress, the live call and its result."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import click
import msgspec
from rich.console import Console

from hookflash.agents.agent import Agent
from hookflash.agents.directory import Directory
from hookflash.replay.timeline import Timeline
from hookflash.settings import Settings
from hookflash_local.carrier import Human, Script
from hookflash_local.cli._loading import Loading
from hookflash_local.demo.call_display import CallDisplay
from hookflash_local.demo.local_call import make_call


def run_call(
    agent: Agent | Directory,
    *,
    caller: Script,
    humans: Sequence[Human],
    out: Path | None,
    as_json: bool,
) -> int:
    """Run the call, print it, and return the exit code: 1 if the call failed."""
    console = Console(stderr=as_json, highlight=False)
    settings = Settings.load()

    async def call() -> tuple[Timeline, list[Path]]:
        with CallDisplay(console) as display:
            return await make_call(
                agent,
                caller=caller,
                humans=humans,
                display=display,
                on_progress=loading,
                settings=settings,
                out=out,
            )

    with Loading(console) as loading:
        timeline, paths = asyncio.run(call())
    if as_json:
        click.echo(msgspec.json.encode(_summary(timeline, paths)))
    else:
        _print_end(console, timeline, paths)
    return 1 if timeline.disposition == "failed" else 0


def _summary(timeline: Timeline, paths: list[Path]) -> dict[str, object]:
    return {
        "record": timeline.record,
        "latencies": [round(wait.seconds, 3) for wait in timeline.latencies()],
        "files": [str(path) for path in paths],
    }


def _print_end(console: Console, timeline: Timeline, paths: list[Path]) -> None:
    end = timeline.disposition.replace("_", " ")
    console.print(f"\n[bold]{end}[/bold]; the call lasted {timeline.seconds:.1f} s")
    for path in paths:
        console.print(f"  {path}", soft_wrap=True)
