"""Create the console of a process from settings.

the live calls that it shows   `make_live_calls`, before there is a switchboard to watch
the console itself             `open_console`, when every call can be reached
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import msgspec

from hookflash.console.calls import Listen, Place, PlaceForm
from hookflash.console.console import Console, ConsoleConfig, Hooks
from hookflash.console.deliveries import FetchVoicemail
from hookflash.console.ended_calls import EndedCallData
from hookflash.console.line_calls import LineCalls, SingleProcess
from hookflash.console.live_calls import LiveCalls
from hookflash.console.prices import Prices
from hookflash.errors import ConfigError
from hookflash.runtime.calls_out import CallOrder, CallsOut
from hookflash.runtime.driver import Driver
from hookflash.runtime.journal import Journals
from hookflash.runtime.live_levels import LiveLevels
from hookflash.runtime.switchboard import Switchboard
from hookflash.server.carrier_answers import LocalAnswerer
from hookflash.server.twilio_line import TwilioLine
from hookflash.settings import Settings, is_loopback
from hookflash.stores.records import RecordStore
from hookflash.world import SYSTEM, World


def make_live_calls(
    settings: Settings,
    find: Callable[[str], Driver | None],
    now: Callable[[], float],
    journals: Journals,
    *,
    world: World = SYSTEM,
) -> LiveCalls | None:
    """Return the live calls for the console, or None if the console is off."""
    if not settings.console.enabled:
        return None
    return LiveCalls(
        find,
        now,
        prices=prices_of(settings),
        levels=LiveLevels(find, now).of,
        journal=journals.find,
        entropy=world.entropy("console-live"),
    )


def open_console(
    settings: Settings,
    live_calls: LiveCalls,
    *,
    telephone: TwilioLine,
    switchboard: Switchboard,
    workers: LineCalls | None,
    secret: bytes | None = None,
    store: RecordStore,
    now: Callable[[], float],
    hooks: Hooks | None,
    world: World = SYSTEM,
) -> Console:
    """Return the console; `aclose` it. Raises `ConfigError`.

    `workers` reaches the calls of the line's other processes. Sessions are signed with `secret`,
    or with the one in the data folder.
    """
    # The model's address does not matter: the model does not connect to this server.
    if settings.console.open and not all(
        map(is_loopback, (settings.server.public_url, settings.twilio.api_url))
    ):
        raise ConfigError(
            "HOOKFLASH_CONSOLE_OPEN: a console without sign-in is only for the stand-ins, and this"
            " line can be reached from elsewhere (HOOKFLASH_PUBLIC_URL, HOOKFLASH_TWILIO_API_URL);"
            " add users with `hookflash console password` instead"
        )
    local_answerer = LocalAnswerer(switchboard, telephone)
    line_calls: LineCalls = (
        workers if workers is not None else SingleProcess(live_calls, local_answerer.take)
    )
    config = ConsoleConfig(
        users=settings.console.users,
        folder=settings.storage.data_dir,
        origin=telephone.urls.origin,
        path=telephone.urls.path,
        open_here=settings.console.open,
        session_seconds=settings.console.session_hours * 3600,
        dial_prefixes=settings.limits.dial_prefixes,
        prices=prices_of(settings),
        clients=telephone.clients,
        secret=secret,
    )
    return Console(config, line_calls, store, now=now, hooks=hooks, world=world)


def place_with(calls_out: CallsOut) -> Place:
    """Return what places calls for the console. It does not wait for a free line."""

    async def place(given: PlaceForm) -> str:
        fields = msgspec.structs.asdict(given) | {
            "caller_id": given.caller_id or "",
            "ring_seconds": round(given.ring_seconds),
        }
        placed = await calls_out.place(CallOrder(**fields), wait=False)
        return placed.call_sid

    return place


def with_line(
    hooks: Hooks,
    listen: Listen,
    data: EndedCallData,
    deliver: Callable[[], None],
    voicemail: FetchVoicemail,
    place: Place,
) -> Hooks:
    """Return `hooks` with the line's live audio, ended calls and delivery worker as defaults."""
    return dataclasses.replace(
        hooks,
        listen=hooks.listen or listen,
        data=hooks.data or data,
        deliver=hooks.deliver or deliver,
        voicemail=hooks.voicemail or voicemail,
        place=hooks.place or place,
    )


def prices_of(settings: Settings) -> Prices:
    """Return the owner's prices."""
    line, listened, spoken, currency = settings.console.prices
    return Prices(
        line=line,
        listened=listened,
        spoken=spoken,
        tokens=settings.console.token_prices,
        currency=currency,
    )
