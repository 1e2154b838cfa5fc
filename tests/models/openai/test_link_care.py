"""What a link does with mistakes, garbage, keys and logs."""

from __future__ import annotations

import asyncio
import json
import logging
from random import Random
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection

from hookflash.core import commands, events
from hookflash.errors import ConfigError
from hookflash.models.openai import CAPABILITIES, OpenAIConnector, RealtimeOptions
from hookflash.models.openai import link as link_module

from .link_parts import (
    SETUP,
    WIRE,
    Heard,
    accept,
    connector,
    model,
    raw,
)

# --- mistakes and garbage ---------------------------------------------------------------------


async def test_an_event_that_cannot_be_carried_out_ends_this_session_only(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def play(connection: ServerConnection) -> None:
        await accept(connection)
        await connection.wait_closed()

    async with model(play) as url, connector(url) as opened:
        heard, fine = Heard(), Heard()

        def on_event(event: Any) -> None:
            heard(event)
            raise RuntimeError("a mistake of the call's")

        opened.open(SETUP, on_event)
        opened.open(SETUP, fine)
        assert await heard.next() == events.ModelReady("sess_1")
        assert await fine.next() == events.ModelReady("sess_1")
        lost = await heard.next()
    assert isinstance(lost, events.ModelLost)
    assert len(heard.events) == 2
    assert fine.events == [events.ModelReady("sess_1")]
    assert "a mistake of the call's" in caplog.text


async def test_a_mistake_of_ours_while_connecting_is_an_event_too(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    nonsense: Any = "no context at all"
    async with (
        raw(play) as url,
        connector(url.replace("ws:", "wss:"), ssl_context=nonsense) as opened,
    ):
        heard = Heard()
        opened.open(SETUP, heard)
        lost = await heard.next()
    assert lost == events.ModelLost("the link to the model failed: an error in Hookflash", "rotate")
    assert "Traceback" in caplog.text


async def test_ten_thousand_pieces_of_garbage_end_no_other_session() -> None:
    random = Random(20261122)
    lines = (WIRE / "one_of_each.jsonl").read_bytes().splitlines()
    lines = [line for line in lines if b'"type": "error"' not in line and b"session." not in line]

    def garbage() -> bytes:
        line = random.choice(lines)
        place = random.randrange(len(line))
        cut = random.choice([place + 1, len(line)])
        return line[:place] + random.randbytes(random.randrange(5)) + line[cut:]

    async def play(connection: ServerConnection) -> None:
        await accept(connection)
        for _ in range(10_000):
            await connection.send(garbage())
        await connection.send(json.dumps({"type": "response.created", "response": {"id": "end"}}))
        await connection.recv()
        await connection.send(json.dumps({"type": "response.created", "response": {"id": "e"}}))
        await connection.wait_closed()

    async with model(play) as url, connector(url) as opened:
        noisy = Heard()
        link = opened.open(SETUP, noisy)
        while await noisy.next() != events.ResponseStarted("end"):
            pass
        link.carry_out(commands.RequestResponse())
        while await noisy.next() != events.ResponseStarted("e"):
            pass
    assert not [event for event in noisy.events if isinstance(event, events.ModelLost)]


# --- settings and logs ------------------------------------------------------------------------


@pytest.mark.parametrize("key", [None, ""])
def test_another_machine_gets_no_connection_without_a_key(key: str | None) -> None:
    with pytest.raises(ConfigError, match="OPENAI_API_KEY"):
        OpenAIConnector(api_key=key)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"api_key": None}, ("Bearer stand-in", None)),
        ({"api_key": None, "extra_headers": {"api-key": "k"}}, (None, "k")),
        ({"api_key": "sk-a", "extra_headers": {"api-key": "k"}}, ("Bearer sk-a", "k")),
    ],
    ids=["a stand-in takes any key", "Azure has its own header", "both"],
)
async def test_the_upgrade_request_has_the_configured_credentials(
    options: dict[str, Any], expected: tuple[str | None, str | None]
) -> None:
    shown: list[tuple[str | None, str | None]] = []

    async def play(connection: ServerConnection) -> None:
        assert connection.request is not None
        headers = connection.request.headers
        shown.append((headers.get("Authorization"), headers.get("api-key")))
        await accept(connection)
        await connection.wait_closed()

    async with model(play) as url, connector(url, **options) as opened:
        heard = Heard()
        opened.open(SETUP, heard)
        assert await heard.next() == events.ModelReady("sess_1")
    assert shown == [expected]


def test_what_the_model_can_do_is_told_without_opening_a_session() -> None:
    assert OpenAIConnector("ws://127.0.0.1:9").capabilities == CAPABILITIES


@pytest.mark.parametrize("key", ["sk-a\nX: b", "sk-\u00e9"])
def test_a_key_that_is_no_header_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(ConfigError) as refused:
        OpenAIConnector(api_key=key)
    assert "sk-" not in str(refused.value)


async def test_the_timing_of_a_turn_is_logged_when_asked_for(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def play(connection: ServerConnection) -> None:
        await accept(connection)
        for line in (WIRE / "spoken_turn.jsonl").read_text().splitlines()[2:]:
            await connection.send(line)
        await connection.wait_closed()

    options = RealtimeOptions(log_timing=True)
    with caplog.at_level(logging.INFO, "hookflash.model"):
        async with model(play) as url, connector(url, options=options) as opened:
            heard = Heard()
            link = opened.open(SETUP, heard)
            while not isinstance(await heard.next(), events.ResponseEnded):
                pass
            link.carry_out(commands.TruncateItem("item_a1", 40))
    assert "sess_1 % ready" in caplog.text
    assert "after the caller stopped" in caplog.text
    assert "resp_1 completed: 100 ms of sound" in caplog.text
    assert "item_a1 was heard for 40 ms" in caplog.text


async def test_the_key_and_the_payloads_are_in_no_log(caplog: pytest.LogCaptureFixture) -> None:
    async def play(connection: ServerConnection) -> None:
        await accept(connection)
        await connection.send((WIRE / "spoken_turn.jsonl").read_text().splitlines()[13])
        await connection.wait_closed()

    options = RealtimeOptions(log_event_types=frozenset({"session.updated"}))
    with caplog.at_level(1):
        async with (
            model(play) as url,
            connector(url, api_key="sk-secret", options=options) as opened,
        ):
            heard = Heard()
            link = opened.open(SETUP, heard)
            await heard.next()
            piece = await heard.next()
            link.carry_out(commands.SendCallerAudio("c2VjcmV0", 6))
    ours = [r for r in caplog.records if r.name.split(".")[0] in ("hookflash", "picows")]
    text = "\n".join(record.getMessage() for record in ours)
    assert "< session.updated" in text
    assert "sk-secret" not in text
    assert piece.payload not in text
    assert "c2VjcmV0" not in text
    assert link_module.logger.name == "hookflash.model"
