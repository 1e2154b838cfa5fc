"""`hookflash dial`: call somebody with an agent, and say what came of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from hookflash.core.record import CallRecord
    from hookflash.core.setup import OnMachine


@click.command
@click.argument("agent_spec", metavar="AGENT")
@click.argument("to", metavar="NUMBER")
@click.option("--known", default="", help="What the agent knows: whom it calls, and why.")
@click.option(
    "--on-machine",
    type=click.Choice(["hang_up", "leave_message", "talk"]),
    help="What happens if a mailbox answers.  [default: hang_up; leave_message with --message]",
)
@click.option("--message", default="", help="Left at a mailbox after its tone, word for word.")
@click.option(
    "--caller-id", default="", help="Your number to show.  [default: HOOKFLASH_CALLER_ID]"
)
@click.option("--time-zone", default="", help="Where NUMBER is, such as America/New_York.")
@click.option("--name", default="", help="The agent's name, if AGENT has several.")
@click.option("--ring-seconds", type=click.IntRange(5, 120), default=30, help="How long it rings.")
@click.option(
    "--settings",
    "settings_file",
    type=click.Path(path_type=Path),
    help="Settings file.  [default: hookflash.toml in this folder, if it is there]",
)
@click.option("--json", "as_json", is_flag=True, help="Print the call's record as JSON.")
@click.option("-v", "--verbose", is_flag=True, help="Log every event and command of the call.")
def command(
    agent_spec: str,
    to: str,
    known: str,
    on_machine: OnMachine | None,
    message: str,
    caller_id: str,
    time_zone: str,
    name: str,
    ring_seconds: int,
    settings_file: Path | None,
    as_json: bool,
    verbose: bool,
) -> None:
    """Call NUMBER with AGENT, and wait until the call is over.

    AGENT is file.py, file.py:name or package.module:name, as for `hookflash serve`. NUMBER is in
    E.164 form, such as +15550123.

    The line is served meanwhile, so it needs the same settings and a free port. If a server is
    running already, use `POST /api/calls` of its console instead.
    """
    import asyncio

    from hookflash.agents.load_agent import load_agent
    from hookflash.log_output import log_to_stderr
    from hookflash.settings import Settings

    with log_to_stderr(verbose=verbose) as set_format:
        settings = Settings.load(file=settings_file)
        set_format(settings.logs.format)
        chosen: OnMachine = on_machine or ("leave_message" if message else "hang_up")

        async def dial() -> CallRecord:
            from hookflash.server.running_line import RunningLine

            async with RunningLine(load_agent(agent_spec), settings) as line:
                call = await line.place(
                    to,
                    agent=name,
                    caller_id=caller_id,
                    known=known,
                    on_machine=chosen,
                    message=message,
                    ring_seconds=ring_seconds,
                    time_zone=time_zone,
                )
                click.echo(f"hookflash: calling, {call.call_sid}", err=True)
                return await call.ended()

        _show(asyncio.run(dial()), as_json=as_json)


def _show(record: CallRecord, *, as_json: bool) -> None:
    if as_json:
        import msgspec

        click.echo(msgspec.json.encode(record).decode())
        return
    after = "" if record.answered_after is None else f", answered after {record.answered_after:g} s"
    click.echo(f"{record.disposition.replace('_', ' ')}{after}, {record.seconds:g} s")
    for said in record.utterances:
        click.echo(f"  {said.speaker}: {said.text}")
