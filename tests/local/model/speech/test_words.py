import pytest

from hookflash_local.model.speech.words import (
    Weights,
    content,
    figures,
    likeness,
    name_words,
    normalised,
    stem,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("four five seven one", ["4571"]),
        ("forty-five seventy-one", ["4571"]),
        ("4, 5, 7, 1", ["4571"]),
        ("double four oh one", ["4401"]),
        ("one two O five, treble-6", ["1205666"]),
        ("four thousand five hundred and two", ["4502"]),
        ("twenty thousand", ["20000"]),
        ("one double 409", ["14409"]),
        ("two thousand and five", ["2005"]),
        ("triple 7 two", ["7772"]),
        ("one hundred and five", ["105"]),
        ("three hundred", ["300"]),
        ("twenty twenty four", ["2024"]),
        ("The number is 4571. I have two of them.", ["4571", "2"]),
        ("1 0 0 0 1 90210 01803", ["100019021001803"]),
        ("oh I see", []),
        ("a double room", []),
        ("", []),
    ],
)
def test_numbers_are_read_however_they_are_said(text, expected):
    assert figures(text) == expected


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
    weights = Weights([["shop", "open"], ["shop", "street"], ["shop", "repair"]])
    assert weights.of("repair") > weights.of("shop")
    assert weights.coverage(["repair"], ["shop", "repair"]) == 1.0
    assert weights.coverage(["giraffe", "shop"], ["shop"]) < 0.5
    assert weights.coverage([], ["shop"]) == 0.0
