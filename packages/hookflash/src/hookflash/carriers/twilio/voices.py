"""In which voice and language the carrier itself speaks. No I/O."""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

from hookflash.carriers.twilio.texts import clean


class _Speaks(Protocol):
    """A verb that may hold `<Say>`: a document, or a `<Gather>`."""

    def say(self, message: str, *, language: str | None, voice: str | None) -> Any: ...


class Voices(msgspec.Struct, frozen=True):
    """The line's own language and voice, as Twilio names them; None leaves them to Twilio.

    A voice speaks one language: another one is spoken in the voice that Twilio has for it.
    """

    language: str | None = None
    voice: str | None = None

    def say(self, into: _Speaks, text: str, language: str | None = None) -> None:
        """Add `<Say>`; nothing for a text in which there is nothing to say."""
        spoken = clean(text)
        if not spoken.strip():
            return
        own = language is None or language == self.language
        into.say(
            spoken,
            language=self.language if own else language,
            voice=self.voice if own else None,
        )
