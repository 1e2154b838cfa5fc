"""The door of the stand-in: who is let in, what goes wrong on purpose, how a session ends."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from hookflash_local.model.local_model import local_model
from hookflash_local.model.timing import Faults, Timing

KEY = {"Authorization": "Bearer any"}


async def event(socket: ClientConnection) -> dict[str, Any]:
    return json.loads(await socket.recv())


async def closing(socket: ClientConnection) -> tuple[int, str]:
    """Read until the socket closes; return the close code and reason."""
    with pytest.raises(ConnectionClosed) as caught:
        while True:
            await socket.recv()
    received = caught.value.rcvd
    return (received.code, received.reason) if received else (1006, "")


@pytest.mark.parametrize(
    "path, headers, status, code",
    [
        ("?model=m", {}, 401, "invalid_api_key"),
        ("?model=m", {"Authorization": "Bearer "}, 401, "invalid_api_key"),
        ("", KEY, 400, "missing_model"),
        ("/other?model=m", KEY, 404, "not_found"),
    ],
)
async def test_an_invalid_upgrade_request_is_refused(
    components: Any, path: str, headers: dict[str, str], status: int, code: str
) -> None:
    async with local_model(components) as model:
        with pytest.raises(InvalidStatus) as caught:
            await connect(model.url + path, additional_headers=headers)
        assert caught.value.response.status_code == status
        assert json.loads(caught.value.response.body)["error"]["code"] == code
        assert model.refused_upgrades == [status]
        assert model.sessions == []


async def test_the_retired_beta_protocol_is_refused_and_closed(
    components: Any, server_event: Any
) -> None:
    headers = {**KEY, "OpenAI-Beta": "realtime=v1"}
    async with local_model(components) as model:
        async with connect(f"{model.url}?model=m", additional_headers=headers) as socket:
            error = server_event(await event(socket))
            assert error["error"]["code"] == "beta_api_shape_disabled"
            assert (await closing(socket))[0] == 4000
        assert model.sessions == []


async def test_the_session_is_created_first_with_the_model_of_the_url(
    components: Any, server_event: Any
) -> None:
    async with (
        local_model(components) as model,
        connect(f"{model.url}?model=gpt-realtime-2.1", additional_headers=KEY) as socket,
    ):
        created = server_event(await event(socket))
        assert created["type"] == "session.created"
        assert created["session"]["model"] == "gpt-realtime-2.1"


async def test_garbage_is_refused_and_the_session_goes_on(
    components: Any, server_event: Any
) -> None:
    async with (
        local_model(components) as model,
        connect(f"{model.url}?model=m", additional_headers=KEY) as socket,
    ):
        await event(socket)
        for frame in (
            "not json",
            "[]",
            "null",
            "7",
            b"\xff\xfe",
            '{"type": {}}',
            '{"event_id": 1}',
        ):
            await socket.send(frame)
            assert server_event(await event(socket))["type"] == "error"
        await socket.send('{"type": "input_audio_buffer.clear"}')
        assert (await event(socket))["type"] == "input_audio_buffer.cleared"


async def test_a_session_expires_with_an_error_and_1001(components: Any, server_event: Any) -> None:
    timing = Timing(speed=1000, session_seconds=60)
    async with (
        local_model(components, timing=timing) as model,
        connect(f"{model.url}?model=m", additional_headers=KEY) as socket,
    ):
        assert (await event(socket))["type"] == "session.created"
        error = server_event(await event(socket))["error"]
        assert error["code"] == "session_expired"
        assert error["message"] == "Your session hit the maximum duration of 1 minutes."
        assert await closing(socket) == (1001, error["message"])


@pytest.mark.parametrize("status", [401, 403, 429])
async def test_a_fault_refuses_the_upgrade(components: Any, status: int) -> None:
    async with local_model(components, faults=Faults(refuse_upgrade=status)) as model:
        with pytest.raises(InvalidStatus) as caught:
            await connect(f"{model.url}?model=m", additional_headers=KEY)
        assert caught.value.response.status_code == status
        model.faults.refuse_upgrade = None
        async with connect(f"{model.url}?model=m", additional_headers=KEY) as socket:
            assert (await event(socket))["type"] == "session.created"


async def test_a_fault_never_answers_the_upgrade(components: Any) -> None:
    async with local_model(components, faults=Faults(silent="upgrade")) as model:
        with pytest.raises(TimeoutError):
            await connect(f"{model.url}?model=m", additional_headers=KEY, open_timeout=0.05)


async def test_a_fault_accepts_and_never_says_a_word(components: Any) -> None:
    async with (
        local_model(components, faults=Faults(silent="session")) as model,
        connect(f"{model.url}?model=m", additional_headers=KEY) as socket,
    ):
        await socket.send('{"type": "input_audio_buffer.clear"}')
        # The pong is sent after the frame was read: no answer can still be under way.
        await (await socket.ping())
        model.faults.silent = None
        await socket.send('{"type": "response.cancel"}')
        assert (await event(socket))["error"]["code"] == "response_cancel_not_active"


async def test_a_fault_holds_back_the_first_event(components: Any) -> None:
    faults = Faults(session_created_delay_ms=60_000)
    async with (
        local_model(components, timing=Timing(speed=1000), faults=faults) as model,
        connect(f"{model.url}?model=m", additional_headers=KEY) as socket,
    ):
        assert (await event(socket))["type"] == "session.created"


async def test_a_fault_answers_with_another_audio_format(
    components: Any, server_event: Any
) -> None:
    pcmu = {"format": {"type": "audio/pcmu"}}
    session = {"type": "realtime", "audio": {"input": pcmu, "output": pcmu}}
    async with (
        local_model(components, faults=Faults(session_format="audio/pcm")) as model,
        connect(f"{model.url}?model=m", additional_headers=KEY) as socket,
    ):
        await event(socket)
        await socket.send(json.dumps({"type": "session.update", "session": session}))
        updated = server_event(await event(socket))
        assert updated["session"]["audio"]["output"]["format"] == {
            "type": "audio/pcm",
            "rate": 24000,
        }


@pytest.mark.parametrize("point", ["response.create", "response.created", "session.created"])
async def test_a_fault_drops_the_socket_at_a_point(components: Any, point: str) -> None:
    async with (
        local_model(components, faults=Faults(drop_on=point)) as model,
        connect(f"{model.url}?model=m", additional_headers=KEY) as socket,
    ):
        if point != "session.created":
            await socket.send('{"type": "response.create"}')
        assert (await closing(socket))[0] == 1006


async def test_a_fault_fails_each_response(components: Any, server_event: Any) -> None:
    async with (
        local_model(components, faults=Faults(fail_response="rate_limit_exceeded")) as model,
        connect(f"{model.url}?model=m", additional_headers=KEY) as socket,
    ):
        await event(socket)
        await socket.send('{"type": "response.create"}')
        told = [server_event(await event(socket)) for _ in range(3)]
        assert told[-1]["type"] == "response.done"
        assert told[-1]["response"]["status"] == "failed"
        error = told[-1]["response"]["status_details"]["error"]
        assert error["code"] == "rate_limit_exceeded"


async def test_the_connection_delays_both_directions_and_keeps_the_order(components: Any) -> None:
    async with (
        local_model(components, timing=Timing(network_ms=40)) as model,
        connect(f"{model.url}?model=m", additional_headers=KEY) as socket,
    ):
        await event(socket)
        loop = asyncio.get_running_loop()
        begun = loop.time()
        await socket.send('{"type": "input_audio_buffer.clear"}')
        await socket.send('{"type": "response.cancel"}')
        assert (await event(socket))["type"] == "input_audio_buffer.cleared"
        assert loop.time() - begun == pytest.approx(0.08)
        assert (await event(socket))["type"] == "error"


async def test_closing_the_server_ends_its_sessions(components: Any) -> None:
    async with local_model(components) as model:
        socket = await connect(f"{model.url}?model=m", additional_headers=KEY)
        await event(socket)
        assert model.sessions[-1].open
    assert (await closing(socket))[0] == 1001
    assert not model.sessions[-1].open
