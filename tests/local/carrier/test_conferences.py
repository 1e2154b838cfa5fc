"""Conferences: the wait, the start, who hears whom, the end, and REST on all of it."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.responses import Response

from hookflash_local.carrier import Human, Leg, Line, Unconfirmed
from hookflash_local.carrier.media import sounds

from .rest_parts import ask, done, heard_for, leg_of

SPEECH = b"\x10" * 800
OTHER = b"\x20" * 800


def response(inner: str) -> str:
    return f"<Response>{inner}</Response>"


def room(attributes: str = "", name: str = "room-1", dial: str = "", below: str = "") -> str:
    conference = f'<Conference beep="false" {attributes}>{name}</Conference>'
    return response(f'<Dial action="/after" {dial}>{conference}</Dial>{below}')


async def enter(world: Any, attributes: str = "", script: Any = None, **more: str) -> Leg:
    call: Leg = await world.call(room(attributes, **more), script)
    await call.timeline.until("joined")
    return call


async def hang_up(world: Any, *calls: Leg) -> None:
    for call in calls:
        await world.carrier.line(call).hang_up()
        await call.ended()


async def sid_of(world: Any) -> str:
    body = await done(world, "GET", "/Conferences.json", FriendlyName="room-1")
    return str(body["conferences"][-1]["sid"])


# --- waiting --------------------------------------------------------------------------------


async def test_the_wait_document_is_followed_by_silence_and_loops_by_redirect(world: Any) -> None:
    world.app.answers["/once"] = response("<Say>please wait</Say>")
    world.app.answers["/loop"] = response("<Say>please wait</Say><Redirect/>")
    wait = sounds.voice_pattern("please wait")
    once = await enter(world, 'waitUrl="/once"')
    await once.timeline.until("say")
    heard = await heard_for(once, 4.0)
    assert once.recording().heard.count(wait) == 1
    assert not sounds.is_sound(heard[-8000:])
    loop = await enter(world, 'waitUrl="/loop"', name="room-2")
    await loop.timeline.until("say", count=3)
    assert world.app.forms("/loop")[0]["ConferenceSid"].startswith("CF")
    await hang_up(world, once, loop)
    assert not world.carrier.alerts


async def test_a_wait_document_that_cannot_be_had_leads_to_the_action(world: Any) -> None:
    world.app.answers["/wait"] = Response("", 500)
    call = await world.call(room('waitUrl="/wait"', below="<Say>never</Say>"))
    form = await world.app.form("/after")
    await call.ended()
    assert (form["DialCallStatus"], form["DialBridged"]) == ("failed", "false")
    assert world.carrier.alerts.codes() == [11200]
    assert world.carrier.leftovers() == []


async def test_nobody_starts_it_before_one_who_may(world: Any) -> None:
    first = await enter(world, 'startConferenceOnEnter="false" waitUrl=""')
    second = await enter(world, 'startConferenceOnEnter="false" waitUrl=""')
    await world.carrier.line(first).play(SPEECH)
    assert await sid_of(world)
    assert SPEECH not in second.recording().heard
    third = await enter(world, 'waitUrl="" jitterBufferSize="small"')
    await third.timeline.until("conference-joined", third.sid)
    await world.carrier.line(first).play(OTHER)
    await heard_for(second, 0.5)
    assert OTHER in second.recording().heard and OTHER in third.recording().heard
    assert third.timeline.find("joined")[0].detail["jitter"] == "small"
    await hang_up(world, first, second, third)


# --- who hears whom -------------------------------------------------------------------------


async def test_the_gap_between_joining_and_hearing_is_none(world: Any) -> None:
    async def speaker(line: Line) -> None:
        await line.wait_for("joined")
        while True:
            await line.play(SPEECH)

    human = await enter(world, 'waitUrl=""', speaker)
    caller = await enter(world, 'endConferenceOnExit="true"')
    heard = await heard_for(caller, 1.0)
    silent = next(n for n, byte in enumerate(heard) if byte == 0x10)
    assert silent <= 160, "from the very frame of joining"
    await hang_up(world, caller, human)


@pytest.mark.parametrize("music", [False, True])
async def test_whoever_is_left_alone_hears_silence_or_music_as_it_is_read(
    worlds: Any, music: bool
) -> None:
    world = await worlds(unconfirmed=Unconfirmed(music_for_the_last=music))
    first, second = await enter(world), await enter(world)
    await hang_up(world, second)
    heard = await heard_for(first, 2.0)
    assert sounds.is_sound(heard) is music
    third = await enter(world)
    await world.carrier.line(third).play(SPEECH)
    await heard_for(first, 0.5)
    assert SPEECH in first.recording().heard
    await hang_up(world, third, first)


async def test_a_coach_is_heard_by_one_alone(world: Any) -> None:
    caller, human = await enter(world), await enter(world)
    coach = await enter(world, f'coach="{human.sid}"')
    await world.carrier.line(coach).play(SPEECH)
    await world.carrier.line(caller).play(OTHER)
    await heard_for(caller, 0.5)
    assert SPEECH in human.recording().heard
    assert SPEECH not in caller.recording().heard
    assert OTHER in coach.recording().heard
    await hang_up(world, coach, caller, human)


async def test_coaching_somebody_who_is_not_there_fails_to_the_action(world: Any) -> None:
    call = await world.call(room(f'coach="CA{"0" * 32}"'))
    form = await world.app.form("/after")
    await call.ended()
    assert form["DialCallStatus"] == "failed"
    assert world.carrier.alerts.codes() == [13240]


async def test_the_same_name_twice_merges_strangers(world: Any) -> None:
    one = await enter(world)
    two = await enter(world, name="room-1")
    await world.carrier.line(one).play(SPEECH)
    await heard_for(two, 0.5)
    assert SPEECH in two.recording().heard
    conferences = (await done(world, "GET", "/Conferences.json"))["conferences"]
    assert len(conferences) == 1
    await hang_up(world, one, two)
    three = await enter(world)
    conferences = (await done(world, "GET", "/Conferences.json"))["conferences"]
    assert [each["status"] for each in conferences] == ["completed", "init"]
    await hang_up(world, three)


# --- leaving and ending ---------------------------------------------------------------------


async def test_star_leaves_the_room_and_the_action_is_asked(world: Any) -> None:
    world.app.answers["/after"] = response("<Say>back again</Say>")

    async def caller(line: Line) -> None:
        await line.wait_for("conference-joined")
        await line.press("*")

    human = await enter(world)
    call = await world.call(room(dial='hangupOnStar="true"'), caller)
    form = await world.app.form("/after")
    await call.ended()
    assert (form["DialCallStatus"], form["CallStatus"]) == ("answered", "in-progress")
    assert call.timeline.find("say")[0].detail == {"text": "back again"}
    assert human.live, "the other one stays in the room"
    await hang_up(world, human)


async def test_who_ends_it_sends_all_others_to_their_actions(world: Any) -> None:
    first = await enter(world, 'participantLabel="caller"')
    human = await enter(world, 'endConferenceOnExit="true" participantLabel="human"')
    await hang_up(world, human)
    await world.app.form("/after", 1)
    await first.ended()
    left = {event.call_sid: event.detail["reason"] for event in first.timeline.find("left")}
    assert left == {first.sid: "moderator_ended_conference"}
    body = await done(world, "GET", f"/Conferences/{await sid_of(world)}.json")
    assert body["status"] == "completed"
    assert body["reason_conference_ended"] == "participant-with-end-conference-on-exit-left"
    assert body["call_sid_ending_conference"] == human.sid


async def test_rest_ends_a_conference_and_everybody_goes_on(world: Any) -> None:
    told = f'statusCallback="{world.ORIGIN}/room" statusCallbackEvent="leave end"'
    first, second = await enter(world, told), await enter(world)
    sid = await sid_of(world)
    body = await done(world, "POST", f"/Conferences/{sid}.json", Status="completed")
    assert body["status"] == "completed"
    await first.ended()
    await second.ended()
    end = (await world.app.form("/room", 2)) and world.app.forms("/room")
    reasons = {form.get("ReasonParticipantLeft") for form in end} - {None}
    assert reasons == {"conference_ended_via_api"}
    (last,) = [form for form in end if form["StatusCallbackEvent"] == "conference-end"]
    assert last["ReasonConferenceEnded"] == "conference-ended-via-api"
    assert (await ask(world, "POST", f"/Conferences/{sid}.json", Status="completed")).status_code
    gone = await done(world, "GET", f"/Conferences/{sid}/Participants.json")
    assert gone["participants"] == []


# --- REST on participants -------------------------------------------------------------------


async def test_a_participant_is_muted_held_modified_and_kicked(world: Any) -> None:
    events = 'statusCallbackEvent="mute hold modify leave"'
    first = await enter(world, f'statusCallback="{world.ORIGIN}/room" {events}')
    second = await enter(world, 'participantLabel="human"')
    people = f"/Conferences/{await sid_of(world)}/Participants"
    listed = (await done(world, "GET", f"{people}.json"))["participants"]
    assert [each["call_sid"] for each in listed] == [first.sid, second.sid]
    assert (listed[1]["label"], listed[1]["status"]) == ("human", "connected")

    await done(world, "POST", f"{people}/human.json", Muted="true")
    await world.carrier.line(second).play(SPEECH)
    await heard_for(first, 0.5)
    assert SPEECH not in first.recording().heard
    await done(world, "POST", f"{people}/human.json", Muted="false")

    held = await done(world, "POST", f"{people}/{first.sid}.json", Hold="true")
    assert held["hold"] is True
    await world.carrier.line(second).play(OTHER)
    heard = await heard_for(first, 1.0)
    assert sounds.is_sound(heard) and OTHER not in first.recording().heard
    assert (await done(world, "GET", f"{people}.json", Hold="true"))["participants"]
    await done(world, "POST", f"{people}/{first.sid}.json", Hold="false")
    await world.carrier.line(second).play(OTHER)
    await heard_for(first, 0.5)
    assert OTHER in first.recording().heard

    await done(world, "POST", f"{people}/human.json", EndConferenceOnExit="true", BeepOnExit="true")
    body = await done(world, "GET", f"{people}/human.json")
    assert body["end_conference_on_exit"] is True
    assert (await ask(world, "DELETE", f"{people}/human.json")).status_code == 204
    await first.ended()
    await second.ended()
    await world.app.form("/room", 6)
    names = [form["StatusCallbackEvent"] for form in world.app.forms("/room")]
    assert sorted(names) == sorted(
        [
            "participant-mute",
            "participant-unmute",
            "participant-hold",
            "participant-unhold",
            "participant-modify",
            "participant-leave",
            "participant-leave",
        ]
    )
    body = await done(world, "GET", f"/Conferences/{await sid_of(world)}.json")
    assert body["reason_conference_ended"] == "participant-with-end-conference-on-exit-kicked"
    assert not world.carrier.alerts


async def test_a_held_one_hears_its_own_document_and_an_announcement_is_for_one(
    world: Any,
) -> None:
    world.app.answers |= {"/hold": response("<Say>one moment</Say>")}
    world.app.answers["/tell"] = response("<Say>order forty two</Say>")
    first, second = await enter(world), await enter(world)
    people = f"/Conferences/{await sid_of(world)}/Participants"
    url = {"HoldUrl": f"{world.ORIGIN}/hold"}
    await done(world, "POST", f"{people}/{first.sid}.json", Hold="true", **url)
    await first.timeline.until("say", first.sid, 2)
    await done(world, "POST", f"{people}/{first.sid}.json", Hold="false")
    url = {"AnnounceUrl": f"{world.ORIGIN}/tell"}
    await done(world, "POST", f"{people}/{second.sid}.json", **url)
    await second.timeline.until("conference-joined", second.sid, 2)
    told = sounds.voice_pattern("order forty two")
    assert told in second.recording().heard and told not in first.recording().heard
    await world.carrier.line(first).play(SPEECH)
    await heard_for(second, 0.5)
    assert SPEECH in second.recording().heard
    await hang_up(world, first, second)


async def test_a_human_is_called_into_the_room(world: Any) -> None:
    world.carrier.humans[world.ANNA] = Human.says("hello", answer_after=0.5)
    first = await enter(world)
    people = f"/Conferences/{await sid_of(world)}/Participants"
    body = await done(
        world,
        "POST",
        f"{people}.json",
        To=world.ANNA,
        From=world.LINE,
        Label="human",
        EndConferenceOnExit="true",
        JitterBufferSize="off",
    )
    assert (body["status"], body["label"]) == ("queued", "human")
    human = leg_of(world, body["call_sid"])
    await human.timeline.until("conference-joined")
    await first.timeline.until("conference-joined")
    again = {"To": world.ANNA, "From": world.LINE, "Label": "human"}
    taken = await ask(world, "POST", f"{people}.json", **again)
    assert (taken.status_code, taken.json()["code"]) == (400, 16026)
    assert human.timeline.find("joined")[0].detail["jitter"] == "off"
    await hang_up(world, human)
    await first.ended()
    assert not world.carrier.alerts


async def test_a_name_makes_a_room_and_who_does_not_come_is_told(world: Any) -> None:
    world.carrier.humans[world.ANNA] = Human.busy()
    told = f'statusCallback="{world.ORIGIN}/room" statusCallbackEvent="leave"'
    first = await enter(world, told)
    form = {"To": world.ANNA, "From": world.LINE}
    await done(world, "POST", "/Conferences/room-1/Participants.json", **form)
    left = await world.app.form("/room")
    assert left["ReasonParticipantLeft"] == "participant_add_failed"
    assert left["ParticipantCallStatus"] == "busy"
    unknown = await ask(world, "POST", f"/Conferences/CF{'0' * 32}/Participants.json", **form)
    assert unknown.status_code == 404
    by_name = await ask(world, "GET", "/Conferences/room-1.json")
    assert by_name.status_code == 404, "only a SID names a conference elsewhere"
    await hang_up(world, first)


async def test_conferences_may_be_found_by_name_if_it_is_read_so(worlds: Any) -> None:
    world = await worlds(unconfirmed=Unconfirmed(rooms_by_name=True))
    call = await enter(world)
    body = await done(world, "POST", "/Conferences/room-1.json", Status="completed")
    assert body["friendly_name"] == "room-1"
    await call.ended()


async def test_rest_decides_who_coaches_whom(world: Any) -> None:
    caller, human = await enter(world), await enter(world)
    coach = await enter(world)
    people = f"/Conferences/{await sid_of(world)}/Participants"
    one = f"{people}/{coach.sid}.json"
    unknown = await ask(world, "POST", one, CallSidToCoach="CA" + "0" * 32)
    assert unknown.json()["code"] == 13240
    body = await done(world, "POST", one, Coaching="true", CallSidToCoach=human.sid)
    assert (body["coaching"], body["call_sid_to_coach"]) == (True, human.sid)
    await world.carrier.line(coach).play(SPEECH)
    await heard_for(caller, 0.5)
    assert SPEECH in human.recording().heard and SPEECH not in caller.recording().heard
    assert (await done(world, "GET", f"{people}.json", Coaching="true"))["participants"]
    await done(world, "POST", one, Coaching="false")
    await world.carrier.line(coach).play(OTHER)
    await heard_for(caller, 0.5)
    assert OTHER in caller.recording().heard
    await hang_up(world, coach, human, caller)


@pytest.mark.parametrize(("wanted", "beeps"), [("true", True), ("false", False)])
async def test_a_beep_on_leaving_is_set_by_rest(world: Any, wanted: str, beeps: bool) -> None:
    first, second = await enter(world), await enter(world)
    people = f"/Conferences/{await sid_of(world)}/Participants"
    await done(world, "POST", f"{people}/{second.sid}.json", BeepOnExit=wanted)
    await hang_up(world, second)
    heard = await heard_for(first, 1.0)
    assert sounds.is_sound(heard) is beeps
    await hang_up(world, first)


async def test_holding_twice_is_holding_once_and_a_held_one_may_go(world: Any) -> None:
    first, second = await enter(world), await enter(world)
    one = f"/Conferences/{await sid_of(world)}/Participants/{first.sid}.json"
    world.app.answers["/hold"] = response("<Say>one moment</Say>")
    await done(world, "POST", one, Hold="false")
    await done(world, "POST", one, Hold="true", HoldUrl=f"{world.ORIGIN}/hold")
    await done(world, "POST", one, Hold="true")
    assert len(first.timeline.find("held")) == 1
    await hang_up(world, first)
    assert (await ask(world, "GET", one)).status_code == 404
    assert second.live
    await hang_up(world, second)


async def test_the_time_limit_of_dial_ends_the_stay(world: Any) -> None:
    call = await enter(world, dial='timeLimit="2"')
    await call.ended()
    assert "time limit" in world.carrier.alerts.entries[0].text
