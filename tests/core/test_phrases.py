"""The sentences of the carrier's voice: complete in each language, or an owner's own."""

from __future__ import annotations

import re
from typing import Any

import pytest

from hookflash.core import prompts
from hookflash.core.caller_number import spoken_caller
from hookflash.core.handoff_plan import Destination, HandoffPlan, Target
from hookflash.core.phrases import (
    ENGLISH,
    LANGUAGE_NAMES,
    PHRASES,
    Phrases,
    filled,
    phrases_of,
    spoken_digits,
)
from hookflash.errors import ConfigError

NAMES = Phrases.__struct_fields__


def fields(text: str) -> set[str]:
    return set(re.findall(r"{(\w+)}", text))


@pytest.mark.parametrize("language", sorted(PHRASES))
def test_a_language_has_every_phrase_with_the_same_fields(language: str) -> None:
    phrases = PHRASES[language]
    for name in NAMES:
        text = getattr(phrases, name)
        assert text.strip() == text != ""
        assert fields(text) == fields(getattr(ENGLISH, name)), name
        if language != "en":
            assert text != getattr(ENGLISH, name), name


def test_the_languages_are_these() -> None:
    assert set(PHRASES) == set(LANGUAGE_NAMES) == {"en", "de", "fr", "es", "it", "pt", "nl"}


def test_an_owners_phrase_takes_the_place_of_the_languages() -> None:
    mine = phrases_of("de", Phrases(on_hold="Bitte warten Sie.", queue_position="Platz {number}."))
    assert mine.on_hold == "Bitte warten Sie."
    assert prompts.position(3, 0, mine) == "Platz 3."
    assert mine.taken == PHRASES["de"].taken


def test_a_language_without_a_set_has_the_english_one() -> None:
    assert phrases_of("pl") is phrases_of(None) is ENGLISH


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"on_hold": 1}, "Phrases: on_hold must be a text; got 1"),
        ({"on_hold": "Wait, {name}."}, "on_hold has {name}, which nothing fills in; it knows no"),
        ({"leave_queue": "{kee}"}, "leave_queue has {kee}, which nothing fills in; it knows key"),
        ({"whisper": "{summary} {when}"}, "whisper has {when}, which nothing fills in; it knows"),
    ],
)
def test_a_phrase_with_an_unknown_field_is_refused(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError) as raised:
        Phrases(**wrong)
    assert says in str(raised.value)


def test_a_whisper_may_name_the_agent() -> None:
    assert Phrases(whisper="{agent}: {reason}").whisper == "{agent}: {reason}"


@pytest.mark.parametrize(
    ("language", "spoken"),
    [
        (None, "0 1 4 2"),
        ("en", "0 1 4 2"),
        ("de", "0 1 4 2"),
        ("it", "0 1 4 2"),
        ("pt", "0 1 4 2"),
        ("fr", "0 1 42"),
        ("es", "0 1 42"),
        ("nl", "0 1 42"),
    ],
)
def test_a_number_is_said_as_the_language_says_it(language: str | None, spoken: str) -> None:
    assert spoken_digits("0142", language) == spoken


def test_an_odd_number_of_digits_is_said_one_by_one() -> None:
    assert spoken_digits("142", "fr") == "1 4 2"


def test_a_caller_is_named_in_the_language() -> None:
    french = PHRASES["fr"]
    named = spoken_caller("+15550105678", french, "fr")
    assert named == "Une personne dont le numéro se termine par 56 78"
    assert spoken_caller("anonymous", PHRASES["de"], "de") == "Jemand"


def test_fields_are_filled_in_one_pass() -> None:
    assert filled("{a} and {b}", a="{b}", b="1") == "{b} and 1"


@pytest.mark.parametrize(
    ("number", "average", "said"),
    [
        (1, 60, "Sie sind als Nächstes an der Reihe. Bitte bleiben Sie in der Leitung."),
        (
            2,
            30,
            "Sie sind in der Warteschlange an Position 2. Die Wartezeit beträgt etwa eine Minute.",
        ),
        (
            3,
            60,
            "Sie sind in der Warteschlange an Position 3. Die Wartezeit beträgt etwa 3 Minuten.",
        ),
        (3, 0, "Sie sind in der Warteschlange an Position 3."),
    ],
)
def test_a_place_in_a_queue_is_told_in_german(number: int, average: int, said: str) -> None:
    assert prompts.position(number, average, PHRASES["de"]) == said


# --- what the model is asked to say ---------------------------------------------------------------

DESK = Destination(key="desk", when="", plan=HandoffPlan(targets=(Target.phone("+15550102"),)))


@pytest.mark.parametrize(
    "text",
    [
        prompts.CUT_OFF,
        prompts.GOODBYE,
        prompts.TIME_OVER,
        prompts.STILL_THERE_AGAIN,
        prompts.KEEP_COMPANY,
        prompts.SAY_CANCELLED,
        prompts.CONSULT_CONNECT,
        prompts.greeting(""),
        prompts.farewell(DESK),
        prompts.closing(DESK),
        prompts.still_ringing(DESK),
        prompts.voicemail(DESK, "busy"),
        prompts.say_closed(DESK, "tomorrow", False),
        prompts.came_back(DESK, "busy")[1],
        prompts.after_human(DESK)[1],
        prompts.fetched_from_queue(DESK)[1],
        prompts.almost_over(60)[1],
        prompts.briefing('Ein Anruf: "Guten Tag".'),
        prompts.ask_for_digits(4, "#"),
    ],
)
def test_in_another_language_the_model_is_shown_no_english_sentence(text: str) -> None:
    german = prompts.in_language(text, "de")
    assert "for example" not in german
    assert '"' not in german
    assert ", in German." in german
    assert prompts.in_language(text, "en") == prompts.in_language(text, None) == text


def test_what_is_said_word_for_word_stays() -> None:
    for text in (prompts.greeting("Guten Tag."), prompts.sorry("Leider nein."), prompts.SAY_DO):
        assert prompts.in_language(text, "de") == text


def test_a_language_without_a_name_is_the_callers() -> None:
    assert ", in their language." in prompts.in_language(prompts.GOODBYE, "pl")
