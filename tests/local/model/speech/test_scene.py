from hookflash_local.model.parts import Turn
from hookflash_local.model.speech.scene import read_scene


def test_what_is_said_in_a_row_is_one_utterance():
    scene = read_scene(
        [
            Turn("assistant", "What is the number?"),
            Turn("user", "Four five."),
            Turn("assistant", ""),
            Turn("system", "A note."),
            Turn("user", "Seven one."),
        ]
    )
    assert scene.said == ("Four five. Seven one.",)
    assert scene.latest == "Four five. Seven one."
    assert scene.heard == "What is the number?"


def test_what_was_answered_is_no_longer_open():
    scene = read_scene([Turn("user", "Hello."), Turn("assistant", "Hello."), Turn("user", "")])
    assert (scene.said, scene.latest, scene.heard) == (("Hello.",), "", "Hello.")


def test_tool_outputs_are_open_until_something_was_said():
    output = Turn("tool_output", "shipped", "look_up", "", "c1")
    asked = [Turn("user", "Where is it?"), Turn("tool_call", "", "look_up", "{}", "c1"), output]
    assert read_scene(asked).outputs == (output,)
    assert read_scene(asked).latest == ""
    assert read_scene([*asked, Turn("assistant", "It was shipped.")]).outputs == ()


def test_what_is_said_while_a_tool_runs_is_an_utterance_of_its_own():
    scene = read_scene(
        [
            Turn("user", "Where is it?"),
            Turn("tool_call", "", "look_up", "{}", "c1"),
            Turn("user", "Hello?"),
            Turn("tool_output", "shipped", "look_up", "", "c1"),
        ]
    )
    assert scene.said == ("Where is it?", "Hello?")
    assert scene.latest == "Hello?"


def test_keys_are_words_like_any_other():
    scene = read_scene([Turn("user", "The caller typed 4571 on the telephone's keypad.")])
    assert scene.latest == "4571"


def test_questions_are_counted():
    asked = Turn("assistant", "What is the number?")
    scene = read_scene([asked, Turn("user", "Hm."), asked, Turn("user", "Hm.")])
    assert scene.asked_times == {"What is the number?": 2}
