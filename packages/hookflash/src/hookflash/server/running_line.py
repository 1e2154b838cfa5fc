"""A line that runs inside a program, so that the program can place calls.

resource                 acquired      released
the line and its port    __aenter__    __aexit__, after the calls were drained
"""

from __future__ import annotations

import asyncio
import contextlib
from types import TracebackType

from hookflash.agents.agent import Agent
from hookflash.agents.directory import Directory
from hookflash.core.setup import OnMachine
from hookflash.errors import ConfigError
from hookflash.runtime.calls_out import CallOrder, PlacedCall
from hookflash.server.app import serve
from hookflash.server.assembly import Line, open_line
from hookflash.settings import Settings
from hookflash.world import SYSTEM, World


class RunningLine:
    """Serve a line while a block of your program runs, and place calls with it.

    It also answers calls, as `hookflash serve` does. `target` is an agent, or a directory of them.
    `settings` None reads them as `hookflash serve` does. At the end of the block, live calls are
    drained for `HOOKFLASH_DRAIN_SECONDS`. `world` is the machine, or a simulation of it.

        async with RunningLine(agent) as line:
            call = await line.place("+15550123", known="Ms Miller ordered a bicycle.")
            record = await call.ended()
    """

    def __init__(
        self,
        target: Agent | Directory,
        settings: Settings | None = None,
        *,
        world: World = SYSTEM,
    ) -> None:
        self._target = target
        self._settings = settings
        self._world = world
        self._stack = contextlib.AsyncExitStack()
        self._line: Line | None = None
        self.port = 0
        """The port that the line listens on."""

    async def __aenter__(self) -> RunningLine:
        settings = self._settings or Settings.load()
        async with contextlib.AsyncExitStack() as stack:
            line = await stack.enter_async_context(
                open_line(settings, self._target, world=self._world)
            )
            stop = asyncio.Event()
            listening: asyncio.Future[int] = asyncio.get_running_loop().create_future()
            serving = asyncio.create_task(
                serve(
                    line.app,
                    line.switchboard,
                    host=settings.server.host,
                    port=settings.server.port,
                    drain_seconds=settings.server.drain_seconds,
                    on_listening=listening.set_result,
                    stop=stop,
                )
            )
            stack.push_async_callback(_stop, stop, serving)
            await asyncio.wait((serving, listening), return_when=asyncio.FIRST_COMPLETED)
            if not listening.done():
                # It could not open the port: raise why.
                await serving
            self.port = await listening
            self._line = line
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._line = None
        await self._stack.aclose()

    async def place(
        self,
        to: str,
        *,
        agent: str = "",
        caller_id: str = "",
        known: str = "",
        on_machine: OnMachine = "hang_up",
        message: str = "",
        ring_seconds: int = 30,
        time_zone: str = "",
        wait: bool = True,
    ) -> PlacedCall:
        """Call somebody. Returns when the carrier has accepted the call, which then rings.

        - `to`: the number to call, such as `+15550123`.
        - `agent`: the name of the agent that speaks, if there are several.
        - `caller_id`: a number of yours that is shown; by default `HOOKFLASH_CALLER_ID`.
        - `known`: what the agent knows of this call: whom it calls, and why.
        - `on_machine`: what happens if a mailbox answers: `"hang_up"`, `"leave_message"` (then
          `message` is left after its tone, word for word), or `"talk"`.
        - `time_zone`: where the called party is, such as `America/New_York`. It is needed if their
          country has several, because of `HOOKFLASH_CALLING_HOURS`.
        - `wait`: whether to wait while as many calls are out as `HOOKFLASH_MAX_CALLS_OUT` allows.

        Raises `ConfigError` for an invalid value, `CallNotPlaced` if the call may not be placed
        now, and `CarrierError` if the carrier refuses it.
        """
        if self._line is None:
            raise ConfigError("RunningLine: use it as `async with RunningLine(agent) as line`")
        order = CallOrder(
            to=to,
            agent=agent,
            caller_id=caller_id,
            known=known,
            on_machine=on_machine,
            message=message,
            ring_seconds=ring_seconds,
            time_zone=time_zone,
        )
        return await self._line.calls_out.place(order, wait=wait)


async def _stop(stop: asyncio.Event, serving: asyncio.Task[None]) -> None:
    stop.set()
    await asyncio.gather(serving, return_exceptions=True)
