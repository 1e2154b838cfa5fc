"""Files and folders of the data folder are private, whatever the umask and their modes before."""

from __future__ import annotations

import ast
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hookflash import private_files
from hookflash.console.sessions import read_secret
from hookflash.private_files import (
    create_folder,
    make_file,
    make_folder,
    open_descriptor,
    open_file,
    restrict,
    restrict_trees,
    write_file,
)
from hookflash.runtime.wav import WavFile
from hookflash.stores.records import open_store

SRC = Path(__file__).parent.parent / "packages" / "hookflash" / "src" / "hookflash"
HOME = "private_files.py"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def modes(folder: Path) -> dict[str, int]:
    """Return what is in a folder, with each mode that is not private."""
    wanted = {True: 0o700, False: 0o600}
    found = {path: mode(path) for path in folder.rglob("*")}
    assert found, "there is nothing in it"
    return {
        path.relative_to(folder).as_posix(): bits
        for path, bits in found.items()
        if bits != wanted[path.is_dir()]
    }


@pytest.fixture(params=[0o000, 0o022, 0o377], ids="umask-{:03o}".format)
def umask(request: Any) -> Iterator[int]:
    """Nothing is taken away, the usual, and so much that the owner could not read the file."""
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


# --- what is created ------------------------------------------------------------------------------


def test_what_is_created_is_private_whatever_the_umask(umask: int, tmp_path: Path) -> None:
    data = tmp_path / "srv" / "data"
    assert not make_folder(data / "journals")
    assert create_folder(data / "speech" / "en")
    with open_file(data / "appended", "a+b", 0) as file:
        file.write(b"1")
    with open_file(data / "text", "w") as file:
        file.write("\u00e9")
    with open_file(data / "new", "xb"):
        pass
    os.close(open_descriptor(data / "claimed", os.O_CREAT | os.O_RDWR))
    write_file(data / "bytes", b"2")
    write_file(data / "words", "\u00e9")
    make_file(data / "made")
    recording = WavFile(data / "recording.wav")
    recording.close()
    read_secret(data)
    assert modes(tmp_path) == {}
    assert (data / "text").read_bytes() == (data / "words").read_bytes() == "\u00e9".encode()


async def test_the_database_and_its_other_files_are_private(umask: int, tmp_path: Path) -> None:
    store = await open_store(f"sqlite:///{tmp_path}/data/hookflash.db")
    try:
        assert await store.get("CA1") is None
        assert {path.name for path in (tmp_path / "data").iterdir()} == {
            "hookflash.db",
            "hookflash.db-wal",
            "hookflash.db-shm",
        }
        assert modes(tmp_path) == {}
    finally:
        await store.close()


@pytest.fixture
def shared_folder(tmp_path: Path) -> Path:
    """A folder that other programs use as well, with a database in it."""
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o755)
    for name in ("calls.db", "calls.db-journal"):
        (folder / name).touch()
        (folder / name).chmod(0o644)
    return folder


async def test_the_folder_of_a_database_elsewhere_keeps_its_mode(shared_folder: Path) -> None:
    store = await open_store(f"sqlite:///{shared_folder}/calls.db")
    await store.close()
    assert mode(shared_folder) == 0o755
    assert modes(shared_folder) == {}


def test_a_file_that_exists_is_restricted_when_it_is_opened(tmp_path: Path) -> None:
    for name in ("appended", "written", "made"):
        (tmp_path / name).write_bytes(b"1")
        (tmp_path / name).chmod(0o666)
    with open_file(tmp_path / "appended", "ab") as file:
        file.write(b"2")
    write_file(tmp_path / "written", b"2")
    make_file(tmp_path / "made")
    assert modes(tmp_path) == {}
    contents = [(tmp_path / name).read_bytes() for name in ("appended", "written", "made")]
    assert contents == [b"12", b"2", b"1"]


def test_a_device_keeps_its_mode() -> None:
    before = os.stat(os.devnull).st_mode
    with open_file(Path(os.devnull), "wb") as file:
        file.write(b"1")
    assert os.stat(os.devnull).st_mode == before


# --- what was there before ------------------------------------------------------------------------


def test_a_folder_that_exists_is_restricted_and_said_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    folder.chmod(0o755)
    tmp_path.chmod(0o755)
    assert make_folder(folder)
    assert (mode(folder), mode(tmp_path)) == (0o700, 0o755)
    assert caplog.messages == [
        f"! {folder} could be read by other users of this machine (mode 0755); its mode is now 0700"
    ]
    assert not make_folder(folder)
    assert len(caplog.messages) == 1


def test_a_folder_elsewhere_that_exists_is_left_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tmp_path.chmod(0o755)
    assert not create_folder(tmp_path)
    assert (mode(tmp_path), caplog.messages) == (0o755, [])


def test_a_folder_of_another_user_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o755)
    owner = tmp_path.stat().st_uid
    monkeypatch.setattr(private_files.os, "geteuid", lambda: owner + 1)
    assert make_folder(tmp_path)
    assert mode(tmp_path) == 0o755
    assert caplog.messages == [
        f"! {tmp_path} belongs to user {owner}, who can read the calls in it; change its owner to"
        f" user {owner + 1}, or set HOOKFLASH_DATA_DIR to another folder"
    ]


def test_a_folder_whose_mode_cannot_be_changed_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o755)

    def refused(self: Path, mode: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "chmod", refused)
    assert make_folder(tmp_path)
    (said,) = caplog.messages
    assert said == (
        f"! {tmp_path} can be read by other users of this machine (mode 0755), and its mode cannot"
        " be changed: Operation not permitted; set HOOKFLASH_DATA_DIR to a folder that allows mode"
        " 0700"
    )


def test_what_an_earlier_version_has_created_is_restricted_in_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    journals, secret = tmp_path / "journals", tmp_path / "secret"
    (journals / "old").mkdir(parents=True)
    for path in (journals / "CA1.jsonl", journals / "old" / "CA2.jsonl", secret):
        path.touch()
        path.chmod(0o644)
    for path in (journals, journals / "old"):
        path.chmod(0o755)
    outside = tmp_path / "outside"
    outside.touch()
    outside.chmod(0o644)
    (journals / "link").symlink_to(outside)
    assert restrict_trees([journals, secret, tmp_path / "missing"]) == 5
    assert modes(journals) == {"link": 0o644}
    assert (mode(journals), mode(secret), mode(outside)) == (0o700, 0o600, 0o644)
    assert caplog.messages == [
        "! 5 files and folders could be read by other users of this machine, such as"
        f" {journals}; they are private now"
    ]
    assert restrict_trees([journals, secret]) == 0
    assert len(caplog.messages) == 1


def test_what_cannot_be_restricted_is_warned_of_in_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        (tmp_path / name).touch()
        (tmp_path / name).chmod(0o640)

    def refused(self: Path, mode: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "chmod", refused)
    assert restrict_trees([tmp_path]) == 0
    (said,) = caplog.messages
    assert said.startswith("! 2 files and folders can be read by other users of this machine and")
    assert "Operation not permitted" in said


def test_a_narrower_mode_stays(tmp_path: Path) -> None:
    file = tmp_path / "read-only"
    file.touch(0o400)
    assert not restrict(file)
    assert mode(file) == 0o400
    file.chmod(0o444)
    assert restrict(file)
    assert mode(file) == 0o400


# --- one place ------------------------------------------------------------------------------------

_MAKERS = frozenset(
    "mkdir makedirs touch write_text write_bytes mkstemp mkfifo NamedTemporaryFile umask".split()
)


def creations(tree: ast.Module) -> Iterator[str]:
    """Yield the calls of a module that may create a file or folder."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        name = called.rpartition(".")[2]
        if name in _MAKERS or called in ("os.open", "io.open", "wave.open", "open"):
            yield ast.unparse(node)
        elif name == "open" and node.args and isinstance(node.args[0], ast.Constant):
            # `path.open("a")`: a mode that only reads creates nothing.
            if str(node.args[0].value) not in ("r", "rb"):
                yield ast.unparse(node)


@pytest.mark.parametrize(
    "path", [each.relative_to(SRC).as_posix() for each in sorted(SRC.rglob("*.py"))]
)
def test_no_other_module_creates_files_or_folders(path: str) -> None:
    found = set(creations(ast.parse((SRC / path).read_text())))
    if path == HOME:
        assert found, "this test finds nothing any more"
        return
    assert not found


@pytest.mark.parametrize(
    "source",
    [
        "folder.mkdir(parents=True)",
        "path.open('a+b', buffering=0)",
        "open(path, 'w')",
        "os.open(path, flags, 0o600)",
        "path.write_bytes(data)",
    ],
)
def test_a_creation_is_found(source: str) -> None:
    assert list(creations(ast.parse(source))) != []


def test_reading_is_no_creation() -> None:
    assert list(creations(ast.parse("path.open('rb'); path.read_bytes(); store.open(setup)"))) == []
