"""Serve the browser demo: the real server, and a page with phones that call it.

    caller's phone --+                                              +-- model
                     +-- stand-in carrier -- (webhooks, media) -- hookflash
    human's phone ---+                                              +-- console, on the same origin

resource                 acquired    released, in reverse
local model's process    serve_demo  when it returns, if it was started
stand-in carrier         serve_demo  when it returns
the server's task        serve_demo  on SIGINT, SIGTERM or `stop`; then it returns

No account is needed. With OPENAI_API_KEY or HOOKFLASH_MODEL_URL, that model answers; only then does
data leave the machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable

import httpx
import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route

from hookflash.agents.agent import Agent
from hookflash.agents.directory import Directory
from hookflash.console.console import Hooks
from hookflash.core.handoff_plan import Target
from hookflash.server.assembly import serve_line
from hookflash.server.open_port import listen
from hookflash.settings import Settings, TwilioSettings
from hookflash_local.carrier import (
    HumanPhone,
    NumberConfig,
    Offer,
    Phones,
    StandinCarrier,
    phone_app,
)
from hookflash_local.demo import bookshop_agent
from hookflash_local.demo.local_call import speech_options
from hookflash_local.demo.model_voice import ModelVoice
from hookflash_local.model.process import ModelProcess

LINE = "+15550100001"
PUBLIC_URL = "https://localhost"
"""Exists only in the carrier stand-in's tunnel. The host is loopback: only there does the server
allow a console without sign-in."""

PATH = "/demo/"
CONSOLE = "/console/static/embed.js"
"""The console's script module that embeds a live call in another page."""

TALK_TO_A_PERSON = "Can I talk to a person?"

Progress = Callable[[str, float], None]


async def serve_demo(
    target: Agent | Directory,
    settings: Settings,
    *,
    port: int,
    on_progress: Progress = lambda what, fraction: None,
    on_ready: Callable[[str], None] = lambda url: None,
    stop: asyncio.Event | None = None,
) -> None:
    """Serve `target` and the page of phones until a signal or `stop`.

    `on_ready` gets the page's URL. Raises `ConfigError` if `port` on 127.0.0.1 is in use, or if the
    local speech is needed and not installed.
    """
    with listen("127.0.0.1", port):
        """A port in use must be reported before the models are loaded, which takes seconds."""
    directory = Directory.of(target)
    async with contextlib.AsyncExitStack() as stack:
        settings = await _with_model(settings, stack, on_progress)
        voice = ModelVoice(
            settings.model.url, api_key=settings.model.api_key or "", model=settings.model.name
        )
        carrier = await stack.enter_async_context(
            StandinCarrier(auth_token=secrets.token_hex(16), speak=voice)
        )
        settings = settings.model_copy(
            update={
                "server": settings.server.model_copy(
                    update={
                        "public_url": PUBLIC_URL,
                        "host": "127.0.0.1",
                        "port": port,
                        "workers": 1,
                        "drain_seconds": 0.0,
                    }
                ),
                "twilio": TwilioSettings(
                    api_url=carrier.api_url,
                    account_sid=carrier.account_sid,
                    auth_token=carrier.auth_token,
                ),
                "console": settings.console.model_copy(update={"enabled": True, "open": True}),
            }
        )
        first = directory.agents[0]
        offer = Offer((LINE,), first.name, _humans(directory), say=_sentences(first))
        ready: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        async def front(_: Request) -> Response:
            return RedirectResponse(PATH)

        serving = asyncio.create_task(
            serve_line(
                settings,
                target,
                on_listening=ready.set_result,
                stop=stop,
                # A console user who takes over a call is rung on the page's human phone.
                hooks=Hooks(open_rings=_first_target(directory)),
                routes=[
                    Route("/", front),
                    Route(PATH.rstrip("/"), front),
                    Mount(PATH.rstrip("/"), phone_app(Phones(carrier), lambda: offer)),
                ],
            )
        )
        try:
            await asyncio.wait((serving, ready), return_when=asyncio.FIRST_COMPLETED)
            if ready.done():
                origin = f"http://127.0.0.1:{ready.result()}"
                carrier.tunnel[PUBLIC_URL] = origin
                carrier.numbers[LINE] = NumberConfig(
                    f"{PUBLIC_URL}/twilio/voice",
                    fallback_url=f"{PUBLIC_URL}/twilio/voice",
                    status_callback=f"{PUBLIC_URL}/twilio/status",
                )
                if await _is_served(origin + CONSOLE):
                    offer = msgspec.structs.replace(offer, console=CONSOLE)
                on_ready(origin + PATH)
            await serving
        finally:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)


async def _with_model(
    settings: Settings, stack: contextlib.AsyncExitStack, on_progress: Progress
) -> Settings:
    """Return settings with a model: the configured one, or else the local model, now started."""
    if settings.model.api_key or settings.model.url != Settings().model.url:
        return settings
    local = ModelProcess(mode="local", options=speech_options(settings), on_progress=on_progress)
    model = await stack.enter_async_context(local)
    own = {"url": model.url, "api_key": "any-key-will-do"}
    return settings.model_copy(update={"model": settings.model.model_copy(update=own)})


def _first_target(directory: Directory) -> Target | None:
    plans = (each.plan for agent in directory.agents for each in agent.destinations)
    return next(
        (target for plan in plans for target in plan.targets if target.kind != "function"),
        None,
    )


def _sentences(agent: Agent) -> tuple[str, ...]:
    """Return what a caller may say to try the agent: of the demo's own, three questions."""
    if agent is bookshop_agent.agent:
        return bookshop_agent.SENTENCES
    return (TALK_TO_A_PERSON,) if agent.destinations else ()


def _humans(directory: Directory) -> tuple[HumanPhone, ...]:
    """Return the targets of all hand-off plans, each number once."""
    humans: dict[str, HumanPhone] = {}
    for agent in directory.agents:
        for destination in agent.destinations:
            for target in destination.plan.targets:
                if target.kind == "function":
                    # Known only during a call.
                    continue
                client = target.kind == "client"
                number = f"client:{target.address}" if client else target.address
                humans.setdefault(number, HumanPhone(number, destination.key))
    return tuple(humans.values())


async def _is_served(url: str) -> bool:
    async with httpx.AsyncClient() as client:
        return (await client.get(url)).status_code == 200
