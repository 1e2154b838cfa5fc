from __future__ import annotations

from hookflash.console.pages import STATIC
from hookflash.console.state_words_module import FILE, module


def test_the_pages_have_the_words_of_the_table() -> None:
    assert (STATIC / FILE).read_text() == module(), "run make reference"
