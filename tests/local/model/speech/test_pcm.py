import numpy as np
import pytest

from hookflash_local.model.speech.pcm import (
    StreamResampler,
    alaw_to_pcm16,
    mulaw_to_pcm16,
    pcm16_to_alaw,
    pcm16_to_mulaw,
    resample,
    to_pcm16,
)

ALL = bytes(range(256))


def tone(hertz, rate, seconds=1.0, level=0.5):
    return to_pcm16(level * np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate))


def loudness(samples):
    middle = samples[len(samples) // 4 : -len(samples) // 4].astype(float)
    return 20 * np.log10(max(np.sqrt(np.mean(middle**2)), 1e-3) / (0.5 * 32768 / np.sqrt(2)))


def test_known_bytes_expand_to_the_samples_of_g711():
    assert mulaw_to_pcm16(b"\x00\x80\xff\x7f\xf0").tolist() == [-32124, 32124, 0, 0, 120]
    assert alaw_to_pcm16(b"\xd5\x55\x2a\xaa").tolist() == [8, -8, -32256, 32256]


def test_every_byte_survives_expansion_and_compression():
    # 0x7F is the negative zero: it comes back as the positive one.
    assert pcm16_to_mulaw(mulaw_to_pcm16(ALL)) == ALL.replace(b"\x7f", b"\xff")
    assert pcm16_to_alaw(alaw_to_pcm16(ALL)) == ALL


@pytest.mark.parametrize(
    ("compress", "expand"), [(pcm16_to_mulaw, mulaw_to_pcm16), (pcm16_to_alaw, alaw_to_pcm16)]
)
def test_every_sample_is_compressed_to_the_nearest_level(compress, expand):
    samples = np.arange(-32768, 32768).astype(np.int16)
    levels = np.unique(expand(ALL)).astype(int)
    chosen = np.abs(expand(compress(samples)).astype(int) - samples)
    nearest = np.abs(levels[None, :] - samples[::16, None].astype(int)).min(axis=1)
    assert (chosen[::16] == nearest).all()


@pytest.mark.parametrize("rates", [(8000, 16000), (16000, 8000), (22050, 8000), (8000, 24000)])
def test_a_stream_in_pieces_gives_what_the_whole_gives(rates):
    source = tone(440, rates[0]) + tone(1234, rates[0], level=0.1)
    stream = StreamResampler(*rates)
    cuts = [0, 1, 2, 163, 164, 1000, 4321, len(source)]
    pieces = [stream.push(source[a:b]) for a, b in zip(cuts, cuts[1:], strict=False)]
    whole = resample(source, *rates)
    assert np.array_equal(np.concatenate([*pieces, stream.flush()]), whole)
    assert len(whole) == rates[1]


def test_a_flushed_stream_is_as_good_as_a_fresh_one():
    stream = StreamResampler(22050, 8000)
    first = np.concatenate((stream.push(tone(500, 22050)), stream.flush()))
    second = np.concatenate((stream.push(tone(500, 22050)), stream.flush()))
    assert np.array_equal(first, second)


@pytest.mark.parametrize("from_rate", [16000, 22050, 24000, 44100, 48000])
def test_the_telephone_band_passes_and_what_lies_above_it_does_not(from_rate):
    for hertz in (300, 1000, 3000, 3400):
        assert abs(loudness(resample(tone(hertz, from_rate), from_rate, 8000))) < 0.3
    for hertz in (4100, 4600, 6000, 7500):
        assert loudness(resample(tone(hertz, from_rate), from_rate, 8000)) < -40


def test_going_up_and_down_again_changes_a_voice_band_tone_by_less_than_a_percent():
    source = tone(1000, 8000)
    there_and_back = resample(resample(source, 8000, 16000), 16000, 8000)
    assert np.abs(there_and_back[100:-100].astype(int) - source[100:-100]).max() < 170


def test_loud_sound_is_clipped_and_not_wrapped():
    square = np.where(np.arange(8000) // 10 % 2, 32767, -32768).astype(np.int16)
    up = resample(square, 8000, 16000)
    assert up.max() == 32767 and up.min() == -32768
    assert (np.sign(up[10:2000:40]) == np.sign(up[10])).all()


def test_equal_rates_pass_everything_through():
    source = tone(700, 8000)
    stream = StreamResampler(8000, 8000)
    assert np.array_equal(stream.push(source), source)
    assert len(stream.flush()) == 0


def test_a_rate_that_is_no_rate_is_refused():
    with pytest.raises(ValueError, match="positive"):
        StreamResampler(0, 8000)
