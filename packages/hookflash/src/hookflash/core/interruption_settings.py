"""The owner's settings for barge-in: which sounds of the caller interrupt the agent."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from hookflash.core.field_checks import check_fields


class Interruption(msgspec.Struct, frozen=True, kw_only=True):
    """What happens when the caller makes a sound while the agent speaks.

    `mode`: `"vad"`, any speech stops the agent at once; `"none"`, nothing stops it.

    With `resume_false_interruption`, the agent goes on after a false interruption, from the point
    that the caller has heard. A false interruption is shorter than `min_duration` seconds, has
    fewer than `min_words` words, or is only a backchannel such as "mm-hm" or "okay". The transcript
    is awaited for `false_interruption_timeout` seconds after the caller is silent again.
    """

    mode: Literal["vad", "none"] = "vad"
    min_duration: Annotated[float, Meta(ge=0, le=10)] = 0.0
    min_words: Annotated[int, Meta(ge=0, le=20)] = 0
    resume_false_interruption: bool = False
    false_interruption_timeout: Annotated[float, Meta(ge=0, le=10)] = 2.0

    def __post_init__(self) -> None:
        check_fields(self)
