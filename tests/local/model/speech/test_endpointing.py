import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import ValidationError

from hookflash_local.model.speech.endpointing import (
    FRAME_MS,
    LONGEST_MS,
    Endpointer,
    Endpointing,
    SpeechEnd,
    SpeechStart,
)


def run(probabilities, **options):
    machine = Endpointer(Endpointing(**options))
    return [each for p in probabilities if (each := machine.take(p)) is not None]


def test_two_loud_frames_begin_speech_and_half_a_second_of_silence_ends_it():
    events = run([0.0] * 20 + [0.9] * 10 + [0.1] * 16)
    assert events == [SpeechStart(20 * 32 - 300), SpeechEnd(20 * 32 - 300, 46 * 32)]


def test_one_loud_frame_is_a_click_and_begins_nothing():
    assert run([0.0] * 5 + [0.99] + [0.0] * 40) == []


def test_a_click_does_not_move_the_beginning_of_what_follows():
    assert run([0.0] * 20 + [0.9] + [0.0] * 5 + [0.9] * 2) == [SpeechStart(26 * 32 - 300)]


def test_a_pause_shorter_than_the_silence_does_not_end_speech():
    assert run([0.9] * 10 + [0.0] * 15 + [0.9] * 5) == [SpeechStart(0)]


def test_between_the_thresholds_speech_goes_on_but_does_not_begin():
    assert run([0.4] * 50) == []
    assert run([0.9] * 2 + [0.4] * 50) == [SpeechStart(0)]


def test_a_pause_goes_on_while_the_probability_is_between_the_thresholds():
    events = run([0.9] * 4 + [0.1] + [0.4] * 15)
    assert events == [SpeechStart(0), SpeechEnd(0, 20 * 32)]


def test_padding_never_reaches_into_the_utterance_before():
    first = [0.9] * 4 + [0.0] * 16
    events = run(first + [0.0] * 2 + [0.9] * 4)
    assert events[-1] == SpeechStart(20 * 32)


def test_what_a_session_asks_for_is_what_the_machine_does():
    events = run(
        [0.0] * 20 + [0.75] * 4 + [0.0] * 7,
        threshold=0.7,
        prefix_padding_ms=100,
        silence_duration_ms=200,
    )
    assert events == [SpeechStart(540), SpeechEnd(540, 31 * 32)]
    assert run([0.65] * 30, threshold=0.7) == []


def test_an_utterance_that_does_not_end_is_ended():
    events = run([0.9] * (LONGEST_MS // FRAME_MS + 4))
    assert events == [SpeechStart(0), SpeechEnd(0, LONGEST_MS), SpeechStart(LONGEST_MS)]


def test_a_turn_detection_is_read_with_the_defaults_of_the_realtime_api():
    assert Endpointing.from_turn_detection(None) == Endpointing()
    given = {
        "type": "server_vad",
        "threshold": 0.8,
        "prefix_padding_ms": None,
        "create_response": 1,
    }
    assert Endpointing.from_turn_detection(given) == Endpointing(threshold=0.8)
    lazy = Endpointing.from_turn_detection({"type": "semantic_vad", "eagerness": "low"})
    assert lazy.silence_duration_ms == 1000
    eager = Endpointing.from_turn_detection({"type": "semantic_vad"})
    assert eager.silence_duration_ms == 600


def test_a_turn_detection_of_the_wrong_type_is_refused():
    with pytest.raises(ValidationError, match="threshold"):
        Endpointing.from_turn_detection({"threshold": "loud"})


@given(st.lists(st.sampled_from([0.0, 0.2, 0.4, 0.6, 0.95]), max_size=300))
def test_beginnings_and_ends_alternate_and_utterances_never_overlap(probabilities):
    machine = Endpointer(Endpointing())
    end_ms, start_ms = 0, None
    for number, probability in enumerate(probabilities):
        retained_from_ms = machine.retain_from_ms
        match machine.take(probability):
            case SpeechStart(start_ms=began_ms):
                assert start_ms is None and began_ms >= end_ms
                assert retained_from_ms <= began_ms
                start_ms = began_ms
            case SpeechEnd(start_ms=began_ms, end_ms=ended_ms):
                assert began_ms == start_ms and ended_ms == (number + 1) * FRAME_MS
                assert retained_from_ms <= began_ms
                end_ms, start_ms = ended_ms, None
