"""Notes of a conversation with a human: who said what, for how long, and what may fail."""

from __future__ import annotations

import asyncio
import base64

import pytest

from hookflash.agents.agent import Agent
from hookflash.agents.directory import Directory
from hookflash.agents.plans import Warm
from hookflash.core import events as e
from hookflash.core.commands import AddMessage, JoinRoom, Message, SendCallerAudio
from hookflash.core.handoff_plan import Target
from hookflash.core.phases import Phase
from hookflash.runtime import notes_transcriber
from hookflash.runtime.notes_transcriber import INSTRUCTIONS, CallTranscriber, NotesTranscriber
from hookflash.runtime.switchboard import Switchboard
from hookflash.runtime.tracks import Block

from .conftest import Connector, Stream, World
from .test_consults import until

ARRIVED = e.CallArrived("CA1", "+15550100009", "+15550100001")
TRANSFER = '{"destination": "people", "reason": "a refund", "summary": "Order 7 is late."}'
FRAME = e.CallerAudio("/w==", 1, 0)


class Sink:
    """Counts two recognisable sounds, left and right."""

    block_frames = 1

    def __init__(self) -> None:
        self.left = self.right = 0

    def put(self, block: Block) -> None:
        stereo = block.stereo()
        self.left += stereo[0::2].count(80)
        self.right += stereo[1::2].count(90)

    def end(self) -> None:
        pass


class Talk:
    """A caller with a human, and ears on both."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.models = Connector()
        agent = Agent("desk", instructions="Sell.", greeting="Hello.", language="de")
        plan = Warm(Target.phone("+15550100002"), notes=True, afterwards="return")
        agent.handoff("people", when="somebody asks", plan=plan)
        self.board = Switchboard(
            Directory.of(agent),
            clock=world.clock,
            control=world.control,
            connector=world.connector,
            records=world.records,
            deliveries=world.deliveries,
            journals=world.journals,
            make_context=lambda agent, call, post, ask, collect: None,
        )
        self.notes = NotesTranscriber(self.board.find, self.models)
        self.stream = Stream()

    async def reach_human(self) -> None:
        await self.board.arrive(ARRIVED)
        sink = self.board.attach("CA1", Stream())
        assert sink is not None
        sink(e.StreamStarted("MZ1", 1))
        link = self.world.connector.links[-1]
        link.on_event(e.ModelReady())
        link.on_event(e.ToolCallRequested("c1", "transfer_to_human", TRANSFER, "r1"))
        await until(lambda: self.world.control.rung)
        await self.board.ask("CA1", e.HumanAsked(1, 0, "answered", "CAleg1"))
        await self.board.ask("CA1", e.HumanAsked(1, 0, "pressed", "CAleg1", "1"))
        await until(lambda: self.world.control.moves)

    @property
    def driver(self):
        driver = self.board.find("CA1")
        assert driver is not None
        return driver

    def listen(self) -> CallTranscriber:
        found = self.notes.attach("CA1", self.driver.call.caller_leg.route.step, self.stream)
        assert found is not None
        return found

    def said(self) -> list[tuple[str, str]]:
        lines = self.driver.call.conversation.transcript.utterances(0.0)
        return [(each.speaker, each.text) for each in lines]


@pytest.fixture
async def talk(world: World):
    talk = Talk(world)
    await talk.reach_human()
    yield talk
    talk.notes.close()
    await talk.board.close()


async def test_each_side_has_a_session_that_only_listens(talk: Talk) -> None:
    (_, (room,)) = talk.world.control.moves[-1]
    assert isinstance(room, JoinRoom) and room.notes
    ears = talk.listen()
    caller, human = talk.models.links
    for link in (caller, human):
        setup = link.setup
        assert (setup.listens, setup.tools, setup.history) == (True, (), ())
        assert (setup.instructions, setup.language) == (INSTRUCTIONS, "de")
    ears.hear("caller", FRAME)
    ears.hear("human", e.CallerAudio("fn5+", 3, 0))
    assert caller.sent == [SendCallerAudio("/w==", 1)]
    assert human.sent == [SendCallerAudio("fn5+", 3)]


async def test_what_they_say_is_told_to_the_call_with_its_times(talk: Talk) -> None:
    talk.listen()
    caller, human = talk.models.links
    human.on_event(e.CallerSpeechStarted("h1"))
    await asyncio.sleep(0.5)
    caller.on_event(e.CallerSpeechStarted("c1"))
    caller.on_event(e.CallerSpeechStopped("c1"))
    caller.on_event(e.CallerTranscribed("c1", " Yes please. "))
    caller.on_event(e.CallerTranscribed("c2", "  "))
    human.on_event(e.CallerSpeechStopped("h1"))
    human.on_event(e.CallerTranscribed("h1", "Shall I send a new one?"))
    human.on_event(e.ModelAudio("r1", "i1", "/w==", 1))
    assert talk.said() == [("human", "Shall I send a new one?"), ("caller", "Yes please.")]


async def test_the_notes_are_over_when_the_caller_is_back(talk: Talk) -> None:
    ears = talk.listen()
    caller, human = talk.models.links
    ears.hear("human", FRAME)
    talk.driver.post(e.GiveBackRequested())
    assert talk.driver.call.phase is Phase.RINGING
    ears.hear("human", FRAME)
    assert talk.stream.closed
    assert len(human.sent) == 6, "a second of silence, and not what came after"
    human.on_event(e.CallerTranscribed("h1", "Goodbye."))
    told = [each for each in talk.world.connector.links[-1].sent if isinstance(each, AddMessage)]
    assert told[-1].message == Message("system", "The human said: Goodbye.")
    await until(lambda: caller.closed and human.closed)
    human.on_event(e.CallerTranscribed("h2", "Too late."))
    assert ("human", "Too late.") not in talk.said()


async def test_a_newer_stream_takes_the_place_of_the_older(talk: Talk) -> None:
    first = talk.listen()
    older, talk.stream = talk.stream, Stream()
    second = talk.listen()
    assert older.closed and not talk.stream.closed
    first.hear("caller", FRAME)
    second.hear("caller", FRAME)
    assert talk.models.links[2].sent == [SendCallerAudio("/w==", 1)]
    second.ended()
    second.ended()
    await until(lambda: all(each.closed for each in talk.models.links))


async def test_only_a_caller_with_humans_is_listened_to(talk: Talk) -> None:
    step = talk.driver.call.caller_leg.route.step
    assert talk.notes.attach("CA9", step, talk.stream) is None
    assert talk.notes.attach("CA1", step - 1, talk.stream) is None
    talk.listen()
    assert talk.notes.attach("CA9", step, Stream()) is None and not talk.stream.closed
    talk.driver.post(e.GiveBackRequested())
    assert talk.notes.attach("CA1", talk.driver.call.caller_leg.route.step, talk.stream) is None
    assert len(talk.models.links) == 2


async def test_a_lost_session_is_opened_again_a_few_times(
    talk: Talk, caplog: pytest.LogCaptureFixture
) -> None:
    ears = talk.listen()
    tries = len(notes_transcriber._RETRY_SECONDS)
    for number in range(tries):
        talk.models.links[-1].on_event(e.ModelLost("gone"))
        ears.hear("human", FRAME)
        assert len(talk.models.links) == 2 + number, "not at once"
        talk.driver.ports.clock._wall += 61.0
        ears.hear("human", FRAME)
        assert talk.models.links[-1].sent == [SendCallerAudio("/w==", 1)]
    talk.models.links[-1].on_event(e.ModelLost("gone"))
    talk.driver.ports.clock._wall += 61.0
    ears.hear("human", FRAME)
    assert len(talk.models.links) == 2 + tries
    assert "notes of the human are given up: gone" in caplog.text
    ears.hear("caller", FRAME)
    assert talk.models.links[0].sent == [SendCallerAudio("/w==", 1)], "the other goes on"


async def test_one_that_can_never_be_is_not_tried_again(talk: Talk) -> None:
    ears = talk.listen()
    talk.models.links[0].on_event(e.ModelLost("no key", remedy="none"))
    talk.driver.ports.clock._wall += 61.0
    ears.hear("caller", FRAME)
    assert len(talk.models.links) == 2


async def test_a_carrier_that_floods_is_listened_to_no_more(talk: Talk) -> None:
    ears = talk.listen()
    second = e.CallerAudio("/w==", 8000, 0)
    for _ in range(60):
        ears.hear("caller", second)
    assert talk.stream.closed
    assert len(talk.models.links[0].sent) < 25


async def test_turns_whose_words_never_come_are_forgotten(talk: Talk) -> None:
    ears = talk.listen()
    link = talk.models.links[0]
    for number in range(200):
        link.on_event(e.CallerSpeechStarted(f"c{number}"))
        link.on_event(e.CallerSpeechStopped("unknown"))
    assert len(ears._sides["caller"]._items) == notes_transcriber._ITEMS


async def test_recordings_and_listeners_hear_the_talk(talk: Talk) -> None:
    ears, sink = talk.listen(), Sink()
    ears.hear("caller", FRAME)
    talk.driver.start_capture().add(sink)
    for number in range(50):
        await asyncio.sleep(0.02)
        for speaker, byte in (("caller", 80), ("human", 90)):
            payload = base64.b64encode(bytes([byte]) * 160).decode()
            ears.hear(speaker, e.CallerAudio(payload, 160, number * 20))
    talk.driver.audio_capture.close()
    assert (sink.left, sink.right) == (8000, 8000)
