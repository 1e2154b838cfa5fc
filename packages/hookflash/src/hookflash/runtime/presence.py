"""Ask the owner's hook which targets are available (from a calendar or a chat status).

All targets are checked at once, within a limited time. A target counts as available unless the hook
says otherwise: a phone that nobody answers is better than a caller who is told that nobody is
there.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from hookflash.core.handoff_plan import Target
from hookflash.runtime.log import masked
from hookflash.runtime.owner_code import run_owner_code
from hookflash.runtime.wait_within import wait_within

_log = logging.getLogger("hookflash.call.presence")

Presence = Callable[[Target], Awaitable[bool]]
"""The owner's `is_free(target)`."""

PRESENCE_SECONDS = 1.0


async def free_targets(
    targets: Sequence[Target], hook: Presence, seconds: float = PRESENCE_SECONDS
) -> tuple[int, ...]:
    """Return the indexes of the available targets, in order. Never raises."""
    answers = await asyncio.gather(*(_is_free(target, hook, seconds) for target in targets))
    return tuple(number for number, free in enumerate(answers) if free)


async def _is_free(target: Target, hook: Presence, seconds: float) -> bool:
    who = masked(f"{target.kind} {target.address}")

    async def ask() -> bool:
        return bool(await hook(target))

    try:
        return bool(await wait_within(run_owner_code(ask), seconds))
    except TimeoutError:
        _log.warning("! presence of %s: no answer within %g s; it counts as free", who, seconds)
    except Exception:
        _log.exception("! presence of %s: the hook failed; it counts as free", who)
    return True
