"""The owner's policies for one call: whether a human is needed though the model sees no need.

They look on and never stand in the way of a call: what happens is counted at once, and an owner's
function runs in a task of its own, for a bounded time, one turn of the caller after another. If
the caller goes on speaking meanwhile, the newest turn is what it is asked about next. Who wants
a human is answered with `HandoffRequested`, whose reason is in the journal.

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
from hookflash.runtime.bounded import dismiss, within
from hookflash.runtime.fence import fenced
from hookflash.runtime.ports import EventSink

_log = logging.getLogger("hookflash.call.policy")

POLICY_SECONDS = 2.0


class Policies:
    """The policies of one call. Used in the event loop's thread.

    `view` returns the call of now, given what the caller has just said; `destinations` are the
    keys that a function may choose.
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
        """Something has happened to the call, and was carried out."""
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
        """The call is over: whatever a function still wants is of no use."""
        self._waiting = None
        if self._task is not None:
            dismiss(self._task)
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
        """Ask for a human if a meter says so. Return whether it did."""
        for destination, meter in self._meters:
            reason = meter.verdict(self._now())
            if reason is not None:
                self._want(destination, reason)
                return True
        return False

    async def _ask_all(self) -> None:
        try:
            while self._waiting is not None:
                view, self._waiting = self._waiting, None
                for hook in self._hooks:
                    wanted = await self._ask(hook, view)
                    if wanted is not None:
                        self._want(*wanted)
                        break
        finally:
            self._task = None

    async def _ask(self, hook: PolicyHook, view: CallView) -> tuple[str, str] | None:
        """Return (destination, reason), or None; a function that fails wants nothing."""
        name = getattr(hook, "__name__", type(hook).__name__)
        try:
            wanted: object = await within(fenced(hook, view), self._seconds)
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
        if not _is_wish(wanted) or wanted[0] not in self._destinations:
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

    def _want(self, destination: str, reason: str) -> None:
        self._post(HandoffRequested(destination, reason, source="policy"))


def _is_wish(wanted: object) -> TypeGuard[tuple[str, str]]:
    return (
        isinstance(wanted, tuple)
        and len(wanted) == 2
        and all(isinstance(part, str) for part in wanted)
    )
