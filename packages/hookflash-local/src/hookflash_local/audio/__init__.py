"""Recorded and synthesised callers that ship with Hookflash, at telephone quality.

Each is mu-law at 8 kHz with its transcript and its licence (LICENCES.md beside this file). They
make the demo, the bench and the tests stand alone.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import msgspec

from hookflash.errors import ConfigError
from hookflash_local.audio.wav import decode_wav

__all__ = ["Recording", "load", "names"]


class Recording(msgspec.Struct, frozen=True):
    """One recording. `audio` is mu-law at 8 kHz, 8 bytes a millisecond."""

    name: str
    audio: bytes
    transcript: str
    licence: str
    seconds: float


class _Entry(msgspec.Struct, frozen=True):
    name: str
    file: str
    transcript: str
    licence: str
    seconds: float


@cache
def _manifest() -> dict[str, _Entry]:
    text = (files(__name__) / "manifest.json").read_bytes()
    return {entry.name: entry for entry in msgspec.json.decode(text, type=list[_Entry])}


def names() -> tuple[str, ...]:
    """Return the names of all recordings, in the order of the manifest."""
    return tuple(_manifest())


def load(name: str) -> Recording:
    """Return the recording called `name`. Raises `ConfigError`, which lists the names there are."""
    entry = _manifest().get(name)
    if entry is None:
        raise ConfigError(f"no recording called {name!r}; there are: {', '.join(names())}")
    audio = decode_wav((files(__name__) / entry.file).read_bytes(), entry.file)
    return Recording(entry.name, audio, entry.transcript, entry.licence, entry.seconds)
