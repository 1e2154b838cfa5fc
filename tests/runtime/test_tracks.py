from __future__ import annotations

import base64

from hookflash.runtime.tracks import Block, Piece, Track


def sound(byte: int, size: int) -> str:
    return base64.b64encode(bytes([byte]) * size).decode()


def test_a_block_is_both_sides_by_turns_and_silence_elsewhere() -> None:
    left = (Piece(100, sound(1, 4), 1, 2),)
    right = (Piece(102, sound(2, 2), 0, 2),)
    assert Block(100, 4, left, right).stereo() == bytes([1, 255, 1, 255, 255, 2, 255, 2])


def test_a_payload_that_is_none_or_too_short_is_silence() -> None:
    left = (Piece(0, "AAA", 0, 2), Piece(2, sound(1, 1), 0, 2))
    assert Block(0, 4, left, ()).stereo()[0::2] == bytes([255, 255, 1, 255])


def test_overlapping_audio_is_dropped() -> None:
    track = Track()
    track.place(10, "a", 20)
    track.place(25, "b", 10)
    track.place(28, "c", 2)
    assert track.take(100) == (Piece(10, "a", 0, 20), Piece(30, "b", 5, 5))


def test_taken_audio_ends_where_asked_and_nothing_can_be_placed_there() -> None:
    track = Track()
    track.place(0, "a", 20)
    assert track.take(8) == (Piece(0, "a", 0, 8),)
    track.place(4, "late", 20)
    assert track.take(22) == (Piece(8, "a", 8, 12), Piece(20, "late", 16, 2))
    assert track.take(40) == (Piece(22, "late", 18, 2),)
    track.place(30, "gone", 10)
    assert track.take(50) == ()
    assert track.end == 50
