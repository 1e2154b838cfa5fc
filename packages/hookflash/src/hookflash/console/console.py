"""Assemble the console: its routes, start and end.

    resource   acquired          released
    the feed   the first page    close(), when the server stops accepting requests

`Hooks` connect the console to other parts of the program; each is optional.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from starlette.routing import BaseRoute

from hookflash.client_address import ClientAddresses
from hookflash.console.access import AccessControl
from hookflash.console.calls import Calls, Listen, Place
from hookflash.console.deliveries import Deliveries, FetchVoicemail
from hookflash.console.ended_calls import EndedCallData, EndedCalls
from hookflash.console.feed import Feed
from hookflash.console.line_calls import LineCalls
from hookflash.console.openapi import ApiDocument
from hookflash.console.pages import Pages
from hookflash.console.people import PeopleFile, read_people
from hookflash.console.prices import Prices
from hookflash.console.sessions import Sessions, read_secret
from hookflash.console.sign_in import SignInRoutes
from hookflash.core.handoff_plan import Target
from hookflash.stores.audit import AuditStore
from hookflash.stores.deliveries import DeliveryStore
from hookflash.stores.records import RecordStore
from hookflash.world import SYSTEM, World

log = logging.getLogger("hookflash.console")


@dataclass(frozen=True, kw_only=True)
class Hooks:
    """Connections to other parts of the program.

    `listen` plays a live call on a socket. `data` finds the files of ended calls.
    `open_rings` is the phone of the user of a console without sign-in. `deliver` starts delivery
    attempts at once. `voicemail` reads the sound of a voicemail from the carrier. `place` places
    a call.
    """

    listen: Listen | None = None
    data: EndedCallData | None = None
    open_rings: Target | None = None
    voicemail: FetchVoicemail | None = None
    deliver: Callable[[], None] | None = None
    place: Place | None = None


@dataclass(frozen=True, kw_only=True)
class ConsoleConfig:
    """The owner's configuration. `origin` and `path` are those of the public URL.

    `clients` tells who made a request; without it, no proxy is trusted. `secret` signs sessions;
    without it, a secret in `folder` does.
    """

    users: Path
    folder: Path
    origin: str
    path: str = ""
    open_here: bool = False
    session_seconds: float = 12 * 3600.0
    dial_prefixes: tuple[str, ...] = ()
    prices: Prices = Prices()
    clients: ClientAddresses | None = None
    secret: bytes | None = None


class Console:
    """The console of one process. `now` is the calls' clock; sessions use the clock of `world`.

    Raises `ConfigError` if the users' file exists and cannot be read.
    """

    def __init__(
        self,
        config: ConsoleConfig,
        line_calls: LineCalls,
        store: RecordStore,
        *,
        now: Callable[[], float],
        hooks: Hooks | None = None,
        world: World = SYSTEM,
    ) -> None:
        hooks = hooks or Hooks()
        self.feed = Feed(line_calls, now, entropy=world.entropy("console-feed"))
        audit = AuditStore(store.engine)
        access = AccessControl(
            PeopleFile(config.users, world.monotonic),
            Sessions(
                config.secret or read_secret(config.folder, world.entropy("console-secret")),
                seconds=config.session_seconds,
                entropy=world.entropy("console-sessions"),
            ),
            audit,
            origin=config.origin,
            path=config.path,
            now=world.wall,
            open_here=config.open_here,
            open_rings=hooks.open_rings,
            clients=config.clients,
            entropy=world.entropy("console-gate"),
        )
        self.access = access
        self._routes: list[BaseRoute] = [
            *Calls(
                access,
                line_calls,
                self.feed,
                now=now,
                listen=hooks.listen,
                dial_prefixes=config.dial_prefixes,
                place=hooks.place,
            ).routes(),
            *EndedCalls(
                access,
                store,
                now=now,
                prices=config.prices,
                data=hooks.data,
            ).routes(),
            *Deliveries(
                access,
                DeliveryStore(store.engine),
                now=now,
                deliver=hooks.deliver,
                voicemail=hooks.voicemail,
            ).routes(),
            *SignInRoutes(
                access,
                can_listen=hooks.listen is not None,
                currency=config.prices.currency,
                now=world.monotonic,
            ).routes(),
            *ApiDocument(access, path=config.path).routes(),
            *Pages(access, path=config.path).routes(),
        ]
        self._log_access(config)

    def routes(self) -> list[BaseRoute]:
        return list(self._routes)

    def close(self) -> None:
        """End all streams, before the server closes its connections."""
        self.feed.close()

    async def aclose(self) -> None:
        await self.feed.aclose()

    def _log_access(self, config: ConsoleConfig) -> None:
        if config.open_here:
            log.info("the console is open at /console, on this machine only")
        if not config.users.is_file():
            if not config.open_here:
                log.info(
                    "the console is closed until you add a user: `hookflash console password`"
                    " prints an entry for %s",
                    config.users,
                )
            return
        # Read once at the start, so that an error is reported before somebody signs in.
        people = read_people(config.users)
        log.info("the console is at /console, for %d users", len(people.users))
