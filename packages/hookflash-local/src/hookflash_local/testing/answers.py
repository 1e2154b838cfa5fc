"""What answers as the agent's model where no test says it: a chat model, or the local rules."""

from __future__ import annotations

from hookflash.models.chat import ChatEndpoint
from hookflash.settings import Settings
from hookflash_local.demo.local_call import speech_options
from hookflash_local.model.components import DialogueManager
from hookflash_local.model.speech.receptionist import Receptionist
from hookflash_local.testing.text_model import OffClock


def answers_of(settings: Settings, *, rules: bool = False) -> DialogueManager:
    """Return the chat model of `HOOKFLASH_LLM_URL`, or the rules of the local receptionist.

    With `rules`, the rules answer although a chat model is configured. Raises `ConfigError` if two
    settings do not fit together.
    """
    options = speech_options(settings)
    if rules or options.llm_url is None or options.llm_model is None:
        return Receptionist()
    from hookflash_local.model.speech.chat import ChatDialogueManager

    return OffClock(ChatDialogueManager(options.llm_url, options.llm_model, key=options.llm_key))


def chat_of(settings: Settings) -> ChatEndpoint | None:
    """Return the chat model that plays a caller and judges a call; None if none is configured."""
    options = speech_options(settings)
    if options.llm_url is None or options.llm_model is None:
        return None
    return ChatEndpoint(options.llm_url, options.llm_model, key=options.llm_key)
