"""The agent talks with a human first, on the human's own leg, as a call of its own.

Functions of (call, event, now) that couple the machines. Two calls are concerned. The caller's call
asks for a consulting one (`open_consult`) and is told what came of it (`ConsultDecided`). The
consulting call is a `Call` like any other whose setup has `consult`: the agent briefs the human,
answers, and calls one of three tools. Whatever it settles is said, heard, and then carried out:
into the room, or goodbye.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from hookflash.core import asking, leaving, lines
from hookflash.core import events as e
from hookflash.core.commands import (
    AnyCommand,
    HangUp,
    JoinRoom,
    OpenConsult,
    ReportConsult,
)
from hookflash.core.legs import Leg
from hookflash.core.phases import Phase
from hookflash.core.turns import State as FloorState

if TYPE_CHECKING:
    from hookflash.core.call import Call

Decision = Literal["connect", "decline", "voicemail"]

_DECISIONS: dict[str, Decision] = {
    lines.CONNECT_TOOL: "connect",
    lines.DECLINE_TOOL: "decline",
    lines.LEFT_TOOL: "voicemail",
}

TOOLS = frozenset(_DECISIONS)


def open_consult(call: Call, leg: Leg, briefing: str) -> list[AnyCommand]:
    """Return what has the agent talk with the human on `leg`."""
    return [
        OpenConsult(
            wave=leg.wave,
            leg=leg.number,
            leg_sid=leg.sid,
            briefing=briefing,
            destination=call.handoff.destination.key,
        )
    ]


def decide(
    call: Call, event: e.ToolCallRequested, arguments: dict[str, Any], now: float
) -> list[AnyCommand]:
    """The model calls one of the three tools of a consulting call."""
    if call.farewell.purpose is not None:
        return asking.answered(call, event.call_id, lines.tool_status("already settled", ""), now)
    call.facts.decision = _DECISIONS[event.name]
    call.facts.decision_reason = str(arguments.get("reason", ""))[:200]
    spoke = call.floor.state is FloorState.ANSWERING and call.floor.spoke
    call.farewell.begin("consulted", spoke=spoke, now=now)
    detail = "The caller is connected" if event.name == lines.CONNECT_TOOL else "This call ends"
    output = lines.tool_status("accepted", f"{detail} as soon as your last words were heard.")
    return asking.answered(call, event.call_id, output, now)


def settled(call: Call, asked: leaving.Asked, now: float) -> list[AnyCommand]:
    """The last words to the human were heard: tell the caller's call, and go where it was said."""
    consult, decision = call.setup.consult, call.facts.decision
    assert consult is not None and decision is not None
    decided = e.ConsultDecided(call.facts.call_sid, decision, call.facts.decision_reason)
    report = ReportConsult(consult.parent_sid, decided)
    if decision == "connect":
        call.route.next_step()
        room = JoinRoom(consult.parent_sid, consult.wave, leg=consult.leg)
        return [report, *leaving.bring(call, (room,), Phase.ENDING, asked, now)]
    call.route.next_step()
    return [report, *leaving.bring(call, (HangUp(),), Phase.ENDING, asked, now)]


def last_words(call: Call) -> str:
    """Return what the agent is asked to say to the human, if it has not said it already."""
    return {
        "connect": lines.CONSULT_CONNECT,
        "decline": lines.CONSULT_DECLINE,
        "voicemail": lines.CONSULT_VOICEMAIL,
    }[call.facts.decision or "decline"]
