"""What each tool call does: the owner's tools are run, the built-in ones move the call.

Functions of (conversation, event, step).
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from hookflash.core import builtin_tools, prompts
from hookflash.core import events as e
from hookflash.core import signals as s
from hookflash.core.commands import SendToolOutput
from hookflash.core.conversation import changing_agents, speaking
from hookflash.core.conversation.conversation import Conversation
from hookflash.core.conversation.requests import Kind, Request

_DECISIONS: dict[str, Literal["connect", "decline", "voicemail"]] = {
    builtin_tools.CONNECT_TOOL: "connect",
    builtin_tools.DECLINE_TOOL: "decline",
    builtin_tools.LEFT_TOOL: "voicemail",
}
"""The three tools of a consulting call, where the agent talks with a human."""

_CONSULT_LINES = {
    "connect": prompts.CONSULT_CONNECT,
    "decline": prompts.CONSULT_DECLINE,
    "voicemail": prompts.CONSULT_VOICEMAIL,
}


def tool_call_requested(talk: Conversation, event: e.ToolCallRequested, step: s.Step) -> None:
    if not talk.answering:
        return
    talk.announced.called_tool()
    talk.requests.called_tool(step.now)
    # The tool is the answer to the caller's turn; its output is awaited now.
    talk.owes_answer = False
    consulted = talk.setup.consult is not None and event.name in _DECISIONS
    if event.name not in builtin_tools.BUILTIN_TOOLS and not consulted:
        step.do(
            *talk.tools.ask(
                event.call_id,
                event.name,
                event.arguments,
                event.response_id,
                step.now,
                lines=talk.setup.tool_fillers.get(event.name),
                spoke=talk.spoke,
            )
        )
        return
    if not talk.tools.note(event.call_id):
        return
    arguments = _arguments(event.arguments)
    match event.name:
        case builtin_tools.TRANSFER_TOOL:
            _transfer(talk, event.call_id, arguments, step)
        case builtin_tools.AGENT_TOOL:
            changing_agents.agent_wanted(talk, event.call_id, arguments, step)
        case builtin_tools.CANCEL_TOOL:
            step.tell(s.HandoffUnwanted(call_id=event.call_id))
        case builtin_tools.CALLBACK_TOOL:
            _call_back(talk, event.call_id, arguments, step)
        case builtin_tools.VOICEMAIL_TOOL:
            _take_message(talk, event.call_id, step)
        case builtin_tools.STOP_RECORDING_TOOL:
            step.do(*talk.consent.refuse())
            output = prompts.tool_status("accepted", "Nothing of this call is recorded any more.")
            speaking.answer_own_tool(talk, event.call_id, output, step)
        case builtin_tools.END_TOOL:
            _end_call(talk, event.call_id, step)
        case _:
            _decide(talk, event, arguments, step)


def tool_finished(talk: Conversation, event: e.ToolFinished, step: s.Step) -> None:
    answered = talk.tools.finish(event.call_id, event.output, event.failed, step.now)
    if answered is None:
        return
    talk.tool_uses.append(answered.use)
    # Fillers that were played while the tool ran do not count against the model's answer.
    talk.fillers %= 2
    if answered.orphan:
        talk.tell(prompts.late_result(answered.use.name, event.output), step)
    else:
        step.do(SendToolOutput(event.call_id, event.output))
    if talk.live and answered.complete and talk.farewell.purpose is None:
        talk.ask(Request(Kind.TOOL), step)


def _transfer(talk: Conversation, call_id: str, arguments: dict[str, Any], step: s.Step) -> None:
    if _ending(talk):
        output = prompts.tool_status("not now", "The call is about to end.")
        speaking.answer_own_tool(talk, call_id, output, step)
        return
    reason, summary = (str(arguments.get(name, "")) for name in ("reason", "summary"))
    step.tell(
        s.HandoffWanted(
            destination=arguments.get("destination"),
            reason=reason,
            summary=summary.strip() or talk.summary(),
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
        output = prompts.tool_status("not now", "The call is about to end.")
        speaking.answer_own_tool(talk, call_id, output, step)
        return
    step.tell(s.VoicemailWanted(call_id=call_id, spoke=talk.spoke))


def _ending(talk: Conversation) -> bool:
    """Whether the call ends after the last words, without a human."""
    return talk.farewell.purpose is not None and not talk.handoff.running


def _end_call(talk: Conversation, call_id: str, step: s.Step) -> None:
    if talk.farewell.purpose is None:
        # The caller says goodbye, so no human is rung any more.
        step.tell(s.HandoffUnwanted(quiet=True))
        talk.farewell.begin("hang-up", prompts.GOODBYE, spoke=talk.spoke, now=step.now)
    output = prompts.tool_status("accepted", "The call ends as soon as your goodbye was heard.")
    speaking.answer_own_tool(talk, call_id, output, step)


def _decide(
    talk: Conversation, event: e.ToolCallRequested, arguments: dict[str, Any], step: s.Step
) -> None:
    """The model calls a tool of a consulting call: the human has decided."""
    if talk.farewell.purpose is not None:
        output = prompts.tool_status("already settled", "")
        speaking.answer_own_tool(talk, event.call_id, output, step)
        return
    talk.decision = _DECISIONS[event.name]
    talk.decision_reason = str(arguments.get("reason", ""))[:200]
    text = _CONSULT_LINES[talk.decision]
    talk.farewell.begin("consulted", text, spoke=talk.spoke, now=step.now)
    detail = "The caller is connected" if talk.decision == "connect" else "This call ends"
    output = prompts.tool_status("accepted", f"{detail} as soon as your last words were heard.")
    speaking.answer_own_tool(talk, event.call_id, output, step)


def _arguments(text: str) -> dict[str, Any]:
    """Return the arguments that the model wrote; anything but a JSON object counts as empty."""
    try:
        value = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return {}
    return value if isinstance(value, dict) else {}
