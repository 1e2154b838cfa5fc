"""A line inside a FastAPI app, under uvicorn and Hypercorn: whole calls, from start to stop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import hypercorn.asyncio
import hypercorn.config
import pytest
import uvicorn
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.routing import Mount

from hookflash import Agent, CallRecord, ConfigError, LineApp, Settings
from hookflash.server.mounted_line import RETRY_SECONDS, without_mount
from hookflash.server.open_port import listen
from hookflash_local.carrier import Human, Line, NumberConfig, StandinCarrier
from hookflash_local.model.scripted import ScriptedModel
from hookflash_local.simulation.loop import VirtualLoop

from ..settings_parts import settings_of
from .conftest import CALLER, DESK, LINE, PUBLIC, SPEED, eventually, samples, shop
from .test_handoff import (
    CALLER as CALLER_SOUND,
)
from .test_handoff import (
    GREETING,
    HUMAN,
    ask_for_a_human,
    desk,
    greeted,
    script_agent,
)

PREFIX = "/voice"


@dataclass
class Standins:
    """The carrier and the model, and the settings of a line between them."""

    model: ScriptedModel
    carrier: StandinCarrier
    settings: Settings

    def reach(self, port: int, prefix: str = PREFIX) -> None:
        self.carrier.tunnel[PUBLIC] = f"http://127.0.0.1:{port}"
        self.carrier.numbers[LINE] = NumberConfig(
            f"{PUBLIC}{prefix}/twilio/voice", status_callback=f"{PUBLIC}{prefix}/twilio/status"
        )

    async def call_with_a_hand_off(self) -> Any:
        """Place a call in which the agent brings a human; check what each has heard."""
        script_agent(self)
        self.carrier.humans[DESK] = Human(answer_after=0.5, script=desk)

        async def script(line: Line) -> None:
            await greeted(line)
            await ask_for_a_human(self)
            await line.wait_for("bridged")
            await line.play(bytes([CALLER_SOUND]) * 6400)

        call = await self.carrier.place_call(from_=CALLER, to=LINE, script=script)
        await call.ended()
        await self.carrier.callbacks_sent()
        heard = call.recording().heard
        assert samples(heard, GREETING) == 800 * 8
        assert samples(heard, HUMAN) >= 8000 - 160
        leg = [leg for leg in self.carrier.calls if leg is not call][-1]
        assert samples(leg.recording().heard, CALLER_SOUND) >= 6400 - 160
        assert self.carrier.alerts.entries == []
        return call


@asynccontextmanager
async def standins(folder: Path, *, prefix: str = PREFIX, **more: Any) -> AsyncIterator[Standins]:
    virtual = isinstance(asyncio.get_running_loop(), VirtualLoop)
    speed = 1.0 if virtual else SPEED
    async with ScriptedModel(speed=speed) as model, StandinCarrier(speed=speed) as carrier:
        chosen = {
            "public_url": f"{PUBLIC}{prefix}",
            "openai_api_key": "any",
            "twilio_account_sid": carrier.account_sid,
            "twilio_auth_token": carrier.auth_token,
            "twilio_api_url": carrier.api_url,
            "model_url": model.url,
            "data_dir": folder,
            "speed": speed,
            "max_call_seconds": 0,
            "speech_url": "off",
            "drain_seconds": 0.5,
        }
        yield Standins(model, carrier, settings_of(**(chosen | more)))
        await eventually(lambda: not carrier.leftovers())


@asynccontextmanager
async def under_uvicorn(app: Any, **options: Any) -> AsyncIterator[tuple[int, uvicorn.Server]]:
    config = uvicorn.Config(app, log_config=None, lifespan="auto", **options)
    server = uvicorn.Server(config)
    with listen("127.0.0.1", 0) as listener:
        serving = asyncio.create_task(server.serve([listener]))
        try:
            await eventually(lambda: server.started or serving.done())
            if serving.done():
                serving.result()
            yield listener.getsockname()[1], server
        finally:
            server.should_exit = True
            await serving


@asynccontextmanager
async def under_hypercorn(
    app: Any, stop: Callable[[], Awaitable[Any]] | None = None
) -> AsyncIterator[int]:
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        config = hypercorn.config.Config()
        config.bind = [f"fd://{listener.detach()}"]
        config.accesslog = config.errorlog = None
        ended = asyncio.Event()
        serving = asyncio.create_task(
            hypercorn.asyncio.serve(app, config, shutdown_trigger=stop or ended.wait)
        )
        try:
            await answers(port)
            yield port
        finally:
            ended.set()
            await serving


async def answers(port: int) -> None:
    async with httpx.AsyncClient() as client:
        for _ in range(500):
            with contextlib.suppress(httpx.TransportError):
                await client.get(f"http://127.0.0.1:{port}/own")
                return
            await asyncio.sleep(0.02)
    pytest.fail("the server does not answer")


def own_app(voice: LineApp, *, lifespan: bool = True) -> FastAPI:
    app = FastAPI(lifespan=voice.lifespan if lifespan else None)

    @app.get("/own")
    async def own() -> str:
        return "yours"

    app.mount(PREFIX, voice)
    return app


async def stored(settings: Settings, call_sid: str) -> CallRecord | None:
    from hookflash.stores.records import open_store

    store = await open_store(settings.storage.database_url)
    try:
        return await store.get(call_sid)
    finally:
        await store.close()


@pytest.mark.realtime
@pytest.mark.parametrize("server", ["uvicorn", "hypercorn"])
async def test_a_whole_call_with_a_hand_off_inside_a_fastapi_app(tmp_path, server):
    tasks, threads = asyncio.all_tasks(), set(threading.enumerate())
    async with standins(tmp_path) as s:
        app = own_app(LineApp(shop(), s.settings))
        async with contextlib.AsyncExitStack() as stack:
            if server == "uvicorn":
                port, _ = await stack.enter_async_context(under_uvicorn(app))
            else:
                port = await stack.enter_async_context(under_hypercorn(app))
            s.reach(port)
            call = await s.call_with_a_hand_off()
            base = f"http://127.0.0.1:{port}"
            async with httpx.AsyncClient(base_url=base) as client:
                assert (await client.get("/own")).json() == "yours"
                assert (await client.get("/voice/readyz")).text == "ready"
                assert (await client.get("/readyz")).status_code == 404
                unsigned = await client.post("/voice/twilio/voice", data={"CallSid": "CA1"})
                assert unsigned.status_code == 403
        record = await stored(s.settings, call.sid)
        assert record is not None
        assert record.disposition == "handed_off"
    await eventually(lambda: asyncio.all_tasks() <= tasks)
    await eventually(
        lambda: not any(_is_ours(each) for each in set(threading.enumerate()) - threads)
    )


def _is_ours(thread: threading.Thread) -> bool:
    # asyncio's own threads for blocking functions stay until the loop ends.
    return thread.is_alive() and not thread.name.startswith("asyncio_")


@pytest.mark.realtime
@pytest.mark.parametrize("server", ["uvicorn", "hypercorn"])
async def test_sigterm_brings_a_live_call_to_a_human_before_the_server_stops(tmp_path, server):
    async with standins(tmp_path, drain_seconds=0) as s:
        voice = LineApp(shop(), s.settings)
        app = own_app(voice)
        script_agent(s)
        s.carrier.humans[DESK] = Human(answer_after=1.0, script=desk)

        async def script(line: Line) -> None:
            await greeted(line)
            signal.raise_signal(signal.SIGTERM)

        with no_default_sigterm():
            async with contextlib.AsyncExitStack() as stack:
                if server == "uvicorn":
                    port, _ = await stack.enter_async_context(under_uvicorn(app))
                else:
                    port = await stack.enter_async_context(
                        under_hypercorn(app, voice.until_drained)
                    )
                s.reach(port)
                call = await s.carrier.place_call(from_=CALLER, to=LINE, script=script)
                await call.timeline.until("bridged")
                await call.ended()
        assert samples(call.recording().heard, HUMAN) >= 8000 - 160


@contextlib.contextmanager
def no_default_sigterm() -> Any:
    """uvicorn raises the signal again when it has stopped, for the handler that was there."""
    before = signal.signal(signal.SIGTERM, lambda number, frame: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.mark.realtime
async def test_without_the_lifespan_the_line_opens_with_the_first_request(tmp_path, caplog):
    async with standins(tmp_path) as s:
        with caplog.at_level(logging.WARNING, "hookflash.server"), no_default_sigterm():
            async with under_uvicorn(own_app(LineApp(shop(), s.settings), lifespan=False)) as (
                port,
                server,
            ):
                assert "delays the first call" not in caplog.text
                s.reach(port)
                call = await s.call_with_a_hand_off()
                assert "lifespan=voice.lifespan" in caplog.text
                signal.raise_signal(signal.SIGTERM)
                await eventually(lambda: server.should_exit)
        record = await stored(s.settings, call.sid)
        assert record is not None
        assert record.disposition == "handed_off"


@pytest.mark.realtime
async def test_two_lines_in_one_process_have_their_own_calls_and_consoles(tmp_path):
    async with standins(tmp_path / "a", prefix="/sales") as s:
        other = s.settings.model_copy(
            update={
                "server": s.settings.server.model_copy(update={"public_url": f"{PUBLIC}/help"}),
                "storage": settings_of(data_dir=tmp_path / "b").storage,
            }
        )
        sales, support = LineApp(shop(), s.settings), LineApp(shop(), other)

        @asynccontextmanager
        async def lifespan(app: Starlette) -> AsyncIterator[None]:
            async with sales.lifespan(app), support.lifespan(app):
                yield

        app = Starlette(routes=[Mount("/sales", sales), Mount("/help", support)], lifespan=lifespan)
        async with under_uvicorn(app) as (port, _):
            for prefix in ("/sales", "/help"):
                s.reach(port, prefix)
                await s.call_with_a_hand_off()
        assert len([*(tmp_path / "a" / "journals").glob("*.jsonl")]) == 1
        assert len([*(tmp_path / "b" / "journals").glob("*.jsonl")]) == 1


def settings_without_peers(folder: Path) -> Settings:
    """Return settings of a line that is never called."""
    return settings_of(
        public_url="http://127.0.0.1:9/voice",
        twilio_api_url="http://127.0.0.1:9",
        model_url="ws://127.0.0.1:9/v1/realtime",
        data_dir=folder,
        speech_url="off",
    )


@pytest.mark.realtime
async def test_two_lines_on_one_data_folder_are_refused(tmp_path):
    settings = settings_without_peers(tmp_path)
    first, second = LineApp(shop(), settings), LineApp(shop(), settings)
    async with first.lifespan():
        with pytest.raises(ConfigError, match="its own Settings with another storage.data_dir"):
            await second.start()
    async with second.lifespan(), Requests(own_app(second)).client as client:
        assert (await client.get("/voice/healthz")).text == "ok"


@pytest.mark.realtime
async def test_a_second_worker_of_one_host_is_refused(tmp_path):
    program = f"""
import multiprocessing, sys
multiprocessing.parent_process = lambda: "a server"
import asyncio
from pathlib import Path
from tests.scenarios.conftest import shop
from tests.scenarios.test_mounted_line import settings_without_peers
from hookflash import ConfigError, LineApp

async def main():
    voice = LineApp(shop(), settings_without_peers(Path({str(tmp_path)!r})))
    try:
        await voice.start()
    except ConfigError as error:
        print("refused:", error, flush=True)
        return
    print("open", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    await voice.close()

asyncio.run(main())
"""
    pipes = {name: asyncio.subprocess.PIPE for name in ("stdin", "stdout")}
    command = (sys.executable, "-c", program)
    first = await asyncio.create_subprocess_exec(*command, **pipes)
    assert first.stdout is not None
    assert await first.stdout.readline() == b"open\n"
    second = await asyncio.create_subprocess_exec(*command, **pipes)
    said, _ = await second.communicate(b"\n")
    assert said.startswith(b"refused: asgi_app: another worker of this host serves the line")
    said, _ = await first.communicate(b"\n")
    assert first.returncode == 0
    assert not [*(tmp_path / "workers").glob("host-*")]


@pytest.mark.realtime
async def test_the_servers_lifespan_opens_a_line_that_is_the_whole_application(tmp_path, caplog):
    voice = LineApp(shop(), settings_without_peers(tmp_path))
    async with under_uvicorn(voice) as (port, _), httpx.AsyncClient() as client:
        assert (await client.get(f"http://127.0.0.1:{port}/readyz")).text == "ready"
        assert "delays the first call" not in caplog.text


@pytest.mark.realtime
async def test_a_prefix_that_the_public_url_lacks_is_warned_of_once(tmp_path, caplog):
    voice = LineApp(shop(), settings_without_peers(tmp_path))
    app = Starlette(routes=[Mount("/phone", voice)])
    async with voice.lifespan(), Requests(app).client as client:
        for _ in range(2):
            assert (await client.get("/phone/healthz")).text == "ok"
    warning = "set HOOKFLASH_PUBLIC_URL to http://127.0.0.1:9/voice/phone"
    assert caplog.text.count(warning) == 1


@pytest.mark.realtime
def test_one_event_loop_after_another_may_use_a_line(tmp_path):
    voice = LineApp(shop(), settings_without_peers(tmp_path))
    app = own_app(voice, lifespan=False)

    async def ask() -> str:
        async with Requests(app).client as client:
            return (await client.get("/voice/healthz")).text

    for _ in range(2):
        # The loop ends with the line open: its end closes the line.
        assert asyncio.run(ask()) == "ok"


class Requests:
    """A client of an ASGI application without a server."""

    def __init__(self, app: Any) -> None:
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="https://line.example.test"
        )


@pytest.mark.realtime
async def test_the_console_works_under_the_prefix(tmp_path):
    from hookflash.console.passwords import hash_password

    users = tmp_path / "users.toml"
    users.write_text(
        f'[users.vera]\npassword = "{hash_password("a long password")}"\nrole = "supervisor"\n'
    )
    async with standins(tmp_path, console_users=users) as s:
        voice = LineApp(shop(), s.settings)
        app = own_app(voice)
        async with voice.lifespan(), Requests(app).client as client:
            page = await client.get("/voice/console")
            assert (page.status_code, page.headers["location"]) == (303, "/voice/console/sign-in")
            sign_in = await client.get(page.headers["location"])
            assert '"/voice/console/static/' in sign_in.text
            assert '"/console/' not in sign_in.text
            file = sign_in.text.partition('"/voice/console/static/')[2].partition('"')[0]
            assert (await client.get(f"/voice/console/static/{file}")).status_code == 200
            known = {"name": "vera", "password": "a long password"}
            answer = await client.post("/voice/console/sign-in", json=known)
            assert answer.status_code == 200
            assert answer.headers["set-cookie"].startswith("__Host-hookflash_session-voice=")
            assert "Path=/;" in answer.headers["set-cookie"]
            assert (await client.get("/voice/api/calls")).json()["calls"] == []
            assert (await client.get("/voice/console/session")).json()["name"] == "vera"
            assert (await client.get("/voice/metrics")).status_code == 403


async def test_what_is_missing_is_said_at_the_start_and_in_the_log(tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    for name in ("HOOKFLASH_PUBLIC_URL", "TWILIO_ACCOUNT_SID", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    voice = LineApp(shop())
    with pytest.raises(ConfigError, match="HOOKFLASH_PUBLIC_URL"):
        async with voice.lifespan():
            pytest.fail("it opened")
    again = LineApp(shop())
    async with Requests(own_app(again, lifespan=False)).client as client:
        answer = await client.post("/voice/twilio/voice", data={"CallSid": "CA1"})
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        attempts = caplog.text.count("the line cannot open")
        assert "HOOKFLASH_PUBLIC_URL" in caplog.text
        assert (await client.get("/own")).json() == "yours"
        # The next request does not try again at once; a later one does.
        assert (await client.get("/voice/healthz")).status_code == 503
        assert caplog.text.count("the line cannot open") == attempts
        await asyncio.sleep(RETRY_SECONDS + 1)
        assert (await client.get("/voice/healthz")).status_code == 503
        assert caplog.text.count("the line cannot open") == attempts + 1


def test_an_agent_that_is_not_complete_is_refused_at_once():
    with pytest.raises(ConfigError, match="fallback='desk' is not one of its destinations"):
        LineApp(Agent("shop", instructions="Help.", fallback="desk"))


@pytest.mark.parametrize(
    ("scope", "inner", "root"),
    [
        # As Starlette mounts, and as it does behind `uvicorn --root-path /api`.
        ({"path": "/voice/twilio/x", "root_path": "/voice"}, "/twilio/x", "/voice"),
        (
            {"path": "/api/voice/twilio/x", "root_path": "/api/voice", "app_root_path": "/api"},
            "/twilio/x",
            "/api/voice",
        ),
        # A server that does not add its root path to the path.
        (
            {"path": "/voice/twilio/x", "root_path": "/api/voice", "app_root_path": "/api"},
            "/twilio/x",
            "/voice",
        ),
        ({"path": "/voice", "root_path": "/voice"}, "/", "/voice"),
        ({"path": "/twilio/x", "root_path": ""}, "/twilio/x", ""),
        ({"path": "/voicemail/x", "root_path": "/voice"}, "/voicemail/x", ""),
    ],
)
def test_a_request_comes_without_the_prefix_of_the_mount(scope, inner, root):
    found, removed = without_mount({"type": "http", "raw_path": scope["path"].encode(), **scope})
    assert (found["path"], found["raw_path"], removed) == (inner, inner.encode(), root)
    assert (found["root_path"], "app_root_path" in found) == ("", False)


def test_the_signed_path_keeps_its_escapes():
    scope = {
        "type": "http",
        "path": "/v x/human/a b",
        "root_path": "/v x",
        "raw_path": b"/v%20x/human/a%20b",
    }
    found, _ = without_mount(scope)
    assert (found["path"], found["raw_path"]) == ("/human/a b", b"/human/a%20b")
    found, _ = without_mount({**scope, "raw_path": None})
    assert found["raw_path"] == b"/human/a%20b"


@pytest.mark.realtime
async def test_the_application_places_a_call(tmp_path: Path) -> None:
    callee = "+15550100007"
    outbound = {"calling_hours": "off", "caller_id": LINE}
    async with standins(tmp_path, **outbound) as s:
        voice = LineApp(shop(), s.settings)
        app = FastAPI(lifespan=voice.lifespan)
        app.mount(PREFIX, voice)
        async with under_uvicorn(app) as (port, _):
            s.reach(port)
            s.carrier.humans[callee] = Human.busy()
            call = await voice.place(callee, known="Order 7.")
            assert (await call.ended()).disposition == "busy"
            await s.carrier.callbacks_sent()
