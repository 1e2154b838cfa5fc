"""A human is wanted: by the model, a key, a supervisor, a policy. Whether, how, and calling it off.

Functions of (call, event, now) that couple the machines. Where hours or presence have to be looked
up, that comes first, and the tool call that asked waits for the answer; then the hand-off begins
with the agent's last words (cold), or the human is rung while the agent stays (warm, consult).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hookflash.core import events as e
from hookflash.core import handoff, lines, meeting, reaching, talking
from hookflash.core.commands import AnyCommand, CheckTargets, RequestResponse, SendToolOutput
from hookflash.core.handoff import Trigger
from hookflash.core.handoff_plan import Destination
from hookflash.core.handoff_table import State
from hookflash.core.phases import Phase
from hookflash.core.turns import State as FloorState

if TYPE_CHECKING:
    from hookflash.core.call import Call

CHECK_SECONDS = 2.0
"""How long it may take to find out who is there; longer, and everybody counts as there."""

_CAN_BE_CALLED_OFF = frozenset(
    {State.CHECKING, State.FAREWELL, State.RINGING, State.SCREENING, State.CLOSING}
)


def destination(call: Call, key: object) -> Destination | None:
    return next((each for each in call.setup.destinations if each.key == key), None)


# --- who asks ---------------------------------------------------------------------------------


def transfer(call: Call, call_id: str, arguments: dict[str, Any], now: float) -> list[AnyCommand]:
    """The model calls its tool."""
    key = arguments.get("destination")
    to = destination(call, key)
    if to is None:
        keys = ", ".join(each.key for each in call.setup.destinations) or "none"
        refusal = f"destination must be one of: {keys}; got {key!r}. Choose one of these."
        return answered(call, call_id, lines.tool_status("refused", refusal), now)
    if call.handoff.running or call.farewell.purpose is not None:
        state = call.handoff.state.value
        return answered(call, call_id, lines.tool_status("already under way", state), now)
    reason, summary = (str(arguments.get(name, "")) for name in ("reason", "summary"))
    spoke = call.floor.state is FloorState.ANSWERING and call.floor.spoke
    request = _request(call, to, reason, summary, "tool", now, call_id=call_id, spoke=spoke)
    return begin(call, request, now)


def handoff_requested(call: Call, event: e.HandoffRequested, now: float) -> list[AnyCommand]:
    to = destination(call, event.destination)
    if event.plan is not None:
        to = Destination(key=event.destination, when="", plan=event.plan)
    if call.phase is not Phase.TALKING or to is None or call.farewell.purpose is not None:
        return []
    request = _request(call, to, event.reason, event.summary, event.source, now)
    return begin(call, request, now)


def key_pressed(call: Call, now: float) -> list[AnyCommand]:
    """The caller pressed the key that asks for a human, and nothing else."""
    key = call.setup.key_destination or call.setup.fallback
    wanted = key or call.setup.destinations[0].key
    asked = e.HandoffRequested(wanted, "the caller pressed the key for a human", "", "caller")
    return handoff_requested(call, asked, now)


def handoff_cancelled(call: Call, event: e.HandoffCancelled, now: float) -> list[AnyCommand]:
    if call.phase is Phase.HANDING_OFF:
        return meeting.give_back(call, now)
    called_off = call_off(call, now)
    if called_off is None:
        return []
    return [*called_off, *talking.tell(call, lines.cancelled(event.by))]


def cancel(call: Call, call_id: str, now: float) -> list[AnyCommand]:
    """The model calls it off for the caller."""
    called_off = call_off(call, now) if call.phase is Phase.TALKING else None
    if called_off is None:
        output = lines.tool_status("nothing to cancel", call.handoff.state.value)
        return answered(call, call_id, output, now)
    output = lines.tool_status("cancelled", lines.cancelled(""))
    return [*called_off, *answered(call, call_id, output, now)]


def call_off(call: Call, now: float) -> list[AnyCommand] | None:
    """Drop a hand-off that has not come to its human, and every leg of it; None if none runs."""
    if call.handoff.state not in _CAN_BE_CALLED_OFF:
        return None
    waiting: list[AnyCommand] = []
    if call.handoff.state is State.CHECKING:
        waiting = _waiting_tool(call, lines.tool_status("cancelled", lines.cancelled("")))
    call.handoff.keep("cancelled", now)
    call.handoff.fire(Trigger.STAY)
    call.handoff.until = None
    if call.farewell.purpose == "hand-off":
        call.farewell.end()
        call.floor.protected = False
    return [*waiting, *call.legs.drop_all()]


# --- how it begins ----------------------------------------------------------------------------


def begin(call: Call, request: handoff.Request, now: float) -> list[AnyCommand]:
    """Begin a hand-off, unless one is on the way already."""
    if not call.handoff.ask(request):
        return []
    if not request.destination.checked:
        return _go(call, now)
    call.handoff.fire(Trigger.CHECK)
    call.handoff.checks += 1
    call.handoff.until = now + CHECK_SECONDS
    return [CheckTargets(call.handoff.checks, request.destination.key)]


def targets_checked(call: Call, event: e.TargetsChecked, now: float) -> list[AnyCommand]:
    if call.handoff.state is not State.CHECKING or event.check != call.handoff.checks:
        return []
    call.handoff.wanted(event.free)
    if event.open and call.handoff.more(now):
        return _go(call, now)
    return _closed(call, event, now)


def not_checked(call: Call, now: float) -> list[AnyCommand]:
    """Nobody said in time who is there."""
    return _go(call, now)


def _go(call: Call, now: float) -> list[AnyCommand]:
    request = call.handoff.request
    assert request is not None
    to = request.destination
    if call.handoff.stays:
        call.handoff.fire(Trigger.REACH)
        rung = reaching.ring(call, now)
        if request.call_id is None:
            told = talking.tell(call, lines.ringing(to))
            return [*rung, *told, *talking.ask(call, RequestResponse(tools="none"), now)]
        output = lines.tool_status("ringing", lines.ringing(to))
        return [*rung, *answered(call, request.call_id, output, now)]
    call.handoff.fire(Trigger.GOODBYE)
    call.handoff.until = None
    call.farewell.begin("hand-off", spoke=request.spoke, now=now)
    if call.playout.playing():
        call.farewell.sounding(call.playout.quiet_at())
        call.farewell.spoke = request.spoke
    call.floor.protected = not to.plan.interruptible
    waiting = _waiting_tool(
        call,
        lines.tool_status(
            "accepted",
            "The caller is moved to the human as soon as they have heard your last words.",
        ),
    )
    return [*waiting, *talking.after_heard(call, now)]


def _closed(call: Call, event: e.TargetsChecked, now: float) -> list[AnyCommand]:
    """A destination that nobody answers now is a clear answer to whoever asked."""
    request = call.handoff.request
    assert request is not None
    to = request.destination
    call.handoff.keep("closed", now, note=event.opens)
    call.handoff.fire(Trigger.CLOSED)
    call.handoff.until = None
    told = lines.closed(to, event.opens, event.open)
    if request.call_id is not None:
        return answered(call, request.call_id, lines.tool_status("closed", told), now)
    wish = RequestResponse(lines.say_closed(to, event.opens, event.open))
    return [*talking.tell(call, told), *talking.ask(call, wish, now)]


def _request(
    call: Call,
    to: Destination,
    reason: str,
    summary: str,
    source: str,
    now: float,
    *,
    call_id: str | None = None,
    spoke: bool = False,
) -> handoff.Request:
    manner = to.plan.manner
    if manner == "refer" and not call.facts.caller.lower().startswith(("sip:", "sips:")):
        manner = "cold"
    return handoff.Request(
        destination=to,
        reason=reason,
        summary=summary,
        source=source,
        asked_at=now,
        call_id=call_id,
        spoke=spoke,
        manner=manner,
    )


# --- answering the model ----------------------------------------------------------------------


def answered(call: Call, call_id: str, output: str, now: float) -> list[AnyCommand]:
    """Answer one of our own tools, and let the model go on."""
    told: list[AnyCommand] = [SendToolOutput(call_id, output)] if call.model.listening else []
    if call.farewell.purpose is None:
        return [*told, *talking.ask(call, RequestResponse(), now)]
    return [*told, *talking.after_heard(call, now)]


def _waiting_tool(call: Call, output: str) -> list[AnyCommand]:
    """Answer the tool call that asked for this hand-off, if it still waits."""
    request = call.handoff.request
    if request is None or request.call_id is None or not call.model.listening:
        return []
    return [SendToolOutput(request.call_id, output)]
