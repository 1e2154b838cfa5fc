"""Run a whole call on this machine: the real server between the model and carrier stand-ins.

    caller -- stand-in carrier -- (signed webhooks, media socket) -- hookflash -- stand-in model
                     |
                   human

    resource                 acquired    released, in reverse
    working folder           make_call   when it returns
    stand-in model           make_call   when it returns
    stand-in carrier         make_call   when it returns
    the line's server task   make_call   stopped and awaited before the carrier goes
    the display's task       make_call   cancelled when the record is there
    the ringing note's task  make_call   cancelled when the record is there

No account is needed, and nothing leaves the machine. The public URL exists only in the carrier
stand-in's tunnel. Webhook signatures are made and checked as with Twilio.
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
from hookflash.replay.sound import Tracks
from hookflash.replay.timeline import Timeline
from hookflash.server.assembly import serve_line
from hookflash.settings import (
    SETTINGS,
    ModelSettings,
    ServerSettings,
    Settings,
    StorageSettings,
    TwilioSettings,
)
from hookflash.world import SYSTEM, World
from hookflash_local.carrier import Human, Leg, NumberConfig, Script, StandinCarrier
from hookflash_local.demo.call_display import CallDisplay
from hookflash_local.demo.call_files import call_folder, write_call
from hookflash_local.demo.model_voice import ModelVoice
from hookflash_local.demo.scripted_parties import HUMAN_RINGS
from hookflash_local.model.process import ModelProcess
from hookflash_local.model.speech.speech_options import SpeechOptions

PUBLIC_URL = "https://line.hookflash.test"
LINE = "+15550100001"
CALLER = "+15550100009"
_POLL_SECONDS = 0.05
_RECORD_SECONDS = 10.0
_LONGEST_CALL_SECONDS = 300.0

Progress = Callable[[str, float], None]


def speech_options(settings: Settings) -> SpeechOptions:
    """Return the local speech options from the settings, whatever their source.

    Raises `ConfigError` if two of them do not fit together.
    """
    values = {each.variable: each.value_in(settings) for each in SETTINGS}
    return SpeechOptions.from_environment({name: str(v) for name, v in values.items() if v})


async def make_call(
    target: Agent | Directory,
    *,
    caller: Script,
    humans: Sequence[Human],
    display: CallDisplay,
    on_progress: Progress,
    settings: Settings,
    out: Path | None = None,
    world: World = SYSTEM,
) -> tuple[Timeline, list[Path]]:
    """Let `caller` call `target`. Return the call's timeline and the paths of its files.

    `humans` answer for the targets of each plan in their order; the last one answers for all
    further targets. The files go to `out`, by default to a new folder in the data folder. Only
    the data folder and the local speech options are taken from `settings`.

    Raises `ConfigError` if the local speech is incomplete, `HookflashError` if the call ended
    without a record, and `KeyboardInterrupt` if the server was stopped by a signal.
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
            own_settings = Settings(
                server=ServerSettings(public_url=PUBLIC_URL, port=0, drain_seconds=0.0),
                model=ModelSettings(url=model.url, api_key="any-key-will-do"),
                twilio=TwilioSettings(
                    api_url=carrier.api_url,
                    account_sid=carrier.account_sid,
                    auth_token=carrier.auth_token,
                ),
                storage=StorageSettings(data_dir=Path(work)),
            )
            serving = await stack.enter_async_context(_served(own_settings, target, carrier, world))
            for agent in Directory.of(target).agents:
                for destination in agent.destinations:
                    for number, each in enumerate(destination.plan.targets):
                        who = humans[min(number, len(humans) - 1)]
                        carrier.humans[_address(each.kind, each.address)] = who
            leg = await carrier.place_call(from_=CALLER, to=LINE, script=caller)
            journal = own_settings.storage.data_dir / "journals" / f"{leg.sid}.jsonl"
            telling = asyncio.create_task(_note_ringing(carrier, leg))
            try:
                await _wait_for_record(leg, journal, display, serving, world)
            finally:
                telling.cancel()
            recording = leg.recording()
        answered_at = leg.about.answered or leg.about.created
        tracks = Tracks(
            recording.said, recording.heard, answered_at - display.reader.timeline.arrived_at
        )
        folder = out or call_folder(settings.storage.data_dir, leg.sid, leg.about.created)
        return write_call(folder, journal, tracks)


@contextlib.asynccontextmanager
async def _served(
    settings: Settings, target: Agent | Directory, carrier: StandinCarrier, world: World
) -> AsyncIterator[asyncio.Task[None]]:
    """Run the server on a free port and register it as the public URL in the carrier's tunnel."""
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


async def _note_ringing(carrier: StandinCarrier, leg: Leg) -> None:
    """Note on the caller's timeline that a call to a human has begun.

    That call has its own leg, so the caller's script would not see it otherwise.
    """
    known = 1
    while known == 1:
        await asyncio.sleep(_POLL_SECONDS)
        known = len(carrier.calls)
    leg.note(HUMAN_RINGS)


async def _wait_for_record(
    leg: Leg, journal: Path, display: CallDisplay, serving: asyncio.Task[None], world: World
) -> None:
    """Update the display until the call has ended and its record is in the journal."""
    following = asyncio.create_task(_follow(journal, display, world))
    ended = asyncio.create_task(leg.ended())
    try:
        await asyncio.wait(
            (ended, serving, following),
            timeout=_LONGEST_CALL_SECONDS,
            return_when=asyncio.FIRST_COMPLETED,
        )
        if serving.done():
            # The server handles the signal by draining; the user who pressed Ctrl-C wants to exit.
            raise KeyboardInterrupt
        if not ended.done():
            leg.end("completed", by="carrier")
        async with asyncio.timeout(_RECORD_SECONDS):
            await following
    except TimeoutError:
        raise HookflashError(
            f"expected a record within {_RECORD_SECONDS:g} s of the end of the call, got none;"
            " please report this and attach the journal"
        ) from None
    finally:
        following.cancel()
        ended.cancel()


async def _follow(journal: Path, display: CallDisplay, world: World) -> None:
    """Pass new lines of the journal to the display until the call's record arrives."""
    tail = _TailReader(journal)
    while display.reader.timeline.record is None:
        for line in tail.lines():
            display.feed(line)
        display.tick(world.wall())
        await asyncio.sleep(_POLL_SECONDS)


class _TailReader:
    """Reads the whole lines that were appended to a file since the last read."""

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
