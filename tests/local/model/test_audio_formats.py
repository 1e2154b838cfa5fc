"""Audio formats: what passes through, and what is converted without losing a sample."""

from __future__ import annotations

import numpy as np
import pytest

from hookflash_local.model.audio_formats import decoder, encoded, encoder
from hookflash_local.model.speech.pcm import mulaw_to_pcm16, pcm16_to_mulaw

PCMU = {"type": "audio/pcmu"}
PCMA = {"type": "audio/pcma"}
PCM = {"type": "audio/pcm", "rate": 24000}


def tone(ms: int, rate: int) -> np.ndarray:
    times = np.arange(ms * rate // 1000) / rate
    return (8000 * np.sin(2 * np.pi * 440 * times)).astype(np.int16)


def test_mu_law_passes_through_untouched() -> None:
    every_byte = bytes(range(256))
    assert decoder(PCMU).feed(every_byte) == every_byte
    assert encoded(every_byte, PCMU) == every_byte


def test_a_law_is_as_long_and_sounds_the_same() -> None:
    spoken = pcm16_to_mulaw(tone(50, 8000))
    back = decoder(PCMA).feed(encoded(spoken, PCMA))
    assert len(back) == len(spoken)
    apart = mulaw_to_pcm16(back).astype(int) - mulaw_to_pcm16(spoken)
    assert np.abs(apart).max() < 600


@pytest.mark.parametrize("size", [1, 160, 333])
def test_pcm_out_is_three_samples_for_one_whatever_the_pieces(size: int) -> None:
    spoken = pcm16_to_mulaw(tone(100, 8000))
    converter = encoder(PCM)
    pieces = [converter.feed(spoken[at : at + size]) for at in range(0, len(spoken), size)]
    whole = b"".join(pieces) + converter.flush()
    assert len(whole) == len(spoken) * 3 * 2
    middle = slice(240, -240)
    apart = np.frombuffer(whole, "<i2")[middle].astype(int) - tone(100, 24000)[middle]
    assert np.abs(apart).max() < 700


def test_pcm_in_may_be_cut_in_the_middle_of_a_sample() -> None:
    sent = tone(100, 24000).astype("<i2").tobytes()
    converter = decoder(PCM)
    pieces = [converter.feed(sent[at : at + 97]) for at in range(0, len(sent), 97)]
    heard = mulaw_to_pcm16(b"".join(pieces)).astype(int)
    assert 700 < len(heard) <= 800
    assert np.abs(heard[80:] - tone(100, 8000)[80 : len(heard)]).max() < 700
