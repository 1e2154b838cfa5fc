"""Answer Realtime sessions with the local speech components.

    task             | acquired      | released
    worker threads   | local_model() | when it ends
    transcription    | Transcribe    | when done, or with the session
    writing          | Respond       | when done, at once by StopResponse, or with the session

The turn detector is fast and runs in the event loop. The transcriber and the voice are slow and run
in threads; on cancellation the voice is not asked for its next piece. The dialogue manager reads
each caller turn as text. So a response waits for the transcriptions of its context, even if the
session asked for none.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, Protocol

from hookflash_local.model.audio_formats import encoded
from hookflash_local.model.components import (
    DialogueManager,
    Say,
    SpeechBegan,
    Transcriber,
    TurnDetector,
    Voice,
)
from hookflash_local.model.realtime_conversation import (
    ConfigureTurnDetection,
    FeedAudio,
    Job,
    Respond,
    StopResponse,
    Transcribe,
)
from hookflash_local.model.responses import Response
from hookflash_local.model.server import ModelServer
from hookflash_local.model.session import Session
from hookflash_local.model.speech.sentences import sentences
from hookflash_local.model.timing import Faults, Pace, Timing

log = logging.getLogger("hookflash.call.standin.model")


class Components(Protocol):
    """What `speech.load_components` returns. Sessions share all but the turn detectors."""

    @property
    def new_turn_detector(self) -> Callable[[dict[str, Any]], TurnDetector]: ...
    @property
    def transcriber(self) -> Transcriber: ...
    @property
    def dialogue_manager(self) -> DialogueManager: ...
    @property
    def voice(self) -> Voice: ...


class LocalBehaviour:
    """Does the jobs of one session with the components."""

    def __init__(self, components: Components, workers: ThreadPoolExecutor, pace: Pace) -> None:
        self._components = components
        self._workers = workers
        self._pace = pace
        self._turn_detector: TurnDetector | None = None
        self._detector_start_ms = 0
        self._transcriptions: dict[str, asyncio.Task[None]] = {}

    def received(self, session: Session, event: Any, refusals: Sequence[dict[str, Any]]) -> None:
        """Do nothing: the jobs are enough."""

    def sent(self, session: Session, event: dict[str, Any]) -> None:
        """Do nothing: sent events are not recorded."""

    def closed(self, session: Session) -> None:
        """Do nothing: the session cancels its tasks."""

    def perform(self, session: Session, job: Job) -> None:
        match job:
            case FeedAudio(audio):
                self._feed(session, audio)
            case ConfigureTurnDetection(turn_detection):
                # A turn detector's times count from its own start, not from the session's.
                self._detector_start_ms = session.conversation.input.written_ms
                self._turn_detector = (
                    self._components.new_turn_detector(turn_detection) if turn_detection else None
                )
            case Transcribe(item_id):
                task = session.spawn(f"transcribe {item_id}", self._transcribe(session, item_id))
                self._transcriptions[item_id] = task
            case Respond(response_id):
                response = session.conversation.responses[response_id]
                session.spawn(response_id, self._respond(session, response))
            case StopResponse():
                """The session has cancelled the task that writes it."""

    def _feed(self, session: Session, audio: bytes) -> None:
        if self._turn_detector is None:
            return
        for heard in self._turn_detector.feed(audio):
            at_ms = self._detector_start_ms + heard.at_ms
            if isinstance(heard, SpeechBegan):
                session.apply(session.conversation.speech_started(at_ms))
            else:
                session.apply(session.conversation.speech_stopped(at_ms, heard.audio))

    async def _transcribe(self, session: Session, item_id: str) -> None:
        conversation = session.conversation
        entry = conversation.items.get(item_id)
        if entry is None:
            return
        try:
            text = await self._off_loop(self._components.transcriber.transcribe, bytes(entry.audio))
        except Exception:
            # The libraries that hear raise plain exceptions. The client gets the failure as OpenAI
            # reports it, and the session goes on.
            log.exception("model stand-in ! transcription of %s failed", item_id)
            session.apply(conversation.transcription_failed(item_id))
        else:
            session.apply(conversation.transcribed(item_id, text))

    async def _respond(self, session: Session, response: Response) -> None:
        try:
            await self._write(session, response)
        except Exception:
            # Speech, rules or a chat model failed in any way. The response ends as failed, as
            # OpenAI's does, and the session goes on.
            log.exception("model stand-in ! response %s failed", response.id)
            error = {
                "type": "server_error",
                "code": "server_error",
                "message": "The server had an error while processing your request.",
            }
            session.apply(response.finish("failed", error=error))

    async def _write(self, session: Session, response: Response) -> None:
        pending = [
            self._transcriptions[entry.id]
            for entry in response.context
            if entry.id in self._transcriptions
        ]
        if pending:
            await asyncio.wait(pending)
        async for act in self._components.dialogue_manager.answer(response.request()):
            if isinstance(act, Say):
                await self._say(session, response, act.text)
            else:
                session.apply(response.call_tool(act.name, act.arguments))
            if response.full:
                session.apply(response.finish("incomplete", reason="max_output_tokens"))
                return
        session.apply(response.finish())

    async def _say(self, session: Session, response: Response, text: str) -> None:
        begins = response.writing is None
        if begins:
            session.apply(response.open_message())
        words = deque(transcript_pieces(text, begins))
        # Sentence by sentence, so that after a truncation it is known which part was heard.
        for sentence in sentences(text) if response.speaks else ():
            response.begin_sentence(sentence)
            async for chunk in self._chunks(sentence):
                session.apply(response.add_transcript(words.popleft() if words else ""))
                session.apply(response.add_audio(chunk))
                if response.full:
                    return
                await session.timing.wait(self._pace.chunk_takes_ms())
        session.apply(response.add_transcript("".join(words)))

    async def _chunks(self, text: str) -> AsyncIterator[bytes]:
        """Yield the audio of a text in pieces of one delta each."""
        pieces = await self._off_loop(self._components.voice.speak, text)
        held, size = bytearray(), self._pace.chunk_bytes
        while (piece := await self._off_loop(next, pieces, None)) is not None:
            held += piece
            while len(held) >= size:
                yield bytes(held[:size])
                del held[:size]
        if held:
            yield bytes(held)

    async def _off_loop(self, work: Callable[..., Any], *arguments: Any) -> Any:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._workers, work, *arguments)


def transcript_pieces(text: str, begins: bool) -> list[str]:
    """Split a text into words for transcript deltas; `begins` means that no text precedes it."""
    words = text.split()
    return [word if begins and place == 0 else f" {word}" for place, word in enumerate(words)]


def _spoken_pcm(voice: Voice, text: str) -> bytes:
    return encoded(b"".join(voice.speak(text)), {"type": "audio/pcm"})


@asynccontextmanager
async def local_model(
    components: Components,
    *,
    port: int = 0,
    timing: Timing | None = None,
    pace: Pace | None = None,
    faults: Faults | None = None,
) -> AsyncIterator[ModelServer]:
    """Serve sessions with these components: `async with local_model(components) as model`.

    Run real speech models in a separate process (`process.ModelProcess`).
    """
    with ThreadPoolExecutor(max_workers=3, thread_name_prefix="model-standin") as workers:

        async def speak(text: str, voice: str) -> bytes:
            """Synthesize text for the speech API, with the only voice."""
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(workers, _spoken_pcm, components.voice, text)

        server = ModelServer(
            lambda: LocalBehaviour(components, workers, pace or Pace()),
            port=port,
            timing=timing,
            faults=faults,
            speak=speak,
        )
        async with server:
            yield server
