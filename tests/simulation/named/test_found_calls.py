"""Calls that the simulation found, as the plans that it was shrunk to."""

from __future__ import annotations

import msgspec
import pytest

from ..plan import Act, CarrierFaultKind, Fault, HumanPlan, Order, Plan, Trouble
from ..play import play

ASKS = (Act("say", "human", 1.0), Act("stay", seconds=40.0))
ACCEPTS = (HumanPlan("accepts", answer_after=3.0, talks_seconds=8.0),)


def broken(plan: Plan, *kinds: str) -> list[str]:
    """Return what a plan breaks, as far as it is of these kinds."""
    return [str(each) for each in play(plan).violations if each.kind in kinds]


def test_a_move_that_was_carried_out_though_rest_broke_off_brings_the_human():
    plan = Plan(seed=1, acts=ASKS, humans=ACCEPTS, faults=(Fault("rest-broken"),))
    assert broken(plan, "outcome", "accepted") == []


def test_a_human_who_meets_the_caller_while_the_process_is_down_is_in_the_record():
    plan = Plan(
        seed=1,
        acts=ASKS,
        humans=ACCEPTS,
        manner="warm",
        accept="any-answer",
        faults=(Fault("kill", 1.5, "bridging"),),
        think_seconds=0.2,
    )
    assert broken(plan, "outcome") == []


def test_a_supervisor_who_calls_a_checked_hand_off_off_leaves_nobody_in_silence():
    plan = Plan(
        seed=1,
        acts=(*ASKS, Act("wait", seconds=5.0)),
        manner="warm",
        asks="slow",
        orders=(Order("cancel", 0.5, "checking"),),
    )
    assert broken(plan, "silence") == []


def test_a_media_stream_that_freezes_is_replaced():
    plan = Plan(
        seed=1,
        acts=(
            Act("say", "What does it cost?", 1.0),
            Act("say", "What does it cost?", 1.0),
            Act("wait", seconds=12.0),
        ),
        faults=(Fault("stream-frozen", 9.0),),
    )
    assert broken(plan, "silence") == []


@pytest.mark.parametrize("at", [9.0, 10.0])
def test_a_frozen_stream_is_replaced_though_rest_does_not_answer_at_first(at: float):
    """Seed 7001072: the stream was closed then, which never reached the carrier."""
    plan = Plan(
        seed=1,
        acts=(
            Act("say", "Is it far?", 1.0),
            Act("say", "Is it far?", 1.5),
            Act("wait", seconds=12.0),
        ),
        faults=(Fault("rest-silent", 5.0), Fault("stream-frozen", at)),
    )
    assert broken(plan, "silence", "unanswered") == []


def test_an_answer_to_a_sound_that_was_no_turn_may_be_dropped():
    """Seed 7001014: the model answered the "okay" over the farewell, which was then said on."""
    plan = Plan(
        seed=5,
        acts=(
            Act("say", "human", 1.1),
            Act("interrupt", "okay", 0.4, 0.3),
            Act("stay", seconds=30.0),
        ),
        humans=(HumanPlan("no-answer"),),
        pace=8.0,
        think_seconds=0.2,
        network_ms=120.0,
    )
    assert broken(plan, "cut-off") == []


def test_a_response_that_freezes_is_missed_though_the_caller_talks_on():
    """Seed 30153: the line before a recording froze behind its last sample, and each turn of the
    caller made them wait for an answer anew."""
    plan = Plan(
        seed=1,
        acts=(
            Act("interrupt", "Is it far?", 1.2, 2.2),
            Act("say", "When are you open?", 4.0),
            Act("say", "When are you open?", 2.7),
            Act("say", "What does it cost?", 3.1),
            Act("wait", seconds=12.0),
        ),
        troubles=(Trouble("freeze", seconds=1.5),),
        record=True,
    )
    assert broken(plan, "unanswered", "twice") == []


def test_a_line_that_was_heard_is_not_said_again_by_the_next_session():
    """Seed 50319: the model answered a caller who had spoken over the line, and then froze."""
    plan = Plan(
        seed=1,
        acts=(
            Act("say", "hello", 0.6),
            Act("press", digits="0"),
            Act("say", "When are you open?", 2.7),
        ),
        faults=(Fault("model-frozen", during="idle"),),
        record=True,
        asks="closed",
    )
    assert broken(plan, "twice") == []


@pytest.mark.parametrize("at", [0.1, 0.9])
def test_a_media_stream_that_freezes_as_it_begins_is_replaced(at: float):
    """Seed 51462, where it was the stream of a human who was consulted."""
    plan = Plan(
        seed=1,
        acts=(Act("say", "When are you open?", 1.5), Act("wait", seconds=12.0)),
        faults=(Fault("stream-frozen", at),),
    )
    assert broken(plan, "silence", "unanswered") == []


def test_a_session_that_breaks_between_a_tool_and_what_is_said_about_it_leaves_no_silence():
    """Seed 51391: the tool had answered, and the response to that was asked for."""
    plan = Plan(
        seed=1,
        acts=(Act("say", "order", 1.5), Act("wait", seconds=12.0)),
        faults=(Fault("model-dropped", at=7.84),),
    )
    assert broken(plan, "silence") == []


QUEUED = Plan(seed=1, acts=ASKS, humans=ACCEPTS, to="queue")


def test_who_is_given_back_by_a_human_of_a_queue_is_recorded_as_handed_off():
    """Seed 11649: that they had met is told when the caller has been moved already."""
    plan = msgspec.structs.replace(QUEUED, orders=(Order("give-back", at=25.0),))
    played = play(plan)
    assert [each for each in played.violations if each.kind == "outcome"] == []
    assert played.disposition == "handed_off"


def test_who_hangs_up_with_a_human_of_a_queue_as_the_process_dies_is_recorded_as_handed_off():
    """Seed 30420: nobody was there to take the carrier's last question."""
    acts = (*ASKS, Act("say", "What does it cost?", 2.0), Act("wait", seconds=30.0))
    humans = (HumanPlan("accepts", answer_after=3.0, talks_seconds=60.0),)
    plan = msgspec.structs.replace(
        QUEUED, acts=acts, humans=humans, faults=(Fault("kill", during="failed"),)
    )
    played = play(plan)
    assert any("kill -9" in line for line in played.timeline)
    assert [each for each in played.violations if each.kind == "outcome"] == []
    assert played.disposition == "handed_off"


@pytest.mark.parametrize("fault", ["rest-late", "rest-broken"])
def test_who_is_in_a_queue_stays_there_whatever_rest_says_about_the_move(fault: CarrierFaultKind):
    """Seed 4001867: they were fetched back, and the human who then answered met nobody."""
    humans = (HumanPlan("accepts", answer_after=7.0, talks_seconds=8.0),)
    plan = msgspec.structs.replace(QUEUED, humans=humans, faults=(Fault(fault, 1.0, "farewell"),))
    played = play(plan)
    assert [each for each in played.violations if each.kind == "accepted"] == []
    assert played.disposition == "handed_off"


def test_who_asks_for_a_human_over_the_words_that_announce_one_is_not_left_in_silence():
    """Seed 51043: a supervisor had asked for the human, and the caller did so at that moment."""
    plan = Plan(
        seed=1,
        acts=(
            Act("wait", seconds=8.0),
            Act("interrupt", "human", 0.9, 0.2),
            Act("wait", seconds=15.0),
        ),
        orders=(Order("hand-off", at=10.0),),
        think_seconds=0.2,
        network_ms=0.0,
    )
    assert broken(plan, "silence") == []


@pytest.mark.parametrize("seconds", [67.4, 67.6])
def test_who_waits_for_an_answer_when_the_time_is_over_is_not_left_in_silence(seconds: float):
    """Seed 4000493: the goodbye was due while nothing had been heard about the human."""
    plan = Plan(
        seed=5,
        acts=(
            Act("wait", seconds=seconds),
            Act("say", "human", 1.0),
            Act("wait", seconds=12.0),
        ),
        asks="closed",
        think_seconds=0.5,
        network_ms=120.0,
    )
    played = play(plan)
    assert [each for each in played.violations if each.kind == "silence"] == []
    assert played.disposition == "time_limit"


def test_no_leg_is_left_over_when_the_disk_has_lost_the_lines_that_placed_it():
    """Seed 7001714: the disk was full while the human was rung, and the process was restarted."""
    plan = Plan(
        seed=1,
        acts=ASKS,
        humans=(HumanPlan("accepts", answer_after=0.8, talks_seconds=60.0),),
        faults=(Fault("disk-full", 5.0), Fault("restart", 3.0, "screening")),
        manner="consult",
    )
    played = play(plan)
    assert any("the disk lost" in line for line in played.timeline)
    assert [each for each in played.violations if each.kind == "leftover"] == []


def test_who_speaks_to_a_model_that_missed_the_end_of_a_turn_is_not_left_in_silence():
    """Seed 7002723: it had not noticed the end of the turn before, and so no new turn either."""
    plan = Plan(
        seed=1,
        acts=(
            Act("say", "Is it far?", 1.2),
            Act("say", "What does it cost?", 2.0),
            Act("say", "When are you open?", 1.2),
            Act("wait", seconds=8.0),
        ),
        troubles=(Trouble("no-speech-stopped", 2), Trouble("no-speech-stopped", 3)),
    )
    assert broken(plan, "silence", "unanswered", "memory", "model-error") == []


def test_who_speaks_while_a_session_is_being_opened_is_not_left_in_silence():
    """Seed 8000494: the session was lost, and the next one was not ready in time."""
    plan = Plan(
        seed=1,
        acts=(Act("wait", seconds=9.0), Act("say", "human", 1.2), Act("wait", seconds=15.0)),
        troubles=(Trouble("no-session-created", 2),),
        faults=(Fault("model-dropped", at=11.5),),
    )
    assert broken(plan, "silence", "unanswered") == []


@pytest.mark.parametrize("rest", [(), (Fault("rest-late", 0.5, "ringing"),)])
def test_who_waits_in_a_room_for_one_human_meets_the_next(rest: tuple[Fault, ...]):
    """Seed 8000634: the process was to end while the first human was asked. Each wave has a room of
    its own, and the caller stayed in the first one."""
    plan = Plan(
        seed=1,
        acts=ASKS,
        humans=(HumanPlan("hangs-up", answer_after=4.0), *ACCEPTS),
        faults=(*rest, Fault("restart", 1.0, "screening")),
        manner="warm",
        accept="press-1",
    )
    played = play(plan)
    assert [each for each in played.violations if each.kind in ("outcome", "accepted")] == []
    assert any("is connected" in line for line in played.timeline)


def test_who_hangs_up_as_a_human_answers_is_not_recorded_as_handed_off():
    """Seed 9000759: both happened in the same moment."""
    plan = Plan(
        seed=1,
        acts=ASKS,
        humans=(HumanPlan("accepts", answer_after=3.0),),
        orders=(Order("caller-hangs-up", 3.0, "ringing"),),
        accept="any-answer",
        network_ms=0.0,
    )
    played = play(plan)
    assert [each for each in played.violations if each.kind == "outcome"] == []
    assert played.disposition == "abandoned"
