"""Where workers find one another, and who else may."""

from __future__ import annotations

import socket
import tempfile
from pathlib import Path

import pytest

from hookflash.cluster.worker_sockets import NAME, WorkerSockets, new_name
from hookflash.errors import ConfigError

URL = "https://line.example.com"


def test_names_are_never_used_again_and_fit_into_an_address() -> None:
    names = {new_name(1) for _ in range(100)}
    assert len(names) == 100
    assert all(NAME.fullmatch(name) and name.startswith("w1-") for name in names)


def test_workers_of_the_same_line_see_one_another_and_those_of_another_line_do_not(
    tmp_path: Path,
) -> None:
    here, same = (
        WorkerSockets(tmp_path, public_url=URL),
        WorkerSockets(tmp_path, public_url=f"{URL}/"),
    )
    other = WorkerSockets(tmp_path, public_url="https://other.example.com")
    here.request_path("w1").touch()
    here.media_path("w1").touch()
    other.request_path("w2").touch()
    assert same.names() == ["w1"]
    assert other.names() == ["w2"]
    assert same.claims == other.claims == tmp_path / "workers" / "claims"
    same.remove("w1")
    same.remove("w1")
    assert (here.names(), other.names()) == ([], ["w2"])


def test_the_folder_is_its_owners_alone(tmp_path: Path) -> None:
    (tmp_path / "workers").mkdir(mode=0o755)
    WorkerSockets(tmp_path, public_url=URL)
    for folder in (tmp_path / "workers", tmp_path / "workers" / "claims"):
        assert folder.stat().st_mode & 0o777 == 0o700


def test_a_folder_that_is_no_folder_of_ours_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "workers").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="belongs to another user"):
        WorkerSockets(tmp_path, public_url=URL)


def test_a_folder_that_cannot_be_made_names_the_setting(tmp_path: Path) -> None:
    (tmp_path / "workers").touch()
    with pytest.raises(ConfigError, match="HOOKFLASH_DATA_DIR"):
        WorkerSockets(tmp_path, public_url=URL)


def test_a_data_folder_with_a_long_path_has_short_addresses_that_all_agree_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tempfile.TemporaryDirectory() as short:
        monkeypatch.setattr(tempfile, "gettempdir", lambda: short)
        data = tmp_path / ("d" * 60) / ("e" * 60)
        one, two = WorkerSockets(data, public_url=URL), WorkerSockets(data, public_url=URL)
        assert one.request_path("w1") == two.request_path("w1")
        assert one.claims.is_relative_to(data)
        name = "w" * 24
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(one.request_path(name)))
            assert two.names() == [name]
            two.remove(name)
        assert list(Path(short).iterdir()) == []
        one.prepare()
        assert one.names() == []
