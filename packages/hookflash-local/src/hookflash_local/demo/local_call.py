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
import logging
import secrets
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy.exc import SQLAlchemyError

from hookflash.agents.agent import Agent
from hookflash.agents.directory import Directory
from hookflash.core.record import CallRecord
from hookflash.errors import HookflashError, ModelError
from hookflash.private_files import make_folder
from hookflash.replay.sound import Tracks
from hookflash.replay.timeline import Timeline
from hookflash.server.assembly import serve_line
from hookflash.server.summaries import chat_endpoint
from hookflash.settings import (
    SETTINGS,
    ModelSettings,
    ServerSettings,
    Settings,
    StorageSettings,
    TwilioSettings,
)
from hookflash.stores.records import open_store
from hookflash.world import SYSTEM, World
from hookflash_local.carrier import Human, Leg, NumberConfig, StandinCarrier
from hookflash_local.demo.call_display import CallDisplay
from hookflash_local.demo.call_files import call_folder, write_call
from hookflash_local.demo.model_voice import ModelVoice
from hookflash_local.demo.scripted_parties import HUMAN_RINGS, Caller, CallProgress
from hookflash_local.model.process import ModelProcess
from hookflash_local.model.speech.speech_options import SpeechOptions

PUBLIC_URL = "https://line.hookflash.test"
LINE = "+15550100001"
CALLER = "+15550100009"
QUEUE_WORKER = "+15550100010"
_POLL_SECONDS = 0.05
_RECORD_SECONDS = 10.0
LIMIT_SECONDS = 300.0

Progress = Callable[[str, float], None]

log = logging.getLogger("hookflash_local.demo")


def speech_options(settings: Settings) -> SpeechOptions:
    """Return the local speech options from the settings, whatever their source.

    Raises `ConfigError` if two of them do not fit together.
    """
    values = {each.variable: each.value_in(settings) for each in SETTINGS}
    return SpeechOptions.from_environment({name: str(v) for name, v in values.items() if v})


@dataclass(frozen=True)
class LocalCall:
    """What happened in a call. `waited_for` says what it waited for when its limit of time was
    reached; empty if it ended before."""

    timeline: Timeline
    paths: list[Path]
    waited_for: str


async def make_call(
    target: Agent | Directory,
    *,
    caller: Caller,
    humans: Sequence[Human],
    display: CallDisplay,
    on_progress: Progress,
    settings: Settings,
    out: Path | None = None,
    limit_seconds: float = LIMIT_SECONDS,
    world: World = SYSTEM,
) -> LocalCall:
    """Let `caller` call `target`. Return what happened and where its files are.

    `humans` answer for the targets of each plan in their order; the last one answers for all
    further targets, and takes callers from queues. The files go to `out`, by default to a new
    folder in the data folder, whose database gets the record. The chat model, the data folder and
    the local speech options are taken from `settings`. A call is ended after `limit_seconds`.

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
                        if each.kind == "queue" and who.outcome == "answers":
                            carrier.humans[QUEUE_WORKER] = who
                            carrier.staff(each.address, QUEUE_WORKER)
                        carrier.humans[_address(each.kind, each.address)] = who
            progress = CallProgress(display.reader)
            leg = await carrier.place_call(from_=CALLER, to=LINE, script=caller(progress))
            journal = own_settings.storage.data_dir / "journals" / f"{leg.sid}.jsonl"
            telling = asyncio.create_task(_note_ringing(carrier, leg))
            try:
                waited_for = await _wait_for_record(
                    leg, journal, display, serving, world, limit_seconds, progress
                )
            finally:
                telling.cancel()
            recording = leg.recording()
        record = await _stored_record(own_settings, leg.sid, world)
        if record is not None:
            record = await _summarised(settings, record)
        answered_at = leg.about.answered or leg.about.created
        tracks = Tracks(
            recording.said, recording.heard, answered_at - display.reader.timeline.arrived_at
        )
        folder = out or call_folder(settings.storage.data_dir, leg.sid, leg.about.created)
        timeline, paths = write_call(folder, journal, tracks, record=record)
        if timeline.record is not None:
            await _list_call(settings, timeline.record, world)
        return LocalCall(timeline, paths, waited_for)


async def _stored_record(settings: Settings, call_sid: str, world: World) -> CallRecord | None:
    """Return the record as the server has stored it: with its summary."""
    store = await open_store(settings.storage.database_url, connect=world.sqlite)
    try:
        return await store.get(call_sid)
    finally:
        await store.close()


async def _summarised(settings: Settings, record: CallRecord) -> CallRecord:
    """Return the record with the chat model's summary, if one is configured and answers."""
    chat = chat_endpoint(settings)
    if chat is None or not any(each.speaker == "caller" for each in record.utterances):
        return record
    try:
        return msgspec.structs.replace(record, summary=await chat.summarise(record))
    except ModelError as error:
        log.warning("! the chat model wrote no summary: %s", error)
        return record


async def _list_call(settings: Settings, record: CallRecord, world: World) -> None:
    """Put the record into the owner's database, so that `hookflash calls` knows the call."""
    try:
        make_folder(settings.storage.data_dir)
        store = await open_store(settings.storage.database_url, connect=world.sqlite)
        try:
            await store.put(record)
        finally:
            await store.close()
    except (OSError, HookflashError, SQLAlchemyError) as error:
        log.warning("! `hookflash calls` does not list this call: %s", error)


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
    leg: Leg,
    journal: Path,
    display: CallDisplay,
    serving: asyncio.Task[None],
    world: World,
    limit_seconds: float,
    progress: CallProgress,
) -> str:
    """Update the display until the call has ended and its record is in the journal.

    Return what the call waited for if its limit of time was reached, else an empty text.
    """
    waited_for = ""
    following = asyncio.create_task(_follow(journal, display, world))
    ended = asyncio.create_task(leg.ended())
    try:
        await asyncio.wait(
            (ended, serving, following),
            timeout=limit_seconds,
            return_when=asyncio.FIRST_COMPLETED,
        )
        if serving.done():
            # The server handles the signal by draining; the user who pressed Ctrl-C wants to exit.
            raise KeyboardInterrupt
        if not ended.done():
            waited_for = progress.waits_for()
            leg.end("completed", by="carrier")
        async with asyncio.timeout(_RECORD_SECONDS):
            await following
        return waited_for
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
