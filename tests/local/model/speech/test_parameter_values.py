import pytest

from hookflash_local.model.speech.parameter_values import find_value, spelled

TEXT = {"type": "string"}


@pytest.mark.parametrize(
    ("name", "schema", "said", "expected"),
    [
        ("order_number", TEXT, "Where is my order? It is four five seven one.", "4571"),
        ("order", {"type": "string", "description": "The order's number."}, "number 4571", "4571"),
        ("reference", TEXT, "It is ab12-9 I think", "AB12-9"),
        ("order_number", TEXT, "I have one question", None),
        ("order_number", {"type": "string", "pattern": r"^\d{4}$"}, "it is 45712", None),
        ("people", {"type": "integer"}, "A table for four please", 4),
        ("people", {"type": "integer", "maximum": 3}, "A table for four please", None),
        ("people", {"type": "integer"}, "between 3 people and maybe 5", None),
        ("price", {"type": "number"}, "about 12.5 dollars", 12.5),
        ("day", TEXT, "I need to book an appointment for next Tuesday afternoon.",
         "next Tuesday afternoon"),
        ("day", TEXT, "tomorrow at 3 pm please", "tomorrow at 3 pm"),
        ("time", TEXT, "at half past nine", "half past nine"),
        ("day", TEXT, "whenever you like", None),
        ("name", TEXT, "Hi, my name is john smith and I have a question", "John Smith"),
        ("name", TEXT, "This is an emergency", None),
        ("email", TEXT, "it is John.Smith@example.com", "john.smith@example.com"),
        ("email", TEXT, "john dot smith at example dot com", "john.smith@example.com"),
        ("size", {"type": "string", "enum": ["small", "large"]}, "the larger one", "large"),
        ("size", {"type": "string", "enum": ["small", "large"]}, "the red one", None),
        ("reason", TEXT, "My wheel is broken.", "My wheel is broken."),
        ("reason", TEXT, "please", None),
        ("city", TEXT, "The city is Boston.", "Boston"),
        ("city", TEXT, "I live in Boston.", None),
        ("urgent", {"type": "boolean"}, "yes", None),
        ("codes", {"type": "array", "items": {"type": "string"}}, "code 4571", ["4571"]),
        ("people", {"type": ["integer", "null"]}, "for six", 6),
        ("order_number", TEXT, "It is A B four five seven one.", "AB4571"),
        ("order_number", TEXT, "It's A-B-4-5-7-1.", "AB4571"),
        ("order_number", TEXT, "one two double four, oh", "12440"),
        ("name", TEXT, "My name is John Smith, S-M-Y-T-H.", "John Smyth"),
        ("name", TEXT, "B as in Bravo, A, K, E, R", "Baker"),
        ("wish", TEXT, "My wheel is broken.", "My wheel is broken."),
    ],
)  # fmt: skip
def test_a_value_is_taken_only_from_the_callers_words(name, schema, said, expected):
    assert find_value(name, schema, said, asked=False) == expected


@pytest.mark.parametrize(
    ("name", "schema", "said", "expected"),
    [
        ("city", TEXT, "It's Boston.", "Boston"),
        ("city", TEXT, "I don't know.", None),
        ("name", TEXT, "John Smith.", "John Smith"),
        ("order_number", TEXT, "seven", "7"),
        ("order_number", TEXT, "It is one tube double 4 of 9.", "124409"),
        ("order_number", TEXT, "9. 021 of", "90210"),
        ("order_number", TEXT, "It is for you.", None),
        ("order_number", TEXT, "It is for 4571.", "4571"),
        ("order_number", TEXT, "863 purple 1", "863111"),
        ("urgent", {"type": "boolean"}, "Yes please", True),
        ("urgent", {"type": "boolean"}, "No, not really", False),
        ("urgent", {"type": "boolean"}, "Blue", None),
        ("people", {"type": "integer"}, "three or 4", 3),
    ],
)
def test_the_answer_to_a_question_for_it_is_the_value(name, schema, said, expected):
    assert find_value(name, schema, said, asked=True) == expected


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("S-M-I-T-H.", "Smith"),
        ("It's Smith. S M I T H", "Smith"),
        ("S for Sam, M, I, T as in Tom, H.", "Smith"),
        ("M, I, double L, E, R", "Miller"),
        ("Be as in Bravo, a-k-e-r.", "Baker"),
        ("V is in Bravo, a-k-e-r.", "Baker"),
        ("B as in bravo, as in alpha, K, E, R.", "Baker"),
        ("My surname is, em as in Mary, A, Y", "May"),
        ("I am a man", None),
        ("A B", None),
    ],
)
def test_what_is_spelled_is_put_together(said, expected):
    assert spelled(said) == expected
