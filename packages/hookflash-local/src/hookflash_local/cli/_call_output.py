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
from hookflash_local.carrier import Human
from hookflash_local.cli._loading import Loading
from hookflash_local.demo.call_display import CallDisplay
from hookflash_local.demo.local_call import LIMIT_SECONDS, LocalCall, make_call
from hookflash_local.demo.scripted_parties import Caller

EXIT_CODES = {
    "handed_off": 0,
    "handled_by_agent": 0,
    "voicemail": 0,
    "callback": 0,
    "failed": 1,
    "abandoned": 3,
    "time_limit": 3,
}
LIMIT_REACHED = 4
"""The exit code of a call that was ended because it took too long."""


def run_call(
    agent: Agent | Directory,
    *,
    caller: Caller,
    humans: Sequence[Human],
    out: Path | None,
    as_json: bool,
    limit_seconds: float = LIMIT_SECONDS,
) -> int:
    """Run the call, print it, and return the exit code, which tells its disposition."""
    console = Console(stderr=as_json, highlight=False)
    settings = Settings.load()

    async def call() -> LocalCall:
        with CallDisplay(console) as display:
            return await make_call(
                agent,
                caller=caller,
                humans=humans,
                display=display,
                on_progress=loading,
                settings=settings,
                out=out,
                limit_seconds=limit_seconds,
            )

    with Loading(console) as loading:
        made = asyncio.run(call())
    if as_json:
        click.echo(msgspec.json.encode(_summary(made)))
    else:
        _print_end(console, made.timeline, made.paths)
    if made.waited_for:
        click.echo(
            f"hookflash: the call was ended after {limit_seconds:g} s; it waited for"
            f" {made.waited_for}. --limit allows more",
            err=True,
        )
        return LIMIT_REACHED
    return EXIT_CODES.get(made.timeline.disposition, 1)


def _summary(made: LocalCall) -> dict[str, object]:
    timeline = made.timeline
    return {
        "record": timeline.record,
        "latencies": [round(wait.seconds, 3) for wait in timeline.latencies()],
        "files": [str(path) for path in made.paths],
        "waited_for": made.waited_for,
    }


def _print_end(console: Console, timeline: Timeline, paths: list[Path]) -> None:
    end = timeline.disposition.replace("_", " ")
    console.print(f"\n[bold]{end}[/bold]; the call lasted {timeline.seconds:.1f} s")
    for path in paths:
        console.print(f"  {path}", soft_wrap=True)
