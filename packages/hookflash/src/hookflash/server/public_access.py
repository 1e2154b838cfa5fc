"""Make a line reachable while it is served: a tunnel as its public URL, a number that asks it.

resource               acquired     released
the tunnel             `reachable`  when its block ends
the number's webhooks  `reachable`  when its block ends: what was there is put back
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

from hookflash.carriers.twilio.number_webhooks import NumberWebhooks, TwilioNumbers
from hookflash.errors import HookflashError
from hookflash.server.tunnel import Tunnel, open_tunnel
from hookflash.settings import Settings

log = logging.getLogger("hookflash.server")


@contextlib.asynccontextmanager
async def reachable(
    settings: Settings, port: int, tunnel: bool, program: str | None, number: str | None
) -> AsyncIterator[tuple[Settings, asyncio.Event]]:
    """Yield the settings to serve with, and the event that stops the server.

    With `tunnel`, a tunnel to `port` is opened (by `program`, or an installed one) and is the
    public URL. With `number`, the webhooks of this number are those of the line. If the tunnel
    ends, the server is stopped. Raises `ConfigError` or another `HookflashError`.
    """
    stop = asyncio.Event()
    async with contextlib.AsyncExitStack() as stack:
        if tunnel:
            opened = await stack.enter_async_context(open_tunnel(port, program=program))
            log.info("the tunnel is open: %s", opened.url)
            server = settings.server.model_copy(update={"public_url": opened.url})
            settings = settings.model_copy(update={"server": server})
            watching = asyncio.create_task(_watch(opened, stop))
            stack.callback(watching.cancel)
        if number is not None:
            await stack.enter_async_context(_number_set(settings, number))
        yield settings, stop


async def _watch(tunnel: Tunnel, stop: asyncio.Event) -> None:
    await tunnel.gone.wait()
    log.error("! the tunnel has ended, so no call reaches this server: it stops; start it again")
    stop.set()


@contextlib.asynccontextmanager
async def _number_set(settings: Settings, number: str) -> AsyncIterator[None]:
    """Set the webhooks of a number to the line, and put back at the end what was there."""
    settings.check_carrier()
    async with TwilioNumbers(
        account_sid=settings.twilio.account_sid or "",
        auth_token=settings.twilio.auth_token or "",
        api_url=settings.twilio.api_url,
    ) as numbers:
        found = await numbers.find(number)
        await numbers.set_webhooks(found, NumberWebhooks.of_line(settings.server.public_url or ""))
        log.info("%s is set to this line; its webhooks are put back at the end", number)
        try:
            yield
        finally:
            try:
                await numbers.set_webhooks(found, found.webhooks)
                log.info("the webhooks of %s are as they were before", number)
            except HookflashError as error:
                log.error(
                    "! the webhooks of %s were not put back: %s; set them yourself: voice %s,"
                    " fallback %s, status %s",
                    *(number, error, found.webhooks.voice_url or "none"),
                    *(found.webhooks.voice_fallback_url or "none",),
                    *(found.webhooks.status_callback or "none",),
                )
