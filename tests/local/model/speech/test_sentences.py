import pytest

from hookflash_local.model.speech.sentences import complete_sentences, opening, sentences


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello. How are you? Fine!", ["Hello.", "How are you?", "Fine!"]),
        ("Dr. Smith is here. So is Mrs. Jones.", ["Dr. Smith is here.", "So is Mrs. Jones."]),
        ("It costs 3.50 dollars. Yes.", ["It costs 3.50 dollars.", "Yes."]),
        ("We open at 9 a.m. on Monday.", ["We open at 9 a.m. on Monday."]),
        ("The number is 4571. I have it.", ["The number is 4571.", "I have it."]),
        ("We have 12. Do you want one?", ["We have 12.", "Do you want one?"]),
        ("1. Say hello.\n2. Say goodbye.", ["1. Say hello.", "2. Say goodbye."]),
        ('He said "yes." Then he left.', ['He said "yes."', "Then he left."]),
        ("Wait... what?", ["Wait...", "what?"]),
        ("no end", ["no end"]),
        ("", []),
        ("  \n ", []),
    ],
)
def test_a_text_is_split_at_the_ends_of_its_sentences(text, expected):
    assert sentences(text) == expected


def test_growing_text_gives_only_what_is_certainly_complete():
    assert complete_sentences("It costs 3.") == ([], "It costs 3.")
    assert complete_sentences("It costs 3.5 dollars. And") == (["It costs 3.5 dollars."], " And")


def test_a_long_sentence_is_begun_at_its_first_clause():
    long = "When the shop is closed, you can leave the bicycle in the yard behind the house."
    assert opening(long) == ["When the shop is closed,", long[25:]]
    assert opening("Yes, of course.") == ["Yes, of course."]
    assert opening("x" * 80) == ["x" * 80]
