"""Recordings and live listening, against what the carrier says that each party said and heard."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from hookflash import Agent
from hookflash.core.events import HandoffRequested
from hookflash.runtime.live_audio import FRAME_BYTES
from hookflash.runtime.recorder import repair_all
from hookflash.runtime.wav import HEADER_BYTES, header
from hookflash_local.carrier import Human, Leg, NumberConfig, StandinCarrier
from hookflash_local.carrier.parties import Line
from hookflash_local.model.scripted import ScriptedModel

from .conftest import CALLER as CALLER_NUMBER
from .conftest import DESK, PUBLIC, samples, shop
from .conftest import LINE as LINE_NUMBER
from .test_handoff import asked_to, say

CONSENT, GREETING, LONG, CALLER, EARLY, HUMAN = 0x12, 0x23, 0x34, 0x45, 0x56, 0x67
LINE = "This call is recorded."


def recorded_shop(consent: str | None = LINE, **plan) -> Agent:
    agent = shop(**plan)
    agent.record, agent.consent = True, consent
    return agent


def script_agent(s) -> None:
    s.model.on("response.create", [say("consent", 700, CONSENT)], where=asked_to("must hear this"))
    s.model.on("response.create", [say("greeting", 600, GREETING)], where=asked_to("just begun"))


@dataclass
class Kept:
    """A recording, as its file has it."""

    left: bytes
    right: bytes

    @classmethod
    def of(cls, path: Path) -> Kept:
        data = path.read_bytes()
        sound = data[HEADER_BYTES:]
        assert data[:HEADER_BYTES] == header(len(sound) // 2)
        return cls(sound[0::2], sound[1::2])


async def kept(s, call: Leg) -> Kept:
    assert s.line.recordings.flush()
    return Kept.of(s.folder / "recordings" / f"{call.sid}.wav")


def first(sound: bytes, byte: int) -> int:
    """Return where a recognisable sound begins."""
    found = re.search(re.escape(bytes([byte])) + b"{24,}", sound)
    assert found is not None, f"no {byte:#x}"
    return found.start()


def speaks_and_hangs_up(s):
    async def script(line: Line) -> None:
        await line.wait_for_sound()
        await line.play(bytes([EARLY]) * 1600)
        # The greeting follows at once.
        await line.wait_for_silence(0.5)
        await line.play(bytes([CALLER]) * 4000)
        await line.pause(0.4)
        await line.hang_up()

    return script


@pytest.mark.parametrize("network_ms", [0.0, 60.0])
async def test_a_recording_is_what_the_caller_said_and_heard_after_the_line(stage, network_ms):
    async with stage(recorded_shop(), network_ms=network_ms) as s:
        script_agent(s)
        call = await s.call(speaks_and_hangs_up(s))
        record = await s.record(call)
        wav = await kept(s, call)
        truth = call.recording()
        # The line itself, and what was said before it was heard, are nowhere.
        assert samples(truth.heard, CONSENT) == 700 * 8
        assert samples(truth.said, EARLY) == 1600
        assert samples(wav.right, CONSENT) == 0
        assert samples(wav.left, EARLY) == 0
        assert samples(wav.right, GREETING) == samples(truth.heard, GREETING) == 600 * 8
        assert samples(wav.left, CALLER) == samples(truth.said, CALLER) == 4000
        # Both lie side by side as they did at the caller's ear and mouth.
        theirs = first(truth.said, CALLER) - first(truth.heard, GREETING)
        ours = first(wav.left, CALLER) - first(wav.right, GREETING)
        assert ours == theirs
        # And where the record says.
        assert record.recorded_from is not None


async def test_words_that_were_cut_are_not_in_the_recording(stage):
    async with stage(recorded_shop(consent=None), network_ms=40.0) as s:
        s.model.on("response.create", [say("long", 6000, LONG)], where=asked_to("just begun"))

        async def script(line: Line) -> None:
            await line.wait_for_sound()
            await line.pause(1.0)
            await s.model.perform([{"hears": {"text": "wait", "ms": 400, "respond": False}}])
            await line.wait_for_silence(0.5)
            await line.play(bytes([CALLER]) * 1600)
            await line.hang_up()

        call = await s.call(script)
        record = await s.record(call)
        wav = await kept(s, call)
        truth = call.recording()
        heard = samples(truth.heard, LONG)
        # A second, the frame by which the caller knew, and 40 ms to the model and back.
        assert heard == 1100 * 8
        assert samples(wav.right, LONG) == heard
        assert record.barge_ins == 1
        theirs = first(truth.said, CALLER) - first(truth.heard, LONG)
        assert first(wav.left, CALLER) - first(wav.right, LONG) == theirs
        assert record.recorded_from == pytest.approx(0.04, abs=1e-6)


async def test_a_caller_who_hangs_up_in_the_middle_is_recorded_to_that_moment(stage):
    async with stage(recorded_shop(consent=None), network_ms=40.0) as s:
        s.model.on("response.create", [say("long", 4000, LONG)], where=asked_to("just begun"))

        async def script(line: Line) -> None:
            await line.wait_for_sound()
            await line.pause(0.7)
            await line.hang_up()

        call = await s.call(script)
        await s.record(call)
        wav = await kept(s, call)
        # The news of the last frame that was heard, and of those since then, was still on its way.
        missing = samples(call.recording().heard, LONG) - samples(wav.right, LONG)
        assert missing == 60 * 8
        assert len(wav.left) == len(wav.right)


async def test_a_recording_goes_on_when_the_caller_is_back_from_a_human(stage):
    async def desk(line: Line) -> None:
        await line.play(bytes([HUMAN]) * 4000)
        await line.pause(0.5)
        await line.hang_up()

    agent = recorded_shop(afterwards="return")
    async with stage(agent) as s:
        script_agent(s)
        s.model.on("response.create", [say("bye", 500, LONG)], where=asked_to("connected to"))
        s.model.on("response.create", [say("back", 500, EARLY)], where=asked_to("back"))
        s.carrier.humans[DESK] = Human(answer_after=0.5, script=desk)

        async def script(line: Line) -> None:
            await line.wait_for_sound()
            await line.wait_for_silence(0.8)
            s.line.switchboard.find(line.leg.sid).post(HandoffRequested("desk", "a person"))
            await line.wait_for("stream-started", 2)
            await line.wait_for_sound()
            await line.wait_for_silence(0.8)
            await line.hang_up()

        call = await s.call(script)
        record = await s.record(call)
        assert record.disposition == "handed_off"
        wav = await kept(s, call)
        truth = call.recording()
        assert samples(wav.right, HUMAN) == 0, "we do not hear what humans say"
        for sound in (GREETING, LONG, EARLY):
            there = samples(truth.heard, sound)
            assert samples(wav.right, sound) == there > 0
        # The human's part is silence, so that what comes after it is where it was.
        apart = first(truth.heard, EARLY) - first(truth.heard, GREETING)
        assert first(wav.right, EARLY) - first(wav.right, GREETING) == apart


async def test_a_caller_who_says_no_leaves_no_recording(stage):
    async with stage(recorded_shop()) as s:
        script_agent(s)

        async def script(line: Line) -> None:
            await line.wait_for_sound()
            await line.wait_for_silence(0.8)
            await s.model.perform(
                [
                    {"hears": {"text": "please do not record me", "ms": 500, "respond": True}},
                    {"call_tool": {"name": "stop_recording", "arguments": {}}},
                ]
            )
            await line.pause(2.0)
            await line.hang_up()

        call = await s.call(script)
        record = await s.record(call)
        assert s.line.recordings.flush()
        assert list((s.folder / "recordings").iterdir()) == []
        assert record.recorded_from is None


async def test_who_listens_hears_what_is_recorded(stage):
    heard: list[bytes] = []

    async def listen(listener) -> None:
        async with contextlib.aclosing(listener.frames()) as frames:
            async for frame in frames:
                assert len(frame) == FRAME_BYTES
                heard.append(frame)

    async with stage(recorded_shop(consent=None)) as s:
        s.model.on(
            "response.create", [say("greeting", 600, GREETING)], where=asked_to("just begun")
        )
        tasks = []

        async def script(line: Line) -> None:
            first, slow = (s.line.listening.listen(line.leg.sid) for _ in range(2))
            tasks.append((asyncio.create_task(listen(first)), slow))
            await line.wait_for_sound()
            await line.wait_for_silence(0.5)
            await line.play(bytes([CALLER]) * 4000)
            await line.pause(0.5)
            await line.hang_up()

        call = await s.call(script)
        await s.record(call)
        ((listening, slow),) = tasks
        await listening
        sound = b"".join(heard)
        assert samples(sound[1::2], GREETING) == 600 * 8
        assert samples(sound[0::2], CALLER) == 4000
        wav = await kept(s, call)
        apart = first(wav.left, CALLER) - first(wav.right, GREETING)
        assert first(sound[0::2], CALLER) - first(sound[1::2], GREETING) == apart
        assert s.line.listening.listen(call.sid) is None, "the call is over"
        assert s.line.listening.listen("CAnobody") is None
        assert [frame async for frame in slow.frames()] == heard, "five seconds are kept for it"
        assert s.line.switchboard.find(call.sid).audio_capture is None


AGENT = """
from hookflash import Agent

shop = Agent("shop", instructions="We sell bicycles.", greeting="Hello.", record=True, consent=None)
"""


@pytest.mark.realtime
async def test_a_killed_process_leaves_a_recording_that_can_be_heard(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(AGENT)
    async with ScriptedModel() as model, StandinCarrier() as carrier:
        model.on("response.create", [say("long", 6000, LONG)], where=asked_to("just begun"))
        program = [sys.executable, "-m", "hookflash", "serve", "shop.py:shop", "--port", "0"]
        environ = os.environ | {
            "HOOKFLASH_PUBLIC_URL": PUBLIC,
            "OPENAI_API_KEY": "any",
            "TWILIO_ACCOUNT_SID": carrier.account_sid,
            "TWILIO_AUTH_TOKEN": carrier.auth_token,
            "HOOKFLASH_TWILIO_API_URL": carrier.api_url,
            "HOOKFLASH_MODEL_URL": model.url,
            "HOOKFLASH_DATA_DIR": str(tmp_path),
        }
        process = await asyncio.create_subprocess_exec(
            *program, cwd=tmp_path, env=environ, stderr=asyncio.subprocess.PIPE
        )
        assert process.stderr is not None
        while (line := (await process.stderr.readline()).decode()) and "port" not in line:
            pass
        carrier.tunnel[PUBLIC] = f"http://127.0.0.1:{line.split()[-1]}"
        carrier.numbers[LINE_NUMBER] = NumberConfig(f"{PUBLIC}/twilio/voice")

        async def script(line: Line) -> None:
            await line.wait_for_sound()
            await line.pause(3.5)
            process.kill()
            await process.wait()
            await line.hang_up()

        try:
            call = await carrier.place_call(from_=CALLER_NUMBER, to=LINE_NUMBER, script=script)
            await call.ended()
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()
        wav = Kept.of(tmp_path / "recordings" / f"{call.sid}.wav")
        assert samples(wav.right, LONG) > 8000
        assert repair_all(tmp_path / "recordings", time.time()) == 0


async def test_a_record_says_what_its_call_was_about(stage):
    async with stage() as s:
        script_agent(s)

        async def script(line: Line) -> None:
            await line.wait_for_sound()
            await line.wait_for_silence(0.8)
            words = "My bicycle bell is broken."
            await s.model.perform([{"hears": {"text": words, "ms": 600, "respond": True}}])
            await line.pause(1.0)
            await line.hang_up()

        call = await s.call(script)
        record = await s.record(call)
        assert record.summary == 'The caller said: "My bicycle bell is broken".'
        assert record.recorded_from is None
        assert list((s.folder / "recordings").iterdir()) == []
