"""Live calls: to be looked at, followed, listened to, and acted upon.

    GET  /api/calls                      all that are live
    GET  /api/calls/{sid}                one of them, whole
    POST /api/calls/{sid}/ACTION         hint, say, handoff, cancel, giveback, hangup, answer
    GET  /console/feed                   what changes, as server-sent events
    WS   /console/calls/{sid}/listen     the sound

An action is written into the audit trail, then brought to the process that has the call; what
becomes of it is seen on the feed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated

import msgspec
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from hookflash.console import requests
from hookflash.console.body import Nothing, read_body
from hookflash.console.feed import Feed
from hookflash.console.gate import POLICY, Gate, Refused, Visitor, answer
from hookflash.console.reach import Reach
from hookflash.console.shapes import CallDetail, CallList, Taken
from hookflash.core.events import AnyEvent

log = logging.getLogger("hookflash.console")

Listen = Callable[[str, WebSocket], Awaitable[None]]
"""Plays a call (its SID) on a socket that was let in and is not accepted yet, until either ends."""

MOST_FEEDS = 500

STILL_SECONDS = 10.0
"""How often it is looked whether somebody who listens still may."""

Line = Annotated[str, msgspec.Meta(min_length=1, max_length=1000)]
Key = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Reason = Annotated[str, msgspec.Meta(max_length=500)]
Summary = Annotated[str, msgspec.Meta(max_length=2000)]


class Words(msgspec.Struct, forbid_unknown_fields=True):
    text: Line


class HandoffWanted(msgspec.Struct, forbid_unknown_fields=True):
    destination: Key
    reason: Reason = ""
    summary: Summary = ""


class HangUpWanted(msgspec.Struct, forbid_unknown_fields=True):
    reason: Reason = ""


class Answer(msgspec.Struct, forbid_unknown_fields=True):
    id: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    text: Summary


class Calls:
    """The routes of live calls. `now` is the calls' clock."""

    def __init__(
        self,
        gate: Gate,
        reach: Reach,
        feed: Feed,
        *,
        now: Callable[[], float],
        listen: Listen | None = None,
    ) -> None:
        self._gate = gate
        self._reach = reach
        self._feed = feed
        self._now = now
        self._listen = listen

    def routes(self) -> list[BaseRoute]:
        gate = self._gate
        actions = {
            "hint": self._hint,
            "say": self._say,
            "handoff": self._hand_off,
            "cancel": self._cancel,
            "giveback": self._give_back,
            "hangup": self._hang_up,
            "answer": self._answer,
        }
        assert tuple(actions) == requests.ACTIONS
        return [
            Route("/api/calls", gate.guarded(self._all, tokens=True), methods=["GET"]),
            Route("/api/calls/{sid}", gate.guarded(self._one, tokens=True), methods=["GET"]),
            *(
                Route(
                    f"/api/calls/{{sid}}/{name}",
                    gate.guarded(action, role="supervisor", tokens=True),
                    methods=["POST"],
                )
                for name, action in actions.items()
            ),
            Route("/console/feed", gate.guarded(self._follow), methods=["GET"]),
            WebSocketRoute("/console/calls/{sid}/listen", self._play),
        ]

    # --- looking --------------------------------------------------------------------------------

    async def _all(self, request: Request, visitor: Visitor) -> Response:
        names = self._reach.processes()
        reports = await asyncio.gather(
            *(self._reach.next_report(process, "", 0, seconds=0.0) for process in names)
        )
        mute = {name for name, report in zip(names, reports, strict=True) if report is None}
        missing = tuple(sorted(mute.union(self._reach.silent())))
        found = {entry.call_sid: entry for report in reports if report for entry in report.calls}
        calls = sorted(found.values(), key=lambda entry: entry.arrived_at)
        return answer(CallList(calls=tuple(calls), now=self._now(), missing=missing))

    async def _one(self, request: Request, visitor: Visitor) -> Response:
        return answer(await self._found(request))

    async def _follow(self, request: Request, visitor: Visitor) -> Response:
        if self._feed.pages >= MOST_FEEDS:
            raise Refused(503, "unreachable", f"{MOST_FEEDS} pages follow the calls already.")
        last_id = request.headers.get("last-event-id") or request.query_params.get("after", "")
        call_sid = request.query_params.get("call", "")

        async def alive() -> bool:
            return await self._still(request, visitor)

        async def events() -> AsyncIterator[bytes]:
            async for event in self._feed.stream(call_sid, last_id, alive):
                yield event

        return StreamingResponse(
            events(),
            media_type="text/event-stream",
            # A proxy that gathers what it passes on would hold events back.
            headers={"Cache-Control": "no-store, no-transform", "X-Accel-Buffering": "no"},
        )

    async def _play(self, socket: WebSocket) -> None:
        visitor = await self._gate.admit_socket(socket)
        if visitor is None:
            return
        call_sid = socket.path_params["sid"]
        if self._listen is None or await self._reach.look_at(call_sid) is None:
            await socket.close(1011)
            return
        try:
            await self._gate.note(visitor, "listen", call_sid=call_sid)
        except SQLAlchemyError:
            log.exception("! the console's database does not answer")
            await socket.close(1011)
            return
        playing = asyncio.ensure_future(self._listen(call_sid, socket))
        try:
            while await self._still(socket, visitor):
                await asyncio.wait((playing,), timeout=STILL_SECONDS)
                if playing.done():
                    return await playing
        finally:
            playing.cancel()
            await asyncio.gather(playing, return_exceptions=True)
        with contextlib.suppress(RuntimeError, WebSocketDisconnect):
            await socket.close(POLICY)

    async def _still(self, connection: HTTPConnection, visitor: Visitor) -> bool:
        """Return whether somebody may still be here: who has signed out, or was taken off the
        list, sees and hears no more."""
        try:
            still = await self._gate.visitor(connection)
        except SQLAlchemyError:
            log.exception("! the console's database does not answer")
            return False
        return still is not None and still.name == visitor.name

    async def _found(self, request: Request) -> CallDetail:
        detail = await self._reach.look_at(request.path_params["sid"])
        if detail is None:
            raise self._not_found()
        return detail

    def _not_found(self) -> Refused:
        if missing := ", ".join(self._reach.silent()):
            return Refused(
                503, "unreachable", f"Worker {missing} does not answer: this call may be there."
            )
        return Refused(404, "unknown", "No such call is live.")

    # --- acting ---------------------------------------------------------------------------------

    async def _hint(self, request: Request, visitor: Visitor) -> Response:
        given = await read_body(request, Words)
        event = requests.hint(given.text, visitor.name)
        return await self._act(request, visitor, "hint", given.text, event)

    async def _say(self, request: Request, visitor: Visitor) -> Response:
        given = await read_body(request, Words)
        event = requests.say(given.text, visitor.name)
        return await self._act(request, visitor, "say", given.text, event)

    async def _hand_off(self, request: Request, visitor: Visitor) -> Response:
        given = await read_body(request, HandoffWanted)
        detail = await self._found(request)
        known = detail.destinations
        if (running := detail.entry.handoff) is not None:
            raise Refused(
                409,
                "under way",
                f"A hand-off to {running.destination} is under way ({running.state}). Cancel it or"
                " have the caller given back first.",
            )
        if given.destination == "me":
            if visitor.rings is None:
                raise Refused(
                    400, "request", "You have no telephone here: the users' file has no `rings`."
                )
            event = requests.take_over(visitor.rings, given.reason, given.summary, visitor.name)
        elif given.destination in known:
            event = requests.hand_off(given.destination, given.reason, given.summary, visitor.name)
        else:
            expected = ", ".join(("me", *known))
            raise Refused(
                400, "request", f"destination is one of {expected}; got {given.destination!r}."
            )
        text = f"{given.destination}: {given.reason}"
        return await self._act(request, visitor, "handoff", text, event)

    async def _cancel(self, request: Request, visitor: Visitor) -> Response:
        await read_body(request, Nothing)
        return await self._act(request, visitor, "cancel", "", requests.cancel(visitor.name))

    async def _give_back(self, request: Request, visitor: Visitor) -> Response:
        await read_body(request, Nothing)
        return await self._act(request, visitor, "giveback", "", requests.give_back(visitor.name))

    async def _hang_up(self, request: Request, visitor: Visitor) -> Response:
        given = await read_body(request, HangUpWanted)
        event = requests.hang_up(given.reason)
        return await self._act(request, visitor, "hangup", given.reason, event)

    async def _answer(self, request: Request, visitor: Visitor) -> Response:
        given = await read_body(request, Answer)
        event = requests.answer(given.id, given.text, visitor.name)
        return await self._act(request, visitor, "answer", given.text, event)

    async def _act(
        self, request: Request, visitor: Visitor, action: str, text: str, event: AnyEvent
    ) -> Response:
        call_sid = (await self._found(request)).entry.call_sid
        await self._gate.note(visitor, action, call_sid=call_sid, text=text)
        try:
            taken = await self._reach.take(call_sid, event)
        except TimeoutError:
            taken = False
        if not taken:
            raise self._not_found()
        return answer(Taken(), 202)
