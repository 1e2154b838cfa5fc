import pytest

from hookflash_local.model.speech.response_instructions import described_sentence, quoted_sentence


@pytest.mark.parametrize(
    ("instructions", "expected"),
    [
        ('Say this to the caller, word for word: "Hello there."', "Hello there."),
        ('Word for word: "We call it "the dock" here."', 'We call it "the dock" here.'),
        (r'Say: "We call it \"the dock\"."', 'We call it "the dock".'),
        ('Say "hello" and then be quiet.', "hello"),
        ('Offer help, for example: "I could not reach sales: nobody answered."',
         "I could not reach sales: nobody answered."),
        ("Say 'hello'.", None),
        ('Say "" please.', None),
        ("Be brief.", None),
    ],
)  # fmt: skip
def test_the_quoted_sentence_is_what_is_to_be_said(instructions, expected):
    assert quoted_sentence(instructions) == expected


@pytest.mark.parametrize(
    ("instructions", "expected"),
    [
        ("Tell the caller that nobody is free. Be kind.", "Nobody is free."),
        ("Let them know that their order is ready.", "Your order is ready."),
        ("Ask the caller whether they are still there.", "May I ask whether you are still there?"),
        ("Ask for their name.", "Could you please tell me your name?"),
        ("Ask them what they need", "Could you please tell me what you need?"),
        ("Be brief.", None),
    ],
)
def test_a_plain_order_to_speak_becomes_the_sentence_it_describes(instructions, expected):
    assert described_sentence(instructions) == expected
