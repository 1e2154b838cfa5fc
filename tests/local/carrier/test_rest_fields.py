"""The table of REST parameters: the same names as Twilio's own client, values within limits."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest
from twilio.rest.api.v2010.account.call import CallContext, CallList
from twilio.rest.api.v2010.account.call.recording import (
    RecordingContext,
    RecordingList,
)
from twilio.rest.api.v2010.account.call.stream import StreamContext, StreamList
from twilio.rest.api.v2010.account.conference import ConferenceContext
from twilio.rest.api.v2010.account.conference.participant import (
    ParticipantContext,
    ParticipantList,
)
from twilio.rest.api.v2010.account.queue import QueueContext, QueueList
from twilio.rest.api.v2010.account.queue.member import MemberContext

from hookflash_local.carrier.rest.fields import FIELDS, deviations

CLIENT: dict[str, Callable[..., Any]] = {
    "calls.create": CallList.create,
    "calls.update": CallContext.update,
    "streams.create": StreamList.create,
    "streams.update": StreamContext.update,
    "recordings.create": RecordingList.create,
    "recordings.update": RecordingContext.update,
    "conferences.update": ConferenceContext.update,
    "participants.create": ParticipantList.create,
    "participants.update": ParticipantContext.update,
    "queues.create": QueueList.create,
    "queues.update": QueueContext.update,
    "members.update": MemberContext.update,
}


def rest_name(name: str) -> str:
    return "".join(part.capitalize() for part in name.strip("_").split("_"))


@pytest.mark.parametrize("endpoint", sorted(FIELDS))
def test_every_endpoint_has_the_parameters_of_the_official_client(endpoint: str) -> None:
    names = set(inspect.signature(CLIENT[endpoint]).parameters) - {"self"}
    documented = {rest_name(name) for name in names if not name.startswith("parameter")}
    assert set(FIELDS[endpoint]) == documented


GOOD = {
    "calls.create": {
        "To": "+15550100002",
        "From": "+15550100001",
        "Twiml": "<Response/>",
        "Timeout": "20",
        "MachineDetection": "DetectMessageEnd",
        "MachineDetectionTimeout": "30",
        "AsyncAmd": "true",
        "AsyncAmdStatusCallback": "https://line.example.test/amd",
        "CallReason": "a caller about an invoice",
        "SendDigits": "ww1#",
        "TimeLimit": "600",
    },
    "streams.create": {"Url": "wss://h.test/m", "Parameter1.Name": "a", "Parameter99.Value": "b"},
    "participants.create": {"To": "client:anna", "From": "+15550100001", "Label": "human"},
    "participants.update": {"Hold": "true", "EndConferenceOnExit": "false"},
}


@pytest.mark.parametrize("endpoint", sorted(GOOD))
def test_a_good_form_has_no_deviations(endpoint: str) -> None:
    assert deviations(endpoint, GOOD[endpoint].items()) == []


def test_events_may_be_repeated_or_stand_in_one_value() -> None:
    pairs = [("StatusCallbackEvent", "initiated ringing"), ("StatusCallbackEvent", "answered")]
    assert deviations("calls.create", pairs) == []
    (wrong,) = deviations("calls.create", [("StatusCallbackEvent", "rung")])
    assert (wrong.code, wrong.fatal) == (21626, True)


@pytest.mark.parametrize(
    ("endpoint", "name", "value", "fatal"),
    [
        ("calls.create", "AnswerOnBridge", "true", False),
        ("calls.create", "timeout", "20", False),
        ("calls.create", "Parameter1.Name", "a", False),
        ("calls.create", "Timeout", "601", True),
        ("calls.create", "MachineDetection", "on", True),
        ("calls.create", "MachineDetectionTimeout", "60", True),
        ("calls.create", "CallReason", "x" * 51, True),
        ("calls.create", "SendDigits", "1" * 33, True),
        ("calls.create", "StatusCallbackMethod", "PUT", True),
        ("calls.create", "AsyncAmd", "yes", True),
        ("calls.create", "StatusCallback", "https://a_b.test/s", True),
        ("streams.update", "Status", "completed", True),
        ("queues.update", "MaxSize", "5001", True),
    ],
)
def test_what_is_not_documented_deviates(endpoint: str, name: str, value: str, fatal: bool) -> None:
    (found,) = deviations(endpoint, [(name, value)])
    assert found.fatal is fatal
    assert name in found.text


def test_what_comes_twice_is_missing_or_idle_is_said_so() -> None:
    (twice,) = deviations("calls.update", [("Status", "completed"), ("Status", "completed")])
    assert "several times" in twice.text
    (idle,) = deviations("calls.create", [("Byoc", "BY1")])
    assert (idle.code, idle.fatal) == (0, False)
    missing = deviations("participants.create", [])
    assert [each.text.split()[-1] for each in missing] == ["From", "To"]
    assert all(each.fatal for each in missing)
