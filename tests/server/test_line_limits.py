"""The limits of a whole line: from the settings to what Twilio is answered and what is counted."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from hookflash import Agent, Cold, Target
from hookflash.core.record import CallRecord
from hookflash.errors import ConfigError
from hookflash.server.assembly import Line, open_line
from hookflash.server.metrics import render
from hookflash.stores.records import open_store
from hookflash_local.simulation.world import SimulatedWorld

from ..settings_parts import settings_of
from .conftest import FORM, PUBLIC, TOKEN, sign

REJECT = '<Reject reason="busy" />'


@contextlib.asynccontextmanager
async def line_of(tmp_path: Path, agent: Agent | None = None, **chosen: Any) -> AsyncIterator[Line]:
    known = {
        "public_url": PUBLIC,
        "twilio_account_sid": "AC" + "0" * 32,
        "twilio_auth_token": TOKEN,
        "openai_api_key": "any",
        "model_url": "ws://127.0.0.1:9",
        "data_dir": tmp_path,
    }
    world = SimulatedWorld(0)
    agent = agent or Agent("shop", instructions="Sell.", language="de")
    async with open_line(settings_of(**(known | chosen)), agent, world=world) as line:
        yield line
    world.close()


async def voice(line: Line, number: int) -> str:
    """Let a call arrive; return the TwiML."""
    about = {
        "CallSid": f"CA{number:032}",
        "From": "+15550142",
        "To": "+15550100",
        "Direction": "inbound",
        "CallStatus": "ringing",
    }
    body = urlencode(about).encode()
    headers = {
        "Content-Type": FORM,
        "X-Twilio-Signature": sign(f"{PUBLIC}/twilio/voice", body),
    }
    transport = httpx.ASGITransport(line.app)
    async with httpx.AsyncClient(transport=transport, base_url=PUBLIC) as client:
        answer = await client.post("/twilio/voice", content=body, headers=headers)
    assert answer.status_code == 200
    return answer.text


async def test_the_call_above_the_limit_hears_a_busy_tone_again_and_again(tmp_path: Path) -> None:
    async with line_of(tmp_path, max_calls=1) as line:
        assert "<Connect" in await voice(line, 1)
        assert REJECT in await voice(line, 2)
        # Twilio repeats a webhook.
        assert REJECT in await voice(line, 2)
        assert "<Connect" in await voice(line, 1)
        counted = render([line.metrics.counts()]).decode()
    assert 'hookflash_calls_refused_total{limit="calls",worker="1"} 1.0' in counted


async def test_or_the_owners_text_in_the_agents_language(tmp_path: Path) -> None:
    async with line_of(tmp_path, max_calls=1, refusal_text="Alle Leitungen sind belegt.") as line:
        await voice(line, 1)
        refused = await voice(line, 2)
    assert '<Say language="de-DE">Alle Leitungen sind belegt.</Say><Hangup />' in refused


async def test_when_todays_money_is_spent_the_next_call_is_refused(tmp_path: Path) -> None:
    world = SimulatedWorld(0)
    store = await open_store(f"sqlite:///{tmp_path}/hookflash.db", connect=world.sqlite)
    await store.put(
        CallRecord(
            call_sid="CA9",
            agent="shop",
            caller="",
            called="",
            disposition="handled_by_agent",
            arrived_at=world.wall(),
            seconds=600.0,
        )
    )
    await store.close()
    world.close()
    prices = "0.6,0,0,EUR"
    async with line_of(tmp_path, max_daily_spend=5, prices=prices) as line:
        assert REJECT in await voice(line, 1)
        counted = render([line.metrics.counts()]).decode()
    assert 'hookflash_calls_refused_total{limit="spend",worker="1"} 1.0' in counted
    assert 'hookflash_spent_today{worker="1"} 6.0' in counted
    async with line_of(tmp_path, max_daily_spend=7, prices=prices) as line:
        assert "<Connect" in await voice(line, 2)


async def test_a_daily_limit_without_prices_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="HOOKFLASH_PRICES or HOOKFLASH_TOKEN_PRICES"):
        async with line_of(tmp_path, max_daily_spend=5):
            pass


async def test_a_plan_with_a_number_that_is_not_permitted_is_logged_at_the_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    agent = Agent("shop", instructions="Sell.")
    plan = Cold([Target.phone("+15550102"), Target.phone("+239555010")])
    agent.handoff("billing", when="an invoice", plan=plan)
    async with line_of(tmp_path, agent, dial_prefixes="+1,+44") as line:
        await voice(line, 1)
        (driver,) = line.switchboard.live
        assert driver.call.setup.dial_prefixes == ("+1", "+44")
    assert "! shop: target 2 of billing is never rung" in caplog.text
    assert "39555010" not in caplog.text


@pytest.mark.parametrize("wrong", ["1", "+", "+0", "+1 555", "0044", "+1,x"])
def test_a_prefix_that_is_none_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="beginnings of numbers in E.164 form"):
        settings_of(dial_prefixes=wrong)
