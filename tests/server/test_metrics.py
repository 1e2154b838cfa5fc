"""What is counted of a call, how it is shown, and to whom."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette
from starlette.exceptions import HTTPException

from hookflash.core.commands import (
    AnswerCarrier,
    CloseModel,
    ConnectAgent,
    HangUp,
    MoveCall,
    OpenModel,
    PlayAudio,
    RefuseTarget,
    SendMark,
    StoreRecord,
)
from hookflash.core.events import (
    CallArrived,
    CallCompleted,
    CarrierRefused,
    InstructionsAsked,
    LegRefused,
    ModelAudio,
    ModelLost,
    Recording,
    RecordingReady,
    StreamStopped,
)
from hookflash.core.record import CallRecord, HandoffAttempt
from hookflash.runtime.call_ports import Traffic
from hookflash.runtime.switchboard import Switchboard
from hookflash.server.metrics import (
    CONTENT_TYPE,
    STALLED,
    Counts,
    Histogram,
    Metrics,
    count_live_calls,
    metrics_route,
    render,
)
from hookflash.server.twilio_line import TwilioLine

from .conftest import Time

ARRIVED = CallArrived("CA1", "+15550142", "+15550100")
SOUND = ModelAudio("r", "i", "", 160)


@pytest.fixture
def metrics(time: Time) -> Metrics:
    return Metrics(time, slot=3)


def attempt(outcome: str, seconds: float | None = None) -> HandoffAttempt:
    return HandoffAttempt(
        destination="desk",
        reason="",
        source="tool",
        started_at=0.0,
        outcome=outcome,
        seconds_to_human=seconds,
    )


def over(**what: object) -> list[StoreRecord]:
    base = {
        "call_sid": "CA1",
        "agent": "shop",
        "caller": "",
        "called": "",
        "disposition": "handed_off",
        "arrived_at": 0.0,
        "seconds": 9.0,
    }
    return [StoreRecord(CallRecord(**(base | what)))]


def samples(*workers: Counts) -> dict[tuple[str, ...], float]:
    found = {}
    for family in text_string_to_metric_families(render(workers).decode()):
        for sample in family.samples:
            labels = dict(sample.labels)
            found[sample.name, labels.pop("worker"), *labels.values()] = sample.value
    return found


def test_the_first_sound_of_a_call_is_timed_from_its_webhook_and_only_once(
    metrics: Metrics, time: Time
) -> None:
    metrics.watch("CA1", ARRIVED, [OpenModel(), AnswerCarrier(())])
    time.now += 0.3
    metrics.watch("CA1", ARRIVED, [AnswerCarrier(())])
    time.now += 0.3
    for _ in range(3):
        metrics.watch("CA1", SOUND, [PlayAudio("", 160), SendMark("m")])
    metrics.watch("CA1", ARRIVED, [AnswerCarrier(())])
    metrics.watch("CA1", SOUND, [PlayAudio("", 160)])
    metrics.watch("CA2", SOUND, [PlayAudio("", 160)])
    histogram = metrics.counts().first_audio
    assert histogram.total == pytest.approx(0.6)
    assert sum(histogram.counts) == 1
    assert dict(histogram.cumulative())["0.5"] == 0
    assert dict(histogram.cumulative())["0.75"] == 1


def test_frames_are_counted_both_ways(metrics: Metrics) -> None:
    traffic = Traffic()
    traffic.up, traffic.down = 5, 3
    switchboard = SimpleNamespace(traffic=traffic, live=())
    metrics.refresh.append(count_live_calls(cast(Switchboard, switchboard)))
    counts = metrics.counts()
    assert (counts.frames_up, counts.frames_down) == (5, 3)


def test_a_session_that_replaces_a_lost_one_is_a_reconnect_and_the_first_is_none(
    metrics: Metrics,
) -> None:
    metrics.watch("CA1", ARRIVED, [OpenModel(), AnswerCarrier(())])
    metrics.watch("CA1", ModelLost("gone"), [CloseModel(), OpenModel()])
    metrics.watch("CA1", None, [OpenModel()])
    assert metrics.counts().model_reconnects == 2


def test_what_became_of_a_call_is_read_from_its_record(metrics: Metrics) -> None:
    attempts = (attempt("busy"), attempt("bridged", 12.5))
    metrics.watch("CA1", None, over(barge_ins=2, handoffs=attempts))
    metrics.watch("CA1", None, over(disposition="abandoned"))
    counts = metrics.counts()
    assert counts.ended == {"handed_off": 1, "abandoned": 1}
    assert counts.handoffs == {"desk": {"busy": 1, "bridged": 1}}
    assert counts.barge_ins == 2
    assert counts.to_human.total == 12.5


def test_a_record_that_is_made_again_is_counted_once(metrics: Metrics) -> None:
    metrics.watch("CA1", CallCompleted(), over())
    ready = RecordingReady(4, Recording("https://api.twilio.com/RE1", 5.0))
    metrics.watch("CA1", ready, over(disposition="voicemail"))
    assert metrics.counts().ended == {"handed_off": 1}


def test_a_caller_who_hung_up_while_a_human_was_being_reached_is_counted(
    metrics: Metrics,
) -> None:
    metrics.watch("CA1", None, over(handoffs=(attempt("busy"), attempt("caller-gone"))))
    metrics.watch("CA2", None, over(disposition="abandoned"))
    assert metrics.counts().abandoned_waiting == 1


@pytest.mark.parametrize(
    ("point", "instruction", "returns"),
    [
        ("dial", ConnectAgent(2), 1),
        ("room", ConnectAgent(2), 1),
        ("hold", ConnectAgent(2), 1),
        ("queue", ConnectAgent(2), 1),
        ("connect", ConnectAgent(2), 0),
        ("dial", HangUp(), 0),
    ],
)
def test_a_caller_who_comes_back_from_humans_is_counted(
    metrics: Metrics, point, instruction, returns: int
) -> None:
    answer = [OpenModel(), AnswerCarrier((instruction,))]
    metrics.watch("CA1", InstructionsAsked(1, point), answer)
    assert metrics.counts().returns == returns


def test_a_caller_who_is_fetched_from_humans_has_come_back_too(metrics: Metrics) -> None:
    metrics.watch("CA1", None, [MoveCall(3, (ConnectAgent(3),), 2.0)])
    metrics.watch("CA1", None, [MoveCall(4, (HangUp(),), 2.0)])
    assert metrics.counts().returns == 1


def test_refusals_are_counted_and_a_call_that_was_over_is_none(metrics: Metrics) -> None:
    metrics.watch("CA1", CarrierRefused(1, 500), [])
    metrics.watch("CA1", CarrierRefused(1, 404, gone=True), [])
    metrics.watch("CA1", LegRefused(1, 0, 400), [])
    assert metrics.counts().carrier_refusals == 2


def test_a_stalled_carrier_is_counted_and_a_stop_is_none(metrics: Metrics) -> None:
    for reason in ("stop", "", *STALLED):
        metrics.watch("CA1", StreamStopped("MZ1", reason), [])
    assert metrics.counts().stream_stalls == len(STALLED)


def test_a_stall_is_called_what_the_media_socket_calls_it() -> None:
    import inspect

    from hookflash.server import asgi_media, picows_media

    for reason in STALLED:
        assert reason in inspect.getsource(asgi_media)
        assert reason in inspect.getsource(picows_media)


def test_what_is_known_elsewhere_is_filled_in_when_it_is_asked_for(metrics: Metrics) -> None:
    metrics.refresh.append(lambda counts: setattr(counts, "journal_lines_lost", 7))
    assert metrics.counts().journal_lines_lost == 7


def test_a_spread_counts_what_is_up_to_each_bound() -> None:
    histogram = Histogram.over((1.0, 2.0))
    for seconds in (0.5, 1.0, 1.5, 9.0):
        histogram.add(seconds)
    assert histogram.cumulative() == [("1.0", 2), ("2.0", 3), ("+Inf", 4)]
    assert histogram.total == 12.0


def test_the_page_has_every_number_of_every_worker() -> None:
    one = Counts(slot=1, live={"talking": 2}, ended={"handed_off": 3}, barge_ins=4, frames_up=5)
    two = Counts(slot=2, live={"talking": 1}, ended={"handed_off": 1}, warm_ready=2)
    two.handoffs = {"desk": {"busy": 2}}
    two.to_human.add(3.0)
    two.deliveries = {"dead": 1}
    two.requests_refused = {"signature": 6}
    two.upgrades_refused = {"media": 7}
    two.stream_tokens_refused = 8
    two.model_errors = {"invalid_value": 9}
    two.responses_failed = {"insufficient_quota": 10}
    two.model_sessions_lost = {"silent": 11}
    found = samples(two, one)
    assert found["hookflash_calls", "1", "talking"] == 2
    assert found["hookflash_calls", "2", "talking"] == 1
    assert found["hookflash_calls_ended_total", "1", "handed_off"] == 3
    assert found["hookflash_calls_ended_total", "2", "handed_off"] == 1
    assert found["hookflash_handoffs_total", "2", "desk", "busy"] == 2
    assert found["hookflash_deliveries_total", "2", "dead"] == 1
    assert found["hookflash_requests_refused_total", "2", "signature"] == 6
    assert found["hookflash_upgrades_refused_total", "2", "media"] == 7
    assert found["hookflash_stream_tokens_refused_total", "2"] == 8
    assert found["hookflash_model_errors_total", "2", "invalid_value"] == 9
    assert found["hookflash_responses_failed_total", "2", "insufficient_quota"] == 10
    assert found["hookflash_model_sessions_lost_total", "2", "silent"] == 11
    assert found["hookflash_barge_ins_total", "1"] == 4
    assert found["hookflash_frames_total", "1", "up"] == 5
    assert found["hookflash_warm_sessions", "2"] == 2
    assert found["hookflash_human_seconds_bucket", "2", "5.0"] == 1
    assert found["hookflash_human_seconds_sum", "2"] == 3.0
    counted = {name.removeprefix("hookflash_").removesuffix("_total") for name, *_ in found}
    plain = {field for field in Counts.__struct_fields__ if type(getattr(one, field)) is int}
    assert plain - {"slot", "frames_up", "frames_down", "warm_ready"} <= counted


def client(
    token: str | None,
    peer: str = "127.0.0.1",
    *,
    public_url: str = "http://127.0.0.1:8080",
    trusted: tuple[str, ...] = (),
) -> httpx.AsyncClient:
    async def gather() -> list[Counts]:
        return [Counts(slot=1), Counts(slot=2)]

    line = TwilioLine.open(public_url=public_url, auth_tokens=(), trusted_proxies=trusted)
    app = Starlette(
        routes=[metrics_route(gather, token=token, clients=line.clients)],
        exception_handlers={HTTPException: line.refusals.answer},
    )
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app, client=(peer, 4711)), base_url="http://127.0.0.1:8080"
    )


async def test_this_machine_may_look() -> None:
    async with client(None) as here:
        page = await here.get("/metrics")
    assert page.status_code == 200
    assert page.headers["content-type"] == CONTENT_TYPE
    assert 'hookflash_barge_ins_total{worker="2"} 0.0' in page.text


@pytest.mark.parametrize(
    ("peer", "headers"),
    [
        ("192.0.2.7", {}),
        ("127.0.0.1", {"X-Forwarded-For": "192.0.2.7"}),
        ("127.0.0.1", {"Forwarded": "for=192.0.2.7"}),
        ("127.0.0.1", {"Host": "line.example.com"}),
        ("127.0.0.1", {"Host": "127.0.0.1.example.com"}),
    ],
)
async def test_metrics_refuse_strangers_and_requests_through_a_tunnel(
    peer: str, headers: dict[str, str]
) -> None:
    async with client(None, peer) as stranger:
        page = await stranger.get("/metrics", headers=headers)
    assert (page.status_code, page.content) == (403, b"")


async def test_a_proxy_on_this_machine_that_adds_no_header_opens_nothing() -> None:
    """nginx's default `proxy_pass` names neither the client nor itself."""
    async with client(None, public_url="https://line.example.com") as behind_nginx:
        assert (await behind_nginx.get("/metrics")).status_code == 403


async def test_this_machine_may_look_if_the_proxies_are_known_to_be_elsewhere() -> None:
    public = "https://line.example.com"
    for trusted, status in ((("10.0.0.0/8",), 200), (("10.0.0.0/8", "127.0.0.1"), 403)):
        async with client(None, public_url=public, trusted=trusted) as near:
            assert (await near.get("/metrics")).status_code == status


async def test_a_refusal_is_logged_with_its_remedy(caplog: pytest.LogCaptureFixture) -> None:
    async with client(None, "192.0.2.7") as stranger:
        await stranger.get("/metrics")
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "GET /metrics from 192.0.2.7: 403" in record.getMessage()
    assert "HOOKFLASH_METRICS_TOKEN" in record.getMessage()


async def test_where_a_token_is_set_everybody_needs_it() -> None:
    async with client("secret", "192.0.2.7") as far, client("secret") as near:
        good = {"Authorization": "Bearer secret"}
        assert (await far.get("/metrics", headers=good)).status_code == 200
        for wrong in ({}, {"Authorization": "Bearer secre"}, {"Authorization": "secret"}):
            assert (await far.get("/metrics", headers=wrong)).status_code == 403
            assert (await near.get("/metrics", headers=wrong)).status_code == 403


def test_a_target_that_may_not_be_rung_is_counted(metrics: Metrics) -> None:
    metrics.watch("CA1", None, [RefuseTarget("desk", 0), RefuseTarget("desk", 1)])
    assert samples(metrics.counts())["hookflash_targets_refused_total", "3"] == 2
