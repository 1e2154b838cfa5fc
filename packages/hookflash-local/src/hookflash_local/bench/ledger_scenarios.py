"""The ways in which a caller can interrupt an agent, as data. No I/O.

A scenario is a timeline at the model. The audio of an item is generated in pieces of `delta_ms`,
one every `every_ms`: 200 every 50 is four times real time. A player (simulated, or over sockets)
sends each event at its time and stops generating a cancelled response. Then it asks the carrier
what the caller heard. Each item's audio is one repeated byte, so counting bytes gives its length.
"""

from __future__ import annotations

import base64

import msgspec

from hookflash.core.audio import BYTES_PER_MS
from hookflash.core.events import (
    AnyEvent,
    CallerSpeechStarted,
    CallerSpeechStopped,
    ModelAudio,
    ModelAudioEnded,
    ResponseEnded,
    ResponseStarted,
)

_SPEAKS_MS = 400
"""The length of the caller's interruption."""


class Speech(msgspec.Struct, frozen=True, kw_only=True):
    """`ms` of an item's audio, generated from `at_ms` on. An item may have several."""

    item: str
    response: str
    at_ms: int
    ms: int
    delta_ms: int = 200
    every_ms: int = 50

    @property
    def pieces(self) -> int:
        return -(-self.ms // self.delta_ms)

    @property
    def done_ms(self) -> int:
        """When the last piece is generated, in ms."""
        return self.at_ms + (self.pieces - 1) * self.every_ms


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """One scenario. `truncated` and `removed` name the items of which the model must be told that a
    part, or everything, was not heard. It must be told nothing about the others."""

    name: str
    speeches: tuple[Speech, ...]
    barge_ins_ms: tuple[int, ...]
    truncated: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    @property
    def items(self) -> tuple[str, ...]:
        """The items in the order in which they begin."""
        return tuple(dict.fromkeys(speech.item for speech in self.speeches))

    def voice(self, item: str) -> int:
        """Return the byte value of an item's audio."""
        return self.items.index(item) + 1

    def heard_ms(self, sound: bytes) -> dict[str, float]:
        """Return how much of each item is in `sound`, what the caller heard, in ms."""
        return {item: sound.count(self.voice(item)) / BYTES_PER_MS for item in self.items}

    def generated_ms(self, item: str) -> int:
        """Return the length of an item that is not cancelled, in ms."""
        return sum(speech.ms for speech in self.speeches if speech.item == item)


class Moment(msgspec.Struct, frozen=True):
    """One event of a scenario. `response_id` is empty for the caller's events."""

    at_ms: int
    event: AnyEvent
    response_id: str = ""


def timeline(scenario: Scenario) -> list[Moment]:
    """Return the model's events in order."""
    moments: list[Moment] = []
    for response in dict.fromkeys(speech.response for speech in scenario.speeches):
        mine = [speech for speech in scenario.speeches if speech.response == response]
        moments.append(Moment(mine[0].at_ms, ResponseStarted(response), response))
        for speech in mine:
            moments += _pieces(speech, scenario.voice(speech.item))
        for item in dict.fromkeys(speech.item for speech in mine):
            done_ms = max(speech.done_ms for speech in mine if speech.item == item)
            moments.append(Moment(done_ms, ModelAudioEnded(response, item), response))
        done_ms = max(speech.done_ms for speech in mine)
        moments.append(Moment(done_ms, ResponseEnded(response, "completed"), response))
    for number, at_ms in enumerate(scenario.barge_ins_ms, 1):
        moments.append(Moment(at_ms, CallerSpeechStarted(f"caller-{number}")))
        moments.append(Moment(at_ms + _SPEAKS_MS, CallerSpeechStopped(f"caller-{number}")))
    return sorted(moments, key=lambda moment: moment.at_ms)


def _pieces(speech: Speech, voice: int) -> list[Moment]:
    moments = []
    for number in range(speech.pieces):
        ms = min(speech.delta_ms, speech.ms - number * speech.delta_ms)
        sound = bytes([voice]) * (ms * BYTES_PER_MS)
        payload = base64.b64encode(sound).decode()
        audio = ModelAudio(speech.response, speech.item, payload, len(sound))
        moments.append(Moment(speech.at_ms + number * speech.every_ms, audio, speech.response))
    return moments


SCENARIOS = (
    Scenario(
        name="mid-generation",
        speeches=(Speech(item="a", response="r1", at_ms=0, ms=12_000, every_ms=80),),
        barge_ins_ms=(1_510,),
        truncated=("a",),
    ),
    Scenario(
        name="after generation, still playing",
        speeches=(Speech(item="a", response="r1", at_ms=0, ms=6_000),),
        barge_ins_ms=(3_010,),
        truncated=("a",),
    ),
    Scenario(
        name="two items queued, the first playing",
        speeches=(
            Speech(item="a", response="r1", at_ms=0, ms=3_000),
            Speech(item="b", response="r1", at_ms=800, ms=3_000),
        ),
        barge_ins_ms=(1_730,),
        truncated=("a",),
        removed=("b",),
    ),
    Scenario(
        name="two items queued, the second playing",
        speeches=(
            Speech(item="a", response="r1", at_ms=0, ms=3_000),
            Speech(item="b", response="r1", at_ms=800, ms=3_000),
        ),
        barge_ins_ms=(4_345,),
        truncated=("b",),
    ),
    Scenario(
        name="all heard",
        speeches=(Speech(item="a", response="r1", at_ms=0, ms=2_000),),
        barge_ins_ms=(3_000,),
    ),
    Scenario(
        name="all heard, the last mark on its way",
        speeches=(Speech(item="a", response="r1", at_ms=0, ms=2_000),),
        barge_ins_ms=(2_030,),
    ),
    Scenario(
        name="second turn",
        speeches=(
            Speech(item="a", response="r1", at_ms=0, ms=2_500),
            Speech(item="b", response="r2", at_ms=6_000, ms=5_000),
        ),
        barge_ins_ms=(7_815,),
        truncated=("b",),
    ),
    Scenario(
        name="second turn, both interrupted",
        speeches=(
            Speech(item="a", response="r1", at_ms=0, ms=4_000),
            Speech(item="b", response="r2", at_ms=3_000, ms=5_000),
        ),
        barge_ins_ms=(1_500, 4_815),
        truncated=("a", "b"),
    ),
    Scenario(
        name="slower than real time",
        speeches=(Speech(item="a", response="r1", at_ms=0, ms=8_000, every_ms=270),),
        barge_ins_ms=(4_150,),
        truncated=("a",),
    ),
    Scenario(
        name="a pause in the middle of an item",
        speeches=(
            Speech(item="a", response="r1", at_ms=0, ms=1_000),
            Speech(item="a", response="r1", at_ms=2_300, ms=3_000),
        ),
        barge_ins_ms=(3_200,),
        truncated=("a",),
    ),
    Scenario(
        name="held back: more than the lead allows",
        speeches=(Speech(item="a", response="r1", at_ms=0, ms=30_000, every_ms=20),),
        barge_ins_ms=(14_350,),
        truncated=("a",),
    ),
)
