"""The documentation's pages: links as the site needs them, and a build that lets no fault pass.

The build itself is a step of `make check`: only there Sphinx is installed.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from tests.programs import ROOT, load

DOCS = ROOT / "docs"


@pytest.fixture(scope="module")
def site() -> Any:
    return load("scripts/site")


@pytest.fixture(scope="module")
def conf() -> Any:
    return load("docs/conf.py")


@pytest.mark.parametrize(
    ("link", "written_for", "shown_on", "there"),
    [
        ("docs/start.md", "README.md", "docs/index.md", "start.md"),
        ("docs/images/demo-call.png", "README.md", "docs/index.md", "images/demo-call.png"),
        ("CHANGELOG.md", "README.md", "docs/index.md", "changelog.md"),
        ("../../README.md#roads", "docs/how-to/go-live.md", "", "../index.md#roads"),
        ("handoff-warm.md#keys", "docs/how-to/go-live.md", "", "handoff-warm.md#keys"),
        ("../topics/ledger.md", "docs/how-to/go-live.md", "", "../topics/ledger.md"),
        ("https://example.com/a.md", "docs/start.md", "", "https://example.com/a.md"),
        ("mailto:anna@example.com", "docs/start.md", "", "mailto:anna@example.com"),
        ("#files", "docs/start.md", "", "#files"),
        (
            "../examples/01_hello.py",
            "docs/start.md",
            "",
            "https://github.com/hookflash/hookflash/blob/main/examples/01_hello.py",
        ),
    ],
)
def test_a_link_leads_to_the_same_place_on_the_site(
    conf: Any, link: str, written_for: str, shown_on: str, there: str
) -> None:
    text = conf.on_site(
        f"See [this]({link}).", ROOT / written_for, ROOT / (shown_on or written_for)
    )
    assert text == f"See [this]({there})."


def test_each_page_is_in_the_navigation_once() -> None:
    index = (DOCS / "index.md").read_text()
    listed = re.findall(r"^([a-z][\w/-]+)$", index, re.M)
    pages = {page.relative_to(DOCS).with_suffix("").as_posix() for page in DOCS.rglob("*.md")}
    assert sorted(listed) == sorted(pages - {"index"})


@pytest.mark.parametrize(
    "html",
    [
        '<script src="https://cdn.example.com/a.js"></script>',
        '<script src="//cdn.example.com/a.js"></script>',
        '<link rel="stylesheet" href="http://fonts.example.com/css">',
        '<img src="https://example.com/a.png">',
        '<img srcset="https://example.com/a.png 2x">',
        '<p style="background: url(https://example.com/a.png)"></p>',
        '<style>@import "https://example.com/a.css";</style>',
    ],
)
def test_what_a_browser_would_fetch_from_elsewhere_is_found(site: Any, html: str) -> None:
    assert len(site.loaded_from_elsewhere(html)) == 1


def test_links_and_own_files_are_not_loaded_from_elsewhere(site: Any) -> None:
    html = (
        '<a href="https://example.com">there</a><script src="_static/a.js"></script>'
        '<style>p { background: url("data:image/png;base64,AA") }</style>'
    )
    assert site.loaded_from_elsewhere(html) == []


def test_a_site_is_read_for_pages_that_nothing_leads_to_and_styles_from_elsewhere(
    site: Any, tmp_path: Path
) -> None:
    (tmp_path / "index.html").write_text('<a href="start.html#files">Start</a>')
    (tmp_path / "start.html").write_text("<p>Start</p>")
    (tmp_path / "search.html").write_text("<p>made by Sphinx</p>")
    assert site.faults(tmp_path) == []
    (tmp_path / "start.html").write_text('<img srcset="dark.png 2x"><img src="light.png?v=1">')
    (tmp_path / "light.png").touch()
    (tmp_path / "lost.html").write_text('<img src="https://example.com/a.png">')
    (tmp_path / "a.css").write_text("@font-face { src: url(https://fonts.example.com/a.woff2) }")
    assert site.faults(tmp_path) == [
        "lost.html loads https://example.com/a.png",
        "start.html shows dark.png, which is not there",
        "a.css loads https://fonts.example.com/a.woff2",
        "index.html does not lead to lost.html",
    ]
