"""Deliveries that a process left behind: in the journal of a call, and perhaps nowhere else.

A process may die, or its disk may fail, between the moment at which a call leaves something and the
moment at which the store has it. The journal has it by then, or soon after; so whoever starts next
reads the journals of the last day once more. What the store knows already changes nothing there.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import msgspec

from hookflash.core.commands import Deliver
from hookflash.core.delivery import Delivery
from hookflash.runtime.journal_lines import Line

_log = logging.getLogger("hookflash.call.deliveries")

_MARK = b'"type":"Deliver"'


def deliveries_since(folder: Path, since: float) -> Iterator[Delivery]:
    """Yield the deliveries in all journals of `folder` that were written to after `since`, in the
    order in which each call left them. It reads the disk: not for the event loop's thread."""
    for path in sorted(folder.glob("*.jsonl")):
        try:
            if path.stat().st_mtime > since:
                yield from _deliveries_in(path)
        except OSError as error:
            _log.warning("! journal %s cannot be searched for deliveries: %s", path.name, error)


def _deliveries_in(path: Path) -> Iterator[Delivery]:
    decoder = msgspec.json.Decoder(Line)
    with path.open("rb") as lines:
        for text in lines:
            if _MARK not in text:
                continue
            try:
                command = decoder.decode(text).command
            except msgspec.DecodeError:
                # The last line of a process that died, or the words of somebody who knows ours.
                continue
            if isinstance(command, Deliver):
                yield command.delivery
