"""Tones, the voice pattern, WAV files; and G.711 itself."""

from __future__ import annotations

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookflash import g711
from hookflash_local.carrier.media import sounds


def wav(samples: bytes, coding: int, rate: int, bits: int, channels: int = 1) -> bytes:
    block = channels * bits // 8
    form = struct.pack("<HHIIHH", coding, channels, rate, rate * block, block, bits)
    body = b"fmt " + struct.pack("<I", len(form)) + form
    body += b"LIST" + struct.pack("<I", 3) + b"abc\x00"
    body += b"data" + struct.pack("<I", len(samples)) + samples
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WAVE" + body


def sine(frequency: float, rate: int, amplitude: int = 8000) -> list[int]:
    return [round(amplitude * math.sin(2 * math.pi * frequency * n / rate)) for n in range(rate)]


def level(payload: bytes) -> float:
    samples = g711.decode(payload)
    return math.sqrt(sum(sample * sample for sample in samples) / len(samples))


def test_known_values_of_g711() -> None:
    assert g711.encode([0, 8, -8, 32767, -32768, 40000]) == b"\xff\xfe\x7e\x80\x00\x80"
    assert list(g711.decode(b"\xff\x7f\x80\x00")) == [0, 0, 32124, -32124]


def test_every_code_comes_back_as_itself() -> None:
    # The two zeros are one value.
    codes = bytes(code for code in range(256) if code != 0x7F)
    assert g711.encode(g711.decode(codes)) == codes


@given(st.integers(-32635, 32635))
def test_the_error_of_mulaw_is_small_against_the_sample(sample: int) -> None:
    (back,) = g711.decode(g711.encode([sample]))
    assert abs(back - sample) <= max(4, abs(sample) / 16 + 8)


def test_mixing_adds_and_passes_a_single_voice_through_untouched() -> None:
    one, two = g711.encode([1000] * 160), g711.encode([500] * 160)
    silence = b"\xff" * 160
    assert sounds.mix([]) == b""
    assert sounds.mix([silence, silence]) == silence
    assert sounds.mix([silence, one, silence]) == one
    (total,) = set(g711.decode(sounds.mix([one, two])))
    assert abs(total - 1500) < 60


def test_silence_and_faint_noise_are_no_sound() -> None:
    assert not sounds.is_sound(b"")
    assert not sounds.is_sound(b"\xff" * 160)
    assert not sounds.is_sound(g711.encode([100, -100] * 80))
    assert sounds.is_sound(g711.encode([3000, -3000] * 80))


def test_the_ringing_tone_is_two_seconds_on_and_four_off() -> None:
    cycle = sounds.ringing_cycle()
    assert len(cycle) == 48_000
    assert level(cycle[:16_000]) > 3000
    assert set(cycle[16_000:]) == {0xFF}


def test_the_voice_pattern_is_steady_and_plausible() -> None:
    text = "please hold the line"
    assert sounds.voice_pattern(text) == sounds.voice_pattern(text)
    assert sounds.voice_pattern(text) != sounds.voice_pattern("please hold the lime")
    assert 1.0 < len(sounds.voice_pattern(text)) / 8000 < 2.5


def test_mulaw_files_are_passed_through() -> None:
    payload = bytes(range(256))
    assert sounds.read_wav(wav(payload, 7, 8000, 8)) == payload


def test_pcm_at_8_khz_is_only_encoded() -> None:
    samples = sine(440, 8000)
    data = struct.pack(f"<{len(samples)}h", *samples)
    assert sounds.read_wav(wav(data, 1, 8000, 16)) == g711.encode(samples)


@pytest.mark.parametrize("rate", [16_000, 24_000, 48_000])
def test_higher_rates_are_filtered_and_thinned(rate: int) -> None:
    low, high = sine(1000, rate), sine(6000, rate)
    kept = sounds.read_wav(wav(struct.pack(f"<{rate}h", *low), 1, rate, 16))
    gone = sounds.read_wav(wav(struct.pack(f"<{rate}h", *high), 1, rate, 16))
    assert len(kept) == len(gone) == 8000
    assert abs(level(kept) - 8000 / math.sqrt(2)) < 200
    assert level(gone[800:-800]) < 60


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"no wave", "expected a WAV file"),
        (b"RIFF\x00\x00\x00\x00WAVE", "no format chunk"),
        (wav(b"\x00" * 8, 1, 8000, 16, channels=2), "one channel"),
        (wav(b"\x00" * 8, 1, 11_025, 16), "11025 Hz"),
        (wav(b"\x00" * 8, 3, 8000, 32), "format 3"),
    ],
)
def test_other_files_are_refused_by_name(data: bytes, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        sounds.read_wav(data)
