"""What callers want, heard by the real weights: many voices, wordings and lines."""

import numpy as np
import pytest

from hookflash_local import audio
from hookflash_local.audio.impairments import IMPAIRMENTS
from hookflash_local.model.components import CallTool, DialogueRequest, Turn
from hookflash_local.model.speech.intents import says_no, says_yes, wants_person
from hookflash_local.model.speech.parameter_values import find_value
from hookflash_local.model.speech.pcm import mulaw_to_pcm16
from hookflash_local.model.speech.receptionist import reply
from hookflash_local.model.speech_service import transcribe

ASKING = "speak-to-customer-support"
ALSO_ASKING = ("tts-human", "tts-agent", "tts-emergency")
TEXT = {"type": "string"}
TRANSFER = {
    "type": "function",
    "name": "transfer_to_human",
    "description": "Bring a human onto this call.",
    "parameters": {"type": "object", "properties": {"reason": TEXT}, "required": ["reason"]},
}


def heard(components, sound):
    return transcribe(components, sound).text


def test_at_least_eighteen_of_twenty_requests_for_a_human_are_recognised(components, callers):
    requests = [one for one in callers.callers() if one.wants == "human"]
    assert len(requests) == 20
    assert len({one.voice for one in requests}) >= 8
    assert {one.line for one in requests} == set(IMPAIRMENTS)
    missed = {}
    for one in requests:
        words = heard(components, callers.on_the_line(one))
        answer = reply(DialogueRequest("", [Turn("user", words)], [TRANSFER]))
        if not any(isinstance(each, CallTool) for each in answer):
            missed[f"{one.said} ({one.voice}, {one.line})"] = words
    assert len(missed) <= 2, missed


@pytest.mark.parametrize("line", ["good line", "noise, 10 dB", "narrow band", "low level"])
def test_the_recorded_request_is_recognised_on_bad_lines_too(components, line):
    assert wants_person(heard(components, IMPAIRMENTS[line](audio.load(ASKING).audio)))


def test_no_other_recording_is_taken_for_a_request(components):
    others = [n for n in audio.names() if n != ASKING and not n.startswith(ALSO_ASKING)]
    assert len(others) == 40
    taken = {}
    for name in others:
        words = heard(components, audio.load(name).audio)
        if wants_person(words):
            taken[name] = words
    assert taken == {}


def found(wants, words):
    """Return whether what a caller is asked for is found in the words that were heard."""
    if wants in ("yes", "no"):
        return (says_yes(words), says_no(words)) == (wants == "yes", wants == "no")
    name = "order_number" if any(letter.isdigit() for letter in wants) else "name"
    return find_value(name, TEXT, words, asked=True) == wants


def test_numbers_names_yes_and_no_are_understood(components, callers):
    asked = [one for one in callers.callers() if one.wants != "human"]
    assert len(asked) >= 20
    missed = {}
    for one in asked:
        words = heard(components, callers.on_the_line(one))
        if not found(one.wants, words):
            missed[f"{one.said} ({one.voice}, {one.line})"] = words
    assert len(missed) <= len(asked) // 5, missed


def test_the_sound_of_every_caller_is_kept_and_no_other(callers):
    kept = {path.name for path in callers.FOLDER.glob("*.wav")}
    assert kept == {one.file.name for one in callers.callers()}, "run bench/callers.py"


@pytest.mark.parametrize("line", IMPAIRMENTS)
def test_a_line_returns_as_much_as_it_got_and_always_the_same(line):
    sound = audio.load("yes").audio
    assert len(IMPAIRMENTS[line](sound)) == len(sound)
    assert IMPAIRMENTS[line](sound) == IMPAIRMENTS[line](sound)
    assert (IMPAIRMENTS[line](sound) == sound) == (line == "good line")
    assert IMPAIRMENTS[line](b"") == b""


def test_lines_do_what_they_are_called():
    sound = audio.load("librivox_0880").audio
    clean = mulaw_to_pcm16(sound).astype(float)

    def wave(line):
        return mulaw_to_pcm16(IMPAIRMENTS[line](sound)).astype(float)

    def decibels(power, other):
        return 10 * np.log10(np.mean(power) / np.mean(other))

    spoken = np.abs(clean) > 1000
    assert 12 < decibels(clean[spoken] ** 2, (wave("noise, 15 dB") - clean)[spoken] ** 2) < 21
    assert 7 < decibels(clean[spoken] ** 2, (wave("noise, 10 dB") - clean)[spoken] ** 2) < 16
    assert 24 < decibels(clean**2, wave("low level") ** 2) < 28
    lost = np.all(wave("lost packets, 5 %")[: len(clean) // 160 * 160].reshape(-1, 160) == 0, 1)
    assert 0.01 < lost.mean() < 0.12
    clipped = np.abs(wave("clipped"))
    assert np.mean(clipped > 0.98 * clipped.max()) > 0.01
    spectrum = np.abs(np.fft.rfft(wave("narrow band"))) ** 2
    hertz = np.fft.rfftfreq(len(clean), 1 / 8000)
    assert spectrum[(hertz > 450) & (hertz < 2400)].sum() > 0.9 * spectrum.sum()
