from __future__ import annotations

import base64
import threading
import time
from pathlib import Path
from random import Random, SystemRandom

import pytest

from hookflash.world import SYSTEM, ThreadQueue, WorkQueue, url_token


class Worker:
    """Keeps the batches that it is given, and waits in each until it may go on."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.busy, self.go_on = threading.Event(), threading.Event()
        self.said: list[str] = []

    def __call__(self, items: list[int]) -> None:
        self.busy.set()
        assert self.go_on.wait(10)
        self.batches.append(items)

    def queue(self, batch_seconds: float = 0.0) -> WorkQueue[int]:
        return SYSTEM.queue(
            "test",
            self,
            batch_seconds=batch_seconds,
            begin=lambda: self.said.append("begin"),
            end=lambda: self.said.append("end"),
        )


def test_the_items_that_wait_are_one_batch() -> None:
    worker = Worker()
    queue = worker.queue()
    queue.put(1)
    assert worker.busy.wait(10)
    for item in range(2, 6):
        queue.put(item)
    worker.go_on.set()
    assert queue.flush(10)
    assert worker.batches == [[1], [2, 3, 4, 5]]
    queue.close()


def test_closing_works_off_what_was_put() -> None:
    worker = Worker()
    worker.go_on.set()
    queue = worker.queue(batch_seconds=60.0)
    queue.put(1)
    queue.put(2)
    queue.close()
    assert [item for batch in worker.batches for item in batch] == [1, 2]
    assert worker.said == ["begin", "end"]


def test_an_urgent_item_does_not_wait_for_others() -> None:
    worker = Worker()
    worker.go_on.set()
    queue = worker.queue(batch_seconds=60.0)
    queue.put(1)
    queue.put(2, urgent=True)
    assert worker.busy.wait(10)
    assert queue.flush(10)
    assert [item for batch in worker.batches for item in batch] == [1, 2]
    queue.close()


def test_a_flush_gives_up_after_its_time() -> None:
    worker = Worker()
    queue = worker.queue()
    queue.put(1)
    assert not queue.flush(0.01)
    worker.go_on.set()
    assert queue.flush(10)
    queue.close()


def test_a_queue_needs_neither_begin_nor_end() -> None:
    done: list[int] = []
    queue = ThreadQueue("test", done.extend, batch_seconds=0.0)
    queue.put(1)
    queue.close()
    assert done == [1]


def test_the_machines_clocks_go_on() -> None:
    assert SYSTEM.wall() == pytest.approx(time.time(), abs=5.0)
    before = SYSTEM.monotonic()
    assert SYSTEM.monotonic() >= before


def test_the_machines_entropy_cannot_be_seeded() -> None:
    stream = SYSTEM.entropy("anything")
    assert isinstance(stream, SystemRandom)
    stream.seed(1)
    first = stream.randbytes(16)
    stream.seed(1)
    assert stream.randbytes(16) != first


def test_a_thread_does_not_keep_the_process_alive() -> None:
    found: list[tuple[str, bool]] = []
    done = threading.Event()

    def run() -> None:
        current = threading.current_thread()
        found.append((current.name, current.daemon))
        done.set()

    SYSTEM.start_thread(run, "hookflash-test")
    assert done.wait(10)
    assert found == [("hookflash-test", True)]


def test_the_file_system_stamps_files_and_the_driver_opens_databases(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    before = file.stat().st_mtime_ns
    SYSTEM.stamp(file)
    assert file.stat().st_mtime_ns == before
    assert SYSTEM.sqlite is None


def test_a_token_is_its_bytes_without_padding() -> None:
    token = url_token(Random(1), 32)
    assert len(token) == 43
    assert base64.urlsafe_b64decode(token + "=") == Random(1).randbytes(32)
