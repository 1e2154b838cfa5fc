from __future__ import annotations

import base64
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hookflash.console.people import People, Person
from hookflash.console.sessions import SECRET_FILE, Sessions, read_secret
from hookflash.errors import ConfigError

ANNA = Person(name="anna", role="supervisor", password="kept")
PEOPLE = People({"anna": ANNA})


@pytest.fixture
def sessions() -> Sessions:
    return Sessions(b"s" * 32, seconds=60.0)


def test_a_cookie_says_who_has_signed_in_until_it_runs_out(sessions: Sessions) -> None:
    cookie, ticket = sessions.begin(ANNA, 1000.0)
    assert sessions.read(cookie, PEOPLE, 1059.0) == (ANNA, ticket)
    assert sessions.read(cookie, PEOPLE, 1060.0) is None


def test_a_cookie_that_was_changed_or_made_elsewhere_is_nobody(sessions: Sessions) -> None:
    cookie, _ = sessions.begin(ANNA, 1000.0)
    payload, _, mac = cookie.partition(".")
    later = base64.urlsafe_b64decode(payload).replace(b"1060", b"9060")
    forged = [
        "",
        ".",
        payload,
        f"{payload}.",
        f"{payload}.{mac[:-1]}0" if mac[-1] != "0" else f"{payload}.{mac[:-1]}1",
        f"{base64.urlsafe_b64encode(later).decode()}.{mac}",
        f"!!!.{mac}",
        f"{base64.urlsafe_b64encode(b'{}').decode()}.{mac}",
        "é." + mac,
        "x" * 5000,
        Sessions(b"t" * 32, seconds=60.0).begin(ANNA, 1000.0)[0],
    ]
    for each in forged:
        assert sessions.read(each, PEOPLE, 1001.0) is None, each


def test_another_password_or_none_ends_every_session(sessions: Sessions) -> None:
    cookie, _ = sessions.begin(ANNA, 1000.0)
    changed = Person(name="anna", role="supervisor", password="another")
    assert sessions.read(cookie, People({"anna": changed}), 1001.0) is None
    assert sessions.read(cookie, People(), 1001.0) is None


def test_a_role_is_that_of_the_file_and_not_of_the_cookie(sessions: Sessions) -> None:
    cookie, _ = sessions.begin(ANNA, 1000.0)
    viewer = Person(name="anna", role="viewer", password="kept")
    found = sessions.read(cookie, People({"anna": viewer}), 1001.0)
    assert found is not None and found[0].role == "viewer"


def test_each_session_has_its_own_csrf_token(sessions: Sessions) -> None:
    one, other = (sessions.begin(ANNA, 1000.0)[1] for _ in range(2))
    assert sessions.csrf(one.id) != sessions.csrf(other.id)
    assert sessions.csrf(one.id) == sessions.csrf(one.id)


def test_processes_that_start_together_find_one_secret_that_nobody_else_reads(
    tmp_path: Path,
) -> None:
    with ThreadPoolExecutor(8) as pool:
        secrets = set(pool.map(lambda _: read_secret(tmp_path), range(16)))
    assert len(secrets) == 1
    assert stat.S_IMODE((tmp_path / SECRET_FILE).stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == [SECRET_FILE]


def test_a_secret_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / SECRET_FILE).write_bytes(b"short")
    with pytest.raises(ConfigError, match="expected 32 bytes"):
        read_secret(tmp_path)
    with pytest.raises(ConfigError, match="cannot be read or made"):
        read_secret(tmp_path / "nowhere")
