"""`hookflash demo`: a whole call between recorded voices, to watch and to listen to."""

from __future__ import annotations

from pathlib import Path

import click


@click.command
@click.option("--headless", is_flag=True, help="Only the terminal; this is all there is for now.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder for the call's files.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object at the end.")
def command(headless: bool, out: Path | None, as_json: bool) -> int:
    """Hold a call on this machine: a question, a barge-in, a tool, a human. No account needed.

    Leaves a stereo recording (left the caller, right what they heard), the transcript as heard, a
    picture of the call and its journal.
    """
    from hookflash.cli._call_output import run_call
    from hookflash.demo.shop import agent
    from hookflash.demo.story import demo_caller, human

    return run_call(agent, caller=demo_caller, human=human("answers"), out=out, as_json=as_json)
