"""Settings in one line of a test: each value under its variable's name, in small letters."""

from __future__ import annotations

from typing import Any

from hookflash.settings import SETTINGS, Settings


def settings_of(**values: Any) -> Settings:
    """Return settings from values such as `data_dir=folder` (of the variable HOOKFLASH_DATA_DIR).

    Raises `KeyError` for a name that is no setting's.
    """
    rows = {one.variable.removeprefix("HOOKFLASH_").lower(): one for one in SETTINGS}
    sections: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        sections.setdefault(rows[name].section, {})[rows[name].name] = value
    return Settings.model_validate(sections)
