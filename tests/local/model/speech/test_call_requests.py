import msgspec
import pytest

from hookflash_local.model.components import CallTool, DialogueRequest, Say, Turn
from hookflash_local.model.speech.call_requests import (
    LEFT,
    NUMBER_AGAIN,
    WHAT_ABOUT,
    WHAT_NUMBER,
)
from hookflash_local.model.speech.receptionist import OFFER, reply

STRING = {"type": "string"}


def tool(name, required, **properties):
    schema = {"type": "object", "properties": properties, "required": required}
    return {"type": "function", "name": name, "description": "", "parameters": schema}


CALLBACK = tool("schedule_callback", ["number", "wish"], number=STRING, wish=STRING)
VOICEMAIL = tool("take_voicemail", [])
TRANSFER = tool("transfer_to_human", [], reason=STRING)
TOOLS = [CALLBACK, VOICEMAIL, TRANSFER, tool("end_call", [])]
READ_BACK = "I have the number 5 5 5 0 1 0 0. Is that right?"
ABOUT = "My front wheel is broken."


def agent(text):
    return Turn("assistant", text)


def ask(*turns, tools=TOOLS, **options):
    turns = [Turn("user", turn) if isinstance(turn, str) else turn for turn in turns]
    return reply(DialogueRequest("", turns, tools, **options))


def calls(answer):
    return [(e.name, msgspec.json.decode(e.arguments)) for e in answer if isinstance(e, CallTool)]


def said(answer):
    return " ".join(each.text for each in answer if isinstance(each, Say))


@pytest.mark.parametrize(
    "words",
    [
        "Could someone call me back, please?",
        "Call me back.",
        "I'd like a callback.",
        "Please have somebody ring me tomorrow.",
        "Can you give me a call later?",
        "Call me when somebody is free.",
    ],
)
def test_a_callback_request_is_recognised_and_its_subject_asked_for(words):
    assert ask(words) == [Say(WHAT_ABOUT)]


def test_a_call_back_is_arranged_once_its_number_was_read_back():
    turns = ["Can somebody call me back?", agent(WHAT_ABOUT), ABOUT]
    assert ask(*turns) == [Say(WHAT_NUMBER)]
    turns += [agent(WHAT_NUMBER), "Triple five, oh one double oh."]
    assert ask(*turns) == [Say(READ_BACK)]
    turns += [agent(READ_BACK), "Yes, that's right."]
    answer = ask(*turns)
    assert calls(answer) == [("schedule_callback", {"number": "5550100", "wish": ABOUT})]
    assert said(answer)


def test_what_was_said_before_is_not_asked_for_again():
    assert ask(ABOUT, agent("Sorry."), "Call me back.") == [Say(WHAT_NUMBER)]
    whole = "Call me back about my broken wheel on plus one 555 010 0009 please."
    assert ask(whole) == [Say("I have the number plus 1 5 5 5 0 1 0 0 0 0 9. Is that right?")]


def test_a_number_that_was_cut_in_two_by_a_pause_is_put_together():
    turns = [ABOUT, agent("Sorry."), "Call me back.", agent(WHAT_NUMBER), "Five five five"]
    turns += [agent("I have the number 5 5 5. Is that"), "oh one double oh"]
    assert ask(*turns) == [Say(READ_BACK)]


def test_the_lines_own_question_for_a_number_is_known():
    asked = agent(
        "I could not reach support: nobody answered. On which number may they call you back?"
    )
    assert ask(ABOUT, asked, "555 0100.") == [Say(READ_BACK)]
    assert ask(ABOUT, asked, "Hm.") == [Say(NUMBER_AGAIN)]


def test_a_wrong_number_is_asked_for_again_or_corrected():
    turns = [ABOUT, agent("Sorry."), "Call me back.", agent(WHAT_NUMBER), "555 0200"]
    turns += [agent("I have the number 5 5 5 0 2 0 0. Is that right?")]
    assert ask(*turns, "No.") == [Say(NUMBER_AGAIN)]
    assert ask(*turns, "No, it is 555 0100.") == [Say(READ_BACK)]
    assert ask(*turns, "No.", agent(NUMBER_AGAIN), "5550100") == [Say(READ_BACK)]


def test_a_caller_may_leave_it():
    turns = [ABOUT, agent("Sorry."), "Call me back.", agent(WHAT_NUMBER)]
    assert ask(*turns, "No, never mind.") == [Say(LEFT)]
    assert ask(*turns, "Hm.") == [Say(NUMBER_AGAIN)]


def test_a_number_that_nobody_needs_is_not_asked_for():
    theirs = tool("request_call_back", ["wish"], number=STRING, wish=STRING)
    answer = ask(ABOUT, agent("Sorry."), "Call me back.", tools=[theirs])
    assert calls(answer) == [("request_call_back", {"wish": ABOUT})]
    bare = tool("schedule_callback", [])
    assert calls(ask("Call me back.", tools=[bare])) == [("schedule_callback", {})]


@pytest.mark.parametrize(
    "words",
    [
        "Can I leave a message?",
        "I'd like to leave a voicemail for Anna.",
        "Please take a message.",
        "Put me through to voicemail.",
        "Voicemail, please.",
    ],
)
def test_a_caller_who_wants_to_leave_a_message_can_do_so(words):
    assert calls(ask(words)) == [("take_voicemail", {})]


def test_a_message_tool_gets_the_callers_words_where_it_needs_them():
    theirs = tool("take_message", ["message"], message=STRING)
    answer = ask(ABOUT, agent("Sorry."), "Can I leave a message?", tools=[theirs])
    assert calls(answer) == [("take_message", {"message": ABOUT.rstrip(".")})]


def test_yes_to_what_the_agent_offered_is_what_was_offered():
    message = agent("Nobody answered. Shall I take a message?")
    back = agent("Nobody answered. Shall somebody call you back?")
    both = agent("I can take a message, or somebody calls you back. Would you like that?")
    assert calls(ask(ABOUT, message, "Yes please.")) == [("take_voicemail", {})]
    assert ask(ABOUT, back, "Yes please.") == [Say(WHAT_NUMBER)]
    assert ask(ABOUT, both, "Yes please.") == [Say("A message, or a call back?")]
    assert ask(ABOUT, agent("A message, or a call back?"), "A call back.") == [Say(WHAT_NUMBER)]
    assert calls(ask(ABOUT, agent("A message, or a call back?"), "A message."))


def test_without_the_tool_it_says_so_and_offers_a_human():
    assert said(ask("Call me back.", tools=[TRANSFER])) == (
        f"I am sorry, I cannot arrange a call back. {OFFER}"
    )
    assert "cannot take a message" in said(ask("Can I leave a message?", tools=[]))
    assert calls(ask("Call me back.", tool_choice="none")) == []


def test_a_fact_about_call_backs_answers_where_there_is_no_tool():
    instructions = "- We call customers back within a day of their request for a call back."
    request = DialogueRequest(instructions, [Turn("user", "Can you call me back?")], [TRANSFER])
    assert "within a day" in said(reply(request))


@pytest.mark.parametrize(
    ("offers", "expected"),
    [
        ("", "What else can I do for you?"),
        ("to record a message for them (take_voicemail).", "Shall I take a message?"),
        ("that they are called back (schedule_callback).", "Shall they call you back?"),
        (
            "to record a message for them (take_voicemail) or that they are called back"
            " (schedule_callback).",
            "Shall I take a message, or shall they call you back?",
        ),
    ],
)
def test_a_closed_destination_is_told_with_what_may_be_done_instead(offers, expected):
    detail = "Support is closed now and opens Monday at nine. Tell the caller so."
    detail += f" You may offer {offers}" if offers else ""
    output = msgspec.json.encode({"status": "closed", "detail": detail}).decode()
    turns = [
        Turn("tool_call", "", "transfer_to_human", "{}", "c1"),
        Turn("tool_output", output, "transfer_to_human", "", "c1"),
    ]
    assert ask("A human please.", *turns) == [
        Say(f"I am sorry. Support is closed now and opens Monday at nine. {expected}")
    ]


@pytest.mark.parametrize(
    ("name", "status", "expected"),
    [
        ("schedule_callback", "scheduled", "That is arranged."),
        ("schedule_callback", "refused", "could not arrange that"),
        ("take_voicemail", "recording", "One moment please."),
        ("take_voicemail", "failed", "cannot take a message now"),
    ],
)
def test_the_outcome_is_told_and_not_the_detail_for_language_models(name, status, expected):
    output = msgspec.json.encode({"status": status, "detail": "Do not tell."}).decode()
    turns = [Turn("tool_call", "", name, "{}", "c1"), Turn("tool_output", output, name, "", "c1")]
    assert expected in said(ask("Please.", *turns))
    assert "Do not tell" not in said(ask("Please.", *turns))


def test_a_sentence_that_the_answer_of_a_tool_quotes_is_said():
    output = '{"status": "recording", "detail": "For example: \\"Please speak now.\\""}'
    turns = [
        Turn("tool_call", "", "take_voicemail", "{}", "c1"),
        Turn("tool_output", output, "take_voicemail", "", "c1"),
    ]
    assert ask("A message.", *turns) == [Say("Please speak now.")]


@pytest.mark.parametrize(
    "words",
    [
        "Nobody called me back.",
        "You promised to call me back.",
        "Don't call me back.",
        "I left a message yesterday.",
        "Did you get my message?",
        "There is no message.",
    ],
)
def test_talk_about_calls_and_messages_is_no_request(words):
    assert calls(ask(words)) == []
    assert WHAT_ABOUT not in said(ask(words))
