"""The version that is built is the newest in the changelog."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_the_version_is_the_newest_in_the_changelog() -> None:
    headings = re.findall(r"^## (\S+) - (\S.*)$", (ROOT / "CHANGELOG.md").read_text(), re.M)
    versions = {
        tomllib.loads(file.read_text())["project"]["version"]
        for file in ROOT.glob("packages/*/pyproject.toml")
    }
    assert headings and versions == {headings[0][0]}


def test_the_two_distributions_ask_for_one_another_in_the_same_version() -> None:
    product, local = (
        tomllib.loads((ROOT / "packages" / name / "pyproject.toml").read_text())["project"]
        for name in ("hookflash", "hookflash-local")
    )
    version = product["version"]
    assert product["optional-dependencies"]["local"] == [f"hookflash-local=={version}"]
    assert f"hookflash=={version}" in local["dependencies"]


def test_each_version_has_something_to_say() -> None:
    sections = (ROOT / "CHANGELOG.md").read_text().split("\n## ")[1:]
    assert sections
    assert all("\n- " in section for section in sections)
