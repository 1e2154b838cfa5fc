"""Puts a whole line together from settings and agents: the one place that chooses the adapters.

    resource            acquired     released, in reverse
    database, writer    open_line    when its block ends
    journals            open_line    when its block ends
    model connector     open_line    when its block ends
    REST client         open_line    when its block ends
    calls               as they come when its block ends

`serve_line` is the same with the port open.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from starlette.applications import Starlette

from hookflash.agents.agent import Agent
from hookflash.agents.context import CallContext
from hookflash.agents.directory import Directory
from hookflash.core.call import Call
from hookflash.models.openai.link import OpenAIConnector
from hookflash.models.openai.options import RealtimeOptions, SemanticVad, ServerVad
from hookflash.runtime.clock import SystemClock
from hookflash.runtime.journal import Journals
from hookflash.runtime.ports import EventSink
from hookflash.runtime.switchboard import AgentLike, Switchboard, Watch
from hookflash.server.app import create_app, serve
from hookflash.server.line import TwilioLine
from hookflash.settings import Settings
from hookflash.stores.records import RecordStore, open_store
from hookflash.stores.writer import StoreWriter


@dataclass(frozen=True)
class Line:
    """A line that is ready to be served."""

    app: Starlette
    switchboard: Switchboard
    journals: Journals
    store: RecordStore
    writer: StoreWriter


def realtime_options(settings: Settings) -> RealtimeOptions:
    """Return the model's options as the owner has set them."""
    vad: ServerVad | SemanticVad
    if settings.vad == "semantic_vad":
        vad = SemanticVad(eagerness=settings.vad_eagerness)  # type: ignore[arg-type]
    else:
        vad = ServerVad(
            threshold=settings.vad_threshold,
            prefix_padding_ms=settings.vad_prefix_padding_ms,
            silence_duration_ms=settings.vad_silence_ms,
        )
    return RealtimeOptions(
        model=settings.model,
        turn_detection=vad,
        noise_reduction=None if settings.noise_reduction == "off" else settings.noise_reduction,  # type: ignore[arg-type]
        transcription_model=settings.transcription_model or None,
        log_event_types=frozenset(settings.log_events),
        log_timing=settings.log_timing,
    )


@contextlib.asynccontextmanager
async def open_line(
    settings: Settings, target: Agent | Directory, *, watch: Watch | None = None
) -> AsyncIterator[Line]:
    """Open everything that a line needs. `watch` sees each event and command of each call.

    Raises `ConfigError` that names what to change.
    """
    settings.check_serving()
    directory = Directory.of(target).check()
    async with contextlib.AsyncExitStack() as stack:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        store = await open_store(settings.database_url)
        stack.push_async_callback(store.close)
        writer = StoreWriter(store)
        writer.start()
        stack.push_async_callback(writer.close)
        journals = Journals(settings.data_dir / "journals")
        stack.push_async_callback(asyncio.to_thread, journals.close)
        connector = OpenAIConnector(
            settings.model_url,
            api_key=settings.openai_api_key,
            options=realtime_options(settings),
        )
        stack.push_async_callback(connector.aclose)
        tokens = (settings.twilio_auth_token, settings.twilio_auth_token_secondary)
        telephone = TwilioLine.open(
            public_url=settings.public_url or "",
            auth_tokens=[token for token in tokens if token],
            allow_unsigned=settings.unsigned_allowed and not any(tokens),
            peers=(settings.twilio_api_url, settings.model_url),
        )
        control = telephone.control(
            account_sid=settings.twilio_account_sid or "",
            auth_token=settings.twilio_auth_token or "",
            api_url=settings.twilio_api_url,
        )
        stack.push_async_callback(control.aclose)
        switchboard = Switchboard(
            directory,
            clock=SystemClock(settings.speed),
            control=control,
            connector=connector,
            records=writer,
            journals=journals,
            make_context=_context,
            lead_ms=settings.lead_ms,
            watch=watch,
        )
        stack.push_async_callback(switchboard.close)
        app = create_app(switchboard, telephone)
        yield Line(app, switchboard, journals, store, writer)


async def serve_line(
    settings: Settings,
    target: Agent | Directory,
    *,
    on_listening: Callable[[int], None] = lambda port: None,
    stop: asyncio.Event | None = None,
    watch: Watch | None = None,
) -> None:
    """Serve until SIGTERM, SIGINT or `stop`; then drain and let go of everything."""
    async with open_line(settings, target, watch=watch) as line:
        await serve(
            line.app,
            line.switchboard,
            host=settings.host,
            port=settings.port,
            drain_seconds=settings.drain_seconds,
            on_listening=on_listening,
            stop=stop,
        )


def _context(agent: AgentLike, call: Call, post: EventSink) -> CallContext:
    """Return what the owner's tools are given of a call."""
    facts = call.facts
    return CallContext(
        call_sid=facts.call_sid,
        caller=facts.caller,
        called=facts.called,
        agent=agent.name,
        post=post,
        transcript=lambda: call.transcript.utterances(facts.arrived_at),
        destinations=[each.key for each in call.setup.destinations],
    )
