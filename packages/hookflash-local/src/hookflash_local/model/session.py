"""Serve one client's socket: frames in, events out, in order and with the network's delay.

    task        | acquired       | released
    reader      | run()          | when the socket closes; ends the session
    receiver    | run()          | with the session: applies received frames after the delay
    writer      | run()          | with the session: sends frames when they are due
    expiry      | run()          | with the session: reports its end and closes the socket
    behaviour's | spawn()        | when done, by StopResponse, or with the session

The session decides nothing: `Conversation` returns what to send and which jobs to do, and a
`Behaviour` (local speech, or a script) does the jobs.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Coroutine, Sequence
from typing import Any, Protocol

import msgspec
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State

from hookflash_local.model.realtime_conversation import (
    Conversation,
    Effect,
    Job,
    Respond,
    StopResponse,
)
from hookflash_local.model.timing import Faults, Timing
from hookflash_local.model.validation import Refusal

log = logging.getLogger("hookflash.call.standin.model")


class Close(msgspec.Struct, frozen=True):
    """Close the socket with this code."""

    code: int
    reason: str = ""


class Drop(msgspec.Struct, frozen=True):
    """Break the connection, without a close frame."""


class Behaviour(Protocol):
    """Does the jobs of a session."""

    def received(self, session: Session, event: Any, refusals: Sequence[dict[str, Any]]) -> None:
        """Note that a client event was applied, or refused; its jobs follow."""
        ...

    def perform(self, session: Session, job: Job) -> None:
        """Start a job, without waiting for its end."""
        ...

    def sent(self, session: Session, event: dict[str, Any]) -> None:
        """Note that a server event was sent."""
        ...

    def closed(self, session: Session) -> None:
        """Note that the session has ended."""
        ...


class Session:
    """One session. `apply` takes what `Conversation` returns; `run` ends with the socket."""

    def __init__(
        self,
        socket: ServerConnection,
        conversation: Conversation,
        behaviour: Behaviour,
        timing: Timing,
        faults: Faults,
    ) -> None:
        self.conversation = conversation
        self.timing = timing
        self._socket = socket
        self._behaviour = behaviour
        self._faults = faults
        self._began_silent = faults.silent == "session"
        self._inbox: asyncio.Queue[tuple[float, str | bytes]] = asyncio.Queue()
        self._outbox: asyncio.Queue[tuple[float, str | Close | Drop]] = asyncio.Queue()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._group = asyncio.TaskGroup()

    @property
    def open(self) -> bool:
        """Whether the socket is open."""
        return self._socket.state is State.OPEN

    @property
    def _silent(self) -> bool:
        """Whether this session is silent: the fault must be set now and at the session's start."""
        return self._began_silent and self._faults.silent == "session"

    async def run(self) -> None:
        """Serve the client until either side closes the socket."""
        async with self._group:
            own_tasks = [
                self._group.create_task(work())
                for work in (self._receive, self._write, self._expire)
            ]
            try:
                await self._open()
                await self._read()
            finally:
                self._behaviour.closed(self)
                for task in (*own_tasks, *self._tasks.values()):
                    task.cancel()

    def apply(self, effects: Sequence[Effect]) -> None:
        """Send the events and hand over the jobs, in order."""
        for effect in effects:
            if isinstance(effect, dict):
                self._send(effect)
            elif isinstance(effect, Respond) and self._faults.fail_response:
                self._fail(effect.response_id, self._faults.fail_response)
            else:
                if isinstance(effect, StopResponse):
                    self.cancel(effect.response_id)
                self._behaviour.perform(self, effect)

    def send_text(self, frame: str) -> None:
        """Send a frame unchanged, even if it is not an event."""
        self._put(frame)

    def end(self, how: Close | Drop) -> None:
        """Close or drop the socket, after everything sent before."""
        self._put(how)

    def spawn(self, key: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run `work` as a task of this session; `cancel(key)` cancels it."""
        task = self._group.create_task(work)
        self._tasks[key] = task
        task.add_done_callback(lambda done: self._forget(key, done))
        return task

    def task(self, key: str) -> asyncio.Task[None] | None:
        """Return the running task of a key, or None."""
        return self._tasks.get(key)

    def cancel(self, key: str) -> None:
        """Cancel the running task of a key, if there is one."""
        task = self._tasks.get(key)
        if task is not None:
            task.cancel()

    def _forget(self, key: str, done: asyncio.Task[None]) -> None:
        if self._tasks.get(key) is done:
            del self._tasks[key]

    def _fail(self, response_id: str, code: str) -> None:
        response = self.conversation.responses[response_id]
        error = {"type": "invalid_request_error", "code": code, "message": f"Refused: {code}."}
        self.apply(response.finish("failed", error=error))

    def _send(self, event: dict[str, Any]) -> None:
        if self._faults.session_format and event["type"] == "session.updated":
            event = self._with_format(event, self._faults.session_format)
        self._put(json.dumps(event))
        self._behaviour.sent(self, event)
        if event["type"] == self._faults.drop_on:
            self._put(Drop())

    def _with_format(self, event: dict[str, Any], name: str) -> dict[str, Any]:
        changed: dict[str, Any] = json.loads(json.dumps(event))
        for side in ("input", "output"):
            rate = {"rate": 24_000} if name == "audio/pcm" else {}
            changed["session"]["audio"][side]["format"] = {"type": name, **rate}
        return changed

    def _put(self, entry: str | Close | Drop) -> None:
        self._outbox.put_nowait((self._due(), entry))

    def _due(self) -> float:
        now = asyncio.get_running_loop().time()
        return now + self.timing.seconds(self.timing.network_ms)

    async def _open(self) -> None:
        if self._silent:
            return
        await self.timing.wait(self._faults.session_created_delay_ms)
        self.apply(self.conversation.opened())

    async def _read(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for frame in self._socket:
                self._inbox.put_nowait((self._due(), frame))

    async def _receive(self) -> None:
        while True:
            due, frame = await self._inbox.get()
            await _until(due)
            if not self._silent:
                self._take(frame)

    def _take(self, frame: str | bytes) -> None:
        try:
            event = json.loads(frame)
        except ValueError:
            refusal = Refusal("invalid_json", "The frame could not be parsed as JSON.")
            self.apply([self.conversation.refused(refusal)])
            return
        effects = self.conversation.receive(event)
        kind = event.get("type") if isinstance(event, dict) else None
        log.debug("model stand-in < %s", kind)
        refusals = [one for one in effects if isinstance(one, dict) and one["type"] == "error"]
        self._behaviour.received(self, event, refusals)
        self.apply(effects)
        if kind is not None and kind == self._faults.drop_on:
            self.end(Drop())

    async def _write(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            while True:
                due, entry = await self._outbox.get()
                await _until(due)
                if isinstance(entry, str):
                    await self._socket.send(entry)
                elif isinstance(entry, Close):
                    await self._socket.close(entry.code, entry.reason)
                else:
                    self._socket.transport.abort()

    async def _expire(self) -> None:
        await self.timing.wait(self.timing.session_seconds * 1000)
        minutes = f"{self.timing.session_seconds / 60:g}"
        text = f"Your session hit the maximum duration of {minutes} minutes."
        self.apply([self.conversation.refused(Refusal("session_expired", text))])
        self.end(Close(1001, text))


async def _until(due: float) -> None:
    left = due - asyncio.get_running_loop().time()
    if left > 0:
        await asyncio.sleep(left)
