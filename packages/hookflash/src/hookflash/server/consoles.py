"""The console of a process, made from settings.

what is shown of the calls   `shown_calls`, before there is a switchboard to watch
the console itself           `open_console`, when there is a way to reach every call
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from hookflash.console.calls import Listen
from hookflash.console.console import Console, Hooks, Plan
from hookflash.console.live import Driven, LiveCalls
from hookflash.console.past import Recordings
from hookflash.console.prices import Prices
from hookflash.console.reach import Alone, Reach
from hookflash.errors import ConfigError
from hookflash.runtime.journal import Journals
from hookflash.runtime.switchboard import Switchboard
from hookflash.server.desk import Desk
from hookflash.server.line import TwilioLine
from hookflash.server.workers import Workers
from hookflash.settings import Settings, is_loopback
from hookflash.stores.records import RecordStore
from hookflash.world import SYSTEM, World


def shown_calls(
    settings: Settings,
    find: Callable[[str], Driven | None],
    now: Callable[[], float],
    journals: Journals,
    *,
    world: World = SYSTEM,
) -> LiveCalls | None:
    """Return what consoles are told of the calls of this process; None if nobody is told."""
    if not settings.console.enabled:
        return None
    return LiveCalls(
        find,
        now,
        prices=_prices(settings),
        journal=journals.find,
        entropy=world.entropy("console-live"),
    )


def open_console(
    settings: Settings,
    shown: LiveCalls,
    *,
    telephone: TwilioLine,
    switchboard: Switchboard,
    workers: Workers | None,
    store: RecordStore,
    journals: Journals,
    now: Callable[[], float],
    hooks: Hooks | None,
    world: World = SYSTEM,
) -> Console:
    """Return the console; `aclose` it. Raises `ConfigError`."""
    # Where the model is does not matter: it is called, and calls nobody here.
    if settings.console.open and not all(
        map(is_loopback, (settings.server.public_url, settings.twilio.api_url))
    ):
        raise ConfigError(
            "HOOKFLASH_CONSOLE_OPEN: a console without sign-in is only for the stand-ins, and this"
            " line can be reached from elsewhere (HOOKFLASH_PUBLIC_URL, HOOKFLASH_TWILIO_API_URL);"
            " make users with `hookflash console password` instead"
        )
    desk = Desk(switchboard, telephone)
    reach: Reach = workers if workers is not None else Alone(shown, desk.take)
    plan = Plan(
        users=settings.console.users,
        folder=settings.storage.data_dir,
        origin=telephone.urls.origin,
        path=telephone.urls.path,
        open_here=settings.console.open,
        session_seconds=settings.console.session_hours * 3600,
        prices=_prices(settings),
    )
    return Console(plan, reach, store, now=now, journal=journals.find, hooks=hooks, world=world)


def with_line(
    hooks: Hooks, listen: Listen, recordings: Recordings, deliver: Callable[[], None]
) -> Hooks:
    """Return `hooks` with a line's own sound, live and recorded, and its delivery worker, where
    they have no other."""
    return dataclasses.replace(
        hooks,
        listen=hooks.listen or listen,
        recordings=hooks.recordings or recordings,
        deliver=hooks.deliver or deliver,
    )


def _prices(settings: Settings) -> Prices:
    line, listened, spoken, currency = settings.console.prices
    return Prices(
        line=line,
        listened=listened,
        spoken=spoken,
        tokens=settings.console.token_prices,
        currency=currency,
    )
