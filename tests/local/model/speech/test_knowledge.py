import pytest

from hookflash_local.model.speech.knowledge import best_fact, business_name, read_facts
from hookflash_local.model.speech.word_matching import ENOUGH, TermWeights

INSTRUCTIONS = """\
You are the receptionist of Harbour Bikes, a bicycle shop. Be brief and friendly.
Never promise a date.

# Facts
- We are open Monday to Friday from nine to six, and on Saturday from ten to two. We are closed
  on Sunday.
- The shop is at 12 Harbour Street, next to the station.
- You can pay in cash. You can transfer calls.
Prices:
- New tyre: thirty dollars
- Inspection: forty dollars
Q: Do you rent bicycles?
A: Yes, for twenty dollars a day.
If asked about the weather, say that you only know about bicycles.
Rules:
- Parking is never to be mentioned.
"""


def answers():
    return [fact.answer for fact in read_facts(INSTRUCTIONS)]


def test_facts_are_read_and_orders_are_not():
    assert answers() == [
        "We are open Monday to Friday from nine to six, and on Saturday from ten to two.",
        "We are closed on Sunday.",
        "The shop is at 12 Harbour Street, next to the station.",
        "You can pay in cash.",
        "Prices: New tyre: thirty dollars.",
        "Prices: Inspection: forty dollars.",
        "Yes, for twenty dollars a day.",
        "I only know about bicycles.",
    ]


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("what time do you close on friday", "We are open Monday to Friday"),
        ("Are you open on Sunday?", "We are closed on Sunday."),
        ("Where are you located?", "The shop is at 12"),
        ("how much is a new tire", "Prices: New tyre"),
        ("what's the price of an inspection", "Prices: Inspection"),
        ("can i rent a bike", "Yes, for twenty"),
        ("what's the weather like", "I only know about bicycles."),
    ],
)
def test_the_fact_that_covers_the_question_answers_it(question, expected):
    facts = read_facts(INSTRUCTIONS)
    found = best_fact(question, facts, TermWeights(fact.about for fact in facts))
    assert found is not None and found.answer.startswith(expected)
    assert found.score >= ENOUGH


@pytest.mark.parametrize(
    "question",
    ["What is the capital of France?", "The child almost hurt the small dog.", "uh", "parking"],
)
def test_a_question_about_something_else_is_not_covered(question):
    facts = read_facts(INSTRUCTIONS)
    found = best_fact(question, facts, TermWeights(fact.about for fact in facts))
    assert found is None or found.score < ENOUGH


def test_a_long_line_that_stops_in_mid_sentence_goes_on_in_the_next():
    text = (
        "The shop with its workshop and its little museum of bicycles is next to the old\nBridge."
    )
    assert [fact.answer for fact in read_facts(text)] == [text.replace("\n", " ")]
    assert len(read_facts("Opening hours: nine to six\nAddress: Mill Lane")) == 2


def test_no_instructions_hold_no_facts():
    assert read_facts("") == []
    assert best_fact("Where are you?", [], TermWeights([])) is None


@pytest.mark.parametrize(
    ("instructions", "expected"),
    [
        (INSTRUCTIONS, "Harbour Bikes"),
        ("You answer the phone. You are an assistant at The Blue Door.", "The Blue Door"),
        ("You are helpful.", None),
        ("", None),
        ("You answer the telephone of Riverside Books, a shop.", "Riverside Books"),
    ],
)
def test_whose_line_it_is_is_read_from_the_role(instructions, expected):
    assert business_name(instructions) == expected
