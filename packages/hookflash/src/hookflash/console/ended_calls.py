"""The routes of ended calls, figures and the audit trail.

GET    /api/past                  search by words, digits, disposition ...; newest first
GET    /api/past/{sid}            one call with all its parts
DELETE /api/past/{sid}            delete its record, journal and recording
GET    /api/past/{sid}/recording  its audio
GET    /api/figures               figures over time
GET    /api/audit                 who did what
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import Callable
from typing import Annotated, Protocol, get_args

import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from hookflash.console import call_detail
from hookflash.console.access import AccessControl, Principal, Refused, answer
from hookflash.console.file_response import file_response
from hookflash.console.journal_trace import read_trace
from hookflash.console.operations import Operation
from hookflash.console.prices import Prices
from hookflash.console.request_parsing import (
    LARGEST_ID,
    NO_NUL,
    YEAR_9999,
    Identifier,
    Limit,
    Moment,
    NoParameters,
    Short,
    unknown_page,
    wrong_value,
)
from hookflash.console.shapes import (
    Attempt,
    AuditEntry,
    AuditPage,
    Bucket,
    Figures,
    Line,
    PastCall,
    PastEntry,
    PastPage,
    Quantiles,
)
from hookflash.console.trace import ToolSeen, Trace
from hookflash.core.disposition import Disposition
from hookflash.core.record import CallRecord
from hookflash.files.stored_files import Kind, StoredFile
from hookflash.stores.audit import AuditStore
from hookflash.stores.figures import Distribution, Figure, figures
from hookflash.stores.full_text import words_in
from hookflash.stores.records import RecordStore
from hookflash.stores.search import CallQuery, CallSearch, Found

log = logging.getLogger("hookflash.console")

MAX_STEPS = 1000
_RANGES = re.compile(r"bytes=([0-9]{1,15}-[0-9]{0,15}|-[0-9]{1,15})")
"""One range of bytes, as players request. Several would make an answer of several parts."""
_WEEK_SECONDS, _DAY_SECONDS = 7 * 86_400.0, 86_400.0


class EndedCallData(Protocol):
    """The files and summaries of ended calls."""

    async def find(self, kind: Kind, call_sid: str) -> StoredFile | None:
        """Return a call's stereo recording or its journal, or None. Raises `OSError`."""

    async def summary(self, call_sid: str) -> str:
        """Return the summary of a call, or ""."""

    async def delete(self, call_sid: str) -> None:
        """Delete all data of a call. Raises `OSError` if that is not possible now."""


Words = Annotated[
    str,
    Meta(
        max_length=200,
        pattern=NO_NUL,
        description="words that were said, or the beginnings of words, of which all must occur:"
        " at most 200 characters, with a letter or digit among them",
    ),
]
Digits = Annotated[
    str,
    Meta(
        max_length=64,
        pattern="^[0-9+(). /-]*[0-9][0-9+(). /-]*$",
        description="the last digits of the caller's number, such as 0142;"
        " + ( ) . / - and spaces are ignored",
    ),
]
Ending = Annotated[Disposition, Meta(description="one of " + ", ".join(get_args(Disposition)))]


class PastQuery(msgspec.Struct, forbid_unknown_fields=True):
    """Which calls to return. `before` is the `next` of the previous page."""

    text: Words | None = None
    digits: Digits | None = None
    disposition: Ending | None = None
    destination: Short | None = None
    agent: Short | None = None
    since: Moment | None = None
    until: Moment | None = None
    before: Identifier | None = None
    limit: Limit = 50


class FiguresQuery(msgspec.Struct, forbid_unknown_fields=True):
    """Which time to count, in which steps. The default is the last seven days, by day."""

    since: Moment | None = None
    until: Moment | None = None
    step: Annotated[
        float,
        Meta(
            gt=0,
            le=YEAR_9999,
            description=f"seconds: a number above 0, at most {YEAR_9999};"
            f" at most {MAX_STEPS} steps from `since` to `until`",
        ),
    ] = _DAY_SECONDS


class AuditQuery(msgspec.Struct, forbid_unknown_fields=True):
    """Which entries to return. `before` is the `next` of the previous page."""

    who: Short | None = None
    action: Short | None = None
    call: Identifier | None = None
    before: (
        Annotated[
            int,
            Meta(
                ge=1,
                le=LARGEST_ID,
                description=f"the id of an entry: a whole number from 1 to {LARGEST_ID}",
            ),
        ]
        | None
    ) = None
    limit: Limit = 50


FIND = Operation(
    name="find_ended_calls",
    method="GET",
    path="/api/past",
    group="ended calls",
    summary="Ended calls, the newest first.",
    takes=PastQuery,
    answers=PastPage,
)
DETAIL = Operation(
    name="get_ended_call",
    method="GET",
    path="/api/past/{sid}",
    group="ended calls",
    summary="One ended call with all its parts.",
    takes=NoParameters,
    answers=PastCall,
)
DELETE = Operation(
    name="delete_ended_call",
    method="DELETE",
    path="/api/past/{sid}",
    group="ended calls",
    summary="Delete the record, the journal and the recording of a call.",
    takes=NoParameters,
    status=204,
    role="supervisor",
)
RECORDING = Operation(
    name="get_recording",
    method="GET",
    path="/api/past/{sid}/recording",
    group="ended calls",
    summary="The stereo recording of a call. Ranges are served with 206.",
    takes=NoParameters,
    media_type="audio/wav",
    refusals=(416,),
)
FIGURES = Operation(
    name="get_figures",
    method="GET",
    path="/api/figures",
    group="ended calls",
    summary="Figures over time: one for each step, and one for the whole time.",
    takes=FiguresQuery,
    answers=Figures,
)
AUDIT = Operation(
    name="list_audit_entries",
    method="GET",
    path="/api/audit",
    group="ended calls",
    summary="Who did what, the newest first.",
    takes=AuditQuery,
    answers=AuditPage,
    role="supervisor",
)
OPERATIONS = (FIND, DETAIL, DELETE, RECORDING, FIGURES, AUDIT)


class EndedCalls:
    """The routes of ended calls. `now` is seconds since 1970."""

    def __init__(
        self,
        access: AccessControl,
        store: RecordStore,
        *,
        now: Callable[[], float],
        prices: Prices | None = None,
        data: EndedCallData | None = None,
    ) -> None:
        self._access = access
        self._store = store
        self._search = CallSearch(store.engine)
        self._audit = AuditStore(store.engine)
        self._now = now
        self._prices = prices or Prices()
        self._data = data

    def routes(self) -> list[BaseRoute]:
        access = self._access
        return [
            FIND.route(access, self._find),
            DETAIL.route(access, self._one),
            DELETE.route(access, self._delete),
            RECORDING.route(access, self._recording),
            FIGURES.route(access, self._figures),
            AUDIT.route(access, self._trail),
        ]

    # --- calls ----------------------------------------------------------------------------------

    async def _find(self, request: Request, principal: Principal, given: PastQuery) -> Response:
        if given.text is not None and not words_in(given.text):
            # Without a word, every call would be found.
            raise wrong_value("text", Words, given.text)
        if given.before is not None and await self._search.one(given.before) is None:
            raise unknown_page(given.before)
        about = msgspec.structs.asdict(given).items()
        wanted = CallQuery(**{name: value for name, value in about if value is not None})
        found = await self._search.find(wanted)
        last = found[-1].call_sid if len(found) == wanted.limit else None
        return answer(PastPage(calls=tuple(map(self._entry, found)), next=last))

    async def _one(self, request: Request, principal: Principal, given: NoParameters) -> Response:
        call_sid = request.path_params["sid"]
        found, record = await self._search.one(call_sid), await self._store.get(call_sid)
        if found is None or record is None:
            raise Refused(404, "unknown", "No such call is known.")
        trace = await self._trace(record)
        lines = tuple(
            Line(
                id=str(number),
                speaker=said.speaker,
                text=said.text,
                cut=said.cut,
                started_at=said.started_at,
                ended_at=said.ended_at,
            )
            for number, said in enumerate(record.utterances)
        )
        attempts = tuple(
            Attempt(
                id=str(number),
                destination=each.destination,
                reason=each.reason,
                source=each.source,
                started_at=each.started_at,
                outcome=each.outcome,
                seconds_to_human=each.seconds_to_human,
            )
            for number, each in enumerate(record.handoffs)
        )
        summary, recording = "", None
        if self._data is not None:
            summary = await self._data.summary(call_sid)
            # The rest of the call is shown, too, if the files cannot be reached.
            with contextlib.suppress(OSError):
                if await self._data.find("recordings", call_sid) is not None:
                    recording = f"../api/past/{call_sid}/recording"
        return answer(
            PastCall(
                entry=self._entry(found),
                parts=call_detail.parts(
                    trace, lines, call_detail.AnswerLatencies().after(lines), record.arrived_at
                ),
                handoffs=attempts,
                summary=summary,
                recording=recording,
                recorded_from=record.recorded_from or 0.0,
            )
        )

    async def _trace(self, record: CallRecord) -> Trace:
        """Return the trace from the journal, if there is one, and the tools of the record."""
        trace = Trace()
        if self._data is not None:
            try:
                if journal := await self._data.find("journals", record.call_sid):
                    data = await journal.whole()
                    trace = await asyncio.to_thread(lambda: read_trace(data.splitlines()))
            except OSError as error:
                log.warning("! %s its journal cannot be read: %s", record.call_sid, error)
        if not trace.tools:
            for number, use in enumerate(record.tools):
                began = record.arrived_at + use.started_at
                trace.tools[str(number)] = ToolSeen(
                    use.name,
                    use.arguments,
                    began,
                    began + use.seconds,
                    "failed" if use.failed else "answered",
                    use.output,
                )
        return trace

    async def _delete(
        self, request: Request, principal: Principal, given: NoParameters
    ) -> Response:
        call_sid = request.path_params["sid"]
        if await self._search.one(call_sid) is None:
            raise Refused(404, "unknown", "No such call is known.")
        await self._access.audit(principal, "delete", call_sid=call_sid)
        if self._data is not None:
            try:
                await self._data.delete(call_sid)
            except OSError as error:
                log.warning("! %s cannot be deleted now: %s", call_sid, error)
                raise _files_unreachable() from error
        await self._store.delete(call_sid)
        return Response(status_code=204)

    async def _recording(
        self, request: Request, principal: Principal, given: NoParameters
    ) -> Response:
        call_sid = request.path_params["sid"]
        wanted = request.headers.get("range", "bytes=0-")
        if not _RANGES.fullmatch(wanted):
            raise Refused(400, "request", f"Range: expected bytes=FIRST-LAST, got {wanted[:80]!r}.")
        try:
            found = (
                await self._data.find("recordings", call_sid) if self._data is not None else None
            )
        except OSError as error:
            log.warning("! %s its recording cannot be read: %s", call_sid, error)
            raise _files_unreachable() from error
        if found is None:
            raise Refused(404, "unknown", "There is no recording of this call.")
        # A player requests a recording in ranges; only the first is audited.
        if wanted.startswith("bytes=0-"):
            await self._access.audit(principal, "recording", call_sid=call_sid)
        return file_response(request, found, media_type="audio/wav", name=f"{call_sid}.wav")

    def _entry(self, found: Found) -> PastEntry:
        about = msgspec.structs.asdict(found)
        del about["caller_seconds"], about["agent_seconds"], about["tokens"]
        cost = self._prices.cost(
            line_seconds=found.seconds,
            caller_seconds=found.caller_seconds,
            agent_seconds=found.agent_seconds,
            tokens=found.tokens,
        )
        return PastEntry(**about, cost=cost.total)

    # --- figures --------------------------------------------------------------------------------

    async def _figures(
        self, request: Request, principal: Principal, given: FiguresQuery
    ) -> Response:
        until = given.until if given.until is not None else self._now()
        since = given.since if given.since is not None else until - _WEEK_SECONDS
        if not since < until:
            raise Refused(
                400, "request", f"since must be before until; got {since:.15g} and {until:.15g}."
            )
        if (until - since) / given.step > MAX_STEPS:
            raise Refused(
                400,
                "request",
                f"step: expected at most {MAX_STEPS} steps from since to until, got"
                f" {(until - since) / given.step:.0f}; use a longer step or a shorter time.",
            )
        engine = self._store.engine
        steps = await figures(engine, since=since, until=until, step=given.step)
        (whole,) = await figures(engine, since=since, until=until, step=until - since)
        buckets = tuple(
            self._bucket(
                figure,
                since + number * given.step,
                min(until, since + (number + 1) * given.step),
            )
            for number, figure in enumerate(steps)
        )
        return answer(
            Figures(
                step_seconds=given.step,
                buckets=buckets,
                whole=self._bucket(whole, since, until),
                currency=self._prices.currency,
            )
        )

    def _bucket(self, figure: Figure, since: float, until: float) -> Bucket:
        cost = self._prices.sum(
            line_seconds=figure.seconds,
            spoken=(figure.caller_seconds, figure.agent_seconds),
            uncounted=figure.uncounted,
            tokens=figure.tokens,
        )
        return Bucket(
            since=since,
            until=until,
            calls=figure.calls,
            seconds=round(figure.seconds, 3),
            barge_ins=figure.barge_ins,
            cost=cost.total,
            dispositions=figure.dispositions,
            outcomes=figure.outcomes,
            to_human=_quantiles(figure.to_human),
            answer=_quantiles(figure.answer),
        )

    # --- the audit trail ------------------------------------------------------------------------

    async def _trail(self, request: Request, principal: Principal, given: AuditQuery) -> Response:
        entries = await self._audit.page(
            who=given.who or "",
            action=given.action or "",
            call_sid=given.call or "",
            before=given.before,
            limit=given.limit,
        )
        shown = tuple(AuditEntry(**msgspec.structs.asdict(each)) for each in entries)
        last = shown[-1].id if len(shown) == given.limit else None
        return answer(AuditPage(entries=shown, next=last))


def _quantiles(distribution: Distribution) -> Quantiles:
    return Quantiles(
        count=distribution.count, mean=distribution.mean, p50=distribution.p50, p90=distribution.p90
    )


def _files_unreachable() -> Refused:
    return Refused(
        503, "unreachable", "The store of journals and recordings does not answer; try again later."
    )
