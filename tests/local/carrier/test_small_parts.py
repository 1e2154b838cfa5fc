"""Signatures, overrides, the tunnel, outbound audio, faults and tasks: with numbers only."""

from __future__ import annotations

import asyncio
from random import Random

import pytest
from twilio.request_validator import RequestValidator

from hookflash_local.carrier.clock import Clock
from hookflash_local.carrier.faults import Dropped, Faults, Twice
from hookflash_local.carrier.ids import is_sid, new_sid
from hookflash_local.carrier.media.playout import Playout
from hookflash_local.carrier.media.sources import QUIET, Loop, Mix, OutboundAudio
from hookflash_local.carrier.media.streams import DelayQueue
from hookflash_local.carrier.randomness import RandomStreams
from hookflash_local.carrier.tasks import Tasks
from hookflash_local.carrier.webhooks import NotReachable, policy_of, sign, tunnel_route

# --- signatures -----------------------------------------------------------------------------

FORM = {
    "CallSid": "CA1234567890ABCDE",
    "Caller": "+14158675309",
    "Digits": "1234",
    "From": "+14158675309",
    "To": "+18005551212",
}


def test_the_documented_vector() -> None:
    url = "https://mycompany.com/myapp.php?foo=1&bar=2"
    assert sign("12345", url, FORM) == "RSOYDt4T1cUTdK1PDd93/VVr8B8="
    assert sign("12345", url + "#rc=3", FORM) == "RSOYDt4T1cUTdK1PDd93/VVr8B8="


def test_the_official_validator_accepts_forms_and_sockets() -> None:
    validator = RequestValidator("secret")
    url = "wss://line.example.test/twilio/media"
    assert validator.validate(url, {}, sign("secret", url))
    form = {"b": "ü", "a": "", "A": "x"}
    assert validator.validate("https://h.test/p", form, sign("secret", "https://h.test/p", form))
    assert not validator.validate(url, {}, sign("other", url))


# --- connection overrides -------------------------------------------------------------------


def test_without_a_fragment_the_documented_defaults_hold() -> None:
    policy = policy_of("https://h/p")
    assert (policy.connect_seconds, policy.read_seconds, policy.total_seconds) == (5, 15, 15)
    assert policy.retries == 1
    assert policy.repeats("ct")
    assert not any(policy.repeats(cause) for cause in ("rt", "4xx", "5xx"))


def test_the_fragment_overrides_within_its_bounds() -> None:
    policy = policy_of("https://h/p?x#ct=2000&rt=99&tt=99999&rc=9&rp=4xx,rt&sni=y&e=ashburn")
    assert (policy.connect_seconds, policy.read_seconds, policy.total_seconds) == (2, 0.1, 15)
    assert policy.retries == 5
    assert policy.repeats("4xx") and policy.repeats("rt")
    assert not policy.repeats("ct") and not policy.repeats("5xx")
    assert policy_of("https://h/p#rp=all&rc=x").repeats("5xx")
    assert policy_of("https://h/p#rc=x").retries == 1


# --- the tunnel -----------------------------------------------------------------------------

TUNNEL = {"https://line.example.test": "http://127.0.0.1:8080"}


@pytest.mark.parametrize(
    ("url", "there"),
    [
        ("https://line.example.test/a?b=1#rc=3", "http://127.0.0.1:8080/a?b=1"),
        ("wss://line.example.test/media", "ws://127.0.0.1:8080/media"),
        ("http://127.0.0.1:9/x", "http://127.0.0.1:9/x"),
        ("ws://localhost:9/x", "ws://localhost:9/x"),
    ],
)
def test_public_urls_lead_to_loopback(url: str, there: str) -> None:
    assert tunnel_route(url, TUNNEL).url == there


def test_the_tunnel_says_what_it_forwards() -> None:
    headers = tunnel_route("wss://line.example.test/media", TUNNEL).headers
    assert headers == {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "line.example.test"}


@pytest.mark.parametrize(
    "url", ["https://other.example.test/", "http://line.example.test/", "https://10.0.0.1/"]
)
def test_nothing_leads_elsewhere(url: str) -> None:
    with pytest.raises(NotReachable):
        tunnel_route(url, TUNNEL)
    with pytest.raises(NotReachable, match="not on loopback"):
        tunnel_route(url, {url.rstrip("/"): "http://192.0.2.1"})


# --- outbound audio -------------------------------------------------------------------------


def test_a_change_of_source_takes_effect_at_its_sample() -> None:
    playout = Playout()
    playout.play(b"\x01" * 800, 0.0)
    audio = OutboundAudio()
    audio.open(0.0)
    audio.switch(playout, 0.01)
    audio.advance(160)
    audio.switch(QUIET, 0.03)
    audio.close(0.04)
    assert audio.recording == b"\xff" * 80 + b"\x01" * 160 + b"\xff" * 80
    audio.advance(1000)
    assert len(audio.recording) == 320


def test_a_receiver_that_is_not_open_gets_no_audio() -> None:
    audio = OutboundAudio()
    audio.switch(QUIET, 1.0)
    audio.advance(1000)
    assert audio.recording == b""


async def test_frames_are_awaited_and_end_with_their_receiver() -> None:
    audio = OutboundAudio()
    audio.open(0.0)
    first = asyncio.create_task(audio.frame(0))
    await asyncio.sleep(0)
    audio.advance(200)
    assert await first == b"\xff" * 160
    audio.close(0.03)
    assert await audio.frame(1) == b"\xff" * 80


def test_a_loop_keeps_its_phase() -> None:
    loop = Loop(b"abc", start=0.0)
    assert loop.read(0, 7) == b"abcabca"
    assert loop.read(7, 9) == b"bc"


def test_a_mix_reads_whoever_is_there() -> None:
    one = Playout()
    one.play(b"\x10" * 8, 0.0)
    assert Mix(lambda: []).read(0, 4) == b"\xff" * 4
    assert Mix(lambda: [one, QUIET]).read(0, 4) == b"\x10" * 4


# --- faults and tasks -----------------------------------------------------------------------


def test_a_webhook_fault_is_used_up_by_matching_requests() -> None:
    faults = Faults(webhooks=[Dropped("/a", times=2), Twice("/b")])
    assert faults.of_webhook("https://h/c") is None
    assert isinstance(faults.of_webhook("https://h/b"), Twice)
    assert isinstance(faults.of_webhook("https://h/a"), Dropped)
    assert isinstance(faults.of_webhook("https://h/a"), Dropped)
    assert faults.of_webhook("https://h/a") is None
    assert faults.webhooks == []


async def test_a_delay_keeps_the_order_even_with_jitter() -> None:
    clock = Clock(speed=50)
    delay_queue: DelayQueue[int] = DelayQueue(clock, 0.1, jitter=0.5, entropy=Random(1))
    began = clock.now()
    for number in range(20):
        delay_queue.put(number)
    assert [await delay_queue.get() for _ in range(20)] == list(range(20))
    assert 0.1 <= clock.now() - began <= 0.6


def test_what_is_drawn_for_one_purpose_changes_nothing_for_another() -> None:
    one, two, other = RandomStreams(Random(1)), RandomStreams(Random(1)), RandomStreams(Random(2))
    two.requests.random()
    sid = new_sid("CA", one.sids)
    assert is_sid("CA", sid)
    assert new_sid("CA", two.sids) == sid
    assert new_sid("CA", other.sids) != sid
    first = one.jitter().random()
    assert two.jitter().random() == first
    assert one.jitter().random() != first


def test_without_a_source_names_are_secret_and_jitter_is_always_the_same() -> None:
    one, two = RandomStreams(), RandomStreams()
    assert new_sid("CA", one.sids) != new_sid("CA", two.sids)
    assert one.jitter().random() == one.jitter().random() == two.jitter().random()


async def test_dates_begin_at_the_wall_clock_that_is_given() -> None:
    assert Clock(speed=1, wall=lambda: 1000.0).wall() == 1000.0


async def test_tasks_are_awaited_and_their_errors_kept() -> None:
    tasks = Tasks()
    ended = asyncio.Event()

    async def fails() -> None:
        raise ValueError("lost")

    async def waits() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    tasks.start(fails(), "fails")
    tasks.start(waits(), "waits")
    await tasks.settle("fails", 1.0)
    await tasks.settle("waits", 0.001)
    assert tasks.names == ["waits"]
    with pytest.RaisesGroup(ValueError):
        await tasks.close()
    assert ended.is_set()


async def test_the_clock_runs_at_its_speed() -> None:
    clock = Clock(speed=100)
    began = clock.now()
    await clock.sleep(1.0)
    assert clock.now() - began == pytest.approx(1.0)
    assert asyncio.get_running_loop().time() == pytest.approx(0.01)
    assert clock.real(5.0) == 0.05
    with pytest.raises(TimeoutError):
        async with clock.timeout(0.1):
            await asyncio.Event().wait()
    with pytest.raises(ValueError, match="speed"):
        Clock(speed=0)
