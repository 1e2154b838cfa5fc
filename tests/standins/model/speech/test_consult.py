import msgspec
import pytest

from hookflash.standins.model.parts import CallTool, MindRequest, Say, Turn
from hookflash.standins.model.speech.consult import (
    NOT_KNOWN,
    PUTTING_THROUGH,
    SHALL_I,
    WILL_TELL,
)
from hookflash.standins.model.speech.receptionist import reply

INSTRUCTIONS = """\
You are the receptionist of Harbour Bikes and you are on the phone with a colleague.
Tell them what the call is about, and do what they say. Never make anything up.
Caller: John Smith
Reason: The caller wants a refund for order 4571.
Summary: They paid twice. The second payment was on Monday.
Number: +15550100009
"""
HISTORY = [
    Turn("assistant", "Hello, this is Harbour Bikes. How can I help you?"),
    Turn("user", "Hello, my name is John Smith. You charged my card twice for order 4571."),
    Turn("assistant", "I am connecting you with billing now. One moment please."),
    Turn("user", "The second payment was on Monday. The wheel arrived broken."),
]
NO_ARGUMENTS = {"type": "object", "properties": {}}
REASON = {"type": "object", "properties": {"reason": {"type": "string"}}, "required": ["reason"]}
TOOLS = [
    {"type": "function", "name": "connect_caller", "parameters": NO_ARGUMENTS},
    {"type": "function", "name": "decline", "parameters": REASON},
    {"type": "function", "name": "left_voicemail", "parameters": NO_ARGUMENTS},
]
BRIEFING = (
    "Hello, this is the assistant of Harbour Bikes. I have John Smith on the line."
    f" They paid twice. The second payment was on Monday. {SHALL_I}"
)


def heard(text):
    return Turn("user", text, live=True)


def spoken(text):
    return Turn("assistant", text, live=True)


def ask(*turns, instructions=INSTRUCTIONS, history=HISTORY, briefed=True, **options):
    before = [spoken(BRIEFING)] if briefed else []
    turns = [heard(turn) if isinstance(turn, str) else turn for turn in turns]
    return reply(MindRequest(instructions, [*history, *before, *turns], TOOLS, **options))


def said(answer):
    return " ".join(each.text for each in answer if isinstance(each, Say))


def calls(answer):
    return [(e.name, msgspec.json.decode(e.arguments)) for e in answer if isinstance(e, CallTool)]


def test_a_human_who_waits_is_told_who_calls_and_why():
    assert ask(briefed=False) == [Say(BRIEFING)]


@pytest.mark.parametrize("words", ["Hello?", "Billing, Anna speaking.", "Yes?", "Who is this?"])
def test_a_human_who_speaks_first_is_told_all_the_same(words):
    assert ask(words, briefed=False) == [Say(BRIEFING)]


def test_a_briefing_in_the_lines_words_is_a_briefing():
    line = spoken("A caller whose number ends in 0 0 0 9 about a refund. Do you take the call?")
    assert calls(ask(line, "Yes.", briefed=False)) == [("connect_caller", {})]


def test_a_briefing_that_was_cut_at_its_beginning_is_given_again():
    cut = spoken("Hello, this is the")
    assert ask(cut, "Sorry?", briefed=False) == [Say(BRIEFING)]


def test_the_sentence_that_is_asked_for_is_said():
    order = 'Brief the human, for example: "I have John on the line about a refund."'
    assert ask(added=order) == [Say("I have John on the line about a refund.")]
    quoting = INSTRUCTIONS + 'Begin with this, for example: "John is on the line."'
    assert ask(instructions=quoting, briefed=False) == [Say("John is on the line.")]


def test_without_a_briefing_the_callers_own_words_are_the_briefing():
    answer = said(ask(instructions="You help colleagues.", briefed=False))
    assert "I have John Smith on the line. The caller said: Hello, my name is John" in answer
    alone = said(ask(instructions="", history=[], briefed=False))
    assert alone == (
        f"Hello, this is the assistant. I have a caller on the line. They asked to speak to you."
        f" {SHALL_I}"
    )


@pytest.mark.parametrize(
    "words",
    [
        "Yes, put them through.",
        "Yes please.",
        "Sure.",
        "Okay, go ahead.",
        "Put him through, I'll take it.",
        "Connect us.",
        "No problem, put her through.",
        "Fine, I'll talk to him.",
        "Send them over.",
        "Why not.",
        "Can you put them through?",
        "Yeah put them threw.",
        "All right, let me talk to them.",
    ],
)
def test_a_human_who_agrees_gets_the_caller(words):
    answer = ask(words)
    assert answer == [Say(PUTTING_THROUGH), CallTool("connect_caller", "{}")]


@pytest.mark.parametrize(
    "words",
    [
        "No, I can't, I'm in a meeting.",
        "No.",
        "Not now.",
        "Sorry, I'm busy.",
        "Yes, but I can't talk right now.",
        "Please tell them I will call back tomorrow.",
        "That's not my department.",
        "Don't put them through, please.",
        "I'm about to leave. Take a message.",
        "Could be, but I am driving.",
        "Tell them to leave a message, please.",
        "Bye.",
    ],
)
def test_a_human_who_declines_is_quoted_as_the_reason(words):
    assert ask(words) == [
        Say(WILL_TELL),
        CallTool("decline", msgspec.json.encode({"reason": words}).decode()),
    ]


@pytest.mark.parametrize(
    "greeting",
    [
        "Hi, you have reached Anna. Please leave a message after the tone.",
        "The person you are calling is not available. At the tone, please record your message.",
        "Your call has been forwarded to an automatic voice message system.",
        "This is the voicemail of Anna Baker.",
        "I can't come to the phone right now, please leave your name and number after the beep.",
    ],
)
@pytest.mark.parametrize("briefed", [True, False])
def test_a_mailbox_gets_a_short_message_and_is_reported(greeting, briefed):
    answer = ask(greeting, briefed=briefed)
    assert calls(answer) == [("left_voicemail", {})]
    assert said(answer) == (
        "Hello, this is the assistant of Harbour Bikes. John Smith wanted to speak to you."
        " They paid twice. The second payment was on Monday. Thank you, goodbye."
    )


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("Who is it?", "The caller is John Smith."),
        ("What's his name?", "The caller is John Smith."),
        ("What is it about?", "They paid twice."),
        ("What's the order number?", "order 4571"),
        ("Which order is it?", "order 4571"),
        ("What number are they calling from?", "+ 1 5 5 5 0 1 0 0 0 0 9"),
        ("Is the wheel broken?", "The caller said: The wheel arrived broken."),
        ("Sorry, can you repeat that?", BRIEFING),
        ("Am I talking to a robot?", "automated receptionist of Harbour Bikes"),
        ("Hold on a second.", "I am waiting"),
        ("How old are they?", NOT_KNOWN),
    ],
)
def test_a_question_is_answered_from_what_is_known_and_nothing_is_decided(question, expected):
    answer = ask(question)
    assert expected in said(answer)
    assert calls(answer) == []


def test_after_an_answer_yes_still_means_yes():
    asked = [heard("Which order is it?"), spoken(f"It is order 4571. {SHALL_I}")]
    assert calls(ask(*asked, "Okay, yes.")) == [("connect_caller", {})]


def test_a_forced_tool_and_none_are_obeyed():
    assert calls(ask("Hm.", tool_choice="decline")) == [("decline", {"reason": "Hm."})]
    assert calls(ask("Yes, put them through.", tool_choice="none")) == []


def test_after_a_tool_there_is_nothing_to_add_but_what_was_said():
    connected = [
        heard("Yes."),
        spoken(PUTTING_THROUGH),
        Turn("tool_call", "", "connect_caller", "{}", "c1", live=True),
        Turn("tool_output", "{}", "connect_caller", "", "c1"),
    ]
    assert calls(ask(*connected)) == []
