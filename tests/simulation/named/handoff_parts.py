"""What the named sequences of hand-offs, tools and silence share: sounds, parties and measures.

The model is scripted. Every sentence that it says is one byte of mu-law, so that what a party heard
of it is counted by byte, to the sample. A request of the line is known by a few words that its
instructions need in any wording (`ABOUT`); whatever else it asks for is answered with `ANSWER`.
"""

from __future__ import annotations

import asyncio
import math
import re
from typing import Any

from hookflash import CallRecord, g711
from hookflash_local.carrier import Human, Leg, Line, Script
from hookflash_local.carrier.media import sounds

from ...scenarios.conftest import Stage, samples

GREETING, FAREWELL, CLOSING, BACK = 0x11, 0x22, 0x33, 0x44
ANSWER, STORY, RESULT, SUPERVISOR = 0x0A, 0x2C, 0x3D, 0x4E
HUMAN, CALLER = 0x1B, 0x55
FRAME = 160

ABOUT = {
    GREETING: re.compile("just begun", re.IGNORECASE),
    BACK: re.compile("could not reach|could not be reached|nobody took", re.IGNORECASE),
    CLOSING: re.compile("has taken the call|has accepted", re.IGNORECASE),
    FAREWELL: re.compile("about to be (connected|transferred)|connected to a human", re.IGNORECASE),
}


# --- the agent --------------------------------------------------------------------------------


WORDS = {
    GREETING: "Hello.",
    FAREWELL: "One moment please.",
    CLOSING: "There they are.",
    BACK: "I am sorry. What else can I do for you?",
    ANSWER: "Well, we have all of them.",
    STORY: "We repair them all, every day of the week, and we have done so for years.",
    RESULT: "Your order is on its way.",
    SUPERVISOR: "Your refund was approved today.",
}


def say(byte: int, ms: int, *, rate: float = 4.0, done: bool = True) -> dict[str, Any]:
    return {"say": {"ms": ms, "byte": byte, "rate": rate, "done": done, "text": WORDS[byte]}}


def request(byte: int) -> dict[str, Any]:
    """Match the requests for the sentence of `byte`, however they are worded."""
    return {"response": {"instructions": ABOUT[byte]}}


def script_agent(s: Stage, *, mute: tuple[int, ...] = (), farewell_ms: int = 1200) -> None:
    """Let the model say what the line asks it for. A request for a sentence in `mute` gets a
    response that never makes a sound and never ends."""
    lengths = {GREETING: 800, BACK: 900, CLOSING: 900, FAREWELL: farewell_ms}
    for byte, ms in lengths.items():
        steps = [] if byte in mute else [say(byte, ms)]
        s.model.on("response.create", steps, where=request(byte))
    s.model.on("response.create", [say(ANSWER, 900)])


async def caller_says(
    s: Stage, line: Line, text: str, ms: int, *, answer: dict[str, Any] | None = None
) -> None:
    """The caller speaks, and the model hears it. Where its session has the model answer by itself,
    it does so with `answer`, by default one that says `ANSWER`."""
    conversation = s.model.session.conversation
    before = conversation.active
    sound = asyncio.create_task(line.play(bytes([CALLER]) * (ms * 8)))
    await s.model.perform([{"hears": {"text": text, "ms": ms, "respond": None}}])
    await sound
    own = conversation.active
    if own is not None and own is not before and not own.output:
        await s.model.perform([answer or say(ANSWER, 900)])


async def calls_tool(s: Stage, name: str, arguments: dict[str, Any] | None = None) -> None:
    """The caller has asked for something, and the model calls a tool without a word."""
    await s.model.perform(
        [
            {"hears": {"text": "please", "ms": 600, "respond": True}},
            {"call_tool": {"name": name, "arguments": arguments or {}}},
        ]
    )


async def ask_for_a_human(s: Stage) -> None:
    wanted = {"destination": "desk", "reason": "wants a person", "summary": "A new bicycle."}
    await calls_tool(s, "transfer_to_human", wanted)


def told(s: Stage) -> str:
    """Everything in words that the newest session knows, and what it was asked to say last."""
    items = [entry.item for entry in s.model.items.values()]
    parts = [str(part.get("text") or "") for item in items for part in item.get("content", ())]
    outputs = [str(item.get("output") or "") for item in items]
    last = s.model.received.of("response.create")[-1]
    return "\n".join([*parts, *outputs, str(last.get("response", {}).get("instructions") or "")])


def tool_outputs(s: Stage) -> list[str]:
    """What the model was given as results of its tool calls, in order."""
    created = s.model.received.of("conversation.item.create")
    return [
        event["item"]["output"]
        for event in created
        if event["item"]["type"] == "function_call_output"
    ]


# --- the parties ------------------------------------------------------------------------------


async def greeted(line: Line) -> None:
    await line.wait_for_sound()
    await line.wait_for_silence(0.8)


async def hears(line: Line, byte: int, ms: int, within: float) -> bool:
    """Wait until so much of a sentence was heard. Return whether it was, within so many seconds."""
    until = line.now + within
    while samples(line.heard, byte) < ms * 8:
        if line.now >= until:
            return False
        await line.pause(0.1)
    return True


def asks_for_a_human(s: Stage) -> Script:
    """A caller who asks for a human, waits without a word, and talks with whoever comes."""

    async def script(line: Line) -> None:
        await greeted(line)
        await ask_for_a_human(s)
        await line.connected()
        await line.play(bytes([CALLER]) * 8000)

    return script


async def talks(line: Line) -> None:
    """A human who speaks for a second, listens for a while and hangs up."""
    await line.play(bytes([HUMAN]) * 8000)
    await line.pause(2.0)
    await line.hang_up()


def presses(key: str, *, answers_at: float, presses_at: float) -> Human:
    """A human who answers and presses a key so many seconds after their telephone began to ring."""

    async def script(line: Line) -> None:
        await line.pause(presses_at - answers_at)
        await line.press(key)
        await line.connected()
        await talks(line)

    return Human(answers_at, script)


# --- the call ---------------------------------------------------------------------------------


async def whole_call(s: Stage, script: Script, *, seconds: float = 150.0) -> tuple[Leg, CallRecord]:
    """Place a call; return it and its record when it is over. A caller gives up after `seconds`."""
    call = await s.call(script)
    try:
        async with asyncio.timeout(seconds):
            await call.ended()
    except TimeoutError:
        call.end("completed", by="party")
    return call, await record_of(s, call)


async def record_of(s: Stage, call: Leg) -> CallRecord:
    """Return the record of a call that is over on the carrier's side, as the database has it."""
    await s.carrier.callbacks_sent()
    for _ in range(240):
        await s.line.writer.flush()
        record = await s.line.store.get(call.sid)
        if record is not None:
            return record
        await asyncio.sleep(0.5)
    raise AssertionError("two minutes after the call there is no record of it")


def other_legs(s: Stage, call: Leg) -> list[Leg]:
    return [leg for leg in s.carrier.calls if leg is not call]


def outcomes(record: CallRecord) -> list[str]:
    return [attempt.outcome for attempt in record.handoffs]


def both_talked(s: Stage, call: Leg) -> bool:
    """Whether the caller heard the human, and one human the caller, for a second each."""
    callers = [samples(leg.recording().heard, CALLER) for leg in other_legs(s, call)]
    heard = samples(call.recording().heard, HUMAN)
    return heard >= 8000 - FRAME and max(callers, default=0) >= 8000 - FRAME


def time_of(leg: Leg, kind: str, number: int = 0) -> float | None:
    """Return when something happened on a leg, in seconds of the carrier; None if it did not.

    Legs have timelines of their own, so that only this can be compared.
    """
    found = leg.timeline.find(kind, leg.sid)
    return leg.timeline.start + found[number].at if len(found) > number else None


# --- what is heard ----------------------------------------------------------------------------


def heard_between(leg: Leg, first: float, last: float | None = None) -> bytes:
    """Return what was heard from `first` to `last`, in seconds of the carrier."""
    recording = leg.recording()
    zero = leg.timeline.start + (recording.answered_at or 0.0)
    end = len(recording.heard) if last is None else max(0, round((last - zero) * 8000))
    return recording.heard[max(0, round((first - zero) * 8000)) : end]


def first_heard(sound: bytes, byte: int) -> int | None:
    """Return the sample at which a sentence begins, or None."""
    found = re.search(re.escape(bytes([byte])) + b"{24,}", sound)
    return found.start() if found else None


def bursts(sound: bytes, *, pause: float = 2.0) -> list[tuple[float, float]]:
    """Return when sound was heard, as (begin, end) in seconds. Shorter pauses belong to it."""
    found: list[tuple[float, float]] = []
    for start in range(0, len(sound) - FRAME + 1, FRAME):
        if not sounds.is_sound(sound[start : start + FRAME]):
            continue
        begin, end = start / 8000, (start + FRAME) / 8000
        if found and begin - found[-1][1] < pause:
            begin = found.pop()[0]
        found.append((begin, end))
    return found


RING_PAUSE_SECONDS = 4.1
"""A telephone that rings is silent for so long in between, and is heard to ring all the same."""


def longest_nothing(sound: bytes) -> float:
    """Return the longest time, in seconds, in which nothing was heard: no voice, music, ringing."""
    longest, heard_until = 0.0, 0.0
    rang = False
    for begin, end in [*bursts(sound, pause=0.021), (len(sound) / 8000, len(sound) / 8000)]:
        quiet = begin - heard_until
        if not (rang and quiet <= RING_PAUSE_SECONDS):
            longest = max(longest, quiet)
        heard_until = end
        rang = _is_ringing(sound[round(begin * 8000) : round(end * 8000)])
    return longest


def _is_ringing(sound: bytes) -> bool:
    """Whether a sound ends in a ringing tone: nothing but one or two tones of 400 to 480 Hz."""
    tail = g711.decode(sound[-1600:])
    if len(tail) < 1600:
        return False
    mean = sum(tail) / len(tail)
    whole = sum((sample - mean) ** 2 for sample in tail)
    tones = sum(_power(tail, mean, hertz) for hertz in (400, 425, 440, 450, 480))
    return whole > 0 and tones > 0.6 * whole


def _power(samples_: Any, mean: float, hertz: float) -> float:
    turn = 2 * math.pi * hertz / 8000
    real = sum((sample - mean) * math.cos(turn * n) for n, sample in enumerate(samples_))
    imaginary = sum((sample - mean) * math.sin(turn * n) for n, sample in enumerate(samples_))
    return 2 * (real * real + imaginary * imaginary) / len(samples_)
