"""Count what happens to a line's calls, and serve `/metrics`.

Counting watches the events and commands of the calls. For audio it costs a type check and an
addition; everything else happens a few times per call.

`/metrics` shows every worker of the line, whichever worker answers. Each series has the label
`worker`: the slot number, which a restarted worker takes over. So a series resets exactly when its
process restarts, as Prometheus expects. Sum over `worker` for the whole line.

Access: with `HOOKFLASH_METRICS_TOKEN`, requests need it as a bearer token. Without it, only local
requests are answered (`client_address.ClientAddresses.is_local`).
"""

from __future__ import annotations

import hmac
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence

import msgspec
from prometheus_client import generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hookflash.client_address import ClientAddresses
from hookflash.core.commands import (
    AnswerCarrier,
    AnyCommand,
    ConnectAgent,
    Instruction,
    MoveCall,
    OpenModel,
    PlayAudio,
    RefuseTarget,
    SendMark,
    StoreRecord,
)
from hookflash.core.events import (
    AnyEvent,
    CallArrived,
    CarrierRefused,
    InstructionsAsked,
    LegRefused,
    ModelAudio,
    RecordingReady,
    StreamStopped,
    VoicemailTranscribed,
)
from hookflash.core.phases import Phase
from hookflash.core.record import CallRecord
from hookflash.files.uploads import Uploads
from hookflash.models.pool import Pool
from hookflash.runtime.call_limits import CallLimits
from hookflash.runtime.journal import Journals
from hookflash.runtime.outbox import Outbox
from hookflash.runtime.recorder import Recordings
from hookflash.runtime.switchboard import Switchboard
from hookflash.server.connection_limits import ConnectionTable
from hookflash.server.daily_spend import DailySpend
from hookflash.server.model_faults import ModelFaults
from hookflash.server.refusals import Refusal
from hookflash.server.twilio_line import TwilioLine
from hookflash.stores.writer import StoreWriter

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

STALLED = ("the carrier has stopped reading", "the carrier takes less than it is sent")
"""The reasons of `StreamStopped` for a carrier that reads too slowly (`server.asgi_media`)."""

_WITH_HUMANS = ("dial", "queue", "room", "hold", "refer")
"""Where the caller's leg is after the agent has handed the caller off."""

_COMPLETES = (RecordingReady, VoicemailTranscribed)
"""Events that write the record of an ended call again, with more data."""

# --- the numbers of one worker ------------------------------------------------------------------

FIRST_AUDIO_SECONDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)
HUMAN_SECONDS = (2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0, 120.0, 300.0, 900.0)


class Histogram(msgspec.Struct):
    """Counts of durations up to each of `bounds` (seconds); the last count is for longer ones."""

    bounds: tuple[float, ...]
    counts: list[int]
    total: float = 0.0

    @classmethod
    def over(cls, bounds: tuple[float, ...]) -> Histogram:
        return cls(bounds, [0] * (len(bounds) + 1))

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.total += seconds

    def cumulative(self) -> list[tuple[str, int]]:
        """Return Prometheus' buckets: each includes all smaller ones."""
        buckets, below = [], 0
        for bound, count in zip((*map(str, self.bounds), "+Inf"), self.counts, strict=True):
            below += count
            buckets.append((bound, below))
        return buckets


def _first_audio_histogram() -> Histogram:
    return Histogram.over(FIRST_AUDIO_SECONDS)


def _to_human_histogram() -> Histogram:
    return Histogram.over(HUMAN_SECONDS)


class Counts(msgspec.Struct):
    """What one worker has counted since it started; `live` is the current number by phase."""

    slot: int = 1
    live: dict[str, int] = {}
    ended: dict[str, int] = {}
    handoffs: dict[str, dict[str, int]] = {}
    """Attempts to reach a human, by destination and outcome."""
    deliveries: dict[str, int] = {}
    """Delivery attempts, by outcome."""
    call_events: dict[str, int] = {}
    """Attempts to post an event of a call, by outcome."""
    abandoned_waiting: int = 0
    returns: int = 0
    first_audio: Histogram = msgspec.field(default_factory=_first_audio_histogram)
    to_human: Histogram = msgspec.field(default_factory=_to_human_histogram)
    barge_ins: int = 0
    model_reconnects: int = 0
    carrier_refusals: int = 0
    refused: dict[str, int] = {}
    """New calls that were refused, by the limit that was reached."""
    targets_refused: int = 0
    spent_today: float = 0.0
    journal_lines_lost: int = 0
    recording_seconds_lost: int = 0
    files_waiting: int = 0
    records_waiting: int = 0
    frames_up: int = 0
    frames_down: int = 0
    stream_stalls: int = 0
    connections: dict[str, int] = {}
    """Open connections that are no WebSockets, of strangers and trusted."""
    refused_connections: dict[str, int] = {}
    """Connections and requests refused or closed by a limit, by reason."""
    webhooks_forwarded: int = 0
    streams_handed_over: int = 0
    warm_ready: int = 0
    warm_given: int = 0
    warm_missed: int = 0
    requests_refused: dict[str, int] = {}
    """Requests that were answered 4xx or 5xx, by reason."""
    upgrades_refused: dict[str, int] = {}
    """WebSocket upgrades that were refused, by socket."""
    stream_tokens_refused: int = 0
    model_errors: dict[str, int] = {}
    """`error` events of the model, by code."""
    responses_failed: dict[str, int] = {}
    """Responses that failed or are incomplete, by reason."""
    model_sessions_lost: dict[str, int] = {}
    """Sessions that were lost or given up, by cause."""


def count(table: dict[str, int], name: str) -> None:
    table[name] = table.get(name, 0) + 1


class Metrics:
    """Counts what happens to the calls of this process: `watch` is a `Switchboard`'s.

    `now` is the clock of the calls. The functions in `refresh` fill in other numbers on request.
    """

    def __init__(self, now: Callable[[], float], *, slot: int = 1) -> None:
        self.refresh: list[Callable[[Counts], None]] = []
        self._counts = Counts(slot=slot)
        self._now = now
        self._arrived: dict[str, float | None] = {}

    def watch(self, call_sid: str, event: AnyEvent | None, commands: Sequence[AnyCommand]) -> None:
        """Count an event (None: the timer) and the commands it caused."""
        counts = self._counts
        kind = type(event)
        for command in commands:
            wanted = type(command)
            if wanted is PlayAudio:
                if self._arrived.get(call_sid) is not None:
                    self._heard(call_sid)
            elif wanted is SendMark:
                continue
            elif wanted is OpenModel:
                # The first session of a stream comes together with an answer to the carrier.
                if not any(type(each) is AnswerCarrier for each in commands):
                    counts.model_reconnects += 1
            elif wanted is RefuseTarget:
                counts.targets_refused += 1
            elif isinstance(command, MoveCall):
                counts.returns += _to_agent(command.instructions)
            elif isinstance(command, StoreRecord) and kind not in _COMPLETES:
                self._over(call_sid, command.record)
        if kind is ModelAudio:
            return
        if kind is CallArrived:
            self._arrived.setdefault(call_sid, self._now())
        elif isinstance(event, CarrierRefused | LegRefused):
            if isinstance(event, LegRefused) or not event.gone:
                counts.carrier_refusals += 1
        elif isinstance(event, StreamStopped) and event.reason in STALLED:
            counts.stream_stalls += 1
        elif isinstance(event, InstructionsAsked) and event.point in _WITH_HUMANS:
            answers = [each for each in commands if isinstance(each, AnswerCarrier)]
            counts.returns += any(_to_agent(each.instructions) for each in answers)

    def counts(self) -> Counts:
        """Return the current numbers."""
        for refresh in self.refresh:
            refresh(self._counts)
        return self._counts

    def _heard(self, call_sid: str) -> None:
        arrived = self._arrived[call_sid]
        if arrived is not None:
            self._counts.first_audio.add(self._now() - arrived)
            # The entry stays, so that a repeated webhook does not restart the measurement.
            self._arrived[call_sid] = None

    def _over(self, call_sid: str, record: CallRecord) -> None:
        counts = self._counts
        self._arrived.pop(call_sid, None)
        count(counts.ended, record.disposition)
        counts.barge_ins += record.barge_ins
        for attempt in record.handoffs:
            count(counts.handoffs.setdefault(attempt.destination, {}), attempt.outcome)
            if attempt.seconds_to_human is not None:
                counts.to_human.add(attempt.seconds_to_human)
        counts.abandoned_waiting += any(
            attempt.outcome == "caller-gone" for attempt in record.handoffs
        )


def _to_agent(instructions: Sequence[Instruction]) -> bool:
    """Return whether the instructions connect the caller's leg to the agent."""
    return any(isinstance(each, ConnectAgent) for each in instructions)


# --- numbers read on request ---------------------------------------------------------------------

Refresh = Callable[[Counts], None]


def count_live_calls(switchboard: Switchboard) -> Refresh:
    def refresh(counts: Counts) -> None:
        counts.live = {phase.value: 0 for phase in Phase if phase is not Phase.ENDED}
        for driver in switchboard.live:
            count(counts.live, driver.call.phase.value)
        # The driver counts audio: most of it does not reach `watch`.
        counts.frames_up = switchboard.traffic.up
        counts.frames_down = switchboard.traffic.down

    return refresh


def count_disk_losses(journals: Journals, recordings: Recordings) -> Refresh:
    def refresh(counts: Counts) -> None:
        counts.journal_lines_lost = journals.lost
        counts.recording_seconds_lost = round(recordings.lost_seconds)

    return refresh


def count_waiting_records(writer: StoreWriter) -> Refresh:
    def refresh(counts: Counts) -> None:
        counts.records_waiting = writer.waiting

    return refresh


def count_uploads(uploads: Uploads) -> Refresh:
    def refresh(counts: Counts) -> None:
        counts.files_waiting = uploads.waiting

    return refresh


def count_limits(limits: CallLimits, spend: DailySpend | None) -> Refresh:
    def refresh(counts: Counts) -> None:
        counts.refused = {str(reason): number for reason, number in limits.refused.items()}
        counts.spent_today = spend.spent if spend is not None else 0.0

    return refresh


def count_deliveries(outbox: Outbox) -> Refresh:
    def refresh(counts: Counts) -> None:
        counts.deliveries = dict(outbox.outcomes)

    return refresh


def count_call_events(outbox: Outbox | None) -> Refresh:
    def refresh(counts: Counts) -> None:
        counts.call_events = dict(outbox.outcomes) if outbox is not None else {}

    return refresh


def count_connections(table: ConnectionTable) -> Refresh:
    def refresh(counts: Counts) -> None:
        counts.connections = {"stranger": table.strangers, "trusted": table.trusted}
        counts.refused_connections = {
            refusal.value: number for refusal, number in table.refused.items()
        }

    return refresh


def count_warm_sessions(pool: Pool) -> Refresh:
    def refresh(counts: Counts) -> None:
        counts.warm_ready, counts.warm_given, counts.warm_missed = (
            pool.ready,
            pool.given,
            pool.missed,
        )

    return refresh


def count_refusals(line: TwilioLine) -> Refresh:
    def refresh(counts: Counts) -> None:
        counts.requests_refused = dict(line.refusals.requests)
        counts.upgrades_refused = dict(line.refusals.upgrades)
        counts.stream_tokens_refused = line.tokens.refused

    return refresh


def count_model_faults(faults: ModelFaults) -> Refresh:
    def refresh(counts: Counts) -> None:
        counts.model_errors = dict(faults.errors)
        counts.responses_failed = dict(faults.failed)
        counts.model_sessions_lost = dict(faults.lost)

    return refresh


# --- the page -----------------------------------------------------------------------------------

_COUNTERS = (
    ("barge_ins", "Times a caller spoke over the agent, of calls that are over"),
    ("model_reconnects", "Sessions with the model that replaced a lost one"),
    ("carrier_refusals", "Requests that the carrier refused or did not answer"),
    ("targets_refused", "Targets that were not rung, because no dial prefix permits their number"),
    ("journal_lines_lost", "Journal lines that the disk was too slow for"),
    ("recording_seconds_lost", "Seconds of recordings that the disk was too slow for"),
    ("abandoned_waiting", "Calls whose caller hung up while a human was being reached"),
    ("returns", "Times a caller came back to the agent after a hand-off"),
    ("stream_stalls", "Media streams given up because the carrier stopped reading"),
    ("webhooks_forwarded", "Webhooks that another worker answered"),
    ("streams_handed_over", "Media sockets given to the worker that has the call"),
    ("warm_given", "Calls that found a warm session with the model"),
    ("warm_missed", "Calls that found none, where there should have been some"),
    ("stream_tokens_refused", "Streams whose token was wrong, used or too old"),
)
_TABLES = (
    ("ended", "calls_ended", "disposition", "Calls that are over"),
    ("refused", "calls_refused", "limit", "New calls that were refused, by the limit reached"),
    ("deliveries", "deliveries", "outcome", "Attempts to deliver what calls left for their owner"),
    ("call_events", "call_events", "outcome", "Attempts to post events of calls to their owner"),
    (
        "refused_connections",
        "refused_connections",
        "reason",
        "Connections and requests refused or closed by a limit",
    ),
    ("requests_refused", "requests_refused", "reason", "Requests that were refused"),
    ("upgrades_refused", "upgrades_refused", "socket", "WebSocket upgrades that were refused"),
    ("model_errors", "model_errors", "code", "Error events of the model"),
    ("responses_failed", "responses_failed", "reason", "Responses that failed or are incomplete"),
    ("model_sessions_lost", "model_sessions_lost", "cause", "Sessions that were lost or given up"),
)
_HISTOGRAMS = (
    ("first_audio", "first_audio_seconds", "From the voice webhook to the agent's first sound"),
    ("to_human", "human_seconds", "From the request for a human to their voice"),
)


class _Page(Collector):
    """The numbers of several workers as Prometheus metric families."""

    def __init__(self, workers: Iterable[Counts]) -> None:
        self._workers = sorted(workers, key=lambda counts: counts.slot)

    def collect(self) -> Iterator[Metric]:
        live = GaugeMetricFamily(
            "hookflash_calls", "Calls that are not over", labels=("worker", "phase")
        )
        warm = GaugeMetricFamily(
            "hookflash_warm_sessions", "Sessions with the model that wait", labels=("worker",)
        )
        frames = CounterMetricFamily(
            "hookflash_frames", "Media messages: up to the model, down", labels=("worker", "way")
        )
        spend = GaugeMetricFamily(
            "hookflash_spent_today",
            "Spent since midnight UTC, as far as this worker knows: take the highest, not the sum",
            labels=("worker",),
        )
        connections = GaugeMetricFamily(
            "hookflash_connections",
            "Open connections that are no WebSockets: of strangers, trusted",
            labels=("worker", "of"),
        )
        waiting = GaugeMetricFamily(
            "hookflash_files_waiting",
            "Files of ended calls that are not in HOOKFLASH_FILES_URL yet",
            labels=("worker",),
        )
        records = GaugeMetricFamily(
            "hookflash_records_waiting",
            "Records of calls that wait for the database",
            labels=("worker",),
        )
        for counts in self._workers:
            slot = str(counts.slot)
            waiting.add_metric((slot,), counts.files_waiting)
            records.add_metric((slot,), counts.records_waiting)
            spend.add_metric((slot,), counts.spent_today)
            for of, number in counts.connections.items():
                connections.add_metric((slot, of), number)
            warm.add_metric((slot,), counts.warm_ready)
            frames.add_metric((slot, "up"), counts.frames_up)
            frames.add_metric((slot, "down"), counts.frames_down)
            for phase, number in counts.live.items():
                live.add_metric((slot, phase), number)
        yield from (live, warm, frames, spend, waiting, records, connections, self._handoffs())
        for field, text in _COUNTERS:
            family = CounterMetricFamily(f"hookflash_{field}", text, labels=("worker",))
            for counts in self._workers:
                family.add_metric((str(counts.slot),), getattr(counts, field))
            yield family
        for field, name, label, text in _TABLES:
            family = CounterMetricFamily(f"hookflash_{name}", text, labels=("worker", label))
            for counts in self._workers:
                for value, number in getattr(counts, field).items():
                    family.add_metric((str(counts.slot), value), number)
            yield family
        for field, name, text in _HISTOGRAMS:
            histograms = HistogramMetricFamily(f"hookflash_{name}", text, labels=("worker",))
            for counts in self._workers:
                histogram: Histogram = getattr(counts, field)
                histograms.add_metric((str(counts.slot),), histogram.cumulative(), histogram.total)
            yield histograms

    def _handoffs(self) -> Metric:
        family = CounterMetricFamily(
            "hookflash_handoffs",
            "Attempts to reach a human, of calls that are over",
            labels=("worker", "destination", "outcome"),
        )
        for counts in self._workers:
            for destination, outcomes in counts.handoffs.items():
                for outcome, number in outcomes.items():
                    family.add_metric((str(counts.slot), destination, outcome), number)
        return family


_METRICS_REMEDY = (
    "set HOOKFLASH_METRICS_TOKEN and send it as a bearer token; without one, only programs on this"
    " machine are answered, and only if no proxy on it can hide strangers (HOOKFLASH_PUBLIC_URL,"
    " HOOKFLASH_TRUSTED_PROXIES)"
)


def render(workers: Iterable[Counts]) -> bytes:
    """Return the numbers of `workers` in Prometheus' text format."""
    return generate_latest(_Page(workers))


def metrics_route(
    gather: Callable[[], Awaitable[list[Counts]]], *, token: str | None, clients: ClientAddresses
) -> Route:
    """Return `GET /metrics`. `gather` collects the workers' numbers; `token` protects the route.

    Without a token, `clients` tells whether a request is local.
    """

    async def metrics(request: Request) -> Response:
        if not _admits(request, token, clients):
            raise Refusal(403, "metrics", _METRICS_REMEDY)
        return Response(render(await gather()), media_type=CONTENT_TYPE)

    return Route("/metrics", metrics, methods=["GET"])


def _admits(request: Request, token: str | None, clients: ClientAddresses) -> bool:
    if token:
        given = request.headers.get("authorization", "").encode("utf-8", "replace")
        return hmac.compare_digest(given, f"Bearer {token}".encode())
    return clients.is_local(request)
