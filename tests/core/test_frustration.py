from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hookflash import ConfigError
from hookflash.core.frustration import Frustration, FrustrationMeter
from hookflash.core.frustration_words import phrases

NOW = 1_764_000_000.0


def meter(**about: object) -> FrustrationMeter:
    return FrustrationMeter(Frustration("support", **about))  # type: ignore[arg-type]


def test_asking_for_a_human_twice_is_enough_and_is_named() -> None:
    one = meter()
    one.caller_said("Can I talk to a human?", NOW)
    assert (one.score(NOW), one.verdict(NOW)) == (1.5, None)
    one.caller_said("No, I said a HUMAN please.", NOW + 10)
    assert one.verdict(NOW + 10) == "said 'human' twice"


def test_signs_of_all_kinds_add_up() -> None:
    one = meter()
    for _ in range(3):
        one.tool_finished(True, NOW)
    for _ in range(4):
        one.barged_in(NOW)
    one.caller_said("This is ridiculous, get me a manager", NOW)
    assert one.score(NOW) == 3.0 + 1.5 + 1.0 + 1.5
    assert one.verdict(NOW) == (
        "said 'manager' once, complained once, third failed lookup,"
        " talked over the agent four times"
    )


def test_the_first_interruption_does_not_count() -> None:
    one = meter()
    one.barged_in(NOW)
    assert (one.score(NOW), one.reasons(NOW)) == (0.0, ())
    one.barged_in(NOW)
    assert (one.score(NOW), one.reasons(NOW)) == (0.5, ("talked over the agent twice",))


def test_saying_the_same_again_is_a_sign_and_short_answers_are_none() -> None:
    one = meter()
    for _ in range(3):
        one.caller_said("Yes, please.", NOW)
    assert one.score(NOW) == 0.0
    one.caller_said("Where is my order 4711?", NOW)
    one.caller_said("I like music.", NOW)
    one.caller_said("So where is my order 4711?", NOW)
    one.caller_said("Where is my order, 4711!", NOW)
    assert one.reasons(NOW) == ("said the same thing three times",)


def test_a_successful_tool_resets_earlier_failures() -> None:
    one = meter()
    one.tool_finished(True, NOW)
    one.tool_finished(True, NOW)
    one.tool_finished(False, NOW)
    assert one.score(NOW) == 0.0


def test_signs_of_frustration_expire() -> None:
    one = meter(seconds=60.0)
    one.caller_said("I want a human right now", NOW)
    assert one.score(NOW + 59) == 1.5
    assert one.score(NOW + 60) == 0.0
    one.caller_said("I want a human right now", NOW + 61)
    assert one.reasons(NOW + 61) == ("said 'human' once",)


def test_after_a_verdict_the_score_starts_at_zero() -> None:
    one = meter(threshold=1.0)
    one.caller_said("You don't understand what I want.", NOW)
    assert one.verdict(NOW) == "complained once"
    assert one.verdict(NOW) is None
    one.caller_said("I want what you do not know", NOW)
    assert one.verdict(NOW) is None


def test_many_of_a_kind_are_counted_in_figures() -> None:
    one = meter(threshold=100.0)
    for _ in range(7):
        one.tool_finished(True, NOW)
        one.caller_said("human", NOW)
    assert one.reasons(NOW) == ("said 'human' 7 times", "7th failed lookup")


@pytest.mark.parametrize(
    ("language", "text", "word"),
    [
        ("en", "Let me speak to someone.", "someone"),
        ("en", "could you put me through to a supervisor", "supervisor"),
        ("en", "a real person, please", "real person"),
        ("en", "I don't need a human, just the price.", None),
        ("en", "That was human error.", None),
        ("en", "I am a busy person.", None),
        ("en", "The travel agent booked it.", None),
        ("en", "not a human... I mean yes, a human", "human"),
        ("de", "Ich möchte mit einem Menschen sprechen.", "menschen"),
        ("de", "Kann ich bitte mit jemandem reden?", "jemandem"),
        ("de", "Ich brauche keinen Mitarbeiter.", None),
        ("es", "Quiero hablar con una persona.", "persona"),
        ("es", "No quiero hablar con un representante", None),
        ("fr", "Je veux parler à quelqu'un.", "quelqu'un"),
        ("fr", "Un conseiller, s'il vous plaît", "conseiller"),
        ("fr", "Je n'ai pas besoin d'un conseiller", None),
        (None, "Quiero hablar con un humano", "humano"),
        ("xx", "Ein Mensch bitte", "mensch"),
    ],
)
def test_how_callers_ask_for_a_human(language: str | None, text: str, word: str | None) -> None:
    assert phrases(language).human(text) == word


@pytest.mark.parametrize(
    ("language", "text", "complains"),
    [
        ("en", "I already told you my number", True),
        ("en", "you're not listening", True),
        ("en", "That is a nice idea", False),
        ("de", "Das habe ich Ihnen doch schon gesagt!", True),
        ("de", "Sie verstehen mich nicht", True),
        ("de", "Guten Tag", False),
        ("es", "ya se lo dije", True),
        ("fr", "j'en ai marre", True),
    ],
)
def test_how_callers_complain(language: str, text: str, complains: bool) -> None:
    assert phrases(language).complains(text) is complains


def test_an_owner_has_words_of_their_own() -> None:
    one = meter(words=("Front Desk", "c++ team"))
    one.caller_said("The front desk, now! Or the C++ team.", NOW)
    assert one.reasons(NOW) == ("said 'front desk' once",)


@pytest.mark.parametrize(
    ("about", "complaint"),
    [
        ({"threshold": 0.0}, "threshold must be more than 0"),
        ({"seconds": float("nan")}, "seconds must be more than 0"),
        ({"words": "boss"}, r"write \('boss',\)"),
    ],
)
def test_invalid_limits_of_frustration_are_refused(
    about: dict[str, object], complaint: str
) -> None:
    with pytest.raises(ConfigError, match=complaint):
        meter(**about)


feeds = st.lists(
    st.one_of(
        st.tuples(st.just("said"), st.sampled_from(["a human", "this is useless", "hello", ""])),
        st.tuples(st.just("tool"), st.booleans()),
        st.tuples(st.just("barge"), st.none()),
    ),
    max_size=60,
)


@settings(deadline=None)
@given(feeds, st.floats(0.5, 6.0))
def test_a_verdict_has_reasons_and_the_score_never_falls_below_zero(
    feed: list[tuple[str, object]], threshold: float
) -> None:
    one, now = meter(threshold=threshold), NOW
    for kind, what in feed:
        now += 7.0
        if kind == "said":
            one.caller_said(str(what), now)
        elif kind == "tool":
            one.tool_finished(bool(what), now)
        else:
            one.barged_in(now)
        before = one.score(now)
        assert before >= 0.0
        verdict = one.verdict(now)
        assert (verdict is not None) is (before >= threshold)
        if verdict is not None:
            assert verdict
            assert one.score(now) == 0.0
