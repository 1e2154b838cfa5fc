"""The music that somebody hears who waits."""

from __future__ import annotations

import io
import struct

import pytest

from hookflash.server.music import wav


@pytest.mark.parametrize("seconds", [1, 2, 60])
def test_music_is_a_wav_file_of_mu_law_as_long_as_it_was_asked_for(seconds: int) -> None:
    sound = io.BytesIO(wav(seconds))
    riff, size, wave = struct.unpack("<4sI4s", sound.read(12))
    assert (riff, wave, size) == (b"RIFF", b"WAVE", len(wav(seconds)) - 8)
    name, length = struct.unpack("<4sI", sound.read(8))
    assert (name, length) == (b"fmt ", 18)
    assert struct.unpack("<HHIIHHH", sound.read(18)) == (7, 1, 8000, 8000, 1, 8, 0)
    assert struct.unpack("<4sI", sound.read(8)) == (b"data", seconds * 8000)
    assert len(sound.read()) == seconds * 8000


def test_the_music_has_no_gap_and_is_never_loud() -> None:
    from hookflash import g711
    from hookflash_local.carrier.media.sounds import read_wav

    linear = g711.decode(read_wav(wav(8)))
    assert 3_000 < max(abs(sample) for sample in linear) <= 5_100
    for start in range(0, len(linear), 8_000):
        assert max(abs(sample) for sample in linear[start : start + 8_000]) > 1_000


async def test_music_needs_no_signature_and_may_be_kept(webhook_server) -> None:
    async with webhook_server.client() as client:
        response = await client.get("/twilio/music/2.wav")
        assert (response.status_code, response.headers["content-type"]) == (200, "audio/x-wav")
        assert "max-age" in response.headers["cache-control"]
        assert response.content == wav(2)
        for seconds in ("0", "61", "999999999999"):
            assert (await client.get(f"/twilio/music/{seconds}.wav")).status_code == 404
