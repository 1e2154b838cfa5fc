"""A line that a test calls: the real server, a local carrier and a model that hears text.

    async def test_support_is_busy(line):
        call = await line.call(agent, humans={"support": "busy"})
        await call.caller_says("Where is my order?")
        await call.model_calls("order_status", number="4571")
        await call.model_says("It arrives on Friday.")
        await call.caller_says("I want to speak to a person.")
        await call.model_hands_off("support")
        call.expect.agent_said("on Friday").handed_off("support", outcome="busy")

Everything runs in one thread on a virtual clock: no socket is opened, no speech is recognised, and
three minutes of a call take a fraction of a second. Nothing is faked in between: signed webhooks,
media streams, marks and hand-offs are those of a real line.

resource                   | acquired       | released
thread and virtual loop    | first `call`   | `close`
server, carrier and model  | each `call`    | `hang_up`, at the latest `close`
folder for journals        | first `call`   | `close`
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from hookflash import Agent, Directory
from hookflash.core.handoff_plan import Target
from hookflash.errors import ConfigError
from hookflash.server.app import serve
from hookflash.server.assembly import open_line
from hookflash.settings import (
    ConsoleSettings,
    ModelSettings,
    ServerSettings,
    Settings,
    SpeechSettings,
    StorageSettings,
    TwilioSettings,
)
from hookflash_local.carrier import Human, NumberConfig, StandinCarrier
from hookflash_local.model.components import DialogueManager
from hookflash_local.simulation.world import EPOCH, SimulatedWorld, make_database
from hookflash_local.testing.human_choices import HumanName, named_human
from hookflash_local.testing.played_call import PlayedCall
from hookflash_local.testing.scripted_dialogue import ScriptedDialogue
from hookflash_local.testing.text_model import text_model
from hookflash_local.testing.text_voice import TextVoice
from hookflash_local.testing.virtual_thread import VirtualThread

PUBLIC_URL = "https://line.hookflash.test"
LINE = "+15550100001"
CALLER = "+15550100009"
MEDIA_FRAME_MS = 100
"""How much sound a message of the media stream has. Twilio's 20 ms would take more CPU."""

HumanChoice = HumanName | Human

log = logging.getLogger("hookflash_local.testing")


class AgentLine:
    """Plays calls against agents. Use it as the fixture `line`, or `with AgentLine() as line:`.

    `humans` has who answers in the calls that follow, by the key of a hand-off or by address.
    """

    def __init__(self) -> None:
        self.humans: dict[str, HumanChoice | Sequence[HumanChoice]] = {}
        self._thread: VirtualThread | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._stages: list[tuple[asyncio.Event, asyncio.Task[None]]] = []
        self._calls = 0

    def __enter__(self) -> AgentLine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def call(
        self,
        agent: Agent | Directory,
        *,
        humans: Mapping[str, HumanChoice | Sequence[HumanChoice]] | None = None,
        everybody: HumanChoice | Sequence[HumanChoice] = "no-answer",
        tools: Mapping[str, Callable[..., Any]] | None = None,
        caller: str = CALLER,
        called: str = LINE,
        at: datetime | None = None,
        answers: DialogueManager | None = None,
    ) -> PlayedCall:
        """Call the agent, hear its greeting, and return the call.

        `humans` says who answers a hand-off, by its key: one for all targets, or a list in their
        order. A name is one of `HUMAN_NAMES`, and a `Human` is one of your own. `everybody` is
        who answers all others. `tools` are
        functions that replace the agent's tools of these names. `at` is when the call arrives, with
        a time zone; it decides about opening hours. `answers` decides what the model says, in place
        of the test.

        Raises `ConfigError` for an unknown key, tool or human.
        """
        if self._thread is None:
            self._thread = VirtualThread()
            self._folder = tempfile.TemporaryDirectory(prefix="hookflash-test-")
        thread, folder = self._thread, self._new_folder()
        chosen = {**self.humans, **(humans or {})}
        target = _with_tools(agent, tools or {})
        people = _people(target, chosen, everybody, optional=self.humans)
        if at is not None and at.tzinfo is None:
            raise ConfigError(f"line.call: at needs a time zone, got {at!r}")

        async def place() -> PlayedCall:
            stop = asyncio.Event()
            ready: asyncio.Future[PlayedCall] = asyncio.get_running_loop().create_future()
            epoch = EPOCH if at is None else at.timestamp() - thread.loop.time()

            async def serve_stage() -> None:
                dialogue = ScriptedDialogue() if answers is None else None
                stage = _stage(
                    target,
                    folder,
                    epoch=epoch,
                    dialogue=dialogue or answers or ScriptedDialogue(),
                    scripted=dialogue,
                    people=people,
                    numbers=(caller, called),
                    thread=thread,
                )
                try:
                    async with stage as call:
                        ready.set_result(call)
                        await stop.wait()
                except BaseException as error:
                    # The code that waits for the start gets the error, a cancellation too.
                    if ready.done():
                        raise
                    ready.set_exception(error)

            task = asyncio.create_task(serve_stage())
            self._stages.append((stop, task))
            call = await ready
            await call.settle()
            return call

        return thread.run(place())

    def hang_up(self) -> None:
        """End every call and release what it needs."""
        stages, self._stages = self._stages, []

        async def end() -> None:
            for stop, _ in stages:
                stop.set()
            await asyncio.gather(*(task for _, task in stages))

        if self._thread is not None and stages:
            self._thread.run(end())

    def close(self) -> None:
        """End every call, and the thread."""
        try:
            self.hang_up()
        finally:
            if self._thread is not None:
                self._thread.close()
                self._thread = None
            if self._folder is not None:
                self._folder.cleanup()
                self._folder = None

    def _new_folder(self) -> Path:
        assert self._folder is not None
        self._calls += 1
        folder = Path(self._folder.name) / f"call-{self._calls}"
        folder.mkdir(mode=0o700)
        return folder


@contextlib.asynccontextmanager
async def _stage(
    target: Agent | Directory,
    folder: Path,
    *,
    epoch: float,
    dialogue: DialogueManager,
    scripted: ScriptedDialogue | None,
    people: Mapping[str, Human],
    numbers: tuple[str, str],
    thread: VirtualThread,
) -> AsyncIterator[PlayedCall]:
    """Open a line with its carrier and model, and place the call."""
    caller, called = numbers
    world = SimulatedWorld(folder.name, epoch=epoch)
    voice = TextVoice()
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(world.close)
        await make_database(folder / "hookflash.db")
        model = await stack.enter_async_context(text_model(dialogue, voice))
        carrier = await stack.enter_async_context(
            StandinCarrier(
                speak=voice,
                transcribe=voice.transcribe,
                entropy=world.entropy("carrier"),
                wall=world.wall,
                media_frame_ms=MEDIA_FRAME_MS,
            )
        )
        settings = Settings(
            server=ServerSettings(public_url=PUBLIC_URL, port=0, drain_seconds=0.0),
            model=ModelSettings(url=model.url, api_key="any-key-will-do", warm_sessions=0),
            twilio=TwilioSettings(
                api_url=carrier.api_url,
                account_sid=carrier.account_sid,
                auth_token=carrier.auth_token,
            ),
            speech=SpeechSettings(url="off"),
            console=ConsoleSettings(enabled=False),
            storage=StorageSettings(data_dir=folder),
        )
        served = await stack.enter_async_context(open_line(settings, target, world=world))
        stop = asyncio.Event()
        port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        serving = asyncio.create_task(
            serve(
                served.app,
                served.switchboard,
                port=0,
                drain_seconds=0.0,
                on_listening=port.set_result,
                stop=stop,
            )
        )
        try:
            carrier.tunnel[PUBLIC_URL] = f"http://127.0.0.1:{await port}"
            carrier.numbers[called] = NumberConfig(
                f"{PUBLIC_URL}/twilio/voice",
                fallback_url=f"{PUBLIC_URL}/twilio/voice",
                status_callback=f"{PUBLIC_URL}/twilio/status",
            )
            carrier.humans.update(people)
            for number, queue in enumerate(sorted(_queues(target) & set(people))):
                if people[queue].outcome == "answers":
                    worker = f"+155501099{number:02}"
                    carrier.humans[worker] = people[queue]
                    carrier.staff(queue, worker)
            leg = await carrier.place_call(from_=caller, to=called)
            yield PlayedCall(
                thread, carrier, served, model, scripted, leg, journals=folder / "journals"
            )
        finally:
            for each in carrier.calls:
                each.end("completed", by="test")
            await carrier.callbacks_sent()
            stop.set()
            await serving


def _with_tools(
    target: Agent | Directory, tools: Mapping[str, Callable[..., Any]]
) -> Agent | Directory:
    if not tools:
        return target
    if isinstance(target, Directory):
        raise ConfigError("line.call: tools can be replaced in an Agent, got a Directory")
    return target.with_tools(tools)


def _people(
    target: Agent | Directory,
    humans: Mapping[str, HumanChoice | Sequence[HumanChoice]],
    everybody: HumanChoice | Sequence[HumanChoice],
    *,
    optional: Mapping[str, object],
) -> dict[str, Human]:
    """Return who answers at each address. `optional` keys may be unknown to this agent."""
    found: dict[str, Human] = {}
    known: dict[str, list[str]] = {}
    for agent in Directory.of(target).agents:
        for destination in agent.destinations:
            addresses = [_address(each) for each in destination.plan.targets]
            known.setdefault(destination.key, []).extend(addresses)
            found.update(_assigned("everybody", addresses, everybody))
    for key, choice in humans.items():
        addresses = known.get(key, [key] if key in found else [])
        if not addresses and key not in optional:
            raise ConfigError(
                f"line.call: humans has {key!r}; expected a hand-off of the agent"
                f" ({', '.join(known) or 'it has none'}) or the address of a target"
            )
        found.update(_assigned(f"humans[{key!r}]", addresses, choice))
    return found


def _assigned(
    what: str, addresses: Sequence[str], choice: HumanChoice | Sequence[HumanChoice]
) -> dict[str, Human]:
    """Return who answers at each address: one for all, or one after another."""
    choices = [choice] if isinstance(choice, str | Human) else list(choice)
    if not choices:
        raise ConfigError(f"line.call: {what}: expected at least one human, got none")
    people = [_human(what, each) for each in choices]
    return {
        address: people[min(number, len(people) - 1)] for number, address in enumerate(addresses)
    }


def _human(what: str, choice: HumanChoice) -> Human:
    if isinstance(choice, Human):
        return choice
    try:
        return named_human(choice)
    except ValueError as error:
        raise ConfigError(f"line.call: {what}: {error}") from None


def _queues(target: Agent | Directory) -> set[str]:
    """Return the names of the queues to which hand-offs lead."""
    return {
        each.address
        for agent in Directory.of(target).agents
        for destination in agent.destinations
        for each in destination.plan.targets
        if each.kind == "queue"
    }


def _address(target: Target) -> str:
    return f"client:{target.address}" if target.kind == "client" else target.address
