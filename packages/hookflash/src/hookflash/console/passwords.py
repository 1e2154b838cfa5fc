"""Hash passwords and tokens. Only hashes are stored. No I/O.

A password is stored as `scrypt$N$r$p$salt$hash`, so the cost can be raised later without new
passwords. A token is long and random, so `sha256$hash` is enough.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from random import Random

from hookflash.world import SYSTEM, url_token

_N, _R, _P = 2**15, 8, 1
_SALT_BYTES, _HASH_BYTES = 16, 32
_MAX_N = 2**18
_TOKEN_PREFIX = "hf_"

MIN_CHARACTERS = 12
MAX_CHARACTERS = 1000


def hash_password(
    password: str,
    *,
    entropy: Random = SYSTEM.entropy("passwords"),
) -> str:
    """Return the hash to store. It takes 0.1 s and 32 MB on purpose."""
    salt = entropy.randbytes(_SALT_BYTES)
    made = _scrypt(password, salt, _N, _R, _P)
    return f"scrypt${_N}${_R}${_P}${_text(salt)}${_text(made)}"


def is_hash(stored_hash: str) -> bool:
    """Return whether `stored_hash` has the form of a hash by `hash_password`."""
    return _read(stored_hash) is not None


def verify_password(password: str, stored_hash: str) -> bool:
    """Return whether `password` matches `stored_hash`. As slow as `hash_password`."""
    parts = _read(stored_hash)
    if parts is None or len(password) > MAX_CHARACTERS:
        return False
    n, r, p, salt, made = parts
    return hmac.compare_digest(_scrypt(password, salt, n, r, p), made)


def new_token(*, entropy: Random = SYSTEM.entropy("api-tokens")) -> tuple[str, str]:
    """Return a new token, and the hash to store."""
    token = _TOKEN_PREFIX + url_token(entropy, 32)
    return token, hash_token(token)


def hash_token(token: str) -> str:
    return "sha256$" + hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def _scrypt(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(
        password.encode("utf-8", "replace"),
        salt=salt,
        n=n,
        r=r,
        p=p,
        maxmem=256 * n * r + 2**20,
        dklen=_HASH_BYTES,
    )


def _read(stored_hash: str) -> tuple[int, int, int, bytes, bytes] | None:
    name, *parts = stored_hash.split("$")
    if name != "scrypt" or len(parts) != 5:
        return None
    try:
        n, r, p = (int(part) for part in parts[:3])
        salt, made = (base64.b64decode(part, validate=True) for part in parts[3:])
    except (ValueError, binascii.Error):
        return None
    powerful = 2**14 <= n <= _MAX_N and n & (n - 1) == 0 and 1 <= r <= 16 and 1 <= p <= 4
    if not powerful or len(salt) < 8 or len(made) != _HASH_BYTES:
        return None
    return n, r, p, salt, made


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
