"""Arithmetic on telephone audio: G.711 mu-law, 8,000 samples a second, one byte a sample.

Payloads travel as the base64 text in which they came (Twilio Media Streams and OpenAI Realtime
both carry `audio/pcmu` that way), so nothing here decodes sound: it only counts and cuts.
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

    Four base64 characters carry three bytes, so the cuts fall on multiples of three; the pieces
    are of like size, for a crumb at the end would cost as much as a piece. A payload left out (a
    journal stores only sizes) is cut alike, into empty texts of the same sizes.
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

    One that is no base64 cannot be cut to the byte: it keeps its last characters.
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
