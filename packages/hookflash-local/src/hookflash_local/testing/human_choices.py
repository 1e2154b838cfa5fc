"""The humans of a test: what somebody does whose telephone rings.

`answers` fits every manner of a hand-off. In a cold one the human says hello. In a warm one they
hear the whisper and press 1. In a consult they hear the agent and ask for the caller.
"""

from __future__ import annotations

from typing import Literal, get_args

from hookflash_local.carrier import Human, Line, Script

HumanName = Literal[
    "answers", "declines", "mailbox", "busy", "no-answer", "hangs-up", "ignores", "fails"
]
HUMAN_NAMES: tuple[HumanName, ...] = get_args(HumanName)

HELLO = "Hello, how can I help?"
PUT_THROUGH = "Yes, please put them through."
NO_TIME = "I am sorry, I am in a meeting and cannot take the call."
_PAUSE_SECONDS = 1.4
"""Longer than any pause within a whisper, or within one turn of the agent."""


def named_human(name: str) -> Human:
    """Return a human who does what `name` says. Raises ValueError for an unknown name."""
    match name:
        case "answers":
            return Human(2.0, _listener("1", PUT_THROUGH, HELLO))
        case "declines":
            return Human(2.0, _listener("2", NO_TIME, NO_TIME))
        case "mailbox":
            return Human.mailbox()
        case "busy":
            return Human.busy()
        case "no-answer":
            return Human.no_answer()
        case "hangs-up":
            return Human.hangs_up(2.0)
        case "ignores":
            return Human.ignores(2.0)
        case "fails":
            return Human.fails()
    raise ValueError(f"expected a Human or one of {', '.join(HUMAN_NAMES)}, got {name!r}")


def _listener(key: str, decision: str, hello: str) -> Script:
    async def talk(line: Line) -> None:
        await line.say(hello)

    return decides(key, decision, talk, greeting="Hello?")


def decides(key: str, decision: str, talk: Script, *, greeting: str = "") -> Script:
    """Return a human who hears what the call is about, and decides.

    They press `key` after a whisper, or say `decision` to an agent that talks with them. `talk`
    runs when they are connected with the caller. They say `greeting` as they pick up.
    """

    async def script(line: Line) -> None:
        if greeting:
            await line.say(greeting)
        wanted = ("gathering", "stream-started", "bridged", "conference-joined")
        asked = await line.leg.timeline.until_any(wanted, line.leg.sid)
        if asked.kind == "gathering":
            await line.wait_for_sound()
            await line.wait_for_silence(_PAUSE_SECONDS)
            await line.press(key)
        elif asked.kind == "stream-started":
            await line.wait_for_sound()
            await line.wait_for_silence(_PAUSE_SECONDS)
            await line.say(decision)
        await line.connected()
        await talk(line)

    return script
