"""A whole call on this machine: stand-in model, stand-in carrier, and the real line between them.

    caller -- stand-in carrier -- (signed webhooks, media socket) -- hookflash -- stand-in model
                     |
                   human

    resource                 acquired    released, in reverse
    working folder           hold_call   when it returns
    stand-in model           hold_call   when it returns
    stand-in carrier         hold_call   when it returns
    the line's server task   hold_call   stopped and awaited before the carrier goes
    the screen's task        hold_call   cancelled when the record is there
    telling of ringing       hold_call   cancelled when the record is there

Nothing here needs an account, and nothing leaves the machine: the public address exists only in
the carrier's tunnel, and signatures are really made and really checked.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

from hookflash.agents.agent import Agent
from hookflash.agents.directory import Directory
from hookflash.errors import HookflashError
from hookflash.replay.files import folder_for, write_call
from hookflash.replay.sound import Tracks
from hookflash.replay.timeline import Timeline
from hookflash.server.assembly import serve_line
from hookflash.settings import (
    ModelSettings,
    ServerSettings,
    Settings,
    StorageSettings,
    TwilioSettings,
)
from hookflash.world import SYSTEM, World
from hookflash_local.carrier import Human, Leg, NumberConfig, Script, StandinCarrier
from hookflash_local.demo.screen import Screen
from hookflash_local.demo.speech import speech_options
from hookflash_local.demo.story import HUMAN_RINGS
from hookflash_local.demo.voice import ModelVoice
from hookflash_local.model.process import ModelProcess

PUBLIC_URL = "https://line.hookflash.test"
LINE = "+15550100001"
CALLER = "+15550100009"
_LOOK_SECONDS = 0.05
_RECORD_SECONDS = 10.0
_LONGEST_CALL_SECONDS = 300.0

Progress = Callable[[str, float], None]


async def hold_call(
    target: Agent | Directory,
    *,
    caller: Script,
    humans: Sequence[Human],
    screen: Screen,
    on_progress: Progress,
    settings: Settings,
    out: Path | None = None,
    world: World = SYSTEM,
) -> tuple[Timeline, list[Path]]:
    """Let `caller` call `target` and return the finished call and the files made of it.

    `humans` answer for the targets of every plan, in their order; the last for all that are left.
    The files go to `out`, by default a folder of the call's own in the data folder. Of `settings`
    only that folder and the local speech count: all else is this call's. Raises `ConfigError` if
    something needed is missing.
    """
    with tempfile.TemporaryDirectory(prefix="hookflash-") as work:
        async with contextlib.AsyncExitStack() as stack:
            model = await stack.enter_async_context(
                ModelProcess(
                    mode="local", options=speech_options(settings), on_progress=on_progress
                )
            )
            carrier = await stack.enter_async_context(
                StandinCarrier(
                    auth_token=secrets.token_hex(16),
                    speak=ModelVoice(model.url, api_key="any-key-will-do", model="local"),
                    wall=world.wall,
                )
            )
            its_own = Settings(
                server=ServerSettings(public_url=PUBLIC_URL, port=0, drain_seconds=0.0),
                model=ModelSettings(url=model.url, api_key="any-key-will-do"),
                twilio=TwilioSettings(
                    api_url=carrier.api_url,
                    account_sid=carrier.account_sid,
                    auth_token=carrier.auth_token,
                ),
                storage=StorageSettings(data_dir=Path(work)),
            )
            serving = await stack.enter_async_context(_served(its_own, target, carrier, world))
            for agent in Directory.of(target).agents:
                for destination in agent.destinations:
                    for number, each in enumerate(destination.plan.targets):
                        who = humans[min(number, len(humans) - 1)]
                        carrier.humans[_address(each.kind, each.address)] = who
            leg = await carrier.place_call(from_=CALLER, to=LINE, script=caller)
            journal = its_own.storage.data_dir / "journals" / f"{leg.sid}.jsonl"
            telling = asyncio.create_task(_tell_of_ringing(carrier, leg))
            try:
                await _watched(leg, journal, screen, serving, world)
            finally:
                telling.cancel()
            recording = leg.recording()
        answered_at = leg.about.answered or leg.about.created
        tracks = Tracks(
            recording.said, recording.heard, answered_at - screen.reader.timeline.arrived_at
        )
        folder = out or folder_for(settings.storage.data_dir, leg.sid, leg.about.created)
        return write_call(folder, journal, tracks)


@contextlib.asynccontextmanager
async def _served(
    settings: Settings, target: Agent | Directory, carrier: StandinCarrier, world: World
) -> AsyncIterator[asyncio.Task[None]]:
    """Serve the line on a free port, known to the carrier as the public address."""
    stop = asyncio.Event()
    port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(
        serve_line(settings, target, on_listening=port.set_result, stop=stop, world=world)
    )
    try:
        await asyncio.wait((serving, port), return_when=asyncio.FIRST_COMPLETED)
        if not port.done():
            await serving
        carrier.tunnel[PUBLIC_URL] = f"http://127.0.0.1:{port.result()}"
        carrier.numbers[LINE] = NumberConfig(
            f"{PUBLIC_URL}/twilio/voice",
            fallback_url=f"{PUBLIC_URL}/twilio/voice",
            status_callback=f"{PUBLIC_URL}/twilio/status",
        )
        yield serving
    finally:
        stop.set()
        await serving


async def _tell_of_ringing(carrier: StandinCarrier, leg: Leg) -> None:
    """Note on the caller's call that a call to a human has begun: it is a call of its own."""
    known = 1
    while known == 1:
        await asyncio.sleep(_LOOK_SECONDS)
        known = len(carrier.calls)
    leg.note(HUMAN_RINGS)


async def _watched(
    leg: Leg, journal: Path, screen: Screen, serving: asyncio.Task[None], world: World
) -> None:
    """Wait for the end of the call and for its record, and keep the screen up to date."""
    following = asyncio.create_task(_follow(journal, screen, world))
    ended = asyncio.create_task(leg.ended())
    try:
        await asyncio.wait(
            (ended, serving, following),
            timeout=_LONGEST_CALL_SECONDS,
            return_when=asyncio.FIRST_COMPLETED,
        )
        if serving.done():
            # The server takes the signal and drains; whoever pressed Ctrl-C wants to leave.
            raise KeyboardInterrupt
        if not ended.done():
            leg.end("completed", by="carrier")
        async with asyncio.timeout(_RECORD_SECONDS):
            await following
    except TimeoutError:
        raise HookflashError(
            f"the call has ended, but no record of it came within {_RECORD_SECONDS:g} s;"
            " please report this with the journal"
        ) from None
    finally:
        following.cancel()
        ended.cancel()


async def _follow(journal: Path, screen: Screen, world: World) -> None:
    """Show the journal's lines as they are written, until the call's record is among them."""
    tail = _Tail(journal)
    while screen.reader.timeline.record is None:
        for line in tail.lines():
            screen.feed(line)
        screen.tick(world.wall())
        await asyncio.sleep(_LOOK_SECONDS)


class _Tail:
    """Reads what was added to a file since the last look, in whole lines."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = 0
        self._rest = b""

    def lines(self) -> list[dict[str, Any]]:
        if not self._path.exists():
            return []
        with self._path.open("rb") as file:
            file.seek(self._read)
            added = file.read()
        self._read += len(added)
        *whole, self._rest = (self._rest + added).split(b"\n")
        return [json.loads(line) for line in whole if line]


def _address(kind: str, address: str) -> str:
    return f"client:{address}" if kind == "client" else address
