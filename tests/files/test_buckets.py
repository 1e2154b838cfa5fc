"""Every kind of bucket does the same: an S3 that checks signatures, memory, and a folder."""

from __future__ import annotations

import asyncio
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.files.s3_server import BUCKET, S3Server

from hookflash.errors import ConfigError
from hookflash.files.buckets import Bucket, open_bucket


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    server = S3Server()
    for name, value in server.variables.items():
        monkeypatch.setenv(name, value)
    yield server
    server.close()


async def names(bucket: Bucket, folder: str) -> list[tuple[str, int]]:
    return [(item.name, item.size) async for item in bucket.list(folder)]


async def exercise(bucket: Bucket, folder: Path) -> None:
    """Do all that a bucket is for."""
    (folder / "source").write_bytes(b"from a file")
    assert not await bucket.has("journals/CA1/a.jsonl")
    await bucket.put("journals/CA1/a.jsonl", b"0123456789")
    await bucket.put("journals/CA1/b.jsonl", folder / "source")
    await bucket.put("journals/CA12/a.jsonl", b"")
    assert await bucket.has("journals/CA1/a.jsonl")
    assert await names(bucket, "journals/CA1") == [
        ("journals/CA1/a.jsonl", 10),
        ("journals/CA1/b.jsonl", 11),
    ]
    assert len(await names(bucket, "journals")) == 3
    assert await names(bucket, "recordings") == []
    read = [piece async for piece in bucket.read("journals/CA1/a.jsonl", 3, 7)]
    assert b"".join(read) == b"3456"
    assert [piece async for piece in bucket.read("journals/CA1/a.jsonl", 3, 3)] == []
    await bucket.put("journals/CA1/a.jsonl", b"new")
    assert [piece async for piece in bucket.read("journals/CA1/a.jsonl", 0, 3)] == [b"new"]
    with pytest.raises(OSError):
        [piece async for piece in bucket.read("journals/CA9/a.jsonl", 0, 1)]
    for _ in range(2):
        # The second time, it is gone already.
        await bucket.delete("journals/CA1/a.jsonl")
    assert await names(bucket, "journals/CA1") == [("journals/CA1/b.jsonl", 11)]


async def test_a_folder_is_a_bucket_and_its_files_are_private(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    bucket = open_bucket(shared.as_uri())
    await exercise(bucket, tmp_path)
    assert {path.stat().st_mode & 0o777 for path in shared.rglob("*") if path.is_file()} == {0o600}
    assert {path.stat().st_mode & 0o777 for path in shared.rglob("*") if path.is_dir()} == {0o700}
    await bucket.delete("journals/CA1/b.jsonl")
    assert not (shared / "journals" / "CA1").exists()


async def test_a_file_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    bucket = open_bucket((tmp_path / "shared").as_uri())
    with pytest.raises(OSError):
        await bucket.put("journals/CA1/a.jsonl", tmp_path / "nothing")
    assert not [path for path in (tmp_path / "shared").rglob("*") if path.is_file()]


@pytest.mark.realtime
async def test_memory_is_a_bucket(tmp_path: Path) -> None:
    await exercise(open_bucket("memory:///"), tmp_path)


@pytest.mark.realtime
async def test_s3_is_a_bucket_and_every_request_is_signed(s3: S3Server, tmp_path: Path) -> None:
    await exercise(open_bucket(f"s3://{BUCKET}/line"), tmp_path)
    assert s3.objects.keys() == {"line/journals/CA1/b.jsonl", "line/journals/CA12/a.jsonl"}
    assert s3.unsigned == 0
    assert len(s3.requests) > 10


@pytest.mark.realtime
async def test_a_store_that_refuses_raises_os_errors(
    s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    bucket = open_bucket(f"s3://{BUCKET}")
    with pytest.raises(OSError, match="the file store did not write journals/CA1/a.jsonl"):
        await bucket.put("journals/CA1/a.jsonl", b"")
    with pytest.raises(OSError, match="the file store did not find journals/CA1/a.jsonl"):
        await bucket.has("journals/CA1/a.jsonl")
    with pytest.raises(OSError, match="the file store did not list journals"):
        await names(bucket, "journals")
    with pytest.raises(OSError, match="the file store did not delete journals/CA1/a.jsonl"):
        await bucket.delete("journals/CA1/a.jsonl")
    assert s3.objects == {}
    assert s3.unsigned >= 4


@pytest.mark.parametrize(
    "url", ["ftp://host/x", "s3", "file://host/x", "file:///", "file:relative"]
)
def test_an_address_that_is_no_bucket_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="HOOKFLASH_FILES_URL: expected"):
        open_bucket(url)


def test_without_the_package_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "obstore.store", None)
    with pytest.raises(ConfigError, match=r'pip install "obstore>=0.8"'):
        open_bucket("s3://calls")


def test_the_package_is_imported_only_where_it_is_used() -> None:
    module = importlib.import_module("hookflash.files.buckets")
    assert not {"obstore", "from_url"} & vars(module).keys()
    assert asyncio.iscoroutinefunction(module.FolderBucket.put)
