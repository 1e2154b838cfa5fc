"""A human accepts: until both talk, neither side hears more than a fifth of a second of nothing.

Measured on what each of them heard.
"""

from __future__ import annotations

import pytest

from hookflash_local.carrier import Human, Leg

from .acts import longest_silence, script_whole_agent
from .conftest import DESK, samples, shop
from .test_meeting import CALLER, CLOSING, FRAME, HUMAN, caller, desk, other_legs

MOST_SECONDS = 0.2


def between(leg: Leg, since: float, byte: int) -> bytes:
    """Return what a leg heard from a moment (of the carrier's clock) to the first of a sound."""
    recording = leg.recording()
    assert recording.answered_at is not None
    start = round((since - leg.timeline.start - recording.answered_at) * 8000)
    return recording.heard[start : recording.heard.index(bytes([byte]) * FRAME)]


@pytest.mark.parametrize("network_ms", [0.0, 60.0], ids=["on the spot", "60 ms away"])
async def test_nobody_listens_to_nothing_between_accepting_and_talking(stage, network_ms):
    async with stage(shop(manner="warm"), network_ms=network_ms) as s:
        script_whole_agent(s)
        s.carrier.humans[DESK] = Human.accepts(0.5, then=desk)
        call = await s.call(caller(s))
        record = await s.record(call)
        (leg,) = other_legs(s, call)
        (pressed,) = leg.timeline.find("digit", leg.sid)
        accepted = leg.timeline.start + pressed.at
        # The caller: the closing line, then music or the human at once.
        heard = between(call, accepted, HUMAN)
        assert samples(heard, CLOSING) == 900 * 8
        assert longest_silence(heard) <= MOST_SECONDS
        # The human: music until the caller is there.
        assert longest_silence(between(leg, accepted, CALLER)) <= MOST_SECONDS
        assert record.disposition == "handed_off"
