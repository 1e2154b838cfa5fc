"""Find deliveries that a stopped process left in the journals of its calls.

A process may crash, or its disk may fail, after a call creates a delivery and before the store has
it. The journal has the delivery by then, or soon after. So the next process to start reads the
journals of the last day. Deliveries that the store already has are not changed.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import msgspec

from hookflash.core.commands import Deliver
from hookflash.core.delivery import Delivery
from hookflash.runtime.journal_lines import JournalLine

_log = logging.getLogger("hookflash.call.deliveries")

_MARK = b'"type":"Deliver"'


def deliveries_since(folder: Path, since: float) -> Iterator[Delivery]:
    """Yield the deliveries in the journals of `folder` that were modified after `since`.

    They come in the order in which each call created them. It reads the disk: do not call it in the
    event loop's thread.
    """
    for path in sorted(folder.glob("*.jsonl")):
        try:
            if path.stat().st_mtime > since:
                yield from _deliveries_in(path)
        except OSError as error:
            _log.warning("! journal %s cannot be searched for deliveries: %s", path.name, error)


def _deliveries_in(path: Path) -> Iterator[Delivery]:
    decoder = msgspec.json.Decoder(JournalLine)
    with path.open("rb") as lines:
        for text in lines:
            if _MARK not in text:
                continue
            try:
                command = decoder.decode(text).command
            except msgspec.DecodeError:
                # An incomplete last line, or quoted text that happens to contain the marker.
                continue
            if isinstance(command, Deliver):
                yield command.delivery
