"""A call as an owner's hooks see it: plain facts, read only."""

from __future__ import annotations

import msgspec

from hookflash.core.record import Utterance


class CallView(msgspec.Struct, frozen=True, kw_only=True):
    """A call at one moment.

    `seconds` since it arrived; `transcript` who said what so far, as heard; `said` what the caller
    has just said; `failed_tools` how many tools have failed, `barge_ins` how often the caller has
    interrupted the agent.
    """

    call_sid: str
    agent: str = ""
    caller: str = ""
    called: str = ""
    seconds: float = 0.0
    transcript: tuple[Utterance, ...] = ()
    said: str = ""
    failed_tools: int = 0
    barge_ins: int = 0
