"""What the settings say about the local speech, for whoever starts it."""

from __future__ import annotations

from hookflash.settings import SETTINGS, Settings
from hookflash_local.model.speech.options import SpeechOptions


def speech_options(settings: Settings) -> SpeechOptions:
    """Return what the settings, wherever they were written, say about the local speech."""
    values = {each.variable: each.value_in(settings) for each in SETTINGS}
    return SpeechOptions.from_environment({name: str(v) for name, v in values.items() if v})
