"""Sessions: a signed cookie that says who is signed in.

    cookie: payload "." mac        payload: name, id, until (JSON, base64)

The MAC also covers the user's password hash, so a changed or removed password ends every session at
once. A signed-out session is remembered until its cookie expires. The secret is in the data folder,
where every process of the line finds it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
from pathlib import Path
from random import Random

import msgspec

from hookflash.console.people import People, Person
from hookflash.errors import ConfigError
from hookflash.private_files import open_file
from hookflash.world import SYSTEM

SECRET_FILE = "console-secret"
_SECRET_BYTES = 32
_COOKIE_CHARACTERS = 1000


class Ticket(msgspec.Struct, frozen=True, kw_only=True):
    """The content of a cookie. `until` is in seconds since 1970."""

    name: str
    id: str
    until: float


def read_secret(folder: Path, entropy: Random = SYSTEM.entropy("console-secret")) -> bytes:
    """Return the secret in `folder`, created if needed. Raises `ConfigError`."""
    path = folder / SECRET_FILE
    try:
        if not path.exists():
            _make_secret(path, entropy)
        secret = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read or made: {error.strerror}") from error
    if len(secret) != _SECRET_BYTES:
        raise ConfigError(f"{path}: expected {_SECRET_BYTES} bytes; delete it, and sign in again")
    return secret


def _make_secret(path: Path, entropy: Random) -> None:
    """Create the secret file.

    It is written under another name and then linked. So processes that start at the same time agree
    on one secret, and none reads an incomplete file.
    """
    mine = path.with_name(f"{path.name}.{entropy.randbytes(6).hex()}")
    with open_file(mine, "xb") as file:
        file.write(entropy.randbytes(_SECRET_BYTES))
    try:
        os.link(mine, path)
    except FileExistsError:
        pass
    finally:
        mine.unlink()


class Sessions:
    """Creates and reads cookies. Times are seconds since 1970."""

    def __init__(
        self,
        secret: bytes,
        *,
        seconds: float,
        entropy: Random = SYSTEM.entropy("console-sessions"),
    ) -> None:
        self._secret = secret
        self._entropy = entropy
        self.seconds = seconds

    def begin(self, person: Person, now: float) -> tuple[str, Ticket]:
        """Return the cookie of a new session, and its content."""
        session_id = self._entropy.randbytes(16).hex()
        ticket = Ticket(name=person.name, id=session_id, until=now + self.seconds)
        payload = base64.urlsafe_b64encode(msgspec.json.encode(ticket))
        return f"{payload.decode()}.{self._mac(payload, person)}", ticket

    def read(self, cookie: str, people: People, now: float) -> tuple[Person, Ticket] | None:
        """Return the user and content of a cookie; None if it is invalid or has expired."""
        payload, _, mac = cookie.rpartition(".")
        if not payload or len(cookie) > _COOKIE_CHARACTERS or not cookie.isascii():
            return None
        try:
            raw = base64.b64decode(payload, altchars=b"-_", validate=True)
            ticket = msgspec.json.decode(raw, type=Ticket)
        except (binascii.Error, msgspec.DecodeError, ValueError):
            return None
        person = people.users.get(ticket.name)
        if person is None or not hmac.compare_digest(mac, self._mac(payload.encode(), person)):
            return None
        return (person, ticket) if now < ticket.until else None

    def csrf(self, session_id: str) -> str:
        """Return the CSRF token of a session."""
        return self._digest(b"csrf", session_id.encode())

    def _mac(self, payload: bytes, person: Person) -> str:
        return self._digest(b"session", payload, person.password.encode())

    def _digest(self, *parts: bytes) -> str:
        return hmac.new(self._secret, b"\0".join(parts), hashlib.sha256).hexdigest()
