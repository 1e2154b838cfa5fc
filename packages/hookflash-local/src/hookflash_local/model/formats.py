"""The audio formats of a session, to and from the mu-law in which the stand-in keeps all sound.

`audio/pcmu` passes through untouched. `audio/pcm` (24,000 samples a second, 16 bits, little
endian) and `audio/pcma` are converted, with the tables and the resampler of the speech stack,
which is loaded only when a session asks for one of them. No I/O.
"""

from __future__ import annotations

from typing import Any, Protocol

PHONE_RATE = 8_000
PCM_RATE = 24_000


class Converter(Protocol):
    """One direction of one stream; pieces go in and come out in order."""

    def feed(self, data: bytes) -> bytes: ...

    def flush(self) -> bytes:
        """Return what is still owed for all that was fed."""
        ...


class _Same:
    def feed(self, data: bytes) -> bytes:
        return data

    def flush(self) -> bytes:
        return b""


class _FromAlaw(_Same):
    def feed(self, data: bytes) -> bytes:
        from hookflash_local.model.speech.audio import alaw_to_pcm16, pcm16_to_mulaw

        return pcm16_to_mulaw(alaw_to_pcm16(data))


class _ToAlaw(_Same):
    def feed(self, data: bytes) -> bytes:
        from hookflash_local.model.speech.audio import mulaw_to_pcm16, pcm16_to_alaw

        return pcm16_to_alaw(mulaw_to_pcm16(data))


class _FromPcm(_Same):
    """24 kHz to the phone's 8 kHz. A sample may be cut in two between pieces."""

    def __init__(self) -> None:
        from hookflash_local.model.speech.audio import StreamResampler

        self._resampler = StreamResampler(PCM_RATE, PHONE_RATE)
        self._rest = b""

    def feed(self, data: bytes) -> bytes:
        import numpy as np

        from hookflash_local.model.speech.audio import pcm16_to_mulaw

        data = self._rest + data
        whole = len(data) - len(data) % 2
        self._rest = data[whole:]
        samples = np.frombuffer(data[:whole], dtype="<i2").astype(np.int16)
        return pcm16_to_mulaw(self._resampler.push(samples))


class _ToPcm:
    """The phone's 8 kHz to 24 kHz. The filter looks ahead; `flush` gives what it held back."""

    def __init__(self) -> None:
        from hookflash_local.model.speech.audio import StreamResampler

        self._resampler = StreamResampler(PHONE_RATE, PCM_RATE)

    def feed(self, data: bytes) -> bytes:
        from hookflash_local.model.speech.audio import mulaw_to_pcm16

        return self._resampler.push(mulaw_to_pcm16(data)).astype("<i2").tobytes()

    def flush(self) -> bytes:
        return self._resampler.flush().astype("<i2").tobytes()


def decoder(audio_format: dict[str, Any]) -> Converter:
    """Return what turns a client's audio into mu-law."""
    return {"audio/pcmu": _Same, "audio/pcma": _FromAlaw, "audio/pcm": _FromPcm}[
        audio_format["type"]
    ]()


def encoder(audio_format: dict[str, Any]) -> Converter:
    """Return what turns mu-law into a session's output format."""
    kinds: dict[str, type[Converter]] = {
        "audio/pcmu": _Same,
        "audio/pcma": _ToAlaw,
        "audio/pcm": _ToPcm,
    }
    return kinds[audio_format["type"]]()


def encoded(audio: bytes, audio_format: dict[str, Any]) -> bytes:
    """Return a whole piece of mu-law in a session's format."""
    converter = encoder(audio_format)
    return converter.feed(audio) + converter.flush()
