"""The console put together: its routes, and the two ends of its life.

    resource   acquired          released
    the feed   the first page    close(), when the server stops taking requests

`Hooks` are what other parts of the program give to it; each may be missing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from starlette.routing import BaseRoute

from hookflash.console.calls import Calls, Listen
from hookflash.console.deliveries import Deliveries
from hookflash.console.doors import Doors
from hookflash.console.feed import Feed
from hookflash.console.gate import Gate
from hookflash.console.pages import Pages
from hookflash.console.past import Past, Recordings
from hookflash.console.people import PeopleFile, read_people
from hookflash.console.prices import Prices
from hookflash.console.reach import Reach
from hookflash.console.sessions import Sessions, read_secret
from hookflash.core.handoff_plan import Target
from hookflash.stores.audit import AuditStore
from hookflash.stores.deliveries import DeliveryStore
from hookflash.stores.records import RecordStore
from hookflash.world import SYSTEM, World

log = logging.getLogger("hookflash.console")


@dataclass(frozen=True, kw_only=True)
class Hooks:
    """`listen` plays a live call on a socket; `recordings` has the sound of calls that are over;
    `open_rings` is the telephone of whoever uses a console that is open on this machine; `deliver`
    begins a round of deliveries."""

    listen: Listen | None = None
    recordings: Recordings | None = None
    open_rings: Target | None = None
    deliver: Callable[[], None] | None = None


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What the owner wants of a console. `origin` and `path` are those of the public URL."""

    users: Path
    folder: Path
    origin: str
    path: str = ""
    open_here: bool = False
    session_seconds: float = 12 * 3600.0
    prices: Prices = Prices()


class Console:
    """One process's console. `now` is the calls' clock; people's sessions go by `world`'s.

    Raises `ConfigError` if the users' file is there and cannot be read.
    """

    def __init__(
        self,
        plan: Plan,
        reach: Reach,
        store: RecordStore,
        *,
        now: Callable[[], float],
        journal: Callable[[str], Path | None],
        hooks: Hooks | None = None,
        world: World = SYSTEM,
    ) -> None:
        hooks = hooks or Hooks()
        self.feed = Feed(reach, now, entropy=world.entropy("console-feed"))
        audit = AuditStore(store.engine)
        gate = Gate(
            PeopleFile(plan.users, world.monotonic),
            Sessions(
                read_secret(plan.folder, world.entropy("console-secret")),
                seconds=plan.session_seconds,
                entropy=world.entropy("console-sessions"),
            ),
            audit,
            origin=plan.origin,
            now=world.wall,
            open_here=plan.open_here,
            open_rings=hooks.open_rings,
            entropy=world.entropy("console-gate"),
        )
        self.gate = gate
        self._routes: list[BaseRoute] = [
            *Calls(gate, reach, self.feed, now=now, listen=hooks.listen).routes(),
            *Past(
                gate,
                store,
                now=now,
                journal=journal,
                prices=plan.prices,
                recordings=hooks.recordings,
            ).routes(),
            *Deliveries(gate, DeliveryStore(store.engine), now=now, deliver=hooks.deliver).routes(),
            *Doors(
                gate,
                can_listen=hooks.listen is not None,
                currency=plan.prices.currency,
                now=world.monotonic,
            ).routes(),
            *Pages(gate, path=plan.path).routes(),
        ]
        self._say_who_may(plan)

    def routes(self) -> list[BaseRoute]:
        return list(self._routes)

    def close(self) -> None:
        """End what streams: the server is about to close its connections."""
        self.feed.close()

    async def aclose(self) -> None:
        await self.feed.aclose()

    def _say_who_may(self, plan: Plan) -> None:
        if plan.open_here:
            log.info("the console is open at /console, on this machine only")
        if not plan.users.is_file():
            if not plan.open_here:
                log.info(
                    "there is no console: nobody may use it. `hookflash console password` makes"
                    " an entry for %s",
                    plan.users,
                )
            return
        # Once at the start loudly, so that a mistake does not only show when somebody signs in.
        people = read_people(plan.users)
        log.info("the console is at /console, for %d users", len(people.users))
