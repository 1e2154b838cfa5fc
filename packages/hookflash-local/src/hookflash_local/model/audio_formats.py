"""Convert the audio formats of a session to and from mu-law, the stand-in's own format. No I/O.

`audio/pcmu` passes unchanged. `audio/pcm` (24,000 samples per second, 16-bit little-endian) and
`audio/pcma` are converted with numpy, which is loaded only when a session uses one of them.
"""

from __future__ import annotations

from typing import Any, Protocol

PHONE_RATE = 8_000
PCM_RATE = 24_000


class Converter(Protocol):
    """Converts one direction of one stream, piece by piece."""

    def feed(self, data: bytes) -> bytes: ...

    def flush(self) -> bytes:
        """Return the rest of the output for everything that was fed."""
        ...


class _Same:
    def feed(self, data: bytes) -> bytes:
        return data

    def flush(self) -> bytes:
        return b""


class _FromAlaw(_Same):
    def feed(self, data: bytes) -> bytes:
        from hookflash_local.model.speech.pcm import alaw_to_pcm16, pcm16_to_mulaw

        return pcm16_to_mulaw(alaw_to_pcm16(data))


class _ToAlaw(_Same):
    def feed(self, data: bytes) -> bytes:
        from hookflash_local.model.speech.pcm import mulaw_to_pcm16, pcm16_to_alaw

        return pcm16_to_alaw(mulaw_to_pcm16(data))


class _FromPcm(_Same):
    """PCM at 24 kHz to mu-law at 8 kHz. A sample may be split between two pieces."""

    def __init__(self) -> None:
        from hookflash_local.model.speech.pcm import StreamResampler

        self._resampler = StreamResampler(PCM_RATE, PHONE_RATE)
        self._rest = b""

    def feed(self, data: bytes) -> bytes:
        import numpy as np

        from hookflash_local.model.speech.pcm import pcm16_to_mulaw

        data = self._rest + data
        whole = len(data) - len(data) % 2
        self._rest = data[whole:]
        samples = np.frombuffer(data[:whole], dtype="<i2").astype(np.int16)
        return pcm16_to_mulaw(self._resampler.push(samples))


class _ToPcm:
    """Mu-law at 8 kHz to PCM at 24 kHz. The filter looks ahead; `flush` returns the rest."""

    def __init__(self) -> None:
        from hookflash_local.model.speech.pcm import StreamResampler

        self._resampler = StreamResampler(PHONE_RATE, PCM_RATE)

    def feed(self, data: bytes) -> bytes:
        from hookflash_local.model.speech.pcm import mulaw_to_pcm16

        return self._resampler.push(mulaw_to_pcm16(data)).astype("<i2").tobytes()

    def flush(self) -> bytes:
        return self._resampler.flush().astype("<i2").tobytes()


def decoder(audio_format: dict[str, Any]) -> Converter:
    """Return a converter from a client's audio to mu-law."""
    return {"audio/pcmu": _Same, "audio/pcma": _FromAlaw, "audio/pcm": _FromPcm}[
        audio_format["type"]
    ]()


def encoder(audio_format: dict[str, Any]) -> Converter:
    """Return a converter from mu-law to a session's output format."""
    kinds: dict[str, type[Converter]] = {
        "audio/pcmu": _Same,
        "audio/pcma": _ToAlaw,
        "audio/pcm": _ToPcm,
    }
    return kinds[audio_format["type"]]()


def encoded(audio: bytes, audio_format: dict[str, Any]) -> bytes:
    """Return complete mu-law audio in a session's format."""
    converter = encoder(audio_format)
    return converter.feed(audio) + converter.flush()
