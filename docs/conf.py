"""How Sphinx makes the documentation's pages: `make docs`.

The pages are the Markdown files of the repository, and their links work on a code host as well.
README, CHANGELOG and CONTRIBUTING are at its root. A page here shows one of them with the line
`<!-- text of ../README.md -->`. Links that leave `docs/` are rewritten for the site.
The pages load nothing from elsewhere: Furo brings its styles, and the search runs in the browser.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
SOURCE = "https://github.com/hookflash/hookflash/blob/main/"
AT_THE_ROOT = {
    ROOT / "README.md": DOCS / "index.md",
    ROOT / "CHANGELOG.md": DOCS / "changelog.md",
    ROOT / "CONTRIBUTING.md": DOCS / "contributing.md",
}

project = "Hookflash"
project_copyright = "the Hookflash authors"
extensions = ["myst_parser"]
templates_path: list[str] = []
myst_heading_anchors = 4
nitpicky = True

html_theme = "furo"
html_title = "Hookflash"
html_static_path = ["styles"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_theme_options = {"navigation_with_keys": True}
pygments_style = "friendly"
pygments_dark_style = "monokai"

_TEXT_OF = re.compile(r"^<!-- text of (\S+) -->$", re.M)
_LINK = re.compile(r"(\]\()([^)\s#]+)(#[^)\s]*)?(\))")


def on_site(text: str, written_for: Path, shown_on: Path) -> str:
    """Return a page's Markdown with its relative links as they must be on the site.

    `written_for` is the file that holds the text, `shown_on` the page that shows it. A link to a
    file at the root leads to the page of that file. A link to any other file outside `docs/` leads
    to the repository. Addresses and links inside the page stay as they are.
    """

    def link(found: re.Match[str]) -> str:
        opening, target, anchor, closing = found.groups(default="")
        if "://" in target or target.startswith("mailto:"):
            return found[0]
        file = Path(os.path.normpath(written_for.parent / target))
        file = AT_THE_ROOT.get(file, file)
        if file.is_relative_to(DOCS):
            there = Path(os.path.relpath(file, shown_on.parent)).as_posix()
        else:
            there = SOURCE + file.relative_to(ROOT).as_posix()
        return f"{opening}{there}{anchor}{closing}"

    return _LINK.sub(link, text)


def read_page(app: Any, name: str, source: list[str]) -> None:
    """Put the text of a file at the root where a page asks for it, and rewrite the page's links."""
    page = DOCS / f"{name}.md"
    text = on_site(source[0], page, page)

    def text_of(found: re.Match[str]) -> str:
        file = Path(os.path.normpath(page.parent / found[1]))
        app.env.note_dependency(str(file))
        return on_site(file.read_text(), file, page)

    source[0] = _TEXT_OF.sub(text_of, text)


def setup(app: Any) -> dict[str, Any]:
    app.connect("source-read", read_page)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
