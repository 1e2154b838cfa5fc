"""Record calls as stereo WAV files, written by one thread per process.

    {folder}/{call SID}.wav     left: the caller; right: what the caller hears

Blocks of audio are decoded and written in the thread, so recording delays neither the audio path
nor the event loop. The amount of audio that may wait for the disk is bounded. Audio that does not
fit or cannot be written is lost, and the recording has silence there, so that later audio stays at
its time. At the next start, recordings of a stopped process are repaired, and continued if the call
continues.

    resource      acquired                    released
    the thread    Recordings()                close()
    a file        the first block of a call   `end` of its recording, or close()
"""

from __future__ import annotations

import contextlib
import logging
import re
from pathlib import Path
from typing import NamedTuple

from hookflash.private_files import make_folder
from hookflash.runtime.disk_queue import DiskQueue
from hookflash.runtime.tracks import Block
from hookflash.runtime.wav import WavFile, repair
from hookflash.world import SYSTEM, World

log = logging.getLogger("hookflash.recorder")

SID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_QUEUE_SAMPLES = 8000 * 1200
"""Twenty minutes of audio of all calls together: about 25 MB."""

_BATCH_SECONDS = 0.5
"""How long the thread collects blocks before it writes: waking up costs more than writing."""

_ALIVE_SECONDS = 60.0
"""A file modified more recently may belong to another live process, which updates its own
header."""


class _Job(NamedTuple):
    """A block to write at sample `first` of a file. Without a block: close the file, or delete
    it."""

    path: Path
    block: Block | None
    first: int = 0
    delete: bool = False

    @property
    def size(self) -> int:
        return self.block.size if self.block is not None else 0


class Recording:
    """The recording of one call: a `Sink`. Its methods never block and never raise."""

    block_frames = 50

    def __init__(self, path: Path, recordings: Recordings, *, offset: int) -> None:
        self.path = path
        self._recordings = recordings
        self._offset = offset

    def put(self, block: Block) -> None:
        self._recordings.put(_Job(self.path, block, block.first + self._offset))

    def end(self) -> None:
        self._recordings.put(_Job(self.path, None))


class Recordings:
    """The recordings of a process. All but `flush` and `close` is called in one thread.

    `queue_samples` bounds what may wait for the disk.
    """

    def __init__(
        self, folder: Path, *, queue_samples: int = _QUEUE_SAMPLES, world: World = SYSTEM
    ) -> None:
        self._folder = folder
        make_folder(folder)
        self._wall = world.wall
        self._files: dict[Path, WavFile] = {}
        self._queue: DiskQueue[_Job] = DiskQueue(
            world,
            self._work,
            what="recording",
            log=log,
            room=queue_samples,
            batch_seconds=_BATCH_SECONDS,
            begin=self._repair,
            end=self._close_files,
        )

    @property
    def error(self) -> OSError | None:
        """Return the last error of the disk, or None. Calls continue without their recordings."""
        return self._queue.error

    def begin(self, call_sid: str, *, since: float, zero: float) -> Recording:
        """Return the recording of a call; an existing file is continued.

        Times are seconds since 1970: `since` is the time of the recording's first sample, `zero`
        that of the blocks' sample 0.
        """
        path = recording_path(self._folder, call_sid)
        return Recording(path, self, offset=round((zero - since) * 8000))

    def discard(self, call_sid: str) -> None:
        """Delete a recording. Call it after the last block of the call."""
        self.put(_Job(recording_path(self._folder, call_sid), None, delete=True))

    def put(self, job: _Job) -> None:
        self._queue.put(job)

    @property
    def lost_seconds(self) -> float:
        """Return how much audio never reached its file."""
        return self._queue.lost / 8000

    def flush(self, seconds: float = 5.0) -> bool:
        """Wait until everything queued is written. For tests and commands."""
        return self._queue.flush(seconds)

    def close(self) -> None:
        """Write what is queued, close all files, end the thread."""
        self._queue.close()

    # --- the thread ---------------------------------------------------------------------------

    def _repair(self) -> None:
        with contextlib.suppress(OSError):
            repair_all(self._folder, self._wall())

    def _work(self, path: Path, jobs: list[_Job]) -> None:
        for job in jobs:
            if job.block is not None:
                self._write(path, job.first, job.block)
            else:
                self._end(job)

    def _close_files(self) -> None:
        for file in self._files.values():
            file.close()

    def _write(self, path: Path, first: int, block: Block) -> None:
        if first + block.size <= 0:
            return
        sound = block.stereo()
        if first < 0:
            # The block began before recording was allowed.
            first, sound = 0, sound[-2 * first :]
        file = self._files.get(path)
        if file is None:
            file = self._files[path] = WavFile(path)
        file.write(first, sound)

    def _end(self, job: _Job) -> None:
        file = self._files.pop(job.path, None)
        if file is not None:
            file.close()
        if job.delete:
            job.path.unlink(missing_ok=True)


def recording_path(folder: Path, call_sid: str) -> Path:
    """Return the path of a call's recording, whether it exists or not.

    Raises `ValueError` if `call_sid` is not a call SID.
    """
    if not SID.fullmatch(call_sid):
        raise ValueError(f"expected a call SID, got {call_sid[:80]!r}")
    return folder / f"{call_sid}.wav"


def repair_all(folder: Path, now: float) -> int:
    """Repair the recordings of stopped processes. Return how many were repaired.

    `now` is from the clock that sets the files' modification times.
    """
    repaired = 0
    for path in folder.glob("*.wav"):
        with contextlib.suppress(OSError):
            if now - path.stat().st_mtime > _ALIVE_SECONDS:
                repaired += repair(path)
    return repaired
