"""The ports: what the runtime needs from carriers, models and stores.

Adapters satisfy these protocols by shape and never import them. All methods are called in the event
loop's thread. `send`-like methods never block, and never raise if the peer is gone: the end of a
peer is an event.
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
"""Where an adapter posts events: the driver's `post`."""


class Clock(Protocol):
    """A clock: seconds since 1970 that never go back."""

    def now(self) -> float: ...

    def delay(self, seconds: float) -> float:
        """Return the event loop's seconds for `seconds` of this clock."""
        ...


class CarrierStream(Protocol):
    """One open media stream. Messages to send are queued."""

    stream_sid: str

    def play(self, payload: str) -> None: ...

    def forward_sound(self, take: Callable[[bytes, bytes], object] | None) -> None:
        """Give the caller's sound to `take(base64, mu-law)` instead of posting it as events.

        None: post it again. A stream that cannot may go on posting.
        """
        ...

    def mark(self, name: str) -> None: ...

    def clear(self) -> None: ...

    def close(self) -> None: ...


class ListeningStream(Protocol):
    """One open stream that only receives audio. Closing it does not end the call."""

    def close(self) -> None: ...


class CarrierControl(Protocol):
    """The carrier's REST API. Methods raise `CarrierError` and take at most `seconds`."""

    async def move(
        self, call_sid: str, instructions: Sequence[Instruction], *, seconds: float
    ) -> None:
        """Send new instructions to a live leg."""
        ...

    async def ring(self, call_sid: str, what: RingHuman, *, seconds: float) -> str:
        """Place a call to a human for the call `call_sid`. Return the SID of the human's leg.

        The request is never sent twice. After a `CarrierError` without a status the call may have
        been placed; that leg then asks for instructions. After status 429 it was not placed, and
        may be retried.
        """
        ...

    async def limit(self, call_sid: str, seconds: int) -> None:
        """Let the carrier end a live leg after `seconds`. A later limit replaces an earlier one."""
        ...

    async def pause_recording(self, call_sid: str, *, paused: bool) -> bool:
        """Pause or resume the carrier's recording of a live leg. Return False if none runs."""
        ...

    async def end_leg(self, leg_sid: str) -> None:
        """End a leg, ringing or connected. A leg that has already ended is not an error."""
        ...


class CallPlacer(Protocol):
    """Places calls by the carrier's REST API."""

    async def place(self, caller: str, called: str, ring_seconds: int, *, seconds: float) -> str:
        """Call `called`, who sees the number `caller`. Return the call's SID.

        Raises `CarrierError`, and takes at most `seconds`. The request is never sent twice.
        """
        ...

    async def end_leg(self, leg_sid: str) -> None: ...


class ModelLink(Protocol):
    """One session with a model. Messages to send are queued.

    `carry_out` takes the commands addressed to a model (SendCallerAudio, RequestResponse,
    CancelResponse, TruncateItem, DeleteItem, AddMessage, SendToolOutput). Before the session is
    ready they are queued in order. The queue of caller audio is bounded: the oldest audio is
    dropped.
    """

    def carry_out(self, command: AnyCommand) -> None: ...

    def send_sound(self, payload: bytes) -> None:
        """Send caller audio (base64), like `SendCallerAudio`, with less work."""
        ...

    def close(self) -> None: ...


class ModelConnector(Protocol):
    """Opens sessions. Returns at once; success and failure are events (ModelReady, ModelLost)."""

    def open(self, setup: ModelSetup, on_event: EventSink) -> ModelLink: ...


class RecordSink(Protocol):
    """Where the record of a finished call is stored. Returns at once."""

    def put(self, record: CallRecord) -> None: ...


class Checks(Protocol):
    """Checks which targets are available. If it raises, all targets count as available."""

    async def check(self, command: CheckTargets) -> TargetsChecked: ...


class Consults(Protocol):
    """Consultations: the agent's own calls with humans, each linked to a caller's call."""

    def open(self, parent_sid: str, wanted: OpenConsult) -> tuple[Instruction, ...]:
        """Start a consultation. Return the instructions for the human's leg."""
        ...

    def report(self, parent_sid: str, decided: ConsultDecided) -> None:
        """Report the result of a consultation to its parent call."""
        ...


class Deliveries(Protocol):
    """Where messages for the owner go. Returns at once. The same `id` again updates the message."""

    def deliver(self, delivery: Delivery) -> None: ...


class SpeechRenderer(Protocol):
    """Renders text as speech in advance. Raises `ModelError`; takes a limited time."""

    @property
    def version(self) -> str:
        """What determines the sound besides text, voice and language, such as the model.

        If the version changes, all texts are rendered again.
        """
        ...

    async def render(self, text: str, voice: str, language: str) -> bytes:
        """Return `text` as mu-law at 8 kHz, in a voice of the live model or a similar one.

        `language` is an ISO 639-1 code.
        """
        ...
