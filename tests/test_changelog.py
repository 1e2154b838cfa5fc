"""The version that is built is the newest in the changelog."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_the_version_is_the_newest_in_the_changelog() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    headings = re.findall(r"^## (\S+) - (\S.*)$", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert headings and headings[0][0] == version


def test_each_version_has_something_to_say() -> None:
    sections = (ROOT / "CHANGELOG.md").read_text().split("\n## ")[1:]
    assert sections
    assert all("\n- " in section for section in sections)
