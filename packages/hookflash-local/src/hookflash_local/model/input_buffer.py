"""The input audio buffer: the caller's audio that is not yet an item. No I/O.

    quiet --speech_started--> speaking --take_speech--> quiet

`audio_start_ms` and `audio_end_ms` of the Realtime API count the audio written here since the
session began; they are not clock times.
"""

from __future__ import annotations

from typing import Any

from hookflash_local.model.audio_formats import Converter, decoder
from hookflash_local.model.items import BYTES_PER_MS, Ids
from hookflash_local.model.validation import Refusal

SHORTEST_COMMIT_MS = 100
_RETAINED_BYTES_WITH_VAD = 60_000 * BYTES_PER_MS


class InputBuffer:
    """The input audio buffer of one session. It converts the client's `audio_format` to mu-law."""

    def __init__(self, audio_format: dict[str, Any]) -> None:
        self._format = audio_format
        # Created with the first audio: most sessions change the format before they send any.
        self._converter: Converter | None = None
        self._pending = bytearray()
        self._written_bytes = 0
        self._speech_item_id: str | None = None

    def use_format(self, audio_format: dict[str, Any]) -> None:
        """Read the following audio in this format."""
        if audio_format != self._format:
            self._format = audio_format
            self._converter = None

    @property
    def written_ms(self) -> int:
        """The length of the audio written since the session began."""
        return self._written_bytes // BYTES_PER_MS

    def append(self, data: bytes, retain_all: bool) -> bytes:
        """Add a client's audio and return it as mu-law.

        With turn detection (`retain_all` false) nobody commits the silence between turns. So only
        the last minute is retained.
        """
        if self._converter is None:
            self._converter = decoder(self._format)
        audio = self._converter.feed(data)
        self._pending += audio
        self._written_bytes += len(audio)
        if not retain_all:
            del self._pending[:-_RETAINED_BYTES_WITH_VAD]
        return audio

    def commit(self) -> bytes:
        """Empty the buffer and return its audio. Raises `Refusal` if it holds under 100 ms."""
        held_ms = len(self._pending) / BYTES_PER_MS
        if held_ms < SHORTEST_COMMIT_MS:
            raise Refusal(
                "input_audio_buffer_commit_empty",
                "Error committing input audio buffer: buffer too small. Expected at least "
                f"{SHORTEST_COMMIT_MS}ms of audio, but buffer only has {held_ms:.2f}ms of audio.",
            )
        audio = bytes(self._pending)
        self._pending.clear()
        return audio

    def clear(self) -> None:
        self._pending.clear()

    def speech_started(self, ids: Ids) -> str:
        """Begin speech. Return the ID of the item that it will become."""
        self._speech_item_id = self._speech_item_id or ids.new("item")
        return self._speech_item_id

    def take_speech(self, ids: Ids) -> str:
        """End speech, clear the buffer and return the item's ID."""
        item_id = self.speech_started(ids)
        self._speech_item_id = None
        self._pending.clear()
        return item_id
