"""Queues: what waits in them and hears what, who takes whom, and REST on all of it."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import pytest

from hookflash_local.carrier import Human, Leg, Line
from hookflash_local.carrier.media import sounds

from .rest_parts import ask, create, done, heard_for

WORKFLOW = "WW" + "0" * 32


def response(inner: str) -> str:
    return f"<Response>{inner}</Response>"


async def waits(world: Any, attributes: str = "", name: str = "billing", task: str = "") -> Leg:
    inner = f'<Enqueue action="/after" {attributes}>{name}{task}</Enqueue>'
    call: Leg = await world.call(response(f"{inner}<Say>below</Say>"))
    await call.timeline.until("queued")
    return call


async def hang_up(world: Any, *calls: Leg) -> None:
    for call in calls:
        await world.carrier.line(call).hang_up()
        await call.ended()


@pytest.mark.parametrize(("attributes", "sound"), [("", True), ('waitUrl=""', False)])
async def test_without_a_wait_document_there_is_music_and_with_an_empty_one_silence(
    world: Any, attributes: str, sound: bool
) -> None:
    call = await waits(world, attributes)
    assert sounds.is_sound(await heard_for(call, 1.0)) is sound
    await hang_up(world, call)
    assert not world.carrier.alerts


async def test_each_turn_of_the_wait_document_is_told_place_and_times(world: Any) -> None:
    world.app.answers["/wait"] = response('<Say>please hold</Say><Pause length="2"/>')
    first = await waits(world, 'waitUrl="/wait"')
    await world.app.form("/wait", 1)
    second = await waits(world, 'waitUrl="/wait"')
    while not [f for f in world.app.forms("/wait") if f["QueuePosition"] == "2"]:
        await world.app.grown.wait()
    form = [f for f in world.app.forms("/wait") if f["CallSid"] == second.sid][0]
    assert (form["QueuePosition"], form["CurrentQueueSize"]) == ("2", "2")
    assert form["MaxQueueSize"] == "1000"
    again = [f for f in world.app.forms("/wait") if f["CallSid"] == first.sid][1]
    assert int(again["QueueTime"]) >= 2 and int(again["AvgQueueTime"]) >= 1
    await hang_up(world, first)
    while world.app.forms("/wait")[-1]["QueuePosition"] != "1":
        await world.app.grown.wait()
    await hang_up(world, second)
    results = {form["QueueResult"] for form in world.app.forms("/after")}
    assert results == {"hangup"}


async def test_leave_goes_on_below_and_hangup_tells_the_action(world: Any) -> None:
    world.app.answers["/leave"] = response("<Leave/>")
    call = await world.call(response('<Enqueue waitUrl="/leave">q</Enqueue><Say>below</Say>'))
    await call.ended()
    assert call.timeline.find("say")[0].detail == {"text": "below"}
    world.app.answers["/hangup"] = response("<Hangup/>")
    call = await world.call(response('<Enqueue action="/after" waitUrl="/hangup">q</Enqueue>'))
    await call.ended()
    assert (await world.app.form("/after"))["QueueResult"] == "hangup"


async def test_a_key_in_the_wait_document_can_lead_out(world: Any) -> None:
    world.app.answers["/wait"] = response('<Gather numDigits="1" action="/key" timeout="2"/>')
    world.app.answers["/key"] = response("<Leave/>")
    call = await waits(world, 'waitUrl="/wait"')
    await call.timeline.until("gathering")
    await world.carrier.line(call).press("1")
    assert (await world.app.form("/after"))["QueueResult"] == "leave"
    await call.ended()


async def test_a_full_queue_knows_neither_sid_nor_time(world: Any) -> None:
    world.carrier.queue("billing").size = 0
    call = await world.call(response('<Enqueue action="/after">billing</Enqueue>'))
    form = await world.app.form("/after")
    await call.ended()
    assert form["QueueResult"] == "queue-full"
    assert "QueueSid" not in form and "QueueTime" not in form


async def test_who_is_taken_as_the_wait_document_ends_is_not_asked_about_again(world: Any) -> None:
    """The taker is there first: what the caller would hear next is no question any more."""
    world.carrier.humans[world.ANNA] = Human(0.0)
    taker = await create(world, Twiml=response('<Pause length="30"/>'))
    world.app.answers["/wait"] = response('<Pause length="2"/>')
    call = await waits(world, 'waitUrl="/wait"')
    await world.app.form("/wait", 1)
    loop = asyncio.get_running_loop()
    queue = world.carrier.queue("billing")
    # In the turn of the loop in which the document ends, and before that.
    loop.call_at(math.nextafter(loop.time() + 2.0, 0.0), queue.take, taker)
    await call.timeline.until("bridged")
    assert len(world.app.forms("/wait")) == 2
    await hang_up(world, call, taker)
    assert (await world.app.form("/after"))["QueueResult"] == "bridged"


async def test_the_caller_hears_a_document_before_they_are_connected(world: Any) -> None:
    async def anna(line: Line) -> None:
        await line.wait_for("bridged")
        await line.say("this is anna")
        await line.hang_up()

    world.carrier.humans[world.ANNA] = Human(0.2, anna)
    world.app.answers["/first"] = response("<Say>you are connected</Say>")
    call = await waits(world)
    queue = f'<Queue url="{world.ORIGIN}/first">billing</Queue>'
    taker = await create(world, Twiml=response(f"<Dial>{queue}</Dial>"))
    form = await world.app.form("/after")
    await call.ended()
    assert form["QueueResult"] == "bridged"
    told = world.app.forms("/first")[0]
    assert (told["CallSid"], told["DequeingCallSid"]) == (call.sid, taker.sid)
    heard = call.recording().heard
    announced = sounds.voice_pattern("you are connected")
    assert heard.index(announced) < heard.index(sounds.voice_pattern("this is anna"))
    assert announced not in taker.recording().heard
    await taker.ended()
    assert not world.carrier.alerts


@pytest.mark.parametrize(("made", "status"), [(True, "no-answer"), (False, "failed")])
async def test_nobody_waiting_is_said_to_the_action_of_dial(
    world: Any, made: bool, status: str
) -> None:
    if made:
        world.carrier.queue("billing")
    call = await world.call(
        response('<Dial timeout="5" action="/after"><Queue>billing</Queue></Dial>')
    )
    form = await world.app.form("/after")
    await call.ended()
    assert (form["DialCallStatus"], form["DialBridged"]) == (status, "false")


async def test_being_moved_out_of_a_talk_is_redirected_from_bridged(world: Any) -> None:
    world.carrier.humans[world.ANNA] = Human(0.2)
    call = await waits(world)
    taker = await world.carrier.take_from_queue("billing", world.ANNA)
    await call.timeline.until("bridged")
    await create(world, call.sid, Twiml=response("<Hangup/>"))
    assert (await world.app.form("/after"))["QueueResult"] == "redirected-from-bridged"
    await call.ended()
    await taker.ended()


# --- TaskRouter -----------------------------------------------------------------------------


async def test_a_worker_takes_one_task_after_another_the_urgent_first(world: Any) -> None:
    async def anna(line: Line) -> None:
        await line.wait_for("bridged")
        await line.pause(0.5)
        await line.hang_up()

    world.carrier.humans["client:anna"] = Human(0.2, anna)
    calls = []
    for number, priority in (("1", "0"), ("2", "5")):
        task = f'<Task priority="{priority}">{{"number": {number}}}</Task>'
        calls.append(await waits(world, f'workflowSid="{WORKFLOW}"', "", task))
    tasks = [each.task for each in world.carrier.queue(WORKFLOW).members]
    assert tasks == ['{"number": 2}', '{"number": 1}']
    world.carrier.staff(WORKFLOW, "client:anna", after=0.5)
    for call in calls:
        await call.ended()
    bridged = [call.timeline.find("bridged")[0].at + call.timeline.start for call in calls]
    assert bridged[1] < bridged[0]
    results = [form["QueueResult"] for form in world.app.forms("/after")]
    assert results == ["bridged", "bridged"]
    assert not world.carrier.alerts


@pytest.mark.parametrize(
    ("attributes", "task"),
    [(f'workflowSid="{WORKFLOW}"', "<Task>no json</Task>"), ("", "<Task>{}</Task>")],
)
async def test_a_wrong_task_is_alerted(world: Any, attributes: str, task: str) -> None:
    call = await waits(world, attributes, "" if attributes else "q", task)
    assert world.carrier.alerts.codes() == [12200]
    await hang_up(world, call)


# --- REST -----------------------------------------------------------------------------------


async def test_rest_makes_lists_changes_and_deletes_queues(world: Any) -> None:
    made = await done(world, "POST", "/Queues.json", FriendlyName="billing", MaxSize="1")
    path = f"/Queues/{made['sid']}"
    again = await ask(world, "POST", "/Queues.json", FriendlyName="billing")
    assert again.status_code == 409
    call = await waits(world)
    body = await done(world, "GET", f"{path}.json")
    assert (body["current_size"], body["max_size"], body["friendly_name"]) == (1, 1, "billing")
    full = await world.call(response('<Enqueue action="/full">billing</Enqueue>'))
    assert (await world.app.form("/full"))["QueueResult"] == "queue-full"
    await full.ended()
    assert (await ask(world, "DELETE", f"{path}.json")).status_code == 409
    await done(world, "POST", f"{path}.json", FriendlyName="sales", MaxSize="5")
    listed = (await done(world, "GET", "/Queues.json"))["queues"]
    assert [(each["friendly_name"], each["max_size"]) for each in listed] == [("sales", 5)]
    await hang_up(world, call)
    assert (await ask(world, "DELETE", f"{path}.json")).status_code == 204
    assert (await ask(world, "GET", f"{path}.json")).status_code == 404
    assert not world.carrier.alerts


async def test_rest_takes_callers_out_of_a_queue(world: Any) -> None:
    world.app.answers["/out"] = response("<Say>it is your turn</Say>")
    first, second = await waits(world), await waits(world)
    path = f"/Queues/{world.carrier.queue('billing').sid}/Members"
    listed = (await done(world, "GET", f"{path}.json"))["queue_members"]
    assert [(each["call_sid"], each["position"]) for each in listed] == [
        (first.sid, 1),
        (second.sid, 2),
    ]
    assert f"queue billing: {first.sid} waits" in world.carrier.leftovers()
    url = f"{world.ORIGIN}/out"
    body = await done(world, "POST", f"{path}/Front.json", Url=url)
    assert body["call_sid"] == first.sid
    await first.ended()
    assert first.timeline.find("say")[0].detail == {"text": "it is your turn"}
    assert (await done(world, "GET", f"{path}/{second.sid}.json"))["position"] == 1
    await done(world, "POST", f"{path}/{second.sid}.json", Url=url)
    await second.ended()
    await world.app.form("/after", 1)
    assert {form["QueueResult"] for form in world.app.forms("/after")} == {"redirected"}
    assert (await ask(world, "POST", f"{path}/Front.json", Url=url)).status_code == 404
    assert (await ask(world, "GET", "/Queues/QU0/Members.json")).status_code == 404
    assert not world.carrier.alerts
