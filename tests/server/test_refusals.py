"""Each refused request and upgrade is logged with its remedy, and counted."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from starlette.requests import HTTPConnection
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from hookflash.server.app import create_app

from .conftest import FORM, PUBLIC, LocalAnswerer, sign

BODY = b"CallSid=CA1&From=%2B15550142&Digits=8421&CallStatus=ringing"


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Iterator[list[str]]:
    """The lines of the server's log, with their levels."""
    told: list[str] = []

    class Collect(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            told.append(f"{record.levelname} {record.getMessage()}")

    handler = Collect()
    log = logging.getLogger("hookflash.server")
    log.addHandler(handler)
    yield told
    log.removeHandler(handler)


async def posted(server: LocalAnswerer, path: str, **headers: str) -> int:
    async with server.client() as client:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = await client.post(path, content=BODY, headers={"Content-Type": FORM, **given})
    assert answer.content == b""
    return answer.status_code


async def test_a_wrong_signature_names_the_url_that_was_checked(webhook_server, lines) -> None:
    assert await posted(webhook_server, "/twilio/voice", X_Twilio_Signature="x") == 403
    (line,) = lines
    assert line.startswith("WARNING ! POST /twilio/voice from 192.0.2.7: 403, ")
    assert f"does not match {PUBLIC}/twilio/voice" in line
    assert "HOOKFLASH_PUBLIC_URL" in line and "TWILIO_AUTH_TOKEN" in line
    assert "555" not in line and "8421" not in line
    assert webhook_server.line.refusals.requests == {"signature": 1}


async def test_a_missing_signature_is_told_apart(webhook_server, lines) -> None:
    assert await posted(webhook_server, "/twilio/voice") == 403
    assert "no X-Twilio-Signature" in lines[0] and f"{PUBLIC}/twilio/voice" in lines[0]


@pytest.mark.parametrize("header", ["Host", "X-Forwarded-Host"])
@pytest.mark.parametrize("origin", ["https://new.example.com", "http://new.example.com"])
async def test_a_signature_of_another_address_names_the_setting(
    webhook_server, lines, header: str, origin: str
) -> None:
    signature = sign(f"{origin}/twilio/voice", BODY)
    headers = {header: "new.example.com", "X-Twilio-Signature": signature}
    assert await posted(webhook_server, "/twilio/voice", **headers) == 403
    assert f"is that of {origin}/twilio/voice, and {PUBLIC}/twilio/voice was checked" in lines[0]
    assert f"set HOOKFLASH_PUBLIC_URL to {origin}" in lines[0]


async def test_a_signature_of_another_address_with_a_path_prefix(
    make_webhook_server, lines
) -> None:
    server = make_webhook_server(public_url=f"{PUBLIC}/phone")
    signature = sign("https://new.example.com/phone/twilio/voice", BODY)
    headers = {"Host": "new.example.com", "X-Twilio-Signature": signature}
    assert await posted(server, "/phone/twilio/voice", **headers) == 403
    assert "set HOOKFLASH_PUBLIC_URL to https://new.example.com/phone" in lines[0]


@pytest.mark.parametrize("host", ["[", "a:b:c", "x" * 5000, "a,b"])
async def test_a_host_that_is_none_changes_nothing(webhook_server, lines, host: str) -> None:
    headers = {"X-Forwarded-Host": host, "X-Twilio-Signature": "x"}
    assert await posted(webhook_server, "/twilio/voice", **headers) == 403
    assert "does not match" in lines[0]


async def test_a_line_without_a_secret_says_so(make_webhook_server, lines) -> None:
    server = make_webhook_server(
        public_url="http://127.0.0.1:1", auth_tokens=(), allow_unsigned=True
    )
    assert await posted(server, "/twilio/voice") == 403
    assert await posted(server, "/twilio/voice", X_Twilio_Signature="x") == 403
    assert "only programs on this machine" in lines[0] and "TWILIO_AUTH_TOKEN" in lines[0]
    assert "without a secret; set TWILIO_AUTH_TOKEN" in lines[1]


async def test_a_wrong_path_names_the_right_one(webhook_server, lines) -> None:
    assert await posted(webhook_server, "/voice?Digits=8421&to=%2B15550142") == 404
    (line,) = lines
    assert line.startswith("WARNING ! POST /voice?Digits=…&to=… from 192.0.2.7: 404, ")
    assert f"{PUBLIC}/twilio/voice" in line and f"{PUBLIC}/twilio/status" in line
    assert "8421" not in line and "5550142" not in line
    assert webhook_server.line.refusals.requests == {"path": 1}


async def test_a_path_shows_no_whole_number(webhook_server, lines) -> None:
    await posted(webhook_server, "/calls/+15550142")
    assert "/calls/…42 " in lines[0]


async def test_a_wrong_method_names_the_right_one(webhook_server, lines) -> None:
    async with webhook_server.client() as client:
        answer = await client.get("/twilio/voice")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert "GET /twilio/voice from 192.0.2.7: 405, expected POST; set HTTP POST" in lines[0]
    assert webhook_server.line.refusals.requests == {"method": 1}


async def test_the_remedy_for_a_wrong_method_is_post_only_where_post_is_right(
    webhook_server, lines
) -> None:
    await posted(webhook_server, "/twilio/music/5.wav")
    assert "POST /twilio/music/5.wav from 192.0.2.7: 405, expected " in lines[0]
    assert lines[0].endswith(("GET", "HEAD"))


@pytest.mark.parametrize("path", ["/twilio/media", "/twilio/media/w1", "/twilio/notes"])
async def test_an_upgrade_that_a_proxy_has_swallowed_names_the_headers(
    webhook_server, lines, path: str
) -> None:
    async with webhook_server.client() as client:
        assert (await client.get(path)).status_code == 404
    assert "must pass on the headers Upgrade and Connection" in lines[0]


async def test_a_body_that_cannot_be_read_says_why(webhook_server, lines) -> None:
    await webhook_server.post("/twilio/voice", b"a=" + b"x" * 70_000)
    await webhook_server.post("/twilio/voice", b"&".join(b"a%d=1" % n for n in range(2000)))
    assert "413, the body is larger than 65536 bytes" in lines[0]
    assert "400, the form cannot be read: " in lines[1]
    assert webhook_server.line.refusals.requests == {"body": 2}


async def test_scanners_neither_flood_the_log_nor_hide_twilio(webhook_server, lines) -> None:
    for number in range(500):
        await posted(webhook_server, f"/wp-login-{number}.php")
    assert len(lines) == 10
    assert lines[-1].endswith("(more such lines are left out for 60 s)")
    await posted(webhook_server, "/voice", X_Twilio_Signature="x")
    assert lines[-1].startswith("WARNING ! POST /voice ")
    assert webhook_server.line.refusals.requests == {"path": 501}


async def test_a_path_cannot_forge_a_line(webhook_server, lines) -> None:
    await posted(webhook_server, "/" + "a" * 5000)
    assert len(lines[0]) < 800


# --- upgrades -------------------------------------------------------------------------------------


async def upgraded(server: LocalAnswerer, path: str, **headers: str) -> list[str]:
    """Ask ASGI for a WebSocket. Return the types of the messages that were sent."""
    sent = []

    async def receive() -> dict[str, object]:
        return {"type": "websocket.connect"}

    async def send(message: dict[str, object]) -> None:
        sent.append(str(message["type"]))

    await server.app(
        {
            "type": "websocket",
            "scheme": "ws",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": [
                (name.lower().replace("_", "-").encode(), value.encode())
                for name, value in headers.items()
            ],
            "client": ("192.0.2.7", 4711),
            "subprotocols": [],
        },
        receive,
        send,
    )
    return sent


async def test_a_media_socket_without_a_signature_is_logged(webhook_server, lines) -> None:
    assert await upgraded(webhook_server, "/twilio/media") == ["websocket.close"]
    (line,) = lines
    assert line.startswith(
        "WARNING ! upgrade of the media socket /twilio/media from 192.0.2.7 refused: "
    )
    assert "wss://line.example.com/twilio/media" in line
    assert webhook_server.line.refusals.upgrades == {"media": 1}


async def test_a_media_socket_that_is_signed_for_another_address(webhook_server, lines) -> None:
    signature = sign("wss://new.example.com/twilio/media")
    headers = {"host": "new.example.com", "x_twilio_signature": signature}
    await upgraded(webhook_server, "/twilio/media", **headers)
    assert "set HOOKFLASH_PUBLIC_URL to https://new.example.com" in lines[0]


async def test_the_media_socket_on_picows_is_logged_as_well(webhook_server, lines) -> None:
    endpoint = webhook_server.app.state.media_endpoint
    scope = {
        "type": "websocket",
        "path": "/twilio/media",
        "raw_path": b"/twilio/media",
        "query_string": b"",
        "headers": [],
        "client": ("192.0.2.7", 1),
    }
    assert endpoint.admits(HTTPConnection(scope)) is False
    assert "upgrade of the media socket /twilio/media from 192.0.2.7 refused" in lines[0]
    assert webhook_server.line.refusals.upgrades == {"media": 1}
    signed = [(b"x-twilio-signature", sign("wss://line.example.com/twilio/media").encode())]
    assert endpoint.admits(HTTPConnection({**scope, "headers": signed})) is True
    assert len(lines) == 1


async def test_a_socket_at_a_wrong_path_is_logged(webhook_server, lines) -> None:
    assert await upgraded(webhook_server, "/media") == ["websocket.close"]
    assert "no socket has this path" in lines[0]
    assert webhook_server.line.refusals.upgrades == {"other": 1}


@pytest.mark.parametrize(
    ("reason", "told"),
    [("sign-in", "sign in again"), ("origin", "HOOKFLASH_PUBLIC_URL"), ("no call", "reload")],
)
async def test_a_listen_socket_that_is_refused_is_logged(
    webhook_server, lines, reason: str, told: str
) -> None:
    async def refuse(socket: WebSocket) -> None:
        await socket.close(1008, reason)

    routes = [WebSocketRoute("/console/calls/{sid}/listen", refuse)]
    webhook_server.app = create_app(webhook_server.calls, webhook_server.line, routes=routes)
    assert await upgraded(webhook_server, "/console/calls/CA1/listen") == ["websocket.close"]
    assert "upgrade of the listen socket /console/calls/CA1/listen" in lines[0]
    assert told in lines[0]
    assert webhook_server.line.refusals.upgrades == {"listen": 1}


async def test_a_socket_that_was_accepted_is_not_refused(webhook_server, lines) -> None:
    async def accept(socket: WebSocket) -> None:
        await socket.accept()
        await socket.close(1011, "failed")

    routes = [WebSocketRoute("/console/calls/{sid}/listen", accept)]
    webhook_server.app = create_app(webhook_server.calls, webhook_server.line, routes=routes)
    await upgraded(webhook_server, "/console/calls/CA1/listen")
    assert (lines, webhook_server.line.refusals.upgrades) == ([], {})


async def test_a_flood_of_upgrades_is_counted_and_not_logged(webhook_server, lines) -> None:
    for _ in range(100):
        await upgraded(webhook_server, "/twilio/media")
    assert len(lines) == 10
    assert webhook_server.line.refusals.upgrades == {"media": 100}


async def test_a_wrong_token_is_counted(webhook_server) -> None:
    assert webhook_server.line.tokens.redeem("CA1", "x") is None
    assert webhook_server.line.tokens.refused == 1
