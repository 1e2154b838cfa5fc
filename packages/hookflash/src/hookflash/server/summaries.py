"""Write a summary of each ended call, stored with its record.

Every record gets a summary of sentences from the call itself, at once. If a chat model is
configured, it is asked later, in the background, and its summary replaces the first one. If it does
not answer, the first one stays.

    resource       acquired    released
    writer tasks   start()     close()
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from msgspec.structs import replace

from hookflash.core.record import CallRecord
from hookflash.core.summary import summarise
from hookflash.errors import ModelError
from hookflash.models.chat import ChatEndpoint
from hookflash.runtime.ports import RecordSink
from hookflash.settings import Settings

log = logging.getLogger("hookflash.call.records")

WRITERS = 2
"""How many calls are summarised at once; a local model would not be faster with more."""

QUEUE = 200
_MAX_FORGOTTEN = 10_000
OPENAI = "https://api.openai.com/v1"

SaveSummary = Callable[[str, str], Awaitable[bool]]
"""Stores (call SID, summary); returns False if there is no such record yet."""


class Chat(Protocol):
    async def summarise(self, record: CallRecord) -> str:
        """Return the summary of a call. Raises `ModelError`; takes a limited time."""
        ...


def chat_endpoint(settings: Settings) -> ChatEndpoint | None:
    """Return the chat model that writes summaries, or None if none is configured."""
    if settings.chat.url:
        model = settings.chat.summary_model or settings.chat.model or "default"
        return ChatEndpoint(settings.chat.url, model, key=settings.chat.key)
    # A key of Azure is for no other host.
    openai = settings.model.key_header == "authorization"
    if settings.chat.summary_model and settings.model.api_key and openai:
        return ChatEndpoint(OPENAI, settings.chat.summary_model, key=settings.model.api_key)
    return None


class Summaries:
    """Summarises records on their way to `records`: satisfies `RecordSink`.

    `save` stores a chat model's summary by call SID. It is retried after each of `retry_seconds`,
    because the record may still be waiting for the database.
    """

    def __init__(
        self,
        records: RecordSink,
        chat: Chat | None,
        save: SaveSummary,
        *,
        retry_seconds: Sequence[float] = (0.5, 2.0, 10.0, 60.0),
    ) -> None:
        self._records = records
        self._chat = chat
        self._save = save
        self._retry_seconds = tuple(retry_seconds)
        self._queue: asyncio.Queue[CallRecord] = asyncio.Queue(QUEUE)
        self._tasks: list[asyncio.Task[None]] = []
        self._forgotten: set[str] = set()

    def start(self) -> None:
        """Start writing. Call it once, in the event loop's thread."""
        if self._chat is not None:
            self._tasks = [asyncio.create_task(self._write(self._chat)) for _ in range(WRITERS)]

    def put(self, record: CallRecord) -> None:
        """Take the record of an ended call. Never waits."""
        if record.call_sid in self._forgotten:
            return
        self._records.put(replace(record, summary=summarise(record)))
        if not self._tasks or not any(
            each.speaker == "caller" and each.text for each in record.utterances
        ):
            return
        try:
            self._queue.put_nowait(record)
        except asyncio.QueueFull:
            log.warning(
                "%s ! too many calls wait for a summary: this one is summarised without a model",
                record.call_sid,
            )

    def forget(self, call_sid: str) -> None:
        """Store no more data of an erased call, such as a late transcription of a voicemail."""
        if len(self._forgotten) >= _MAX_FORGOTTEN:
            # The oldest entries belong to released calls, which send no more data.
            self._forgotten.clear()
        self._forgotten.add(call_sid)

    async def flush(self) -> None:
        """Wait until every record so far was summarised or given up."""
        await self._queue.join()

    async def close(self) -> None:
        """Stop writing. Records that are waiting keep their first summary."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    async def _write(self, chat: Chat) -> None:
        while True:
            record = await self._queue.get()
            try:
                await self._sum_up(chat, record)
            except ModelError as error:
                log.warning("%s ! no summary was written: %s", record.call_sid, error)
            except Exception:
                # This record keeps its first summary; the next record is not affected.
                log.exception("%s ! its summary failed", record.call_sid)
            finally:
                self._queue.task_done()

    async def _sum_up(self, chat: Chat, record: CallRecord) -> None:
        text = await chat.summarise(record)
        for seconds in (*self._retry_seconds, None):
            if await self._save(record.call_sid, text):
                return
            if seconds is not None:
                await asyncio.sleep(seconds)
        log.info(
            "%s ! there is no record for its summary: it was deleted or not stored", record.call_sid
        )
