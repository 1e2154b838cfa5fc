from hookflash.standins.audio.g711 import ALAW, MULAW, mulaw_to_pcm16_bytes


def test_the_levels_are_those_of_g711():
    assert (MULAW[0x00], MULAW[0x80], MULAW[0xFF], MULAW[0x7F]) == (-32124, 32124, 0, 0)
    assert (ALAW[0xD5], ALAW[0x55], ALAW[0x2A], ALAW[0xAA]) == (8, -8, -32256, 32256)
    assert sorted(MULAW[0x80:], reverse=True) == list(MULAW[0x80:])


def test_mulaw_becomes_little_endian_samples():
    expected = b"".join(MULAW[code].to_bytes(2, "little", signed=True) for code in range(256))
    assert mulaw_to_pcm16_bytes(bytes(range(256))) == expected
