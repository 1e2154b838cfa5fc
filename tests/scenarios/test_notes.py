"""The talk with a human is written down: in the record, for the agent, in the recording."""

from __future__ import annotations

import asyncio

import pytest

from hookflash_local.carrier import Human, Line
from hookflash_local.model.session import Session

from .acts import WELCOME, hear, script_whole_agent, talk
from .conftest import DESK, eventually, samples, shop
from .test_meeting import CALLER, HUMAN, ask_for_a_human
from .test_recording import kept

OFFER = "I will send you a new bell on Friday."
THANKS = "That would be wonderful, thank you."


def listeners(s) -> list[Session]:
    """The sessions that were opened to listen: they take no turn of their own."""
    return [
        each
        for each in s.model.server.sessions
        if (each.conversation.turn_detection or {}).get("create_response") is False
    ]


async def listener(s, byte: int) -> Session:
    """Return the one that hears this sound, and no other."""

    def hearing() -> list[Session]:
        return [each for each in listeners(s) if samples(bytes(s.model.heard[each]), byte)]

    await eventually(lambda: bool(hearing()))
    (found,) = hearing()
    return found


def spoken(text: str) -> list[dict]:
    return [{"hears": {"text": text, "ms": 600}}]


def caller(s, written: asyncio.Event):
    """Talks with the human, both of whose words are then understood; goes on with the agent."""

    async def script(line: Line) -> None:
        await ask_for_a_human(s, line)
        await hear(line, HUMAN)
        await line.play(bytes([CALLER]) * 8000)
        await s.model.perform(spoken(OFFER), session=await listener(s, HUMAN))
        await s.model.perform(spoken(THANKS), session=await listener(s, CALLER))
        written.set()
        await hear(line, WELCOME)
        await line.hang_up()

    return script


def human(s, written: asyncio.Event):
    async def script(line: Line) -> None:
        # The stream comes up while both already hear each other.
        await eventually(lambda: sum(bool(s.model.heard[each]) for each in listeners(s)) == 2)
        await talk(line)
        await written.wait()
        await line.hang_up()

    return script


def noted_shop(**plan):
    return shop(manner="warm", notes=True, **plan)


async def test_what_both_said_is_in_the_record_and_the_agent_knows_it_afterwards(stage):
    agent = noted_shop(afterwards="return")
    agent.record = True
    async with stage(agent) as s:
        script_whole_agent(s)
        written = asyncio.Event()
        s.carrier.humans[DESK] = Human.accepts(0.5, then=human(s, written))
        call = await s.call(caller(s, written))
        record = await s.record(call)
        said = [(each.speaker, each.text) for each in record.utterances]
        place = said.index(("human", OFFER))
        assert said[place + 1] == ("caller", THANKS)
        assert said[-1] == ("agent", "welcome"), said
        assert OFFER.removesuffix(".") in record.summary
        assert THANKS.removesuffix(".") in record.summary

        told = [text_of(each.item) for each in s.model.items.values()]
        assert f"The human said: {OFFER}" in told
        assert THANKS in told

        wav = await kept(s, call)
        assert samples(wav.right, HUMAN) == 8000
        assert samples(wav.left, CALLER) == 8000
        assert samples(wav.right, WELCOME) == 900 * 8, "and the agent's own, as ever"
        assert samples(wav.left, HUMAN) == samples(wav.right, CALLER) == 0


def text_of(item: dict) -> str:
    return " ".join(part.get("text", "") for part in item.get("content", []))


async def test_nobody_listens_any_more_when_the_caller_is_back_with_the_agent(stage):
    async with stage(noted_shop(afterwards="return")) as s:
        script_whole_agent(s)
        written = asyncio.Event()
        s.carrier.humans[DESK] = Human.accepts(0.5, then=human(s, written))
        call = await s.call(caller(s, written))
        await s.record(call)
        assert [stream.over for stream in call.streams] == [True] * 3
        for session in listeners(s):
            assert samples(bytes(s.model.heard[session]), WELCOME) == 0
            assert not session.conversation.responses, "a listener answers nothing"
        await eventually(lambda: not any(each.open for each in listeners(s)))


async def test_words_that_are_understood_late_still_reach_the_agent(stage):
    async with stage(noted_shop(afterwards="return")) as s:
        script_whole_agent(s)

        async def leaves(line: Line) -> None:
            await talk(line)
            await line.pause(1.0)
            await line.hang_up()

        async def script(line: Line) -> None:
            await ask_for_a_human(s, line)
            await hear(line, HUMAN)
            session = await listener(s, HUMAN)
            await hear(line, WELCOME)
            await s.model.perform(spoken(OFFER), session=session)
            await s.model.until(
                "conversation.item.create",
                where={"item": {"content": [{"text": f"The human said: {OFFER}"}]}},
            )
            await line.hang_up()

        s.carrier.humans[DESK] = Human.accepts(0.5, then=leaves)
        record = await s.record(await s.call(script))
        said = [each.speaker for each in record.utterances]
        assert said.count("human") == 1


@pytest.mark.parametrize("loses", ["at once", "in the middle"])
async def test_the_talk_goes_on_without_notes(stage, loses):
    async with stage(noted_shop(afterwards="return")) as s:
        script_whole_agent(s)

        async def script(line: Line) -> None:
            await ask_for_a_human(s, line)
            if loses == "at once":
                s.model.faults.refuse_upgrade = 503
            await hear(line, HUMAN, 500)
            for session in listeners(s):
                await s.model.perform([{"drop": {}}], session=session)
            await hear(line, HUMAN)
            s.model.faults.refuse_upgrade = None
            await hear(line, WELCOME)
            await line.hang_up()

        async def stays(line: Line) -> None:
            await talk(line)
            await line.pause(2.0)
            await line.hang_up()

        s.carrier.humans[DESK] = Human.accepts(0.5, then=stays)
        call = await s.call(script)
        record = await s.record(call)
        assert record.disposition == "handed_off"
        assert samples(call.recording().heard, HUMAN) == 8000
