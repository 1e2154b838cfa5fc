"""The process dies in each state of a hand-off; another one goes on with the next webhook."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

from hookflash import Agent, CallRecord, Target
from hookflash.core import prompts
from hookflash.core.events import GiveBackRequested
from hookflash.core.handoff.states import HandoffState
from hookflash.core.phases import Phase
from hookflash.runtime.journal import JOURNAL_VERSION
from hookflash.server.assembly import Line as ServedLine
from hookflash_local.carrier import Delayed, Human, Leg, Line, Silent

from .acts import WELCOME, hear, said_on, script_whole_agent, talk
from .conftest import DESK, PUBLIC, Stage, another_process, eventually, samples, shop
from .test_consult import BRIEFING
from .test_consult import desk as consulted
from .test_meeting import HUMAN, ask_for_a_human, asked_to, desk, other_legs, say
from .test_nobody_reached import APOLOGY, leave_words, taken_from

BACK_AGAIN = 0x2A


@dataclass
class Second:
    """Another process on the same data, which takes over when the first one dies."""

    first: Stage
    line: ServedLine
    port: int
    died_in: HandoffState | None = None
    upgraded: bool = False
    """Whether the journals of the first process are of another version to this one."""

    async def dies(self, call: Leg, state: HandoffState) -> None:
        """Let the first process die as soon as the hand-off is in `state`."""
        driver = self.first.line.switchboard.find(call.sid)
        assert driver is not None
        await eventually(lambda: driver.call.handoff.state is state, 30)
        assert self.first.line.journals.flush()
        journal = self.first.line.journals.find(call.sid)
        if self.upgraded and journal is not None:
            text = journal.read_text()
            journal.write_text(text.replace(f'"journal":{JOURNAL_VERSION}', '"journal":1', 1))
        self.first.carrier.tunnel[PUBLIC] = f"http://127.0.0.1:{self.port}"
        self.died_in = driver.call.handoff.state
        for leg in self.first.carrier.calls:
            # Its talk with a human is a call of its own.
            driver = self.first.line.switchboard.find(leg.sid)
            if driver is not None:
                await driver.close()

    async def record(self, call: Leg) -> CallRecord:
        """Return the record that the second process has made."""
        await call.ended()
        await self.first.carrier.callbacks_sent()
        driver = self.line.switchboard.find(call.sid)
        assert driver is not None, "the second process has never heard of the call"
        await eventually(lambda: driver.call.phase is Phase.ENDED)
        await self.line.writer.flush()
        record = await self.line.store.get(call.sid)
        assert record is not None
        return record


@pytest.fixture
def twice(stage) -> Callable[..., contextlib.AbstractAsyncContextManager]:
    @contextlib.asynccontextmanager
    async def both(agent: Agent, prepare: Callable[[Stage], None] = lambda s: None):
        async with stage(agent, notices=False) as s:
            prepare(s)
            again = asked_to("interrupted")
            s.model.on("response.create", [say("again", 900, BACK_AGAIN)], where=again)
            script_whole_agent(s)
            async with another_process(s, agent) as (line, port):
                yield s, Second(s, line, port)
                # Everything is over before the second process is.
                for call in s.carrier.calls:
                    call.end("completed", by="test")
                await s.carrier.callbacks_sent()

    return both


Then = Callable[[Line], Awaitable[None]]


def caller_who(s: Stage, second: Second, state: HandoffState, then: Then):
    async def script(line: Line) -> None:
        await ask_for_a_human(s, line)
        await second.dies(line.leg, state)
        await then(line)

    return script


async def meets(line: Line) -> None:
    await line.connected()


async def is_welcomed(line: Line) -> None:
    await hear(line, WELCOME)
    await line.hang_up()


def is_there_when(died: asyncio.Event, human: Human) -> Human:
    """Somebody who only answers when the first process is dead."""

    async def instant(leg: Leg) -> None:
        await died.wait()
        await leg.tools.clock.sleep(2.0)

    return human.when(instant)


async def test_while_it_is_found_out_who_is_there(twice):
    agent = shop(manner="warm")
    asked: list[Target] = []

    @agent.presence
    async def is_free(target: Target) -> bool:
        asked.append(target)
        await asyncio.sleep(5)
        return True

    async with twice(agent) as (s, second):
        s.carrier.humans[DESK] = Human.accepts(0.5, then=desk)
        call = await s.call(caller_who(s, second, HandoffState.CHECKING, meets))
        record = await second.record(call)
        assert asked and second.died_in is HandoffState.CHECKING
        assert samples(call.recording().heard, HUMAN) == 8000
        assert len(other_legs(s, call)) == 1
        assert record.disposition == "handed_off"


@pytest.mark.parametrize("state", [HandoffState.FAREWELL, HandoffState.MOVING])
async def test_while_the_caller_is_said_goodbye_to_or_taken_off_the_stream(twice, state):
    async with twice(shop()) as (s, second):
        if state is HandoffState.MOVING:
            # REST never answers, so that the move takes its time.
            s.carrier.faults.updates.append(Silent())
        s.carrier.humans[DESK] = Human(answer_after=0.5, script=desk)
        call = await s.call(caller_who(s, second, state, meets))
        record = await second.record(call)
        assert second.died_in is state
        assert samples(call.recording().heard, HUMAN) == 8000
        assert len(other_legs(s, call)) == 1
        assert record.disposition == "handed_off"


async def test_while_the_caller_is_on_the_way_back(twice):
    async with twice(shop(manner="warm", afterwards="return")) as (s, second):
        died = asyncio.Event()

        async def human(line: Line) -> None:
            await talk(line)
            await died.wait()
            await line.hang_up()

        s.carrier.humans[DESK] = Human.accepts(0.5, then=human)

        async def script(line: Line) -> None:
            await ask_for_a_human(s, line)
            await hear(line, HUMAN, 900)
            # REST never answers, so that the caller is still with the human when the process dies.
            s.carrier.faults.updates.extend([Silent()] * 20)
            s.line.switchboard.find(line.leg.sid).post(GiveBackRequested(by="anna"))
            await second.dies(line.leg, HandoffState.RETURNING)
            s.carrier.faults.updates.clear()
            died.set()
            await is_welcomed(line)

        call = await s.call(script)
        record = await second.record(call)
        assert second.died_in is HandoffState.RETURNING
        assert samples(call.recording().heard, WELCOME) == 900 * 8
        assert record.disposition == "handed_off"


async def test_while_a_telephone_rings(twice):
    async with twice(shop(manner="warm")) as (s, second):
        died = asyncio.Event()
        s.carrier.humans[DESK] = is_there_when(died, Human.accepts(0.5, then=desk))

        async def script(line: Line) -> None:
            await ask_for_a_human(s, line)
            await eventually(lambda: len(s.carrier.calls) == 2)
            await line.pause(1.0)
            await second.dies(line.leg, HandoffState.RINGING)
            died.set()
            await meets(line)

        call = await s.call(script)
        record = await second.record(call)
        assert samples(call.recording().heard, HUMAN) == 8000
        assert len(other_legs(s, call)) == 1
        assert record.disposition == "handed_off"


async def test_while_the_human_hears_the_whisper(twice):
    async with twice(shop(manner="warm")) as (s, second):
        s.carrier.humans[DESK] = Human.accepts(0.5, then=desk)
        call = await s.call(caller_who(s, second, HandoffState.SCREENING, meets))
        record = await second.record(call)
        (leg,) = other_legs(s, call)
        assert "Order 7 is late." in " ".join(said_on(leg))
        assert samples(call.recording().heard, HUMAN) == 8000
        assert record.disposition == "handed_off"


def consulting(s: Stage) -> None:
    """The agent that talks with the human briefs them, and when it is cut off it connects them."""
    briefed = asked_to("on the telephone with a human")
    s.model.on("response.create", [say("briefing", 3000, BRIEFING)], where=briefed, times=1)
    connect = {"call_tool": {"name": "connect_caller", "arguments": {}}}
    s.model.on("response.create", [say("thanks", 500, BRIEFING), connect], where=briefed, times=1)


async def test_while_the_agent_talks_with_the_human(twice):
    async with twice(shop(manner="consult"), consulting) as (s, second):
        s.carrier.humans[DESK] = Human(0.5, consulted)

        async def script(line: Line) -> None:
            await ask_for_a_human(s, line)
            await eventually(lambda: len(s.carrier.calls) == 2)
            (leg,) = other_legs(s, line.leg)
            await hear(s.carrier.line(leg), BRIEFING, 1000)
            await second.dies(line.leg, HandoffState.SCREENING)
            await meets(line)

        call = await s.call(script)
        record = await second.record(call)
        assert samples(call.recording().heard, HUMAN) == 8000
        assert samples(call.recording().heard, BRIEFING) == 0
        assert len(other_legs(s, call)) == 1
        assert record.disposition == "handed_off"


async def test_while_the_agent_says_its_closing_line(twice):
    async with twice(shop(manner="warm")) as (s, second):
        s.carrier.humans[DESK] = Human.accepts(0.5, then=desk)
        call = await s.call(caller_who(s, second, HandoffState.CLOSING, meets))
        record = await second.record(call)
        assert second.died_in is HandoffState.CLOSING
        assert samples(call.recording().heard, HUMAN) == 8000
        assert record.disposition == "handed_off"


async def test_while_the_caller_is_on_the_way_to_the_room(twice):
    async with twice(shop(manner="warm", afterwards="return")) as (s, second):
        s.carrier.faults.webhooks.append(Delayed("/room-events", times=1000, seconds=1.5))
        s.carrier.humans[DESK] = Human.accepts(0.5, then=desk)
        call = await s.call(caller_who(s, second, HandoffState.BRIDGING, is_welcomed))
        record = await second.record(call)
        assert second.died_in is HandoffState.BRIDGING
        assert samples(call.recording().heard, HUMAN) == 8000
        assert samples(call.recording().heard, WELCOME) == 900 * 8
        assert record.disposition == "handed_off"


@pytest.mark.parametrize("afterwards", ["return", "hang-up"])
async def test_while_both_talk(twice, afterwards):
    async with twice(shop(manner="warm", afterwards=afterwards)) as (s, second):
        s.carrier.humans[DESK] = Human.accepts(0.5, then=desk)
        call = await s.call(caller_who(s, second, HandoffState.WITH_HUMAN, is_welcomed))
        record = await second.record(call)
        assert second.died_in is HandoffState.WITH_HUMAN
        assert samples(call.recording().heard, HUMAN) == 8000
        welcomed = samples(call.recording().heard, WELCOME)
        assert welcomed == (900 * 8 if afterwards == "return" else 0)
        assert [attempt.outcome for attempt in record.handoffs] == ["bridged"]
        assert record.disposition == "handed_off"


async def test_while_the_human_chooses_what_becomes_of_the_caller(twice):
    async with twice(shop(manner="warm")) as (s, second):

        async def human(line: Line) -> None:
            await talk(line)
            await line.press("*")
            await line.wait_to_hear(prompts.PARTING)
            await eventually(lambda: second.died_in is HandoffState.PARTING)
            await line.press("2")

        s.carrier.humans[DESK] = Human.accepts(0.5, then=human)
        call = await s.call(caller_who(s, second, HandoffState.PARTING, is_welcomed))
        record = await second.record(call)
        assert samples(call.recording().heard, WELCOME) == 900 * 8
        (leg,) = other_legs(s, call)
        assert said_on(leg)[-1] == prompts.GIVEN_BACK
        assert record.disposition == "handed_off"


async def test_while_a_message_is_recorded(twice):
    agent = shop(otherwise="voicemail")
    taken = taken_from(agent)
    async with twice(agent) as (s, second):
        s.carrier.humans[DESK] = Human.busy()
        call = await s.call(caller_who(s, second, HandoffState.MESSAGE, leave_words))
        record = await second.record(call)
        delivery = await asyncio.wait_for(taken.get(), 20)
        assert said_on(call) == [APOLOGY, prompts.MESSAGE_THANKS]
        assert (delivery.kind, delivery.call_sid) == ("voicemail", call.sid)
        assert record.disposition == "voicemail"


# --- the other process is of another version ----------------------------------------------------


async def is_back(line: Line) -> None:
    await hear(line, BACK_AGAIN)
    await line.hang_up()


@pytest.mark.parametrize(
    "state",
    [HandoffState.RINGING, HandoffState.SCREENING, HandoffState.CLOSING, HandoffState.BRIDGING],
)
async def test_a_caller_is_back_with_an_agent_of_another_version(twice, state):
    async with twice(shop(manner="warm")) as (s, second):
        second.upgraded = True
        if state is HandoffState.BRIDGING:
            s.carrier.faults.webhooks.append(Delayed("/room-events", times=1000, seconds=1.5))
        s.carrier.humans[DESK] = Human.accepts(2.0, then=desk)
        call = await s.call(caller_who(s, second, state, is_back))
        record = await second.record(call)
        assert second.died_in is state
        assert samples(call.recording().heard, BACK_AGAIN) == 900 * 8
        (leg,) = other_legs(s, call)
        assert not leg.live
        before = s.line.switchboard.find(call.sid)
        assert before is not None and record.caller == before.call.info.caller != ""
        spoken = [each.text for each in record.utterances if each.speaker == "agent"]
        assert len(spoken) > 1, "what the first process has said is in the record"


async def test_who_talks_with_a_human_goes_on_to_talk_and_is_welcomed_back(twice):
    async with twice(shop(manner="warm")) as (s, second):
        second.upgraded = True
        s.carrier.humans[DESK] = Human.accepts(0.5, then=desk)
        call = await s.call(caller_who(s, second, HandoffState.WITH_HUMAN, is_welcomed))
        await second.record(call)
        assert second.died_in is HandoffState.WITH_HUMAN
        assert samples(call.recording().heard, HUMAN) == 8000
        assert samples(call.recording().heard, WELCOME) == 900 * 8


async def test_whom_the_carrier_rings_for_the_caller_is_met_and_not_denied(twice):
    async with twice(shop()) as (s, second):
        second.upgraded = True
        s.carrier.humans[DESK] = Human(answer_after=3.0, script=desk)
        call = await s.call(caller_who(s, second, HandoffState.RINGING, is_welcomed))
        record = await second.record(call)
        assert second.died_in is HandoffState.RINGING
        assert samples(call.recording().heard, HUMAN) == 8000
        assert samples(call.recording().heard, WELCOME) == 900 * 8
        assert samples(call.recording().heard, BACK_AGAIN) == 0
        assert record.disposition == "handled_by_agent", "past attempts are not kept"


async def test_a_message_is_delivered_by_a_process_of_another_version(twice):
    agent = shop(otherwise="voicemail")
    taken = taken_from(agent)
    async with twice(agent) as (s, second):
        second.upgraded = True
        s.carrier.humans[DESK] = Human.busy()
        call = await s.call(caller_who(s, second, HandoffState.MESSAGE, leave_words))
        record = await second.record(call)
        delivery = await asyncio.wait_for(taken.get(), 20)
        assert said_on(call) == [APOLOGY, prompts.MESSAGE_THANKS]
        assert (delivery.kind, delivery.call_sid) == ("voicemail", call.sid)
        assert record.disposition == "voicemail"
