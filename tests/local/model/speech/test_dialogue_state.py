from hookflash_local.model.components import Turn
from hookflash_local.model.speech.dialogue_state import read_dialogue_state


def test_what_is_said_in_a_row_is_one_utterance():
    dialogue = read_dialogue_state(
        [
            Turn("assistant", "What is the number?"),
            Turn("user", "Four five."),
            Turn("assistant", ""),
            Turn("system", "A note."),
            Turn("user", "Seven one."),
        ]
    )
    assert dialogue.said == ("Four five. Seven one.",)
    assert dialogue.latest == "Four five. Seven one."
    assert dialogue.heard == "What is the number?"


def test_what_was_answered_is_no_longer_open():
    dialogue = read_dialogue_state(
        [Turn("user", "Hello."), Turn("assistant", "Hello."), Turn("user", "")]
    )
    assert (dialogue.said, dialogue.latest, dialogue.heard) == (("Hello.",), "", "Hello.")


def test_tool_outputs_are_open_until_something_was_said():
    output = Turn("tool_output", "shipped", "look_up", "", "c1")
    asked = [Turn("user", "Where is it?"), Turn("tool_call", "", "look_up", "{}", "c1"), output]
    assert read_dialogue_state(asked).outputs == (output,)
    assert read_dialogue_state(asked).latest == ""
    assert read_dialogue_state([*asked, Turn("assistant", "It was shipped.")]).outputs == ()


def test_what_is_said_while_a_tool_runs_is_an_utterance_of_its_own():
    dialogue = read_dialogue_state(
        [
            Turn("user", "Where is it?"),
            Turn("tool_call", "", "look_up", "{}", "c1"),
            Turn("user", "Hello?"),
            Turn("tool_output", "shipped", "look_up", "", "c1"),
        ]
    )
    assert dialogue.said == ("Where is it?", "Hello?")
    assert dialogue.latest == "Hello?"


def test_keys_are_words_like_any_other():
    dialogue = read_dialogue_state(
        [Turn("user", "The caller typed 4571 on the telephone's keypad.")]
    )
    assert dialogue.latest == "4571"


def test_questions_are_counted():
    asked = Turn("assistant", "What is the number?")
    dialogue = read_dialogue_state([asked, Turn("user", "Hm."), asked, Turn("user", "Hm.")])
    assert dialogue.times_said == {"What is the number?": 2}
