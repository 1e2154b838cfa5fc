"""The other verbs: speech, keys, flow, conferences, queues."""

from __future__ import annotations

import struct
from typing import Any

import httpx
import pytest
from starlette.responses import Response

from hookflash_local.carrier import Human, Line, Script
from hookflash_local.carrier.media import sounds
from hookflash_local.carrier.queues import Queue

from .rest_parts import heard_for


def response(inner: str) -> str:
    return f"<Response>{inner}</Response>"


def wav(samples: list[int]) -> bytes:
    data = struct.pack(f"<{len(samples)}h", *samples)
    form = struct.pack("<HHIIHH", 1, 1, 8000, 16000, 2, 16)
    chunks = b"fmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


async def update(world: Any, sid: str, twiml: str) -> None:
    auth = (world.carrier.account_sid, world.carrier.auth_token)
    url = f"{world.carrier.api_url}/2010-04-01/Accounts/{auth[0]}/Calls/{sid}.json"
    async with httpx.AsyncClient(auth=auth, trust_env=False) as client:
        assert (await client.post(url, data={"Twiml": twiml})).status_code == 200


# --- speech ---------------------------------------------------------------------------------


async def test_say_is_heard_to_its_last_sample_and_then_the_next_verb_runs(world: Any) -> None:
    call = await world.call(response('<Say loop="2">one</Say><Pause length="1"/><Say>two</Say>'))
    await call.ended()
    one, two = sounds.voice_pattern("one"), sounds.voice_pattern("two")
    heard = call.recording().heard
    assert heard.count(one) == 2
    assert heard.index(two) - heard.rindex(one) - len(one) >= 8000
    assert [event.detail["text"] for event in call.timeline.find("say")] == ["one", "two"]


async def test_the_voice_can_be_another(worlds: Any) -> None:
    world = await worlds(speak=lambda text: text.encode() * 100)
    call = await world.call(response("<Say>abc</Say>"))
    await call.ended()
    assert b"abc" * 100 in call.recording().heard


async def test_play_fetches_a_wav_and_leaves_out_what_cannot_be_had(world: Any) -> None:
    tone = wav([8000, -8000] * 400)
    world.app.answers["/tone.wav"] = Response(tone, media_type="audio/wav")
    world.app.answers["/gone.wav"] = Response("", 404)
    call = await world.call(response("<Play>/gone.wav</Play><Play>/tone.wav</Play>"))
    await call.ended()
    assert sounds.read_wav(tone) in call.recording().heard
    assert world.carrier.alerts.codes() == [11200]


async def test_a_webhook_may_answer_with_sound(world: Any) -> None:
    tone = wav([8000, -8000] * 400)
    call = await world.call(lambda form: Response(tone, media_type="audio/wav"))
    await call.ended()
    assert sounds.read_wav(tone) in call.recording().heard


# --- keys -----------------------------------------------------------------------------------


async def test_gather_takes_keys_during_the_prompt_and_stops_it(world: Any) -> None:
    async def caller(line: Line) -> None:
        await line.wait_for_sound()
        await line.press("42")

    prompt = "a rather long prompt that nobody wants to hear to its end"
    call = await world.call(
        response(f'<Gather numDigits="2" action="/keys"><Say>{prompt}</Say></Gather>'), caller
    )
    await call.ended()
    assert world.app.forms("/keys")[0]["Digits"] == "42"
    assert sounds.voice_pattern(prompt) not in call.recording().heard


@pytest.mark.parametrize(
    ("attributes", "keys", "digits"),
    [
        ('timeout="1"', "12", "12"),
        ("", "7#", "7"),
        ('finishOnKey="*"', "7#*", "7#"),
        ('actionOnEmptyResult="true" timeout="1"', "", ""),
    ],
)
async def test_gather_ends_by_key_or_by_time(
    world: Any, attributes: str, keys: str, digits: str
) -> None:
    async def caller(line: Line) -> None:
        await line.press(keys)

    call = await world.call(response(f'<Gather action="/keys" {attributes}/>'), caller)
    await call.ended()
    assert world.app.forms("/keys")[0]["Digits"] == digits


SPEECH = '<Gather input="{}" action="/said" {}><Say>how may I help</Say></Gather>'


def says_after(seconds: float, text: str) -> Script:
    async def caller(line: Line) -> None:
        await line.pause(seconds)
        await line.say(text)

    return caller


@pytest.mark.parametrize("inputs", ["speech", "dtmf speech"])
async def test_gather_takes_speech_after_the_prompt(world: Any, inputs: str) -> None:
    text = response(SPEECH.format(inputs, 'speechTimeout="auto"'))
    call = await world.call(text, says_after(2.0, "my order is late"))
    await call.ended()
    (form,) = world.app.forms("/said")
    assert (form["SpeechResult"], form["Confidence"]) == ("my order is late", "1.0")
    assert "Digits" not in form
    (gathered,) = call.timeline.find("gathered")
    assert gathered.detail == {"digits": "", "speech": "my order is late"}
    began = call.timeline.find("party-says")[0].at
    said = began + len(sounds.voice_pattern("my order is late")) / 8000
    # One second of silence, and the pause that the stand-in voice makes after a word.
    assert 0.9 <= gathered.at - said <= 1.1


@pytest.mark.parametrize(("barge_in", "whole"), [("true", False), ("false", True)])
async def test_a_voice_stops_the_prompt_if_it_may(world: Any, barge_in: str, whole: bool) -> None:
    text = response(SPEECH.format("speech", f'bargeIn="{barge_in}" timeout="1"'))
    call = await world.call(text, says_after(0.1, "a human please right now"))
    await call.ended()
    assert (sounds.voice_pattern("how may I help") in call.recording().heard) is whole
    assert world.app.forms("/said")[0]["SpeechResult"] == "a human please right now"


async def test_gather_without_speech_in_its_input_hears_no_voice(world: Any) -> None:
    text = response(SPEECH.format("dtmf", 'timeout="2"'))
    call = await world.call(text, says_after(1.0, "hello"))
    await call.ended()
    assert world.app.forms("/said") == []
    assert call.timeline.find("gathered")[0].detail == {"digits": ""}


async def test_keys_do_not_count_where_only_speech_does(world: Any) -> None:
    async def caller(line: Line) -> None:
        await line.press("1#")

    call = await world.call(response(SPEECH.format("speech", 'timeout="1"')), caller)
    await call.ended()
    assert world.app.forms("/said") == []


async def test_a_transcriber_gets_what_was_said(worlds: Any) -> None:
    heard: list[bytes] = []

    def transcribe(sound: bytes) -> str:
        heard.append(sound)
        return "as heard"

    world = await worlds(transcribe=transcribe)
    text = response(SPEECH.format("speech", 'speechTimeout="1"'))
    call = await world.call(text, says_after(2.0, "words"))
    await call.ended()
    assert world.app.forms("/said")[0]["SpeechResult"] == "as heard"
    assert sounds.voice_pattern("words").rstrip(b"\xff") in heard[0]


async def test_gather_without_keys_goes_on_to_the_next_verb(world: Any) -> None:
    call = await world.call(response('<Gather timeout="1" action="/keys"/><Say>nothing</Say>'))
    await call.ended()
    assert world.app.forms("/keys") == []
    assert call.timeline.find("say")


async def test_gather_without_an_action_asks_its_own_document_again(world: Any) -> None:
    async def caller(line: Line) -> None:
        await line.press("1")

    documents = [response('<Gather numDigits="1"/>'), response("<Say>done</Say>")]
    call = await world.call(lambda form: documents.pop(0), caller)
    await call.ended()
    assert world.app.forms("/voice")[1]["Digits"] == "1"


# --- flow -----------------------------------------------------------------------------------


async def test_redirect_runs_another_document_and_nothing_after_it(world: Any) -> None:
    world.app.answers["/b"] = response("<Say>b</Say>")
    call = await world.call(response("<Redirect>/b</Redirect><Say>a</Say>"))
    await call.ended()
    assert [event.detail["text"] for event in call.timeline.find("say")] == ["b"]


@pytest.mark.parametrize(("reason", "status"), [("busy", "busy"), ("rejected", "no-answer")])
async def test_reject_refuses_without_answering(world: Any, reason: str, status: str) -> None:
    call = await world.call(response(f'<Reject reason="{reason}"/>'))
    await call.ended()
    assert call.status == status
    assert not await call.answered()
    assert call.recording().heard == b""


async def test_hangup_ends_before_what_follows(world: Any) -> None:
    call = await world.call(response("<Say>a</Say><Hangup/><Say>b</Say>"))
    await call.ended()
    assert len(call.timeline.find("say")) == 1
    assert call.timeline.find("ended")[0].detail == {"status": "completed", "by": "twiml"}


async def test_mistakes_in_twiml_are_noticed_and_the_rest_runs(world: Any) -> None:
    call = await world.call(
        response('<say>a</say><Say voize="x">b</Say><Pause length="x"/><Gather><Dial/></Gather>')
    )
    await call.ended()
    assert world.carrier.alerts.codes() == [12200] * 4
    assert [event.detail["text"] for event in call.timeline.find("say")] == ["b"]


# --- conference -----------------------------------------------------------------------------


def room(attributes: str = "", dial: str = 'action="/after"') -> str:
    return response(
        f'<Dial {dial}><Conference beep="false" {attributes}>room-1</Conference></Dial>'
    )


async def test_three_in_a_conference_hear_the_others_and_not_themselves(world: Any) -> None:
    def speaker(word: str) -> Any:
        async def script(line: Line) -> None:
            await line.leg.timeline.until("joined")
            await line.pause(3.0)
            await line.say(word)
            await line.pause(3.0)
            await line.hang_up()

        return script

    calls = []
    for number, word in enumerate(("alpha", "bravo", "charlie")):
        script = speaker(word)
        calls.append(await world.call(room(), script))
        await calls[-1].timeline.until("joined")
        assert number < 3
    for call in calls:
        await call.ended()
    for own, call in zip(("alpha", "bravo", "charlie"), calls, strict=True):
        heard = call.recording().heard
        assert sounds.voice_pattern(own) not in heard
    form = await world.app.form("/after")
    assert (form["DialCallStatus"], form["DialBridged"]) == ("answered", "true")
    assert "DialCallSid" not in form and "DialCallDuration" not in form


async def test_a_conference_waits_with_music_for_somebody_who_starts_it(world: Any) -> None:
    waiting = await world.call(room('startConferenceOnEnter="false"'))
    await waiting.timeline.until("joined")
    again = await world.call(room('startConferenceOnEnter="false"'))
    await again.timeline.until("joined")
    # A turn of the music takes two seconds: this holds the start of one wherever it begins.
    await heard_for(waiting, 3.0)
    assert sounds.hold_music()[:4000] in waiting.recording().heard

    async def moderator(line: Line) -> None:
        await line.wait_for("joined")
        await line.play(b"\x10" * 800)
        await line.hang_up()

    host = await world.call(room('endConferenceOnExit="true"'), moderator)
    for call in (host, waiting, again):
        await call.ended()
    assert b"\x10" * 800 in waiting.recording().heard
    assert b"\x10" * 800 in again.recording().heard
    await world.app.form("/after", 2)
    assert len(world.app.forms("/after")) == 3


async def test_only_the_first_members_callback_counts_and_tells_the_story(world: Any) -> None:
    told = f'statusCallback="{world.ORIGIN}/room" statusCallbackEvent="start end join leave"'
    other = told.replace("/room", "/ignored")
    first = await world.call(room(told))
    await first.timeline.until("joined")

    async def brief(line: Line) -> None:
        await line.wait_for("joined")
        await line.pause(0.5)
        await line.hang_up()

    second = await world.call(room(other + ' endConferenceOnExit="true"'), brief)
    await second.ended()
    await first.ended()
    await world.app.form("/room", 5)
    forms = sorted(world.app.forms("/room"), key=lambda form: int(form["SequenceNumber"]))
    assert [form["StatusCallbackEvent"] for form in forms] == [
        "participant-join",
        "participant-join",
        "conference-start",
        "participant-leave",
        "participant-leave",
        "conference-end",
    ]
    end = forms[-1]
    assert end["CallSidEndingConference"] == second.sid
    assert end["ReasonConferenceEnded"] == "participant-with-end-conference-on-exit-left"
    assert world.app.forms("/ignored") == []


async def test_a_member_moved_by_rest_leaves_the_room(world: Any) -> None:
    call = await world.call(room('waitUrl=""'))
    await call.timeline.until("joined")
    await update(world, call.sid, response("<Say>out</Say>"))
    await call.ended()
    assert call.timeline.find("left") and call.timeline.find("say")
    assert world.carrier.leftovers() == []


async def test_labels_are_unique_and_conferences_have_a_size(world: Any) -> None:
    first = await world.call(room('participantLabel="a"'))
    await first.timeline.until("joined")
    second = await world.call(room('participantLabel="a"'))
    await second.ended()
    one = await world.call(room('maxParticipants="2"'))
    await one.timeline.until("joined")
    two = await world.call(room('maxParticipants="2"'))
    await two.ended()
    assert world.carrier.alerts.codes() == [16025, 16020]


async def test_the_wait_document_is_played_once(world: Any) -> None:
    world.app.answers["/wait"] = response("<Say>please wait</Say>")
    call = await world.call(room('waitUrl="/wait"'))
    await call.timeline.until("say")
    await call.outbound_audio.frame(200)
    await world.carrier.line(call).hang_up()
    await call.ended()
    assert call.recording().heard.count(sounds.voice_pattern("please wait")) == 1


# --- queue ----------------------------------------------------------------------------------


async def test_a_human_takes_the_first_caller_from_a_queue(world: Any) -> None:
    async def anna(line: Line) -> None:
        await line.wait_for("bridged")
        await line.play(b"\x10" * 800)
        await line.hang_up()

    world.carrier.humans["client:anna"] = Human(0.5, anna)
    world.app.answers["/wait"] = response("<Say>all are busy</Say>")
    call = await world.call(response('<Enqueue waitUrl="/wait" action="/after">billing</Enqueue>'))
    await call.timeline.until("say")
    taken = await world.carrier.take_from_queue("billing", "client:anna")
    await call.ended()
    await taken.ended()
    form = world.app.forms("/after")[0]
    assert form["QueueResult"] == "bridged"
    assert form["QueueSid"].startswith("QU")
    assert b"\x10" * 800 in call.recording().heard
    assert world.app.forms("/wait")[0]["QueuePosition"] == "1"
    assert not world.carrier.alerts


async def test_a_task_waits_in_its_workflow_with_its_attributes(world: Any) -> None:
    workflow = "WW" + "0" * 32
    call = await world.call(
        response(
            f'<Enqueue workflowSid="{workflow}" action="/after">'
            '<Task priority="2">{"topic":"billing"}</Task></Enqueue>'
        )
    )
    event = await call.timeline.until("queued")
    assert event.detail == {"queue": workflow, "task": '{"topic":"billing"}'}
    world.carrier.humans[world.ANNA] = Human(0.5)
    taken = await world.carrier.take_from_queue(workflow, world.ANNA)
    await call.timeline.until("bridged")
    await world.carrier.line(call).hang_up()
    await taken.ended()
    assert (await world.app.form("/after"))["QueueResult"] == "bridged"


async def test_leaving_moving_and_hanging_up_end_the_waiting(world: Any) -> None:
    world.app.answers["/leave"] = response("<Leave/>")
    left = await world.call(response('<Enqueue waitUrl="/leave" action="/after">q</Enqueue>'))
    await left.ended()
    moved = await world.call(response('<Enqueue action="/after">q</Enqueue>'))
    await moved.timeline.until("queued")
    await update(world, moved.sid, response("<Hangup/>"))
    await world.app.form("/after", 1)
    gone = await world.call(response('<Enqueue action="/after">q</Enqueue>'))
    await gone.timeline.until("queued")
    await world.carrier.line(gone).hang_up()
    await world.app.form("/after", 2)
    results = [form["QueueResult"] for form in world.app.forms("/after")]
    assert results == ["leave", "redirected", "hangup"]


async def test_a_full_queue_turns_callers_away(world: Any) -> None:
    world.carrier.exchange.live.queues["q"] = Queue("q", "QU1", size=0)
    call = await world.call(response('<Enqueue action="/after">q</Enqueue>'))
    await call.ended()
    assert world.app.forms("/after")[0]["QueueResult"] == "queue-full"


async def test_a_waiting_document_that_fails_ends_the_waiting_in_error(world: Any) -> None:
    world.app.answers["/wait"] = Response("", 500)
    call = await world.call(response('<Enqueue waitUrl="/wait" action="/after">q</Enqueue>'))
    await call.ended()
    assert world.app.forms("/after")[0]["QueueResult"] == "error"
    assert world.carrier.alerts.codes() == [11200]


async def test_two_takers_get_two_callers_in_their_order(world: Any) -> None:
    world.carrier.humans[world.ANNA] = Human(0.1)
    callers = []
    for _ in range(2):
        callers.append(await world.call(response("<Enqueue>q</Enqueue>")))
        await callers[-1].timeline.until("queued")
    for caller in callers:
        taken = await world.carrier.take_from_queue("q", world.ANNA)
        bridged = await caller.timeline.until("bridged")
        assert bridged.detail == {"with_": taken.sid}
        await world.carrier.line(taken).hang_up()
        await caller.ended()


async def test_members_may_be_muted_and_hear_beeps(world: Any) -> None:
    silent = await world.call(room('muted="true"').replace('beep="false" ', ""))
    await silent.timeline.until("joined")

    async def listener(line: Line) -> None:
        await line.wait_for("joined")
        await world.carrier.line(silent).play(b"\x10" * 800)
        await line.hang_up()

    other = await world.call(room().replace('beep="false" ', ""), listener)
    await other.ended()
    await world.carrier.line(silent).hang_up()
    await silent.ended()
    assert b"\x10" * 800 in silent.recording().said
    assert b"\x10" * 80 not in other.recording().heard
    assert sounds.beep()[:800] in other.recording().heard
