"""What each call was about, written when it is over and kept with its record.

Every record gets the sentences that are picked from the call itself, at once. Where there is a chat
model it is asked as well, later and off everybody's road; what it writes takes their place, and if
it does not answer, they stay.

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
from hookflash.runtime.ports import RecordKeeper
from hookflash.settings import Settings

log = logging.getLogger("hookflash.call.records")

WRITERS = 2
"""So many calls are summed up at a time; a local model would only take longer for more."""

QUEUE = 200
_MOST_FORGOTTEN = 10_000
OPENAI = "https://api.openai.com/v1"

Keep = Callable[[str, str], Awaitable[bool]]
"""Keeps (call SID, summary); False if there is no such record, or not yet."""


class Chat(Protocol):
    async def summarise(self, record: CallRecord) -> str:
        """Return what a call was about. Raises `ModelError`; takes a bounded time."""
        ...


def chat_endpoint(settings: Settings) -> ChatEndpoint | None:
    """Return the chat model that writes summaries; None where the owner has named none."""
    if settings.chat.url:
        model = settings.chat.summary_model or settings.chat.model or "default"
        return ChatEndpoint(settings.chat.url, model, key=settings.chat.key)
    if settings.chat.summary_model and settings.model.api_key:
        return ChatEndpoint(OPENAI, settings.chat.summary_model, key=settings.model.api_key)
    return None


class Summaries:
    """Sums up the records on their way to `records`: satisfies `RecordKeeper`.

    `keep` is where a chat model's words go, by call SID. It is asked again after each of
    `retry_seconds`, for the record may still be waiting for the database.
    """

    def __init__(
        self,
        records: RecordKeeper,
        chat: Chat | None,
        keep: Keep,
        *,
        retry_seconds: Sequence[float] = (0.5, 2.0, 10.0, 60.0),
    ) -> None:
        self._records = records
        self._chat = chat
        self._keep = keep
        self._retry_seconds = tuple(retry_seconds)
        self._queue: asyncio.Queue[CallRecord] = asyncio.Queue(QUEUE)
        self._tasks: list[asyncio.Task[None]] = []
        self._forgotten: set[str] = set()

    def start(self) -> None:
        """Begin to write. Call it once, in the event loop's thread."""
        if self._chat is not None:
            self._tasks = [asyncio.create_task(self._write(self._chat)) for _ in range(WRITERS)]

    def put(self, record: CallRecord) -> None:
        """Take the record of a call that is over. Never waits."""
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
                "%s ! too many calls wait for a summary: it keeps its own words", record.call_sid
            )

    def forget(self, call_sid: str) -> None:
        """A call was erased: news of it, such as a voicemail written down late, is not kept."""
        if len(self._forgotten) >= _MOST_FORGOTTEN:
            # Those of long ago: their calls are let go of, and nothing more comes of them.
            self._forgotten.clear()
        self._forgotten.add(call_sid)

    async def flush(self) -> None:
        """Wait until every record taken so far was summed up, or given up."""
        await self._queue.join()

    async def close(self) -> None:
        """Write no more: what waits keeps the words that it has."""
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
                # This call keeps its own words; the next one is summed up all the same.
                log.exception("%s ! its summary failed", record.call_sid)
            finally:
                self._queue.task_done()

    async def _sum_up(self, chat: Chat, record: CallRecord) -> None:
        text = await chat.summarise(record)
        for seconds in (*self._retry_seconds, None):
            if await self._keep(record.call_sid, text):
                return
            if seconds is not None:
                await asyncio.sleep(seconds)
        log.info("%s ! its summary found no record: it was deleted, or never kept", record.call_sid)
