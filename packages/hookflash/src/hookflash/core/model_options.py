"""What an agent may set for its model, where it differs from the line's settings. No I/O."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from hookflash.core.field_checks import check_fields


class ServerVad(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The end of a caller's turn is found by silence. None takes the line's setting.

    Raises `ConfigError` if a value is invalid.
    """

    threshold: Annotated[float, Meta(ge=0, le=1)] | None = None
    """How loud speech must be, 0 to 1; more for noisy lines."""
    prefix_padding_ms: Annotated[int, Meta(ge=0, le=5000)] | None = None
    """How much sound from before the detected start belongs to a turn, in ms, 0 to 5000."""
    silence_ms: Annotated[int, Meta(ge=100, le=10_000)] | None = None
    """The silence that ends a turn, in ms, 100 to 10000; less is faster."""

    def __post_init__(self) -> None:
        check_fields(self)


class SemanticVad(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The end of a caller's turn is found by the meaning of what they have said.

    Raises `ConfigError` if a value is invalid.
    """

    eagerness: Literal["low", "medium", "high", "auto"] = "auto"
    """How soon to answer: `"low"` waits longest."""

    def __post_init__(self) -> None:
        check_fields(self)


TurnDetection = ServerVad | SemanticVad


class ModelOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What an agent has set for its model; None takes the line's setting."""

    model: Annotated[str, Meta(min_length=1, description="the name of a model")] | None = None
    turn_detection: TurnDetection | None = None
    noise_reduction: Literal["near_field", "far_field", "off"] | None = None
    transcription: (
        Annotated[str, Meta(min_length=1, description="the name of a model, or 'off'")] | None
    ) = None
    speed: Annotated[float, Meta(ge=0.25, le=1.5)] | None = None
    max_output_tokens: Annotated[int, Meta(ge=1, le=4096)] | Literal["inf"] | None = None

    def __post_init__(self) -> None:
        check_fields(self)
