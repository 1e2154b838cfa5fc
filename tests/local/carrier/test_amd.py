"""Machine detection: by what is heard, at once or in the end, before the TwiML or beside it."""

from __future__ import annotations

from typing import Any

import pytest

from hookflash_local.carrier import Human
from hookflash_local.carrier.legs.amd import Detection, MachineDetector, detection
from hookflash_local.carrier.media import sounds
from hookflash_local.carrier.media.playout import SILENCE

from .rest_parts import HOLD, create

WORD = sounds.voice_pattern("hello")
SENTENCE = sounds.voice_pattern("hello you have reached the office please leave a message")


def judged(wanted: Detection, sound: bytes) -> tuple[str | None, float]:
    """Let a listener hear `sound` and then silence; the result, and after how many seconds."""
    listener = MachineDetector(wanted)
    whole = sound + SILENCE * 8000 * 40
    for number in range(len(whole) // 160):
        result = listener.hear(whole[number * 160 : (number + 1) * 160])
        if result:
            return result, (number + 1) * 0.02
    return None, 0.0


END = Detection(to_the_end=True)


@pytest.mark.parametrize(
    ("wanted", "sound", "result", "after"),
    [
        (Detection(), WORD, "human", len(WORD) / 8000 + 1.2),
        (Detection(), b"", "unknown", 5.0),
        (Detection(), SENTENCE, "machine_start", 2.4),
        (Detection(), WORD + sounds.beep(), "machine_start", len(WORD) / 8000 + 0.2),
        (Detection(), sounds.fax_tone(), "fax", 0.5),
        (END, WORD, "human", len(WORD) / 8000 + 1.2),
        (END, SENTENCE + sounds.beep(), "machine_end_beep", len(SENTENCE) / 8000 + 0.2),
        (END, SENTENCE, "machine_end_silence", len(SENTENCE) / 8000 + 1.2),
        (Detection(to_the_end=True, timeout=6.0), SENTENCE * 5, "machine_end_other", 6.0),
        (Detection(timeout=3.0), b"", "unknown", 3.0),
        (Detection(speech=6.0), SENTENCE, "human", len(SENTENCE) / 8000 + 1.2),
    ],
)
def test_the_result_follows_from_what_is_heard(
    wanted: Detection, sound: bytes, result: str, after: float
) -> None:
    said, seconds = judged(wanted, sound)
    assert said == result
    assert seconds == pytest.approx(after, abs=0.1)


def test_every_word_of_the_stand_in_voice_is_speech_and_no_tone() -> None:
    words = "a i we they hello goodbye billing department unfortunately seven hundred".split()
    for word in words:
        assert judged(Detection(), sounds.voice_pattern(word))[0] == "human"


def test_the_thresholds_are_read_by_their_rest_names() -> None:
    fields = {
        "MachineDetection": "DetectMessageEnd",
        "MachineDetectionTimeout": "10",
        "MachineDetectionSpeechThreshold": "3000",
        "MachineDetectionSpeechEndThreshold": "800",
        "MachineDetectionSilenceTimeout": "4000",
    }
    wanted = detection(fields, asynchronous=True, callback=None)
    assert wanted == Detection(True, 10.0, 3.0, 0.8, 4.0, True, None)
    assert detection({}, asynchronous=False, callback=None) is None


async def test_a_machine_is_known_before_the_twiml_is_asked(world: Any) -> None:
    world.carrier.humans[world.ANNA] = Human.mailbox(answer_after=0.5)
    world.app.answers["/human"] = HOLD
    more = {"Url": f"{world.ORIGIN}/human", "MachineDetection": "Enable", "Twiml": ""}
    call = await create(world, **more)
    form = await world.app.form("/human")
    assert form["AnsweredBy"] == "machine_start"
    found = call.timeline.find("detected")[0]
    answered = call.timeline.find("answered")[0]
    assert found.detail["milliseconds"] / 1000 == pytest.approx(found.at - answered.at, abs=0.021)
    assert found.at - answered.at > 2.0
    assert not call.timeline.find("answer"), "no document before the result"
    await world.carrier.line(call).hang_up()
    await call.ended()


async def test_a_person_waits_in_silence_until_they_are_known_to_be_one(world: Any) -> None:
    world.carrier.humans[world.ANNA] = Human.ignores(0.5)
    call = await create(world, MachineDetection="Enable")
    await call.timeline.until("say")
    assert call.about.answered_by == "human"
    said = call.timeline.find("say")[0].at - call.timeline.find("answered")[0].at
    assert said > len(WORD) / 8000 + 1.1
    heard = call.recording().heard[: int((said - 0.2) * 8000)]
    assert heard.strip(b"\xff") == b""
    await world.carrier.line(call).hang_up()
    await call.ended()


async def test_asynchronous_detection_reports_while_the_call_goes_on(world: Any) -> None:
    world.carrier.humans[world.ANNA] = Human.mailbox(answer_after=0.5)
    call = await create(
        world,
        MachineDetection="DetectMessageEnd",
        AsyncAmd="true",
        AsyncAmdStatusCallback=f"{world.ORIGIN}/amd",
    )
    form = await world.app.form("/amd")
    assert form["AnsweredBy"] == "machine_end_beep"
    assert form["CallSid"] == call.sid
    assert 2000 < int(form["MachineDetectionDuration"]) < 4000
    found, said = call.timeline.find("detected")[0], call.timeline.find("say")[0]
    assert said.at < found.at, "the document did not wait"
    await world.carrier.line(call).hang_up()
    await call.ended()


async def test_who_hangs_up_first_is_never_reported(world: Any) -> None:
    world.carrier.humans[world.ANNA] = Human.hangs_up(0.5, after_seconds=0.5)
    call = await create(world, MachineDetection="Enable", Url=f"{world.ORIGIN}/human", Twiml="")
    await call.ended()
    assert call.status == "completed"
    assert world.app.forms("/human") == []
    assert call.about.answered_by == ""


async def test_a_call_moved_during_the_detection_runs_only_the_new_document(world: Any) -> None:
    world.carrier.humans[world.ANNA] = Human(0.5)
    call = await create(world, MachineDetection="Enable", Url=f"{world.ORIGIN}/human", Twiml="")
    await call.answered()
    form = {"Twiml": "<Response><Pause length='8'/><Say>moved</Say></Response>"}
    await create(world, call.sid, **form)
    await call.ended()
    assert world.app.forms("/human") == []
    assert [event.detail["text"] for event in call.timeline.find("say")] == ["moved"]


async def test_a_dialled_number_is_judged_beside_the_call(world: Any) -> None:
    world.carrier.humans[world.ANNA] = Human.mailbox(0.5)
    inner = (
        f'<Number machineDetection="DetectMessageEnd" amdStatusCallback="/amd">{world.ANNA}'
        "</Number>"
    )
    call = await world.call(f"<Response><Dial>{inner}</Dial></Response>")
    form = await world.app.form("/amd")
    assert (form["CallSid"], form["AnsweredBy"]) == (call.children[0].sid, "machine_end_beep")
    assert call.timeline.find("bridged")
    await world.carrier.line(call).hang_up()
    await call.ended()
    assert not world.carrier.alerts
