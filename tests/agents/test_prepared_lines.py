"""The texts of prepared lines: complete in every language, and the owner's own."""

from __future__ import annotations

import pytest

from hookflash import Agent, ConfigError
from hookflash.agents.prepared_lines import LONGEST_TEXT, SPOKEN, TEXTS, TONES, texts_of
from hookflash.core.setup import CallSetup


def test_every_language_has_every_line() -> None:
    assert sorted(TEXTS) == ["de", "en", "es", "fr", "it", "nl", "pt"]
    for language, texts in TEXTS.items():
        assert list(texts) == list(SPOKEN), language
        assert len(texts["filler"]) >= 3
        for variants in texts.values():
            assert len(set(variants)) == len(variants)
            assert all(0 < len(text) <= LONGEST_TEXT for text in variants), language


def test_no_two_languages_share_a_text() -> None:
    every = [text for texts in TEXTS.values() for variants in texts.values() for text in variants]
    shared = {text for text in every if every.count(text) > 1}
    assert shared == set()


def test_a_line_is_in_the_language_of_its_agent_or_else_in_english() -> None:
    assert texts_of("still-there", language="de", own={}) == ("de", ("Hallo, sind Sie noch da?",))
    for language in (None, "en", "pl"):
        spoken = texts_of("still-there", language=language, own={})
        assert spoken == ("en", ("Hello, are you still there?",))


def test_an_owners_text_is_in_the_owners_language() -> None:
    own = {"back": ("Jestem z powrotem.",)}
    assert texts_of("back", language="pl", own=own) == ("pl", ("Jestem z powrotem.",))
    assert texts_of("back", language=None, own=own) == ("en", ("Jestem z powrotem.",))
    assert texts_of("sorry", language="pl", own=own)[0] == "en"


def test_an_agent_takes_a_text_or_variants_and_tidies_their_spaces() -> None:
    agent = Agent(
        "shop",
        instructions="Sell.",
        prepared={"filler": ["One\n  moment.", "Let me see."], "back": "Here again."},
    )
    assert dict(agent.prepared) == {
        "filler": ("One moment.", "Let me see."),
        "back": ("Here again.",),
    }
    assert dict(Agent("shop", instructions="Sell.").prepared) == {}


def test_an_own_apology_is_also_what_the_carriers_voice_says() -> None:
    own = Agent("shop", instructions="Sell.", prepared={"apology": "We are closed by a fault."})
    assert own.call_setup().apology == "We are closed by a fault."
    assert Agent("shop", instructions="Sell.").call_setup().apology == CallSetup().apology
    assert TEXTS["en"]["apology"] == (CallSetup().apology,)


@pytest.mark.parametrize(
    ("prepared", "told"),
    [
        ({"fillers": "One moment."}, "'fillers' is no prepared line; use filler, still-there"),
        ({"tone": "Beep."}, "'tone' is a sound and has no text; use filler"),
        ({7: "x"}, "7 is no prepared line"),
        ({"filler": []}, "must be a text or a list of 1 to 8 texts, got []"),
        ({"filler": ["x"] * 9}, "must be a text or a list of 1 to 8 texts"),
        ({"filler": {"x"}}, "must be a text or a list"),
        ({"filler": " "}, "must be a text of 1 to 400 characters, got ' '"),
        ({"filler": ["One.", 2]}, "must be a text of 1 to 400 characters, got 2"),
        ({"filler": "x" * 401}, "must be a text of 1 to 400 characters"),
        ("One moment.", "prepared must map lines to texts"),
    ],
)
def test_what_is_wrong_is_named_with_what_was_expected(prepared: object, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Agent("shop", instructions="Sell.", prepared=prepared)  # type: ignore[arg-type]
    assert str(caught.value).startswith("Agent 'shop': prepared")
    assert told in str(caught.value)


def test_the_tones_have_no_texts() -> None:
    assert set(TONES) == {"tone", "ringing"}
    assert not set(TONES) & set(SPOKEN)
