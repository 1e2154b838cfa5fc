"""`hookflash doctor`: check what a line needs before it can take calls."""

from __future__ import annotations

from pathlib import Path

import click

_MARKS = {"ok": "ok  ", "note": "note", "wrong": "FAIL"}


@click.command
@click.argument("agent_spec", metavar="[AGENT]", required=False)
@click.option("--number", metavar="+15550100", help="Check the webhooks of this number, too.")
@click.option("--settings", "settings_file", type=click.Path(path_type=Path), help="Settings file.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each finding.")
def command(
    agent_spec: str | None, number: str | None, settings_file: Path | None, as_json: bool
) -> int:
    """Check what a line needs before it can take calls.

    Checks the settings, the model and its key, the account and a number at Twilio, the public URL
    with a signed webhook, the clock, the disk, the database and Redis. With AGENT, its file is
    loaded, too. Each problem has a remedy. Start `hookflash serve` first: the public URL is checked
    through it. Exits with 1 if something is wrong.
    """
    import asyncio

    import msgspec

    from hookflash.agents.load_agent import load_agent
    from hookflash.errors import ConfigError
    from hookflash.server.start_checks import Finding, find_problems
    from hookflash.settings import Settings

    findings: list[Finding] = []
    if agent_spec is not None:
        try:
            load_agent(agent_spec)
            findings.append(Finding("agent", "ok", f"{agent_spec} can be loaded"))
        except ConfigError as error:
            findings.append(Finding("agent", "wrong", str(error), "correct the file"))
    settings = Settings.load(file=settings_file)
    findings += asyncio.run(find_problems(settings, number=number))
    for each in findings:
        if as_json:
            click.echo(msgspec.json.encode(each))
            continue
        click.echo(f"{_MARKS[each.state]}  {each.check}: {each.text}")
        if each.remedy:
            click.echo(f"      {each.remedy}")
    return 1 if any(each.state == "wrong" for each in findings) else 0
