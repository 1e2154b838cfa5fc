"""Read loudness and the real ends of speech from a call's recording.

Audio is G.711 mu-law at 8,000 samples per second, one byte per sample.
"""

from __future__ import annotations

import math

import msgspec

from hookflash.g711 import LINEAR
from hookflash.replay.timeline import Timeline

BINS_PER_SECOND = 50
_BYTES_PER_SECOND = 8000
_LOUD = 0.055
"""Quieter bins (0 to 1, see `envelope`) are line noise and not speech."""
_ONSET_BINS = 15
"""Voice activity detection may report the start of speech this many bins late."""

_PEAK = bytes(min(255, round(255 * (abs(sample) / 32124) ** 0.6)) for sample in LINEAR)


class Tracks(msgspec.Struct, frozen=True):
    """The recording of a call as mu-law at 8 kHz: `said` by the caller, `heard` by the caller.

    Both begin `starts_at` seconds after the call arrived (before it, if negative).
    """

    said: bytes
    heard: bytes
    starts_at: float = 0.0

    @property
    def ends_at(self) -> float:
        """When the longer track ends, in seconds since the call arrived."""
        return self.starts_at + max(len(self.said), len(self.heard)) / _BYTES_PER_SECOND


def envelope(audio: bytes) -> list[float]:
    """Return the loudness of `audio` (mu-law) from 0 to 1, one value per 20 ms.

    The scale is compressed (power 0.6), which is closer to perceived loudness.
    """
    size = _BYTES_PER_SECOND // BINS_PER_SECOND
    loud = audio.translate(_PEAK)
    return [
        (max(part) + sum(part) / len(part)) / 510
        for part in (loud[start : start + size] for start in range(0, len(loud), size))
    ]


def fit_to_recording(timeline: Timeline, tracks: Tracks) -> Timeline:
    """Return `timeline` with the caller's spans moved to where the recorded voice starts and ends.

    The model reports the end of speech only after a silence, so its time is late by that silence.
    """
    loud = envelope(tracks.said)
    spoken = []
    for one in timeline.spoken:
        if one.speaker == "caller":
            first = int((one.start - tracks.starts_at) * BINS_PER_SECOND) - _ONSET_BINS
            last = math.ceil((one.end - tracks.starts_at) * BINS_PER_SECOND)
            bins = range(max(0, first), min(len(loud), last))
            # A click is loud for one or two bins only, so a voiced bin needs loud bins next to it.
            voiced = [
                number
                for number in bins
                if loud[number] > _LOUD
                and sum(x > _LOUD for x in loud[max(0, number - 2) : number + 3]) > 2
            ]
            if voiced:
                one = msgspec.structs.replace(
                    one,
                    start=max(0.0, tracks.starts_at + voiced[0] / BINS_PER_SECOND),
                    end=tracks.starts_at + (voiced[-1] + 1) / BINS_PER_SECOND,
                )
        spoken.append(one)
    seconds = max(timeline.seconds, tracks.ends_at)
    return msgspec.structs.replace(timeline, spoken=spoken, seconds=seconds)
