"""The owner's policies for one call: request a human when the model does not.

Policies never delay a call. Counting policies process each event at once. An owner's function runs
in its own task, for a limited time, one turn of the caller after another. If the caller speaks
meanwhile, the function is called next with the newest turn. A result becomes `HandoffRequested`, so
its reason is in the journal.

    resource                   acquired               released
    a task for the functions   the caller has spoken  its end, close()
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import TypeGuard

from hookflash.agents.hooks import Policy, PolicyHook
from hookflash.agents.view import CallView
from hookflash.core.builtin_tools import TRANSFER_TOOL
from hookflash.core.events import (
    AnyEvent,
    CallerTranscribed,
    HandoffRequested,
    ToolCallRequested,
    ToolFinished,
)
from hookflash.core.frustration import Frustration, FrustrationMeter
from hookflash.runtime.owner_code import run_owner_code
from hookflash.runtime.ports import EventSink
from hookflash.runtime.wait_within import cancel_without_waiting, wait_within

_log = logging.getLogger("hookflash.call.policy")

POLICY_SECONDS = 2.0


class Policies:
    """The policies of one call. Use it in the event loop's thread.

    `view` returns the current call, given what the caller has just said. `destinations` are the
    keys that a function may return.
    """

    def __init__(
        self,
        policies: Sequence[Policy],
        *,
        view: Callable[[str], CallView],
        now: Callable[[], float],
        post: EventSink,
        destinations: Sequence[str],
        language: str | None = None,
        seconds: float = POLICY_SECONDS,
    ) -> None:
        self._view = view
        self._now = now
        self._post = post
        self._destinations = tuple(destinations)
        self._seconds = seconds
        self._hooks: list[PolicyHook] = []
        self._meters: list[tuple[str, FrustrationMeter]] = []
        for policy in policies:
            if isinstance(policy, Frustration):
                meter = FrustrationMeter(policy, language)
                self._meters.append((policy.destination, meter))
            else:
                self._hooks.append(policy)
        self._barge_ins = 0
        self._waiting: CallView | None = None
        self._task: asyncio.Task[None] | None = None

    def observe(self, event: AnyEvent | None) -> None:
        """Process an event that the call has handled."""
        if isinstance(event, CallerTranscribed):
            if event.text.strip():
                self._caller_said(event.text)
        elif isinstance(event, ToolFinished):
            for _, meter in self._meters:
                meter.tool_finished(event.failed, self._now())
            self._judge()
        elif isinstance(event, HandoffRequested) or (
            isinstance(event, ToolCallRequested) and event.name == TRANSFER_TOOL
        ):
            for _, meter in self._meters:
                meter.forget()

    def close(self) -> None:
        """Stop: the call has ended, so a running function is cancelled."""
        self._waiting = None
        if self._task is not None:
            cancel_without_waiting(self._task)
            self._task = None

    def _caller_said(self, text: str) -> None:
        view, now = self._view(text), self._now()
        for _, meter in self._meters:
            for _ in range(view.barge_ins - self._barge_ins):
                meter.barged_in(now)
            meter.caller_said(text, now)
        self._barge_ins = view.barge_ins
        if self._judge() or not self._hooks:
            return
        self._waiting = view
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._ask_all())

    def _judge(self) -> bool:
        """Request a human if a meter has reached its limit. Return whether it did."""
        for destination, meter in self._meters:
            reason = meter.verdict(self._now())
            if reason is not None:
                self._request_handoff(destination, reason)
                return True
        return False

    async def _ask_all(self) -> None:
        try:
            while self._waiting is not None:
                view, self._waiting = self._waiting, None
                for hook in self._hooks:
                    wanted = await self._ask(hook, view)
                    if wanted is not None:
                        self._request_handoff(*wanted)
                        break
        finally:
            self._task = None

    async def _ask(self, hook: PolicyHook, view: CallView) -> tuple[str, str] | None:
        """Return (destination, reason), or None. A function that raises or times out counts as
        None."""
        name = getattr(hook, "__name__", type(hook).__name__)
        try:
            wanted: object = await wait_within(run_owner_code(hook, view), self._seconds)
        except TimeoutError:
            _log.warning(
                "%s ! policy %s did not answer within %g s", view.call_sid, name, self._seconds
            )
            return None
        except Exception:
            _log.exception("%s ! policy %s failed", view.call_sid, name)
            return None
        if wanted is None:
            return None
        if not _is_request(wanted) or wanted[0] not in self._destinations:
            _log.error(
                "%s ! policy %s must return None, or (destination, reason) with a destination of"
                " the agent's (%s); got %r",
                view.call_sid,
                name,
                ", ".join(self._destinations) or "none",
                wanted,
            )
            return None
        return wanted

    def _request_handoff(self, destination: str, reason: str) -> None:
        self._post(HandoffRequested(destination, reason, source="policy"))


def _is_request(wanted: object) -> TypeGuard[tuple[str, str]]:
    return (
        isinstance(wanted, tuple)
        and len(wanted) == 2
        and all(isinstance(part, str) for part in wanted)
    )
