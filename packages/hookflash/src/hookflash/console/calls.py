"""The routes of live calls: list, follow, listen and act.

    GET  /api/calls                      all live calls
    GET  /api/calls/{sid}                one call with all its parts
    POST /api/calls                      call somebody
    POST /api/calls/{sid}/ACTION         hint, say, handoff, cancel, giveback, hangup, answer
    GET  /console/feed                   changes, as server-sent events
    WS   /console/calls/{sid}/listen     the audio

An action is written to the audit trail, then posted to the process that has the call. Its effect
appears on the feed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated, Literal

import msgspec
from msgspec import Meta
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from hookflash.console import supervisor_actions
from hookflash.console.access import POLICY, AccessControl, Principal, Refused, answer
from hookflash.console.feed import Feed
from hookflash.console.line_calls import LineCalls
from hookflash.console.operations import Operation
from hookflash.console.request_parsing import NO_NUL, EmptyBody, Form, Identifier, NoParameters
from hookflash.console.shapes import CallDetail, CallList, Placed, Taken
from hookflash.core.events import AnyEvent
from hookflash.core.handoff.ring_order import may_ring
from hookflash.errors import CallNotPlaced, CarrierError, ConfigError

log = logging.getLogger("hookflash.console")

Listen = Callable[[str, WebSocket], Awaitable[None]]
"""Plays a call on an authorized socket that is not accepted yet, until either ends."""

MAX_FEEDS = 500

RECHECK_SECONDS = 10.0
"""How often a listener's permission is checked again."""

Line = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=1000,
        pattern=NO_NUL,
        description="a text of 1 to 1000 characters, no NUL",
    ),
]
Key = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=64,
        pattern=NO_NUL,
        description='the key of a destination, or "me" for your own telephone',
    ),
]
Reason = Annotated[
    str,
    Meta(max_length=500, pattern=NO_NUL, description="a text of at most 500 characters, no NUL"),
]
Summary = Annotated[
    str,
    Meta(max_length=2000, pattern=NO_NUL, description="a text of at most 2000 characters, no NUL"),
]
QuestionId = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=200,
        pattern=NO_NUL,
        description="the `id` of the question: a text of 1 to 200 characters",
    ),
]
EventId = Annotated[
    str,
    Meta(
        pattern="^[0-9a-f]{8}-[0-9]{1,18}$",
        description="the `id` of the last event that was received, such as 0a1b2c3d-42",
    ),
]


Number = Annotated[
    str,
    Meta(pattern=r"^\+[1-9][0-9]{5,14}$", description="a number in E.164 form such as +15550123"),
]
Name = Annotated[
    str, Meta(max_length=200, pattern=NO_NUL, description="a name of at most 200 characters")
]
Known = Annotated[
    str,
    Meta(max_length=4000, pattern=NO_NUL, description="a text of at most 4000 characters, no NUL"),
]
RingSeconds = Annotated[float, Meta(ge=5, le=120, description="5 to 120 seconds")]


class TextForm(msgspec.Struct, forbid_unknown_fields=True):
    """A line for the agent."""

    text: Line


class HandoffForm(msgspec.Struct, forbid_unknown_fields=True):
    """Who is to take the caller, and why."""

    destination: Key
    reason: Reason = ""
    summary: Summary = ""


class HangUpForm(msgspec.Struct, forbid_unknown_fields=True):
    """Why the call is to end."""

    reason: Reason = ""


class AnswerForm(msgspec.Struct, forbid_unknown_fields=True):
    """The answer to the question with this id."""

    id: QuestionId
    text: Summary


class PlaceForm(msgspec.Struct, forbid_unknown_fields=True):
    """Whom to call, with which agent, and what the agent knows of the call.

    `on_machine` is what happens if a mailbox answers. `message` is left there after the tone.
    `time_zone` is an IANA name, for a country that has several.
    """

    to: Number
    agent: Name = ""
    caller_id: Number | None = None
    known: Known = ""
    on_machine: Literal["hang_up", "leave_message", "talk"] = "hang_up"
    message: Known = ""
    ring_seconds: RingSeconds = 30.0
    time_zone: Name = ""


Place = Callable[[PlaceForm], Awaitable[str]]
"""Places a call and returns its SID. Raises `HookflashError`."""


class FeedQuery(msgspec.Struct, forbid_unknown_fields=True):
    """What a page follows, and where it continues."""

    call: Identifier | None = None
    after: EventId | None = None


# --- what there is --------------------------------------------------------------------------------

LIST = Operation(
    name="list_calls",
    method="GET",
    path="/api/calls",
    group="live calls",
    summary="The live calls of all workers; `missing` names the workers that did not answer.",
    takes=NoParameters,
    answers=CallList,
)
PLACE = Operation(
    name="place_call",
    method="POST",
    path="/api/calls",
    group="live calls",
    summary="Call somebody. Answered as soon as the carrier has accepted the call, which rings.",
    takes=PlaceForm,
    answers=Placed,
    status=201,
    role="supervisor",
    refusals=(409, 502),
)
DETAIL = Operation(
    name="get_call",
    method="GET",
    path="/api/calls/{sid}",
    group="live calls",
    summary="One live call with all its parts.",
    takes=NoParameters,
    answers=CallDetail,
)
FEED = Operation(
    name="follow_calls",
    method="GET",
    path="/console/feed",
    group="live calls",
    summary="Changes of the list as server-sent events, and of the call `call` as well.",
    takes=FeedQuery,
    media_type="text/event-stream",
    tokens=False,
)


def _action(name: str, takes: type[Form], summary: str, *refusals: int) -> Operation[Form]:
    return Operation(
        name=f"post_{name}",
        method="POST",
        path=f"/api/calls/{{sid}}/{name}",
        group="actions",
        summary=summary,
        takes=takes,
        answers=Taken,
        status=202,
        role="supervisor",
        refusals=refusals,
    )


HINT = _action("hint", TextForm, "Give the agent a line that only it reads.")
SAY = _action("say", TextForm, "Give the agent a line to speak.")
HAND_OFF = _action(
    "handoff",
    HandoffForm,
    "Begin a hand-off. `destination` is a key of the agent's, or `me` for your own telephone.",
    409,
)
CANCEL = _action("cancel", EmptyBody, "Cancel a hand-off that no human has taken yet.")
GIVE_BACK = _action("giveback", EmptyBody, "Give the caller back from the human to the agent.")
HANG_UP = _action("hangup", HangUpForm, "End the call once the agent has been heard.")
ANSWER = _action("answer", AnswerForm, "Answer the `question` of the call's entry.")

ACTIONS = (HINT, SAY, HAND_OFF, CANCEL, GIVE_BACK, HANG_UP, ANSWER)
OPERATIONS = (LIST, PLACE, DETAIL, FEED, *ACTIONS)
assert tuple(each.path.rpartition("/")[2] for each in ACTIONS) == supervisor_actions.ACTIONS


class Calls:
    """The routes of live calls. `now` is the calls' clock.

    A supervisor's telephone is rung only if its number begins with one of `dial_prefixes`; empty:
    every number.
    """

    def __init__(
        self,
        access: AccessControl,
        line_calls: LineCalls,
        feed: Feed,
        *,
        now: Callable[[], float],
        listen: Listen | None = None,
        dial_prefixes: tuple[str, ...] = (),
        place: Place | None = None,
    ) -> None:
        self._access = access
        self._line_calls = line_calls
        self._feed = feed
        self._now = now
        self._listen = listen
        self._dial_prefixes = dial_prefixes
        self._place_call = place

    def routes(self) -> list[BaseRoute]:
        access = self._access
        return [
            LIST.route(access, self._all),
            PLACE.route(access, self._place),
            DETAIL.route(access, self._one),
            HINT.route(access, self._hint),
            SAY.route(access, self._say),
            HAND_OFF.route(access, self._hand_off),
            CANCEL.route(access, self._cancel),
            GIVE_BACK.route(access, self._give_back),
            HANG_UP.route(access, self._hang_up),
            ANSWER.route(access, self._answer),
            FEED.route(access, self._follow),
            WebSocketRoute("/console/calls/{sid}/listen", self._play),
        ]

    # --- reading --------------------------------------------------------------------------------

    async def _all(self, request: Request, principal: Principal, given: NoParameters) -> Response:
        names = self._line_calls.processes()
        reports = await asyncio.gather(
            *(self._line_calls.next_report(process, "", 0, seconds=0.0) for process in names)
        )
        unanswered = {name for name, report in zip(names, reports, strict=True) if report is None}
        missing = tuple(sorted(unanswered.union(self._line_calls.silent())))
        found = {entry.call_sid: entry for report in reports if report for entry in report.calls}
        calls = sorted(found.values(), key=lambda entry: entry.arrived_at)
        return answer(CallList(calls=tuple(calls), now=self._now(), missing=missing))

    async def _one(self, request: Request, principal: Principal, given: NoParameters) -> Response:
        return answer(await self._found(request))

    async def _follow(self, request: Request, principal: Principal, given: FeedQuery) -> Response:
        if self._feed.pages >= MAX_FEEDS:
            raise Refused(503, "unreachable", f"{MAX_FEEDS} pages already follow the calls.")
        last_id = request.headers.get("last-event-id") or given.after or ""

        async def alive() -> bool:
            return await self._is_still_allowed(request, principal)

        async def events() -> AsyncIterator[bytes]:
            async for event in self._feed.stream(given.call or "", last_id, alive):
                yield event

        return StreamingResponse(
            events(),
            media_type="text/event-stream",
            # A buffering proxy would delay events.
            headers={"Cache-Control": "no-store, no-transform", "X-Accel-Buffering": "no"},
        )

    async def _play(self, socket: WebSocket) -> None:
        principal = await self._access.admit_socket(socket)
        if principal is None:
            return
        call_sid = socket.path_params["sid"]
        if self._listen is None or await self._line_calls.look_at(call_sid) is None:
            await socket.close(1011, "no call")
            return
        try:
            await self._access.audit(principal, "listen", call_sid=call_sid)
        except SQLAlchemyError:
            log.exception("! the console's database does not answer")
            await socket.close(1011, "database")
            return
        playing = asyncio.ensure_future(self._listen(call_sid, socket))
        try:
            while await self._is_still_allowed(socket, principal):
                await asyncio.wait((playing,), timeout=RECHECK_SECONDS)
                if playing.done():
                    return await playing
        finally:
            playing.cancel()
            await asyncio.gather(playing, return_exceptions=True)
        with contextlib.suppress(RuntimeError, WebSocketDisconnect):
            await socket.close(POLICY)

    async def _is_still_allowed(self, connection: HTTPConnection, principal: Principal) -> bool:
        """Return whether the user is still signed in and listed."""
        try:
            still = await self._access.principal(connection)
        except SQLAlchemyError:
            log.exception("! the console's database does not answer")
            return False
        return still is not None and still.name == principal.name

    async def _found(self, request: Request) -> CallDetail:
        detail = await self._line_calls.look_at(request.path_params["sid"])
        if detail is None:
            raise self._not_found()
        return detail

    def _not_found(self) -> Refused:
        if missing := ", ".join(self._line_calls.silent()):
            return Refused(
                503, "unreachable", f"Worker {missing} does not answer: this call may be there."
            )
        return Refused(404, "unknown", "No such call is live.")

    # --- acting ---------------------------------------------------------------------------------

    async def _place(self, request: Request, principal: Principal, given: PlaceForm) -> Response:
        if self._place_call is None:
            raise Refused(409, "not placed", "This console cannot place calls.")
        await self._access.audit(principal, "place", text=given.to)
        try:
            call_sid = await self._place_call(given)
        except ConfigError as error:
            raise Refused(400, "request", f"{error}.") from error
        except CallNotPlaced as error:
            raise Refused(409, error.reason.replace("_", " "), f"{error}.") from error
        except CarrierError as error:
            raise Refused(502, "carrier", f"{error}.") from error
        return answer(Placed(call_sid=call_sid), 201)

    async def _hint(self, request: Request, principal: Principal, given: TextForm) -> Response:
        event = supervisor_actions.hint(given.text, principal.name)
        return await self._act(request, principal, "hint", given.text, event)

    async def _say(self, request: Request, principal: Principal, given: TextForm) -> Response:
        event = supervisor_actions.say(given.text, principal.name)
        return await self._act(request, principal, "say", given.text, event)

    async def _hand_off(
        self, request: Request, principal: Principal, given: HandoffForm
    ) -> Response:
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
            if principal.rings is None:
                raise Refused(
                    400, "request", "You have no telephone here: the users' file has no `rings`."
                )
            if not may_ring(principal.rings, self._dial_prefixes):
                raise Refused(
                    400,
                    "request",
                    "Your telephone may not be rung: no prefix of HOOKFLASH_DIAL_PREFIXES permits"
                    " its number.",
                )
            event = supervisor_actions.take_over(
                principal.rings, given.reason, given.summary, principal.name
            )
        elif given.destination in known:
            event = supervisor_actions.hand_off(
                given.destination, given.reason, given.summary, principal.name
            )
        else:
            expected = ", ".join(("me", *known))
            raise Refused(
                400, "request", f"destination is one of {expected}; got {given.destination!r}."
            )
        text = f"{given.destination}: {given.reason}"
        return await self._act(request, principal, "handoff", text, event)

    async def _cancel(self, request: Request, principal: Principal, given: EmptyBody) -> Response:
        return await self._act(
            request, principal, "cancel", "", supervisor_actions.cancel(principal.name)
        )

    async def _give_back(
        self, request: Request, principal: Principal, given: EmptyBody
    ) -> Response:
        return await self._act(
            request, principal, "giveback", "", supervisor_actions.give_back(principal.name)
        )

    async def _hang_up(self, request: Request, principal: Principal, given: HangUpForm) -> Response:
        event = supervisor_actions.hang_up(given.reason)
        return await self._act(request, principal, "hangup", given.reason, event)

    async def _answer(self, request: Request, principal: Principal, given: AnswerForm) -> Response:
        event = supervisor_actions.answer(given.id, given.text, principal.name)
        return await self._act(request, principal, "answer", given.text, event)

    async def _act(
        self, request: Request, principal: Principal, action: str, text: str, event: AnyEvent
    ) -> Response:
        call_sid = (await self._found(request)).entry.call_sid
        await self._access.audit(principal, action, call_sid=call_sid, text=text)
        try:
            taken = await self._line_calls.take(call_sid, event)
        except TimeoutError:
            taken = False
        if not taken:
            raise self._not_found()
        return answer(Taken(), 202)
