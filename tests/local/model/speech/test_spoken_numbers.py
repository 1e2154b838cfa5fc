import pytest

from hookflash_local.model.speech.spoken_numbers import figures


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
