"""Assemble a line from settings and agents. This module chooses the adapters.

    resource            acquired     released, in reverse
    database, writer    open_line    when its block ends
    summaries           open_line    when its block ends
    outboxes            open_line    when its block ends, after the calls
    hooks of calls      open_line    when its block ends, after the calls
    claims and thread   open_line    when its block ends, after the journals
    journals            open_line    when its block ends
    recordings          open_line    when its block ends
    uploads             open_line    when its block ends, after journals and recordings
    model connector     open_line    when its block ends
    REST client         open_line    when its block ends
    prepared speech     open_line    when its block ends, after the calls
    MCP servers         open_line    when its block ends, after the calls
    warm sessions       open_line    when its block ends
    calls, their notes  on arrival   when its block ends
    the retention sweep open_line    when its block ends
    the daily spend     open_line    when its block ends
    the console         open_line    when its block ends
    the cluster         open_line    when its block ends, after the calls
    this node's port    open_line    when its block ends
    the workers' sockets serve_line  when it returns

`serve_line` also opens the port.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec
from msgspec.structs import replace
from starlette.applications import Starlette
from starlette.routing import BaseRoute

from hookflash.agents.agent import Agent
from hookflash.agents.context import AskHuman, CallContext, CollectDigits
from hookflash.agents.directory import Directory
from hookflash.carriers.twilio.caller_ids import Parties
from hookflash.cluster.claims import Claims, ClaimThread
from hookflash.cluster.node_requests import derived_key
from hookflash.cluster.worker_sockets import WorkerSockets
from hookflash.console.console import Hooks
from hookflash.console.people import read_people
from hookflash.core.call import Call
from hookflash.core.commands import AnyCommand
from hookflash.core.events import AnyEvent
from hookflash.core.handoff.ring_order import refused_targets
from hookflash.core.setup import CallSetup
from hookflash.errors import ConfigError
from hookflash.files.buckets import open_bucket
from hookflash.files.shared_files import SharedFiles
from hookflash.files.stored_files import CallFiles, DataFolder
from hookflash.files.uploads import Uploads
from hookflash.models.openai.options import (
    CAPABILITIES,
    RealtimeOptions,
    SemanticVad,
    ServerVad,
)
from hookflash.models.openai.warm_sessions import WarmingConnector
from hookflash.models.pool import WarmPool, WarmPools
from hookflash.private_files import make_folder, restrict_trees
from hookflash.runtime.call_hooks import THREADS as HOOK_THREADS
from hookflash.runtime.call_hooks import CallHooks, HookedRecords
from hookflash.runtime.call_limits import CallLimits
from hookflash.runtime.call_views import CallViews
from hookflash.runtime.calls_out import CallRules, CallsOut
from hookflash.runtime.clock import SystemClock
from hookflash.runtime.journal import Journals
from hookflash.runtime.live_audio import LiveAudio
from hookflash.runtime.notes_transcriber import NotesTranscriber
from hookflash.runtime.ownership import OwnedRecords
from hookflash.runtime.ports import EventSink, ModelConnector, RecordSink
from hookflash.runtime.recorder import Recordings
from hookflash.runtime.switchboard import AgentLike, Switchboard, Watch
from hookflash.runtime.tool_runner import ToolThreads
from hookflash.server.app import create_app, serve
from hookflash.server.bring_human import HumanBringer
from hookflash.server.carrier_answers import LocalAnswerer
from hookflash.server.cluster_setup import (
    ClusterPorts,
    listen_on,
    open_cluster,
    open_node,
    warn_of_machines,
)
from hookflash.server.connection_limits import ConnectionLimits
from hookflash.server.connection_routing import Sharing, routing_protocol
from hookflash.server.console_setup import (
    make_live_calls,
    open_console,
    place_with,
    prices_of,
    with_line,
)
from hookflash.server.daily_spend import DailySpend
from hookflash.server.limited_http import connection_table
from hookflash.server.listen_socket import listen_with
from hookflash.server.mcp_setup import open_mcp_tools
from hookflash.server.metrics import (
    Counts,
    Metrics,
    count_call_events,
    count_connections,
    count_deliveries,
    count_disk_losses,
    count_limits,
    count_live_calls,
    count_model_faults,
    count_refusals,
    count_uploads,
    count_waiting_records,
    count_warm_sessions,
    metrics_route,
)
from hookflash.server.model_choice import check_model, warn_of_voices
from hookflash.server.model_faults import ModelFaults
from hookflash.server.nodes import Nodes
from hookflash.server.notes_socket import notes_routes
from hookflash.server.outbox_setup import open_event_outbox, open_outbox
from hookflash.server.retention import RetentionDays, StoredCalls, is_over, retention_sweep
from hookflash.server.speech_setup import model_key, open_prepared_speech, with_tool_lines
from hookflash.server.summaries import Summaries, chat_endpoint
from hookflash.server.twilio_line import TwilioLine
from hookflash.server.workers import Workers
from hookflash.settings import OFF, Settings
from hookflash.stores.erasing import set_summary
from hookflash.stores.records import RecordStore, open_store
from hookflash.stores.waiting_records import WaitingRecords
from hookflash.stores.writer import StoreWriter
from hookflash.world import SYSTEM, World

log = logging.getLogger("hookflash.server")

_DAY_SECONDS = 86_400

_LAST_RECORDS_SECONDS = 5.0
"""How long the last upload of files waits for the records of their calls."""

_DATA_NAMES = ("calls", "console-secret", "journals", "recordings", "records", "speech", "workers")
"""What is in the data folder, besides the database."""


@dataclass(frozen=True)
class Line:
    """A line that is ready to be served."""

    app: Starlette
    switchboard: Switchboard
    journals: Journals
    recordings: Recordings
    listening: LiveAudio
    store: RecordStore
    writer: StoreWriter
    metrics: Metrics
    calls_out: CallsOut
    bringer: HumanBringer
    nodes: Nodes | None = None


def realtime_options(settings: Settings) -> RealtimeOptions:
    """Return the model's options from the settings."""
    vad: ServerVad | SemanticVad
    if settings.turns.vad == "semantic_vad":
        vad = msgspec.convert({"eagerness": settings.turns.eagerness}, SemanticVad)
    else:
        vad = ServerVad(
            threshold=settings.turns.threshold,
            prefix_padding_ms=settings.turns.prefix_padding_ms,
            silence_duration_ms=settings.turns.silence_ms,
        )
    # The settings were validated when they were read; here they become literals.
    off = settings.model.noise_reduction == "off"
    noise: Literal["near_field", "far_field"] | None = msgspec.convert(
        None if off else settings.model.noise_reduction, Literal["near_field", "far_field"] | None
    )
    return RealtimeOptions(
        model=settings.model.name,
        turn_detection=vad,
        noise_reduction=noise,
        transcription_model=settings.model.transcription or None,
        log_event_types=frozenset(settings.logs.events),
        log_timing=settings.logs.timing,
    )


def _sessions(settings: Settings, options: RealtimeOptions) -> WarmingConnector:
    key, headers = model_key(settings)
    return WarmingConnector(settings.model.url, api_key=key, options=options, extra_headers=headers)


def connection_limits(settings: Settings) -> ConnectionLimits:
    """Return the limits of connections from the settings."""
    server = settings.server
    return ConnectionLimits(
        request_line_bytes=server.max_request_line_bytes,
        header_count=server.max_headers,
        header_bytes=server.max_header_bytes,
        header_seconds=server.header_seconds,
        keep_alive_seconds=server.keep_alive_seconds,
        connections=server.max_connections,
        connections_per_address=server.max_connections_per_address,
    )


@contextlib.asynccontextmanager
async def open_line(
    settings: Settings,
    target: Agent | Directory,
    *,
    watch: Watch | None = None,
    worker: str = "",
    slot: int = 1,
    listener: socket.socket | None = None,
    hooks: Hooks | None = None,
    routes: Sequence[BaseRoute] = (),
    world: World = SYSTEM,
    cluster_ports: ClusterPorts | None = None,
) -> AsyncIterator[Line]:
    """Open everything that a line needs.

    `watch` is called with each event and command of each call, except the caller's audio. `hooks`
    extends the console. `routes` are served in addition to the line's own.

    `worker` is the name of this process if other processes may serve the same line (see `workers`).
    `slot` is its number among them, `listener` the socket that they share. `world` is the machine,
    or a simulation of it. `cluster_ports` replaces what HOOKFLASH_CLUSTER_URL names. Raises
    `ConfigError`, which names what to change.
    """
    settings.check_serving()
    if settings.cluster.url is not None or cluster_ports is not None:
        # A node finds the others through the cluster, and not through the data folder.
        worker = ""
    else:
        warn_of_machines(settings)
    directory = Directory.of(target).check()
    check_model(settings.model.name, settings.model.url)
    warn_of_voices(directory.agents, settings.model.url)
    if settings.console.enabled and settings.console.users.exists():
        # Before anything is opened: what is wrong with the file is told at once.
        read_people(settings.console.users)
    async with contextlib.AsyncExitStack() as stack:
        if _make_data_folder(settings.storage.data_dir):
            paths = [settings.storage.data_dir / name for name in _DATA_NAMES]
            await asyncio.to_thread(restrict_trees, paths)
        store = await open_store(settings.storage.database_url, connect=world.sqlite)
        stack.push_async_callback(store.close)
        writer = StoreWriter(
            store, waiting=WaitingRecords(settings.storage.data_dir), wall=world.wall
        )
        writer.start()
        stack.push_async_callback(writer.close)
        save = functools.partial(set_summary, store.engine)
        summaries = Summaries(writer, chat_endpoint(settings), save)
        summaries.start()
        stack.push_async_callback(summaries.close)
        clock = SystemClock(settings.local.speed, world=world)
        # The owner's blocking tools and hooks share these threads.
        threads = ToolThreads(start=world.start_thread)
        outbox = await stack.enter_async_context(
            open_outbox(settings, directory, store.engine, clock, world=world, threads=threads)
        )
        events = await stack.enter_async_context(
            open_event_outbox(settings, store.engine, clock, world=world)
        )
        call_hooks = CallHooks(
            now=clock.now,
            threads=ToolThreads(HOOK_THREADS, start=world.start_thread),
            post=events.deliver if events is not None else None,
            kinds=settings.events.kinds,
        )
        stack.push_async_callback(call_hooks.close)
        worker_sockets = (
            WorkerSockets(settings.storage.data_dir, public_url=settings.server.public_url or "")
            if worker
            else None
        )
        # Released last, so that another worker restores a complete journal.
        claims = (
            ClaimThread(Claims(worker_sockets.claims, worker))
            if worker_sockets is not None
            else None
        )
        if claims is not None:
            stack.enter_context(claims)
        local_files = DataFolder(settings.storage.data_dir)
        files: CallFiles = local_files
        uploads: Uploads | None = None
        if settings.storage.files_url:
            bucket = open_bucket(settings.storage.files_url)
            files = SharedFiles(local_files, bucket)
            uploads = Uploads(
                local_files,
                bucket,
                stored=store.stored,
                is_held=lambda call_sid: switchboard.has(call_sid),
                is_over=is_over,
                wall=world.wall,
            )
            # Released after the journals and recordings, so that it uploads the last ones.
            stack.push_async_callback(_upload_last, uploads, writer)
        journals = Journals(settings.storage.data_dir / "journals", world=world)
        stack.push_async_callback(asyncio.to_thread, journals.close)
        cluster = await stack.enter_async_context(
            open_cluster(settings, journals, slot=slot, world=world, ports=cluster_ports)
        )
        recordings = Recordings(settings.storage.data_dir / "recordings", world=world)
        stack.push_async_callback(asyncio.to_thread, recordings.close)
        options = realtime_options(settings)
        prepared = await stack.enter_async_context(
            open_prepared_speech(settings, directory, voice=options.voice, world=world)
        )
        mcp_tools = await stack.enter_async_context(open_mcp_tools(directory))
        sessions = _sessions(settings, options)
        stack.push_async_callback(sessions.aclose)
        connector: ModelConnector = sessions
        warm: WarmPools | None = None
        if settings.model.warm_sessions:
            models = {agent.model_options.model for agent in directory.agents} - {None}
            by_model = {options.model: sessions}
            for model in sorted(str(each) for each in models - {options.model}):
                by_model[model] = _sessions(settings, replace(options, model=model))
                stack.push_async_callback(by_model[model].aclose)
            life = CAPABILITIES.max_session_seconds or _DAY_SECONDS
            size = settings.model.warm_sessions
            pools = {
                model: WarmPool(each, size=size, session_seconds=life)
                for model, each in by_model.items()
            }
            connector = warm = WarmPools(pools, default=options.model)
            warm.start()
            stack.callback(warm.close)
        tokens = (settings.twilio.auth_token, settings.twilio.auth_token_secondary)
        telephone = TwilioLine.open(
            public_url=settings.server.public_url or "",
            auth_tokens=[token for token in tokens if token],
            allow_unsigned=settings.unsigned_allowed and not any(tokens),
            peers=(settings.twilio.api_url, settings.model.url),
            worker=worker,
            caller_id=settings.twilio.caller_id,
            trusted_proxies=settings.server.trusted_proxies,
            token_key=_cluster_key(settings, "stream-tokens") if cluster is not None else b"",
            world=world,
        )
        control = telephone.control(
            account_sid=settings.twilio.account_sid or "",
            auth_token=settings.twilio.auth_token or "",
            api_url=settings.twilio.api_url,
        )
        stack.push_async_callback(control.aclose)
        metrics = Metrics(clock.now, slot=slot)
        connections = connection_table(
            connection_limits(settings), is_proxy=telephone.clients.is_proxy
        )
        faults = ModelFaults(world.monotonic)
        spend = (
            DailySpend(
                settings.limits.max_daily_spend,
                prices_of(settings),
                store.engine,
                lambda: (each.call for each in switchboard.live),
                clock.now,
            )
            if settings.limits.max_daily_spend
            else None
        )
        limits = CallLimits(
            calls=settings.limits.max_calls,
            text=settings.limits.refusal_text or "",
            spent=lambda: spend is not None and spend.over,
        )
        warn_of_targets(directory, settings.limits.dial_prefixes)
        live_calls = make_live_calls(
            settings, lambda sid: switchboard.find(sid), clock.now, journals, world=world
        )
        records: RecordSink = HookedRecords(summaries, call_hooks)
        if cluster is not None:
            records = owned = OwnedRecords(records, cluster.leases)
            stack.push_async_callback(owned.aclose)
        switchboard = Switchboard(
            directory,
            clock=clock,
            control=control,
            connector=connector,
            records=records,
            journals=journals,
            make_context=_context,
            deliveries=outbox,
            call_hooks=call_hooks,
            lead_ms=settings.model.lead_ms,
            max_call_seconds=settings.server.max_call_seconds,
            dial_prefixes=settings.limits.dial_prefixes,
            limits=limits,
            recordings=recordings,
            record={"on": True, "off": False}.get(settings.storage.record),
            watch=_all(
                metrics.watch,
                faults.watch,
                live_calls.watch if live_calls is not None else None,
                watch,
            ),
            threads=threads,
            tool_output_chars=settings.model.tool_output_chars,
            entropy=world.entropy("questions"),
            chance=world.entropy("ring-retry").random,
            prepared=lambda agent: prepared(with_tool_lines(agent, mcp_tools(agent))),
            more_tools=mcp_tools,
            ownership=cluster.leases if cluster is not None else None,
        )
        stack.push_async_callback(switchboard.close)
        out = settings.calls_out
        calls_out = CallsOut(
            switchboard,
            control,
            clock,
            CallRules(
                caller_id=settings.twilio.caller_id or "",
                calls=out.max_calls,
                per_second=out.calls_per_second,
                hours="" if out.hours == OFF else out.hours,
                do_not_call=out.do_not_call,
                prefixes=settings.limits.dial_prefixes,
            ),
            spent=lambda: spend is not None and spend.over,
        )
        switchboard.on_ended = calls_out.call_ended
        telephone.write.find = _parties(switchboard)
        telephone.write.setup_of = _setup_of(switchboard)
        if spend is not None:
            await stack.enter_async_context(spend.refreshing(clock.delay))
        metrics.refresh += [
            count_live_calls(switchboard),
            count_disk_losses(journals, recordings),
            count_deliveries(outbox),
            count_call_events(events),
            count_connections(connections),
            count_refusals(telephone),
            count_model_faults(faults),
            count_limits(limits, spend),
            count_waiting_records(writer),
        ]
        if uploads is not None:
            metrics.refresh.append(count_uploads(uploads))
            if slot == 1:
                uploads.start()
        if warm is not None:
            metrics.refresh.append(count_warm_sessions(warm))
        workers: Workers | None = None
        if worker_sockets is not None and claims is not None:
            workers = Workers(
                worker,
                worker_sockets,
                local_answerer=LocalAnswerer(switchboard, telephone),
                calls=switchboard,
                claims=claims,
                counts=metrics.counts,
                live_calls=live_calls,
            )
            switchboard.on_released = workers.release
            switchboard.claim = workers.claim
            metrics.refresh.append(workers.fill_counts)
        notes = NotesTranscriber(switchboard.find, sessions)
        stack.callback(notes.close)
        listening = LiveAudio(switchboard.find)
        listen = listen_with(listening)
        nodes: Nodes | None = None
        if cluster is not None:
            nodes = await stack.enter_async_context(
                open_node(
                    settings,
                    cluster,
                    slot=slot,
                    telephone=telephone,
                    switchboard=switchboard,
                    journals=journals,
                    metrics=metrics,
                    live_calls=live_calls,
                    attach_notes=notes.attach,
                    listen_here=listen,
                    world=world,
                    ports=cluster_ports,
                )
            )
            switchboard.claim = nodes.claim
            listen = listen_on(nodes, listen)
            metrics.refresh.append(nodes.fill_counts)
        others = nodes or workers
        gather = others.gather_counts if others is not None else _alone(metrics)
        served = [
            *routes,
            metrics_route(gather, token=settings.server.metrics_token, clients=telephone.clients),
        ]
        if nodes is not None:
            attach_notes = functools.partial(nodes.attach_notes, local=notes.attach)
            served += notes_routes(telephone, attach_notes, nodes.redeem_notes)
        else:
            served += notes_routes(telephone, notes.attach)
        forget = _both_forget(summaries.forget, writer.forget)
        if nodes is not None:
            forget = _both_forget(forget, nodes.forget)
        stored = StoredCalls(
            store,
            files,
            discard=recordings.discard,
            forget=forget,
            entropy=world.entropy("tombstones"),
        )
        if slot == 1:
            days = RetentionDays(
                recordings=settings.storage.recording_retention_days,
                calls=settings.storage.call_retention_days,
                deliveries=settings.storage.delivery_retention_days,
            )
            await stack.enter_async_context(retention_sweep(stored, days, wall=world.wall))
        closing: list[Callable[[], None]] = []
        if live_calls is not None:
            console = open_console(
                settings,
                live_calls,
                telephone=telephone,
                switchboard=switchboard,
                workers=others,
                secret=_cluster_key(settings, "console-sessions") if nodes is not None else None,
                store=store,
                now=clock.now,
                hooks=with_line(
                    hooks or Hooks(),
                    listen,
                    stored,
                    outbox.wake_worker,
                    control.recording,
                    place_with(calls_out),
                ),
                world=world,
            )
            stack.push_async_callback(console.aclose)
            served += console.routes()
            closing.append(console.close)
        app = create_app(
            switchboard, telephone, routes=served, connections=connections, streams=nodes
        )
        app.state.closing = closing
        if nodes is not None:
            app.state.answerer = nodes
            app.state.sharing = Sharing(listener=listener)
        if workers is not None:
            app.state.answerer = workers
            app.state.sharing = Sharing(
                routing_protocol(telephone.urls, workers.transfer, workers.owner, connections),
                workers.serving_peers,
                listener,
            )
        yield Line(
            app,
            switchboard,
            journals,
            recordings,
            listening,
            store,
            writer,
            metrics,
            calls_out,
            HumanBringer(switchboard, control, telephone.urls, clock, alone=nodes is None),
            nodes,
        )


async def serve_line(
    settings: Settings,
    target: Agent | Directory,
    *,
    on_listening: Callable[[int], None] = lambda port: None,
    stop: asyncio.Event | None = None,
    watch: Watch | None = None,
    worker: str = "",
    slot: int = 1,
    listener: socket.socket | None = None,
    hooks: Hooks | None = None,
    routes: Sequence[BaseRoute] = (),
    world: World = SYSTEM,
) -> None:
    """Serve until SIGTERM, SIGINT or `stop`; then drain and release everything."""
    async with open_line(
        settings,
        target,
        watch=watch,
        worker=worker,
        slot=slot,
        listener=listener,
        hooks=hooks,
        routes=routes,
        world=world,
    ) as line:
        await serve(
            line.app,
            line.switchboard,
            host=settings.server.host,
            port=settings.server.port,
            drain_seconds=settings.server.drain_seconds,
            on_listening=on_listening,
            stop=stop,
        )


async def _upload_last(uploads: Uploads, writer: StoreWriter) -> None:
    """Upload the files of the last calls, as soon as their records are stored."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_LAST_RECORDS_SECONDS):
            await writer.flush()
    await uploads.aclose()


def _make_data_folder(folder: Path) -> bool:
    """Create the data folder; see `make_folder`. Raises `ConfigError`."""
    try:
        return make_folder(folder)
    except OSError as error:
        raise ConfigError(
            f"HOOKFLASH_DATA_DIR: the folder {folder} cannot be made: {error.strerror}; choose"
            " another folder, or make it yourself"
        ) from error


def _all(first: Watch, *others: Watch | None) -> Watch:
    """Return a watch that calls all of these. It is called for every frame, so it is kept
    shallow."""
    found = first
    for other in others:
        if other is not None:
            found = _both(found, other)
    return found


def _both_forget(
    first: Callable[[str], None], second: Callable[[str], None]
) -> Callable[[str], None]:
    def forget(call_sid: str) -> None:
        first(call_sid)
        second(call_sid)

    return forget


def _both(first: Watch, second: Watch) -> Watch:
    def watch(call_sid: str, event: AnyEvent | None, commands: list[AnyCommand]) -> None:
        first(call_sid, event, commands)
        second(call_sid, event, commands)

    return watch


def _parties(switchboard: Switchboard) -> Callable[[str], Parties | None]:
    """Return a function that finds the parties of a call from the call itself."""

    def find(call_sid: str) -> Parties | None:
        arrived = switchboard.arrived(call_sid)
        if arrived is None:
            return None
        return Parties.of(
            arrived.call_sid,
            direction=arrived.direction,
            caller=arrived.caller,
            called=arrived.called,
            consulting=arrived.call_sid != call_sid,
        )

    return find


def _setup_of(switchboard: Switchboard) -> Callable[[str], CallSetup | None]:
    def find(call_sid: str) -> CallSetup | None:
        driver = switchboard.find(call_sid)
        return driver.call.setup if driver is not None else None

    return find


def warn_of_targets(directory: Directory, prefixes: tuple[str, ...]) -> None:
    """Log each destination of an agent that has a target which no prefix permits."""
    for agent in directory.agents:
        for destination in agent.destinations:
            for number in refused_targets(destination.plan, prefixes):
                log.warning(
                    "! %s: target %d of %s is never rung: no prefix of HOOKFLASH_DIAL_PREFIXES"
                    " permits its number; add one, or change the target",
                    *(agent.name, number + 1, destination.key),
                )


def _cluster_key(settings: Settings, purpose: str) -> bytes:
    return derived_key(settings.cluster.secret or "", purpose)


def _alone(metrics: Metrics) -> Callable[[], Awaitable[list[Counts]]]:
    async def gather() -> list[Counts]:
        return [metrics.counts()]

    return gather


def _context(
    agent: AgentLike, call: Call, post: EventSink, ask: AskHuman, collect: CollectDigits
) -> CallContext:
    """Return the context that the owner's tools get."""
    facts, views = call.info, CallViews(call)
    return CallContext(
        call_sid=facts.call_sid,
        caller=facts.caller,
        called=facts.called,
        agent=agent.name,
        post=post,
        transcript=views.transcript,
        destinations=[each.key for each in call.setup.destinations],
        ask=ask,
        collect=collect,
    )
