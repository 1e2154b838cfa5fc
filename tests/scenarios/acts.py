"""What callers and humans do in scenarios of whole hand-offs, and what the agent says in them."""

from __future__ import annotations

from hookflash_local.carrier import Leg, Line, Script
from hookflash_local.carrier.media import sounds

from .conftest import samples
from .test_meeting import FRAME, HUMAN, ask_for_a_human, asked_to, say, script_agent

WELCOME, AGAIN = 0x77, 0x0A


def script_whole_agent(s) -> None:
    """As `script_agent`, and the agent welcomes back who has spoken with a human."""
    s.model.on("response.create", [say("welcome", 900, WELCOME)], where=asked_to("Welcome"))
    script_agent(s)


async def hear(line: Line, byte: int, ms: int = 900) -> None:
    """Wait until so much of a recognisable sound was heard."""
    while samples(line.heard, byte) < ms * 8:
        await line.pause(0.2)


def caller_until(s, byte: int, ms: int = 900) -> Script:
    """A caller who asks for a human and hangs up when they have heard so much of a sound."""

    async def script(line: Line) -> None:
        await ask_for_a_human(s, line)
        await hear(line, byte, ms)
        await line.hang_up()

    return script


async def talk(line: Line) -> None:
    """A human who says something and stays."""
    await line.play(bytes([HUMAN]) * 8000)


def said_on(leg: Leg) -> list[str]:
    """What the carrier's own voice was told to say on a leg, in order."""
    return [str(each.detail["text"]) for each in leg.timeline.find("say", leg.sid)]


def ended_at(leg: Leg) -> float:
    """Return when a leg ended, on the carrier's clock."""
    (ended,) = leg.timeline.find("ended", leg.sid)
    return leg.timeline.start + ended.at


def longest_silence(sound: bytes) -> float:
    """Return the longest time in which nothing was heard, in seconds."""
    longest = quiet = 0
    for start in range(0, len(sound) - FRAME + 1, FRAME):
        quiet = 0 if sounds.is_sound(sound[start : start + FRAME]) else quiet + FRAME
        longest = max(longest, quiet)
    return longest / 8000
