"""Webhooks over HTTP: signatures, answers, replays, failures."""

from __future__ import annotations

import asyncio
import logging
import xml.etree.ElementTree as ET
from pathlib import Path
from urllib.parse import urlencode

import pytest

from hookflash.core.commands import DialHumans, HangUp, Speak
from hookflash.core.events import (
    CallArrived,
    CallCompleted,
    InstructionsAsked,
    LegChanged,
    StreamStopped,
)
from hookflash.core.handoff_plan import Target, queue_target
from hookflash.server import request_auth

from .conftest import FORM, sign

WIRE = Path(__file__).parents[1] / "wire" / "twilio"
CALL = "CA22222222222222222222222222222222"
LEG = "CA33333333333333333333333333333333"
HUMAN = f"/twilio/human/{CALL}/2/1"
QUESTIONS = [
    *("/twilio/voice", "/twilio/connect/1", "/twilio/dial/1", "/twilio/queue/1"),
    *("/twilio/room/1", "/twilio/refer/1", "/twilio/voicemail/1", f"{HUMAN}/answered"),
    *(f"{HUMAN}/left", f"/twilio/consult/{CALL}/1"),
]
AGAIN = ["/twilio/hold/1", "/twilio/wait/1", f"{HUMAN}/pressed", f"{HUMAN}/parting"]
"""Those that may be asked again with the very same form."""

NOTICES = [
    *("/twilio/leg/1", "/twilio/status", "/twilio/stream", f"{HUMAN}/status"),
    *(f"/twilio/room-events/{CALL}/2", "/twilio/recording/1", "/twilio/transcription/1"),
]


def captured(name: str) -> bytes:
    return (WIRE / f"{name}.form").read_bytes()


def tags(text: str) -> list[str]:
    return [element.tag for element in ET.fromstring(text)]


async def test_a_call_that_arrives_is_connected_to_the_agent(webhook_server) -> None:
    response = await webhook_server.post("/twilio/voice", captured("voice"))
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/xml")
    assert tags(response.text) == ["Connect", "Hangup"]
    assert webhook_server.calls.asked == [CallArrived(CALL, "+15550142", "+15550100", "inbound")]


@pytest.mark.parametrize("path", QUESTIONS + AGAIN + NOTICES)
async def test_unsigned_and_wrongly_signed_webhooks_get_403_and_change_nothing(
    webhook_server, path
) -> None:
    body = captured("voice")
    async with webhook_server.client() as client:
        unsigned = await client.post(path, content=body)
    wrong = await webhook_server.post(path, body, token="another token")
    for response in (unsigned, wrong):
        assert (response.status_code, response.content) == (403, b"")
    assert webhook_server.calls.asked == webhook_server.calls.posted == []


async def test_a_signature_for_the_host_header_instead_of_the_public_url_is_refused(
    webhook_server,
) -> None:
    from twilio.request_validator import RequestValidator

    url = "http://internal:8080/twilio/voice"
    async with webhook_server.client() as client:
        response = await client.post(
            "/twilio/voice",
            content=b"CallSid=CA1",
            headers={
                "Content-Type": "application/x-www-form-urlencoded",
                "X-Twilio-Signature": RequestValidator("auth-token").compute_signature(
                    url, {"CallSid": "CA1"}
                ),
            },
        )
    assert response.status_code == 403


async def test_a_query_is_part_of_what_is_signed(webhook_server) -> None:
    assert (await webhook_server.post("/twilio/voice?a=1", captured("voice"))).status_code == 200


async def test_during_rotation_both_tokens_are_good(make_webhook_server) -> None:
    webhook_server = make_webhook_server(auth_tokens=("new", "old"))
    for token, status in (("new", 200), ("old", 200), ("older", 403)):
        response = await webhook_server.post("/twilio/connect/1", captured("connect"), token=token)
        assert response.status_code == status


@pytest.mark.parametrize("under", ["", "/phone"])
async def test_a_path_prefix_may_be_removed_by_the_proxy_or_not(make_webhook_server, under) -> None:
    webhook_server = make_webhook_server(public_url="https://example.com/phone")
    response = await webhook_server.post("/twilio/connect/2", captured("connect"), under=under)
    assert response.status_code == 200
    assert 'url="wss://example.com/phone/twilio/media"' in response.text
    assert webhook_server.calls.asked == [(CALL, InstructionsAsked(2, "connect"))]


async def test_each_action_asks_for_its_own_step_and_outcome(webhook_server) -> None:
    await webhook_server.post("/twilio/connect/3", captured("connect"))
    await webhook_server.post("/twilio/dial/4", captured("dial-declined"))
    await webhook_server.post("/twilio/queue/5", captured("connect") + b"&QueueResult=queue-full")
    assert webhook_server.calls.asked == [
        (CALL, InstructionsAsked(3, "connect")),
        (CALL, InstructionsAsked(4, "dial", LEG, "declined")),
        (CALL, InstructionsAsked(5, "queue", "", "busy")),
    ]
    assert webhook_server.calls.posted == []


async def test_the_called_number_is_shown_to_the_human(webhook_server) -> None:
    webhook_server.calls.answers.append((DialHumans(2, (Target.client("anna"),), 20),))
    response = await webhook_server.post("/twilio/connect/1", captured("connect"))
    assert 'callerId="+15550100"' in response.text


async def test_a_webhook_delivered_twice_gets_the_same_answer_and_changes_nothing(
    webhook_server,
) -> None:
    for path in QUESTIONS:
        first = await webhook_server.post(path, captured("connect"))
        again = await webhook_server.post(path, captured("connect"))
        assert first.text == again.text
        assert "Connect" in first.text
    assert len(webhook_server.calls.asked) == len(QUESTIONS)


async def test_a_retry_with_the_same_idempotency_token_gets_the_same_answer(webhook_server) -> None:
    token = {"I_Twilio_Idempotency_Token": "d3b0-1"}
    first = await webhook_server.post("/twilio/connect/1", captured("connect"), **token)
    again = await webhook_server.post(
        "/twilio/connect/1", captured("connect") + b"&Attempt=2", **token
    )
    other = await webhook_server.post("/twilio/connect/2", captured("connect"), **token)
    assert first.text == again.text != other.text
    assert len(webhook_server.calls.asked) == 2


async def test_the_same_form_at_another_step_is_another_question(webhook_server) -> None:
    first = await webhook_server.post("/twilio/connect/1", captured("connect"))
    other = await webhook_server.post("/twilio/connect/2", captured("connect"))
    assert first.text != other.text


@pytest.mark.parametrize("path", QUESTIONS + AGAIN)
async def test_an_internal_error_is_answered_with_an_apology_and_not_cached(
    webhook_server, path, caplog
) -> None:
    webhook_server.calls.answers = [RuntimeError("the core has a bug")]
    failed = await webhook_server.post(path, captured("connect"))
    assert failed.status_code == 200
    assert tags(failed.text) == ["Say", "Hangup"]
    assert "sorry" in failed.text
    assert "the core has a bug" in caplog.text
    assert tags((await webhook_server.post(path, captured("connect"))).text) == [
        "Connect",
        "Hangup",
    ]


async def test_instructions_that_cannot_be_written_are_an_apology_too(webhook_server) -> None:
    webhook_server.calls.answers = [(DialHumans(1, (queue_target("desk"),), 20),)]
    response = await webhook_server.post("/twilio/connect/1", captured("connect"))
    assert tags(response.text) == ["Say", "Hangup"]


@pytest.mark.parametrize("sid", ["", "../../etc/passwd", "CA\0", "C" * 65, "CA 1", "CA\u0661"])
@pytest.mark.parametrize("path", [*QUESTIONS, *AGAIN, *NOTICES])
async def test_a_signed_form_without_a_valid_call_sid_is_refused_with_a_sentence(
    webhook_server, path, sid, caplog
) -> None:
    if "room-events" in path:
        path = path.replace(CALL, "C" * 65)
    form = {"CallSid": sid, "ParentCallSid": sid, "CallStatus": "ringing", "From": "+15550142"}
    refused = await webhook_server.post(path, urlencode(form).encode())
    assert refused.status_code == 400
    assert "Traceback" not in caplog.text
    assert "400, webhook: expected" in caplog.text
    assert "call SID" in caplog.text or "CallSid" in caplog.text
    assert webhook_server.calls.asked == webhook_server.calls.posted == []


@pytest.mark.parametrize(
    "path",
    [
        "/twilio/human/{sid}/2/1/answered",
        "/twilio/consult/{sid}/1",
        "/twilio/human/{sid}/2/1/status",
    ],
)
async def test_an_invalid_call_sid_in_a_path_is_refused(webhook_server, path, caplog) -> None:
    for sid in ("C" * 65, "CA%00", "CA%0A1", "%E2%80%AE"):
        refused = await webhook_server.post(path.format(sid=sid), captured("connect"))
        assert refused.status_code == 400
        assert "expected a call SID in the path" in caplog.text
        caplog.clear()
    assert "Traceback" not in caplog.text
    assert webhook_server.calls.asked == webhook_server.calls.posted == []


async def test_a_step_of_thousands_of_digits_is_no_address(webhook_server, caplog) -> None:
    refused = await webhook_server.post(f"/twilio/connect/{'1' * 5000}", captured("connect"))
    assert refused.status_code == 404
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize("under", ["", "/phone"])
@pytest.mark.parametrize("path", [*QUESTIONS, *AGAIN, *NOTICES])
async def test_a_slash_at_the_end_of_a_path_has_no_effect(make_webhook_server, path, under) -> None:
    webhook_server = make_webhook_server(public_url="https://line.example.com/phone")
    form = captured("leg-ringing") if "/leg/" in path else captured("connect")
    with_slash = await webhook_server.post(f"{path}/", form, under=under)
    without = await webhook_server.post(path, form, under=under)
    assert with_slash.status_code == without.status_code in (200, 204)
    if path in (*QUESTIONS, *AGAIN):
        assert tags(with_slash.text) == tags(without.text)
    for request in (f"{path}//", f"{path}/more"):
        assert (await webhook_server.post(request, form, under=under)).status_code == 404
    # The slash is a part of what is signed.
    async with webhook_server.client() as client:
        signed = sign(webhook_server.line.urls.http(path), form)
        headers = {"Content-Type": FORM, "X-Twilio-Signature": signed}
        refused = await client.post(f"{under}{path}/", content=form, headers=headers)
        assert refused.status_code == 403


async def test_a_caller_who_is_gone_is_not_connected_again(webhook_server) -> None:
    body = captured("status-completed")
    response = await webhook_server.post("/twilio/connect/1", body)
    assert tags(response.text) == ["Hangup"]
    assert webhook_server.calls.asked == []
    assert webhook_server.calls.posted == [(CALL, CallCompleted("completed"))]


async def test_a_dial_that_ended_with_the_caller_tells_the_outcome_and_then_the_end(
    webhook_server,
) -> None:
    webhook_server.calls.answers.append((Speak("nobody hears this"), HangUp()))
    body = captured("status-completed") + b"&DialCallStatus=no-answer&DialBridged=false"
    await webhook_server.post("/twilio/dial/1", body)
    assert webhook_server.calls.asked == [(CALL, InstructionsAsked(1, "dial", "", "caller-gone"))]
    assert webhook_server.calls.posted == [(CALL, CallCompleted("completed"))]


async def test_notices_are_answered_204_and_never_with_twiml(webhook_server) -> None:
    for path, name in (
        ("/twilio/leg/6", "leg-ringing"),
        ("/twilio/status", "status-completed"),
        ("/twilio/stream", "stream-stopped"),
        ("/twilio/stream", "stream-error"),
        ("/twilio/status", "connect"),
    ):
        response = await webhook_server.post(path, captured(name))
        assert (response.status_code, response.content) == (204, b"")
    assert webhook_server.calls.posted == [
        (CALL, LegChanged(LEG, "ringing", 6)),
        (CALL, CallCompleted("completed")),
        (CALL, StreamStopped("MZ11111111111111111111111111111111", "stream-stopped")),
    ]


async def test_a_notice_that_fails_is_logged_and_still_answered_204(webhook_server, caplog) -> None:
    webhook_server.calls.fail_on = LegChanged
    assert (await webhook_server.post("/twilio/leg/1", captured("leg-ringing"))).status_code == 204
    assert "the core has a bug" in caplog.text


async def test_no_log_line_holds_a_whole_number(webhook_server, caplog) -> None:
    caplog.set_level(logging.DEBUG, logger="hookflash")
    webhook_server.calls.answers = [RuntimeError("no")]
    await webhook_server.post("/twilio/voice", captured("voice"))
    for path in NOTICES:
        await webhook_server.post(path, captured("leg-ringing"))
    assert caplog.records
    assert "15550" not in caplog.text


async def test_a_body_too_large_is_refused_before_it_is_read(webhook_server) -> None:
    body = b"CallSid=" + b"x" * request_auth.BODY_BYTES
    response = await webhook_server.post("/twilio/voice", body)
    assert (response.status_code, response.content) == (413, b"")


async def test_a_form_with_too_many_fields_is_refused(webhook_server) -> None:
    body = urlencode([(f"f{n}", "1") for n in range(600)]).encode()
    assert (await webhook_server.post("/twilio/voice", body)).status_code == 400


async def test_a_body_that_never_comes_is_given_up(webhook_server, monkeypatch) -> None:
    monkeypatch.setattr(request_auth, "BODY_SECONDS", 0.05)

    async def never():
        yield b"CallSid="
        await asyncio.Event().wait()

    async with webhook_server.client() as client:
        response = await client.post("/twilio/voice", content=never())
    assert response.status_code == 408


@pytest.mark.parametrize("path", ["/", "/twilio", "/twilio/voice//", "/twilio/dial/x", "/admin"])
async def test_unknown_paths_get_404_without_detail(webhook_server, path) -> None:
    response = await webhook_server.post(path, b"CallSid=CA1")
    assert (response.status_code, response.content) == (404, b"")


async def test_a_get_on_a_webhook_gets_405_without_detail(webhook_server) -> None:
    async with webhook_server.client() as client:
        response = await client.get("/twilio/voice")
    assert (response.status_code, response.content) == (405, b"")


async def test_unsigned_is_let_in_only_from_this_machine_and_only_when_allowed(
    make_webhook_server,
) -> None:
    webhook_server = make_webhook_server(
        public_url="http://127.0.0.1:8080", auth_tokens=(), allow_unsigned=True
    )
    for peer, status in (("127.0.0.1", 200), ("192.0.2.7", 403)):
        async with webhook_server.client(peer, "127.0.0.1:8080") as client:
            response = await client.post("/twilio/voice", content=captured("voice"))
        assert response.status_code == status


@pytest.mark.parametrize(
    "headers",
    [{"X-Forwarded-For": "192.0.2.7"}, {"Via": "1.1 proxy"}, {"Host": "line.example.com"}],
)
async def test_unsigned_is_not_let_in_through_a_proxy_or_another_name(
    make_webhook_server, headers: dict[str, str]
) -> None:
    webhook_server = make_webhook_server(
        public_url="http://127.0.0.1:8080", auth_tokens=(), allow_unsigned=True
    )
    async with webhook_server.client("127.0.0.1", "127.0.0.1:8080") as client:
        response = await client.post("/twilio/voice", content=captured("voice"), headers=headers)
    assert response.status_code == 403


async def test_a_wrong_signature_is_refused_even_where_unsigned_is_allowed(
    make_webhook_server,
) -> None:
    webhook_server = make_webhook_server(public_url="http://127.0.0.1:8080", allow_unsigned=True)
    async with webhook_server.client("127.0.0.1") as client:
        response = await client.post(
            "/twilio/voice", content=captured("voice"), headers={"X-Twilio-Signature": "x"}
        )
    assert response.status_code == 403


async def test_a_stand_in_may_sign_for_a_line_that_has_no_secret(make_webhook_server) -> None:
    webhook_server = make_webhook_server(
        public_url="http://127.0.0.1:8080", auth_tokens=(), allow_unsigned=True
    )
    for peer, status in (("127.0.0.1", 200), ("192.0.2.7", 403)):
        async with webhook_server.client(peer, "127.0.0.1:8080") as client:
            response = await client.post(
                "/twilio/voice", content=captured("voice"), headers={"X-Twilio-Signature": "x"}
            )
        assert response.status_code == status


async def test_a_peer_that_leaves_in_the_middle_of_its_body_changes_nothing(webhook_server) -> None:
    incoming = iter(
        [
            {"type": "http.request", "body": b"CallSid=", "more_body": True},
            {"type": "http.disconnect"},
        ]
    )
    sent = []

    async def receive():
        return next(incoming)

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/twilio/voice", "headers": []}
    await webhook_server.app({**scope, "query_string": b"", "client": None}, receive, send)
    assert sent[0]["status"] == 400
    assert webhook_server.calls.asked == []


# --- a telephone that forwards back -------------------------------------------------------------

REJECTED = '<Response><Reject reason="busy" /></Response>'


def arriving(**fields: str) -> bytes:
    call = {"CallSid": CALL, "From": "+15550142", "To": "+15550100", "CallStatus": "ringing"}
    return urlencode({**call, **fields}).encode()


async def test_a_call_from_the_line_itself_is_rejected_as_busy(webhook_server, caplog) -> None:
    response = await webhook_server.post("/twilio/voice", arriving(From="+15550100"))
    assert REJECTED in response.text
    assert webhook_server.calls.asked == []
    assert "forwards back" in caplog.text
    again = await webhook_server.post("/twilio/voice", arriving(From="+15550100"))
    assert again.text == response.text


async def test_a_call_that_a_rung_telephone_forwards_is_rejected_and_others_are_not(
    webhook_server,
) -> None:
    webhook_server.calls.rung.add("+15550177")
    response = await webhook_server.post("/twilio/voice", arriving(ForwardedFrom="5550177"))
    assert REJECTED in response.text
    assert (webhook_server.calls.shown, webhook_server.calls.asked) == (["+15550142"], [])
    response = await webhook_server.post(
        "/twilio/voice", arriving(CallSid=LEG, ForwardedFrom="+15550178")
    )
    assert tags(response.text) == ["Connect", "Hangup"]


async def test_the_answer_to_a_forwarded_call_stays_when_nobody_is_rung_any_more(
    webhook_server,
) -> None:
    webhook_server.calls.rung.add("+15550177")
    first = await webhook_server.post("/twilio/voice", arriving(ForwardedFrom="+15550177"))
    webhook_server.calls.rung.clear()
    assert (
        await webhook_server.post("/twilio/voice", arriving(ForwardedFrom="+15550177"))
    ).text == first.text


async def test_a_forwarded_call_that_shows_the_number_of_the_settings_comes_from_us(
    make_webhook_server,
) -> None:
    webhook_server = make_webhook_server(caller_id="+15550199")
    await webhook_server.post(
        "/twilio/voice", arriving(From="+15550199", ForwardedFrom="+15550177")
    )
    assert webhook_server.calls.shown == [""]


async def test_why_nobody_could_be_dialled_is_logged_without_a_number(
    webhook_server, caplog
) -> None:
    body = captured("dial-declined") + b"&ErrorCode=13214&ErrorMessage=callerId+%2B15550142+is+bad"
    await webhook_server.post("/twilio/dial/4", body)
    assert "/twilio/dial/4" in caplog.text and "error 13214, callerId" in caplog.text
    assert "15550142" not in caplog.text
