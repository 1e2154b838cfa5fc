from __future__ import annotations

from hookflash_local.carrier.media.playout import Playout
from hookflash_local.carrier.phones.jitter_buffer import JitterBuffer

SPEECH, QUIET = b"\x10" * 160, b"\xff" * 160


def test_the_first_frame_comes_after_a_cushion() -> None:
    playout = Playout()
    JitterBuffer(playout).speak(SPEECH, 1.0)
    assert playout.segments(2.0) == [(1.0, b"\xff" * 480 + SPEECH)]


def test_frames_that_jitter_leave_no_hole() -> None:
    playout = Playout()
    jitter_buffer = JitterBuffer(playout)
    for frame, late in enumerate((0.0, 0.019, 0.003, 0.035, 0.016)):
        assert jitter_buffer.speak(SPEECH, frame * 0.02 + late)
    assert playout.heard(0.2)[480:].rstrip(b"\xff") == SPEECH * 5


def test_after_a_stall_silence_is_left_out_and_speech_is_not() -> None:
    playout = Playout()
    jitter_buffer = JitterBuffer(playout)
    assert all(jitter_buffer.speak(SPEECH, 1.0) for _ in range(12))
    assert not jitter_buffer.speak(QUIET, 1.0)
    assert jitter_buffer.speak(SPEECH, 1.0)
    assert jitter_buffer.speak(QUIET, 1.3), "it has caught up"


def test_speech_that_would_come_a_second_late_is_left_out() -> None:
    playout = Playout()
    jitter_buffer = JitterBuffer(playout)
    taken = [jitter_buffer.speak(SPEECH, 1.0) for _ in range(100)]
    assert 45 < sum(taken) < 55
