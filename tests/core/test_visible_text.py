from __future__ import annotations

import pytest

from hookflash.core.visible_text import visible


@pytest.mark.parametrize(
    "text", ["", "+15550100", "sip:anna@example.com", "Ænna Müller 安娜 😀", "a b", "x" * 20]
)
def test_text_that_can_be_shown_stays_as_it_is(text: str) -> None:
    assert visible(text, 20) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb", "a\\nb"),
        ("a\r\n2026 ! fake", "a\\r\\n2026 ! fake"),
        ("\u202e0010555+", "\\u202e0010555+"),
        ("a\u200bb", "a\\u200bb"),
        ("a\u2028b\u2029c\x85d", "a\\u2028b\\u2029c\\x85d"),
        ("a\x1b[31mb", "a\\x1b[31mb"),
        ("a\x00b\x7f", "a\\x00b\\x7f"),
        ("a\u00a0b\u3000c", "a\\xa0b\\u3000c"),
        ("\ud83d", "\\ud83d"),
        ("\U000e0041", "\\U000e0041"),
    ],
)
def test_what_has_no_shape_is_written_as_its_escape(text: str, shown: str) -> None:
    assert visible(text, 40) == shown
    assert shown.isprintable()


@pytest.mark.parametrize("text", ["9" * 20_000, "\u202e" * 20_000, "9" * 11 + "\n"])
def test_a_long_text_is_cut_and_says_so(text: str) -> None:
    shown = visible(text, 12)
    assert len(shown) == 12
    assert shown[-1] == "\u2026"
    assert shown.isprintable()
