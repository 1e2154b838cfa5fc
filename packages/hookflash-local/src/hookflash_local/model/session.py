"""One client's socket: frames in, events out, in order and with the delay of the road.

    task        | acquired       | released
    reader      | run()          | when the socket closes; ends the session
    receiver    | run()          | with the session: applies what was read, after the delay
    writer      | run()          | with the session: sends what is due
    expiry      | run()          | with the session: says so and closes
    behaviour's | spawn()        | by itself, by Halt, or with the session

The shell decides nothing: `Conversation` says what to send and what to do, and a `Behaviour` (local
speech, or a script) does it.
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

from hookflash_local.model.conversation import Conversation, Effect, Halt, Job, Respond
from hookflash_local.model.shapes import Refusal
from hookflash_local.model.timing import Faults, Timing

log = logging.getLogger("hookflash.call.standin.model")


class Close(msgspec.Struct, frozen=True):
    """Close the socket with this code."""

    code: int
    reason: str = ""


class Drop(msgspec.Struct, frozen=True):
    """Break the connection, without a close frame."""


class Behaviour(Protocol):
    """What stands behind the protocol: how jobs are done. One for each server or each session."""

    def received(self, session: Session, event: Any, refusals: Sequence[dict[str, Any]]) -> None:
        """A client event was applied (or refused); its jobs follow."""
        ...

    def perform(self, session: Session, job: Job) -> None:
        """Do this, without waiting for it."""
        ...

    def sent(self, session: Session, event: dict[str, Any]) -> None:
        """This server event is on its way."""
        ...

    def closed(self, session: Session) -> None: ...


class Session:
    """One session. `apply` takes what `Conversation` returns; `run` ends when the socket does."""

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
        return self._socket.state is State.OPEN

    @property
    def _silent(self) -> bool:
        """Whether the fault is there, and was there when this session began: others go on."""
        return self._began_silent and self._faults.silent == "session"

    async def run(self) -> None:
        """Serve the client until the socket is closed by either side."""
        async with self._group:
            chores = [
                self._group.create_task(chore())
                for chore in (self._receive, self._write, self._expire)
            ]
            try:
                await self._open()
                await self._read()
            finally:
                self._behaviour.closed(self)
                for task in (*chores, *self._tasks.values()):
                    task.cancel()

    def apply(self, effects: Sequence[Effect]) -> None:
        """Send the events and hand over the jobs, in order."""
        for effect in effects:
            if isinstance(effect, dict):
                self._send(effect)
            elif isinstance(effect, Respond) and self._faults.fail_response:
                self._fail(effect.response_id, self._faults.fail_response)
            else:
                if isinstance(effect, Halt):
                    self.cancel(effect.response_id)
                self._behaviour.perform(self, effect)

    def send_text(self, frame: str) -> None:
        """Send a frame as it is, even one that is no event."""
        self._put(frame)

    def end(self, how: Close | Drop) -> None:
        """Close or drop the socket, after what was sent before."""
        self._put(how)

    def spawn(self, key: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run `work` as a task of this session, to be cancelled by its key."""
        task = self._group.create_task(work)
        self._tasks[key] = task
        task.add_done_callback(lambda done: self._forget(key, done))
        return task

    def task(self, key: str) -> asyncio.Task[None] | None:
        """Return the task that runs under this key, if there is one."""
        return self._tasks.get(key)

    def cancel(self, key: str) -> None:
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
        told: dict[str, Any] = json.loads(json.dumps(event))
        for side in ("input", "output"):
            rate = {"rate": 24_000} if name == "audio/pcm" else {}
            told["session"]["audio"][side]["format"] = {"type": name, **rate}
        return told

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
