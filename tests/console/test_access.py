"""Who gets in, by which way, and what they may do there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from sqlalchemy import text
from starlette.requests import HTTPConnection
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from hookflash.client_address import ClientAddresses
from hookflash.console import calls as calls_module
from hookflash.console.console import Hooks
from hookflash.server.connection_limits import TRUST
from hookflash.stores.audit import AuditStore

from .conftest import PASSWORD, PEER, TOKEN, VIEWER_TOKEN, MakeOffice, Office, detail

HINT = "/api/calls/CA1/hint"


async def test_a_session_is_a_cookie_that_scripts_and_other_sites_cannot_use(
    office: Office,
) -> None:
    async with office.http_client() as client:
        answer = await client.post("/console/sign-in", json={"name": "anna", "password": PASSWORD})
        assert answer.json() | {"csrf": "", "can": []} == {
            "name": "anna",
            "role": "supervisor",
            "csrf": "",
            "can": [],
            "rings": True,
            "open": False,
            "currency": "EUR",
        }
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith("__Host-hookflash_session=")
        for part in ("HttpOnly", "Secure", "SameSite=strict", "Path=/"):
            assert part in cookie
        assert "Domain" not in cookie
        session = (await client.get("/console/session")).json()
        assert session == answer.json()


async def test_without_https_the_cookie_goes_without_it_too(make_office: MakeOffice) -> None:
    async with (
        make_office(origin="http://127.0.0.1:8080") as office,
        office.http_client() as client,
    ):
        answer = await client.post("/console/sign-in", json={"name": "vera", "password": PASSWORD})
        assert answer.headers["set-cookie"].startswith("hookflash_session=")
        assert "Secure" not in answer.headers["set-cookie"]
        assert "strict-transport-security" not in answer.headers
        assert answer.json()["can"] == []


@pytest.mark.parametrize(
    "given",
    [
        {"name": "anna", "password": "wrong horse battery"},
        {"name": "nobody", "password": PASSWORD},
        {"name": "crm", "password": TOKEN},
    ],
)
async def test_a_wrong_name_and_a_wrong_password_are_answered_alike(
    office: Office, given: dict[str, str]
) -> None:
    async with office.http_client() as client:
        answer = await client.post("/console/sign-in", json=given)
        assert answer.status_code == 401
        assert answer.json() == {
            "code": "sign-in",
            "message": "Wrong name or password.",
        }
        assert "set-cookie" not in answer.headers
        assert (await client.get("/console/session")).status_code == 401


async def test_sign_in_is_accepted_from_our_own_page_only(office: Office) -> None:
    given = {"name": "anna", "password": PASSWORD}
    async with office.http_client() as client:
        elsewhere = await client.post(
            "/console/sign-in", json=given, headers={"Origin": "https://evil.example"}
        )
        assert (elsewhere.status_code, elsewhere.json()["code"]) == (403, "csrf")
        form = await client.post("/console/sign-in", data=given)
        assert form.status_code == 415


async def test_repeated_wrong_passwords_are_throttled(office: Office) -> None:
    async with office.http_client() as client:
        for _ in range(5):
            wrong = {"name": "anna", "password": "guess"}
            assert (await client.post("/console/sign-in", json=wrong)).status_code == 401
        right = {"name": "anna", "password": PASSWORD}
        answer = await client.post("/console/sign-in", json=right)
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
    async with office.signed_in("vera") as other:
        assert (await other.get("/api/calls")).status_code == 200


PROXY = "10.0.0.1"


async def test_behind_a_trusted_proxy_a_stranger_does_not_lock_the_right_password_out(
    make_office: MakeOffice,
) -> None:
    origin = "https://line.example.test"
    clients = ClientAddresses([PROXY], public_url=origin)
    async with make_office(origin=origin, clients=clients) as office:
        for number in range(60):
            wrong = {"name": f"n{number}", "password": "guess"}
            async with office.http_client(PROXY) as proxy:
                await proxy.post(
                    "/console/sign-in", json=wrong, headers={"X-Forwarded-For": "203.0.113.66"}
                )
        right = {"name": "anna", "password": PASSWORD}
        for address in ("203.0.113.66", "203.0.113.7"):
            async with office.http_client(PROXY) as proxy:
                answer = await proxy.post(
                    "/console/sign-in",
                    json=right,
                    # A client that names others itself is still counted by its own address.
                    headers={"X-Forwarded-For": f"198.51.100.{len(address)}, {address}"},
                )
            assert answer.status_code == (429 if address.endswith("66") else 200)
        entries = await AuditStore(office.store.engine).page(action="sign-in")
        assert [entry.peer for entry in entries] == ["203.0.113.7"]


async def test_a_stranger_who_is_no_proxy_cannot_choose_an_address(office: Office) -> None:
    async with office.http_client() as client:
        for number in range(6):
            answer = await client.post(
                "/console/sign-in",
                json={"name": "anna", "password": "guess"},
                headers={
                    "X-Forwarded-For": f"203.0.113.{number}",
                    "Forwarded": f"for=8.8.8.{number}",
                },
            )
    assert answer.status_code == 429
    entries = await AuditStore(office.store.engine).page()
    assert {entry.peer for entry in entries} == {PEER}


async def test_a_proxy_that_is_not_trusted_is_told_once_with_the_setting(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    async with office.http_client("127.0.0.1") as client:
        for _ in range(3):
            await client.post(
                "/console/sign-in",
                json={"name": "anna", "password": "guess"},
                headers={"X-Forwarded-For": "203.0.113.7"},
            )
    told = [each.getMessage() for each in caplog.records if "127.0.0.1" in each.getMessage()]
    assert len(told) == 1
    assert "add it to HOOKFLASH_TRUSTED_PROXIES" in told[0]


async def test_the_addresses_of_one_ipv6_network_are_one_client(office: Office) -> None:
    for number in range(6):
        async with office.http_client(f"2001:db8::{number}") as client:
            answer = await client.post(
                "/console/sign-in", json={"name": "anna", "password": "guess"}
            )
    assert answer.status_code == 429


async def test_many_at_once_do_not_pile_up(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    async def in_a_second(function: Callable[..., object], *args: object) -> object:
        await asyncio.sleep(1)
        return function(*args)

    monkeypatch.setattr(asyncio, "to_thread", in_a_second)
    async with office.http_client() as client:
        answers = await asyncio.gather(
            *(
                client.post("/console/sign-in", json={"name": f"n{number}", "password": "x"})
                for number in range(15)
            )
        )
    assert sorted(answer.status_code for answer in answers) == [401] * 10 + [429] * 5
    assert asyncio.get_running_loop().time() == 10, "one at a time"


async def test_a_session_that_was_signed_out_of_is_over_wherever_its_cookie_is(
    office: Office,
) -> None:
    async with office.signed_in() as client, office.http_client() as thief:
        thief.headers["Cookie"] = "; ".join(f"{k}={v}" for k, v in client.cookies.items())
        assert (await thief.get("/api/calls")).status_code == 200
        assert (await client.post("/console/sign-out")).status_code == 204
        assert (await thief.get("/api/calls")).status_code == 401


async def test_a_session_ends_with_its_time(office: Office) -> None:
    async with office.signed_in() as client:
        office.time.now += 12 * 3600 - 1
        assert (await client.get("/api/calls")).status_code == 200
        office.time.now += 2
        answer = await client.get("/api/calls")
        assert (answer.status_code, answer.json()["code"]) == (401, "sign-in")


async def test_a_change_needs_the_token_of_the_session_and_a_page_of_ours(
    office: Office,
) -> None:
    office.line_calls.add(detail())
    async with office.signed_in() as client, office.signed_in("vera") as vera:
        own = client.headers.pop("X-CSRF-Token")
        for headers in (
            {},
            {"X-CSRF-Token": "x"},
            {"X-CSRF-Token": "é".encode()},
            {"X-CSRF-Token": vera.headers["X-CSRF-Token"]},
            {"X-CSRF-Token": own, "Origin": "https://evil.example"},
            {"X-CSRF-Token": own, "Origin": "null"},
        ):
            answer = await client.post(HINT, json={"text": "x"}, headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (403, "csrf"), headers
        assert office.line_calls.taken == []
        for origin in ("https://line.example.test", office.origin):
            headers = {"X-CSRF-Token": own, "Origin": origin}
            answer = await client.post(HINT, json={"text": "x"}, headers=headers)
            assert answer.status_code == 202


async def test_a_viewer_looks_and_does_nothing(office: Office) -> None:
    office.line_calls.add(detail())
    async with office.signed_in("vera") as client:
        assert (await client.get("/api/calls/CA1")).status_code == 200
        assert (await client.get("/api/past")).status_code == 200
        for method, path in (
            ("POST", HINT),
            ("POST", "/api/calls/CA1/handoff"),
            ("POST", "/api/calls/CA1/hangup"),
            ("DELETE", "/api/past/CA1"),
            ("POST", "/api/deliveries/CA1-message/retry"),
            ("GET", "/api/audit"),
        ):
            answer = await client.request(method, path, json={"text": "x"})
            assert (answer.status_code, answer.json()["code"]) == (403, "role")
    assert office.line_calls.taken == []


async def test_a_program_shows_its_token_and_needs_no_other(office: Office) -> None:
    office.line_calls.add(detail())
    async with office.http_client(Authorization=f"Bearer {TOKEN}") as client:
        assert (await client.post(HINT, json={"text": "x"})).status_code == 202
        # What is for people's pages is not for programs.
        assert (await client.get("/console/session")).status_code == 401
    async with office.http_client(Authorization=f"Bearer {VIEWER_TOKEN}") as client:
        assert (await client.get("/api/calls")).status_code == 200
        assert (await client.post(HINT, json={"text": "x"})).status_code == 403
    for wrong in (f"Bearer {TOKEN}x", "Bearer ", f"Basic {TOKEN}", TOKEN):
        async with office.http_client(Authorization=wrong) as client:
            assert (await client.get("/api/calls")).status_code == 401


async def test_a_wrong_token_is_not_made_good_by_a_session(office: Office) -> None:
    async with office.signed_in() as client:
        answer = await client.get("/api/calls", headers={"Authorization": "Bearer wrong"})
        assert answer.status_code == 401


async def test_without_users_there_is_no_console_until_there_are(
    make_office: MakeOffice,
) -> None:
    async with make_office(users=None) as office, office.http_client() as client:
        for path in ("/console", "/console/sign-in", "/api/calls"):
            assert (await client.get(path)).status_code == 404
        with pytest.raises(WebSocketDisconnect):
            TestClient(office.app).websocket_connect("/console/calls/CA1/listen").__enter__()


async def test_a_removed_user_loses_access_at_once(office: Office) -> None:
    async with office.signed_in() as client:
        office.console.access.people._people = type(office.console.access.people._people)()
        office.console.access.people._looked_at = float("inf")
        assert (await client.get("/api/calls")).status_code == 404


async def test_an_action_that_cannot_be_audited_is_not_done(office: Office) -> None:
    office.line_calls.add(detail())
    async with office.signed_in() as client:
        async with office.store.engine.begin() as connection:
            await connection.execute(text("DROP TABLE audit"))
        answer = await client.post(HINT, json={"text": "x"})
        assert (answer.status_code, answer.json()["code"]) == (503, "unreachable")
        assert office.line_calls.taken == []


async def test_a_socket_that_is_refused_says_why_to_the_log(office: Office) -> None:
    async with office.signed_in() as client:
        cookies = dict(client.cookies)
    # The test client has an event loop of its own, and a database belongs to one.
    office.console.access._audit = _Nothing()
    for given, headers, reason in (
        ({}, {}, "sign-in"),
        (cookies, {"Origin": "https://evil.example"}, "origin"),
        (cookies, {}, "no call"),
    ):
        with pytest.raises(WebSocketDisconnect) as refused:
            listening(office, given, **headers)
        assert refused.value.reason == reason


def listening(office: Office, cookies: dict[str, str], **headers: str) -> str:
    client = TestClient(office.app, base_url=office.origin, cookies=cookies)
    with client.websocket_connect("/console/calls/CA1/listen", headers=headers) as socket:
        return socket.receive_text()


async def test_a_live_call_is_played_to_who_may_hear_it(make_office: MakeOffice) -> None:
    async def play(call_sid: str, socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text(f"the sound of {call_sid}")
        await socket.close()

    async with make_office(hooks=Hooks(listen=play)) as office:
        async with office.signed_in("vera") as client:
            cookies = dict(client.cookies)
            assert (await client.get("/console/session")).json()["can"] == ["listen"]
        # The test client has an event loop of its own, and a database belongs to one.
        office.console.access._audit = _Nothing()
        for call in (None, "CA1"):
            if call is not None:
                office.line_calls.add(detail(call))
                assert listening(office, cookies) == "the sound of CA1"
            with pytest.raises(WebSocketDisconnect):
                listening(office, cookies, origin="https://evil.example")
            with pytest.raises(WebSocketDisconnect):
                listening(office, {})
            if call is None:
                with pytest.raises(WebSocketDisconnect):
                    listening(office, cookies)


async def test_who_has_signed_out_hears_no_more(
    make_office: MakeOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls_module, "RECHECK_SECONDS", 0.05)
    trail = _Nothing()

    async def play(call_sid: str, socket: WebSocket) -> None:
        await socket.accept()
        trail.ended = True
        await asyncio.sleep(30)

    async with make_office(hooks=Hooks(listen=play)) as office:
        office.line_calls.add(detail())
        async with office.signed_in() as client:
            cookies = dict(client.cookies)
        office.console.access._audit = trail
        with pytest.raises(WebSocketDisconnect):
            listening(office, cookies)


class _Nothing:
    """An audit trail that nobody reads."""

    ended = False

    async def session_ended(self, session_id: str) -> bool:
        return self.ended

    async def add(self, entry: object) -> None:
        return


async def test_the_connection_of_who_is_signed_in_is_trusted_and_no_other(office: Office) -> None:
    trusted: list[str] = []

    def connection(token: str) -> HTTPConnection:
        return HTTPConnection(
            {
                "type": "http",
                "path": "/api/calls",
                "query_string": b"",
                "headers": [(b"authorization", f"Bearer {token}".encode())],
                "client": (PEER, 4711),
                "state": {TRUST: lambda: trusted.append(token)},
            }
        )

    assert await office.console.access.principal(connection("guessed"), tokens=True) is None
    assert trusted == []
    assert await office.console.access.principal(connection(TOKEN), tokens=True) is not None
    assert trusted == [TOKEN]
