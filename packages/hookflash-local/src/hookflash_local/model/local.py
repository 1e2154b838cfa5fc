"""Local speech behind the protocol: ears, a transcriber, a mind and a voice answer a session.

    task             | acquired      | released
    worker threads   | local_model() | when it ends
    transcription    | Transcribe    | by itself, or with the session
    writing          | Respond       | by itself, by Halt at once, or with the session

The ears are quick and run in the loop. Transcriber and voice are slow and run in threads; a voice
that is cancelled is simply not asked for its next piece. The mind reads every caller's turn as
text, so a response waits for the transcriptions of what it reads, even where the session asked for
none.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, Protocol

from hookflash_local.model.conversation import Detect, Halt, Hear, Job, Respond, Transcribe
from hookflash_local.model.formats import encoded
from hookflash_local.model.parts import Ears, Mind, Say, SpeechBegan, Transcriber, Voice
from hookflash_local.model.responses import Response
from hookflash_local.model.server import ModelServer
from hookflash_local.model.session import Session
from hookflash_local.model.speech.sentences import sentences
from hookflash_local.model.timing import Faults, Pace, Timing

log = logging.getLogger("hookflash.call.standin.model")


class Parts(Protocol):
    """What `speech.build_parts` returns: all are shared by the sessions but the ears."""

    @property
    def new_ears(self) -> Callable[[dict[str, Any]], Ears]: ...
    @property
    def transcriber(self) -> Transcriber: ...
    @property
    def mind(self) -> Mind: ...
    @property
    def voice(self) -> Voice: ...


class LocalBehaviour:
    """The parts at work for one session."""

    def __init__(self, parts: Parts, workers: ThreadPoolExecutor, pace: Pace) -> None:
        self._parts = parts
        self._workers = workers
        self._pace = pace
        self._ears: Ears | None = None
        self._ears_since_ms = 0
        self._transcriptions: dict[str, asyncio.Task[None]] = {}

    def received(self, session: Session, event: Any, refusals: Sequence[dict[str, Any]]) -> None:
        """Nothing to do: the jobs say it all."""

    def sent(self, session: Session, event: dict[str, Any]) -> None:
        """Nothing to do: nobody watches."""

    def closed(self, session: Session) -> None:
        """Nothing to do: the session cancels its tasks."""

    def perform(self, session: Session, job: Job) -> None:
        match job:
            case Hear(audio):
                self._hear(session, audio)
            case Detect(turn_detection):
                # Ears count from their own first frame, a session from its own.
                self._ears_since_ms = session.conversation.input.written_ms
                self._ears = self._parts.new_ears(turn_detection) if turn_detection else None
            case Transcribe(item_id):
                task = session.spawn(f"transcribe {item_id}", self._transcribe(session, item_id))
                self._transcriptions[item_id] = task
            case Respond(response_id):
                response = session.conversation.responses[response_id]
                session.spawn(response_id, self._respond(session, response))
            case Halt():
                """The session has cancelled the task that writes it."""

    def _hear(self, session: Session, audio: bytes) -> None:
        if self._ears is None:
            return
        for heard in self._ears.hear(audio):
            at_ms = self._ears_since_ms + heard.at_ms
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
            text = await self._off_loop(self._parts.transcriber.transcribe, bytes(entry.audio))
        except Exception:
            log.exception("model stand-in ! transcription of %s failed", item_id)
            session.apply(conversation.transcription_failed(item_id))
        else:
            session.apply(conversation.transcribed(item_id, text))

    async def _respond(self, session: Session, response: Response) -> None:
        try:
            await self._write(session, response)
        except Exception:
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
        async for act in self._parts.mind.answer(response.request()):
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
        # Sentence by sentence, so that of a text that is cut it is known which part was heard.
        for sentence in sentences(text) if response.speaks else ():
            response.sentence(sentence)
            async for chunk in self._chunks(sentence):
                session.apply(response.words(words.popleft() if words else ""))
                session.apply(response.sound(chunk))
                if response.full:
                    return
                await session.timing.wait(self._pace.chunk_takes_ms())
        session.apply(response.words("".join(words)))

    async def _chunks(self, text: str) -> AsyncIterator[bytes]:
        """Yield the spoken text in pieces of the size of a delta."""
        pieces = await self._off_loop(self._parts.voice.speak, text)
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
    """Cut a sentence into words to be sent one by one; `begins` if nothing stands before it."""
    words = text.split()
    return [word if begins and place == 0 else f" {word}" for place, word in enumerate(words)]


def _spoken_pcm(voice: Voice, text: str) -> bytes:
    return encoded(b"".join(voice.speak(text)), {"type": "audio/pcm"})


@asynccontextmanager
async def local_model(
    parts: Parts,
    *,
    port: int = 0,
    timing: Timing | None = None,
    pace: Pace | None = None,
    faults: Faults | None = None,
) -> AsyncIterator[ModelServer]:
    """Serve sessions with these parts, in this process: `async with local_model(parts) as model`.

    Real speech belongs in a process of its own (`process.ModelProcess`).
    """
    with ThreadPoolExecutor(max_workers=3, thread_name_prefix="model-standin") as workers:

        async def speak(text: str, voice: str) -> bytes:
            """Speak in the one voice there is, for the speech API."""
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(workers, _spoken_pcm, parts.voice, text)

        server = ModelServer(
            lambda: LocalBehaviour(parts, workers, pace or Pace()),
            port=port,
            timing=timing,
            faults=faults,
            speak=speak,
        )
        async with server:
            yield server
