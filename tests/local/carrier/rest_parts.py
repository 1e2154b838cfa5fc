"""REST requests to the stand-in in tests: plain HTTP, and whole calls that wait.

Every answer is compared with Twilio's OpenAPI description.
"""

from __future__ import annotations

from typing import Any

import httpx
from tests.local.carrier.api_description import TABLE, body_problems, operation_of

from hookflash_local.carrier import Leg

HOLD = "<Response><Say>please hold the line</Say><Pause length='300'/></Response>"


async def ask(world: Any, method: str, path: str, **form: str) -> httpx.Response:
    """Send a REST request; `path` is below the account: `ask(world, "GET", "/Calls.json")`."""
    auth = (world.carrier.account_sid, world.carrier.auth_token)
    url = f"{world.carrier.api_url}/2010-04-01/Accounts/{auth[0]}{path}"
    async with httpx.AsyncClient(auth=auth, trust_env=False) as client:
        if method == "GET":
            answer = await client.get(url, params=form or None)
        else:
            answer = await client.request(method, url, data=form or None)
    operation = operation_of(method, path)
    if operation is not None and answer.is_success:
        assert answer.status_code == TABLE["operations"][operation]["status"], operation
        if answer.status_code != 204:
            problems = body_problems(operation, answer.json())
            assert problems == [], "\n".join([operation, *problems])
    return answer


async def done(world: Any, method: str, path: str, **form: str) -> dict[str, Any]:
    """Send a request that must succeed and return its body."""
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
    assert call.outbound_audio.opened_at is not None
    first = round((call.tools.clock.now() - call.outbound_audio.opened_at) * 50)
    last = first + round(seconds * 50)
    await call.outbound_audio.frame(last)
    return bytes(call.outbound_audio.recording[first * 160 : last * 160])
