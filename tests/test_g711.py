"""Mu-law and A-law, against levels of the recommendation and a second encoder made with numpy."""

from __future__ import annotations

import numpy as np

from hookflash import g711
from hookflash.g711 import ALAW_LINEAR, LINEAR
from hookflash_local.model.speech.pcm import pcm16_to_mulaw


def test_the_levels_are_those_of_the_recommendation() -> None:
    assert (LINEAR[0x00], LINEAR[0x80], LINEAR[0xFF], LINEAR[0x7F]) == (-32124, 32124, 0, 0)
    assert (ALAW_LINEAR[0xD5], ALAW_LINEAR[0x55]) == (8, -8)
    assert (ALAW_LINEAR[0x2A], ALAW_LINEAR[0xAA]) == (-32256, 32256)
    assert sorted(LINEAR[0x80:], reverse=True) == list(LINEAR[0x80:])


def test_a_sample_becomes_one_of_the_two_levels_around_it() -> None:
    samples = range(-32768, 32768)
    nearest = pcm16_to_mulaw(np.arange(-32768, 32768).astype(np.int16))
    for sample, byte, other in zip(samples, g711.encode(samples), nearest, strict=True):
        assert abs(LINEAR[byte] - sample) <= 2 * abs(LINEAR[other] - sample) + 8, sample


def test_a_sample_that_is_too_loud_is_clipped() -> None:
    assert g711.encode([-99_999, 99_999]) == g711.encode([-32_635, 32_635])


def test_mulaw_becomes_little_endian_samples() -> None:
    expected = b"".join(LINEAR[code].to_bytes(2, "little", signed=True) for code in range(256))
    assert g711.decode_bytes(bytes(range(256))) == expected
