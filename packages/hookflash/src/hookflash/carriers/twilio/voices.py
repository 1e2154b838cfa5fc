"""The voice and language in which the carrier itself speaks. No I/O."""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

from hookflash.carriers.twilio.document_text import clean

LOCALES = {
    "ca": "ca-ES",
    "da": "da-DK",
    "de": "de-DE",
    "en": "en-US",
    "es": "es-ES",
    "fi": "fi-FI",
    "fr": "fr-FR",
    "it": "it-IT",
    "ja": "ja-JP",
    "ko": "ko-KR",
    "nb": "nb-NO",
    "nl": "nl-NL",
    "no": "nb-NO",
    "pl": "pl-PL",
    "pt": "pt-BR",
    "ru": "ru-RU",
    "sv": "sv-SE",
    "zh": "zh-CN",
}
"""Twilio's locale for an ISO 639-1 code, which is what agents have.

A text in another language is spoken in the line's own voice. Source:
twilio.com/docs/voice/twiml/say.
"""


class _Speaks(Protocol):
    """A verb that may contain `<Say>`: a document, or a `<Gather>`."""

    def say(self, message: str, *, language: str | None, voice: str | None) -> Any: ...


class Voices(msgspec.Struct, frozen=True):
    """The line's language and voice, with Twilio's names; None means Twilio's default.

    A voice speaks one language. Another language is spoken in Twilio's default voice for it.
    """

    language: str | None = None
    voice: str | None = None

    def say(self, into: _Speaks, text: str, language: str | None = None) -> None:
        """Add `<Say>`, unless the text is blank.

        `language` is one of Twilio's locales, or an ISO 639-1 code.
        """
        spoken = clean(text)
        if not spoken.strip():
            return
        if language is not None and len(language) == 2:
            language = LOCALES.get(language)
        own = language is None or language == self.language
        into.say(
            spoken,
            language=self.language if own else language,
            voice=self.voice if own else None,
        )
