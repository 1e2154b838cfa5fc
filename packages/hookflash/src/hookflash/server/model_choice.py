"""Check at the start that the model and the voices exist, as far as that is known.

Only OpenAI's own endpoint is judged: another one may give any name to its models and voices.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from urllib.parse import urlsplit

from hookflash.agents.agent import Agent
from hookflash.errors import ConfigError
from hookflash.models.openai.options import DEFAULT_MODEL, DEFAULT_URL

log = logging.getLogger("hookflash.server")

FAMILIES = ("gpt-realtime", "gpt-4o-realtime", "gpt-4o-mini-realtime")
"""The beginnings of the names of models that speak the Realtime API."""

VOICES = frozenset("alloy ash ballad cedar coral echo marin sage shimmer verse".split())
"""The voices of the Realtime API. A voice of your own has an ID that begins with `voice_`."""


def check_model(model: str, url: str) -> None:
    """Raise `ConfigError` for a model that OpenAI's Realtime endpoint does not have."""
    if _is_openai(url) and not model.startswith(FAMILIES):
        raise ConfigError(
            f"HOOKFLASH_MODEL: {model!r} is no model of the Realtime API; expected a name that"
            f" begins with {' or '.join(FAMILIES)}, such as {DEFAULT_MODEL}"
        )


def warn_of_voices(agents: Iterable[Agent], url: str) -> None:
    """Log each agent with a voice that the Realtime API is not known to have."""
    for agent in agents if _is_openai(url) else ():
        voice = agent.voice
        if voice is not None and voice not in VOICES and not voice.startswith("voice_"):
            log.warning(
                "! agent %s: the voice %r is not known; OpenAI refuses a session with a voice that"
                " it does not have. The voices are %s",
                *(agent.name, voice, ", ".join(sorted(VOICES))),
            )


def _is_openai(url: str) -> bool:
    return urlsplit(url).hostname == urlsplit(DEFAULT_URL).hostname
