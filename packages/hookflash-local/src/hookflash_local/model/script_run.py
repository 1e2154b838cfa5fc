"""Run the steps of a script on a session.

    step by step -> done
                 -> unmet     (an expectation that was not met in time ends the run)

Several runs share the received events and the list of unmet expectations: the main script, and one
run for each reaction. `script.py` lists the steps.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from hookflash_local.model.local_model import transcript_pieces
from hookflash_local.model.realtime_conversation import Conversation
from hookflash_local.model.responses import Response
from hookflash_local.model.script import Pattern, Step, difference, say_audio
from hookflash_local.model.server import ModelServer
from hookflash_local.model.session import Close, Drop, Session
from hookflash_local.model.validation import Refusal

DEFAULT_CHUNK_MS = 100
EXPECT_SECONDS = 10.0
"""How long an expectation waits in real time. It is a limit for failures, not a measurement."""


APPEND = "input_audio_buffer.append"


class ReceivedEvents:
    """The client's events in order, over all sessions of one scripted model.

    A task that waits for an event, audio or a session checks again after each `news`.
    """

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self._news = asyncio.Event()

    def add(self, event: dict[str, Any]) -> None:
        """Record a client event."""
        self.events.append(event)
        self.wake()

    def wake(self) -> None:
        """Let all waiting tasks check again."""
        self._news.set()
        self._news = asyncio.Event()

    async def news(self) -> None:
        """Wait for the next `wake`."""
        await self._news.wait()

    def types(self) -> list[str]:
        """Return the event types in order, without appended audio."""
        return [event["type"] for event in self.events if event["type"] != APPEND]

    def of(self, kind: str) -> list[dict[str, Any]]:
        """Return the events of one type, in order."""
        return [event for event in self.events if event["type"] == kind]

    async def find(self, kind: str, where: Pattern, begin: int) -> int:
        """Wait for a matching event at index `begin` or later; return the index after it."""
        place = begin
        while True:
            while place < len(self.events):
                event = self.events[place]
                place += 1
                if event["type"] == kind and difference(event, where) is None:
                    return place
            await self.news()

    def describe_since(self, kind: str, where: Pattern, begin: int) -> str:
        """Describe the events since index `begin`, and why they did not match."""
        came = []
        for event in self.events[begin:]:
            if event["type"] == kind:
                came.append(f"{kind} ({difference(event, where)})")
            elif event["type"] != APPEND:
                came.append(event["type"])
        return "; ".join(came) or "nothing"


class Unmet(AssertionError):
    """An expectation of a script was not met; the text says what came instead."""


class ScriptRun:
    """One run of a list of steps. `unmet` lists failures, shared with the runs made by `child`."""

    def __init__(
        self,
        server: ModelServer,
        received: ReceivedEvents,
        steps: list[Step],
        unmet: list[Unmet] | None = None,
    ) -> None:
        self.unmet: list[Unmet] = [] if unmet is None else unmet
        self._server = server
        self._received = received
        self._steps = steps
        self._place = 0
        self._cursor = 0
        self._session: Session | None = None
        self._response_id: str | None = None

    def child(self, session: Session, steps: list[Step], response_id: str | None) -> ScriptRun:
        """Return another run on `session`, which writes into `response_id` if it is given."""
        other = ScriptRun(self._server, self._received, steps, self.unmet)
        other._session = session
        other._response_id = response_id
        other._cursor = len(self._received.events)
        return other

    def not_reached(self) -> list[str]:
        """Return a description of each step that was not reached."""
        left = self._steps[self._place :]
        return [f"not reached: step {at}, {_step_text(step)}" for at, step in self._numbered(left)]

    def _numbered(self, steps: list[Step]) -> Iterator[tuple[int, Step]]:
        return enumerate(steps, self._place + 1)

    async def run(self) -> None:
        """Run the steps; stop at the first expectation that is not met."""
        does: dict[str, Callable[[Any], Awaitable[None]]] = {
            "expect": self._expect,
            "expect_audio_ms": self._expect_audio,
            "wait_ms": lambda ms: self._server.timing.wait(ms),
            "say": self._say,
            "call_tool": self._call_tool,
            "finish": self._finish,
            "speech_started": self._speech_started,
            "speech_stopped": self._speech_stopped,
            "hears": self._hears,
            "transcript": self._transcript,
            "send": self._send,
            "send_text": self._send_text,
            "error": self._error,
            "close": self._close,
            "drop": self._drop,
        }
        for number, (name, given) in enumerate(self._steps, 1):
            try:
                await does[name](given)
            except Unmet as unmet:
                self.unmet.append(Unmet(f"step {number}, {_step_text((name, given))}: {unmet}"))
                return
            finally:
                self._place = number

    async def _expect(self, given: dict[str, Any]) -> None:
        kind, where = given["type"], given.get("where", {})
        try:
            async with asyncio.timeout(given.get("within_seconds", EXPECT_SECONDS)):
                self._cursor = await self._received.find(kind, where, self._cursor)
        except TimeoutError:
            came = self._received.describe_since(kind, where, self._cursor)
            raise Unmet(f"came instead: {came}") from None

    async def _expect_audio(self, ms: float) -> None:
        buffer = (await self._current()).conversation.input
        try:
            async with asyncio.timeout(EXPECT_SECONDS):
                while buffer.written_ms < ms:
                    await self._received.news()
        except TimeoutError:
            raise Unmet(f"came instead: {buffer.written_ms} ms of audio") from None

    async def _current(self) -> Session:
        """Return the session to act on: the reaction's session, or the newest one."""
        if self._session is not None:
            if not self._session.open:
                raise Unmet("expected an open session, but it is closed")
            return self._session
        sessions = self._server.sessions
        try:
            async with asyncio.timeout(EXPECT_SECONDS):
                while not sessions or not sessions[-1].open:
                    await self._received.news()
        except TimeoutError:
            raise Unmet("expected a connected client, but there is none") from None
        return sessions[-1]

    async def _response(self, session: Session) -> Response:
        """Return the response to write into; begin one if none is running."""
        conversation = session.conversation
        if self._response_id is not None:
            asked = conversation.responses[self._response_id]
            if asked.running:
                return asked
        if conversation.active is None:
            session.apply(conversation.respond())
        active = conversation.active
        if active is None:
            raise Unmet("the response was refused or failed as it began")
        return active

    async def _say(self, given: dict[str, Any]) -> None:
        session = await self._current()
        response = await self._response(session)
        before = session.task(response.id)
        if before is not None:
            # There is one voice: wait for earlier speech, which may end the response.
            await asyncio.wait([before])
            response = await self._response(session)
        item_id = _free_id(session.conversation, given.get("item"))
        speaking = session.spawn(response.id, _speak(session, response, item_id, given))
        if given.get("wait", True):
            # Interrupted speech is not a failure of the script.
            await asyncio.wait([speaking])

    async def _call_tool(self, given: dict[str, Any]) -> None:
        session = await self._current()
        response = await self._response(session)
        arguments = given.get("arguments", {})
        written = arguments if isinstance(arguments, str) else json.dumps(arguments)
        item_id = _free_id(session.conversation, given.get("item"))
        session.apply(response.call_tool(given["name"], written, given.get("call_id"), item_id))
        if given.get("done", True):
            session.apply(response.finish())

    async def _finish(self, given: dict[str, Any]) -> None:
        session = await self._current()
        response = await self._response(session)
        error = given.get("error")
        status = given.get("status", "failed" if error else "completed")
        if error:
            error = {"type": "server_error", "message": "As the script says.", **error}
        session.apply(response.finish(status, reason=given.get("reason"), error=error))

    async def _speech_started(self, given: dict[str, Any]) -> None:
        session = await self._current()
        at_ms = given.get("at_ms", session.conversation.input.written_ms)
        session.apply(session.conversation.speech_started(at_ms))

    async def _speech_stopped(self, given: dict[str, Any]) -> None:
        session = await self._current()
        at_ms = given.get("at_ms", session.conversation.input.written_ms)
        audio = b"\xff" * int(given.get("ms", 500) * 8)
        respond = given.get("respond", False)
        session.apply(session.conversation.speech_stopped(at_ms, audio, respond=respond))
        if "text" in given:
            await self._transcript(given)

    async def _hears(self, given: dict[str, Any]) -> None:
        session = await self._current()
        begin_ms = session.conversation.input.written_ms
        await self._speech_started({"at_ms": begin_ms})
        ms = given.get("ms", 500)
        await session.timing.wait(ms)
        await self._speech_stopped({**given, "at_ms": begin_ms + ms})

    async def _transcript(self, given: dict[str, Any]) -> None:
        session = await self._current()
        turns = [one for one in session.conversation.items if one.is_caller_audio]
        if not turns:
            raise Unmet("expected a turn of the caller before this step, there was none")
        session.apply(session.conversation.transcribed(turns[-1].id, given["text"]))

    async def _send(self, given: dict[str, Any]) -> None:
        session = await self._current()
        session.apply([{"event_id": session.conversation.ids.new("event"), **given}])

    async def _send_text(self, frame: str) -> None:
        (await self._current()).send_text(frame)

    async def _error(self, given: dict[str, Any]) -> None:
        session = await self._current()
        error = session.conversation.refused(
            Refusal(given["code"], given.get("message", "As the script says."), given.get("param"))
        )
        error["error"]["type"] = given.get("type", error["error"]["type"])
        session.apply([error])

    async def _close(self, given: dict[str, Any]) -> None:
        (await self._current()).end(Close(given.get("code", 1000), given.get("reason", "")))

    async def _drop(self, given: dict[str, Any]) -> None:
        (await self._current()).end(Drop())


async def _speak(
    session: Session, response: Response, item_id: str | None, given: dict[str, Any]
) -> None:
    """Send the audio in deltas at `rate` times real time, with one word of the text per delta."""
    session.apply(response.open_message(item_id))
    audio = say_audio(given)
    text = given.get("text", "")
    response.begin_sentence(text)
    words = transcript_pieces(text, True)
    chunk_ms = given.get("chunk_ms", DEFAULT_CHUNK_MS)
    rate = given.get("rate")
    loop = asyncio.get_running_loop()
    begun = loop.time()
    for place, start in enumerate(range(0, len(audio), chunk_ms * 8)):
        if rate:
            # By the clock, not by adding sleeps, so that the rate is exact at any speed.
            due = begun + session.timing.seconds(place * chunk_ms / rate)
            await asyncio.sleep(max(0.0, due - loop.time()))
        session.apply(response.add_transcript("".join(words[place : place + 1])))
        session.apply(response.add_audio(audio[start : start + chunk_ms * 8]))
        last = place
    rest = words[last + 1 :] if audio else words
    session.apply(response.add_transcript("".join(rest)))
    session.apply(response.close_message())
    if given.get("done", True):
        session.apply(response.finish())


def _free_id(conversation: Conversation, wanted: str | None) -> str | None:
    """Return the item ID of a script; append a number if it is in use (a repeated reaction)."""
    if wanted is None:
        return None
    written = (entry.id for one in conversation.responses.values() for entry in one.output)
    taken = {entry.id for entry in conversation.items} | set(written)
    name, count = wanted, 1
    while name in taken:
        count += 1
        name = f"{wanted}_{count}"
    return name


def _step_text(step: Step) -> str:
    name, given = step
    return f"{name} {given}" if given not in ({}, None) else name
