"""Losses in the middle of a call: the model, the stream, the process. Nobody is dropped."""

from __future__ import annotations

import httpx
import pytest

from hookflash_local.carrier import Human, Line

from .conftest import DESK, PUBLIC, another_process, samples, shop
from .test_handoff import GREETING, HUMAN, asked_to, desk, greeted, say

AGAIN = 0x2A


async def test_a_model_that_breaks_is_replaced_by_one_that_knows_the_conversation(stage):
    async with stage() as s:
        s.model.on("response.create", [say("hi", 800, GREETING)], where=asked_to("just begun"))
        s.model.on("response.create", [say("again", 900, AGAIN)], where=asked_to("interrupted"))

        async def script(line: Line) -> None:
            await greeted(line)
            await s.model.perform(
                [
                    {"hears": {"text": "my bicycle is broken", "ms": 700, "respond": True}},
                    {"say": {"item": "hm", "ms": 200, "byte": 7, "done": False}},
                    {"wait_ms": 300},
                    "drop",
                ]
            )
            await s.model.until("response.create", where=asked_to("interrupted"))
            await greeted(line)
            await line.hang_up()

        call = await s.call(script)
        record = await s.record(call)
        assert samples(call.recording().heard, AGAIN) == 900 * 8
        remembered = [
            part["text"]
            for entry in s.model.items.values()
            if entry.item.get("role") == "user"
            for part in entry.item["content"]
            if "text" in part
        ]
        assert remembered == ["my bicycle is broken"]
        assert record.disposition == "handled_by_agent"


async def test_a_model_that_cannot_be_had_rings_the_human_of_last_resort(stage):
    async with stage() as s:
        s.model.faults.refuse_upgrade = 401
        s.carrier.humans[DESK] = Human(answer_after=1.0, script=desk)
        call = await s.call()
        record = await s.record(call)
        assert record.disposition == "handed_off"
        assert [attempt.source for attempt in record.handoffs] == ["failure"]
        assert samples(call.recording().heard, HUMAN) == 8000


async def test_without_a_model_and_without_a_human_the_caller_hears_a_sentence(stage):
    async with stage(shop(otherwise="hang-up")) as s:
        s.model.faults.session_format = "audio/pcm"
        s.carrier.humans[DESK] = Human.busy()
        call = await s.call()
        record = await s.record(call)
        assert [event.kind for event in call.timeline.find("say")] == ["say"]
        assert record.disposition == "failed"


async def test_a_stream_that_breaks_brings_the_caller_back_to_the_same_conversation(stage):
    async with stage() as s:
        s.model.on("response.create", [say("hi", 800, GREETING)], where=asked_to("just begun"))
        s.model.on("response.create", [say("again", 900, AGAIN)], where=asked_to("interrupted"))

        async def script(line: Line) -> None:
            await greeted(line)
            await s.model.perform([{"hears": {"text": "hello there", "ms": 500}}])
            line.leg.streams[-1].cut()
            await line.wait_for("stream-started", 2)
            await greeted(line)
            await line.hang_up()

        call = await s.call(script)
        record = await s.record(call)
        assert "/twilio/connect/1" in s.webhooks
        assert samples(call.recording().heard, AGAIN) == 900 * 8
        assert record.disposition == "handled_by_agent"
        assert [alert.code for alert in s.carrier.alerts.entries] == [31903]
        s.carrier.alerts.entries.clear()


async def test_another_process_goes_on_with_the_call_of_one_that_died(stage):
    async with stage() as s, another_process(s, shop()) as (line2, port):
        s.model.on("response.create", [say("hi", 800, GREETING)], where=asked_to("just begun"))
        s.model.on("response.create", [say("again", 900, AGAIN)], where=asked_to("interrupted"))

        async def script(line: Line) -> None:
            await greeted(line)
            await s.model.perform([{"hears": {"text": "my order is late", "ms": 500}}])
            # The first process dies: the road leads to the second from now on.
            assert s.line.journals.flush()
            s.carrier.tunnel[PUBLIC] = f"http://127.0.0.1:{port}"
            driver = s.line.switchboard.find(line.leg.sid)
            driver._stream.close()  # its sockets go with it
            await line.wait_for("stream-started", 2)
            await greeted(line)
            await line.hang_up()

        call = await s.call(script)
        await call.ended()
        await s.carrier.callbacks_sent()
        assert samples(call.recording().heard, AGAIN) == 900 * 8
        driver = line2.switchboard.find(call.sid)
        assert [line.text for line in driver.call.conversation.transcript.history()][:1] == [
            "my order is late"
        ]
        s.carrier.alerts.entries.clear()


async def test_a_server_that_stops_brings_its_callers_to_a_human(stage):
    async with stage() as s:
        s.model.on("response.create", [say("hi", 800, GREETING)], where=asked_to("just begun"))
        s.carrier.humans[DESK] = Human(answer_after=0.5, script=desk)

        async def script(line: Line) -> None:
            await greeted(line)
            await s.line.switchboard.drain(0.0)

        call = await s.call(script)
        record = await s.record(call)
        assert record.disposition == "handed_off"
        assert samples(call.recording().heard, HUMAN) == 8000


async def test_a_response_that_fails_is_asked_for_again(stage):
    async with stage() as s:
        s.model.faults.fail_response = "rate_limit_exceeded"

        async def script(line: Line) -> None:
            await s.model.until("response.create")
            s.model.on("response.create", [say("hi", 800, GREETING)])
            s.model.faults.fail_response = None
            await greeted(line)
            await line.hang_up()

        call = await s.call(script)
        await s.record(call)
        assert samples(call.recording().heard, GREETING) == 800 * 8


@pytest.mark.parametrize("marks_come_back", [True, False])
async def test_a_barge_in_is_heard_at_once_and_the_next_answer_plays(stage, marks_come_back):
    async with stage() as s:
        s.carrier.faults.returns_cleared_marks = marks_come_back
        s.model.on("response.create", [say("hi", 6000, GREETING)], where=asked_to("just begun"))

        async def script(line: Line) -> None:
            await line.wait_for_sound()
            await line.pause(1.0)
            await s.model.perform(
                [
                    {"hears": {"text": "stop", "ms": 600, "respond": True}},
                    say("next", 1000, AGAIN),
                ]
            )
            await line.wait_for_silence(0.8)
            await line.hang_up()

        call = await s.call(script)
        record = await s.record(call)
        heard_ms = samples(call.recording().heard, GREETING) / 8
        ((item, truncated_ms),) = s.model.truncations
        assert item == "hi"
        assert truncated_ms == heard_ms
        assert samples(call.recording().heard, AGAIN) == 1000 * 8
        assert record.barge_ins == 1


async def test_a_model_without_credit_is_told_with_the_call_and_the_remedy(stage, caplog):
    refused = {"finish": {"error": {"type": "insufficient_quota", "code": "insufficient_quota"}}}
    async with stage() as s:
        s.model.on("response.create", [refused], times=None)
        s.carrier.humans[DESK] = Human(answer_after=1.0, script=desk)
        call = await s.call()
        record = await s.record(call)
        assert record.disposition == "handed_off"
        counts = s.line.metrics.counts()
    told = [each.getMessage() for each in caplog.records if each.name == "hookflash.call.model"]
    (first, *others) = [text for text in told if "insufficient_quota" in text]
    assert first.startswith(f"{call.sid} ! a response of the model is failed: insufficient_quota;")
    assert "add credit" in first
    assert counts.responses_failed == {"insufficient_quota": len(others) + 1}
    assert [text for text in told if "is given up" in text]
    assert counts.model_sessions_lost == {"responses-failed": 1}


async def test_a_refused_webhook_and_a_lost_model_are_counted(stage, caplog):
    async with stage() as s:
        s.model.faults.refuse_upgrade = 401
        s.carrier.humans[DESK] = Human(answer_after=1.0, script=desk)
        call = await s.call()
        await s.record(call)
        async with httpx.AsyncClient(base_url=s.carrier.tunnel[PUBLIC]) as client:
            assert (await client.post("/twilio/voice")).status_code == 403
        counts = s.line.metrics.counts()
    assert counts.model_sessions_lost == {"lost": 1}
    assert counts.requests_refused == {"signature": 1}
    told = [each.getMessage() for each in caplog.records if each.levelname == "WARNING"]
    assert [text for text in told if call.sid in text and "check OPENAI_API_KEY" in text]
    assert [text for text in told if f"{PUBLIC}/twilio/voice" in text]
