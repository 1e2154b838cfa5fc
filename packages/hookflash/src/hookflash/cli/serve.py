"""`hookflash serve`: answer a real line, or a stand-in's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from hookflash.errors import ConfigError, HookflashError

if TYPE_CHECKING:
    from hookflash.settings import Settings


@click.command
@click.argument("agent_spec", metavar="AGENT")
@click.option("--host", help="Address to listen on.  [default: HOOKFLASH_HOST or 127.0.0.1]")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help="Port; 0 takes a free one.  [default: HOOKFLASH_PORT or 8080]",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    help="Processes that share port and calls.  [default: HOOKFLASH_WORKERS or 1]",
)
@click.option(
    "--settings",
    "settings_file",
    type=click.Path(path_type=Path),
    help="Settings file.  [default: hookflash.toml in this folder, if it is there]",
)
@click.option(
    "--tunnel", is_flag=True, help="Open a tunnel with cloudflared or ngrok, as the public URL."
)
@click.option(
    "--tunnel-program",
    metavar="PROGRAM",
    help="The tunnel program.  [default: cloudflared, or else ngrok]",
)
@click.option(
    "--number",
    metavar="+15550100",
    help="Set this number's webhooks to the line, and put back at the end what was there.",
)
@click.option(
    "--reload", is_flag=True, help="Start again when a Python file or the settings change."
)
@click.option("-v", "--verbose", is_flag=True, help="Log every event and command of each call.")
@click.option(
    "--worker-slot", "slot_text", hidden=True, help="A worker's slot, set by the parent process."
)
def command(
    agent_spec: str,
    host: str | None,
    port: int | None,
    workers: int | None,
    settings_file: Path | None,
    tunnel: bool,
    tunnel_program: str | None,
    number: str | None,
    reload: bool,
    verbose: bool,
    slot_text: str | None,
) -> None:
    """Answer the calls of your line with AGENT.

    AGENT is file.py, file.py:name or package.module:name. Without a name, it is the only
    Directory in that file or module, or else the only Agent.

    Needs HOOKFLASH_PUBLIC_URL, TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN and OPENAI_API_KEY, as
    environment variables, in .env, or in the settings file.

    Open your number in Twilio's console and set the fields under Voice. "A call comes in" and
    "Primary handler fails" are HOOKFLASH_PUBLIC_URL and /twilio/voice. "Call status changes" is
    HOOKFLASH_PUBLIC_URL and /twilio/status. All of them use HTTP POST.

    With --tunnel and --number, both are set for you while the server runs. --number puts back the
    webhooks that the number had, unless the process is killed.

    After SIGTERM or Ctrl-C, live calls go on for HOOKFLASH_DRAIN_SECONDS (30 s). Calls that are
    then still live go to another process or to a human. A second signal ends the server at once.
    """
    import logging
    import sys

    from hookflash.cli import exit_code
    from hookflash.log_output import log_to_stderr
    from hookflash.settings import Settings

    with log_to_stderr(verbose=verbose) as set_format:
        settings = Settings.load(file=settings_file)
        set_format(settings.logs.format)
        given = {"host": host, "port": port, "workers": workers}
        server = settings.server.model_copy(
            update={name: value for name, value in given.items() if value is not None}
        )
        settings = settings.model_copy(update={"server": server})
        try:
            if (tunnel or number or reload) and settings.server.workers > 1:
                raise ConfigError("--tunnel, --number and --reload need one worker: --workers 1")
            if reload and (tunnel or number):
                raise ConfigError("--reload does not go with --tunnel or --number: leave one out")
            if reload:
                arguments = ["serve", agent_spec, "--port", str(settings.server.port)]
                arguments += ["--host", settings.server.host]
                arguments += ["--settings", str(settings_file)] if settings_file else []
                arguments += ["--verbose"] if verbose else []
                sys.exit(_reload(agent_spec, arguments))
            if slot_text is None and settings.server.workers > 1:
                arguments = ["serve", agent_spec]
                arguments += ["--settings", str(settings_file)] if settings_file else []
                arguments += ["--verbose"] if verbose else []
                sys.exit(_supervise(settings, arguments))
            _serve(settings, agent_spec, slot_text, _Public(tunnel, tunnel_program, number))
        except HookflashError as error:
            if settings.logs.format != "json":
                raise
            # A program reads standard error, so the last line is an object, too.
            logging.getLogger("hookflash.server").critical("%s", error)
            sys.exit(exit_code(error))


class _Public(NamedTuple):
    """How the line becomes reachable: by a tunnel, and by a number that is set to it."""

    tunnel: bool
    program: str | None
    number: str | None


def _reload(agent_spec: str, arguments: list[str]) -> int:
    """Serve in a child process that is started again after a change. Return its exit code."""
    import sys

    from hookflash.cli._reloading import run_reloading

    folder = Path(agent_spec.partition(":")[0]).parent
    program = [sys.executable, "-m", "hookflash", *arguments]
    return run_reloading(program, folder if folder.is_dir() else Path())


def _say(settings: Settings, port: int) -> None:
    """Show where the line listens; as a log line if a program reads standard error."""
    import logging

    url = (settings.server.public_url or "").rstrip("/")
    texts = (
        f"listening on {settings.server.host} port {port}",
        f"voice webhook: {url}/twilio/voice",
        f"fallback webhook: {url}/twilio/voice",
        f"status webhook: {url}/twilio/status",
    )
    for text in texts:
        if settings.logs.format == "json":
            logging.getLogger("hookflash.server").info("%s", text)
        else:
            click.echo(f"hookflash: {text}", err=True)


def _supervise(settings: Settings, arguments: list[str]) -> int:
    """Run the workers as their parent process. Return the exit code."""
    import asyncio
    import sys

    from hookflash.errors import ConfigError
    from hookflash.server.open_port import listen

    if sys.platform == "win32":
        raise ConfigError("--workers: Windows has no way to share calls; use 1")
    from hookflash.cluster.parent_process import ParentProcess

    settings.check_serving()
    program = [sys.executable, "-m", "hookflash", *arguments]
    with listen(settings.server.host, settings.server.port) as listener:
        parent = ParentProcess(
            lambda worker_slot: [*program, "--worker-slot", str(worker_slot)],
            listener,
            workers=settings.server.workers,
        )
        port = listener.getsockname()[1]
        return asyncio.run(parent.run(lambda: _say(settings, port)))


def _serve(settings: Settings, agent_spec: str, slot_text: str | None, public: _Public) -> None:
    """Serve in this process, alone or as one of several workers."""
    import asyncio
    import importlib
    import sys

    from hookflash.agents.load_agent import load_agent
    from hookflash.server.assembly import serve_line
    from hookflash.server.limited_http import raise_descriptor_limit
    from hookflash.server.open_port import listen
    from hookflash.server.public_access import reachable

    async def serve() -> None:
        if sys.platform == "win32":
            await serve_line(settings, agent, on_listening=lambda port: _say(settings, port))
            return
        from hookflash.cluster.worker_slot import WorkerSlot, heartbeat
        from hookflash.cluster.worker_sockets import new_name

        if slot_text is None:
            # Opened first: a port that is in use is told at once.
            with listen(settings.server.host, settings.server.port) as listener:
                port = listener.getsockname()[1]
                async with reachable(settings, port, *public) as (served, stop):
                    # Named even alone, so that a successor on the same data folder can find this
                    # process.
                    await serve_line(
                        served,
                        agent,
                        on_listening=lambda port: _say(served, port),
                        stop=stop,
                        worker=new_name(1),
                        listener=listener,
                    )
            return
        worker_slot = WorkerSlot.parse(slot_text)
        stop = asyncio.Event()
        with worker_slot.listening() as listener:
            async with heartbeat(worker_slot, stop.set) as ready:
                await serve_line(
                    settings,
                    agent,
                    on_listening=lambda port: ready(),
                    stop=stop,
                    worker=worker_slot.name,
                    slot=worker_slot.slot,
                    listener=listener,
                )

    agent = load_agent(agent_spec)
    raise_descriptor_limit()
    # uvloop halves what a frame costs; where there is none, the line works all the same.
    factory = importlib.import_module("uvloop").new_event_loop if sys.platform != "win32" else None
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(serve())
