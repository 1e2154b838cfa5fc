"""Arithmetic on telephone audio: G.711 mu-law, 8,000 samples a second, one byte a sample.

Payloads travel as the base64 text in which they came (Twilio Media Streams and OpenAI Realtime
both carry `audio/pcmu` that way), so nothing here decodes sound: it only counts and cuts.
"""

from __future__ import annotations

BYTES_PER_MS = 8
"""8,000 samples a second, one byte each."""

SILENCE = 0xFF
"""The mu-law byte of a zero sample."""


def payload_size(payload: str) -> int:
    """Return how many bytes of sound a base64 `payload` holds, without decoding it."""
    return len(payload) // 4 * 3 - payload.count("=", -2)


def split_payload(payload: str, size: int, chunk_bytes: int) -> list[tuple[str, int]]:
    """Cut `payload` (`size` bytes) into (payload, bytes) pieces of at most `chunk_bytes` each.

    Four base64 characters carry three bytes, so the cut falls on a multiple of three. A payload
    left out (a journal stores only sizes) is cut alike, into empty texts of the same sizes.
    """
    step = max(3, chunk_bytes - chunk_bytes % 3)
    if size <= step:
        return [(payload, size)]
    characters = step // 3 * 4
    pieces = []
    for number, start in enumerate(range(0, size, step)):
        text = payload[number * characters : (number + 1) * characters]
        pieces.append((text, min(step, size - start)))
    return pieces


def ms(size: int) -> float:
    """Return how many milliseconds `size` bytes of mu-law last."""
    return size / BYTES_PER_MS
