"""Recordings: what the taps of a process hand over, as stereo WAV files written by one thread.

    {folder}/{call SID}.wav     left the caller, right what the caller heard

A block is decoded and written in the thread, so neither the sound's road nor the event loop waits
for it. What may wait for the disk is bounded by samples; what does not fit, or cannot be written,
is lost, and silence in the recording, so that everything behind it stays in its place. A recording
that a dead process left is mended at the next start, and gone on with if its call is.

    resource      acquired                    released
    the thread    Recordings()                close()
    a file        the first block of a call   `end` of its recording, or close()
"""

from __future__ import annotations

import contextlib
import logging
import re
import threading
import time
from collections import deque
from pathlib import Path
from typing import NamedTuple

from hookflash.runtime.tracks import Block
from hookflash.runtime.wav import WavFile, mend

log = logging.getLogger("hookflash.recorder")

_SID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_QUEUE_SAMPLES = 8000 * 1200
"""Twenty minutes of sound of all calls together: some 25 MB."""

_BATCH_SECONDS = 0.5
"""How long the thread waits for more before it writes: waking up costs more than writing."""

_ALIVE_SECONDS = 60.0
"""A file that was written to since may be another process's, which keeps its header itself."""


class _Job(NamedTuple):
    """A block for a file, whose first sample is `first` there; or its end, or its deletion."""

    path: Path
    block: Block | None
    first: int = 0
    delete: bool = False


class Recording:
    """The recording of one call: a `Sink`. Nothing here blocks or raises."""

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
    """The recordings of a process. All but `flush` and `close` is used in one thread.

    `queue_samples` bounds what may wait for the disk.
    """

    def __init__(self, folder: Path, *, queue_samples: int = _QUEUE_SAMPLES) -> None:
        self.error: OSError | None = None
        """The last trouble with the disk. Calls go on without their recordings."""
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._room = queue_samples
        self._queue: deque[_Job | threading.Event] = deque()
        # Each is counted up by one thread alone, so that no lock is needed.
        self._taken = self._done = self._refused = self._failed = 0
        self._overfull = False
        self._news, self._hurry = threading.Event(), threading.Event()
        self._closing = False
        self._files: dict[Path, WavFile] = {}
        self._thread = threading.Thread(target=self._run, name="hookflash-recorder", daemon=True)
        self._thread.start()

    def begin(self, call_sid: str, *, since: float, zero: float) -> Recording:
        """Return where the blocks of a call go. Moments are seconds since 1970: `since` that of the
        recording's first sample, `zero` that of the blocks' sample 0. One that exists already is
        gone on with."""
        path = recording_path(self._folder, call_sid)
        return Recording(path, self, offset=round((zero - since) * 8000))

    def discard(self, call_sid: str) -> None:
        """Delete a recording, whose blocks must have come to an end."""
        self.put(_Job(recording_path(self._folder, call_sid), None, delete=True))

    def put(self, job: _Job) -> None:
        samples = job.block.size if job.block is not None else 0
        if samples and self._taken - self._done + samples > self._room:
            if not self._overfull:
                self._overfull = True
                log.warning("! the disk is too slow: sound of recordings is lost")
            self._refused += samples
            return
        self._overfull = self._overfull and not samples
        self._taken += samples
        self._queue.append(job)
        if not self._news.is_set():
            self._news.set()

    @property
    def lost_seconds(self) -> float:
        """How much sound never reached its file."""
        return (self._refused + self._failed) / 8000

    def flush(self, seconds: float = 5.0) -> bool:
        """Wait until all that was handed over is written. For tests and commands."""
        done = threading.Event()
        self._queue.append(done)
        self._hurry.set()
        self._news.set()
        return done.wait(seconds)

    def close(self) -> None:
        """Write what is queued, close all files, end the thread."""
        self._closing = True
        self._hurry.set()
        self._news.set()
        self._thread.join()

    # --- the thread ---------------------------------------------------------------------------

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            mend_all(self._folder)
        while not (self._closing and not self._queue):
            self._news.wait()
            self._hurry.wait(_BATCH_SECONDS)
            # Cleared before the queue is looked at, so that nothing put meanwhile is forgotten.
            self._news.clear()
            if not self._closing:
                self._hurry.clear()
            while self._queue:
                self._do(self._queue.popleft())
        for file in self._files.values():
            file.close()

    def _do(self, job: _Job | threading.Event) -> None:
        if isinstance(job, threading.Event):
            job.set()
            return
        try:
            if job.block is not None:
                self._write(job.path, job.first, job.block)
            else:
                self._end(job)
        except OSError as error:
            if self.error is None:
                log.warning("! a recording cannot be written, its call goes on: %s", error)
            self.error = error
            self._failed += job.block.size if job.block is not None else 0
        finally:
            self._done += job.block.size if job.block is not None else 0

    def _write(self, path: Path, first: int, block: Block) -> None:
        if first + block.size <= 0:
            return
        sound = block.stereo()
        if first < 0:
            # From before the recording was allowed.
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
    """Return where a call's recording is, if there is one. Raises ValueError for no call SID."""
    if not _SID.fullmatch(call_sid):
        raise ValueError(f"no call SID: {call_sid[:80]!r}")
    return folder / f"{call_sid}.wav"


def mend_all(folder: Path) -> int:
    """Mend the recordings that processes have left which are gone. Return how many it were."""
    mended = 0
    for path in folder.glob("*.wav"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _ALIVE_SECONDS:
                mended += mend(path)
    return mended
