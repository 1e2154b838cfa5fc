"""Whole sessions over a socket, with components that need no speech."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect

from hookflash_local.model.local_model import local_model, transcript_pieces
from hookflash_local.model.timing import Pace

PCMU = {"type": "audio/pcmu"}


class Phone:
    """A client: sends events, keeps what comes."""

    def __init__(self, socket: ClientConnection, server_event: Any) -> None:
        self._socket = socket
        self._judge = server_event
        self.events: list[dict[str, Any]] = []

    async def send(self, kind: str, **fields: Any) -> None:
        await self._socket.send(json.dumps({"type": kind, **fields}))

    async def hear(self, byte: int, ms: int) -> None:
        audio = base64.b64encode(bytes([byte]) * ms * 8).decode()
        await self.send("input_audio_buffer.append", audio=audio)

    async def says(self, *words: int) -> None:
        for word in words:
            await self.hear(word, 100)
        await self.hear(0xFF, 300)

    async def next(self, *kinds: str) -> dict[str, Any]:
        """Wait for the next event of one of these types."""
        while True:
            event: dict[str, Any] = self._judge(json.loads(await self._socket.recv()))
            self.events.append(event)
            if event["type"] in kinds:
                return event

    async def configured(self, **session: Any) -> None:
        audio = session.pop("audio", {})
        audio = {
            "input": {"format": PCMU, **audio.get("input", {})},
            "output": {"format": PCMU, **audio.get("output", {})},
        }
        await self.send("session.update", session={"type": "realtime", "audio": audio, **session})
        await self.next("session.updated")

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["type"] == kind]

    def heard(self) -> bytes:
        deltas = self.of("response.output_audio.delta")
        return b"".join(base64.b64decode(event["delta"]) for event in deltas)


@asynccontextmanager
async def phone(url: str, server_event: Any) -> AsyncIterator[Phone]:
    headers = {"Authorization": "Bearer any"}
    async with connect(f"{url}?model=m", additional_headers=headers) as socket:
        yield Phone(socket, server_event)


async def test_a_spoken_turn_is_answered_in_speech(components: Any, server_event: Any) -> None:
    async with local_model(components) as model, phone(model.url, server_event) as line:
        await line.configured(audio={"input": {"transcription": {"model": "whisper-1"}}})
        await line.says(7, 9)
        done = await line.next("response.done")
        assert line.events[0]["type"] == "session.created"
        (completed,) = line.of("conversation.item.input_audio_transcription.completed")
        assert completed["transcript"] == "w7 w9"
        assert line.heard() == b"\x07" * 1600 + b"\x09" * 1600
        said = done["response"]["output"][0]["content"][0]
        assert said == {"type": "output_audio", "transcript": "w7 w9"}
        started = line.of("input_audio_buffer.speech_started")[0]
        stopped = line.of("input_audio_buffer.speech_stopped")[0]
        assert (started["audio_start_ms"], stopped["audio_end_ms"]) == (0, 400)


async def test_transcript_and_sound_are_interleaved(components: Any, server_event: Any) -> None:
    async with local_model(components) as model, phone(model.url, server_event) as line:
        await line.configured()
        await line.send("response.create", response={"instructions": "one two three"})
        await line.next("response.done")
        deltas = [event["type"].split(".")[1] for event in line.events if "delta" in event]
        assert deltas == ["output_audio_transcript", "output_audio"] * 3 + ["output_audio"] * 3
        words = [one["delta"] for one in line.of("response.output_audio_transcript.delta")]
        assert words == ["one", " two", " three"]


async def test_ears_made_late_still_count_from_the_beginning(
    components: Any, server_event: Any
) -> None:
    async with local_model(components) as model, phone(model.url, server_event) as line:
        await line.configured(audio={"input": {"turn_detection": None}})
        await line.hear(0xFF, 1000)
        await line.configured(audio={"input": {"turn_detection": {"type": "semantic_vad"}}})
        await line.hear(0xFF, 50)
        await line.says(3)
        started = await line.next("input_audio_buffer.speech_started")
        assert started["audio_start_ms"] == 1050


async def test_without_turn_detection_the_client_commits_and_asks(
    components: Any, server_event: Any
) -> None:
    async with local_model(components) as model, phone(model.url, server_event) as line:
        await line.configured(audio={"input": {"turn_detection": None}})
        await line.says(5)
        await line.send("input_audio_buffer.commit")
        await line.send("response.create")
        done = await line.next("response.done")
        assert done["response"]["output"][0]["content"][0]["transcript"] == "w5"
        assert not line.of("input_audio_buffer.speech_started")
        assert not line.of("conversation.item.input_audio_transcription.completed")


async def test_a_turn_that_was_not_asked_to_be_answered_is_not(
    components: Any, server_event: Any
) -> None:
    vad = {"type": "server_vad", "create_response": False}
    async with local_model(components) as model, phone(model.url, server_event) as line:
        await line.configured(audio={"input": {"turn_detection": vad}})
        await line.says(5)
        await line.next("input_audio_buffer.committed")
        await line.send("response.create", response={"conversation": "none", "input": []})
        await line.next("response.done")
        assert len(line.of("response.created")) == 1


async def test_the_caller_interrupts_a_response_at_once(components: Any, server_event: Any) -> None:
    # At a tenth of real time the answer takes 10 s a word: only an interruption can end it here.
    async with (
        local_model(components, pace=Pace(factor=0.1)) as model,
        phone(model.url, server_event) as line,
    ):
        await line.configured()
        await line.send("response.create", response={"instructions": "one two three"})
        item_id = (await line.next("response.output_audio.delta"))["item_id"]
        await line.hear(4, 20)
        done = await line.next("response.done")
        assert done["response"]["status_details"]["reason"] == "turn_detected"
        await line.send(
            "conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=50
        )
        await line.next("conversation.item.truncated")
        await line.hear(0xFF, 300)
        await line.next("response.created")
        await line.next("response.output_audio.delta")
        heard = [turn.text for turn in components.dialogue_manager.asked[-1].conversation]
        assert heard[-1] == "w4"


async def test_for_cut_sentences_it_is_known_which_were_heard(
    components: Any, server_event: Any
) -> None:
    async with local_model(components) as model, phone(model.url, server_event) as line:
        await line.configured()
        told = "one two. three four five six. seven."
        await line.send("response.create", response={"instructions": told})
        item_id = (await line.next("response.output_audio.delta"))["item_id"]
        await line.next("response.done")
        await line.send(
            "conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=800
        )
        await line.send("response.create")
        await line.next("response.done")
        # A word takes 200 ms: the first sentence was heard, and half of the second.
        assert components.dialogue_manager.asked[-1].conversation[-1].text == "one two. three four"


async def test_the_client_cancels_a_response_at_once(components: Any, server_event: Any) -> None:
    async with (
        local_model(components, pace=Pace(factor=0.1)) as model,
        phone(model.url, server_event) as line,
    ):
        await line.configured()
        await line.send("response.create", response={"instructions": "one two three"})
        await line.next("response.output_audio.delta")
        await line.send("response.cancel")
        done = await line.next("response.done")
        assert done["response"]["status_details"]["reason"] == "client_cancelled"
        await line.send("response.create", response={"instructions": "four"})
        again = await line.next("response.created")
        assert again["response"]["id"] != done["response"]["id"]


async def test_deltas_come_at_the_pace_that_was_set(components: Any, server_event: Any) -> None:
    loop = asyncio.get_running_loop()
    async with (
        local_model(components, pace=Pace(factor=2, chunk_ms=50)) as model,
        phone(model.url, server_event) as line,
    ):
        await line.configured()
        await line.send("response.create", response={"instructions": "one two"})
        await line.next("response.output_audio.delta")
        begun = loop.time()
        await line.next("response.done")
        assert loop.time() - begun == pytest.approx(0.4 / 2)
        sizes = [base64.b64decode(one["delta"]) for one in line.of("response.output_audio.delta")]
        assert [len(one) for one in sizes] == [400] * 8


async def test_a_tool_is_called_after_its_sentence_and_answered(
    components: Any, server_event: Any
) -> None:
    async with local_model(components) as model, phone(model.url, server_event) as line:
        await line.configured()
        content = [{"type": "input_text", "text": "tool find_order"}]
        item = {"type": "message", "role": "user", "content": content}
        await line.send("conversation.item.create", item=item)
        await line.send("response.create")
        done = await line.next("response.done")
        spoken, call = done["response"]["output"]
        assert spoken["content"][0]["transcript"] == "one moment"
        assert (call["name"], call["arguments"]) == ("find_order", '{"reason":"asked"}')
        output = {"type": "function_call_output", "call_id": call["call_id"], "output": "found it"}
        await line.send("conversation.item.create", item=output)
        await line.send("response.create")
        done = await line.next("response.done")
        assert done["response"]["output"][0]["content"][0]["transcript"] == "found it"


async def test_a_written_response_makes_no_sound(components: Any, server_event: Any) -> None:
    async with local_model(components) as model, phone(model.url, server_event) as line:
        await line.configured(output_modalities=["text"])
        await line.send("response.create", response={"instructions": "just words"})
        done = await line.next("response.done")
        assert done["response"]["output"][0]["content"] == [
            {"type": "output_text", "text": "just words"}
        ]
        assert line.heard() == b""


async def test_a_response_stops_at_its_most_tokens(components: Any, server_event: Any) -> None:
    async with local_model(components) as model, phone(model.url, server_event) as line:
        await line.configured()
        asked = {"instructions": "one two three four", "max_output_tokens": 4}
        await line.send("response.create", response=asked)
        done = await line.next("response.done")
        assert done["response"]["status"] == "incomplete"
        assert done["response"]["status_details"]["reason"] == "max_output_tokens"
        assert len(line.heard()) < 3200


async def test_a_broken_mind_fails_the_response_and_not_the_session(
    components: Any, server_event: Any
) -> None:
    async with local_model(components) as model, phone(model.url, server_event) as line:
        await line.configured()
        content = [{"type": "input_text", "text": "break"}]
        item = {"type": "message", "role": "user", "content": content}
        await line.send("conversation.item.create", item=item)
        await line.send("response.create")
        done = await line.next("response.done")
        assert done["response"]["status"] == "failed"
        assert done["response"]["status_details"]["error"]["code"] == "server_error"
        await line.send("response.create", response={"instructions": "still here"})
        done = await line.next("response.done")
        assert done["response"]["status"] == "completed"


async def test_a_broken_transcriber_is_told_and_the_turn_goes_on(
    components: Any, server_event: Any
) -> None:
    class Broken:
        def transcribe(self, audio: bytes) -> str:
            raise RuntimeError("no turn detector")

    components.transcriber = Broken()
    async with local_model(components) as model, phone(model.url, server_event) as line:
        await line.configured(audio={"input": {"transcription": {"model": "gpt-transcribe"}}})
        await line.says(3)
        await line.next("conversation.item.input_audio_transcription.failed")
        done = await line.next("response.done")
        assert done["response"]["output"][0]["content"][0]["transcript"] == "hello"


@pytest.mark.realtime
async def test_a_slow_voice_does_not_hold_up_the_session(
    components: Any, server_event: Any
) -> None:
    release = asyncio.Event()
    loop = asyncio.get_running_loop()

    class Slow:
        def speak(self, text: str) -> Iterator[bytes]:
            asyncio.run_coroutine_threadsafe(release.wait(), loop).result(20)
            yield b"\x01" * 800

    components.voice = Slow()
    async with local_model(components) as model, phone(model.url, server_event) as line:
        await line.configured()
        await line.send("response.create", response={"instructions": "wait for it"})
        await line.next("response.content_part.added")
        await line.send("response.cancel")
        done = await line.next("response.done")
        assert done["response"]["status"] == "cancelled"
        release.set()


async def test_two_sessions_do_not_hear_each_other(components: Any, server_event: Any) -> None:
    async with (
        local_model(components) as model,
        phone(model.url, server_event) as one,
        phone(model.url, server_event) as two,
    ):
        await one.configured()
        await two.configured()
        await one.says(3)
        await two.says(4)
        await one.next("response.done")
        await two.next("response.done")
        assert set(one.heard()) == {3}
        assert set(two.heard()) == {4}
        assert not {e["event_id"] for e in one.events} & {e["event_id"] for e in two.events}


def test_a_transcript_is_cut_into_words_that_join_again() -> None:
    assert "".join(transcript_pieces("Hello there.", True)) == "Hello there."
    assert "".join(transcript_pieces("How are you?", False)) == " How are you?"
