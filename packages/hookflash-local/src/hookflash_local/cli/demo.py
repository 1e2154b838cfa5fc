"""`hookflash demo`: an agent on a line of this machine, and telephones in the browser."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from hookflash.errors import ConfigError

if TYPE_CHECKING:
    from hookflash.agents.agent import Agent
    from hookflash.agents.directory import Directory


@click.command
@click.option("--agent", "target", help="An agent of yours, as for serve.  [default: a bookshop's]")
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True)
@click.option("--no-open", is_flag=True, help="Do not open a browser; print the address only.")
@click.option("--headless", is_flag=True, help="No browser: a call of recorded voices, as text.")
@click.option("--out", type=click.Path(path_type=Path), help="Headless: folder for the files.")
@click.option("--json", "as_json", is_flag=True, help="Headless: print one JSON object at the end.")
def command(
    target: str | None, port: int, no_open: bool, headless: bool, out: Path | None, as_json: bool
) -> int:
    """Talk to the agent, interrupt it, ask for a human, be the human. No account needed.

    Opens a page with a caller's phone, the live call and a human's phone; Ctrl-C ends everything.
    The local speech answers, or OpenAI with OPENAI_API_KEY, or with HOOKFLASH_LLM_URL a chat model
    of yours thinks. Headless, recorded voices hold the call and leave a stereo recording, the
    transcript as heard, a picture of the call and its journal.
    """
    from hookflash.agents.target import load_target
    from hookflash_local.demo.shop import agent

    chosen = agent if target is None else load_target(target)
    if not headless:
        if as_json or out is not None:
            raise ConfigError("--out and --json belong to --headless: add it, or leave them out")
        _open_desk(chosen, port, no_open)
        return 0
    from hookflash_local.cli._call_output import run_call
    from hookflash_local.demo.story import demo_caller, human

    return run_call(chosen, caller=demo_caller, humans=[human("answers")], out=out, as_json=as_json)


def _open_desk(target: Agent | Directory, port: int, no_open: bool) -> None:
    import asyncio
    import importlib
    import sys
    import time

    from rich.console import Console

    from hookflash.settings import Settings
    from hookflash_local.cli._loading import Loading
    from hookflash_local.demo.desk import open_desk

    console = Console(highlight=False)
    began = time.monotonic()

    def ready(url: str) -> None:
        loading("ready", 1.0)
        took = time.monotonic() - began
        console.print(f"\n  [bold]{url}[/bold]\n", soft_wrap=True)
        console.print(f"hookflash: ready after {took:.1f} s; Ctrl-C ends everything")
        if not no_open and _has_screen():
            click.launch(url)

    # uvloop halves what a frame costs; where there is none, the line works all the same.
    factory = importlib.import_module("uvloop").new_event_loop if sys.platform != "win32" else None
    with Loading(console) as loading, asyncio.Runner(loop_factory=factory) as runner:
        runner.run(
            open_desk(target, Settings.load(), port=port, on_progress=loading, on_ready=ready)
        )


def _has_screen() -> bool:
    """Whether a browser could be shown: without a screen, some would open in the terminal."""
    import os
    import sys

    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
