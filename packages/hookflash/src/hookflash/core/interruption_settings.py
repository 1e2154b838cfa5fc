"""The owner's settings for barge-in: which sounds of the caller interrupt the agent."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from hookflash.core.field_checks import check_fields


class Interruption(msgspec.Struct, frozen=True, kw_only=True):
    """Decides which sounds of the caller interrupt the agent while it speaks.

    Raises `ConfigError` if a value is out of its range.
    """

    mode: Literal["vad", "none"] = "vad"
    """`"vad"`: any speech stops the agent at once. `"none"`: the agent is never interrupted."""
    min_duration: Annotated[float, Meta(ge=0, le=10)] = 0.0
    """Speech shorter than this counts as no interruption, in seconds, 0 to 10."""
    min_words: Annotated[int, Meta(ge=0, le=20)] = 0
    """A turn of fewer words counts as no interruption, 0 to 20."""
    resume_false_interruption: bool = False
    """Whether the agent resumes after a sound that was no interruption, from where it was heard.

    That is speech below `min_duration` or `min_words`, or only an acknowledgement such as "mm-hm".
    Without it every sound that stopped the agent counts as an interruption.
    """
    false_interruption_timeout: Annotated[float, Meta(ge=0, le=10)] = 2.0
    """How long to wait for the transcript of such a turn, in seconds, 0 to 10."""

    def __post_init__(self) -> None:
        check_fields(self)
