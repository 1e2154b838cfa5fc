"""`hookflash eval`: play the scenarios of a YAML file against an agent."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from hookflash.errors import ConfigError

if TYPE_CHECKING:
    from hookflash_local.testing.scenario_file import Scenario
    from hookflash_local.testing.scenario_run import Result


@click.command
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--agent",
    "agent_spec",
    metavar="AGENT",
    help="file.py, file.py:name or package.module:name.  [default: `agent` in FILE]",
)
@click.option("--only", metavar="TEXT", help="Only scenarios whose name contains TEXT.")
@click.option("--rules", is_flag=True, help="Let rules answer, although HOOKFLASH_LLM_URL is set.")
@click.option("--timelines", is_flag=True, help="Print the timeline of every call.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each scenario.")
def command(
    file: Path,
    agent_spec: str | None,
    only: str | None,
    rules: bool,
    timelines: bool,
    as_json: bool,
) -> int:
    """Play the scenarios in FILE against an agent.

    Needs no account, no socket and no speech: time is virtual, so a call of minutes takes less than
    a second. A scenario can script the agent's model. In all others the chat model of
    HOOKFLASH_LLM_URL answers, or else fixed rules. It also plays callers and judges.

    Exits with 1 if a scenario failed, and with 2 if FILE or AGENT is wrong.
    """
    import asyncio

    from hookflash.agents.load_agent import load_agent
    from hookflash.log_output import only_errors
    from hookflash.settings import Settings
    from hookflash_local.testing.answers import answers_of, chat_of
    from hookflash_local.testing.scenario_file import read_scenarios
    from hookflash_local.testing.scenario_run import ScenarioRun

    read = read_scenarios(file)
    spec = agent_spec or read.agent
    if spec is None:
        raise ConfigError(f"{file}: it names no agent: add `agent: agent.py`, or pass --agent")
    agent = load_agent(spec)
    chosen = [each for each in read.scenarios if only is None or only.lower() in each.name.lower()]
    if not chosen:
        raise ConfigError(f"--only {only!r}: no scenario of {file} has this in its name")
    settings = Settings.load()
    chat = chat_of(settings)
    for scenario in chosen:
        if scenario.needs_chat and chat is None:
            raise ConfigError(
                f"{file}, line {scenario.line}: scenario {scenario.name!r} has a"
                f" {scenario.needs_chat}, which needs a chat model: set HOOKFLASH_LLM_URL and"
                " HOOKFLASH_LLM_MODEL"
            )
    run = ScenarioRun(agent, answers=lambda: answers_of(settings, rules=rules), chat=chat)

    async def play() -> int:
        failed = 0
        for scenario in chosen:
            results = [await run.play(scenario) for _ in range(scenario.repeat)]
            failed += not _passed(scenario, results)
            _print(scenario, results, timelines=timelines, as_json=as_json)
        return failed

    # The server tells what it does in each call; a failure prints the call's timeline instead.
    with only_errors():
        failed = asyncio.run(play())
    if not as_json:
        count = f"{len(chosen)} scenario{'' if len(chosen) == 1 else 's'}"
        click.echo(f"{count}, {failed} failed" if failed else f"{count}, all passed")
    return 1 if failed else 0


def _passed(scenario: Scenario, results: list[Result]) -> bool:
    needed = scenario.repeat if scenario.at_least is None else scenario.at_least
    return sum(result.passed for result in results) >= needed


def _print(scenario: Scenario, results: list[Result], *, timelines: bool, as_json: bool) -> None:
    passed = _passed(scenario, results)
    if as_json:
        import msgspec

        click.echo(
            msgspec.json.encode(
                {"name": scenario.name, "line": scenario.line, "passed": passed, "calls": results}
            )
        )
        return
    good = sum(result.passed for result in results)
    count = "" if len(results) == 1 else f" ({good} of {len(results)} passed)"
    seconds = sum(result.seconds for result in results)
    click.echo(f"{'ok  ' if passed else 'FAIL'}  {scenario.name}{count}, {seconds:.1f} s of calls")
    for result in results:
        if result.passed and not timelines:
            continue
        for problem in result.problems:
            click.echo(f"      {problem}")
        for line in result.timeline.splitlines():
            click.echo(f"      {line}")
