"""What REST answers, against Twilio's OpenAPI description: every operation that is served."""

from __future__ import annotations

from typing import Any

import pytest
from tests.local.carrier.api_description import TABLE, body_problems, operation_of
from tests.local.carrier.rest_parts import HOLD, ask, create, done

from hookflash_local.carrier import Human, alerts

NOT_SERVED = {"DELETE /Calls/{Sid}.json"}
URL = "https://line.example.test/queued"


async def test_every_described_operation_answers_as_described(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`ask` compares each answer; this test makes sure that every operation is asked once."""
    asked: set[str | None] = set()

    async def request(method: str, path: str, **form: str) -> dict[str, Any]:
        asked.add(operation_of(method, path))
        return await done(world, method, path, **form)

    world.app.answers["/queued"] = HOLD
    world.carrier.humans[world.ANNA] = Human(0.1)
    call = await request("POST", "/Calls.json", To=world.ANNA, From=world.LINE, Twiml=HOLD)
    (leg,) = world.carrier.calls
    await leg.answered()
    one = f"/Calls/{call['sid']}"
    await request("GET", "/Calls.json")
    await request("GET", f"{one}.json")
    await request("POST", f"{one}.json", TimeLimit="600")

    await request("POST", f"{one}/Streams.json", Url=world.MEDIA, Name="copy")
    await request("POST", f"{one}/Streams/copy.json", Status="stopped")

    sid = (await request("POST", f"{one}/Recordings.json"))["sid"]
    await request("GET", f"{one}/Recordings.json")
    await request("GET", f"{one}/Recordings/{sid}.json")
    await request("POST", f"{one}/Recordings/{sid}.json", Status="stopped")
    await request("GET", "/Recordings.json")
    await request("GET", f"/Recordings/{sid}.json")
    await request("DELETE", f"/Recordings/{sid}.json")
    second = (await request("POST", f"{one}/Recordings.json"))["sid"]
    await request("DELETE", f"{one}/Recordings/{second}.json")

    party = {"To": world.ANNA, "From": world.LINE}
    await request("POST", "/Conferences/sales/Participants.json", **party)
    await world.carrier.calls[-1].timeline.until("joined")
    (conference,) = (await request("GET", "/Conferences.json"))["conferences"]
    room = f"/Conferences/{conference['sid']}"
    await request("GET", f"{room}.json")
    (participant,) = (await request("GET", f"{room}/Participants.json"))["participants"]
    person = f"{room}/Participants/{participant['call_sid']}.json"
    await request("GET", person)
    await request("POST", person, Muted="true")
    await request("DELETE", person)
    await request("POST", f"{room}.json")

    queue = await request("POST", "/Queues.json", FriendlyName="support")
    await request("GET", "/Queues.json")
    line = f"/Queues/{queue['sid']}"
    await request("GET", f"{line}.json")
    await request("POST", f"{line}.json", MaxSize="5")
    waiting = await create(world, Twiml="<Response><Enqueue>support</Enqueue></Response>")
    await waiting.timeline.until("queued")
    await request("GET", f"{line}/Members.json")
    await request("GET", f"{line}/Members/{waiting.sid}.json")
    await request("POST", f"{line}/Members/Front.json", Url=URL)
    await request("DELETE", f"{line}.json")
    assert asked == set(TABLE["operations"]) - NOT_SERVED


@pytest.mark.parametrize("path", ["/Messages.json", "/IncomingPhoneNumbers.json"])
async def test_what_is_not_served_answers_with_twilios_error_body(world: Any, path: str) -> None:
    answer = await ask(world, "POST", path, To=world.ANNA, From=world.LINE, Body="hello")
    assert answer.status_code == 404
    body = answer.json()
    assert (body["code"], body["status"]) == (20404, 404)
    assert path in body["message"]
    assert body["more_info"] == "https://www.twilio.com/docs/errors/20404"
    assert world.carrier.alerts.codes() == [alerts.NOT_SIMULATED]


async def test_a_list_comes_in_pages(world: Any) -> None:
    for number in range(5):
        await done(world, "POST", "/Queues.json", FriendlyName=f"q{number}")
    names, path = [], "/Queues.json?PageSize=2"
    pages = []
    while path:
        body = (await ask(world, "GET", path)).json()
        assert body_problems("GET /Queues.json", body) == []
        pages.append((body["page"], body["start"], body["end"], body["page_size"]))
        names += [queue["friendly_name"] for queue in body["queues"]]
        path = (body["next_page_uri"] or "").partition(f"/{world.carrier.account_sid}")[2]
    assert names == [f"q{number}" for number in range(5)]
    assert pages == [(0, 0, 1, 2), (1, 2, 3, 2), (2, 4, 4, 2)]
    (whole,) = [(await ask(world, "GET", "/Queues.json?PageSize=nine")).json()]
    assert (len(whole["queues"]), whole["page_size"], whole["previous_page_uri"]) == (5, 50, None)


async def test_a_filter_holds_on_every_page(world: Any) -> None:
    world.carrier.humans[world.ANNA] = Human.busy(after=0.0)
    for _ in range(3):
        leg = await create(world)
        await leg.ended()
    first = (await ask(world, "GET", "/Calls.json?Status=busy&PageSize=1")).json()
    assert len(first["calls"]) == 1 and "Status=busy" in first["next_page_uri"]


# --- the comparison can fail ----------------------------------------------------------------------

STREAM = {
    "account_sid": "AC" + "0" * 32,
    "call_sid": "CA" + "0" * 32,
    "date_updated": "Mon, 30 Nov 2026 12:00:00 +0000",
    "name": "copy",
    "sid": "MZ" + "0" * 32,
    "status": "in-progress",
    "uri": "/2010-04-01/Accounts",
}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({}, ""),
        ({"track": "both"}, "track is not described"),
        ({"name": None}, ""),
        ({"name": 3}, "is not of type string"),
        ({"status": "done"}, "is none of"),
        ({"sid": "CA" + "0" * 32}, "does not match"),
        ({"date_updated": "2026-11-30"}, "no RFC 2822 date"),
    ],
)
def test_a_difference_is_found(change: dict[str, Any], problem: str) -> None:
    operation = "POST /Calls/{CallSid}/Streams.json"
    found = body_problems(operation, {**STREAM, **change})
    assert len(found) == (1 if problem else 0)
    assert problem in "".join(found)


def test_a_missing_property_is_found() -> None:
    body = {name: value for name, value in STREAM.items() if name != "uri"}
    assert body_problems("POST /Calls/{CallSid}/Streams.json", body) == ["stream: uri is missing"]


def test_items_of_a_list_are_compared_too() -> None:
    page = dict.fromkeys(TABLE["bodies"]["list of queue"])
    found = body_problems("GET /Queues.json", {**page, "queues": [{"sid": "QU1"}]})
    assert any("sid does not match" in each for each in found)


def test_a_path_belongs_to_one_operation() -> None:
    assert operation_of("GET", "/Calls/CA1.json") == "GET /Calls/{Sid}.json"
    assert operation_of("GET", "/Recordings/RE1.wav") is None
