"""`hookflash replay`: a call again, from its journal."""

from __future__ import annotations

from pathlib import Path

import click


@click.command
@click.argument("journal", type=click.Path(path_type=Path))
@click.option("--picture", type=click.Path(path_type=Path), help="Write the timeline here (SVG).")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(journal: Path, picture: Path | None, as_json: bool) -> int:
    """Replay the call in JOURNAL and compare its commands.

    The same events must give the same commands. Prints the transcript. Exits with 1 if an event is
    answered differently now, and with 2 if another version of Hookflash wrote the journal, or a
    part of it.
    """
    import msgspec

    from hookflash.core.call import Call
    from hookflash.private_files import write_file
    from hookflash.replay.journal_json import read_lines
    from hookflash.replay.picture import draw
    from hookflash.replay.timeline import read_timeline
    from hookflash.replay.transcript import transcript_text
    from hookflash.runtime.journal_replay import read_journal, replay

    head, lines = read_journal(journal)
    steps = list(replay(Call(head.setup), lines))
    different = [step for step in steps if not step.same]
    timeline = read_timeline(read_lines(journal))
    if picture is not None:
        write_file(picture, draw(timeline))
    if as_json:
        result = {
            "call_sid": head.call_sid,
            "events": len(steps),
            "commands": sum(len(step.then) for step in steps),
            "same": not different,
            "different": [msgspec.to_builtins(step) for step in different[:10]],
            "transcript": msgspec.to_builtins(timeline.spoken),
        }
        click.echo(msgspec.json.encode(result))
        return 1 if different else 0
    click.echo(transcript_text(timeline))
    commands = sum(len(step.then) for step in steps)
    if not different:
        click.echo(f"{len(steps)} events, {commands} commands: the same")
        return 0
    first = different[0]
    cause = "the timer" if first.cause is None else repr(first.cause)
    click.echo(f"{len(different)} of {len(steps)} events are answered differently. The first:")
    click.echo(f"  {cause}\n  then {first.then}\n  now  {first.now}")
    return 1
