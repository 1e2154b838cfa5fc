"""Live calls over HTTP: looked at, followed and acted upon."""

from __future__ import annotations

import asyncio
import json

import pytest

from hookflash.console import calls as calls_module
from hookflash.console.feed import COMMENT_SECONDS
from hookflash.console.request_parsing import BODY_SECONDS
from hookflash.console.shapes import HandoffNow
from hookflash.core import events as e
from hookflash.core.handoff_plan import Target

from .conftest import MakeOffice, Office, detail, entry


async def test_live_calls_are_listed_the_oldest_first(office: Office) -> None:
    office.line_calls.add(detail("CA2", arrived_at=20.0))
    office.line_calls.add(detail("CA1", arrived_at=10.0))
    async with office.signed_in("vera") as client:
        found = (await client.get("/api/calls")).json()
    assert [each["call_sid"] for each in found["calls"]] == ["CA1", "CA2"]
    assert found["now"] == office.time.now
    assert found["calls"][0]["phase"] == "talking"


async def test_who_does_not_answer_is_named_and_its_calls_are_not_said_to_be_over(
    office: Office,
) -> None:
    office.line_calls.add(detail())
    office.line_calls.mute = ("w3",)
    async with office.signed_in() as client:
        found = (await client.get("/api/calls")).json()
        assert [each["call_sid"] for each in found["calls"]] == ["CA1"]
        assert found["missing"] == ["another", "w3"]
        for answer in (
            await client.get("/api/calls/CA2"),
            await client.post("/api/calls/CA2/hint", json={"text": "a regular"}),
        ):
            assert (answer.status_code, answer.json()["code"]) == (503, "unreachable")
            assert "Worker w3 does not answer" in answer.json()["message"]


async def test_an_action_that_nobody_takes_in_time_is_told_so(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.line_calls.add(detail())

    async def hang(call_sid: str, event: e.AnyEvent) -> bool:
        office.line_calls.mute = ("w3",)
        raise TimeoutError

    monkeypatch.setattr(office.line_calls, "take", hang)
    async with office.signed_in() as client:
        answer = await client.post("/api/calls/CA1/hint", json={"text": "a regular"})
        assert (answer.status_code, answer.json()["code"]) == (503, "unreachable")


async def test_one_call_is_shown_whole(office: Office) -> None:
    office.line_calls.add(detail())
    async with office.signed_in("vera") as client:
        found = (await client.get("/api/calls/CA1")).json()
        assert found["entry"]["caller"] == entry().caller
        assert found["destinations"] == ["desk"]
        answer = await client.get("/api/calls/CA404")
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown")


@pytest.mark.parametrize(
    ("action", "body", "event", "text"),
    [
        ("hint", {"text": "a regular"}, e.HintGiven("a regular", "anna"), "a regular"),
        ("say", {"text": "Hello"}, e.SayRequested("Hello", "anna"), "Hello"),
        (
            "handoff",
            {"destination": "desk", "reason": "angry", "summary": "late"},
            e.HandoffRequested("desk", "angry", "late", "console", by="anna"),
            "desk: angry",
        ),
        ("cancel", {}, e.HandoffCancelled("anna"), ""),
        ("giveback", {}, e.GiveBackRequested("anna"), ""),
        ("hangup", {"reason": "rude"}, e.HangUpRequested("rude"), "rude"),
        ("hangup", {}, e.HangUpRequested(""), ""),
        (
            "answer",
            {"id": "q1", "text": "yes"},
            e.QuestionAnswered("q1", "yes", "anna"),
            "yes",
        ),
    ],
)
async def test_an_action_is_written_down_and_reaches_the_call(
    office: Office, action: str, body: dict, event: e.AnyEvent, text: str
) -> None:
    office.line_calls.add(detail())
    async with office.signed_in() as client:
        answer = await client.post(f"/api/calls/CA1/{action}", json=body)
        assert (answer.status_code, answer.json()) == (202, {"taken": True})
        assert office.line_calls.taken == [("CA1", event)]
        (kept, _) = (await client.get("/api/audit")).json()["entries"]
    assert (kept["who"], kept["via"], kept["action"]) == ("anna", "session", action)
    assert (kept["call_sid"], kept["text"], kept["peer"]) == ("CA1", text, "192.0.2.7")


async def test_a_supervisor_takes_over_on_their_own_telephone(office: Office) -> None:
    office.line_calls.add(detail())
    async with office.signed_in() as client:
        answer = await client.post(
            "/api/calls/CA1/handoff", json={"destination": "me", "reason": "mine"}
        )
        assert answer.status_code == 202
    ((_, event),) = office.line_calls.taken
    assert isinstance(event, e.HandoffRequested) and event.plan is not None
    assert event.plan.targets == (Target.phone("+15550142"),)
    assert event.plan.stays
    assert (event.source, event.by) == ("console", "anna")


async def test_a_supervisor_without_a_phone_cannot_take_over(office: Office) -> None:
    office.line_calls.add(detail())
    token = "Bearer hf_" + "a" * 43
    async with office.http_client(Authorization=token) as client:
        answer = await client.post("/api/calls/CA1/handoff", json={"destination": "me"})
        assert answer.status_code == 400
        assert "no telephone" in answer.json()["message"]
    assert office.line_calls.taken == []


async def test_a_supervisor_whose_number_may_not_be_dialled_is_told_so(
    make_office: MakeOffice,
) -> None:
    async with make_office(dial_prefixes=("+44",)) as office:
        office.line_calls.add(detail())
        async with office.signed_in() as client:
            answer = await client.post("/api/calls/CA1/handoff", json={"destination": "me"})
        assert answer.status_code == 400
        assert "HOOKFLASH_DIAL_PREFIXES" in answer.json()["message"]
        assert office.line_calls.taken == []


@pytest.mark.parametrize("destination", ["desk", "me"])
async def test_a_second_hand_off_is_answered_with_the_state_of_the_first(
    office: Office, destination: str
) -> None:
    running = HandoffNow(
        state="ringing",
        destination="billing",
        reason="a refund",
        summary="",
        source="tool",
        asked_at=1.0,
    )
    office.line_calls.add(detail(handoff=running))
    async with office.signed_in() as client:
        wanted = {"destination": destination, "reason": "angry"}
        answer = await client.post("/api/calls/CA1/handoff", json=wanted)
        assert (answer.status_code, answer.json()["code"]) == (409, "under way")
        assert "to billing is under way (ringing)" in answer.json()["message"]
    assert office.line_calls.taken == []


async def test_a_supervisor_can_only_choose_configured_destinations(office: Office) -> None:
    office.line_calls.add(detail())
    async with office.signed_in() as client:
        answer = await client.post(
            "/api/calls/CA1/handoff", json={"destination": "+15550199", "reason": ""}
        )
        assert answer.status_code == 400
        assert answer.json()["message"] == "destination is one of me, desk; got '+15550199'."
    assert office.line_calls.taken == []


@pytest.mark.parametrize(
    ("action", "body", "status"),
    [
        ("hint", "{}", 400),
        ("hint", '{"text": ""}', 400),
        ("hint", json.dumps({"text": "x" * 1001}), 400),
        ("hint", '{"text": 3}', 400),
        ("hint", '{"text": "x", "more": 1}', 400),
        ("hint", "[]", 400),
        ("hint", "{", 400),
        ("hint", "x" * 65_537, 413),
        ("cancel", '{"why": "x"}', 400),
        ("answer", '{"text": "x"}', 400),
        ("handoff", "{}", 400),
    ],
)
async def test_an_invalid_action_is_refused_and_not_done(
    office: Office, action: str, body: str, status: int
) -> None:
    office.line_calls.add(detail())
    async with office.signed_in() as client:
        answer = await client.post(
            f"/api/calls/CA1/{action}",
            content=body,
            headers={"Content-Type": "application/json"},
        )
        assert (answer.status_code, answer.json()["code"]) == (status, "request")
    assert office.line_calls.taken == []


async def test_an_action_on_a_call_that_is_over_is_told_so(office: Office) -> None:
    async with office.signed_in() as client:
        answer = await client.post("/api/calls/CA1/hint", json={"text": "x"})
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown")
        trail = (await client.get("/api/audit")).json()["entries"]
        assert [each["action"] for each in trail] == ["sign-in"]

        async def gone(call_sid: str, event: e.AnyEvent) -> bool:
            return False

        office.line_calls.add(detail())
        office.line_calls.take = gone
        answer = await client.post("/api/calls/CA1/hint", json={"text": "x"})
        assert answer.status_code == 404


async def test_a_body_that_does_not_come_is_not_waited_for(office: Office) -> None:
    office.line_calls.add(detail())

    async def slow():
        yield b'{"text":'
        await asyncio.sleep(3600)

    async with office.signed_in() as client:
        answer = await client.post(
            "/api/calls/CA1/hint", content=slow(), headers={"Content-Type": "application/json"}
        )
        assert answer.status_code == 408
        assert asyncio.get_running_loop().time() == pytest.approx(BODY_SECONDS)


async def test_pages_that_follow_are_not_without_number(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls_module, "MAX_FEEDS", 0)
    async with office.signed_in() as client:
        answer = await client.get("/console/feed")
        assert (answer.status_code, answer.json()["code"]) == (503, "unreachable")


async def test_who_has_signed_out_follows_no_longer(office: Office) -> None:
    office.line_calls.add(detail())
    async with office.signed_in("vera") as client, office.signed_in() as other:
        following = asyncio.create_task(client.get("/console/feed", params={"call": "CA1"}))
        await asyncio.sleep(3.5 * COMMENT_SECONDS)
        assert not following.done()
        assert office.console.feed.pages == 1
        cookies = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
        await other.post(
            "/console/sign-out",
            headers={"Cookie": cookies, "X-CSRF-Token": client.headers["X-CSRF-Token"]},
        )
        loop = asyncio.get_running_loop()
        began = loop.time()
        answer = await following
        assert loop.time() - began == pytest.approx(COMMENT_SECONDS / 2, abs=1)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-store, no-transform"
    assert "event: CallShown" in answer.text
