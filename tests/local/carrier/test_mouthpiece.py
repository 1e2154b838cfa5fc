from __future__ import annotations

from hookflash_local.carrier.mouthpiece import Mouthpiece
from hookflash_local.carrier.playout import Playout

SPEECH, QUIET = b"\x10" * 160, b"\xff" * 160


def test_the_first_frame_comes_after_a_cushion() -> None:
    mouth = Playout()
    Mouthpiece(mouth).speak(SPEECH, 1.0)
    assert mouth.segments(2.0) == [(1.0, b"\xff" * 480 + SPEECH)]


def test_frames_that_jitter_leave_no_hole() -> None:
    mouth = Playout()
    mouthpiece = Mouthpiece(mouth)
    for frame, late in enumerate((0.0, 0.019, 0.003, 0.035, 0.016)):
        assert mouthpiece.speak(SPEECH, frame * 0.02 + late)
    assert mouth.heard(0.2)[480:].rstrip(b"\xff") == SPEECH * 5


def test_after_a_stall_silence_is_left_out_and_speech_is_not() -> None:
    mouth = Playout()
    mouthpiece = Mouthpiece(mouth)
    assert all(mouthpiece.speak(SPEECH, 1.0) for _ in range(12))
    assert not mouthpiece.speak(QUIET, 1.0)
    assert mouthpiece.speak(SPEECH, 1.0)
    assert mouthpiece.speak(QUIET, 1.3), "it has caught up"


def test_speech_that_would_come_a_second_late_is_left_out() -> None:
    mouth = Playout()
    mouthpiece = Mouthpiece(mouth)
    taken = [mouthpiece.speak(SPEECH, 1.0) for _ in range(100)]
    assert 45 < sum(taken) < 55
