import pytest

from hookflash_local.model.speech.word_matching import (
    TermWeights,
    content,
    likeness,
    name_words,
    normalised,
    stem,
)


@pytest.mark.parametrize(
    ("one", "other"),
    [("orders", "order"), ("opening", "opened"), ("deliveries", "delivery"), ("booked", "booking")],
)
def test_words_of_one_stem_are_the_same(one, other):
    assert stem(one) == stem(other)
    assert likeness(one, other) == 1.0


def test_synonyms_and_misheard_words_are_alike_and_others_are_not():
    assert likeness("bill", "invoice") > 0.8
    assert likeness("repare", "repair") > 0.6
    assert likeness("monday", "sunday") == 0.5
    assert likeness("parrot", "invoice") == 0.0
    assert likeness("cat", "car") == 0.0


def test_content_leaves_out_small_talk_and_numbers():
    assert content("Hello, I'd like to know where my order is, it's number four 5.") == [
        "where",
        "order",
        "number",
    ]


def test_names_of_programs_are_words_too():
    assert name_words("look_up_order") == ["look", "up", "order"]
    assert name_words("orderNumber") == ["order", "number"]
    assert name_words("zip-code") == ["zip", "code"]


def test_punctuation_and_curly_apostrophes_do_not_count():
    assert normalised("I\u2019d LIKE, please!") == "i'd like please"


def test_a_rare_word_weighs_more_than_a_common_one():
    weights = TermWeights([["shop", "open"], ["shop", "street"], ["shop", "repair"]])
    assert weights.of("repair") > weights.of("shop")
    assert weights.coverage(["repair"], ["shop", "repair"]) == 1.0
    assert weights.coverage(["giraffe", "shop"], ["shop"]) < 0.5
    assert weights.coverage([], ["shop"]) == 0.0
