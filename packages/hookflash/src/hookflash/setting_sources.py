"""Where settings come from: the environment and a TOML file, and what in them is no setting."""

from __future__ import annotations

import difflib
import logging
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hookflash.errors import ConfigError

_log = logging.getLogger("hookflash.settings")

DEFAULT_FILE = "hookflash.toml"


def read_file(file: str | Path | None) -> dict[str, str]:
    """Return what the settings file says, each value as the text an environment would hold."""
    path = Path(DEFAULT_FILE if file is None else file)
    if not path.is_file():
        if file is None:
            return {}
        raise ConfigError(f"--settings: there is no file {path}")
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: it is not valid TOML ({error})") from error
    return {key: _as_text(value) for key, value in document.items()}


def _as_text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ",".join(map(str, value))
    return str(value).strip()


def warn_of_unknown(
    environ: Mapping[str, str], written: Mapping[str, str], variables_of: Mapping[str, str]
) -> None:
    """Say what is written where a setting belongs and is none; `variables_of` has them by name."""
    prefix = "HOOKFLASH_"
    variables = list(variables_of.values())
    ours = [name for name in environ if name.startswith(prefix) and name not in variables]
    for name in ours:
        known = [each.removeprefix(prefix) for each in variables if each.startswith(prefix)]
        _warn(name, "the environment", _like(name.removeprefix(prefix), known, prefix))
    names = list(variables_of)
    for name in written:
        if name not in names:
            _warn(name, "the settings file", _like(name, names))


def _like(name: str, known: list[str], prefix: str = "") -> str:
    close = difflib.get_close_matches(name, known, 1)
    return f"; did you mean {prefix}{close[0]}?" if close else ""


def _warn(name: str, place: str, hint: str) -> None:
    _log.warning("! %s in %s is no setting and is ignored%s", name, place, hint)
