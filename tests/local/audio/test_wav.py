import struct
import wave

import numpy as np
import pytest

from hookflash.errors import ConfigError
from hookflash_local import audio
from hookflash_local.audio.wav import decode_wav, read_wav, write_mulaw
from hookflash_local.model.speech.pcm import mulaw_to_pcm16, pcm16_to_alaw


def tone(rate, seconds=1.0, level=0.4):
    at = np.arange(int(rate * seconds)) / rate
    return np.round(level * 32767 * np.sin(2 * np.pi * 600 * at)).astype("<i2")


def pcm(path, samples, rate, channels=1, width=2):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())
    return path


def header(encoding, channels, rate, bits, data, extra=b""):
    layout = struct.pack("<HHIIHH", encoding, channels, rate, 0, 0, bits) + extra
    chunks = struct.pack("<4sI", b"fmt ", len(layout)) + layout
    chunks += struct.pack("<4sI", b"data", len(data)) + data
    return struct.pack("<4sI4s", b"RIFF", 4 + len(chunks), b"WAVE") + chunks


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 44100, 48000])
def test_pcm_of_any_rate_is_read_as_telephone_sound(tmp_path, rate):
    sound = mulaw_to_pcm16(read_wav(pcm(tmp_path / "a.wav", tone(rate), rate))).astype(float)
    assert len(sound) == 8000
    error = sound[200:-200] - tone(8000)[200:-200]
    assert np.sqrt(np.mean(error**2)) < 0.02 * 32767


def test_several_channels_are_mixed_to_one(tmp_path):
    both = np.stack((tone(8000), np.zeros(8000, dtype="<i2")), axis=1)
    sound = mulaw_to_pcm16(read_wav(pcm(tmp_path / "a.wav", both, 8000, channels=2)))
    assert np.abs(sound).max() == pytest.approx(0.2 * 32767, rel=0.05)


def test_mulaw_at_8_khz_is_passed_through_byte_for_byte(tmp_path):
    sound = audio.load("yes").audio
    write_mulaw(tmp_path / "a.wav", sound)
    assert read_wav(tmp_path / "a.wav") == sound
    write_mulaw(tmp_path / "odd.wav", sound[:7])
    assert read_wav(tmp_path / "odd.wav") == sound[:7]


def test_alaw_and_extensible_headers_are_read():
    samples = tone(8000)
    data = decode_wav(header(6, 1, 8000, 8, pcm16_to_alaw(samples)), "a")
    assert np.abs(mulaw_to_pcm16(data).astype(int) - samples).max() < 1200
    extensible = struct.pack("<HHIH14s", 22, 16, 4, 1, b"")
    data = decode_wav(header(0xFFFE, 1, 8000, 16, samples.tobytes(), extensible), "a")
    assert np.abs(mulaw_to_pcm16(data).astype(int) - samples).max() < 600


def test_a_recording_that_was_stopped_is_read_as_far_as_it_goes():
    whole = header(7, 1, 8000, 8, b"\xff" * 100)
    assert decode_wav(whole[:-40], "a") == b"\xff" * 60
    endless = whole[:40] + struct.pack("<I", 0xFFFFFFFF) + whole[44:]
    assert decode_wav(endless, "a") == b"\xff" * 100


def test_unknown_chunks_are_passed_over():
    whole = header(7, 1, 8000, 8, b"\x80" * 10)
    extra = struct.pack("<4sI", b"LIST", 3) + b"abc\0"
    assert decode_wav(whole[:12] + extra + whole[12:], "a") == b"\x80" * 10


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "not a WAV file"),
        (b"ID3" + b"\0" * 40, "not a WAV file"),
        (header(7, 1, 8000, 8, b"")[:36], "expected a .data. chunk"),
        (header(3, 1, 8000, 32, b"\0" * 8), "encoding 3, 32 bits"),
        (header(1, 1, 8000, 24, b"\0" * 9), "encoding 1, 24 bits"),
        (header(1, 0, 8000, 16, b""), "0 channels"),
        (header(1, 1, 10, 16, b""), "at 10 Hz"),
        (header(7, 1, 8000, 8, b"")[:12] + b"data\0\0\0\0", "expected .fmt . before"),
        (b"RIFF\0\0\0\0WAVEfmt \x02\0\0\0ab", "of 16 bytes, got 2"),
    ],
)
def test_what_cannot_be_read_is_named(data, text):
    with pytest.raises(ConfigError, match=text):
        decode_wav(data, "file.wav")


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"gone\.wav: cannot be read: No such file"):
        read_wav(tmp_path / "gone.wav")
