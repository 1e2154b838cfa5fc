"""Mu-law, against the stand-ins' own tables: two readings of one recommendation."""

from __future__ import annotations

from hookflash import g711
from hookflash.standins.audio import g711 as other
from hookflash.standins.carrier import mulaw


def test_every_byte_stands_for_the_sample_of_the_recommendation() -> None:
    assert g711.LINEAR == other.MULAW
    assert g711.LINEAR[0xFF] == 0


def test_every_sample_has_the_byte_of_the_recommendation() -> None:
    samples = range(-32768, 32768)
    assert g711.encode(samples) == mulaw.encode(samples)


def test_what_is_too_loud_is_clipped() -> None:
    assert g711.encode([-99_999, 99_999]) == g711.encode([-32_635, 32_635])
