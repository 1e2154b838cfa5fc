"""Create a line's prepared speech: choose the renderer, and render in the background.

resource                 acquired               released, in reverse
renderer's HTTP client   open_prepared_speech   when its block ends
rendering task           open_prepared_speech   when its block ends
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from urllib.parse import urlsplit

from hookflash.agents.directory import Directory
from hookflash.agents.prepared_lines import has_language
from hookflash.errors import ModelError
from hookflash.models.openai.realtime_speech import RealtimeSpeech
from hookflash.models.openai.speech_api import OpenAISpeech, speech_url
from hookflash.runtime.ports import SpeechRenderer
from hookflash.runtime.prepared_speech import PreparedSpeech, Speaker
from hookflash.runtime.speech_store import SpeechStore
from hookflash.runtime.tool_runner import OfferedTool
from hookflash.settings import OFF, Settings
from hookflash.world import SYSTEM, World

log = logging.getLogger("hookflash.call.speech")


class SpeechWithFallback:
    """Renders with the speech API, and with the live model once the API refuses permanently."""

    def __init__(self, speech: SpeechRenderer, reading: SpeechRenderer) -> None:
        self._speech = speech
        self._reading = reading
        self._refused = False

    @property
    def version(self) -> str:
        # One version for both renderers, so that stored texts are not rendered again.
        return self._speech.version

    async def render(self, text: str, voice: str, language: str) -> bytes:
        """Return `text` as mu-law at 8 kHz. Raises `ModelError`."""
        if not self._refused:
            try:
                return await self._speech.render(text, voice, language)
            except ModelError as error:
                if not error.fatal:
                    raise
                self._refused = True
                log.info("= prepared speech: the live model renders the texts, because: %s", error)
        return await self._reading.render(text, voice, language)


def model_key(settings: Settings) -> tuple[str | None, dict[str, str]]:
    """Return (key for the header Authorization, other headers) for the model's sessions."""
    key = settings.model.api_key
    if settings.model.key_header == "api-key" and key:
        return None, {"api-key": key}
    return key, {}


def speech_renderer(settings: Settings) -> OpenAISpeech | None:
    """Return the speech API that renders prepared speech, or None if it is off or not configured.

    The model's key is sent to the model's host only; any other speech API has its own `speech_key`.
    """
    url = settings.speech.url or speech_url(settings.model.url)
    if url is None or url == OFF:
        return None
    beside = urlsplit(url).hostname == urlsplit(settings.model.url).hostname
    key = settings.speech.key or (settings.model.api_key if beside else None)
    return OpenAISpeech(url, settings.speech.model, key=key)


class _SpeakerWithLines:
    """An agent with the lines of tools that it has from elsewhere."""

    def __init__(self, agent: Speaker, lines: Mapping[str, tuple[str, ...]]) -> None:
        self.voice = agent.voice
        self.language = agent.language
        self.prepared = agent.prepared
        self.tool_lines = {**agent.tool_lines, **lines}


def with_tool_lines(agent: Speaker, tools: Mapping[str, OfferedTool]) -> Speaker:
    """Return the agent with the lines of `tools` as well."""
    lines = {name: tool.filler for name, tool in tools.items() if tool.filler}
    return _SpeakerWithLines(agent, lines) if lines else agent


@contextlib.asynccontextmanager
async def open_prepared_speech(
    settings: Settings, directory: Directory, *, voice: str, world: World = SYSTEM
) -> AsyncIterator[Callable[[Speaker], PreparedSpeech]]:
    """Render missing texts of the agents. Yields a function that returns an agent's lines for a
    call.

    `voice` is the model's, for agents that set none. Nothing waits for the rendering.
    """
    async with contextlib.AsyncExitStack() as stack:
        key, headers = model_key(settings)
        model = RealtimeSpeech(settings.model.url, settings.model.name, key=key, headers=headers)
        # No speech API beside an Azure deployment is known to take this key.
        reads = settings.model.key_header == "api-key" and not settings.speech.url
        speech = None if reads else speech_renderer(settings)
        renderer: SpeechRenderer | None = model if reads else speech
        if reads:
            log.info("= prepared speech: the live model renders the texts")
        elif speech is None:
            log.info("= no prepared speech: a tone is played instead; see HOOKFLASH_SPEECH_URL")
        else:
            stack.push_async_callback(speech.aclose)
            if not settings.speech.url:
                renderer = SpeechWithFallback(speech, model)
        store = SpeechStore(settings.storage.data_dir / "speech", renderer, world=world)

        def prepared(agent: Speaker) -> PreparedSpeech:
            return PreparedSpeech.of(agent, store, voice=voice)

        for agent in directory.agents:
            if agent.language is not None and not has_language(agent.language):
                log.info(
                    "= agent %r: prepared lines have no texts in %r and are in English; give your"
                    " own with Agent(prepared={...})",
                    agent.name,
                    agent.language,
                )
            store.add(prepared(agent).sentences)
        store.start()
        stack.push_async_callback(store.aclose)
        yield prepared
