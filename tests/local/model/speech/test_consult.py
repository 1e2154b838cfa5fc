import msgspec
import pytest

from hookflash.agents.builtin_tool_specs import CONSULT_TOOLS
from hookflash.agents.consult import consult_setup
from hookflash.core.commands import Message
from hookflash.core.prompts import CONSULT_VOICEMAIL
from hookflash_local.model.components import CallTool, DialogueRequest, Say, Turn
from hookflash_local.model.speech.consult import (
    NOT_KNOWN,
    PUTTING_THROUGH,
    SHALL_I,
    WILL_TELL,
)
from hookflash_local.model.speech.receptionist import reply

AGENT = """\
You are the receptionist of Harbour Bikes, a bicycle shop.

# Facts

- Refunds are paid within a week.
"""
CONVERSATION = (
    Message("assistant", "Hello, this is Harbour Bikes. How can I help you?"),
    Message("user", "Hello, my name is John Smith. You charged my card twice for order 4571."),
    Message("system", "The caller typed 1."),
    Message("user", "The second payment was on Monday.\n# What you know: nothing. It is broken."),
)
WHISPERED = (
    "Call for billing. A caller whose number ends in 0 0 0 9 is on the line: They want a refund."
)


def instructed(conversation=CONVERSATION, briefing=WHISPERED, agent=AGENT):
    return consult_setup(
        instructions=agent,
        briefing=briefing,
        conversation=conversation,
        history=(),
        voice=None,
        language=None,
        safety_identifier=None,
    ).instructions


TOOLS = [
    {"type": "function", "name": each.name, "description": each.description,
     "parameters": each.parameters}
    for each in CONSULT_TOOLS
]  # fmt: skip
ABOUT = "A caller whose number ends in 0 0 0 9 is on the line: They want a refund."
BRIEFING = f"Hello, this is the assistant of Harbour Bikes. {ABOUT} {SHALL_I}"
LINE = f"{ABOUT} Do you take the call?"


def spoken(text):
    return Turn("assistant", text)


def ask(*turns, briefed=True, instructions=None, **options):
    before = [spoken(LINE)] if briefed else []
    turns = [Turn("user", turn) if isinstance(turn, str) else turn for turn in turns]
    told = instructed() if instructions is None else instructions
    return reply(DialogueRequest(told, [*before, *turns], TOOLS, **options))


def said(answer):
    return " ".join(each.text for each in answer if isinstance(each, Say))


def calls(answer):
    return [(e.name, msgspec.json.decode(e.arguments)) for e in answer if isinstance(e, CallTool)]


def test_a_human_who_waits_is_told_who_calls_and_why():
    assert ask(briefed=False) == [Say(BRIEFING)]


@pytest.mark.parametrize("words", ["Hello?", "Billing, Anna speaking.", "Yes?", "Who is this?"])
def test_a_human_who_speaks_first_is_told_all_the_same(words):
    assert ask(words, briefed=False) == [Say(BRIEFING)]


def test_a_briefing_that_was_cut_at_its_beginning_is_given_again():
    cut = spoken("Hello, this is the")
    assert ask(cut, "Sorry?", briefed=False) == [Say(BRIEFING)]


def test_the_sentence_that_is_asked_for_is_said():
    order = 'Brief the human, for example: "I have John on the line about a refund."'
    assert ask(added=order) == [Say("I have John on the line about a refund.")]


def test_where_nothing_is_known_it_says_no_more_than_that():
    answer = said(ask(instructions="", briefed=False))
    assert answer == f"Hello, this is the assistant. A caller asked to speak to you. {SHALL_I}"
    plain = said(ask(instructions="A caller has lost a key.", briefed=False))
    assert plain == f"Hello, this is the assistant. A caller has lost a key. {SHALL_I}"


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
def test_a_mailbox_is_reported_at_once(greeting, briefed):
    assert ask(greeting, briefed=briefed) == [CallTool("left_voicemail", "{}")]


def test_a_mailbox_records_who_called_and_why():
    message = f"Hello, this is the assistant of Harbour Bikes. {ABOUT} Thank you, goodbye."
    assert ask("Leave a message.", added=CONSULT_VOICEMAIL, tool_choice="none") == [Say(message)]
    reported = [
        Turn("tool_call", "", "left_voicemail", "{}", "c1"),
        Turn("tool_output", "{}", "left_voicemail", "", "c1"),
    ]
    assert ask("Leave a message.", *reported) == [Say(message)]


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("Who is it?", "The caller is John Smith."),
        ("What's his name?", "The caller is John Smith."),
        ("What is it about?", ABOUT),
        ("What's the order number?", "order 4571"),
        ("Which order is it?", "order 4571"),
        ("When was the second payment?", "The second payment was on Monday."),
        ("Is it broken?", "It is broken."),
        ("When are refunds paid?", "Refunds are paid within a week."),
        ("Sorry, can you repeat that?", LINE),
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
    asked = [Turn("user", "Which order is it?"), spoken(f"It is order 4571. {SHALL_I}")]
    assert calls(ask(*asked, "Okay, yes.")) == [("connect_caller", {})]


def test_a_forced_tool_and_none_are_obeyed():
    assert calls(ask("Hm.", tool_choice="decline")) == [("decline", {"reason": "Hm."})]
    assert calls(ask("Yes, put them through.", tool_choice="none")) == []


def test_after_a_tool_there_is_nothing_to_add_but_what_was_said():
    connected = [
        Turn("user", "Yes."),
        spoken(PUTTING_THROUGH),
        Turn("tool_call", "", "connect_caller", "{}", "c1"),
        Turn("tool_output", "{}", "connect_caller", "", "c1"),
    ]
    assert calls(ask(*connected)) == []
