"""Make text from strangers visible and short, before anybody reads, logs or stores it.

A caller by SIP chooses the text of `From`. It may have 20,000 characters, or a line break that
begins a log line of its own. U+202E shows the rest of a line backwards. Such characters are written
as their escapes. Letters and signs of every language do not change.
"""

from __future__ import annotations

ADDRESS_CHARS = 256
"""The longest number, address or name of a party. RFC 3261 has no limit for a SIP URI."""

_CUT = "\u2026"


def visible(text: str, limit: int) -> str:
    """Return `text` on one line, with at most `limit` characters.

    Control characters, line breaks and characters without a shape are escaped as in Python: `\\n`,
    `\\u202e`. They are Unicode's general categories C and Z, except the space. Longer text is cut,
    and ends with an ellipsis.
    """
    if len(text) <= limit and text.isprintable():
        return text
    shown = "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode()
        # An escape is never shorter than its character, so more characters are not needed.
        for each in text[: limit + 1]
    )
    return shown if len(shown) <= limit else shown[: limit - 1] + _CUT
