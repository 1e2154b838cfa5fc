"""The local Twilio as a fixture: it drives any application, and says what went wrong."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs, parse_qsl

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from twilio.base.exceptions import TwilioRestException
from twilio.request_validator import RequestValidator

from hookflash_local.carrier import Human
from hookflash_local.testing.local_twilio import LocalTwilio

pytestmark = pytest.mark.realtime

MENU = "<Response><Gather numDigits='1' action='/menu'><Say>Press 1</Say></Gather></Response>"
ANNA = "+15550100002"


def wsgi(answers: dict[str, str]) -> Callable[..., Iterable[bytes]]:
    """Return a WSGI application that answers paths with TwiML; `{Digits}` is what was pressed."""

    def app(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)).decode()
        form = {name: values[0] for name, values in parse_qs(body).items()}
        text = answers.get(environ["PATH_INFO"])
        status = "404 Not Found" if text is None else "200 OK"
        start_response(status, [("Content-Type", "text/xml")])
        return [(text or "").replace("{Digits}", form.get("Digits", "")).encode()]

    return app


def test_a_wsgi_application_hears_keys(twilio_carrier: LocalTwilio) -> None:
    answers = {"/voice": MENU, "/menu": "<Response><Say>You pressed {Digits}</Say></Response>"}
    twilio_carrier.serve(wsgi(answers), voice="/voice", status="/menu")
    call = twilio_carrier.call(from_="+15550100077")
    call.wait_for_say("Press")
    call.press("7")
    assert call.wait_for_say() == "You pressed 7"
    assert call.wait_until_ended() == "completed"
    twilio_carrier.wait_for_callbacks()
    assert call.said == ["Press 1", "You pressed 7"]
    assert [sent.url.rpartition("/")[2] for sent in twilio_carrier.requests] == [
        *("voice", "menu", "menu")
    ]
    assert twilio_carrier.requests[0].form["From"] == "+15550100077"
    assert [event.detail for event in call.events if event.kind == "digit"] == [{"digit": "7"}]


def test_what_the_party_says_answers_gather(twilio_carrier: LocalTwilio) -> None:
    ask = "<Response><Gather input='speech' speechTimeout='auto' action='/s'/></Response>"
    twilio_carrier.serve(wsgi({"/voice": ask, "/s": "<Response/>"}), voice="/voice")
    call = twilio_carrier.call()
    call.wait_for("gathering")
    call.say("my order is late")
    assert call.wait_until_ended() == "completed"
    assert twilio_carrier.requests[-1].form["SpeechResult"] == "my order is late"


def test_an_asgi_application_gets_signed_requests_and_dials(twilio_carrier: LocalTwilio) -> None:
    valid: list[bool] = []

    async def voice(request: Request) -> Response:
        validator = RequestValidator(twilio_carrier.auth_token)
        form = dict(parse_qsl((await request.body()).decode(), keep_blank_values=True))
        signature = request.headers["x-twilio-signature"]
        valid.append(validator.validate(str(request.url), form, signature))
        return Response(f"<Response><Dial>{ANNA}</Dial></Response>", media_type="text/xml")

    app = Starlette(routes=[Route("/voice", voice, methods=["POST"])])
    twilio_carrier.humans[ANNA] = Human.says("Anna here", answer_after=0.1)
    twilio_carrier.serve(app, voice="/voice")
    call = twilio_carrier.call()
    call.wait_for("bridged")
    (anna,) = call.dialled
    assert anna.leg.about.to == ANNA
    anna.wait_for("party-says")
    call.hang_up()
    assert anna.wait_until_ended() == "completed"
    assert valid == [True]


def test_the_official_client_gets_twilios_errors(twilio_carrier: LocalTwilio) -> None:
    client = twilio_carrier.client()
    with pytest.raises(TwilioRestException) as refused:
        client.messages.create(to=ANNA, from_=twilio_carrier.number, body="hello")
    assert (refused.value.status, refused.value.code) == (404, 20404)
    twilio_carrier.expect_alerts(0)


def test_a_call_of_the_application_is_found(twilio_carrier: LocalTwilio) -> None:
    twilio_carrier.serve(wsgi({}), voice="/voice")
    twilio_carrier.humans[ANNA] = Human(answer_after=0.0)
    twiml = "<Response><Say>one</Say><Say>two</Say><Say>two</Say></Response>"
    created = twilio_carrier.client().calls.create(
        to=ANNA, from_=twilio_carrier.number, twiml=twiml
    )
    call = twilio_carrier.wait_for_call(ANNA)
    assert call.sid == created.sid
    assert call.wait_until_answered()
    # Each sentence counts once.
    assert [call.wait_for_say("two"), call.wait_for_say("two")] == ["two", "two"]
    with pytest.raises(AssertionError, match="expected to hear 'two', heard .'one', 'two', 'two'"):
        call.wait_for_say("two", seconds=0.1)
    assert [each.sid for each in twilio_carrier.calls] == [created.sid]


def test_the_official_client_walks_through_the_pages(twilio_carrier: LocalTwilio) -> None:
    client = twilio_carrier.client()
    made = [client.queues.create(friendly_name=f"q{number}").sid for number in range(3)]
    assert [queue.sid for queue in client.queues.list(page_size=1)] == made


def test_a_wait_says_what_went_wrong(twilio_carrier: LocalTwilio) -> None:
    twilio_carrier.serve(wsgi({}), voice="/voice")
    call = twilio_carrier.call()
    with pytest.raises(AssertionError, match="heard .'We are sorry.*alerts: 11200 answered with"):
        call.wait_for_say("Welcome", seconds=0.5)
    with pytest.raises(AssertionError, match=rf"no call to \{ANNA} in 0.1 s"):
        twilio_carrier.wait_for_call(ANNA, seconds=0.1)
    with pytest.raises(AssertionError, match="Twilio would report these errors:\n11200"):
        twilio_carrier.check_alerts()
    twilio_carrier.expect_alerts(11200)


@pytest.mark.twilio_carrier(speed=50.0)
def test_the_mark_sets_options(twilio_carrier: LocalTwilio) -> None:
    pause = "<Response><Say>wait</Say><Pause length='60'/></Response>"
    twilio_carrier.serve(wsgi({"/voice": pause}), voice="/voice")
    assert twilio_carrier.call().wait_until_ended() == "completed"


def test_a_call_without_an_application_says_what_to_do(twilio_carrier: LocalTwilio) -> None:
    with pytest.raises(AssertionError, match="no voice URL: use serve"):
        twilio_carrier.call()


def test_the_plugin_costs_nothing_until_it_is_used() -> None:
    heavy = "httpx, starlette, uvicorn, websockets, numpy, asyncio, hookflash_local.carrier"
    program = (
        "import sys, pytest; before = set(sys.modules)\n"
        "import hookflash_local.testing.plugin\n"
        f"new = set(sys.modules) - before; print(sorted(new), new & set({heavy.split(', ')!r}))"
    )
    printed = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout
    assert printed == (
        "['hookflash_local', 'hookflash_local.testing', 'hookflash_local.testing.plugin'] set()\n"
    )
