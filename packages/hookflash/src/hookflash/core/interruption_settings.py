"""The owner's settings for barge-in: which sounds of the caller interrupt the agent."""

from __future__ import annotations

from typing import Literal

import msgspec

from hookflash.errors import ConfigError


class Interruption(msgspec.Struct, frozen=True, kw_only=True):
    """What happens when the caller makes a sound while the agent speaks.

    `mode`: `"vad"`, any speech stops the agent at once; `"none"`, nothing stops it.

    With `resume_false_interruption`, the agent goes on after a false interruption, from the point
    that the caller has heard. A false interruption is shorter than `min_duration` seconds, has
    fewer than `min_words` words, or is only a backchannel such as "mm-hm" or "okay". The transcript
    is awaited for `false_interruption_timeout` seconds after the caller is silent again.
    """

    mode: Literal["vad", "none"] = "vad"
    min_duration: float = 0.0
    min_words: int = 0
    resume_false_interruption: bool = False
    false_interruption_timeout: float = 2.0

    def __post_init__(self) -> None:
        if self.mode not in ("vad", "none"):
            raise ConfigError(f'Interruption: mode must be "vad" or "none", got {self.mode!r}')
        for name, value, most in (
            ("min_duration", self.min_duration, 10),
            ("min_words", self.min_words, 20),
            ("false_interruption_timeout", self.false_interruption_timeout, 10),
        ):
            if not 0 <= value <= most:
                raise ConfigError(f"Interruption: {name} must be 0 to {most}, got {value!r}")
