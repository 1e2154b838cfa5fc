"""Humans who are not on a telephone number: SIP, browsers, and callers handed over by REFER."""

from __future__ import annotations

import pytest

from hookflash import Target
from hookflash_local.carrier import Human

from .acts import caller_until, script_whole_agent
from .conftest import LINE, samples, shop
from .test_meeting import BACK, HUMAN, RINGING, ask_for_a_human, caller, desk, other_legs

SIP = Target.sip("sip:desk@example.com")
BROWSER = Target.client("anna")
SIP_CALLER = "sip:ann@pbx.example.com"


@pytest.mark.parametrize("manner", ["cold", "warm"])
@pytest.mark.parametrize(
    ("target", "address"), [(SIP, SIP.address), (BROWSER, "client:anna")], ids=["sip", "browser"]
)
async def test_humans_on_other_roads_are_reached_in_either_manner(stage, target, address, manner):
    async with stage(shop(manner=manner, accept="press-1", targets=(target,))) as s:
        script_whole_agent(s)
        s.carrier.humans[address] = Human.accepts(0.5, then=desk)
        call = await s.call(caller(s))
        record = await s.record(call)
        assert samples(call.recording().heard, HUMAN) == 8000
        (leg,) = other_legs(s, call)
        assert leg.about.to.startswith(address)
        assert record.disposition == "handed_off"


async def test_a_sip_caller_is_handed_over_and_has_left_us(stage):
    async with stage(shop(manner="refer", targets=(SIP,))) as s:
        script_whole_agent(s)
        s.carrier.humans[SIP.address] = Human(0.5)

        async def script(line):
            await ask_for_a_human(s, line)

        call = await s.carrier.place_call(from_=SIP_CALLER, to=LINE, script=script)
        record = await s.record(call)
        # The last words were heard before the device was told whom to call.
        assert samples(call.recording().heard, RINGING) == 700 * 8
        (referred,) = call.timeline.find("referred")
        assert (referred.detail["to"], referred.detail["status"]) == (SIP.address, "in-progress")
        assert [attempt.outcome for attempt in record.handoffs] == ["bridged"]
        assert [attempt.manner for attempt in record.handoffs] == ["refer"]
        assert record.disposition == "handed_off"


@pytest.mark.parametrize(
    ("answer", "human", "outcome"),
    [("405", Human(0.5), "failed"), ("202", Human.busy(), "busy")],
    ids=["a device that cannot", "a busy desk"],
)
async def test_a_sip_caller_who_cannot_be_handed_over_is_still_ours(stage, answer, human, outcome):
    async with stage(shop(manner="refer", targets=(SIP,))) as s:
        script_whole_agent(s)
        s.carrier.humans[SIP.address] = human
        call = await s.carrier.place_call(
            from_=SIP_CALLER, to=LINE, script=caller_until(s, BACK), refer_answer=answer
        )
        record = await s.record(call)
        assert samples(call.recording().heard, BACK) == 900 * 8
        assert [attempt.outcome for attempt in record.handoffs] == [outcome]
        assert record.disposition == "handled_by_agent"


async def test_a_caller_from_a_telephone_is_dialled_through_instead(stage):
    async with stage(shop(manner="refer", targets=(SIP,))) as s:
        script_whole_agent(s)
        s.carrier.humans[SIP.address] = Human(0.5, desk)
        call = await s.call(caller(s))
        record = await s.record(call)
        assert call.timeline.find("referring") == []
        assert samples(call.recording().heard, HUMAN) == 8000
        assert [attempt.manner for attempt in record.handoffs] == ["cold"]


async def test_an_address_that_would_fool_a_reader_is_shown_for_what_it_is(stage, caplog):
    """It is 20,000 characters long, begins a line of its own and shows the rest backwards."""
    caplog.set_level("DEBUG", "hookflash")
    hostile = "sip:\u202eann\nhookflash.server ! fake" + "a" * 20_000 + "@pbx.example.com"
    async with stage() as s:
        script_whole_agent(s)

        async def script(line):
            await line.wait_for_sound()
            await line.hang_up()

        call = await s.carrier.place_call(from_=hostile, to=LINE, script=script)
        record = await s.record(call)
        assert s.line.journals.flush()
        journal = (s.folder / "journals" / f"{call.sid}.jsonl").read_text()
    assert record.caller.startswith("sip:\\u202eann\\nhookflash.server ! fakeaaa")
    assert len(record.caller) == 256
    assert "\u202e" not in journal and "a" * 300 not in journal
    ours = [each for each in caplog.records if "standin" not in each.name]
    logged = [each.getMessage() for each in ours if each.name.startswith("hookflash")]
    assert any("CallArrived" in each for each in logged)
    assert all("\u202e" not in each and "\n" not in each for each in logged)
