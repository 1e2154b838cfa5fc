"""Play the ledger's scenarios over real sockets: carrier stand-in, server, scripted model.

    resource          acquired   released, in reverse
    working folder    play       when it returns
    model, carrier    play       when it returns
    the server        play       when it returns

Time is that of the event loop and of `world`. `hookflash ledger --sockets` uses real time, so the
delays of a busy machine are part of the results.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from hookflash.agents.agent import Agent
from hookflash.server.app import serve
from hookflash.server.assembly import open_line
from hookflash.settings import (
    ModelSettings,
    ServerSettings,
    Settings,
    SpeechSettings,
    StorageSettings,
    TwilioSettings,
)
from hookflash.world import SYSTEM, World
from hookflash_local.bench.ledger_scenarios import Scenario, Speech
from hookflash_local.bench.ledger_simulated import Measured
from hookflash_local.carrier import NumberConfig, StandinCarrier
from hookflash_local.model.scripted import ScriptedModel

_PUBLIC = "https://line.hookflash.test"
_LINE, _CALLER = "+15550100001", "+15550100009"
_AFTER_MS = 600
"""How long the call continues after the last event, so that late messages arrive."""

_SPEECH_MS = 500
"""Length of the caller's interruption if the model answers it."""


def playable(scenario: Scenario) -> bool:
    """Return whether the scripted model can play this: it generates each item in one piece."""
    return len(scenario.items) == len(scenario.speeches)


async def play(scenario: Scenario, *, network_ms: float = 40.0, world: World = SYSTEM) -> Measured:
    """Play a scenario with `network_ms` of delay per message and connection, each way.

    Raises `AssertionError` (`Unmet`) if the scripted model did not get what it expected.
    """
    async with contextlib.AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="hookflash-"))
        script = _script(scenario)
        model = await stack.enter_async_context(
            ScriptedModel(script, network_ms=network_ms, wall=world.wall)
        )
        carrier = await stack.enter_async_context(
            StandinCarrier(network_ms=network_ms, wall=world.wall)
        )
        port = await stack.enter_async_context(_served(model, carrier, Path(folder), world))
        carrier.tunnel[_PUBLIC] = f"http://127.0.0.1:{port}"
        carrier.numbers[_LINE] = NumberConfig(f"{_PUBLIC}/twilio/voice")
        call = await carrier.place_call(from_=_CALLER, to=_LINE)
        await model.finished(within_seconds=60)
        model.assert_met()
        call.end("completed", by="bench")
        await call.ended()
        return Measured(
            dict(model.truncations),
            tuple(model.deletions),
            scenario.heard_ms(call.recording().heard),
        )


@contextlib.asynccontextmanager
async def _served(
    model: ScriptedModel, carrier: StandinCarrier, folder: Path, world: World
) -> AsyncIterator[int]:
    settings = Settings(
        server=ServerSettings(public_url=_PUBLIC),
        model=ModelSettings(url=model.url, api_key="any"),
        twilio=TwilioSettings(
            api_url=carrier.api_url, account_sid=carrier.account_sid, auth_token=carrier.auth_token
        ),
        storage=StorageSettings(data_dir=folder),
        # Prepared speech would use CPU time during the measurement.
        speech=SpeechSettings(url="off"),
    )
    agent = Agent("bench", instructions="Speak.")
    stop = asyncio.Event()
    port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    async with open_line(settings, agent, world=world) as line:
        serving = asyncio.create_task(
            serve(
                line.app,
                line.switchboard,
                port=0,
                drain_seconds=0,
                on_listening=port.set_result,
                stop=stop,
            )
        )
        try:
            yield await port
        finally:
            stop.set()
            await serving


def _script(scenario: Scenario) -> list[dict[str, Any]]:
    """Return the scenario as steps of a script, with the waits between them."""
    moments: list[tuple[int, dict[str, Any]]] = []
    for speech in scenario.speeches:
        moments.append((speech.at_ms, {"say": _say(scenario, speech)}))
    for at_ms in scenario.barge_ins_ms:
        moments.append((at_ms, {"speech_started": {}}))
        if any(speech.at_ms > at_ms for speech in scenario.speeches):
            # The caller stops before the model answers.
            moments.append((at_ms + _SPEECH_MS, {"speech_stopped": {"respond": False}}))
    steps: list[dict[str, Any]] = [{"expect": "response.create"}]
    clock = 0
    for at_ms, step in sorted(moments, key=lambda moment: moment[0]):
        if at_ms > clock:
            steps.append({"wait_ms": at_ms - clock})
            clock = at_ms
        steps.append(step)
    return [*steps, {"wait_ms": _AFTER_MS}]


def _say(scenario: Scenario, speech: Speech) -> dict[str, Any]:
    last = [each.item for each in scenario.speeches if each.response == speech.response][-1]
    return {
        "item": speech.item,
        "ms": speech.ms,
        "byte": scenario.voice(speech.item),
        "rate": speech.delta_ms / speech.every_ms,
        "chunk_ms": speech.delta_ms,
        "done": speech.item == last,
        "wait": False,
    }
