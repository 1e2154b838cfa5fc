"""Sentences with and without a request for a human. `person_requests.txt` has both kinds."""

from __future__ import annotations

from pathlib import Path

import pytest

from hookflash_local.model.speech.intents import Intent, recognize_intent
from hookflash_local.model.speech.person_request import wants_person, without_any_human

LINES = Path(__file__).with_name("person_requests.txt").read_text().splitlines()
SENTENCES = [(line[2:], line[0] == "+") for line in LINES if line[0] in "+-"]


def test_there_are_at_least_a_hundred_sentences_of_each_kind():
    asking = sum(asks for _, asks in SENTENCES)
    assert min(asking, len(SENTENCES) - asking) >= 100


@pytest.mark.parametrize(("said", "asks"), SENTENCES)
def test_exactly_those_who_ask_for_a_human_are_recognised(said, asks):
    assert wants_person(said) == asks
    assert (recognize_intent(said) is Intent.PERSON) == asks


def test_what_is_left_without_words_for_any_human_is_what_the_caller_wants_them_for():
    left = without_any_human("I'd like to speak to somebody about my invoice, a real person.")
    assert left == "i'd like to to about my invoice a"
