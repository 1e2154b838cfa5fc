"""`hookflash chat`: talk with an agent in text, on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hookflash_local.testing.call_report import Row
    from hookflash_local.testing.human_choices import HumanName
    from hookflash_local.testing.played_call import PlayedCall

_SAME_SECONDS = 3.0

_HELP = """\
What you write is what the caller says. A line that begins with / does something else:
  /press 12#   press keys
  /wait 30     say nothing for 30 seconds of the call
  /human TEXT  let the human who has answered say TEXT
  /hangup      end the call; the end of the input does so, too"""


@click.command
@click.argument("agent_spec", metavar="AGENT")
@click.option(
    "--human",
    "choice",
    default="answers",
    show_default=True,
    help="What a human does in a hand-off: answers, declines, busy, no-answer, mailbox, hangs-up,"
    " ignores or fails. Separate the humans of several targets with commas: busy,answers.",
)
@click.option(
    "--say",
    "sentences",
    multiple=True,
    metavar="TEXT",
    help="The caller's words, instead of the keyboard. Repeat it for several turns.",
)
@click.option("--rules", is_flag=True, help="Let rules answer, although HOOKFLASH_LLM_URL is set.")
def command(agent_spec: str, choice: str, sentences: tuple[str, ...], rules: bool) -> int:
    """Talk with AGENT in text. Tools and hand-offs are shown.

    Needs no account and no speech. Time is virtual: a telephone that rings for 20 seconds takes
    none of yours. The chat model of HOOKFLASH_LLM_URL answers, or else fixed rules. Write /help for
    what else you can do.
    """
    import asyncio

    from hookflash.agents.load_agent import load_agent
    from hookflash.log_output import only_errors
    from hookflash.settings import Settings
    from hookflash_local.testing.agent_line import AgentLine
    from hookflash_local.testing.answers import answers_of

    agent = load_agent(agent_spec)
    humans = _humans(choice)
    answers = answers_of(Settings.load(), rules=rules)

    async def talk() -> int:
        with AgentLine() as line:
            call = await line.call(agent, everybody=humans, answers=answers)
            shown = _Shown(call)
            shown.update()
            for text in sentences or _typed():
                if not await _do(call, text):
                    break
                shown.update()
                if call.over:
                    break
            record = await call.caller_hangs_up()
            shown.update()
        return 1 if record.disposition == "failed" else 0

    # The server's log would stand between the lines of the call.
    with only_errors():
        return asyncio.run(talk())


def _humans(text: str) -> list[HumanName]:
    from hookflash.errors import ConfigError
    from hookflash_local.testing.human_choices import HUMAN_NAMES

    found: list[HumanName] = []
    for name in (part.strip() for part in text.split(",")):
        choice = next((each for each in HUMAN_NAMES if each == name), None)
        if choice is None:
            raise ConfigError(
                f"--human: expected {', '.join(HUMAN_NAMES)}, or several of them separated by"
                f" commas, got {name!r}"
            )
        found.append(choice)
    return found


def _typed() -> Iterator[str]:
    """Yield the lines of the keyboard, until the end of the input."""
    import sys

    while True:
        if sys.stdin.isatty():
            click.echo("> ", nl=False)
        line = sys.stdin.readline()
        if not line:
            return
        if line.strip():
            yield line.strip()


async def _do(call: PlayedCall, text: str) -> bool:
    """Do what a line says; return False if it ends the call."""
    word, _, rest = text.partition(" ")
    try:
        match word:
            case "/hangup":
                return False
            case "/help":
                click.echo(_HELP)
            case "/press" if rest:
                await call.caller_presses(rest.strip())
                await call.settles()
            case "/wait" if rest.strip().isdigit():
                await call.caller_waits(float(rest))
            case "/human" if rest:
                await call.human_says(rest)
            case _ if text.startswith("/"):
                click.echo(_HELP)
            case _:
                await call.caller_says(text)
                await call.settles()
    except AssertionError as error:
        click.echo(str(error).partition("\n")[0])
    return True


class _Shown:
    """Prints what has happened in a call since the last time."""

    def __init__(self, call: PlayedCall) -> None:
        self._call = call
        self._printed: list[Row] = []

    def update(self) -> None:
        from hookflash_local.testing.call_report import call_report

        fresh = [row for row in self._call.rows if not self._is_printed(row)]
        self._printed += fresh
        if fresh:
            click.echo(call_report(fresh))

    def _is_printed(self, row: Row) -> bool:
        """Whether a row was printed. The record has its time more exactly than the live call."""
        at, who, what = row
        return any(
            (who, what) == (person, said) and abs(at - when) < _SAME_SECONDS
            for when, person, said in self._printed
        )
