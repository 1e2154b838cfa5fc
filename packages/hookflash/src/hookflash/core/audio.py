"""Sizes of telephone audio: G.711 mu-law, 8,000 samples per second, one byte per sample.

A payload stays the base64 text in which it came: Twilio Media Streams and OpenAI Realtime both use
that for `audio/pcmu`. So nothing here decodes sound; it only counts and cuts.
"""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64

BYTES_PER_MS = 8
"""8,000 samples a second, one byte each."""

SILENCE = 0xFF
"""The mu-law byte of a zero sample."""


def payload_size(payload: str) -> int:
    """Return how many bytes of sound a base64 `payload` holds, without decoding it."""
    return len(payload) // 4 * 3 - payload.count("=", -2)


def split_payload(payload: str, size: int, chunk_bytes: int) -> list[tuple[str, int]]:
    """Cut `payload` (`size` bytes) into (payload, bytes) pieces of about `chunk_bytes` at most.

    Four base64 characters are three bytes, so each cut is at a multiple of three. The pieces are of
    similar size, because a small one at the end would cost as much as a large one. An empty payload
    (a journal has only sizes) is cut into empty texts of the same sizes.
    """
    if size <= chunk_bytes:
        return [(payload, size)]
    triplets = -(-size // 3)
    step = -(-triplets // -(-size // chunk_bytes))
    return [
        (payload[start * 4 : (start + step) * 4], min(step * 3, size - start * 3))
        for start in range(0, triplets, step)
    ]


def payload_end(payload: str, left: int, size: int) -> str:
    """Return the last `left` of the `size` bytes of a payload; an empty one stays empty.

    A payload that is not base64 is cut by characters.
    """
    if left >= size or not payload:
        return payload
    try:
        return b2a_base64(a2b_base64(payload)[-left:], newline=False).decode()
    except ValueError:
        return payload[-(-(-left // 3) * 4) :]


def ms(size: int) -> float:
    """Return how many milliseconds `size` bytes of mu-law last."""
    return size / BYTES_PER_MS
