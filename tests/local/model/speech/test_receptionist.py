import msgspec
import pytest

from hookflash_local import audio
from hookflash_local.model.components import CallTool, DialogueRequest, Say, Turn
from hookflash_local.model.speech.receptionist import (
    GOODBYE,
    NOT_UNDERSTOOD,
    OFFER,
    Receptionist,
    reply,
)

INSTRUCTIONS = """\
You are the receptionist of Harbour Bikes, a bicycle shop. Be brief.
- We are open Monday to Friday from nine to six, and on Saturday from ten to two.
- The shop is at 12 Harbour Street, next to the station.
"""
STRING = {"type": "string"}


def tool(name, description, required, /, **properties):
    schema = {"type": "object", "properties": properties, "required": required}
    return {"type": "function", "name": name, "description": description, "parameters": schema}


TRANSFER = tool(
    "transfer_to_human",
    "Bring a human onto this call. Destinations, and when to choose each:\n"
    "- support: the caller asks for a person or for customer support\n"
    "- billing: the caller disputes an invoice, wants a refund or wants to cancel",
    ["destination", "reason", "summary"],
    destination={"type": "string", "enum": ["support", "billing"]},
    reason=STRING,
    summary=STRING,
)
END = tool("end_call", "End the call.", ["reason"], reason=STRING)
ORDER = tool(
    "look_up_order",
    "Say where an order is.",
    ["number"],
    number={"type": "string", "description": "The order's number."},
)
BOOK = tool("book_appointment", "Book an appointment.", ["day"], day=STRING, name=STRING)
TOOLS = [ORDER, BOOK, TRANSFER, END]
ASKED = Turn("assistant", "Could you please tell me the order's number?")
FAREWELL = Turn("assistant", "I am connecting you with support now. One moment please.")


def user(text):
    return Turn("user", text)


def ask(*turns, tools=TOOLS, **options):
    turns = [user(turn) if isinstance(turn, str) else turn for turn in turns]
    return reply(DialogueRequest(INSTRUCTIONS, turns, tools, **options))


def calls(answer):
    return [(e.name, msgspec.json.decode(e.arguments)) for e in answer if isinstance(e, CallTool)]


def said(answer):
    return " ".join(each.text for each in answer if isinstance(each, Say))


def output(text, name="look_up_order"):
    return [Turn("tool_call", "", name, "{}", "c1"), Turn("tool_output", text, name, "", "c1")]


# --- speaking first, and to order


def test_it_greets_a_caller_who_waits():
    assert ask() == [Say("Hello, this is Harbour Bikes. How can I help you?")]


def test_it_says_word_for_word_what_the_response_quotes():
    order = 'The call has just begun. Say this to the caller, word for word: "Hi, "Harbour" here."'
    assert ask("hello", added=order) == [Say('Hi, "Harbour" here.')]


def test_it_says_the_example_that_an_instruction_gives():
    order = 'Say one short goodbye, for example: "Thank you for calling. Goodbye."'
    assert ask("bye", added=order, tool_choice="none") == [Say(GOODBYE)]


def test_instructions_without_words_to_say_do_not_silence_it():
    assert "12 Harbour Street" in said(ask("Where are you?", added="Be very polite."))


# --- humans


@pytest.mark.parametrize("name", audio.names())
def test_every_recording_that_asks_for_a_human_gets_one_and_no_other(name):
    asking = name.startswith(("speak-to", "tts-human", "tts-agent", "tts-emergency"))
    transfer_only = [TRANSFER]
    answer = ask(audio.load(name).transcript, tools=transfer_only)
    expected = asking or name.startswith("tts-cancel")
    assert [each for each, _ in calls(answer)] == ["transfer_to_human"] * expected
    assert said(answer)


def test_a_request_for_a_human_gives_a_sentence_and_the_tool_call_in_one_turn():
    wish = "I'd like to speak to customer support."
    assert ask("My bike is broken.", Turn("assistant", NOT_UNDERSTOOD), wish) == [
        Say("I am connecting you with support now. One moment please."),
        CallTool(
            "transfer_to_human",
            msgspec.json.encode(
                {
                    "destination": "support",
                    "reason": "I'd like to speak to customer support",
                    "summary": 'The caller said: "My bike is broken."',
                }
            ).decode(),
        ),
    ]


def test_the_occasion_of_a_destination_is_reason_enough():
    ((name, arguments),) = calls(ask("I want to cancel my subscription."))
    assert (name, arguments["destination"]) == ("transfer_to_human", "billing")


def test_earlier_words_choose_the_destination_if_the_request_names_none():
    problem = "It is about a refund for an invoice."
    answer = ask(problem, Turn("assistant", NOT_UNDERSTOOD), "give me a human")
    assert calls(answer)[0][1]["destination"] == "billing"


@pytest.mark.parametrize("words", ["I'd like to speak to a human.", "Get me a person.", "Operator"])
def test_who_asks_for_any_human_reaches_the_destination_for_that(words):
    transfer = tool(
        "transfer_to_human",
        "Bring a human onto this call. Destinations, and when to choose each:\n"
        "- billing: the caller disputes an invoice or asks for a refund\n"
        "- desk: the caller asks for a person",
        ["destination"],
        destination={"type": "string", "enum": ["billing", "desk"]},
    )
    assert calls(ask(words, tools=[transfer])) == [("transfer_to_human", {"destination": "desk"})]


def test_yes_to_the_offer_of_a_human_is_a_request_for_one():
    offered = Turn("assistant", f"{NOT_UNDERSTOOD} {OFFER}")
    ((name, arguments),) = calls(ask("Blurb.", offered, "Yes, please."))
    assert name == "transfer_to_human"
    assert arguments["reason"] == "Blurb"
    assert arguments["summary"] == ""
    assert calls(ask("Blurb.", offered, "No, thanks.")) == []


def test_the_key_zero_requests_a_human():
    ((_, arguments),) = calls(ask("The caller typed 0 on the telephone's keypad."))
    assert arguments["reason"] == "The caller asked for a person"


def test_no_during_the_farewell_keeps_the_caller():
    accepted = output('{"status": "accepted", "detail": "moved"}', "transfer_to_human")
    note = Turn("system", "The caller interrupted the goodbye.")
    answer = ask("a human please", FAREWELL, *accepted, "No, wait.", note)
    assert answer == [Say("All right, you stay with me. What can I do for you?")]


def test_without_a_way_to_a_human_it_says_so():
    assert "cannot bring a person" in said(ask("I want a human", tools=[ORDER]))
    assert calls(ask("I want a human", tool_choice="none")) == []


def test_another_agents_transfer_tool_is_used_as_it_is_declared():
    theirs = tool(
        "escalate_to_person",
        "Escalate.",
        ["team"],
        team={"type": "string", "enum": ["sales", "repairs"]},
    )
    answer = ask("Can I speak to someone in repairs?", tools=[theirs])
    assert calls(answer) == [("escalate_to_person", {"team": "repairs"})]


# --- tools


def test_a_tool_is_called_with_what_the_caller_said():
    answer = ask("Where is my order? The number is four five seven one.")
    assert answer == [Say("One moment please."), CallTool("look_up_order", '{"number":"4571"}')]


def test_what_is_missing_is_asked_for_and_then_used():
    assert ask("Where is my order?") == [Say(ASKED.text)]
    answer = ask("Where is my order?", ASKED, "Four five", "seven one.")
    assert calls(answer) == [("look_up_order", {"number": "4571"})]


def test_a_question_that_the_caller_cut_short_is_still_known():
    cut = Turn("assistant", "Could you please tell me the order's")
    assert calls(ask("Where is my order?", cut, "4571")) == [("look_up_order", {"number": "4571"})]


def test_an_answer_that_is_none_is_asked_again_once():
    assert ask("Where is my order?", ASKED, "Well, hm.") == [Say(ASKED.text)]
    twice = ask("Where is my order?", ASKED, "Well, hm.", ASKED, "Purple.")
    assert twice == [Say(f"{NOT_UNDERSTOOD} {OFFER}")]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("No.", "let us leave that"),
        ("I don't know it.", "I need that to help you"),
        ("When are you open?", "Monday to Friday"),
        ("Say that again please.", "Could you please tell me the order's number?"),
    ],
)
def test_a_caller_may_answer_a_question_otherwise(answer, expected):
    assert expected in said(ask("Where is my order?", ASKED, answer))


def test_a_tools_answer_is_read_aloud():
    answer = ask("4571?", *output('{"order": "4571", "status": "shipped"}'))
    assert answer == [Say("The order is 4 5 7 1 and the status is shipped.")]


def test_a_question_asked_while_a_tool_ran_is_answered_too():
    call, result = output("It was shipped.")
    answer = ask("Where is it?", call, "And when are you open?", result)
    assert said(answer).startswith("It was shipped. We are open")


def test_a_transfer_that_was_refused_is_told():
    refused = output('{"status": "refused", "detail": "choose another"}', "transfer_to_human")
    assert "could not connect" in said(ask("human", *refused))
    under_way = output('{"status": "already under way", "detail": "x"}', "transfer_to_human")
    assert "still ringing" in said(ask("human", *under_way))
    assert said(ask("human", *output("Lisa is next.", "transfer_to_human"))) == "Lisa is next."


def test_a_forced_tool_is_called_and_nothing_is_said():
    answer = ask("I want a human", tool_choice="transfer_to_human", added='Say "hm".')
    assert [type(each) for each in answer] == [CallTool]
    assert calls(ask("4571", tool_choice="look_up_order")) == [
        ("look_up_order", {"number": "4571"})
    ]
    assert calls(ask("Hm.", tool_choice="look_up_order")) == [("look_up_order", {})]


def test_required_calls_the_tool_that_fits_or_brings_a_human():
    assert calls(ask("Where is my order?", tool_choice="required"))[0][0] == "look_up_order"
    assert calls(ask("Blurb.", tool_choice="required"))[0][0] == "transfer_to_human"


def test_none_calls_nothing():
    for words in ("Where is order 4571?", "I want to cancel.", "Goodbye."):
        assert calls(ask(words, tool_choice="none")) == []


# --- facts and manners


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("What are your opening hours on Saturday?", "on Saturday from ten to two"),
        ("Where can I find you?", "12 Harbour Street"),
        ("What is the capital of France?", NOT_UNDERSTOOD),
        ("And so my fellow Americans ask not what your country can do for you", NOT_UNDERSTOOD),
        ("Wait, stop, hold on a second.", "take your time"),
        ("Wait, stop. Are you open on Saturday?", "on Saturday from ten to two"),
        ("No. Where is the shop?", "12 Harbour Street"),
        ("Thanks. And the street?", "12 Harbour Street"),
        ("Thank you.", "You are welcome"),
        ("Hello?", "How can I help you?"),
        ("Are you a real person?", "not a person"),
        ("Yes.", "How can I help you?"),
        ("No, that's not right.", "What can I do for you instead?"),
    ],
)
def test_it_answers_from_facts_and_with_manners(words, expected):
    answer = ask(words)
    assert expected in said(answer)
    assert calls(answer) == []


def test_it_repeats_what_was_heard_last():
    assert said(ask("Hi.", Turn("assistant", "We are closed."), "Sorry?")) == (
        "Of course. We are closed."
    )


def test_goodbye_ends_the_call_where_it_may():
    answer = ask("Okay, thank you. Goodbye.")
    assert answer[0] == Say(GOODBYE)
    assert calls(answer) == [("end_call", {"reason": "The caller said goodbye."})]
    assert ask("Goodbye.", tools=[]) == [Say(GOODBYE)]
    more = Turn("assistant", "You are welcome. Is there anything else I can do for you?")
    assert calls(ask("Thanks.", more, "No."))[0][0] == "end_call"


def test_a_recording_is_stopped_when_that_is_asked_for_and_not_by_a_question():
    stop = tool("stop_recording", "Stop recording this call and delete what was recorded.", [])
    assert ask("I don't want to be recorded.", tools=[stop]) == [CallTool("stop_recording", "{}")]
    accepted = output('{"status": "accepted", "detail": "Done."}', "stop_recording")
    assert said(ask("Stop recording.", *accepted, tools=[stop])).startswith("Nothing of this call")
    assert calls(ask("Is this call recorded?", tools=[stop])) == []


def test_without_a_human_to_offer_it_asks_for_other_words():
    assert ask("Blurb.", tools=[]) == [Say(f"{NOT_UNDERSTOOD} Could you say it in other words?")]


async def test_as_a_mind_it_gives_its_replies_in_order():
    request = DialogueRequest(INSTRUCTIONS, [user("I want a human")], TOOLS)
    assert [each async for each in Receptionist().answer(request)] == reply(request)
