"""What is found for a prepared line: a clip, the next variant in turn, or a tone."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import pytest

from hookflash import Agent
from hookflash.agents.prepared_lines import SPOKEN, TEXTS
from hookflash.g711 import LINEAR
from hookflash.runtime.loudness import level_dbfs
from hookflash.runtime.prepared_speech import Clip, PreparedSpeech, Sentence, ringing, tone


class Shelf:
    """Clips that are ready, by text."""

    def __init__(self, *texts: str) -> None:
        self.ready = dict.fromkeys(texts)
        self.asked: list[Sentence] = []

    def clip(self, sentence: Sentence) -> Clip | None:
        self.asked.append(sentence)
        return Clip.of(b"\x01" * 800, sentence.text) if sentence.text in self.ready else None


def lines(
    store: Shelf, *, tools: dict[str, Sequence[str]] | None = None, **options: object
) -> PreparedSpeech:
    agent = Agent("shop", instructions="Sell.", **options)  # type: ignore[arg-type]
    for name, filler in (tools or {}).items():
        agent.tool(name=name, description="Look.", filler=filler)(lambda: None)
    return PreparedSpeech.of(agent, store, voice="marin")


def test_variants_are_said_in_turn() -> None:
    variants = TEXTS["en"]["filler"]
    found = lines(Shelf(*variants))
    said = [found.find("filler").text for _ in range(2 * len(variants))]
    assert said == [*variants, *variants]


def test_a_variant_that_is_not_rendered_is_left_out() -> None:
    one, two, three, four = TEXTS["en"]["filler"]
    store = Shelf(two, four)
    found = lines(store)
    assert [found.find("filler").text for _ in range(3)] == [two, four, two]
    store.ready[three] = None
    assert [found.find("filler").text for _ in range(3)] == [three, four, two]
    store.ready[one] = None
    assert found.find("filler").text == three


def test_two_calls_have_turns_of_their_own() -> None:
    store = Shelf(*TEXTS["en"]["filler"])
    assert lines(store).find("filler") == lines(store).find("filler")


@pytest.mark.parametrize("line", SPOKEN)
def test_a_line_that_is_not_rendered_is_the_tone(line: str) -> None:
    assert lines(Shelf()).find(line) == tone()
    assert PreparedSpeech.tones_only().find(line) == tone()


def test_a_line_there_is_not_is_refused() -> None:
    with pytest.raises(
        ValueError, match="no prepared line 'music'; expected one of filler, .*ring"
    ):
        lines(Shelf()).find("music")


def test_a_sentence_is_in_the_agents_voice_and_language() -> None:
    store = Shelf()
    lines(store, voice="cedar", language="de").find("back")
    lines(store, language="pl", prepared={"back": "Jestem."}).find("back")
    lines(store, language="pl").find("still-there")
    assert store.asked == [
        Sentence(TEXTS["de"]["back"][0], "cedar", "de"),
        Sentence("Jestem.", "marin", "pl"),
        Sentence(TEXTS["en"]["still-there"][0], "marin", "en"),
    ]


def test_one_variant_of_every_line_is_rendered_before_the_second_of_any() -> None:
    sentences = lines(Shelf()).sentences
    first = [TEXTS["en"][line][0] for line in SPOKEN]
    assert [each.text for each in sentences] == [*first, *TEXTS["en"]["filler"][1:]]
    assert PreparedSpeech.tones_only().sentences == ()


def test_a_tools_own_lines_are_said_in_turn_in_the_agents_voice_and_language() -> None:
    shelf = Shelf("Ich sehe nach.", "Es dauert noch.", TEXTS["de"]["filler"][0])
    tools = {"look_up": ["Ich sehe nach.", "Es dauert noch."]}
    found = lines(shelf, voice="cedar", language="de", tools=tools)
    said = [found.find("filler", "look_up").text for _ in range(3)]
    assert said == ["Ich sehe nach.", "Es dauert noch.", "Ich sehe nach."]
    assert shelf.asked[0] == Sentence("Ich sehe nach.", "cedar", "de")
    assert found.find("filler", "ping").text == TEXTS["de"]["filler"][0]


def test_a_tools_line_that_is_not_rendered_is_the_tone() -> None:
    found = lines(Shelf(*TEXTS["en"]["filler"]), tools={"look_up": ["I am looking."]})
    assert found.find("filler", "look_up") == tone()
    assert PreparedSpeech.tones_only().find("filler", "look_up") == tone()


def test_the_lines_of_tools_are_rendered_too_and_may_have_a_prepared_lines_name() -> None:
    found = lines(Shelf(), tools={"filler": ["I am looking.", "Still."], "sorry": ["Wait."]})
    texts = [each.text for each in found.sentences]
    assert texts.index("I am looking.") < texts.index(TEXTS["en"]["filler"][1])
    assert {"Still.", "Wait."} < set(texts)
    assert TEXTS["en"]["sorry"][0] in texts


def test_half_a_surrogate_pair_in_an_owners_text_is_replaced() -> None:
    (text,) = [each.text for each in lines(Shelf(), prepared={"back": "a\ud83d"}).sentences[6:7]]
    assert text == "a\ufffd"


@pytest.mark.parametrize(
    ("clip", "milliseconds", "dbfs"), [(tone(), 250, -30.0), (ringing(), 1200, -28.0)]
)
def test_tones_are_quiet_and_begin_and_end_softly(
    clip: Clip, milliseconds: int, dbfs: float
) -> None:
    sound = base64.b64decode(clip.payload)
    assert (clip.size, clip.text) == (len(sound), "") == (8 * milliseconds, "")
    edge = 40 * 8
    assert level_dbfs(sound[edge:-edge]) == pytest.approx(dbfs, abs=0.5)
    linear = [LINEAR[code] for code in sound]
    assert linear[0] == linear[-1] == 0
    # The steps between samples grow with the tone: there is none at either end that would click.
    steps = [abs(b - a) for a, b in zip(linear, linear[1:], strict=False)]
    assert max(steps[:40]) < max(steps) / 10
    assert max(steps[-40:]) < max(steps) / 10


def test_tones_are_found_by_name() -> None:
    found = lines(Shelf())
    assert (found.find("tone"), found.find("ringing")) == (tone(), ringing())
