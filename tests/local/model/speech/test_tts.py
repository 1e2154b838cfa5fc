import re

import jiwer
import numpy as np
import pytest

from hookflash_local.model.speech.pcm import mulaw_to_pcm16


def words(text):
    return " ".join(re.sub(r"[^a-z0-9' ]", " ", text.lower()).split())


@pytest.mark.parametrize(
    "text",
    [
        "Thank you for calling. How can I help you today?",
        "I am connecting you with customer support now. One moment please.",
        "We are open Monday to Friday, and on Saturday morning.",
    ],
)
def test_what_is_spoken_is_heard_again(components, text):
    heard = components.transcriber.transcribe(b"".join(components.voice.speak(text)))
    assert jiwer.wer(words(text), words(heard)) <= 0.2


def test_numbers_and_abbreviations_are_read_as_words(components):
    heard = components.transcriber.transcribe(
        b"".join(components.voice.speak("Dr. Smith has 25 chairs."))
    )
    assert "25" in heard or "twenty" in heard.lower()
    assert "smith" in heard.lower()


def test_sound_comes_in_pieces_that_a_telephone_can_play(components):
    pieces = list(components.voice.speak("One moment please. I will be right back."))
    assert all(0 < len(piece) <= 1600 for piece in pieces)
    assert 1.5 < sum(map(len, pieces)) / 8000 < 6
    loudest = np.abs(mulaw_to_pcm16(b"".join(pieces)).astype(int)).max()
    assert 12000 < loudest < 28000


def test_the_first_sound_is_made_before_the_rest_is_begun(components, monkeypatch):
    begun = []
    synthesize = components.voice._piper.synthesize

    def watched(text):
        begun.append(text)
        return synthesize(text)

    monkeypatch.setattr(components.voice._piper, "synthesize", watched)
    opening = "We are open from Monday to Friday, from nine in the morning to six in the evening."
    stream = components.voice.speak(f"{opening} That is all.")
    assert next(stream)
    assert begun == ["We are open from Monday to Friday,"]
    assert b"".join(stream)
    assert begun[1:] == ["from nine in the morning to six in the evening.", "That is all."]


@pytest.mark.parametrize("nothing", ["", "   ", "\n"])
def test_nothing_to_say_is_no_sound(components, nothing):
    assert b"".join(components.voice.speak(nothing)) == b""
