"""Asking the stand-in's REST side in tests: plain HTTP, and whole calls that wait."""

from __future__ import annotations

from typing import Any

import httpx

from hookflash_local.carrier import Leg

HOLD = "<Response><Say>please hold the line</Say><Pause length='300'/></Response>"


async def ask(world: Any, method: str, path: str, **form: str) -> httpx.Response:
    """Ask below the account: `ask(world, "GET", "/Conferences.json", Status="completed")`."""
    auth = (world.carrier.account_sid, world.carrier.auth_token)
    url = f"{world.carrier.api_url}/2010-04-01/Accounts/{auth[0]}{path}"
    async with httpx.AsyncClient(auth=auth, trust_env=False) as client:
        if method == "GET":
            return await client.get(url, params=form)
        return await client.request(method, url, data=form or None)


async def done(world: Any, method: str, path: str, **form: str) -> dict[str, Any]:
    """Ask for what must succeed, and return its body."""
    answer = await ask(world, method, path, **form)
    assert answer.status_code < 300, answer.text
    body: dict[str, Any] = answer.json() if answer.content else {}
    return body


async def post(world: Any, sid: str = "", **form: str) -> httpx.Response:
    return await ask(world, "POST", f"/Calls{'/' + sid if sid else ''}.json", **form)


async def create(world: Any, sid: str = "", **form: str) -> Leg:
    """Let LINE call ANNA with HOLD, or update a call; `form` is added."""
    new = {"To": world.ANNA, "From": world.LINE, "Twiml": HOLD} if not sid else {}
    answer = await post(world, sid, **{**new, **form})
    assert answer.status_code < 300, answer.text
    return leg_of(world, answer.json()["sid"])


def leg_of(world: Any, sid: str) -> Leg:
    leg: Leg = next(leg for leg in world.carrier.calls if leg.sid == sid)
    return leg


async def heard_for(call: Leg, seconds: float) -> bytes:
    """Let a call go on for so long from now, and return what it heard in that time."""
    assert call.ear.opened_at is not None
    first = round((call.tools.clock.now() - call.ear.opened_at) * 50)
    last = first + round(seconds * 50)
    await call.ear.frame(last)
    return bytes(call.ear.recording[first * 160 : last * 160])
