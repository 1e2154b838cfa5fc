"""`hookflash demo`: talk to an agent on this machine, with phones in the browser."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from hookflash.errors import ConfigError

if TYPE_CHECKING:
    from hookflash.agents.agent import Agent
    from hookflash.agents.directory import Directory


@click.command
@click.option(
    "--agent",
    "agent_spec",
    metavar="AGENT",
    help="file.py, file.py:name or package.module:name.  [default: a bookshop]",
)
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True)
@click.option("--no-open", is_flag=True, help="Print the URL and do not open a browser.")
@click.option("--headless", is_flag=True, help="Play a call with recorded voices, as text.")
@click.option("--out", type=click.Path(path_type=Path), help="Headless: folder for the files.")
@click.option("--json", "as_json", is_flag=True, help="Headless: print one JSON object at the end.")
def command(
    agent_spec: str | None,
    port: int,
    no_open: bool,
    headless: bool,
    out: Path | None,
    as_json: bool,
) -> int:
    """Call an agent from your browser, without an account.

    Opens a page with a caller's phone, the live call and a human's phone. Talk to the agent,
    interrupt it, ask for a human, and be the human. Ctrl-C ends everything. The local model
    answers. With OPENAI_API_KEY, OpenAI answers; with HOOKFLASH_LLM_URL, your own chat model
    decides what to say. With --headless, recorded voices play the call, and a stereo recording, the
    transcript as heard, a picture of the call and its journal are written.
    """
    from hookflash.agents.load_agent import load_agent
    from hookflash_local.demo.bookshop_agent import agent

    chosen = agent if agent_spec is None else load_agent(agent_spec)
    if not headless:
        if as_json or out is not None:
            raise ConfigError("--out and --json need --headless: add it, or remove them")
        _serve_demo(chosen, port, no_open)
        return 0
    from hookflash_local.cli._call_output import run_call
    from hookflash_local.demo.scripted_parties import demo_caller, human

    return run_call(chosen, caller=demo_caller, humans=[human("answers")], out=out, as_json=as_json)


def _serve_demo(agent: Agent | Directory, port: int, no_open: bool) -> None:
    import asyncio
    import importlib
    import sys
    import time

    from rich.console import Console

    from hookflash.settings import Settings
    from hookflash_local.cli._loading import Loading
    from hookflash_local.demo.browser_demo import serve_demo

    console = Console(highlight=False)
    began = time.monotonic()

    def ready(url: str) -> None:
        loading("ready", 1.0)
        took = time.monotonic() - began
        console.print(f"\n  [bold]{url}[/bold]\n", soft_wrap=True)
        console.print(f"hookflash: ready after {took:.1f} s; Ctrl-C ends everything")
        if not no_open and _has_display():
            click.launch(url)

    # uvloop halves the CPU time per frame; on Windows, where it does not exist, asyncio is used.
    factory = importlib.import_module("uvloop").new_event_loop if sys.platform != "win32" else None
    with Loading(console) as loading, asyncio.Runner(loop_factory=factory) as runner:
        runner.run(
            serve_demo(agent, Settings.load(), port=port, on_progress=loading, on_ready=ready)
        )


def _has_display() -> bool:
    """Return whether a browser window can open. Without a display, some open in the terminal."""
    import os
    import sys

    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
