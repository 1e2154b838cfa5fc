"""The line as an ASGI application that mounts into another one, such as a FastAPI app.

    host:  app.mount("/voice", hookflash.asgi_app(agent))

    a request --> is the line open? --no--> open it once; all requests wait --> the line's own app
                                    --yes--------------------------------------^

Starlette does not run the lifespan of a mounted application. So the line opens with the first
request, unless `LineApp.lifespan` is the host's lifespan, which opens it before.

The line's own application gets each request without the host's prefix. It then builds URLs and
checks signatures with the path of the public URL, as behind a proxy that removes a prefix.

On SIGTERM, a server closes its sockets before it ends the lifespan, which is too late to drain
calls. So under uvicorn the signal drains the calls first, and uvicorn's own handler follows. Other
servers get `LineApp.until_drained`, or their owner calls `LineApp.drain`.

    resource               acquired               released
    the line and its task  the first use, start() close(), or the end of the event loop
    signal handlers        with the line          with the line
    the lock of the host   with the line          with the line
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import multiprocessing
import os
import signal
import socket
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.parse import quote

import uvicorn
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from hookflash.agents.agent import Agent
from hookflash.agents.directory import Directory
from hookflash.agents.plans import Plan
from hookflash.cluster.worker_sockets import new_name
from hookflash.core.record import HumanOutcome
from hookflash.core.setup import OnMachine
from hookflash.errors import ConfigError, HookflashError
from hookflash.private_files import create_folder, open_descriptor
from hookflash.runtime.calls_out import CallOrder, PlacedCall
from hookflash.server.app import drain_calls
from hookflash.server.assembly import Line, open_line
from hookflash.server.connection_routing import SINGLE_PROCESS, Sharing
from hookflash.server.music import prepare_music
from hookflash.settings import OFF, Settings

if sys.platform != "win32":
    import fcntl

log = logging.getLogger("hookflash.server")

RETRY_SECONDS = 5.0
"""How long after a failed opening a request tries again."""

_TRY_LATER = 1013
"""The close code of a WebSocket while the line is not open (RFC 6455's registry)."""

_SIGNALS = (signal.SIGTERM, signal.SIGINT)

_open_apps: list[LineApp] = []
"""The lines that are open in this process."""

_open_folders: set[Path] = set()
"""The data folders of the lines that are open in this process."""


def asgi_app(agent: Agent | Directory | None = None, settings: Settings | None = None) -> LineApp:
    """Return the line of `agent` as an ASGI application: `app.mount("/voice", asgi_app(agent))`.

    `settings` are those of `hookflash serve`. None reads them from the environment, `.env` and
    `hookflash.toml` when the line opens. `HOOKFLASH_PUBLIC_URL` must contain the prefix of the
    mount, such as `https://example.com/voice`. The host's server has the port, the limits of
    connections and the log, so their settings have no effect.

    Without an agent the line answers no calls, needs no key of a model, and serves `bring_human`.
    Raises `ConfigError` if the agent is not complete.
    """
    return LineApp(agent, settings)


async def bring_human(
    call_sid: str, plan: Plan, *, summary: str = "", reason: str = "", return_url: str = ""
) -> HumanOutcome:
    """Bring a human to the live call `call_sid` of your own bridge, and return how it went.

    `plan` is a `Cold`, `Warm`, `Queue` or `Refer`. With `Warm`, the human hears `summary` and
    `reason` and accepts by a key; the caller hears ringing. The call leaves your media stream, so
    your socket closes. If nobody takes the call, Twilio asks `return_url`, such as your
    `/incoming-call`, what is next; empty: the call ends. The same happens after the talk if the
    plan has `afterwards="return"`.

    It returns when a human has the call, or when nobody took it. If the destination is closed, the
    call stays where it is, and the outcome is `"closed"`. It needs an `asgi_app` that is open in
    this process; if there are several, call the `LineApp.bring_human` of one.

    Raises `ConfigError` if there is no such line or an argument is invalid. Raises `CarrierError`
    if Twilio refuses to move the call.
    """
    if len(_open_apps) != 1:
        raise ConfigError(
            f"bring_human: expected one open asgi_app in this process, got {len(_open_apps)}; mount"
            " `voice = hookflash.asgi_app()` with its lifespan, or call `voice.bring_human(...)`"
        )
    (line,) = _open_apps
    return await line.bring_human(
        call_sid, plan, summary=summary, reason=reason, return_url=return_url
    )


class LineApp:
    """A line inside your application: what `asgi_app` returns, from its `agent` and `settings`.

    Mount it, and give its lifespan to your application: `FastAPI(lifespan=voice.lifespan)`. Without
    the lifespan, the line opens with the first request. It then takes a second longer to answer the
    first call.
    """

    def __init__(
        self, agent: Agent | Directory | None = None, settings: Settings | None = None
    ) -> None:
        self._has_agent = agent is not None
        self._directory = Directory.of(agent).check() if agent is not None else _no_agents()
        self._settings = settings
        self._loop: asyncio.AbstractEventLoop | None = None
        self._opened: asyncio.Future[_MountedLine] | None = None
        self._task: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()
        self._failed_at = 0.0
        self._has_lifespan = False
        self._is_over = False
        self._roots: set[str] = set()

    # --- for the owner ----------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def lifespan(self, app: object = None) -> AsyncIterator[None]:
        """Open the line before the first call, and close it: `FastAPI(lifespan=voice.lifespan)`.

        If your application has a lifespan of its own, enter this one in it: `async with
        voice.lifespan(app):`. Raises `ConfigError` if the line cannot open; the message says what
        to change.
        """
        self._has_lifespan = True
        await self.start()
        try:
            yield
        finally:
            await self.close()
            self._has_lifespan = False

    async def start(self) -> None:
        """Open the line if it is not open. Raises `ConfigError` if it cannot open."""
        self._is_over = False
        await asyncio.shield(self._open())

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
        """Call somebody from your application. See `RunningLine.place`.

        Opens the line if it is not open. Raises what `RunningLine.place` raises.
        """
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
        line = await asyncio.shield(self._open())
        return await line.calls_out.place(order, wait=wait)

    async def drain(self, seconds: float | None = None) -> None:
        """Let live calls end, and hand the rest off; the line still answers meanwhile.

        Call it before your server stops, unless uvicorn does it: see the guide. `seconds` is how
        long calls may go on; None takes `HOOKFLASH_DRAIN_SECONDS`. `/readyz` answers 503 from now
        on.
        """
        line = self._line
        if line is None:
            return
        if seconds is None:
            seconds = line.drain_seconds
        log.info("draining for at most %g s", seconds)
        await drain_calls(line.switchboard, seconds)
        for close in line.app.state.closing:
            # Streams to the console would otherwise hold their connections open.
            close()

    async def bring_human(
        self,
        call_sid: str,
        plan: Plan,
        *,
        summary: str = "",
        reason: str = "",
        return_url: str = "",
    ) -> HumanOutcome:
        """Bring a human to a call of your own bridge, as the function `bring_human` does."""
        line = await asyncio.shield(self._open())
        return await line.bringer.bring(
            call_sid, plan, summary=summary, reason=reason, return_url=return_url
        )

    async def until_drained(self) -> None:
        """Wait for SIGTERM or SIGINT, drain, and return: Hypercorn's `shutdown_trigger`.

        `await hypercorn.asyncio.serve(app, config, shutdown_trigger=voice.until_drained)`
        """
        loop, asked = asyncio.get_running_loop(), asyncio.Event()
        for number in _SIGNALS:
            loop.add_signal_handler(number, asked.set)
        try:
            await asked.wait()
        finally:
            for number in _SIGNALS:
                loop.remove_signal_handler(number)
        await self.drain()

    async def close(self) -> None:
        """Close the line: release everything at once. Live calls continue in another process."""
        self._is_over = True
        task, self._task = self._task, None
        if task is None:
            return
        if (line := self._line) is not None and (live := len(line.switchboard.live)):
            log.warning(
                "! %d calls are live, and the host stops; they go on in the next process that"
                " serves this line",
                live,
            )
        self._closing.set()
        await asyncio.wait((task,))
        self._opened = None

    # --- ASGI -------------------------------------------------------------------------------------

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, one WebSocket, or the lifespan if this is the server's whole app."""
        if scope["type"] == "lifespan":
            await self._serve_lifespan(receive, send)
            return
        try:
            line = await asyncio.shield(self._open(first_use=True))
        except Exception as error:
            # The opening has logged the reason.
            await _refuse(error, scope, receive, send)
            return
        inner, root = without_mount(scope)
        if root not in self._roots:
            self._roots.add(root)
            line.check_root(root)
        await line.app(inner, receive, send)

    async def _serve_lifespan(self, receive: Receive, send: Send) -> None:
        """Follow the server's lifespan, where no other application is around this one."""
        await receive()
        try:
            async with self.lifespan():
                await send({"type": "lifespan.startup.complete"})
                await receive()
        except HookflashError as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.shutdown.complete"})

    # --- opening ----------------------------------------------------------------------------------

    @property
    def _line(self) -> _MountedLine | None:
        opened = self._opened
        if opened is None or not opened.done() or opened.cancelled() or opened.exception():
            return None
        return opened.result()

    def _open(self, *, first_use: bool = False) -> asyncio.Future[_MountedLine]:
        """Return the future of the open line, which is opened if needed."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            raise ConfigError(
                "asgi_app: the server must run on asyncio; start it with an asyncio worker"
            ) from None
        if self._loop is not loop:
            if self._task is not None and self._loop is not None and not self._loop.is_closed():
                raise ConfigError(
                    "asgi_app: the line is open in another event loop; make one asgi_app for each"
                    " server in a process, each with its own data folder"
                )
            self._loop, self._opened, self._task, self._is_over = loop, None, None, False
        if self._is_over:
            raise ConfigError("asgi_app: the line is closed, because its host stops")
        opened = self._opened
        if opened is not None and opened.done() and (opened.cancelled() or opened.exception()):
            if first_use and loop.time() - self._failed_at < RETRY_SECONDS:
                return opened
            opened = None
        if opened is None:
            if first_use:
                log.warning(
                    "! the line opens with its first request, which delays the first call; open it"
                    " before with FastAPI(lifespan=voice.lifespan), where voice is the"
                    " hookflash.asgi_app(...) that you mount"
                )
            self._opened = opened = loop.create_future()
            self._closing = asyncio.Event()
            self._task = loop.create_task(self._run(opened))
        return opened

    async def _run(self, opened: asyncio.Future[_MountedLine]) -> None:
        """Hold the line open until it is to be closed. One task enters and leaves its block."""
        try:
            settings = self._settings or Settings.load()
            if not self._has_agent:
                settings = _without_model(settings)
            async with open_mounted_line(self._directory, settings) as line:
                with signals_drain_first(self._drain_for_exit):
                    _open_apps.append(self)
                    try:
                        opened.set_result(line)
                        await self._closing.wait()
                    finally:
                        _open_apps.remove(self)
        except Exception as error:
            # Opening a line reads files and databases: the request gets any error of it.
            if opened.done():
                log.exception("! closing the line failed")
                return
            self._failed_at = asyncio.get_running_loop().time()
            if isinstance(error, HookflashError):
                log.critical("the line cannot open: %s", error)
            else:
                log.critical("the line cannot open", exc_info=error)
            opened.set_exception(error)
            # It may be that nobody waits for it any more.
            opened.exception()
        finally:
            if not opened.done():
                opened.cancel()

    async def _drain_for_exit(self) -> None:
        await self.drain()
        if not self._has_lifespan:
            # The server knows nothing of this line: this is the last moment to close it in order.
            await self.close()


class _MountedLine:
    """An open line as its host uses it."""

    def __init__(self, line: Line, settings: Settings) -> None:
        self.app = line.app
        self.switchboard = line.switchboard
        self.calls_out = line.calls_out
        self.bringer = line.bringer
        self.drain_seconds = settings.server.drain_seconds
        self._public_url = (settings.server.public_url or "").rstrip("/")

    def check_root(self, root: str) -> None:
        """Warn if the public URL does not end with the prefix under which the line is mounted."""
        if root and not self._public_url.endswith(root):
            log.warning(
                "! the line is mounted under %s, and HOOKFLASH_PUBLIC_URL (%s) does not end with"
                " it; unless a proxy adds the prefix, set HOOKFLASH_PUBLIC_URL to %s%s",
                *(root, self._public_url, self._public_url, root),
            )


@contextlib.asynccontextmanager
async def open_mounted_line(
    directory: Directory, settings: Settings
) -> AsyncIterator[_MountedLine]:
    """Open a line in a process that another server has. Raises `ConfigError`."""
    settings.check_serving()
    with _only_line_of(settings.storage.data_dir), _only_worker(settings.storage.data_dir):
        await prepare_music()
        # Named, so that a successor on the same data folder can find this process.
        worker = new_name(1) if sys.platform != "win32" else ""
        async with open_line(settings, directory, worker=worker) as line:
            sharing: Sharing = getattr(line.app.state, "sharing", SINGLE_PROCESS)
            async with sharing.work(_not_served):
                url = (settings.server.public_url or "").rstrip("/")
                log.info("the line is open; voice webhook and fallback: %s/twilio/voice", url)
                yield _MountedLine(line, settings)


def _no_agents() -> Directory:
    """Return a directory whose agent answers no line: the calls of such a line come from
    `bring_human`."""
    directory = Directory()
    directory.add(
        Agent("hand-offs", instructions="It never answers a call."), lines=["client:nobody"]
    )
    return directory


def _without_model(settings: Settings) -> Settings:
    """Return the settings of a line that opens no session with a model and prepares no speech."""
    key = settings.model.api_key or "no session is opened"
    model = settings.model.model_copy(update={"api_key": key, "warm_sessions": 0})
    speech = settings.speech.model_copy(update={"url": OFF})
    return settings.model_copy(update={"model": model, "speech": speech})


def _not_served(connection: socket.socket, request: bytes) -> None:
    """Close a media socket that another process hands over: the host's server cannot adopt it."""
    log.warning("! a media socket of another process cannot be served here and is closed")
    connection.close()


# --- one line, one process ------------------------------------------------------------------------


@contextlib.contextmanager
def _only_line_of(folder: Path) -> Iterator[None]:
    """Refuse two lines of one process on one data folder: each would take what the other left."""
    folder = folder.absolute()
    if folder in _open_folders:
        raise ConfigError(
            f"{folder}: another line of this process uses this data folder; give each asgi_app its"
            " own Settings with another storage.data_dir, or put the agents into one Directory"
        )
    _open_folders.add(folder)
    try:
        yield
    finally:
        _open_folders.discard(folder)


@contextlib.contextmanager
def _only_worker(folder: Path) -> Iterator[None]:
    """Refuse several workers of one host: the call's media socket may reach the wrong one.

    The host's server accepts a socket in any of its workers and cannot pass it on.
    """
    if sys.platform == "win32" or not _is_worker():
        yield
        return
    workers = folder.absolute() / "workers"
    create_folder(workers)
    path = workers / f"host-{os.getppid()}"
    descriptor = open_descriptor(path, os.O_RDWR | os.O_CREAT)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError(
                "asgi_app: another worker of this host serves the line already, and a mounted line"
                " works in one process; run the host with one worker. For more, run `hookflash"
                " serve --workers` beside it, which shares calls between its workers"
            ) from None
        yield
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
    finally:
        os.close(descriptor)


def _is_worker() -> bool:
    """Return whether this process is a worker that a server has started."""
    is_child = multiprocessing.parent_process() is not None
    return is_child or os.environ.get("SERVER_SOFTWARE", "").startswith("gunicorn")


# --- signals --------------------------------------------------------------------------------------


class _DrainFirst:
    """A signal handler that drains before uvicorn's own handler. A second signal skips the rest."""

    def __init__(
        self,
        before: Callable[[int, FrameType | None], Any],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.before = before
        self.drains: list[Callable[[], Any]] = []
        self._loop = loop
        self._task: asyncio.Task[None] | None = None
        self._asked = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if self._asked:
            self.before(number, frame)
            return
        self._asked = True
        self._loop.call_soon_threadsafe(self._begin, number)

    def _begin(self, number: int) -> None:
        self._task = self._loop.create_task(self._drain(number))

    async def _drain(self, number: int) -> None:
        try:
            await asyncio.gather(*(drain() for drain in list(self.drains)), return_exceptions=True)
        finally:
            self.before(number, None)


@contextlib.contextmanager
def signals_drain_first(drain: Callable[[], Any]) -> Iterator[None]:
    """Drain before uvicorn stops, while the block runs. Does nothing under another server."""
    placed: dict[int, _DrainFirst] = {}
    if threading.current_thread() is threading.main_thread():
        for number in _SIGNALS:
            handler: Any = signal.getsignal(number)
            if isinstance(getattr(handler, "__self__", None), uvicorn.Server):
                handler = _DrainFirst(handler, asyncio.get_running_loop())
                signal.signal(number, handler)
            if isinstance(handler, _DrainFirst):
                handler.drains.append(drain)
                placed[number] = handler
    try:
        yield
    finally:
        for placed_at, first in placed.items():
            first.drains.remove(drain)
            before = first.before
            if not first.drains and signal.getsignal(placed_at) is first:
                signal.signal(placed_at, before)


# --- requests -------------------------------------------------------------------------------------


def without_mount(scope: Scope) -> tuple[Scope, str]:
    """Return the scope of a request as if the line were not mounted, and the prefix it had."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    mounted = root.removeprefix(scope.get("app_root_path", root))
    prefix = next(
        (each for each in (root, mounted) if each and (path + "/").startswith(each + "/")), ""
    )
    inner = path[len(prefix) :] or "/"
    raw: bytes = scope.get("raw_path") or quote(path).encode()
    for written in (prefix.encode(), quote(prefix).encode()):
        if raw.startswith(written):
            raw = raw[len(written) :] or b"/"
            break
    else:
        raw = quote(inner).encode()
    changed = {"path": inner, "raw_path": raw, "root_path": "", "path_params": {}}
    rest = {name: value for name, value in scope.items() if name != "app_root_path"}
    return rest | changed, prefix


async def _refuse(error: Exception, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request while the line is not open. The carrier asks again a little later."""
    if scope["type"] == "websocket":
        await WebSocket(scope, receive, send).close(_TRY_LATER)
        return
    text = "The line is not open. Its log says why."
    await PlainTextResponse(text, 503, {"Retry-After": "5"})(scope, receive, send)
