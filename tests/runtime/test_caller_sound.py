"""The caller's sound on its way to the model: sent at once, looked at every tenth of a second."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field

import pytest

from hookflash.runtime.audio_rate_limit import BUCKET_BYTES, FRAME_COST, AudioRateLimit
from hookflash.runtime.call_ports import Traffic
from hookflash.runtime.caller_sound import SETTLE_FRAMES, CallerSound, sound_of
from hookflash.runtime.voice_level import QUIET_SECONDS, VoiceLevel

pytestmark = pytest.mark.clockless

VOICE, SILENCE = bytes([0x22]) * 160, bytes([0xFF]) * 160


@dataclass
class Line:
    """A caller, and what came of their sound."""

    seconds: float = 0.0
    sent: list[bytes] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    traffic: Traffic = field(default_factory=Traffic)
    breaks: bool = False

    def __post_init__(self) -> None:
        limit = AudioRateLimit(lambda: self.seconds)
        self.sound = CallerSound(limit, VoiceLevel(), self.traffic, self)
        self.sound.open(self.send)

    def send(self, payload: bytes) -> None:
        if self.breaks:
            raise ValueError("the session is broken")
        self.sent.append(payload)

    def caller_quiet(self) -> None:
        self.told.append("quiet")

    def not_sent(self) -> None:
        self.told.append("not sent")

    def flooded(self) -> None:
        self.told.append("flooded")

    def take(self, sound: bytes, times: int = 1) -> int:
        """Let frames come in real time; return how many were taken."""
        taken = 0
        for _ in range(times):
            self.seconds += len(sound) / 8000
            taken += self.sound.take(base64.b64encode(sound), sound)
        return taken


def test_each_frame_is_sent_at_once_and_counted_with_others() -> None:
    line = Line()
    line.take(VOICE, SETTLE_FRAMES - 1)
    assert line.sent == [base64.b64encode(VOICE)] * (SETTLE_FRAMES - 1)
    assert (line.sound.frames, line.traffic.up) == (SETTLE_FRAMES - 1, 0)
    line.take(VOICE)
    assert (line.sound.frames, line.traffic.up) == (SETTLE_FRAMES, SETTLE_FRAMES)


def test_a_long_frame_is_counted_at_once() -> None:
    line = Line()
    line.take(VOICE * 10)
    assert line.sound.frames == 1


def test_what_is_left_is_counted_when_the_road_is_closed() -> None:
    line = Line()
    line.take(VOICE, 2)
    line.sound.close()
    assert (line.sound.frames, line.traffic.up) == (2, 2)
    assert not line.sound.is_open
    line.take(VOICE, SETTLE_FRAMES)
    assert (line.sound.frames, line.traffic.up) == (2 + SETTLE_FRAMES, 2)
    assert len(line.sent) == 2


def test_a_caller_who_becomes_silent_is_told_once() -> None:
    line = Line()
    line.take(VOICE, 50)
    line.take(SILENCE, round(QUIET_SECONDS * 50) + SETTLE_FRAMES)
    assert line.told == ["quiet"]


def test_a_session_that_raises_does_not_end_the_callers_road() -> None:
    line = Line(breaks=True)
    assert line.take(VOICE) == 1
    assert line.told == ["not sent"]


def test_a_flood_is_cut_to_a_few_times_real_time_and_then_reported() -> None:
    line = Line()
    real_time = 0.02
    frames = 0
    while "flooded" not in line.told:
        line.seconds += real_time / 20
        line.sound.take(base64.b64encode(VOICE), VOICE)
        frames += 1
        assert frames < 100_000
    bucket_frames = BUCKET_BYTES / (160 + FRAME_COST)
    assert bucket_frames < len(line.sent) < frames
    # It ends, and the caller is heard again.
    line.seconds += 10.0
    assert line.take(VOICE, 10) == 10


def test_a_burst_after_a_delay_of_the_network_is_no_flood() -> None:
    line = Line()
    line.take(VOICE, 50)
    line.seconds += 5.0
    for _ in range(250):
        assert line.sound.take(base64.b64encode(VOICE), VOICE)
    assert "flooded" not in line.told


def test_a_call_that_is_over_takes_no_sound() -> None:
    line = Line()
    line.take(VOICE)
    line.sound.end()
    assert line.take(VOICE, SETTLE_FRAMES) == 0
    assert len(line.sent) == 1
    assert line.told == []


def test_a_payload_that_is_not_base64_has_no_sound() -> None:
    assert sound_of("/v7+") == bytes([0xFE, 0xFE, 0xFE])
    assert sound_of("A") == b""
    assert sound_of("\u00e9") == b""
