"""The two formats of the log, what no line shows, and the limit for repeated lines."""

from __future__ import annotations

import json
import logging
import sys
import warnings
from collections.abc import Iterator

import pytest

from hookflash.log_output import (
    JsonFormatter,
    LineLimit,
    TextFormatter,
    log_to_stderr,
    without_secrets,
)

SID = "CA" + "0123456789abcdef" * 2


def record(message: str, *args: object, name: str = "hookflash.call", **more: object):
    made = logging.LogRecord(name, logging.WARNING, "x.py", 1, message, args, None)
    made.created = 1_790_000_000.25
    for field, value in more.items():
        setattr(made, field, value)
    return made


def as_json(made: logging.LogRecord) -> dict[str, str]:
    text = JsonFormatter().format(made)
    assert "\n" not in text
    return json.loads(text)


@pytest.fixture(autouse=True)
def undisturbed() -> Iterator[None]:
    """Leave the root logger's level as pytest has set it."""
    level = logging.getLogger().level
    yield
    assert logging.getLogger().level == level


# --- formats --------------------------------------------------------------------------------------


def test_a_text_line_has_its_level() -> None:
    text = TextFormatter().format(record("%s ! it has stalled", SID))
    assert text.endswith(f" WARNING hookflash.call {SID} ! it has stalled")


def test_a_message_stays_on_its_line() -> None:
    text = TextFormatter().format(record("%s", "x\n2026-01-01 ERROR forged\x1b[2J\u202e"))
    assert text.endswith(r"x\n2026-01-01 ERROR forged\x1b[2J\u202e")


def test_an_exception_cannot_move_the_cursor_or_turn_the_text() -> None:
    """Its text may come from a stranger. A lone surrogate could not even be written."""
    text = TextFormatter().format(
        record("it failed", exc_info=raised("a\x1b[2J\u202eb\ud800\n\tc"))
    )
    assert text.endswith("ValueError: a\\x1b[2J\\u202eb\\ud800\n\tc")


def test_json_shows_what_is_invisible() -> None:
    line = as_json(record("%s", "a\u202eb\x1b\n", exc_info=raised("\u2028c")))
    assert line["message"] == "a\\u202eb\\x1b\n"
    assert line["exception"].endswith("ValueError: \\u2028c")


def test_a_traceback_follows_its_line() -> None:
    text = TextFormatter().format(record("it failed", exc_info=raised("a\nb")))
    assert "it failed\nTraceback" in text


def raised(text: str):
    try:
        raise ValueError(text)
    except ValueError:
        return sys.exc_info()


def test_a_json_line_has_all_its_fields() -> None:
    assert as_json(record("%s ! it has stalled", SID)) == {
        "time": "2026-09-21T14:13:20.250Z",
        "level": "WARNING",
        "logger": "hookflash.call",
        "message": f"{SID} ! it has stalled",
        "call_sid": SID,
    }


def test_a_json_line_without_a_call_or_an_exception_has_no_such_fields() -> None:
    assert set(as_json(record("draining"))) == {"time", "level", "logger", "message"}


def test_a_records_own_call_comes_first() -> None:
    assert as_json(record("%s", SID, call_sid="CA1"))["call_sid"] == "CA1"


def test_an_exception_is_a_field() -> None:
    line = as_json(record("it failed", exc_info=raised("call +15550142 with sk-abcdefgh")))
    assert line["message"] == "it failed"
    assert line["exception"].startswith("Traceback") and "ValueError" in line["exception"]
    assert "5550142" not in line["exception"] and "abcdefgh" not in line["exception"]
    assert as_json(record("x", stack_info="Stack"))["exception"] == "Stack"


def test_a_text_that_is_no_unicode_is_written_all_the_same() -> None:
    assert as_json(record("%s", "a\ud800b"))["message"] == "a?b"


# --- what no line shows ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("from +15550142", "from …42"),
        ("sip:+15550142@example.com", "sip:…42@example.com"),
        ("Authorization: Bearer abc.def-1/2", "Authorization: Bearer (hidden)"),
        ("send it as a bearer token; without one", "send it as a bearer token; without one"),
        ("key sk-proj-abc_def-123", "key (hidden)"),
        ("Incorrect API key provided: sk-abcd***wxyz.", "Incorrect API key provided: (hidden)."),
        (f"{SID} at 192.0.2.7:4711, 1+1", f"{SID} at 192.0.2.7:4711, 1+1"),
        ("risk-averse desk-top", "risk-averse desk-top"),
    ],
)
def test_no_line_shows_a_whole_number_or_a_secret(text: str, shown: str) -> None:
    assert without_secrets(text) == shown
    assert TextFormatter().format(record("%s", text)).endswith(shown)
    assert as_json(record("%s", text))["message"] == shown


# --- setting up -----------------------------------------------------------------------------------


def test_lines_from_before_the_format_is_known_are_written_in_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with log_to_stderr() as choose:
        logging.getLogger("hookflash.settings").warning("a wrong name")
        assert capsys.readouterr().err == ""
        choose("json")
        logging.getLogger("uvicorn.error").warning("Invalid HTTP request received.")
        logging.getLogger("some.library").error("it failed")
        logging.getLogger("httpx").info("not shown")
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("an old name", stacklevel=1)
    found = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["logger"] for line in found] == [
        "hookflash.settings",
        "uvicorn.error",
        "some.library",
        "py.warnings",
    ]
    assert "an old name" in found[-1]["message"]


def test_if_the_format_stays_unknown_the_lines_are_text(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(ValueError, match="wrong"), log_to_stderr():
        logging.getLogger("hookflash.settings").warning("a wrong name")
        raise ValueError("wrong")
    assert "WARNING hookflash.settings a wrong name" in capsys.readouterr().err


@pytest.mark.parametrize(("verbose", "shown"), [(True, True), (False, False)])
def test_debug_lines_are_for_those_who_ask(
    capsys: pytest.CaptureFixture[str], verbose: bool, shown: bool
) -> None:
    with log_to_stderr(verbose=verbose) as choose:
        choose("text")
        logging.getLogger("hookflash.call").debug("CA1 < event")
    assert ("DEBUG hookflash.call CA1 < event" in capsys.readouterr().err) is shown


def test_a_library_that_repeats_a_line_is_limited(capsys: pytest.CaptureFixture[str]) -> None:
    with log_to_stderr() as choose:
        choose("text")
        for _ in range(100):
            logging.getLogger("uvicorn.error").warning("Invalid HTTP request received.")
    written = capsys.readouterr().err.splitlines()
    assert len(written) == 10
    assert written[-1].endswith("(more such lines are left out for 60 s)")


# --- repeated lines -------------------------------------------------------------------------------


class Time:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_lines_of_one_kind_are_limited_and_what_was_left_out_is_told() -> None:
    time = Time()
    limit = LineLimit(most=3, seconds=60, now=time)
    endings = [limit.ending("404") for _ in range(7)]
    assert endings == ["", "", " (more such lines are left out for 60 s)", *[None] * 4]
    assert limit.ending("403") == "", "another kind"
    time.now += 60
    assert limit.ending("404") == " (4 such lines were left out before)"
    assert limit.ending("404") == ""


def test_the_kinds_that_are_remembered_are_bounded() -> None:
    limit = LineLimit(kinds=100, now=Time())
    for number in range(10_000):
        limit.ending(number)
    assert len(limit._counted) == 100
