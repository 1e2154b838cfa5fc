"""Who is free to be rung: asked of the owner, who alone knows (a calendar, a chat's status).

All humans are asked at once, and the answers are waited for together, for a bounded time. Whoever
is not known to be busy counts as free: it is better that a telephone rings in vain than that a
caller is told that nobody is there when somebody is.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from hookflash.core.handoff_plan import Target
from hookflash.runtime.bounded import within
from hookflash.runtime.fence import fenced
from hookflash.runtime.log import masked

_log = logging.getLogger("hookflash.call.presence")

Presence = Callable[[Target], Awaitable[bool]]
"""The owner's `is_free(target)`."""

PRESENCE_SECONDS = 1.0


async def free_targets(
    targets: Sequence[Target], hook: Presence, seconds: float = PRESENCE_SECONDS
) -> tuple[int, ...]:
    """Return the numbers of those targets that are free, in their order. Never raises."""
    answers = await asyncio.gather(*(_is_free(target, hook, seconds) for target in targets))
    return tuple(number for number, free in enumerate(answers) if free)


async def _is_free(target: Target, hook: Presence, seconds: float) -> bool:
    who = masked(f"{target.kind} {target.address}")

    async def ask() -> bool:
        return bool(await hook(target))

    try:
        return bool(await within(fenced(ask), seconds))
    except TimeoutError:
        _log.warning("! presence of %s: no answer within %g s; it counts as free", who, seconds)
    except Exception:
        _log.exception("! presence of %s: the hook failed; it counts as free", who)
    return True
