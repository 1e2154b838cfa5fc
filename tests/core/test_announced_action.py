from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hookflash.core.conversation.announced_action import AnnouncedAction, announcement


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("I am connecting you with billing now.", "transfer"),
        ("I'll put you through to the FRONT DESK.", "transfer"),
        ("Ich stelle Sie zur Buchhaltung durch.", "transfer"),
        ("Le paso con facturación.", "transfer"),
        ("I am connecting you with the quillery now.", "unclear"),
        ("I’m connecting you… please wait.", "unclear"),
        ("Would you like to talk to a colleague? I'm transferring you now.", "unclear"),
        ("I'm transferring you now. You will be connected to a colleague.", "transfer"),
        ("I will connect you with billing if you like.", None),
        ("", None),
    ],
)
def test_a_human_or_a_destination_makes_an_announcement_clear(text: str, kind: str | None) -> None:
    assert announcement(text, ["billing", "front-desk", "facturacion", "_", ""]) == kind


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Ich leite Sie weiter.", "unclear"),
        ("ich leite sie weiter", "unclear"),
        ("Die Frage notiere ich und leite sie weiter.", None),
    ],
)
def test_german_sie_is_the_caller_unless_it_is_small_among_capitals(
    text: str, kind: str | None
) -> None:
    assert announcement(text) == kind


def test_without_destinations_only_humans_are_named() -> None:
    assert announcement("I am connecting you with the desk.") == "unclear"
    assert announcement("I am connecting you with the desk.", ["desk"]) == "transfer"
    assert announcement("I am connecting you with a person.") == "transfer"


@settings(deadline=None)
@given(st.text(), st.lists(st.text(max_size=12), max_size=4))
def test_any_text_and_any_keys_have_an_answer(text: str, keys: list[str]) -> None:
    assert announcement(text, keys) in ("transfer", "unclear", None)


def said(action: AnnouncedAction, text: str) -> AnnouncedAction:
    action.response_started()
    action.said(text)
    return action


@pytest.mark.parametrize(
    ("text", "kind"),
    [("I am connecting you with a colleague.", "transfer"), ("Transferring you now", "unclear")],
)
def test_the_agent_is_reminded_once_and_not_again(text: str, kind: str) -> None:
    action = AnnouncedAction()
    assert said(action, text).owed() == kind
    assert said(action, text).owed() is None
    assert said(action, text).owed() == kind, "later, it counts again"


def test_a_response_without_an_announcement_ends_the_reminders() -> None:
    action = AnnouncedAction()
    assert said(action, "Transferring you now").owed() == "unclear"
    assert said(action, "Sorry, what is your name?").owed() is None
    assert said(action, "I am connecting you with a colleague.").owed() == "transfer"


def test_a_response_that_called_a_tool_owes_nothing() -> None:
    action = said(AnnouncedAction(), "I am connecting you now.")
    action.called_tool()
    assert action.owed() is None


def test_an_announcement_does_not_count_for_the_next_response() -> None:
    action = said(AnnouncedAction(), "I am connecting you")
    assert said(action, " with pleasure.").owed() is None
