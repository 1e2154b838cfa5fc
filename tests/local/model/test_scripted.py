"""The scripted model: it does what the script says, and tells exactly what was not met."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from hookflash_local.model.script_run import Unmet
from hookflash_local.model.scripted import ScriptedModel

PCMU = {"format": {"type": "audio/pcmu"}}
TELEPHONE = {"type": "realtime", "audio": {"input": PCMU, "output": PCMU}}


class Adapter:
    """The side under test: sends events, keeps what comes."""

    def __init__(self, socket: ClientConnection, judge: Callable[[Any], Any]) -> None:
        self._socket = socket
        self._judge = judge
        self.events: list[dict[str, Any]] = []

    async def send(self, kind: str, **fields: Any) -> None:
        await self._socket.send(json.dumps({"type": kind, **fields}))

    async def next(self, *kinds: str) -> dict[str, Any]:
        while True:
            event: dict[str, Any] = self._judge(json.loads(await self._socket.recv()))
            self.events.append(event)
            if event["type"] in kinds:
                return event

    async def truncate(self, item_id: str, audio_end_ms: int) -> None:
        await self.send(
            "conversation.item.truncate",
            item_id=item_id,
            content_index=0,
            audio_end_ms=audio_end_ms,
        )

    def heard(self, item_id: str) -> bytes:
        return b"".join(
            base64.b64decode(event["delta"])
            for event in self.events
            if event["type"] == "response.output_audio.delta" and event["item_id"] == item_id
        )


@asynccontextmanager
async def adapter(model: ScriptedModel, judge: Any) -> AsyncIterator[Adapter]:
    headers = {"Authorization": "Bearer any"}
    async with connect(f"{model.url}?model=m", additional_headers=headers) as socket:
        one = Adapter(socket, judge)
        await one.send("session.update", session=TELEPHONE)
        yield one


async def test_a_script_is_followed_step_by_step(server_event: Any) -> None:
    script = [
        {"expect": {"type": "session.update", "where": {"session": {"type": "realtime"}}}},
        {"expect": "response.create"},
        {"say": {"item": "hello", "ms": 500, "byte": 7, "text": "Hello there."}},
        {"expect": {"type": "conversation.item.truncate", "where": {"item_id": "hello"}}},
    ]
    async with ScriptedModel(script, speed=50) as model, adapter(model, server_event) as line:
        await line.send("response.create")
        await line.next("response.done")
        assert line.heard("hello") == b"\x07" * 4000
        await line.truncate("hello", 250)
        await model.finished()
        await line.next("conversation.item.truncated")
        model.assert_met()
        assert model.truncations == [("hello", 250)]
        assert model.items["hello"].audio_ms == 250
        assert model.received.types() == [
            "session.update",
            "response.create",
            "conversation.item.truncate",
        ]


async def test_ids_and_dates_follow_from_what_is_given(server_event: Any) -> None:
    ids = []
    for _ in range(2):
        async with (
            ScriptedModel(entropy=Random(1), wall=lambda: 1000.0, session_seconds=60) as model,
            adapter(model, server_event) as line,
        ):
            created = await line.next("session.created")
            assert created["session"]["expires_at"] == 1060
            ids.append((created["event_id"], created["session"]["id"]))
    assert ids[0] == ids[1]


async def test_what_was_not_met_is_told_with_what_came_instead(server_event: Any) -> None:
    expected = {"type": "response.create", "where": {"response": {"instructions": "greet"}}}
    script = [
        {"expect": "session.update"},
        {"expect": {**expected, "within_seconds": 0.5}},
        {"wait_ms": 1},
        "drop",
    ]
    async with ScriptedModel(script) as model, adapter(model, server_event) as line:
        await line.send("response.cancel")
        await line.send("response.create", response={"instructions": "shout"})
        await model.finished()
        with pytest.raises(Unmet) as caught:
            model.assert_met()
    text = str(caught.value)
    assert "step 2, expect" in text
    assert (
        "came instead: response.cancel; response.create "
        "(response.instructions: expected 'greet', got 'shout')" in text
    )
    assert "not reached: step 3, wait_ms 1" in text
    assert "not reached: step 4, drop" in text
    assert "received: session.update, response.cancel, response.create" in text
    assert "refused: Cancellation failed: no active response found" in text


async def test_a_script_that_is_not_over_has_not_been_met() -> None:
    async with ScriptedModel([{"expect": "session.update"}]) as model:
        with pytest.raises(Unmet, match="not reached: step 1, expect"):
            model.assert_met()


async def test_the_model_speaks_at_the_rate_that_was_asked(server_event: Any) -> None:
    loop = asyncio.get_running_loop()
    say = {"item": "a", "ms": 3000, "rate": 5.0, "chunk_ms": 100}
    async with (
        ScriptedModel([{"expect": "response.create"}, {"say": say}], speed=4) as model,
        adapter(model, server_event) as line,
    ):
        begun = loop.time()
        await line.send("response.create")
        await line.next("response.done")
        # 0.1 s at once, and 2.9 s five times as fast as they play, time compressed by four.
        assert loop.time() - begun == pytest.approx(2.9 / 5 / 4)
        assert len(line.heard("a")) == 24000


async def test_the_caller_barges_in_while_the_model_generates(server_event: Any) -> None:
    script = [
        {"expect": "response.create"},
        {"say": {"item": "long", "ms": 10_000, "rate": 2, "wait": False}},
        {"wait_ms": 1000},
        {"speech_started": {}},
        {"expect": "conversation.item.truncate"},
        {"speech_stopped": {"text": "stop"}},
        {"say": {"item": "sorry", "ms": 200}},
    ]
    async with ScriptedModel(script, speed=10) as model, adapter(model, server_event) as line:
        await line.send("response.create")
        done = await line.next("response.done")
        assert done["response"]["status_details"]["reason"] == "turn_detected"
        generated_ms = len(line.heard("long")) // 8
        assert 100 <= generated_ms < 10_000
        await line.truncate("long", generated_ms)
        done = await line.next("response.done")
        assert done["response"]["output"][0]["id"] == "sorry"
        await model.finished()
        model.assert_met()
        assert model.items["long"].audio_ms == generated_ms
        assert model.refused == []


async def test_two_items_are_queued_in_one_response(server_event: Any) -> None:
    script = [
        {"expect": "session.update"},
        {"say": {"item": "one", "ms": 400, "rate": 4, "done": False, "wait": False}},
        {"say": {"item": "two", "ms": 400}},
    ]
    async with ScriptedModel(script, speed=10) as model, adapter(model, server_event) as line:
        done = await line.next("response.done")
        assert [item["id"] for item in done["response"]["output"]] == ["one", "two"]
        assert len(line.heard("one")) == len(line.heard("two")) == 3200
        await model.finished()
        model.assert_met()


async def test_a_step_for_a_session_that_is_closed_is_not_met(server_event: Any) -> None:
    async with ScriptedModel() as model:
        async with adapter(model, server_event) as line:
            await line.next("session.updated")
        with pytest.raises(Unmet, match="expected an open session"):
            await model.perform([{"say": {"ms": 10}}])


async def test_a_truncation_beyond_the_item_is_refused_and_kept_as_a_mistake(
    server_event: Any,
) -> None:
    async with ScriptedModel() as model, adapter(model, server_event) as line:
        model.on("response.create", [{"say": {"item": "a", "ms": 1000}}])
        await line.send("response.create")
        await line.next("response.done")
        await line.truncate("a", 1001)
        await line.next("error")
        assert model.truncations == []
        assert [one["message"] for one in model.refused] == [
            "Audio content of 1000ms is already shorter than 1001ms"
        ]
        await line.send("conversation.item.delete", item_id="a")
        await line.next("conversation.item.deleted")
        assert model.deletions == ["a"]
        assert list(model.items) == []


async def test_reactions_answer_by_what_was_asked(server_event: Any) -> None:
    async with ScriptedModel() as model, adapter(model, server_event) as line:
        model.on(
            "response.create",
            [{"say": {"item": "nobody", "ms": 100, "text": "Nobody is free."}}],
            where={"response": {"instructions": {"$contains": "nobody"}}},
        )
        model.on(
            "response.create",
            [
                {"say": {"item": "farewell", "ms": 100, "done": False}},
                {"call_tool": {"name": "transfer_to_human", "arguments": {"destination": "x"}}},
            ],
            times=1,
        )
        model.on("response.create", [{"say": {"item": "again", "ms": 100}}])
        outputs = []
        for instructions in ("greet", "say that nobody is free", "greet", "greet"):
            await line.send("response.create", response={"instructions": instructions})
            done = await line.next("response.done")
            outputs.append(done["response"]["output"])
        ids = [[item["id"] for item in output] for output in outputs]
        assert ids[0][0] == "farewell"
        assert outputs[0][1]["name"] == "transfer_to_human"
        assert outputs[0][1]["arguments"] == '{"destination": "x"}'
        assert ids[1:] == [["nobody"], ["again"], ["again_2"]]


async def test_an_out_of_band_response_is_answered_beside_the_running_one(
    server_event: Any,
) -> None:
    async with ScriptedModel(speed=10) as model, adapter(model, server_event) as line:
        model.on(
            "response.create",
            [{"say": {"item": "summary", "text": "He asks for a person.", "ms": 0}}],
            where={"response": {"conversation": "none"}},
        )
        model.on("response.create", [{"say": {"item": "talk", "ms": 60_000, "rate": 1}}])
        await line.send("response.create")
        await line.next("response.output_audio.delta")
        await line.send(
            "response.create",
            response={"conversation": "none", "output_modalities": ["text"]},
        )
        done = await line.next("response.done")
        assert done["response"]["conversation_id"] is None
        assert done["response"]["output"][0]["content"][0]["text"] == "He asks for a person."
        assert list(model.items) == ["talk"]


async def test_a_reaction_that_was_needed_and_never_came_is_told() -> None:
    async with ScriptedModel() as model:
        model.on("response.cancel", [], needed=True)
        with pytest.raises(Unmet, match=r"nothing answered to: response\.cancel"):
            model.assert_met()


async def test_a_reaction_to_what_was_refused_does_not_happen(server_event: Any) -> None:
    async with ScriptedModel() as model, adapter(model, server_event) as line:
        never = model.on("response.cancel", ["drop"])
        await line.send("response.cancel")
        await line.next("error")
        assert never.answered == 0


async def test_turns_of_the_caller_are_told_with_their_words(server_event: Any) -> None:
    session = {"type": "realtime", "audio": {"input": {"transcription": {"model": "whisper-1"}}}}
    async with ScriptedModel(speed=20) as model, adapter(model, server_event) as line:
        await line.send("session.update", session=session)
        await line.next("session.updated")
        await line.next("session.updated")
        await model.perform([{"hears": {"text": "Is anybody there?", "ms": 700}}])
        name = "conversation.item.input_audio_transcription.completed"
        assert (await line.next(name))["transcript"] == "Is anybody there?"
        kinds = [event["type"] for event in line.events]
        assert kinds.index("input_audio_buffer.speech_started") < kinds.index(
            "input_audio_buffer.speech_stopped"
        )
        assert "response.created" not in kinds
        await model.perform([{"hears": {"respond": True}}, {"finish": {"error": {"code": "x"}}}])
        done = await line.next("response.done")
        assert done["response"]["status_details"]["error"]["code"] == "x"


async def test_any_event_and_any_frame_can_be_sent(server_event: Any) -> None:
    async with ScriptedModel() as model, adapter(model, server_event) as line:
        await line.next("session.updated")
        await model.perform(
            [
                {"send": {"type": "conversation.item.deleted", "item_id": "old"}},
                {"error": {"code": "rate_limit_exceeded", "type": "server_error"}},
            ]
        )
        assert (await line.next("conversation.item.deleted"))["item_id"] == "old"
        assert (await line.next("error"))["error"]["type"] == "server_error"
        await model.perform([{"send_text": "{"}])
        with pytest.raises(ValueError):
            await line.next("error")


async def test_the_sound_of_the_caller_is_kept_and_waited_for(server_event: Any) -> None:
    script = [{"expect_audio_ms": 60}, {"send": {"type": "input_audio_buffer.cleared"}}]
    async with ScriptedModel(script) as model, adapter(model, server_event) as line:
        for byte in (1, 2, 3):
            audio = base64.b64encode(bytes([byte]) * 160).decode()
            await line.send("input_audio_buffer.append", audio=audio)
        await line.next("input_audio_buffer.cleared")
        assert bytes(model.caller_audio) == b"\x01" * 160 + b"\x02" * 160 + b"\x03" * 160
        assert model.caller_ms == 60
        assert "input_audio_buffer.append" not in model.received.types()
        assert len(model.received.of("input_audio_buffer.append")) == 3


@pytest.mark.parametrize("step, code", [("drop", 1006), ({"close": {"code": 1011}}, 1011)])
async def test_the_script_goes_on_with_the_next_session(
    server_event: Any, step: Any, code: int
) -> None:
    script = [
        {"expect": "session.update"},
        step,
        {"expect": "session.update"},
        {"say": {"item": "back", "ms": 100}},
    ]
    async with ScriptedModel(script) as model:
        async with adapter(model, server_event) as line:
            with pytest.raises(ConnectionClosed) as caught:
                await line.next("never")
            assert (caught.value.rcvd.code if caught.value.rcvd else 1006) == code
        async with adapter(model, server_event) as line:
            await line.next("response.done")
            await model.finished()
            model.assert_met()
            assert list(model.items) == ["back"]
            assert len(model.server.sessions) == 2


async def test_waiting_for_an_event_returns_it_or_says_what_came(server_event: Any) -> None:
    async with ScriptedModel() as model, adapter(model, server_event) as line:
        await line.send("response.cancel", event_id="mine")
        found = await model.until("response.cancel", where={"event_id": "mine"})
        assert found["event_id"] == "mine"
        with pytest.raises(Unmet, match=r"came instead: session\.update; response\.cancel"):
            await model.until("response.create", within_seconds=0.05)


async def test_steps_that_are_performed_by_hand_complain_at_once(server_event: Any) -> None:
    async with ScriptedModel() as model, adapter(model, server_event) as line:
        await line.next("session.updated")
        with pytest.raises(Unmet, match="came instead: nothing"):
            await model.perform([{"expect": {"type": "response.create", "within_seconds": 0.05}}])
        with pytest.raises(Unmet, match="expected a turn of the caller"):
            await model.perform([{"transcript": {"text": "x"}}])


async def test_a_delay_of_forty_ms_is_slower_in_real_time_only(server_event: Any) -> None:
    loop = asyncio.get_running_loop()
    async with ScriptedModel(network_ms=40, speed=2) as model, adapter(model, server_event) as line:
        await line.next("session.updated")
        begun = loop.time()
        await line.send("response.cancel")
        await line.next("error")
        assert loop.time() - begun == pytest.approx(2 * 0.040 / 2)
