"""Files that every node reads, deletes and uploads, over a folder that is shared."""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator, Collection
from pathlib import Path

import pytest

from hookflash.files.buckets import FolderBucket, Item
from hookflash.files.shared_files import SharedFiles, open_files
from hookflash.files.stored_files import DataFolder, Kind
from hookflash.files.uploads import (
    ABANDONED_SECONDS,
    ERASED_CHECK_SECONDS,
    LATE_SECONDS,
    MARKER_SECONDS,
    QUIET_SECONDS,
    Uploads,
)
from hookflash.runtime.wav import header

NOW = 1_790_000_000.0
DAY = 86_400.0


class Faulty(FolderBucket):
    """A shared folder that can be unreachable."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.down = False
        self.before_put: Node | None = None

    def list(self, folder: str) -> AsyncIterator[Item]:
        self._check()
        return super().list(folder)

    async def has(self, name: str) -> bool:
        self._check()
        return await super().has(name)

    async def put(self, name: str, source: Path | bytes) -> None:
        self._check()
        if self.before_put is not None:
            eraser, self.before_put = self.before_put, None
            await eraser.files.delete("CA1")
        await super().put(name, source)

    def _check(self) -> None:
        if self.down:
            raise OSError("the network is down")


class Node:
    """A node: its data folder, the bucket of all of them, and the calls that have a record."""

    def __init__(self, folder: Path, bucket: Faulty, stored: set[str]) -> None:
        self.folder = folder
        self.local = DataFolder(folder)
        self.bucket = bucket
        self.files = SharedFiles(self.local, bucket)
        self.now = NOW
        self.held: set[str] = set()
        self._records = stored
        self.database_down = False
        for kind in ("journals", "recordings"):
            (folder / kind).mkdir(parents=True)
        self.uploads = self.started()

    def started(self) -> Uploads:
        return Uploads(
            self.local,
            self.bucket,
            stored=self._stored,
            is_held=self.held.__contains__,
            is_over=lambda journal: b"end" in journal,
            wall=lambda: self.now,
        )

    async def _stored(self, call_sids: Collection[str]) -> set[str]:
        if self.database_down:
            raise RuntimeError("no database")
        return self._records & set(call_sids)

    def write(self, kind: Kind, call_sid: str, data: bytes, *, age: float = 60.0) -> Path:
        path = self.local.path(kind, call_sid)
        assert path is not None
        path.write_bytes(data)
        os.utime(path, (self.now - age, self.now - age))
        return path

    async def read(self, kind: Kind, call_sid: str) -> bytes | None:
        found = await self.files.find(kind, call_sid)
        return await found.whole() if found is not None else None

    def here(self) -> set[str]:
        return {path.name for path in self.folder.rglob("*") if path.is_file()}


@pytest.fixture
def shared(tmp_path: Path) -> Faulty:
    return Faulty(tmp_path / "shared")


@pytest.fixture
def records() -> set[str]:
    return {"CA1"}


@pytest.fixture
def one(tmp_path: Path, shared: Faulty, records: set[str]) -> Node:
    return Node(tmp_path / "one", shared, records)


@pytest.fixture
def two(tmp_path: Path, shared: Faulty, records: set[str]) -> Node:
    return Node(tmp_path / "two", shared, records)


def in_bucket(tmp_path: Path) -> list[str]:
    found = (tmp_path / "shared").rglob("*")
    return sorted(
        path.relative_to(tmp_path / "shared").parts[0] for path in found if path.is_file()
    )


async def test_a_finished_file_is_read_on_every_node(one: Node, two: Node) -> None:
    one.write("journals", "CA1", b"end\n")
    one.write("recordings", "CA1", b"0123456789")
    assert await two.read("journals", "CA1") is None
    assert await one.read("journals", "CA1") == b"end\n"
    await one.uploads.sweep()
    assert await two.read("journals", "CA1") == b"end\n"
    found = await two.files.find("recordings", "CA1")
    assert found is not None
    assert b"".join([piece async for piece in found.read(2, 5)]) == b"234"
    assert await two.read("journals", "CA2") is None
    assert await two.read("journals", "../CA1") is None
    assert open_files(one.folder, None).__class__ is DataFolder


async def test_what_may_not_be_finished_is_not_uploaded(
    one: Node, tmp_path: Path, records: set[str]
) -> None:
    one.write("recordings", "CA1", b"1", age=QUIET_SECONDS - 1)
    one.write("journals", "CA2", b"no record")
    await one.uploads.sweep()
    assert in_bucket(tmp_path) == []
    records.add("CA2")
    one.write("journals", "CA3", b"its process died", age=ABANDONED_SECONDS + 1)
    await one.uploads.sweep()
    assert in_bucket(tmp_path) == ["journals", "journals"]
    assert one.uploads.waiting == 0


async def test_a_file_stays_here_for_late_requests_and_is_deleted_then(
    one: Node, two: Node, tmp_path: Path
) -> None:
    path = one.write("journals", "CA1", b"end\n")
    one.write("recordings", "CA1", b"sound")
    await one.uploads.sweep()
    assert one.here() == {"CA1.jsonl", "CA1.wav"}
    # A late request goes on with it.
    path.write_bytes(b"end\nlate\n")
    os.utime(path, (one.now + 600, one.now + 600))
    one.now += LATE_SECONDS["journals"]
    one.held.add("CA1")
    await one.uploads.sweep()
    assert one.here() == {"CA1.jsonl", "CA1.wav"}
    one.held.clear()
    await one.uploads.sweep()
    assert one.here() == {"CA1.jsonl"}
    one.now += LATE_SECONDS["journals"]
    await one.uploads.sweep()
    assert one.here() == set()
    assert in_bucket(tmp_path) == ["journals", "recordings"]
    assert await two.read("journals", "CA1") == b"end\nlate\n"


async def test_the_files_of_a_call_that_is_live_again_stay_here(one: Node) -> None:
    one.write("journals", "CA1", b"goes on\n", age=LATE_SECONDS["journals"] + 1)
    one.write("recordings", "CA1", b"sound", age=LATE_SECONDS["recordings"] + 1)
    await one.uploads.sweep()
    assert one.here() == {"CA1.jsonl", "CA1.wav"}
    # Unless it went on on another node, because this one was killed.
    one.now += ABANDONED_SECONDS
    await one.uploads.sweep()
    assert one.here() == set()


async def test_nothing_is_lost_while_the_store_is_unreachable(
    one: Node, two: Node, shared: Faulty, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    path = one.write("journals", "CA1", b"end\n", age=LATE_SECONDS["journals"] + 1)
    shared.down = True
    for _ in range(3):
        await one.uploads.sweep()
    assert path.read_bytes() == b"end\n"
    assert one.uploads.waiting == 1
    with pytest.raises(OSError):
        await two.read("journals", "CA1")
    shared.down = False
    await one.uploads.sweep()
    assert await two.read("journals", "CA1") == b"end\n"
    said = [record.message for record in caplog.records]
    assert len(said) == 2, said
    assert "the network is down; 1 files of ended calls wait" in said[0]
    assert said[1] == "files: uploads to HOOKFLASH_FILES_URL succeed again"


async def test_without_a_database_files_wait(one: Node, tmp_path: Path) -> None:
    one.write("journals", "CA1", b"end\n")
    one.database_down = True
    await one.uploads.sweep()
    assert in_bucket(tmp_path) == []
    one.database_down = False
    await one.uploads.sweep()
    assert in_bucket(tmp_path) == ["journals"]


async def test_one_file_that_cannot_be_read_does_not_hold_up_the_others(
    one: Node, tmp_path: Path, records: set[str]
) -> None:
    records.add("CA2")
    (one.folder / "journals" / "CA1.jsonl").mkdir()
    os.utime(one.folder / "journals" / "CA1.jsonl", (NOW - 60, NOW - 60))
    one.write("journals", "CA2", b"end\n")
    await one.uploads.sweep()
    assert in_bucket(tmp_path) == ["journals"]


async def test_an_upload_that_is_repeated_changes_nothing(one: Node, tmp_path: Path) -> None:
    one.write("journals", "CA1", b"end\n")
    await one.uploads.sweep()
    # The process ended before it could delete the file.
    one.uploads = one.started()
    await one.uploads.sweep()
    assert in_bucket(tmp_path) == ["journals"]


async def test_the_parts_of_a_call_that_went_on_elsewhere_are_joined(one: Node, two: Node) -> None:
    one.write("journals", "CA1", b'{"journal":5}\n{"at":1.0}\n')
    two.write("journals", "CA1", b'{"at":2.0,"version":5}\nend\n')
    one.write("recordings", "CA1", header(160) + b"a" * 320)
    two.write("recordings", "CA1", header(320) + b"\xff" * 320 + b"b" * 320)
    await two.uploads.sweep()
    whole = b'{"journal":5}\n{"at":1.0}\n{"at":2.0,"version":5}\nend\n'
    # Before its own part is uploaded, and afterwards.
    assert await one.read("journals", "CA1") == whole
    await one.uploads.sweep()
    for node in (one, two):
        assert await node.read("journals", "CA1") == whole
        sound = await node.read("recordings", "CA1")
        assert sound == header(320) + b"a" * 320 + b"b" * 320
    assert await two.files.delete("CA1") == {"journals", "recordings"}


async def test_an_erased_call_is_gone_everywhere(
    one: Node, two: Node, tmp_path: Path, records: set[str]
) -> None:
    one.write("journals", "CA1", b"end\n")
    await one.uploads.sweep()
    assert await two.files.delete("CA1") == {"journals"}
    assert await two.files.delete("../CA1") == set()
    assert in_bucket(tmp_path) == ["erased"]
    assert "CA1" not in str(list((tmp_path / "shared").rglob("*")))
    # The other node still has its journal, and a part that was not uploaded. It deletes both.
    one.write("recordings", "CA1", b"sound")
    records.clear()
    await one.uploads.sweep()
    assert one.here() == {"CA1.jsonl", "CA1.wav"}
    one.now += ERASED_CHECK_SECONDS
    await one.uploads.sweep()
    assert one.here() == set()
    # A node that was down meanwhile does so when it starts.
    one.write("recordings", "CA1", b"sound", age=DAY + 1)
    await one.started().sweep()
    assert one.here() == set()
    assert in_bucket(tmp_path) == ["erased"]


async def test_a_call_that_is_erased_during_its_upload_is_gone(
    one: Node, two: Node, shared: Faulty, tmp_path: Path
) -> None:
    one.write("journals", "CA1", b"end\n")
    shared.before_put = two
    await one.uploads.sweep()
    assert in_bucket(tmp_path) == ["erased"]
    assert one.here() == set()


async def test_erasing_fails_loudly_if_the_store_does_not_answer(one: Node, shared: Faulty) -> None:
    path = one.write("journals", "CA1", b"end\n")
    shared.down = True
    with pytest.raises(OSError):
        await one.files.delete("CA1")
    assert path.exists()


async def test_old_files_are_deleted_here_and_there(
    one: Node, two: Node, tmp_path: Path, records: set[str]
) -> None:
    records.update({"CA2", "CA3"})
    for number, age in enumerate((10 * DAY, 10 * DAY, 60.0), start=1):
        one.write("recordings", f"CA{number}", b"sound", age=age)
    two.write("recordings", "CA4", b"not uploaded", age=10 * DAY)
    for _ in range(2):
        await one.uploads.sweep()
    for path in (tmp_path / "shared" / "recordings" / "CA1").iterdir():
        os.utime(path, (NOW - 9 * DAY, NOW - 9 * DAY))
    for path in (tmp_path / "shared" / "recordings" / "CA3").iterdir():
        os.utime(path, (NOW, NOW))
    assert await two.files.delete_older("recordings", NOW - 5 * DAY) == 2
    assert two.here() == set()
    assert await two.read("recordings", "CA1") is None
    assert await two.read("recordings", "CA3") == b"sound"


async def test_markers_of_erased_calls_are_deleted_after_a_year(one: Node, tmp_path: Path) -> None:
    await one.files.delete("CA1")
    (marker,) = (tmp_path / "shared" / "erased").iterdir()
    os.utime(marker, (NOW, NOW))
    await one.uploads.sweep()
    assert marker.exists()
    one.now += MARKER_SECONDS + 1
    await one.uploads.sweep()
    assert not marker.exists()


async def test_the_last_files_are_uploaded_when_the_process_ends(
    one: Node, two: Node, tmp_path: Path, shared: Faulty, caplog: pytest.LogCaptureFixture
) -> None:
    one.uploads.start()
    one.write("journals", "CA1", b"end\n", age=0.0)
    await one.uploads.aclose()
    assert in_bucket(tmp_path) == ["journals"]
    two.uploads.start()
    two.write("recordings", "CA1", b"sound", age=0.0)
    shared.down = True
    await two.uploads.aclose()
    assert "1 files of ended calls are not in HOOKFLASH_FILES_URL yet" in caplog.text
    assert two.here() == {"CA1.wav"}
    await one.started().aclose()
