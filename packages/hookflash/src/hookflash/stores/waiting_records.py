"""Records that wait on disk for the database: one file each, private, named by call SID.

    {data folder}/records/{call SID}.json

A record is here from its first failed attempt until it is stored. So nothing is lost if the
database is down for long, if the queue has no room, or if the process ends meanwhile.
"""

from __future__ import annotations

import contextlib
import logging
import re
from pathlib import Path

import msgspec

from hookflash.core.record import CallRecord
from hookflash.private_files import create_folder, write_file

_log = logging.getLogger("hookflash.call.records")

FOLDER = "records"
_SID = re.compile(r"[A-Za-z0-9_-]{1,64}")


class WaitingRecords:
    """The records of a data folder that are not in the database yet. Its methods use the disk."""

    def __init__(self, data_folder: Path) -> None:
        self._folder = data_folder / FOLDER

    def put(self, record: CallRecord) -> None:
        """Write a record, in place of an earlier one of the same call. Raises `OSError`."""
        path = self._path(record.call_sid)
        create_folder(self._folder)
        # Renamed when it is complete, so that a crash leaves the earlier one.
        unfinished = path.with_suffix(".new")
        write_file(unfinished, msgspec.json.encode(record))
        unfinished.replace(path)

    def calls(self) -> dict[str, float]:
        """Return the calls whose records wait, oldest file first, with the files' times."""
        found = [(path.stem, _modified_at(path)) for path in self._folder.glob("*.json")]
        return dict(sorted(found, key=lambda each: each[1]))

    def read(self, call_sid: str) -> CallRecord | None:
        """Return a record; None if it does not wait any more, or cannot be read. The log names a
        file that cannot be read."""
        path = self._path(call_sid)
        try:
            return msgspec.json.decode(path.read_bytes(), type=CallRecord)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError) as error:
            _log.error("! the record in %s cannot be read and is not stored: %s", path, error)
            return None

    def remove(self, call_sid: str) -> None:
        """Delete a record that is stored or erased. Raises `OSError`."""
        self._path(call_sid).unlink(missing_ok=True)

    def _path(self, call_sid: str) -> Path:
        if not _SID.fullmatch(call_sid):
            raise OSError(f"{call_sid[:80]!r} is no call SID")
        return self._folder / f"{call_sid}.json"


def _modified_at(path: Path) -> float:
    with contextlib.suppress(OSError):
        return path.stat().st_mtime
    return 0.0
