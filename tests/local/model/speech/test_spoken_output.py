import pytest

from hookflash_local.model.speech.spoken_output import DONE, spoken_output


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("your order was shipped", "Your order was shipped."),
        ("Is that right?", "Is that right?"),
        ('"it was shipped"', "It was shipped."),
        ("", DONE),
        ("null", DONE),
        ("true", DONE),
        ("{}", DONE),
        ("false", "I am sorry, that did not work."),
        ("42", "42."),
        ("7.0", "7."),
        ("[]", "There is nothing."),
        ('["red", "green", "blue"]', "Red, green and blue."),
        ('["1","2","3","4","5","6","7"]', "1, 2, 3, 4, 5 and 2 more."),
        ('{"message": "It is on its way", "id": 7}', "It is on its way."),
        ('{"error": "No such order."}', "I am sorry, that did not work: No such order."),
        (
            '{"error": {"message": "it is closed", "code": 3}}',
            "I am sorry, that did not work: it is closed.",
        ),
        ('{"status": "ok"}', "The status is ok."),
        (
            '{"order_number": "4571", "status": "shipped", "arrives": "Tuesday", "note": null}',
            "The order number is 4 5 7 1, the status is shipped and it arrives Tuesday.",
        ),
        ('{"freeSlots": ["nine", "ten"], "open": true}',
         "The free slots are nine and ten and the open is yes."),
        ('{"price": {"amount": 12.5, "currency": "dollars"}}',
         "The price is amount 12.5 and currency dollars."),
        ("{not json", "{not json."),
    ],
)  # fmt: skip
def test_an_output_is_read_as_a_sentence(output, expected):
    assert spoken_output(output) == expected
