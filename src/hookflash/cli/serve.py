"""`hookflash serve`: answer a real line, or a stand-in's."""

from __future__ import annotations

from pathlib import Path

import click


@click.command
@click.argument("target")
@click.option("--host", help="Address to listen on.  [default: HOOKFLASH_HOST or 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), help="Port; 0 takes a free one.")
@click.option("--settings", "settings_file", type=click.Path(path_type=Path), help="Settings file.")
@click.option("-v", "--verbose", is_flag=True, help="Log every event and command of each call.")
def command(
    target: str, host: str | None, port: int | None, settings_file: Path | None, verbose: bool
) -> None:
    """Answer calls with the agent TARGET until SIGTERM, then end the live ones cleanly.

    TARGET is a file with an Agent in it (agent.py), one of several in it (agent.py:shop), or one
    in a module (company.lines:shop).
    """
    import asyncio
    import dataclasses
    import importlib
    import logging
    import sys

    from hookflash.agents.target import load_target
    from hookflash.server.assembly import serve_line
    from hookflash.settings import Settings

    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.INFO,
        format="%(asctime)s %(name)s %(message)s",
    )
    for noisy in ("asyncio", "httpx", "httpcore", "aiosqlite", "uvicorn"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    settings = Settings.load(file=settings_file)
    settings = dataclasses.replace(
        settings, host=host or settings.host, port=settings.port if port is None else port
    )
    agent = load_target(target)

    def listening(open_port: int) -> None:
        click.echo(f"hookflash: listening on {settings.host} port {open_port}", err=True)
        url = (settings.public_url or "").rstrip("/")
        click.echo(f"hookflash: voice webhook and fallback: {url}/twilio/voice", err=True)

    # uvloop halves what a frame costs; where there is none, the line works all the same.
    factory = importlib.import_module("uvloop").new_event_loop if sys.platform != "win32" else None
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(serve_line(settings, agent, on_listening=listening))
