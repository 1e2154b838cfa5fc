"""24 kHz PCM as telephone sound: what is in the band passes, what would fold into it does not."""

from __future__ import annotations

import asyncio
import math
import struct

import pytest

from hookflash.g711 import LINEAR
from hookflash.models.phone_audio import PCM_RATE, phone_sound

AMPLITUDE = 10_000


def sine(hz: float, seconds: float = 0.2) -> bytes:
    turn = 2 * math.pi * hz / PCM_RATE
    size = round(seconds * PCM_RATE)
    return struct.pack(f"<{size}h", *(round(AMPLITUDE * math.sin(turn * n)) for n in range(size)))


def level(sound: bytes) -> float:
    """Return the level of the middle in dB, compared with the sine that went in."""
    middle = sound[200:-200]
    power = sum(LINEAR[code] ** 2 for code in middle) / len(middle)
    return 10 * math.log10(power / (AMPLITUDE**2 / 2)) if power else -math.inf


@pytest.mark.parametrize("hz", [100, 300, 1000, 2000, 3000, 3400])
async def test_the_telephones_band_passes(hz: int) -> None:
    assert level(await phone_sound(sine(hz))) == pytest.approx(0.0, abs=0.3)


@pytest.mark.parametrize("hz", [4000, 4200, 5000, 7000, 8000, 9500, 11900])
async def test_resampling_removes_frequencies_that_would_alias(hz: int) -> None:
    assert level(await phone_sound(sine(hz))) < -46.0


async def test_resampling_preserves_a_sine() -> None:
    sound = await phone_sound(sine(500))
    expected = [AMPLITUDE * math.sin(2 * math.pi * 500 / 8000 * n) for n in range(len(sound))]
    for code, wanted in list(zip(sound, expected, strict=True))[100:-100]:
        # Half a step of mu-law is 2 % at this level.
        assert abs(LINEAR[code] - wanted) <= 0.035 * abs(wanted) + 60


@pytest.mark.parametrize(("samples", "size"), [(0, 0), (1, 1), (3, 1), (4, 2), (24_000, 8_000)])
async def test_resampling_returns_a_third_of_the_samples(samples: int, size: int) -> None:
    assert await phone_sound(bytes(2 * samples)) == b"\xff" * size


async def test_half_a_sample_is_refused() -> None:
    with pytest.raises(ValueError, match="expected 16-bit samples, got 3 bytes"):
        await phone_sound(b"abc")


async def test_the_event_loop_has_its_turn_every_few_milliseconds_of_sound() -> None:
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    await phone_sound(bytes(2 * PCM_RATE))
    counting.cancel()
    assert turns >= 8_000 / 100
