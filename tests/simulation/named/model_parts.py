"""Parts of the named sequences about the model: what is said, what breaks, and what is heard.

Each sound is one byte of mu-law, repeated, so that a recording says to the sample who was heard.
A caller's script waits for sounds only for so long and then hangs up: what the product owes is
asserted after the call. A sequence that cannot even get to its fault raises `SetUpFailed`, which
no expected failure covers.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from hookflash import Agent
from hookflash_local.carrier import Human, Leg, Line, Script
from hookflash_local.model.script import Pattern, difference
from hookflash_local.model.scripted import Reaction, ScriptedModel
from hookflash_local.model.session import Session
from hookflash_local.simulation.loop import VirtualLoop
from hookflash_local.simulation.network import Connection

from ...scenarios.acts import longest_silence
from ...scenarios.conftest import DESK, Stage, samples

GREETING, ANSWER, STORY, CONSENT, CLOSING, COMPANY = 0x11, 0x22, 0x33, 0x44, 0x66, 0x0A
CALLER, HUMAN = 0x55, 0x1B
GREETING_MS, ANSWER_MS, HUMAN_MS = 800, 1000, 1000

LONGEST_QUIET_SECONDS = 3.0
"""How long a caller to whom something is owed may hear nothing."""

PATIENCE_SECONDS = 30.0
"""How long a caller stays who is not answered."""


class SetUpFailed(Exception):
    """The sequence did not get to what it is about."""


async def whole_call(s: Stage, script: Script) -> Leg:
    """Place a call and return it when it is over. Raises `SetUpFailed` where the script does."""
    failures: list[SetUpFailed] = []

    async def run(line: Line) -> None:
        try:
            await script(line)
        except SetUpFailed as failure:
            failures.append(failure)
            await line.hang_up()

    call = await s.call(run)
    await s.record(call)
    if failures:
        raise failures[0]
    return call


# --- what the model says ----------------------------------------------------------------------


def say(item: str, ms: int, byte: int, **more: Any) -> dict[str, Any]:
    """Return a step: the model says something, four times as fast as it plays."""
    return {"say": {"item": item, "ms": ms, "byte": byte, "rate": 4, "text": item} | more}


def asked_to(text: str | re.Pattern[str]) -> dict[str, Any]:
    """Match the requests whose instructions contain a text."""
    contains = {"$contains": text} if isinstance(text, str) else text
    return {"response": {"instructions": contains}}


GREETING_TEXT = "Hello."
"""What the owner of `shop` wants to be said first, so what a request for it has to say."""


def script_greeting(s: Stage) -> None:
    s.model.on(
        "response.create", [say("greeting", GREETING_MS, GREETING)], where=asked_to(GREETING_TEXT)
    )


_PREPARED: WeakKeyDictionary[ScriptedModel, list[Reaction]] = WeakKeyDictionary()
"""Answers that wait for a request, because the session does not begin them by itself."""


def script_answers(s: Stage) -> None:
    """Answer whatever is asked for and has no reaction of its own."""
    prepared = _PREPARED.setdefault(s.model, [])
    s.model.on(
        "response.create",
        [say("answer", ANSWER_MS, ANSWER)],
        where={"type": lambda _: all(each.answered for each in prepared)},
    )


def script_agent(s: Stage) -> None:
    script_greeting(s)
    script_answers(s)


def shop_without_humans(**options: Any) -> Agent:
    return Agent("shop", instructions="We sell bicycles.", greeting=GREETING_TEXT, **options)


# --- what the caller does ---------------------------------------------------------------------


async def hear(line: Line, byte: int, ms: float, seconds: float = PATIENCE_SECONDS) -> bool:
    """Wait until so much of a sound was heard, at most so long; return whether it was."""
    until = line.since_answer + seconds
    while samples(line.heard, byte) < ms * 8:
        if line.since_answer >= until:
            return False
        await line.pause(0.1)
    return True


async def hear_all(line: Line, byte: int, ms: float, seconds: float = 10.0) -> None:
    """Wait until so much of a sound was heard. Raises `SetUpFailed` if it does not come."""
    if not await hear(line, byte, ms, seconds):
        raise SetUpFailed(f"{samples(line.heard, byte) / 8:g} of {ms:g} ms were heard")


async def hear_greeting(line: Line) -> None:
    """Hear the greeting and a moment of silence."""
    await hear_all(line, GREETING, GREETING_MS)
    await line.pause(0.6)


async def act(s: Stage, steps: list[Any], session: Session | None = None) -> None:
    """Let the model do these steps. Raises `SetUpFailed` where it cannot."""
    try:
        await s.model.perform(steps, session=session)
    except AssertionError as unmet:
        raise SetUpFailed(str(unmet)) from unmet


async def speak(
    s: Stage,
    line: Line,
    text: str = "where is my order?",
    ms: int = 600,
    *,
    answer: list[Any] | None = None,
) -> None:
    """Speak into the line, and let the model detect and write down just that.

    The model then does `answer` by itself, or once it is asked to if the line has told it not to
    begin answers; without `answer` it does nothing by itself. From the end of the turn on the
    caller is owed an answer.
    """
    line.send(bytes([CALLER]) * ms * 8)
    await act(s, ["speech_started", {"wait_ms": ms}])
    await end_turn(s, line, text, answer=answer)


async def end_turn(s: Stage, line: Line, text: str, *, answer: list[Any] | None = None) -> None:
    """Let the model detect the end of a turn that has begun. See `speak`."""
    conversation = s.model.session.conversation
    before = conversation.active
    respond = None if answer is not None else False
    await act(s, [{"speech_stopped": {"text": text, "respond": respond}}])
    owe(line)
    if answer is None:
        return
    if conversation.active is not None and conversation.active is not before:
        await act(s, answer)
    elif not begins_answers(s):
        reaction = s.model.on("response.create", answer, times=1)
        _PREPARED.setdefault(s.model, []).append(reaction)


def begins_answers(s: Stage) -> bool:
    """Whether the newest session begins an answer by itself when a turn has ended."""
    turn_detection = s.model.session.conversation.turn_detection
    return bool((turn_detection or {}).get("create_response"))


def owe(line: Line) -> None:
    """Note that something is owed to the caller from now on."""
    line.leg.note("owed", since=line.since_answer)


async def hear_answer_and_hang_up(line: Line) -> None:
    """Wait for an answer, and two seconds more for what must not follow."""
    if await hear(line, ANSWER, ANSWER_MS):
        await line.pause(2.0)
    await line.hang_up()


async def stay(line: Line) -> None:
    """Listen for as long as the call lasts, but not for ever."""
    await line.pause(90.0)
    await line.hang_up()


async def desk(line: Line) -> None:
    """A human who says something, listens for a while and hangs up."""
    await line.play(bytes([HUMAN]) * HUMAN_MS * 8)
    await line.pause(1.5)
    await line.hang_up()


def staff_desk(s: Stage, answer_after: float = 1.0) -> None:
    s.carrier.humans[DESK] = Human(answer_after=answer_after, script=desk)


# --- what breaks ------------------------------------------------------------------------------


def model_connections(s: Stage) -> list[Connection]:
    """Return the open connections to the model, the newest last."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    port = urlsplit(s.model.url).port
    return [each for each in loop.network.connections if each.port == port and each.open]


async def stop_speaking(session: Session, ms: int = 0) -> None:
    """Let what the session says stop in the middle, after `ms` of its sound, without an event."""
    active = session.conversation.active
    task = session.task(active.id) if active is not None else None
    if active is None or task is None:
        raise SetUpFailed("nothing is being said")
    for _ in range(1000):
        if active.output[-1].audio_ms >= ms:
            break
        await asyncio.sleep(0.01)
    task.cancel()


def ignore(session: Session, kind: str, *, but_do: bool = False) -> None:
    """Let a session ignore client events of a type; with `but_do` it obeys and sends no event."""
    receive = session.conversation.receive

    def receive_less(event: Any) -> list[Any]:
        if event.get("type") != kind:
            return receive(event)
        effects = receive(event) if but_do else []
        return [each for each in effects if not isinstance(each, dict)]

    session.conversation.receive = receive_less  # type: ignore[method-assign]


def before_request(session: Session, wanted: Pattern, do: Callable[[], list[Any]]) -> None:
    """When the first request that matches arrives, apply `do()` to the session just before it."""
    conversation = session.conversation
    receive = conversation.receive

    def receive_after(event: Any) -> list[Any]:
        if event.get("type") == "response.create" and difference(event, wanted) is None:
            conversation.receive = receive  # type: ignore[method-assign]
            session.apply(do())
        return receive(event)

    conversation.receive = receive_after  # type: ignore[method-assign]


def note_requests(s: Stage) -> list[float]:
    """Return a list to which the time of each `response.create` is added."""
    loop = asyncio.get_running_loop()
    times: list[float] = []
    add = s.model.received.add

    def note(event: dict[str, Any]) -> None:
        if event["type"] == "response.create":
            times.append(loop.time())
        add(event)

    s.model.received.add = note  # type: ignore[method-assign]
    return times


def note_sessions(s: Stage) -> list[float]:
    """Return a list to which the time of each new connection to the model is added."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    port = urlsplit(s.model.url).port
    times: list[float] = []
    before: Callable[[Connection], None] = loop.network.connected

    def note(connection: Connection) -> None:
        before(connection)
        if connection.port == port:
            times.append(loop.time())

    loop.network.connected = note
    return times


# --- what was heard and remembered ------------------------------------------------------------


def heard_ms(call: Leg, byte: int) -> float:
    return samples(call.recording().heard, byte) / 8


def owed_since(call: Leg) -> float:
    """Return from when on something was owed to the caller: `owe`, or the answer."""
    noted = call.timeline.find("owed", call.sid)
    return float(noted[-1].detail["since"]) if noted else 0.0


def assert_no_silence(call: Leg, until_byte: int | None = None) -> None:
    """The caller was not left in silence from when something was owed to them until the last of a
    sound; or until the end, if that was not heard."""
    heard = call.recording().heard
    begin = round(owed_since(call) * 8000)
    end = heard.rfind(bytes([until_byte]) * 24) if until_byte is not None else -1
    quiet = longest_silence(heard[begin : end if end > begin else len(heard)])
    assert quiet <= LONGEST_QUIET_SECONDS, f"the caller heard nothing for {quiet:.2f} s"


def first_second_of(call: Leg, byte: int) -> float:
    """Return when a sound was heard first, in seconds since the answer; infinity if never."""
    place = call.recording().heard.find(bytes([byte]) * 24)
    return math.inf if place < 0 else place / 8000


def assert_answered(call: Leg) -> None:
    """The caller heard the answer once and whole, and was not left in silence before it."""
    assert_no_silence(call, ANSWER)
    heard = heard_ms(call, ANSWER)
    assert heard == ANSWER_MS, f"{heard:g} ms of answers were heard, expected {ANSWER_MS}"


def assert_brought_to_human(call: Leg) -> None:
    """The caller heard the human, and was not left in silence before."""
    assert_no_silence(call, HUMAN)
    heard = heard_ms(call, HUMAN)
    assert heard >= HUMAN_MS - 20, f"{heard:g} ms of the human were heard, expected {HUMAN_MS}"


def texts(s: Stage, role: str) -> list[str]:
    """Return what the newest session remembers as said by `role`, item by item."""
    found = []
    for entry in s.model.items.values():
        if entry.item.get("role") == role:
            parts = entry.item["content"]
            found.append(" ".join(p.get("text") or p.get("transcript") or "" for p in parts))
    return found
