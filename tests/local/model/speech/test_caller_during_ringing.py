import pytest

from hookflash_local.model.components import CallTool, DialogueRequest, Say, Turn
from hookflash_local.model.speech.caller_during_ringing import (
    ANYTHING_TO_KNOW,
    asks_progress,
    is_question,
    ringing_destination,
)
from hookflash_local.model.speech.receptionist import OFFER, reply

INSTRUCTIONS = """\
You are the receptionist of Harbour Bikes.
- We are open Monday to Friday from nine to six.
"""
STRING = {"type": "string"}
TRANSFER = {
    "type": "function",
    "name": "transfer_to_human",
    "description": "Bring a human onto this call.\n- support: a broken bike\n- billing: a refund",
    "parameters": {
        "type": "object",
        "properties": {
            "destination": {"type": "string", "enum": ["support", "billing"]},
            "reason": STRING,
            "summary": STRING,
        },
        "required": ["destination", "reason", "summary"],
    },
}
ORDER = {
    "type": "function",
    "name": "look_up_order",
    "description": "Say where an order is.",
    "parameters": {
        "type": "object",
        "properties": {"number": {"type": "string", "description": "The order's number."}},
        "required": ["number"],
    },
}
ARGUMENTS = '{"destination": "support", "reason": "x", "summary": "x"}'
STILL = "I am still ringing support."


CANCEL = {"type": "function", "name": "cancel_transfer", "parameters": {}}
RINGING_NOTE = (
    "Support is being rung now; the caller stays with you until somebody takes the call, and you"
    " will be told. Keep the caller company. Do not call transfer_to_human again."
)


def answered(status, arguments=ARGUMENTS):
    output = f'{{"status": "{status}", "detail": "Keep the caller company."}}'
    return [
        Turn("tool_call", "", "transfer_to_human", arguments, "c1"),
        Turn("tool_output", output, "transfer_to_human", "", "c1"),
    ]


RUNG = [Turn("user", "A human please."), *answered("ringing"), Turn("assistant", "I ring them.")]


def ask(*turns, before=RUNG):
    turns = [Turn("user", turn) if isinstance(turn, str) else turn for turn in turns]
    return reply(DialogueRequest(INSTRUCTIONS, [*before, *turns], [TRANSFER, ORDER, CANCEL]))


def said(answer):
    return " ".join(each.text for each in answer if isinstance(each, Say))


def calls(answer):
    return [each.name for each in answer if isinstance(each, CallTool)]


@pytest.mark.parametrize(
    "words",
    [
        "Okay.",
        "Thank you.",
        "Hello?",
        "Are they coming?",
        "How much longer will it take?",
        "Is anybody there?",
        "Can I speak to a human please?",
        "0",
    ],
)
def test_who_waits_hears_that_it_goes_on_and_no_second_call_is_made(words):
    answer = ask(words)
    assert said(answer).startswith(STILL)
    assert calls(answer) == []


def test_asked_again_it_says_it_in_fewer_words():
    first = ask("Hello?")
    again = ask("Hello?", Turn("assistant", said(first)), "Still there?")
    assert said(first).endswith(ANYTHING_TO_KNOW)
    assert said(again) == f"{STILL} I connect you as soon as somebody answers."


@pytest.mark.parametrize(
    "words",
    ["My wheel is broken and I ride tomorrow.", "It's the red one.", "Tell them I am angry."],
)
def test_what_a_waiting_caller_tells_is_noted(words):
    assert said(ask(words)) == ("Thank you, I have noted that for support. I am still ringing.")


def test_a_waiting_caller_may_ask_for_something_else():
    assert "Monday to Friday" in said(ask("When are you open?"))
    assert calls(ask("Where is my order 4571?")) == ["look_up_order"]
    asked = Turn("assistant", "Could you please tell me the order's number?")
    assert calls(ask("Where is my order?", asked, "four five seven one")) == ["look_up_order"]


def test_what_it_does_not_know_is_never_answered_with_another_offer():
    answer = ask("What is the capital of France?")
    assert OFFER not in said(answer)
    assert "still ringing support" in said(answer)


def test_another_destination_is_asked_for():
    answer = ask("I would rather talk to somebody about a refund.")
    assert calls(answer) == ["transfer_to_human"]
    assert '"destination":"billing"' in answer[-1].arguments


@pytest.mark.parametrize(
    "words",
    [
        "Never mind.",
        "I have changed my mind, don't call them.",
        "I don't need them any more.",
        "Please stop ringing, I'd rather talk to you.",
    ],
)
def test_a_caller_who_has_changed_their_mind_stays(words):
    assert calls(ask(words)) == ["cancel_transfer"]
    output = [
        Turn("tool_call", "", "cancel_transfer", "{}", "c2"),
        Turn("tool_output", '{"status": "cancelled", "detail": ""}', "cancel_transfer", "", "c2"),
    ]
    assert said(ask(words, *output)) == "All right, you stay with me. What can I do for you?"
    assert calls(ask("A human please.", before=[*RUNG, *output])) == ["transfer_to_human"]


def test_the_answer_of_the_tool_is_told_as_company():
    told = ask(before=[Turn("user", "A human please."), *answered("ringing")])
    assert said(told) == f"I am ringing support now and stay with you. {ANYTHING_TO_KNOW}"
    again = ask("A human please.", *answered("already under way"))
    assert said(again).startswith(STILL)


def test_a_hand_off_that_somebody_else_began_is_known_from_the_lines_note():
    note = Turn("system", RINGING_NOTE)
    hello = Turn("assistant", "Hello, how can I help you?")
    told = ask(before=[hello, Turn("user", "Hm."), hello, note])
    assert said(told) == f"I am ringing support now and stay with you. {ANYTHING_TO_KNOW}"
    assert said(ask("Okay.", before=[hello, note])).startswith(STILL)
    assert calls(ask("Never mind.", before=[hello, note])) == ["cancel_transfer"]
    waited = ask(before=[hello, note, Turn("assistant", said(told))])
    assert said(waited) == f"{STILL} I stay with you until somebody answers. {ANYTHING_TO_KNOW}"


def test_no_is_taken_as_nothing_to_add():
    assert calls(ask("No.")) == []
    assert said(ask("No.")) == "All right. I connect you as soon as support answers."


@pytest.mark.parametrize(
    "note",
    [
        "You tried to connect the caller with support, but nobody answered. The caller is back"
        " with you.",
        "The caller interrupted the goodbye, so the transfer is off and they are still with you.",
        "The caller has spoken with support, who has hung up. The caller is back with you.",
        "The transfer was called off by anna. The caller stays with you; go on helping them.",
        "You tried to connect the caller with support, but nobody answered. Take the number and"
        " the wish of the caller, read them back, and call schedule_callback.",
    ],
)
def test_once_the_line_says_that_it_is_over_a_human_may_be_asked_for_again(note):
    before = [*RUNG, Turn("system", note)]
    assert ringing_destination(before, "transfer_to_human") is None
    assert calls(ask("I want to speak to a person.", before=before)) == ["transfer_to_human"]


@pytest.mark.parametrize(
    ("turns", "expected"),
    [
        ([], None),
        (answered("ringing"), "support"),
        (answered("accepted"), "support"),
        (answered("refused"), None),
        ([*answered("ringing"), *answered("already under way")], "support"),
        ([*answered("ringing"), *answered("refused", '{"destination": "billing"}')], "support"),
        (answered("ringing", "not json"), ""),
        (answered("ringing", "[]"), ""),
        (answered("ringing")[:1], None),
    ],
)
def test_who_is_being_rung_follows_from_the_tools_answers(turns, expected):
    assert ringing_destination(turns, "transfer_to_human") == expected


def test_an_answer_of_another_kind_rings_nobody():
    output = Turn("tool_output", "Lisa is next.", "transfer_to_human", "", "c1")
    assert ringing_destination([output], "transfer_to_human") is None


def test_questions_and_progress_are_told_from_what_is_told():
    assert is_question("Can they see my order") and is_question("The red one?")
    assert not is_question("The red one is broken.")
    assert asks_progress("How long is this going to take?")
    assert not asks_progress("It took two weeks.")
