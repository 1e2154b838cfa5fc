from __future__ import annotations

import asyncio
import threading

import pytest

from hookflash import CallContext, ConfigError, Utterance
from hookflash.core.events import HandoffRequested, HangUpRequested, RecordingRefused

HEARD = Utterance(speaker="caller", text="Hello?", started_at=0.5, ended_at=1.0)


def make_context(posted: list[object]) -> CallContext:
    return CallContext(
        call_sid="CA1",
        caller="+15550101",
        called="+15550100",
        agent="reception",
        post=posted.append,
        transcript=lambda: [HEARD],
        destinations=("billing",),
    )


def test_a_tool_asks_for_a_human() -> None:
    posted: list[object] = []
    make_context(posted).handoff("billing", "wrong invoice", "Invoice 7 is too high.")
    assert posted == [
        HandoffRequested("billing", "wrong invoice", "Invoice 7 is too high.", source="tool")
    ]


def test_a_destination_that_the_agent_does_not_have_is_refused() -> None:
    posted: list[object] = []
    with pytest.raises(ConfigError, match="no destination 'bling'; its destinations: billing"):
        make_context(posted).handoff("bling", "wrong invoice")
    assert posted == []


def test_a_tool_asks_to_end_the_call() -> None:
    posted: list[object] = []
    make_context(posted).hang_up("all done")
    assert posted == [HangUpRequested("all done")]


def test_the_transcript_is_what_was_heard_when_it_is_asked_for() -> None:
    heard = [HEARD]
    context = CallContext(call_sid="CA1", transcript=lambda: heard)
    first = context.transcript
    heard.append(HEARD)
    assert (first, context.transcript) == ((HEARD,), (HEARD, HEARD))


def test_state_is_the_owners_and_lasts_as_long_as_the_context() -> None:
    context = make_context([])
    context.state["order"] = 7
    assert context.state == {"order": 7}
    assert make_context([]).state == {}


async def test_what_a_thread_asks_for_happens_in_the_loops_thread() -> None:
    threads: list[int] = []

    def post(event: object) -> None:
        threads.append(threading.get_ident())

    def heard() -> list[Utterance]:
        threads.append(threading.get_ident())
        return [HEARD]

    context = CallContext(call_sid="CA1", post=post, transcript=heard)

    def tool() -> tuple[Utterance, ...]:
        context.handoff("billing", "because")
        context.hang_up()
        return context.transcript

    assert await asyncio.to_thread(tool) == (HEARD,)
    assert threads == [threading.get_ident()] * 3


async def test_in_the_loops_own_thread_it_happens_at_once() -> None:
    posted: list[object] = []
    context = make_context(posted)
    context.hang_up()
    assert posted == [HangUpRequested("")]


async def test_an_error_there_comes_back_to_the_thread() -> None:
    def post(event: object) -> None:
        raise RuntimeError("the call is over")

    context = CallContext(call_sid="CA1", post=post)
    with pytest.raises(RuntimeError, match="the call is over"):
        await asyncio.to_thread(context.hang_up)


def test_a_context_made_by_hand_is_good_for_testing_tools() -> None:
    context = CallContext(call_sid="CA1")
    context.handoff("anything", "goes")
    assert context.transcript == ()


def test_it_does_not_show_numbers_or_the_owners_data() -> None:
    context = make_context([])
    context.state["secret"] = "swordfish"
    assert repr(context) == "CallContext(call_sid='CA1', agent='reception')"


def test_a_tool_can_stop_the_recording() -> None:
    posted: list[object] = []
    CallContext(call_sid="CA1", post=posted.append).stop_recording()
    assert posted == [RecordingRefused()]
