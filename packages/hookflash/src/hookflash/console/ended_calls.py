"""The routes of ended calls, figures and the audit trail.

GET    /api/past                  search by words, digits, disposition ...; newest first
GET    /api/past/{sid}            one call with all its parts
DELETE /api/past/{sid}            delete its record, journal and recording
GET    /api/past/{sid}/recording  its audio
GET    /api/past/{sid}/transcript  what was said, as text
GET    /api/past/{sid}/journal    its events, a JSON object a line
GET    /api/past/{sid}/replay     timeline, transcript and audio in one HTML file
GET    /api/past.csv              the calls of a search as a table
GET    /api/figures               figures over time
GET    /api/audit                 who did what
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Protocol, get_args

import msgspec
from msgspec import Meta
from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute

from hookflash.console import call_detail
from hookflash.console.access import AccessControl, Principal, Refused, answer
from hookflash.console.exports import csv_text, transcript_text
from hookflash.console.file_response import file_response
from hookflash.console.journal_trace import read_trace
from hookflash.console.journal_turns import read_turns
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
    AgentChange,
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
    Voicemail,
)
from hookflash.console.trace import ToolSeen, Trace
from hookflash.core.disposition import Disposition
from hookflash.core.record import CallRecord
from hookflash.core.state_words import OUTCOMES
from hookflash.errors import ConfigError
from hookflash.files.stored_files import Kind, StoredFile
from hookflash.replay.page import page_of_journal
from hookflash.stores.audit import AuditStore
from hookflash.stores.deliveries import DeliveryStore
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
Reached = Annotated[
    str,
    Meta(
        max_length=32,
        pattern="^[a-z-]+$",
        description="how the last attempt to reach a human ended: one of " + ", ".join(OUTCOMES),
    ),
]
Ending = Annotated[Disposition, Meta(description="one of " + ", ".join(get_args(Disposition)))]


class CsvQuery(msgspec.Struct, forbid_unknown_fields=True):
    """Which calls the table has."""

    text: Words | None = None
    digits: Digits | None = None
    disposition: Ending | None = None
    destination: Short | None = None
    outcome: Reached | None = None
    agent: Short | None = None
    since: Moment | None = None
    until: Moment | None = None


class PastQuery(CsvQuery, forbid_unknown_fields=True):
    """Which calls to return. `before` is the `next` of the previous page."""

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
TRANSCRIPT = Operation(
    name="get_transcript",
    method="GET",
    path="/api/past/{sid}/transcript",
    group="ended calls",
    summary="What was said in a call, as text.",
    takes=NoParameters,
    media_type="text/plain",
)
JOURNAL = Operation(
    name="get_journal",
    method="GET",
    path="/api/past/{sid}/journal",
    group="ended calls",
    summary="The events and commands of a call, a JSON object a line.",
    takes=NoParameters,
    media_type="application/x-ndjson",
)
REPLAY = Operation(
    name="get_replay",
    method="GET",
    path="/api/past/{sid}/replay",
    group="ended calls",
    summary="One HTML file with the timeline, the transcript and the audio of a call.",
    takes=NoParameters,
    media_type="text/html",
)
TABLE = Operation(
    name="get_table_of_calls",
    method="GET",
    path="/api/past.csv",
    group="ended calls",
    summary="Ended calls as a CSV, the newest first, at most 10,000.",
    takes=CsvQuery,
    media_type="text/csv",
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
OPERATIONS = (
    FIND,
    DETAIL,
    DELETE,
    RECORDING,
    TRANSCRIPT,
    JOURNAL,
    REPLAY,
    TABLE,
    FIGURES,
    AUDIT,
)

TABLE_CALLS = 10_000
_TABLE_PAGE = 500


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
        self._deliveries = DeliveryStore(store.engine)
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
            TRANSCRIPT.route(access, self._transcript),
            JOURNAL.route(access, self._events),
            REPLAY.route(access, self._replay),
            TABLE.route(access, self._table),
            FIGURES.route(access, self._figures),
            AUDIT.route(access, self._trail),
        ]

    # --- calls ----------------------------------------------------------------------------------

    async def _find(self, request: Request, principal: Principal, given: PastQuery) -> Response:
        if given.before is not None and await self._search.one(given.before) is None:
            raise unknown_page(given.before)
        wanted = self._query(given)
        found = await self._search.find(wanted)
        last = found[-1].call_sid if len(found) == wanted.limit else None
        return answer(PastPage(calls=tuple(map(self._entry, found)), next=last))

    def _query(self, given: CsvQuery, **changes: int) -> CallQuery:
        if given.text is not None and not words_in(given.text):
            # Without a word, every call would be found.
            raise wrong_value("text", Words, given.text)
        about = msgspec.structs.asdict(given) | changes
        return CallQuery(**{name: value for name, value in about.items() if value is not None})

    async def _one(self, request: Request, principal: Principal, given: NoParameters) -> Response:
        return answer(await self._past_call(request.path_params["sid"]))

    async def _past_call(self, call_sid: str) -> PastCall:
        found, record = await self._search.one(call_sid), await self._store.get(call_sid)
        if found is None or record is None:
            raise Refused(404, "unknown", "No such call is known.")
        journal = await self._journal(call_sid)
        trace = await asyncio.to_thread(_trace, record, journal)
        turns = await asyncio.to_thread(
            read_turns, journal or (), record.utterances, record.arrived_at
        )
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
        since = record.arrived_at
        return PastCall(
            entry=self._entry(found),
            parts=call_detail.parts(
                trace,
                lines,
                call_detail.AnswerLatencies().after(lines),
                since,
                [replace(each, started_at=since + each.started_at) for each in record.handoffs],
            ),
            handoffs=attempts,
            transfers=tuple(
                AgentChange(**msgspec.structs.asdict(each)) for each in record.transfers
            ),
            summary=summary,
            recording=recording,
            recorded_from=record.recorded_from or 0.0,
            has_journal=journal is not None,
            turns=turns,
            voicemails=await self._voicemails(call_sid),
        )

    async def _voicemails(self, call_sid: str) -> tuple[Voicemail, ...]:
        left = await self._deliveries.list(limit=20, call_sid=call_sid)
        return tuple(
            Voicemail(
                id=each.delivery.id,
                text=each.delivery.transcript,
                seconds=each.delivery.recording_seconds,
                recording_url=each.delivery.recording_url,
            )
            for each in left
            if each.delivery.kind == "voicemail"
        )

    async def _journal(self, call_sid: str) -> list[bytes] | None:
        """Return the lines of a call's journal; None without one, or if it cannot be read."""
        try:
            found = await self._data.find("journals", call_sid) if self._data is not None else None
            return (await found.whole()).splitlines() if found is not None else None
        except OSError as error:
            log.warning("! %s its journal cannot be read: %s", call_sid, error)
            return None

    async def _file(self, kind: Kind, call_sid: str) -> StoredFile | None:
        """Return a file. Raises `Refused` if the files cannot be reached."""
        try:
            return await self._data.find(kind, call_sid) if self._data is not None else None
        except OSError as error:
            log.warning("! %s its file in %s cannot be read: %s", call_sid, kind, error)
            raise _files_unreachable() from error

    # --- exports --------------------------------------------------------------------------------

    async def _transcript(
        self, request: Request, principal: Principal, given: NoParameters
    ) -> Response:
        call_sid = request.path_params["sid"]
        text = transcript_text(await self._past_call(call_sid))
        await self._access.audit(principal, "export", call_sid=call_sid, text="transcript")
        return Response(
            text, media_type="text/plain; charset=utf-8", headers=_attached(f"{call_sid}.txt")
        )

    async def _events(
        self, request: Request, principal: Principal, given: NoParameters
    ) -> Response:
        call_sid = request.path_params["sid"]
        found = await self._stored_journal(call_sid)
        await self._access.audit(principal, "export", call_sid=call_sid, text="journal")
        return StreamingResponse(
            found.read(0, found.size),
            media_type="application/x-ndjson",
            headers=_attached(f"{call_sid}.jsonl"),
        )

    async def _replay(
        self, request: Request, principal: Principal, given: NoParameters
    ) -> Response:
        call_sid = request.path_params["sid"]
        journal = await self._stored_journal(call_sid)
        recording = await self._file("recordings", call_sid)
        try:
            sound = await recording.whole() if recording is not None else None
            html = await asyncio.to_thread(page_of_journal, await journal.whole(), sound)
        except OSError as error:
            log.warning("! %s its files cannot be read: %s", call_sid, error)
            raise _files_unreachable() from error
        except ConfigError as error:
            raise Refused(404, "unknown", f"There is no replay: {error}") from error
        await self._access.audit(principal, "export", call_sid=call_sid, text="replay")
        return Response(
            html, media_type="text/html; charset=utf-8", headers=_attached(f"{call_sid}.html")
        )

    async def _stored_journal(self, call_sid: str) -> StoredFile:
        """Return the journal of an ended call. Raises `Refused` if there is none."""
        known = await self._search.one(call_sid) is not None
        found = await self._file("journals", call_sid) if known else None
        if found is None:
            raise Refused(404, "unknown", "There is no journal of this call.")
        return found

    async def _table(self, request: Request, principal: Principal, given: CsvQuery) -> Response:
        wanted = self._query(given, limit=_TABLE_PAGE)
        await self._access.audit(principal, "export", text="table of calls")

        async def pages() -> AsyncIterator[bytes]:
            query, sent = wanted, 0
            while sent < TABLE_CALLS:
                found = await self._search.find(query)
                yield csv_text(map(self._entry, found), heading=not sent).encode()
                sent += len(found)
                if len(found) < _TABLE_PAGE:
                    return
                query = replace(query, before=found[-1].call_sid)

        return StreamingResponse(
            pages(), media_type="text/csv; charset=utf-8", headers=_attached("calls.csv")
        )

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
        found = await self._file("recordings", call_sid)
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


def _attached(name: str) -> dict[str, str]:
    """Return the header that makes a browser store an answer as a file."""
    return {"Content-Disposition": f'attachment; filename="{name}"'}


def _trace(record: CallRecord, journal: list[bytes] | None) -> Trace:
    """Return the trace from the journal, if there is one, and the tools of the record."""
    trace = read_trace(journal or ())
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
