"""`hookflash call`: let a voice call an agent on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

_ASKS_FOR_SUPPORT = "speak-to-customer-support"
"""The recording in `hookflash_local.audio` that is played if no other is given."""


@click.command
@click.option(
    "--wav",
    type=click.Path(path_type=Path),
    help="The caller's audio: a WAV file with mu-law, A-law or 16-bit PCM, any rate."
    "  [default: a recorded voice that asks for customer support]",
)
@click.option(
    "--say",
    "sentences",
    multiple=True,
    metavar="TEXT",
    help="What the caller says, with the local voice. Repeat it for several turns.",
)
@click.option(
    "--agent",
    "agent_spec",
    metavar="AGENT",
    help="file.py, file.py:name or package.module:name.  [default: the demo's agent]",
)
@click.option(
    "--human",
    "choices",
    default="answers",
    show_default=True,
    help="What each human does in a hand-off: answers, accepts, declines, busy, no-answer,"
    " mailbox, hangs-up or fails. Separate several humans with commas: busy,accepts.",
)
@click.option(
    "--manner",
    type=click.Choice(["cold", "warm", "consult"]),
    help="Replaces the manner of the agent's hand-off plans.",
)
@click.option(
    "--meanwhile",
    type=click.Path(path_type=Path),
    help="The caller's audio while a human is called.  [default: a question about an order,"
    " or nothing with --say]",
)
@click.option(
    "--limit",
    type=click.FloatRange(5, 3600),
    default=300.0,
    show_default=True,
    help="End a call that takes longer, in seconds, and say what it waited for.",
)
@click.option("--out", type=click.Path(path_type=Path), help="Folder for the call's files.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object at the end.")
def command(
    wav: Path | None,
    sentences: tuple[str, ...],
    agent_spec: str | None,
    choices: str,
    manner: Literal["cold", "warm", "consult"] | None,
    meanwhile: Path | None,
    limit: float,
    out: Path | None,
    as_json: bool,
) -> int:
    """Let a voice call an agent. Needs no account; nothing leaves this machine.

    The caller says each turn when the agent has finished: the recording first, then each --say.
    Then they answer what the agent still asks, such as for a number, and hang up. In a consult, the
    scripted human talks with the agent.

    Shows the call while it runs. Writes a stereo recording, the transcript as heard, a picture of
    the call and its journal. `hookflash calls` lists the call.

    The exit code tells the outcome. 0: the agent or a human helped, or a message or a callback was
    left. 1: the call failed. 2: an option or a file is wrong. 3: the caller hung up before anybody
    could help, or the time limit of the line ended the call. 4: it took longer than --limit.
    """
    from hookflash.agents.load_agent import load_agent
    from hookflash_local.audio import load
    from hookflash_local.audio.wav import read_wav
    from hookflash_local.cli._call_output import run_call
    from hookflash_local.demo.bookshop_agent import agent as demo_agent
    from hookflash_local.demo.handoff_overrides import read_humans, with_overrides
    from hookflash_local.demo.scripted_parties import human, sound, turns_caller

    turns: list[bytes | str] = [] if wav is None else [read_wav(wav)]
    turns += [text for text in sentences if text.strip()]
    if not turns:
        turns.append(load(_ASKS_FOR_SUPPORT).audio)
    # A caller with words of their own does not ask for an order in between.
    said = sound("caller-order") if not sentences else None
    if meanwhile is not None:
        said = read_wav(meanwhile)
    humans = read_humans(choices)
    agent = demo_agent if agent_spec is None else load_agent(agent_spec)
    return run_call(
        with_overrides(agent, manner=manner, humans=humans),
        caller=turns_caller(turns, meanwhile=said),
        humans=[human(each) for each in humans],
        out=out,
        as_json=as_json,
        limit_seconds=limit,
    )
