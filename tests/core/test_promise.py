from __future__ import annotations

import pytest

from hookflash.core.conversation.announced_action import AnnouncedAction, announces


@pytest.mark.parametrize(
    "text",
    [
        "I am connecting you with billing now.",
        "Sure! I'm transferring you to a colleague. One moment.",
        "I’ll put you through to support.",
        "Let me transfer you.",
        "One moment, I will pass your call on to the desk.",
        "Ich verbinde Sie jetzt mit der Buchhaltung.",
        "Ich stelle Sie gerne durch.",
        "Je vous transfère au service client.",
        "Le paso con un compañero.",
    ],
)
def test_a_plain_announcement_is_a_announced(text: str) -> None:
    assert announces(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Your order arrives on Friday.",
        "Would you like me to transfer you?",
        "I can connect you with billing.",
        "If you want, I will put you through.",
        "I could not reach billing. I tried to connect you.",
        "I am not able to transfer you.",
        "Shall I transfer you to a colleague?",
        "I will connect the printer now.",
    ],
)
def test_offers_questions_and_conditions_are_none(text: str) -> None:
    assert not announces(text)


def said(announced: AnnouncedAction, text: str) -> AnnouncedAction:
    announced.response_started()
    announced.said(text)
    return announced


def test_it_is_asked_for_once_and_not_in_a_circle() -> None:
    announced = AnnouncedAction()
    assert said(announced, "I am connecting you now.").owed()
    assert not said(announced, "I am connecting you now.").owed()
    assert said(announced, "I am connecting you now.").owed(), "later, it counts again"


def test_who_does_it_owes_nothing() -> None:
    announced = said(AnnouncedAction(), "I am connecting you now.")
    announced.did()
    assert not announced.owed()


def test_what_one_response_said_is_not_held_against_the_next() -> None:
    announced = said(AnnouncedAction(), "I am connecting you")
    assert not said(announced, " with pleasure.").owed()
