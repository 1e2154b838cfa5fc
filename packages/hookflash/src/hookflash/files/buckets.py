"""Where files are that several nodes share: an object store, or a folder that all of them mount.

    s3://BUCKET/PREFIX      S3, and what speaks its protocol
    gs://BUCKET/PREFIX      Google Cloud Storage
    az://CONTAINER/PREFIX   Azure Blob Storage
    file:///FOLDER          a folder on a file system that every node mounts
    memory:///              memory of this process, for tests

Credentials come from the variables of the store's own tools (`AWS_ACCESS_KEY_ID`, ...) or from the
machine's role. The object stores need the extra `hookflash[files]` (obstore), which is imported
when a bucket is opened. Every method raises `OSError` if the store does not answer or refuses.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol
from urllib.parse import unquote, urlsplit

from hookflash.errors import ConfigError
from hookflash.files.stored_files import read_file
from hookflash.private_files import create_folder, open_file

if TYPE_CHECKING:
    from obstore.store import ObjectStore

SCHEMES = ("s3", "gs", "az", "file", "memory")

_CONNECT_SECONDS, _REQUEST_SECONDS, _RETRY_SECONDS = 3, 30, 10
_COPY_BYTES = 1024 * 1024


class Item(NamedTuple):
    """A file in a bucket. `modified_at` is in seconds since 1970."""

    name: str
    size: int
    modified_at: float


class Bucket(Protocol):
    """Files by name. A name is a path with `/`."""

    def list(self, folder: str) -> AsyncIterator[Item]:
        """Yield every file in a folder and its subfolders."""
        ...

    async def has(self, name: str) -> bool:
        """Return whether there is a file with this name."""
        ...

    def read(self, name: str, first: int, end: int) -> AsyncIterator[bytes]:
        """Yield the bytes of a file from `first` to `end`."""
        ...

    async def put(self, name: str, source: Path | bytes) -> None:
        """Store a file. It is complete or not there at all."""
        ...

    async def delete(self, name: str) -> None:
        """Delete a file. One that does not exist is not an error."""
        ...


def open_bucket(url: str) -> Bucket:
    """Return the bucket at `url`. No request is made. Raises `ConfigError`."""
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES:
        raise ConfigError(
            "HOOKFLASH_FILES_URL: expected an address that begins with one of"
            f" {', '.join(f'{each}://' for each in SCHEMES)}; got {url[:80]!r}"
        )
    if parts.scheme == "file":
        if parts.netloc or not parts.path.strip("/") or not parts.path.startswith("/"):
            raise ConfigError(
                "HOOKFLASH_FILES_URL: expected file:///FOLDER with the whole path of a folder, got"
                f" {url[:80]!r}"
            )
        return FolderBucket(Path(unquote(parts.path)))
    try:
        from obstore.store import from_url
    except ImportError:
        raise ConfigError(
            'HOOKFLASH_FILES_URL needs a package that is not installed: pip install "obstore>=0.8"'
        ) from None
    if parts.scheme == "memory":
        return ObjectBucket(from_url(url))
    insecure = os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://")
    try:
        store = from_url(
            url,
            client_options={
                "connect_timeout": timedelta(seconds=_CONNECT_SECONDS),
                "timeout": timedelta(seconds=_REQUEST_SECONDS),
                "allow_http": insecure,
            },
            retry_config={
                "max_retries": 3,
                "retry_timeout": timedelta(seconds=_RETRY_SECONDS),
            },
        )
    except Exception as error:
        # obstore reports each missing part of an address or of credentials as its own error.
        raise ConfigError(f"HOOKFLASH_FILES_URL: {error}") from None
    return ObjectBucket(store)


class ObjectBucket:
    """An object store, by obstore. Its requests run in obstore's own threads."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    async def list(self, folder: str) -> AsyncIterator[Item]:
        import obstore

        with _os_errors("list", folder):
            async for page in obstore.list(self._store, prefix=folder):
                for each in page:
                    yield Item(each["path"], each["size"], each["last_modified"].timestamp())

    async def has(self, name: str) -> bool:
        import obstore

        with _os_errors("find", name):
            try:
                await obstore.head_async(self._store, name)
            except FileNotFoundError:
                return False
        return True

    async def read(self, name: str, first: int, end: int) -> AsyncIterator[bytes]:
        import obstore

        if first >= end:
            return
        with _os_errors("read", name):
            found = await obstore.get_async(self._store, name, options={"range": (first, end)})
            async for piece in found.stream():
                yield bytes(piece)

    async def put(self, name: str, source: Path | bytes) -> None:
        import obstore

        with _os_errors("write", name):
            await obstore.put_async(self._store, name, source)

    async def delete(self, name: str) -> None:
        import obstore

        with _os_errors("delete", name), contextlib.suppress(FileNotFoundError):
            await obstore.delete_async(self._store, name)


class FolderBucket:
    """A folder that every node mounts. Its files are private to their owner."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def list(self, folder: str) -> AsyncIterator[Item]:
        for item in await asyncio.to_thread(lambda: list(self._items(folder))):
            yield item

    async def has(self, name: str) -> bool:
        return await asyncio.to_thread((self._folder / name).is_file)

    async def read(self, name: str, first: int, end: int) -> AsyncIterator[bytes]:
        async for piece in read_file(self._folder / name, first, end):
            yield piece

    async def put(self, name: str, source: Path | bytes) -> None:
        await asyncio.to_thread(self._put, self._folder / name, source)

    async def delete(self, name: str) -> None:
        await asyncio.to_thread(self._delete, self._folder / name)

    def _items(self, folder: str) -> Iterator[Item]:
        for path in sorted((self._folder / folder).rglob("*")):
            with contextlib.suppress(FileNotFoundError):
                about = path.stat()
                if path.is_file() and not path.name.startswith("."):
                    name = path.relative_to(self._folder).as_posix()
                    yield Item(name, about.st_size, about.st_mtime)

    def _put(self, path: Path, source: Path | bytes) -> None:
        create_folder(path.parent)
        # Renamed when it is complete. Nodes that write the same file write the same content.
        unfinished = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            with open_file(unfinished, "wb") as file:
                if isinstance(source, bytes):
                    file.write(source)
                else:
                    with source.open("rb") as original:
                        while piece := original.read(_COPY_BYTES):
                            file.write(piece)
            unfinished.replace(path)
        except OSError:
            unfinished.unlink(missing_ok=True)
            raise

    def _delete(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        # The folder of a call, when its last file is gone.
        with contextlib.suppress(OSError):
            if path.parent != self._folder:
                path.parent.rmdir()


@contextlib.contextmanager
def _os_errors(action: str, name: str) -> Iterator[None]:
    """Raise what obstore raises as `OSError`."""
    from obstore.exceptions import BaseError

    try:
        yield
    except BaseError as error:
        text: Any = str(error).split("\n", 1)[0]
        raise OSError(f"the file store did not {action} {name}: {text}") from error
