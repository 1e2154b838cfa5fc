"""Sound that stands for text: a pattern of tones for each sentence, and the text of a pattern.

A whole call then runs without speech. The carrier and the model exchange real mu-law sound, and
each of them knows which sentence it is.
"""

from __future__ import annotations

from collections.abc import Iterator

from hookflash_local.carrier.media.sounds import voice_pattern


class TextVoice:
    """Speaks as a pattern of tones, 65 ms a letter, and understands what it has spoken.

    It is the carrier's voice (`Speak`), and the model's voice and transcriber.
    """

    def __init__(self) -> None:
        self._texts: dict[bytes, str] = {}

    def __call__(self, text: str) -> bytes:
        """Return a text as mu-law at 8 kHz; an empty text has no sound."""
        sound = voice_pattern(text)
        if sound:
            self._texts[sound] = text
        return sound

    def speak(self, text: str) -> Iterator[bytes]:
        """Yield a text as mu-law, in one piece."""
        yield self(text)

    def transcribe(self, audio: bytes) -> str:
        """Return the sentences in `audio`, in order. A sentence that is cut off does not count."""
        found: list[tuple[int, str]] = []
        # A sentence may begin with another one, so the longest are looked for first.
        for sound in sorted(self._texts, key=len, reverse=True):
            while (place := audio.find(sound)) >= 0:
                found.append((place, self._texts[sound]))
                audio = audio[:place] + b"\xff" * len(sound) + audio[place + len(sound) :]
        return " ".join(text for _, text in sorted(found))
