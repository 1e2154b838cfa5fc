"""Recorded and synthesised speech that ships with Hookflash, at telephone quality.

Each recording is mu-law at 8 kHz with its transcript and licence (LICENCES.md in this folder). The
demo, the benchmarks and the tests use them, so they need no download.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import msgspec

from hookflash.errors import ConfigError
from hookflash_local.audio.wav import decode_wav

__all__ = ["Recording", "load", "names"]


class Recording(msgspec.Struct, frozen=True):
    """One recording. `audio` is mu-law at 8 kHz, 8 bytes per millisecond."""

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
    """Return the recording called `name`. Raises `ConfigError` with all names if there is none."""
    entry = _manifest().get(name)
    if entry is None:
        raise ConfigError(f"recording: expected one of {', '.join(names())}, got {name!r}")
    audio = decode_wav((files(__name__) / entry.file).read_bytes(), entry.file)
    return Recording(entry.name, audio, entry.transcript, entry.licence, entry.seconds)
