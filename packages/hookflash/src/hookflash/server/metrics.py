"""What a line counts, and `/metrics`.

Counting watches the events and commands of the calls. On the audio's road that is a look at a
type and an addition, and nothing of the model's side: all else happens a few times a call.

`/metrics` shows every worker of the line, whichever answers, each series with the label `worker`
(the slot, which a worker that is started again takes over): a series then begins anew exactly when
its process does, which is what Prometheus expects; sum over it for the line.

It is not for strangers. With `HOOKFLASH_METRICS_TOKEN` it wants that as a bearer token; without,
it answers only this machine, and no tunnel or proxy on it that speaks for somebody else.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence

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

from hookflash.console.here import asked_here
from hookflash.core.commands import (
    AnswerCarrier,
    AnyCommand,
    ConnectAgent,
    Instruction,
    MoveCall,
    OpenModel,
    PlayAudio,
    SendMark,
    StoreRecord,
)
from hookflash.core.events import (
    AnyEvent,
    CallArrived,
    CallerAudio,
    CarrierRefused,
    InstructionsAsked,
    LegRefused,
    ModelAudio,
    RecordingReady,
    StreamStopped,
    VoicemailTranscribed,
)
from hookflash.core.record import CallRecord
from hookflash.server.counts import Counts, Spread, count

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

STALLED = ("the carrier has stopped reading", "the carrier takes less than it is sent")
"""The reasons of `StreamStopped` for a carrier that reads too slowly (`server.media`)."""

_WITH_HUMANS = ("dial", "queue", "room", "hold", "refer")
"""Where a caller's leg is when the agent has brought it to humans."""

_COMPLETES = (RecordingReady, VoicemailTranscribed)
"""What makes the record of a call that is over once more, better than before."""


class Metrics:
    """Counts what happens to the calls of this process: `watch` is a `Switchboard`'s.

    `now` is the clock of the calls; `refresh` fills in what is known elsewhere, when it is asked.
    """

    def __init__(self, now: Callable[[], float], *, slot: int = 1) -> None:
        self.refresh: list[Callable[[Counts], None]] = []
        self._counts = Counts(slot=slot)
        self._now = now
        self._arrived: dict[str, float | None] = {}

    def watch(self, call_sid: str, event: AnyEvent | None, commands: Sequence[AnyCommand]) -> None:
        """See an event (None: the timer) and the commands that it led to."""
        counts = self._counts
        kind = type(event)
        if kind is CallerAudio:
            counts.frames_up += 1
            return
        for command in commands:
            wanted = type(command)
            if wanted is PlayAudio:
                counts.frames_down += 1
                if self._arrived.get(call_sid) is not None:
                    self._heard(call_sid)
            elif wanted is SendMark:
                continue
            elif wanted is OpenModel:
                # The first session of a stream goes with an answer to the carrier.
                if not any(type(each) is AnswerCarrier for each in commands):
                    counts.model_reconnects += 1
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
        """Return the numbers as they are now."""
        for refresh in self.refresh:
            refresh(self._counts)
        return self._counts

    def _heard(self, call_sid: str) -> None:
        arrived = self._arrived[call_sid]
        if arrived is not None:
            self._counts.first_audio.add(self._now() - arrived)
            # It stays known, so that a webhook that comes again does not begin anew.
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
    """Whether a caller's leg is brought to the agent."""
    return any(isinstance(each, ConnectAgent) for each in instructions)


# --- the page -----------------------------------------------------------------------------------

_COUNTERS = (
    ("barge_ins", "Times a caller spoke over the agent, of calls that are over"),
    ("model_reconnects", "Sessions with the model that replaced a lost one"),
    ("carrier_refusals", "Requests that the carrier refused or did not answer"),
    ("journal_lines_lost", "Journal lines that the disk was too slow for"),
    ("recording_seconds_lost", "Seconds of recordings that the disk was too slow for"),
    ("abandoned_waiting", "Calls whose caller hung up while a human was being reached"),
    ("returns", "Times a caller came back to the agent after a hand-off"),
    ("stream_stalls", "Media streams given up because the carrier stopped reading"),
    ("webhooks_forwarded", "Webhooks that another worker answered"),
    ("streams_handed_over", "Media sockets given to the worker that has the call"),
    ("warm_given", "Calls that found a warm session with the model"),
    ("warm_missed", "Calls that found none, where there should have been some"),
)
_TABLES = (
    ("ended", "calls_ended", "disposition", "Calls that are over"),
    ("deliveries", "deliveries", "outcome", "Attempts to deliver what calls left for their owner"),
)
_SPREADS = (
    ("first_audio", "first_audio_seconds", "From the voice webhook to the agent's first sound"),
    ("to_human", "human_seconds", "From the request for a human to their voice"),
)


class _Page(Collector):
    """The numbers of some workers as Prometheus' families."""

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
        for counts in self._workers:
            slot = str(counts.slot)
            warm.add_metric((slot,), counts.warm_ready)
            frames.add_metric((slot, "up"), counts.frames_up)
            frames.add_metric((slot, "down"), counts.frames_down)
            for phase, number in counts.live.items():
                live.add_metric((slot, phase), number)
        yield from (live, warm, frames, self._handoffs())
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
        for field, name, text in _SPREADS:
            spreads = HistogramMetricFamily(f"hookflash_{name}", text, labels=("worker",))
            for counts in self._workers:
                spread: Spread = getattr(counts, field)
                spreads.add_metric((str(counts.slot),), spread.cumulative(), spread.total)
            yield spreads

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


def render(workers: Iterable[Counts]) -> bytes:
    """Return the numbers of `workers` in Prometheus' text format."""
    return generate_latest(_Page(workers))


def metrics_route(gather: Callable[[], Awaitable[list[Counts]]], *, token: str | None) -> Route:
    """Return `GET /metrics`; `gather` asks the workers, `token` is what it wants to be shown."""

    async def metrics(request: Request) -> Response:
        if not _admits(request, token):
            return Response(status_code=403)
        return Response(render(await gather()), media_type=CONTENT_TYPE)

    return Route("/metrics", metrics, methods=["GET"])


def _admits(request: Request, token: str | None) -> bool:
    if token:
        given = request.headers.get("authorization", "").encode("utf-8", "replace")
        return hmac.compare_digest(given, f"Bearer {token}".encode())
    return asked_here(request)
