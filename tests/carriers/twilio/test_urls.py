"""Our addresses as Twilio sees them."""

from __future__ import annotations

import pytest

from hookflash.carriers.twilio.urls import RETRY, Urls, is_loopback
from hookflash.errors import ConfigError


def test_every_address_is_absolute_and_only_the_scheme_of_the_socket_differs() -> None:
    urls = Urls.under("https://line.example.com/")
    assert urls.voice() == "https://line.example.com/twilio/voice"
    assert urls.brought(2) == f"https://line.example.com/twilio/voice?brought=2{RETRY}"
    assert urls.connect(1) == "https://line.example.com/twilio/connect/1" + RETRY
    assert urls.dial(2) == "https://line.example.com/twilio/dial/2" + RETRY
    assert urls.queue(3) == "https://line.example.com/twilio/queue/3" + RETRY
    assert urls.leg(2) == "https://line.example.com/twilio/leg/2"
    assert urls.status() == "https://line.example.com/twilio/status"
    assert urls.stream() == "https://line.example.com/twilio/stream"
    assert urls.media() == "wss://line.example.com/twilio/media"


def test_what_a_humans_leg_asks_has_the_callers_call_in_its_path() -> None:
    urls = Urls.under("https://line.example.com/")
    about = "https://line.example.com/twilio/human/CA1/2/1"
    assert urls.human("CA1", 2, 1, "answered") == f"{about}/answered" + RETRY
    assert urls.human("CA1", 2, 1, "left") == f"{about}/left" + RETRY
    assert urls.human_status("CA1", 2, 1) == f"{about}/status"
    assert urls.consult("CA1", 3) == "https://line.example.com/twilio/consult/CA1/3" + RETRY
    assert urls.room_events("CA1", 2) == "https://line.example.com/twilio/room-events/CA1/2"
    assert urls.transcript("CA1") == "https://line.example.com/api/calls/CA1"
    assert urls.human_status("a/../b?c#d", 2, 1).endswith("/human/a%2F..%2Fb%3Fc%23d/2/1/status")


def test_what_a_caller_who_waits_asks_is_asked_again_and_what_is_told_is_not() -> None:
    urls = Urls.under("https://line.example.com/")
    for name in ("room", "refer", "hold", "wait", "voicemail"):
        at = getattr(urls, name)(4)
        assert at == f"https://line.example.com/twilio/{name}/4" + RETRY
    for name in ("recording", "transcription"):
        assert getattr(urls, name)(4) == f"https://line.example.com/twilio/{name}/4"
    assert urls.music(3) == "https://line.example.com/twilio/music/3.wav"
    assert urls.notes() == "wss://line.example.com/twilio/notes"
    named = Urls.under("https://line.example.com", worker="w1-00")
    assert named.notes() == "wss://line.example.com/twilio/notes/w1-00"


@pytest.mark.parametrize("prefix", ["", "/phone"])
def test_a_media_socket_names_the_worker_that_it_belongs_to(prefix: str) -> None:
    urls = Urls.under(f"https://example.com{prefix}", worker="w2-00ff")
    assert urls.media() == f"wss://example.com{prefix}/twilio/media/w2-00ff"
    assert urls.worker_of(f"{prefix}/twilio/media/w2-00ff") == "w2-00ff"
    assert urls.worker_of("/twilio/media/w1-00aa?x=/twilio/media/w3") == "w1-00aa"
    assert urls.worker_of(f"{prefix}/twilio/notes/w2-00ff") == "w2-00ff"
    for path in ("/twilio/media", "/twilio/media/", "/twilio/mediator", "/", "/twilio/notes"):
        assert urls.worker_of(path) == ""


def test_a_stand_in_without_tls_gets_a_plain_socket() -> None:
    assert Urls.under("http://127.0.0.1:8080").media() == "ws://127.0.0.1:8080/twilio/media"


def test_a_path_prefix_is_kept_and_may_be_missing_from_a_request() -> None:
    urls = Urls.under("https://example.com/phone/")
    assert urls.voice() == "https://example.com/phone/twilio/voice"
    assert urls.media() == "wss://example.com/phone/twilio/media"
    assert urls.inner("/phone/twilio/voice") == "/twilio/voice"
    assert urls.inner("/twilio/voice") == "/twilio/voice"
    assert urls.inner("/phonetic/voice") == "/phonetic/voice"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "line.example.com",
        "wss://line.example.com",
        "https://",
        "https://host:port",
        "https://host:99999",
        "https://host:0",
        "https://[broken",
        "https://host/?a=1",
        "https://host/#a",
        "https://user:secret@host",
        "https://under_score.example.com",
    ],
)
def test_a_public_url_that_twilio_could_not_use_is_named_with_its_remedy(url: str) -> None:
    with pytest.raises(ConfigError, match="set HOOKFLASH_PUBLIC_URL"):
        Urls.under(url)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "127.0.0.1", "127.9.9.9", "::1"])
def test_this_machine_is_known_by_name_and_address(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["", "example.com", "localhost.example.com", "10.0.0.1", "0.0.0.0"]
)
def test_no_other_machine_is_taken_for_this_one(host: str) -> None:
    assert not is_loopback(host)
