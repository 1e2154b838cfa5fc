"""What the runtime needs from the outside, stated from its own side.

Adapters satisfy these by shape and never import them. All methods are called in the event
loop's thread. `send`-like methods never block and never raise for a peer that is gone: a peer's
end is an event.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from hookflash.core.commands import (
    AnyCommand,
    CheckTargets,
    Instruction,
    OpenConsult,
    RingHuman,
)
from hookflash.core.delivery import Delivery
from hookflash.core.events import AnyEvent, ConsultDecided, TargetsChecked
from hookflash.core.record import CallRecord
from hookflash.core.setup import ModelSetup

EventSink = Callable[[AnyEvent], object]
"""Where an adapter delivers what happened: the driver's `post`."""


class Clock(Protocol):
    """Seconds since 1970 that only go forward."""

    def now(self) -> float: ...

    def delay(self, seconds: float) -> float:
        """Return how long the event loop must wait for `seconds` of this clock to pass."""
        ...


class CarrierStream(Protocol):
    """One media stream, open. Queues what it sends."""

    stream_sid: str

    def play(self, payload: str) -> None: ...

    def mark(self, name: str) -> None: ...

    def clear(self) -> None: ...

    def close(self) -> None: ...


class ListeningStream(Protocol):
    """One stream that only listens, open. Closing it ends nothing else."""

    def close(self) -> None: ...


class CarrierControl(Protocol):
    """The carrier's REST side. Raises `CarrierError`; takes no longer than `seconds`."""

    async def move(
        self, call_sid: str, instructions: Sequence[Instruction], *, seconds: float
    ) -> None:
        """Give a live leg other instructions."""
        ...

    async def ring(self, call_sid: str, what: RingHuman, *, seconds: float) -> str:
        """Place a call to a human, for the call `call_sid`; return the SID of their leg.

        Never done twice. After a `CarrierError` without a status it may have been done all the
        same, and the leg then asks what it is to do. After one with status 429 it was not done,
        and may be asked for again.
        """
        ...

    async def end_leg(self, leg_sid: str) -> None:
        """End a leg, ringing or not; one that is over already is no error."""
        ...


class ModelLink(Protocol):
    """One session with a model. Queues what it sends.

    `carry_out` takes the commands addressed to a model (SendCallerAudio, RequestResponse,
    CancelResponse, TruncateItem, DeleteItem, AddMessage, SendToolOutput). Before the session is
    ready it keeps them in order; of the caller's audio it keeps a bounded amount, the newest.
    """

    def carry_out(self, command: AnyCommand) -> None: ...

    def close(self) -> None: ...


class ModelConnector(Protocol):
    """Opens sessions. Returns at once; success and failure are events (ModelReady, ModelLost)."""

    def open(self, setup: ModelSetup, on_event: EventSink) -> ModelLink: ...


class RecordKeeper(Protocol):
    """Where the record of a call that is over goes; returns at once."""

    def put(self, record: CallRecord) -> None: ...


class Checks(Protocol):
    """Who is there. What it raises counts as everybody being there."""

    async def check(self, command: CheckTargets) -> TargetsChecked: ...


class Consults(Protocol):
    """The agent's own talks with humans, each a call beside the one that it belongs to."""

    def open(self, parent_sid: str, wanted: OpenConsult) -> tuple[Instruction, ...]:
        """Begin one; return what the carrier is to do with the human's leg."""
        ...

    def report(self, parent_sid: str, decided: ConsultDecided) -> None:
        """Tell the call that a talk belongs to what was settled in it."""
        ...


class Deliveries(Protocol):
    """Where messages for the owner go. Returns at once; the same `id` again completes one."""

    def deliver(self, delivery: Delivery) -> None: ...


class SpeechRenderer(Protocol):
    """Speaks a text when nobody waits for it. Raises `ModelError`; takes a bounded time."""

    @property
    def version(self) -> str:
        """What makes its sound what it is, beside text, voice and language: another version, such
        as another model, renders everything again."""
        ...

    async def render(self, text: str, voice: str, language: str) -> bytes:
        """Return `text` as mu-law at 8 kHz, in a voice of the live model's or one like it.

        `language` is an ISO 639-1 code.
        """
        ...
