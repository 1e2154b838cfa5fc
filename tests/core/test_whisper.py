from __future__ import annotations

from typing import Any

import pytest

from hookflash.core import events as e
from hookflash.core import prompts
from hookflash.core.handoff.whisper import whisper
from hookflash.core.handoff_plan import HandoffPlan, Target

ANNA = Target.phone("+15550102")


def whispered(scene: Any, text: str | None, reason: str = "a refund", summary: str = "") -> str:
    plan = HandoffPlan(targets=(ANNA,), manner="warm", whisper=text)
    line = scene(plan, agent="shop").greet()
    line(e.HandoffRequested("billing", reason, summary))
    line.now += 1
    line.speaks("c1")
    line(e.CallerTranscribed("c1", "My {summary} is blue."))
    return whisper(line.call.handoff)


def test_the_owners_words_are_filled_in(scene: Any) -> None:
    text = "{agent}: {caller}, {reason}. {summary} For {destination}. {learned}"
    assert whispered(scene, text, summary="Order 12.") == (
        "shop: A caller whose number ends in 0 1 0 0, a refund. Order 12. For billing."
        " Since then they said: My {summary} is blue."
    )


def test_what_a_caller_says_is_never_taken_for_a_field(scene: Any) -> None:
    assert whispered(scene, "{reason}", reason="{caller}") == "{caller}"


def test_without_a_reason_there_is_one(scene: Any) -> None:
    assert "they want to talk to a person" in whispered(scene, None, reason="")


def test_a_reason_that_is_a_sentence_has_one_full_stop(scene: Any) -> None:
    text = whispered(scene, None, reason="I want to talk to support.")
    assert "I want to talk to support. Since" in text


@pytest.mark.parametrize("mark", ["?", "!"])
def test_a_question_as_a_reason_has_no_full_stop_behind_it(scene: Any, mark: str) -> None:
    text = whispered(
        scene, None, reason=f"Can I talk to a real person{mark}", summary="Ben calls.."
    )
    assert f"Can I talk to a real person{mark} Ben calls. Since" in text


def test_a_long_story_is_cut_behind_a_whole_word(scene: Any) -> None:
    text = whispered(scene, "{summary}", summary="word " * 400)
    assert len(text) <= 600 and text.endswith("word...")


@pytest.mark.parametrize(
    ("place", "average", "said"),
    [
        (1, 60, "You are next. Please hold the line."),
        (3, 100, "You are number 3 in the queue. The wait is about 5 minutes."),
        (2, 20, "You are number 2 in the queue. The wait is about 1 minute."),
        (2, 0, "You are number 2 in the queue."),
    ],
)
def test_a_place_in_the_queue_is_said_with_the_wait(place: int, average: int, said: str) -> None:
    assert prompts.position(place, average) == said


def test_the_key_out_of_a_queue_is_said_where_there_is_one() -> None:
    assert prompts.leave_queue("1") == " To go back to the assistant, press 1."
    assert prompts.leave_queue("") == ""
