"""What calls have left, over HTTP: listed, and tried again."""

from __future__ import annotations

from typing import Any

import pytest

from hookflash.console.console import Hooks
from hookflash.core.delivery import Delivery
from hookflash.core.delivery_retries import Attempt, attempted
from hookflash.errors import CarrierError
from hookflash.stores.deliveries import DeliveryStore

from .conftest import MakeOffice, Office, Time

NOW = Time().now


def left(number: int = 1, **about: Any) -> Delivery:
    known: dict[str, Any] = {
        "id": f"CA{number}-callback",
        "kind": "callback",
        "call_sid": f"CA{number}",
        "agent": "shop",
        "destination": "billing",
        "created_at": NOW - 100.0 + number,
        "caller": "+15550101",
        "number": "+15550102",
        "reason": "an invoice",
        "wish": "after five",
    }
    return Delivery(**(known | about))


async def put(office: Office, delivery: Delivery, wanted: tuple[str, ...] | None = None) -> None:
    """Keep a delivery; with outlets that want it, one attempt has failed for good."""
    store = DeliveryStore(office.store.engine)
    kept = await store.put(delivery, NOW)
    if wanted is not None:
        assert await store.claim(NOW, lease="a", seconds=9.0, limit=9) == [kept]
        failed = Attempt(wanted=wanted, error="hook: OSError")
        await store.finish(attempted(kept, failed, NOW, chance=0.5, dead_seconds=0.0), "a")


async def test_deliveries_are_listed_with_their_state_the_newest_first(office: Office) -> None:
    await put(office, left(1), ())
    await put(office, left(2), ("hook",))
    await put(office, left(3, kind="voicemail", transcript="Please call.", recording_seconds=4.0))
    async with office.signed_in("vera") as client:
        page = (await client.get("/api/deliveries", params={"limit": 2})).json()
        assert [each["id"] for each in page["deliveries"]] == ["CA3-callback", "CA2-callback"]
        assert page["counts"] == {"unroutable": 1, "dead": 1, "waiting": 1}
        waiting, dead = page["deliveries"]
        assert (waiting["kind"], waiting["said"], waiting["due_at"]) == (
            "voicemail",
            "Please call.",
            NOW,
        )
        assert (dead["state"], dead["attempts"], dead["error"]) == ("dead", 1, "hook: OSError")
        assert (dead["said"], dead["number"], dead["due_at"]) == ("after five", "+15550102", None)
        older = {"before": page["next"]}
        page = (await client.get("/api/deliveries", params=older)).json()
        assert [each["state"] for each in page["deliveries"]] == ["unroutable"]
        assert page["next"] is None
        for query, ids in (({"state": "dead"}, ["CA2"]), ({"call": "CA3"}, ["CA3"])):
            page = (await client.get("/api/deliveries", params=query)).json()
            assert [each["call_sid"] for each in page["deliveries"]] == ids
        answer = await client.get("/api/deliveries", params={"state": "lost"})
        assert (answer.status_code, answer.json()["code"]) == (400, "request")


async def test_a_dead_delivery_is_retried_and_audited(
    make_office: MakeOffice,
) -> None:
    rounds: list[str] = []
    async with make_office(hooks=Hooks(deliver=lambda: rounds.append("begun"))) as office:
        await put(office, left(1), ("hook",))
        async with office.signed_in() as client:
            answer = await client.post("/api/deliveries/CA1-callback/retry", json={})
            assert answer.status_code == 202
            assert rounds == ["begun"]
            (shown,) = (await client.get("/api/deliveries")).json()["deliveries"]
            assert (shown["state"], shown["attempts"]) == ("waiting", 0)
            trail = (await client.get("/api/audit", params={"action": "retry"})).json()["entries"]
            assert [(each["who"], each["call_sid"], each["text"]) for each in trail] == [
                ("anna", "CA1", "CA1-callback")
            ]


@pytest.mark.parametrize("name", ["CA1-callback", "CA404-callback"])
async def test_a_waiting_or_unknown_delivery_cannot_be_retried(office: Office, name: str) -> None:
    await put(office, left(1))
    async with office.signed_in() as client:
        answer = await client.post(f"/api/deliveries/{name}/retry", json={})
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown")
        trail = (await client.get("/api/audit", params={"action": "retry"})).json()
        assert trail["entries"] == []


async def test_without_a_delivery_worker_a_retry_waits_for_the_next_poll(office: Office) -> None:
    await put(office, left(1), ())
    async with office.signed_in() as client:
        answer = await client.post("/api/deliveries/CA1-callback/retry", json={})
        assert answer.status_code == 202


async def test_the_sound_of_a_voicemail_is_read_from_the_carrier(make_office: MakeOffice) -> None:
    asked: list[str] = []

    async def fetch(url: str) -> bytes:
        asked.append(url)
        if "gone" in url:
            raise CarrierError("Twilio refused with 404", status=404)
        return b"RIFF"

    async with make_office(hooks=Hooks(voicemail=fetch)) as office:
        there = left(1, kind="voicemail", recording_url="https://api.twilio.com/RE1")
        gone = left(2, kind="voicemail", recording_url="https://api.twilio.com/gone")
        for each in (there, gone, left(3)):
            await put(office, each)
        async with office.signed_in("vera") as client:
            answer = await client.get("/api/deliveries/CA1-callback/recording")
            assert (answer.status_code, answer.content) == (200, b"RIFF")
            assert answer.headers["content-type"] == "audio/wav"
            answer = await client.get("/api/deliveries/CA2-callback/recording")
            assert (answer.status_code, answer.json()["code"]) == (502, "unreachable")
            for name in ("CA3-callback", "CA404-callback"):
                answer = await client.get(f"/api/deliveries/{name}/recording")
                assert answer.status_code == 404
    assert asked == ["https://api.twilio.com/RE1", "https://api.twilio.com/gone"]
