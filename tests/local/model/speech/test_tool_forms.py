import pytest

from hookflash_local.model.speech.tool_forms import (
    choose_destination,
    fill,
    occasions,
    read_forms,
    wanted,
)
from hookflash_local.model.speech.word_matching import TermWeights


def tool(name, description, required=(), /, **properties):
    schema = {"type": "object", "properties": properties, "required": list(required)}
    return {"type": "function", "name": name, "description": description, "parameters": schema}


TEXT = {"type": "string"}
ORDER = tool(
    "look_up_order",
    "Say where an order is.",
    ["number"],
    number={"type": "string", "description": "The order's number."},
)
BOOK = tool(
    "book_appointment",
    "Book an appointment.",
    ["day", "size"],
    day={"type": "string"},
    size={"type": "string", "enum": ["short", "very_long"]},
    note={"type": "string"},
)
TRANSFER = tool(
    "transfer_to_human",
    "Bring a human onto this call. Destinations:\n"
    "- support: the caller asks for a person or for customer support\n"
    "- billing: the caller disputes an invoice, wants a refund or wants to cancel",
    ["destination"],
    destination={"type": "string", "enum": ["support", "billing"]},
)
FORMS = read_forms([ORDER, BOOK, TRANSFER])
WEIGHTS = TermWeights(form.about for form in FORMS)


def test_tools_are_read_as_forms():
    assert [form.name for form in FORMS] == ["look_up_order", "book_appointment", TRANSFER["name"]]
    assert [field.required for field in FORMS[1].fields] == [True, True, False]
    assert [form.transfers for form in FORMS] == [False, False, True]


def test_a_tool_without_parameters_or_description_is_a_form_too():
    (form,) = read_forms([{"type": "function", "name": "ping"}, {"type": "function"}])
    assert (form.name, form.fields) == ("ping", ())


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("Where is my order? The number is 4571.", "look_up_order"),
        ("where's my parcel", "look_up_order"),
        ("I need to book an appointment for next Tuesday afternoon.", "book_appointment"),
        ("can i make a reservation", "book_appointment"),
        ("What is the capital of France?", None),
        ("The child almost hurt the small dog.", None),
    ],
)
def test_the_wanted_tool_is_recognised(said, expected):
    scores = {form.name: wanted(said, form, WEIGHTS) for form in FORMS}
    chosen = max(scores, key=scores.__getitem__)
    assert (chosen if scores[chosen] >= 0.5 else None) == expected


def test_a_form_is_filled_from_what_was_said_and_the_rest_is_asked_for():
    filled = fill(FORMS[1], ["I need an appointment on Tuesday.", "A very long one."])
    assert filled.arguments == {"day": "Tuesday", "size": "very_long"}
    assert filled.missing is None
    filled = fill(FORMS[1], ["I need an appointment on Tuesday."])
    assert filled.missing is not None
    assert filled.missing.question == (
        "Could you please tell me the size? It can be short or very long."
    )


def test_the_answer_to_a_question_is_not_taken_for_the_reason_of_the_call():
    (form,) = read_forms([tool("book", "", ["day", "problem"], day=TEXT, problem=TEXT)])
    filled = fill(form, ["My wheel is broken.", "On Tuesday."], asked_for="day")
    assert filled.arguments == {"day": "Tuesday", "problem": "My wheel is broken."}
    assert fill(form, ["On Tuesday."], asked_for="day").missing == form.fields[1]


def test_the_latest_value_wins():
    assert fill(FORMS[0], ["It is 4571.", "No, it is 9999."]).arguments == {"number": "9999"}


@pytest.mark.parametrize(
    ("description", "expected"),
    [
        ("The order's number.", "the order's number"),
        ("The caller's name.", "your name"),
        ("The order number, four digits.", "the order number"),
        ("ISO date of the visit", "ISO date of the visit"),
        ("", "the zip code"),
        ("A very long description of something that nobody would ever say aloud", "the zip code"),
    ],
)
def test_a_field_is_named_as_a_person_would(description, expected):
    (form,) = read_forms([tool("x", "", zip_code={"type": "string", "description": description})])
    assert form.fields[0].phrase == expected


def test_destinations_and_when_to_choose_them_are_read_from_the_description():
    assert occasions(FORMS[2]) == {
        "support": "the caller asks for a person or for customer support",
        "billing": "the caller disputes an invoice, wants a refund or wants to cancel",
    }


@pytest.mark.parametrize(
    ("said", "expected", "clear"),
    [
        ("I want to cancel my subscription.", "billing", True),
        ("there is a problem with my bill", "billing", True),
        ("I'd like to speak to customer support.", "support", True),
        ("What is the capital of France?", "support", False),
    ],
)
def test_the_destination_whose_occasion_it_is_is_chosen(said, expected, clear):
    key, score = choose_destination(said, FORMS[2], WEIGHTS)
    assert (key, score >= 0.5) == (expected, clear)
