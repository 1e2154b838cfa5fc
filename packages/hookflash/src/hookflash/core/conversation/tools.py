"""Tool calls: the owner's are run, our own are carried out by the machines.

Functions of (conversation, event, step).
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from hookflash.core import events as e
from hookflash.core import lines
from hookflash.core import signals as s
from hookflash.core.commands import SendToolOutput
from hookflash.core.conversation import speaking
from hookflash.core.conversation.conversation import Conversation
from hookflash.core.conversation.requests import Kind, Request

_DECISIONS: dict[str, Literal["connect", "decline", "voicemail"]] = {
    lines.CONNECT_TOOL: "connect",
    lines.DECLINE_TOOL: "decline",
    lines.LEFT_TOOL: "voicemail",
}
"""The three tools of a consulting call, where the agent talks with a human."""

_CONSULT_LINES = {
    "connect": lines.CONSULT_CONNECT,
    "decline": lines.CONSULT_DECLINE,
    "voicemail": lines.CONSULT_VOICEMAIL,
}


def tool_call_requested(talk: Conversation, event: e.ToolCallRequested, step: s.Step) -> None:
    if not talk.answering:
        return
    talk.announced.did()
    talk.requests.acted()
    # What follows from the call is waited for now.
    talk.owes_answer = False
    consulted = talk.setup.consult is not None and event.name in _DECISIONS
    if event.name not in lines.OWN_TOOLS and not consulted:
        step.do(
            *talk.tools.ask(event.call_id, event.name, event.arguments, event.response_id, step.now)
        )
        return
    if not talk.tools.note(event.call_id):
        return
    arguments = _arguments(event.arguments)
    match event.name:
        case lines.TRANSFER_TOOL:
            _transfer(talk, event.call_id, arguments, step)
        case lines.CANCEL_TOOL:
            step.tell(s.HandoffUnwanted(call_id=event.call_id))
        case lines.CALLBACK_TOOL:
            _call_back(talk, event.call_id, arguments, step)
        case lines.VOICEMAIL_TOOL:
            _take_message(talk, event.call_id, step)
        case lines.STOP_RECORDING_TOOL:
            step.do(*talk.consent.refuse())
            output = lines.tool_status("accepted", "Nothing of this call is recorded any more.")
            speaking.answer_own_tool(talk, event.call_id, output, step)
        case lines.END_TOOL:
            _end_call(talk, event.call_id, step)
        case _:
            _decide(talk, event, arguments, step)


def tool_finished(talk: Conversation, event: e.ToolFinished, step: s.Step) -> None:
    answered = talk.tools.finish(event.call_id, event.output, event.failed, step.now)
    if answered is None:
        return
    talk.tool_uses.append(answered.use)
    if answered.orphan:
        talk.tell(lines.late_result(answered.use.name, event.output), step)
    else:
        step.do(SendToolOutput(event.call_id, event.output))
    if talk.live and answered.complete and talk.farewell.purpose is None:
        talk.ask(Request(Kind.TOOL), step)


def _transfer(talk: Conversation, call_id: str, arguments: dict[str, Any], step: s.Step) -> None:
    if _ending(talk):
        output = lines.tool_status("not now", "The call is about to end.")
        speaking.answer_own_tool(talk, call_id, output, step)
        return
    reason, summary = (str(arguments.get(name, "")) for name in ("reason", "summary"))
    step.tell(
        s.HandoffWanted(
            destination=arguments.get("destination"),
            reason=reason,
            summary=summary,
            source="tool",
            call_id=call_id,
            spoke=talk.spoke,
        )
    )


def _call_back(talk: Conversation, call_id: str, arguments: dict[str, Any], step: s.Step) -> None:
    number = str(arguments.get("number", "")).strip()[:64]
    wish = str(arguments.get("wish", "")).strip()[:1000]
    step.tell(s.CallbackTaken(call_id=call_id, number=number, wish=wish))


def _take_message(talk: Conversation, call_id: str, step: s.Step) -> None:
    if _ending(talk):
        output = lines.tool_status("not now", "The call is about to end.")
        speaking.answer_own_tool(talk, call_id, output, step)
        return
    step.tell(s.VoicemailWanted(call_id=call_id, spoke=talk.spoke))


def _ending(talk: Conversation) -> bool:
    """Whether the last words are being said, and no human comes after them."""
    return talk.farewell.purpose is not None and not talk.handoff.running


def _end_call(talk: Conversation, call_id: str, step: s.Step) -> None:
    if talk.farewell.purpose is None:
        # Nobody is rung for a caller who says goodbye.
        step.tell(s.HandoffUnwanted(quiet=True))
        talk.farewell.begin("hang-up", lines.GOODBYE, spoke=talk.spoke, now=step.now)
    output = lines.tool_status("accepted", "The call ends as soon as your goodbye was heard.")
    speaking.answer_own_tool(talk, call_id, output, step)


def _decide(
    talk: Conversation, event: e.ToolCallRequested, arguments: dict[str, Any], step: s.Step
) -> None:
    """The model calls one of the three tools of a consulting call."""
    if talk.farewell.purpose is not None:
        output = lines.tool_status("already settled", "")
        speaking.answer_own_tool(talk, event.call_id, output, step)
        return
    talk.decision = _DECISIONS[event.name]
    talk.decision_reason = str(arguments.get("reason", ""))[:200]
    text = _CONSULT_LINES[talk.decision]
    talk.farewell.begin("consulted", text, spoke=talk.spoke, now=step.now)
    detail = "The caller is connected" if talk.decision == "connect" else "This call ends"
    output = lines.tool_status("accepted", f"{detail} as soon as your last words were heard.")
    speaking.answer_own_tool(talk, event.call_id, output, step)


def _arguments(text: str) -> dict[str, Any]:
    """Read what the model wrote; what is no JSON object counts as empty, and is then refused."""
    try:
        value = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return {}
    return value if isinstance(value, dict) else {}
