"""Read the owner's file of console users:

    [users.anna]
    password = "scrypt$..."         # made by: hookflash console password
    role = "supervisor"             # or viewer
    rings = "+15550100"             # the phone on which she takes over calls; optional

    [tokens.crm]                    # for programs that use /api
    hash = "sha256$..."             # made by: hookflash console token
    role = "supervisor"

The file is read again when it changes. While it cannot be read, the last valid users stay, and the
log says why. Without the file there are no users.
"""

from __future__ import annotations

import hmac
import logging
import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, get_args

import msgspec

from hookflash.console.passwords import hash_token, is_hash
from hookflash.console.shapes import Role
from hookflash.core.handoff_plan import Target
from hookflash.errors import ConfigError
from hookflash.world import SYSTEM

log = logging.getLogger("hookflash.console")

_NAME = re.compile(r"[A-Za-z0-9_.@-]{1,64}")
_LOOK_SECONDS = 2.0
_MAX_BYTES = 1_000_000


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """A user who signs in, or (`password` empty) a program with a token."""

    name: str
    role: Role
    password: str = ""
    rings: Target | None = None


class People(msgspec.Struct, frozen=True):
    """All users of the console; `tokens` are keyed by the token's hash."""

    users: Mapping[str, Person] = {}
    tokens: Mapping[str, Person] = {}

    def with_token(self, token: str) -> Person | None:
        """Return the program that has this token. All are compared, each in constant time."""
        stored_hash, found = hash_token(token), None
        for each, person in self.tokens.items():
            if hmac.compare_digest(each, stored_hash):
                found = person
        return found


def read_people(path: Path) -> People:
    """Read the file. Raises `ConfigError`, which says what to change."""
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ConfigError(f"{path.name}: expected a file of users, got more than 1 MB")
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path.name}: it is not valid TOML ({error})") from error
    except OSError as error:
        raise ConfigError(f"{path.name}: it cannot be read: {error.strerror}") from error
    unknown = document.keys() - {"users", "tokens"}
    if unknown:
        raise ConfigError(
            f"{path.name}: expected [users.NAME] and [tokens.NAME], got {sorted(unknown)[0]!r}"
        )
    users = {name: _user(name, about) for name, about in _tables(path, document, "users")}
    tokens = dict(_token(name, about) for name, about in _tables(path, document, "tokens"))
    return People(users, tokens)


class PeopleFile:
    """The file of users, checked for changes regularly."""

    def __init__(self, path: Path, now: Callable[[], float] = SYSTEM.monotonic) -> None:
        self.path = path
        self._now = now
        self._looked_at = float("-inf")
        self._stamp: tuple[int, int] | None = None
        self._people = People()

    def current(self) -> People:
        """Return the current users."""
        if self._now() - self._looked_at >= _LOOK_SECONDS:
            self._looked_at = self._now()
            self._reload_if_changed()
        return self._people

    def _reload_if_changed(self) -> None:
        try:
            found = self.path.stat()
        except OSError:
            self._stamp, self._people = None, People()
            return
        stamp = (found.st_mtime_ns, found.st_size)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._people = read_people(self.path)
        except ConfigError as error:
            log.error("! the console's users are not reloaded: %s", error)


def _tables(path: Path, document: Mapping[str, Any], kind: str) -> list[tuple[str, dict[str, Any]]]:
    tables = document.get(kind, {})
    if not isinstance(tables, dict) or not all(isinstance(each, dict) for each in tables.values()):
        raise ConfigError(f"{path.name}: expected [{kind}.NAME], got {kind} = ...")
    for name in tables:
        if not _NAME.fullmatch(name):
            raise ConfigError(
                f"{path.name}: a name is at most 64 letters, digits and _ . @ -, got {name[:80]!r}"
            )
    return list(tables.items())


def _user(name: str, about: dict[str, Any]) -> Person:
    _check(name, about, {"password", "role", "rings"})
    password = about.get("password", "")
    if not isinstance(password, str) or not is_hash(password):
        raise ConfigError(
            f"[users.{name}]: password is what `hookflash console password` prints (scrypt$...),"
            " never the password itself"
        )
    rings = about.get("rings")
    return Person(name=name, role=about["role"], password=password, rings=_target(name, rings))


def _token(name: str, about: dict[str, Any]) -> tuple[str, Person]:
    _check(name, about, {"hash", "role"})
    stored_hash = about.get("hash", "")
    if not isinstance(stored_hash, str) or not re.fullmatch(r"sha256\$[0-9a-f]{64}", stored_hash):
        raise ConfigError(
            f"[tokens.{name}]: hash is what `hookflash console token` prints (sha256$...)"
        )
    return stored_hash, Person(name=name, role=about["role"])


def _check(name: str, about: dict[str, Any], known: set[str]) -> None:
    for key in about.keys() - known:
        raise ConfigError(f"{name}: expected {', '.join(sorted(known))}; got {key!r}")
    if about.get("role") not in get_args(Role):
        raise ConfigError(
            f"{name}: role is one of {', '.join(get_args(Role))}; got {about.get('role')!r}"
        )


def _target(name: str, rings: Any) -> Target | None:
    if rings is None:
        return None
    text = str(rings)
    try:
        if text.startswith(("sip:", "sips:")):
            return Target.sip(text)
        if text.startswith("client:"):
            return Target.client(text.removeprefix("client:"))
        return Target.phone(text)
    except ConfigError:
        raise ConfigError(
            f"[users.{name}]: rings is a number such as +15550100, a SIP address (sip:...) or a"
            f" browser's phone (client:...); got {text!r}"
        ) from None
