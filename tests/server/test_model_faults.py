"""What goes wrong with the model: one line with the call's SID and the remedy, and a count."""

from __future__ import annotations

import pytest

from hookflash.core.commands import CloseModel, MoveCall, OpenModel, PlayAudio
from hookflash.core.events import AnyEvent, ModelAudio, ModelLost, ModelRefused, ResponseEnded
from hookflash.server.model_faults import MAX_CODES, ModelFaults

from .conftest import Time

CALL = "CA" + "0" * 32


@pytest.fixture
def faults(time: Time) -> ModelFaults:
    return ModelFaults(time)


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [f"{record.levelname} {record.getMessage()}" for record in caplog.records]


def test_a_response_that_failed_for_want_of_credit_is_told_with_its_remedy(
    faults: ModelFaults, caplog: pytest.LogCaptureFixture
) -> None:
    faults.watch(CALL, ResponseEnded("r1", "failed", "insufficient_quota"), [])
    (line,) = lines(caplog)
    assert line.startswith(
        f"WARNING {CALL} ! a response of the model is failed: insufficient_quota"
    )
    assert "add credit" in line
    assert faults.failed == {"insufficient_quota": 1}


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (ResponseEnded("r1", "failed", "server_error"), "server_error"),
        (ResponseEnded("r1", "failed"), "failed"),
        (ResponseEnded("r1", "failed", "Something odd\nhas happened"), "other"),
        (ResponseEnded("r1", "incomplete", "content_filter"), "content_filter"),
    ],
)
def test_every_other_failed_response_is_told(
    faults: ModelFaults, caplog: pytest.LogCaptureFixture, event: AnyEvent, reason: str
) -> None:
    faults.watch(CALL, event, [])
    assert len(lines(caplog)) == 1
    assert faults.failed == {reason: 1}


def test_a_response_that_ended_well_or_was_cancelled_is_not(
    faults: ModelFaults, caplog: pytest.LogCaptureFixture
) -> None:
    faults.watch(CALL, ResponseEnded("r1", "completed"), [])
    faults.watch(CALL, ResponseEnded("r1", "cancelled", "turn_detected"), [])
    faults.watch(CALL, ModelAudio("r", "i", "", 160), [PlayAudio("", 160), CloseModel()])
    faults.watch(CALL, None, [MoveCall(2, (), 2.0)])
    assert lines(caplog) == []
    assert (faults.failed, faults.errors, faults.lost) == ({}, {}, {})


def test_each_error_event_is_told(faults: ModelFaults, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="hookflash.call.model")
    faults.watch(CALL, ModelRefused("invalid_value", "No such item.", False), [])
    faults.watch(CALL, ModelRefused("response_cancel_not_active", "No.", True), [])
    first, second = lines(caplog)
    assert first.startswith(f"WARNING {CALL} ! the model answered with the error invalid_value: No")
    assert second.startswith("INFO ") and "nothing to do" in second
    assert faults.errors == {"invalid_value": 1, "response_cancel_not_active": 1}


def test_a_lost_session_is_told_with_what_follows(
    faults: ModelFaults, caplog: pytest.LogCaptureFixture
) -> None:
    faults.watch(CALL, ModelLost("it closed the connection"), [CloseModel(), OpenModel()])
    faults.watch(CALL, ModelLost("a wrong key: check OPENAI_API_KEY", "none"), [CloseModel()])
    first, second = lines(caplog)
    assert first == (
        f"WARNING {CALL} ! the session with the model is lost, another one is opened:"
        " it closed the connection"
    )
    assert "no other one is opened" in second and "check OPENAI_API_KEY" in second
    assert faults.lost == {"lost": 2}


def test_a_session_that_was_replaced_because_it_was_silent_is_told(
    faults: ModelFaults, caplog: pytest.LogCaptureFixture
) -> None:
    faults.watch(CALL, None, [CloseModel("silent"), OpenModel()])
    faults.watch(CALL, None, [CloseModel("not-ready")])
    faults.watch(CALL, None, [CloseModel("responses-failed")])
    first, second, third = lines(caplog)
    assert "is replaced, because it did not answer in time" in first
    assert "status page" in first and "HOOKFLASH_MODEL_URL" in first
    assert "is given up, because it was not ready in time" in second
    assert "responses in a row failed" in third
    assert faults.lost == {"silent": 1, "not-ready": 1, "responses-failed": 1}


def test_a_flood_of_one_error_is_limited_for_its_call_only(
    faults: ModelFaults, time: Time, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(300):
        faults.watch(CALL, ModelRefused("odd", "x" * 1000, False), [])
    assert len(lines(caplog)) == 5
    assert all(len(line) < 500 for line in lines(caplog))
    faults.watch("CA2", ModelRefused("odd", "x", False), [])
    assert len(lines(caplog)) == 6
    time.now += 60
    faults.watch(CALL, ModelRefused("odd", "x", False), [])
    assert lines(caplog)[-1].endswith("(295 such lines were left out before)")
    assert faults.errors == {"odd": 302}


def test_the_codes_that_are_counted_and_logged_are_bounded(
    faults: ModelFaults, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(1000):
        faults.watch(CALL, ModelRefused(f"code{number}", "", False), [])
        faults.watch(CALL, ModelRefused("a label\nof several lines", "", False), [])
    assert len(faults.errors) == MAX_CODES
    assert sum(faults.errors.values()) == 2000
    assert len(lines(caplog)) == MAX_CODES - 1 + 5, "of those that are not named, five"
