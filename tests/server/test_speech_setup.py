"""What renders prepared speech on a line, and that nothing waits for it."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest

from hookflash import Agent, Directory, Settings
from hookflash.agents.prepared_lines import SPOKEN, TEXTS
from hookflash.runtime.prepared_speech import tone
from hookflash.server.speech_setup import open_prepared_speech, speech_renderer
from hookflash_local.model.scripted import ScriptedModel
from hookflash_local.simulation.world import SimulatedWorld

from ..settings_parts import settings_of

OPENAI = "wss://api.openai.com/v1/realtime"
ELSEWHERE = "https://speech.example.com/v1/audio/speech"


SHORT = {line: line for line in SPOKEN}
"""Texts that are quickly rendered."""


def settings(folder: Path = Path(), **chosen: object) -> Settings:
    return settings_of(**({"openai_api_key": "model-key", "data_dir": folder} | chosen))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("chosen", "url", "key"),
    [
        ({}, "https://api.openai.com/v1/audio/speech", "model-key"),
        ({"speech_key": "own"}, "https://api.openai.com/v1/audio/speech", "own"),
        ({"model_url": "ws://127.0.0.1:9/v1/realtime"}, "http://127.0.0.1:9/v1/audio/speech", None),
        ({"speech_url": ELSEWHERE, "speech_key": "own"}, ELSEWHERE, "own"),
        # A stranger is never given the model's key.
        ({"speech_url": ELSEWHERE}, ELSEWHERE, "stand-in"),
    ],
)
def test_the_speech_api_is_beside_the_model_or_the_owners(
    chosen: dict[str, object], url: str, key: str | None
) -> None:
    renderer = speech_renderer(settings(**chosen))
    assert renderer is not None
    assert renderer._url == url
    assert renderer._headers["Authorization"] == f"Bearer {key or 'model-key'}"


@pytest.mark.parametrize("chosen", [{"speech_url": "off"}, {"model_url": "ws://127.0.0.1:9/v1"}])
def test_speech_may_be_off_or_unknown(chosen: dict[str, object]) -> None:
    assert speech_renderer(settings(**chosen)) is None


def directory(*agents: Agent) -> Directory:
    found = Directory()
    for agent in agents:
        found.add(agent)
    return found


async def test_every_agent_is_rendered_in_its_voice_and_nothing_waits(tmp_path: Path) -> None:
    short = {line: text for line, text in SHORT.items() if line != "back"}
    anna = Agent("anna", instructions="Sell.", voice="cedar", language="de", prepared=short)
    ben = Agent("ben", instructions="Buy.", prepared={**short, "back": "Ben again."})
    async with ScriptedModel() as model:
        model.faults.speech_delay_ms = 1000.0
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with open_prepared_speech(
            settings(tmp_path, model_url=model.url),
            directory(anna, ben),
            voice="marin",
            world=SimulatedWorld(0),
        ) as prepared:
            assert loop.time() == began
            assert prepared(anna).find("back") == tone()
            await asyncio.sleep(60.0)
            assert prepared(anna).find("back").text == TEXTS["de"]["back"][0]
            assert prepared(ben).find("back").text == "Ben again."
            orders = {(o["input"], o["voice"]) for o in model.server.spoken}
        assert {("apology", "cedar"), ("apology", "marin")} <= orders
        files = list((tmp_path / "speech").iterdir())
        assert len(files) == len(model.server.spoken) == len(orders)


@pytest.mark.parametrize("fault", ["status", "garbage", "slow"])
async def test_a_service_that_fails_leaves_the_tone_and_one_line_in_the_log(
    tmp_path: Path, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    agent = Agent("anna", instructions="Sell.", prepared=SHORT)
    async with ScriptedModel() as model:
        model.faults.speech_status = 500 if fault == "status" else None
        model.faults.speech_garbage = fault == "garbage"
        model.faults.speech_delay_ms = 58_000.0 if fault == "slow" else 0.0
        async with open_prepared_speech(
            settings(tmp_path, model_url=model.url),
            directory(agent),
            voice="marin",
            world=SimulatedWorld(0),
        ) as prepared:
            await asyncio.sleep(600.0)
            assert prepared(agent).find("filler") == tone()
            told = [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]
            assert len([each for each in told if each.startswith("! prepared speech")]) == 1
            model.faults.speech_status = None
            model.faults.speech_garbage = False
            model.faults.speech_delay_ms = 0.0
            await asyncio.sleep(3600.0)
            assert prepared(agent).find("filler").text
    assert not [r for r in caplog.records if r.levelno >= logging.ERROR]


async def test_an_agent_without_texts_in_its_language_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="hookflash.call.speech")
    agents = (
        Agent("piotr", instructions="Sell.", language="pl"),
        Agent("hans", instructions="Sell.", language="de"),
    )
    off = settings(tmp_path, speech_url="off")
    async with open_prepared_speech(off, directory(*agents), voice="marin") as prepared:
        assert prepared(agents[0]).find("back") == tone()
    told = [record.getMessage() for record in caplog.records]
    assert told == [
        "= no prepared speech: a tone is played instead; see HOOKFLASH_SPEECH_URL",
        "= agent 'piotr': prepared lines have no texts in 'pl' and are in English; give your own"
        " with Agent(prepared={...})",
    ]
    assert not (tmp_path / "speech").exists()


async def test_the_live_model_reads_the_texts_once_the_speech_api_is_shut_down(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="hookflash.call.speech")
    agent = Agent("anna", instructions="Sell.", prepared=SHORT)
    async with ScriptedModel() as model:
        model.faults.speech_status = 404
        for line in SPOKEN:
            model.on(
                "response.create",
                [{"say": {"item": line, "ms": 1000, "byte": 7, "text": line}}],
                where={"response": {"instructions": f'Say exactly: "{line}"'}},
            )
        async with open_prepared_speech(
            settings(tmp_path, model_url=model.url),
            directory(agent),
            voice="marin",
            world=SimulatedWorld(0),
        ) as prepared:
            await asyncio.sleep(30.0)
            assert [prepared(agent).find(line).text for line in SPOKEN] == list(SPOKEN)
        assert len(model.server.spoken) == 1, "what is shut down is asked once"
        assert len(model.server.sessions) == len(SPOKEN)
    assert (
        caplog.text.count("the live model renders the texts, because: the speech API: expected")
        == 1
    )


async def test_an_own_speech_api_is_not_replaced_by_the_model(tmp_path: Path) -> None:
    agent = Agent("anna", instructions="Sell.", prepared=SHORT)
    async with ScriptedModel() as model:
        model.faults.speech_status = 404
        async with open_prepared_speech(
            settings(tmp_path, model_url=model.url, speech_url=model.server.speech_url),
            directory(agent),
            voice="marin",
            world=SimulatedWorld(0),
        ) as prepared:
            await asyncio.sleep(100.0)
            assert prepared(agent).find("back") == tone()
        assert (len(model.server.spoken), model.server.sessions) == (1, [])
