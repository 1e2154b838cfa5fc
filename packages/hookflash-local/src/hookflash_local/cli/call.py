"""`hookflash call`: let a recording call an agent on this machine."""

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
    help="The caller's audio while a human is called.  [default: a question about an order]",
)
@click.option("--out", type=click.Path(path_type=Path), help="Folder for the call's files.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object at the end.")
def command(
    wav: Path | None,
    agent_spec: str | None,
    choices: str,
    manner: Literal["cold", "warm", "consult"] | None,
    meanwhile: Path | None,
    out: Path | None,
    as_json: bool,
) -> int:
    """Let a recording call an agent. Needs no account; nothing leaves this machine.

    Shows the call while it runs. Writes a stereo recording, the transcript as heard, a picture of
    the call and its journal.
    """
    from hookflash.agents.load_agent import load_agent
    from hookflash_local.audio import load
    from hookflash_local.audio.wav import read_wav
    from hookflash_local.cli._call_output import run_call
    from hookflash_local.demo.bookshop_agent import agent as demo_agent
    from hookflash_local.demo.handoff_overrides import read_humans, with_overrides
    from hookflash_local.demo.scripted_parties import human, recording_caller, sound

    recording = load(_ASKS_FOR_SUPPORT).audio if wav is None else read_wav(wav)
    said = sound("caller-order") if meanwhile is None else read_wav(meanwhile)
    humans = read_humans(choices)
    agent = demo_agent if agent_spec is None else load_agent(agent_spec)
    return run_call(
        with_overrides(agent, manner=manner, humans=humans),
        caller=recording_caller(recording, meanwhile=said),
        humans=[human(each) for each in humans],
        out=out,
        as_json=as_json,
    )
