from importlib.resources import files

import pytest

from hookflash.errors import ConfigError
from hookflash_local import audio


@pytest.mark.parametrize("name", audio.names())
def test_each_recording_is_there_with_its_words_and_licence(name):
    recording = audio.load(name)
    assert recording.name == name
    assert recording.transcript and recording.licence
    assert len(recording.audio) / 8000 == pytest.approx(recording.seconds, abs=0.01)
    assert len(set(recording.audio)) > 20


def test_the_recordings_that_the_demo_and_the_docs_name_are_there():
    assert {"speak-to-customer-support", "yes", "nope", "tts-interrupt-piper-joe"} <= set(
        audio.names()
    )
    assert len(audio.names()) == 47


def test_every_file_has_its_licence_written_down():
    assert "speak-to-customer-support" in (files(audio) / "LICENCES.md").read_text("utf-8")


def test_a_name_that_is_none_is_answered_with_those_there_are():
    with pytest.raises(ConfigError, match=r"expected one of .*jfk.*, got 'x'"):
        audio.load("x")
