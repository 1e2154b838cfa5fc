"""What is not as the API expects is a 400 with a sentence: what was expected, and what came."""

from __future__ import annotations

import pytest

from .conftest import TOKEN, Office, detail

YEAR_9999 = 253_402_300_799
SECONDS = f"seconds since 1970: a number from 0 to {YEAR_9999}"
LONG = "x" * 300
NUL = "no NUL"


@pytest.mark.parametrize(
    ("address", "name", "expected", "came"),
    [
        ("/api/figures?since=-inf", "since", SECONDS, "'-inf'"),
        ("/api/figures?since=nan", "since", SECONDS, "'nan'"),
        ("/api/figures?until=1e400", "until", SECONDS, "'1e400'"),
        ("/api/figures?since=-1", "since", SECONDS, "'-1'"),
        ("/api/figures?since=null", "since", SECONDS, "'null'"),
        ("/api/figures?step=inf", "step", "a number above 0", "'inf'"),
        ("/api/figures?step=0", "step", "a number above 0", "'0'"),
        ("/api/figures?since=0&until=100000&step=1", "step", "at most 1000 steps", "100000"),
        ("/api/figures?since=5&until=5", "since", "must be before until", "got 5 and 5"),
        ("/api/past?since=nan", "since", SECONDS, "'nan'"),
        ("/api/past?before=zzz", "before", "the `next` of the previous page", "'zzz'"),
        ("/api/past?before=%00", "before", "an identifier", "'\\x00'"),
        ("/api/past?digits=%25_", "digits", "the last digits of the caller's number", "'%_'"),
        ("/api/past?digits=%D9%A1", "digits", "the last digits", "'١'"),
        ("/api/past?text=%00", "text", "words that were said", "'\\x00'"),
        ("/api/past?text=brake%00", "text", "words that were said", "'brake\\x00'"),
        ("/api/past?text=--", "text", "with a letter or digit among them", "'--'"),
        ("/api/past?agent=%00", "agent", NUL, "'\\x00'"),
        ("/api/past?destination=%00", "destination", NUL, "'\\x00'"),
        (f"/api/past?agent={LONG}", "agent", "at most 200 characters", "xxx..."),
        ("/api/past?disposition=won", "disposition", "one of handled_by_agent", "'won'"),
        ("/api/past?limit=201", "limit", "a whole number from 1 to 200", "'201'"),
        ("/api/past?limit=1.5", "limit", "a whole number from 1 to 200", "'1.5'"),
        ("/api/past?limit=" + "9" * 60, "limit", "a whole number from 1 to 200", "'999"),
        ("/api/past?limit=1&limit=2", "limit", "one value", "several"),
        ("/api/past?colour=red", "colour", "expected text, digits, disposition", "'colour'"),
        ("/api/audit?before=9223372036854775808", "before", "from 1 to 2147483647", "'922"),
        ("/api/audit?before=2147483648", "before", "from 1 to 2147483647", "'2147483648'"),
        ("/api/audit?before=null", "before", "from 1 to 2147483647", "'null'"),
        ("/api/audit?who=%00", "who", NUL, "'\\x00'"),
        ("/api/audit?action=%00", "action", NUL, "'\\x00'"),
        ("/api/audit?call=%00", "call", "an identifier", "'\\x00'"),
        ("/api/deliveries?state=lost", "state", "one of waiting, delivered", "'lost'"),
        ("/api/deliveries?before=zzz", "before", "the `next` of the previous page", "'zzz'"),
        ("/api/deliveries?call=%00", "call", "an identifier", "'\\x00'"),
        ("/api/calls?live=1", "live", "expected no parameters", "'live'"),
        ("/api/calls/%00", "sid", "an identifier", "'\\x00'"),
        ("/api/past/%00", "sid", "an identifier", "'\\x00'"),
        ("/api/past/CA%20/recording", "sid", "an identifier", "'CA '"),
        (f"/api/past/{LONG}", "sid", "an identifier", "xxx..."),
        ("/api/openapi.json?v=3", "v", "expected no parameters", "'v'"),
    ],
)
async def test_a_bad_query_or_path_is_refused_with_what_was_expected_and_what_came(
    office: Office, address: str, name: str, expected: str, came: str
) -> None:
    async with office.http_client(Authorization=f"Bearer {TOKEN}") as client:
        answer = await client.get(address)
    fault = answer.json()
    assert (answer.status_code, fault["code"]) == (400, "request")
    assert name in fault["message"]
    assert expected in fault["message"]
    assert came in fault["message"]
    assert len(fault["message"]) < 500


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("/console/feed?after=zzz", "after"),
        ("/console/feed?call=%00", "call"),
        ("/console/feed?other=1", "other"),
        ("/console/session?name=anna", "name"),
    ],
)
async def test_so_is_one_of_a_page(office: Office, address: str, name: str) -> None:
    async with office.signed_in() as client:
        answer = await client.get(address)
    assert (answer.status_code, answer.json()["code"]) == (400, "request")
    assert name in answer.json()["message"]


DEEP = b"[" * 30_000
WRONG_BODIES = [
    (b"", "Expected a body of JSON"),
    (b"{", "Expected a body of JSON"),
    (b"nul", "Expected a body of JSON"),
    (b"\xff", "Expected a body of JSON"),
    (b'{"text": "\xff"}', "Expected a body of JSON"),
    (b"[]", "Expected a JSON object with text, got []."),
    (b"7", "Expected a JSON object with text, got 7."),
    (DEEP, "[[["),
    (b'{"text": ' + DEEP, "text"),
    (b'{"more": ' + DEEP, "more"),
    (b"{}", "text: expected a text of 1 to 1000 characters, no NUL, and it is missing."),
    (b'{"text": ""}', 'text: expected a text of 1 to 1000 characters, no NUL, got "".'),
    (b'{"text": 3}', "text: expected a text of 1 to 1000 characters, no NUL, got 3."),
    (b'{"text": null}', "got null."),
    (b'{"text": "a\\u0000b"}', 'got "a\\u0000b".'),
    (b'{"text": "\\ud800"}', "Expected a body of JSON"),
    (b'{"text": "' + b"x" * 1001 + b'"}', "xxx...."),
    (b'{"text": "x", "more": 1}', "'more' is not a field here; expected text."),
]


@pytest.mark.parametrize(("body", "message"), WRONG_BODIES, ids=range(len(WRONG_BODIES)))
async def test_a_bad_body_is_refused_with_what_was_expected_and_what_came(
    office: Office, body: bytes, message: str
) -> None:
    office.line_calls.add(detail())
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    async with office.http_client(**headers) as client:
        answer = await client.post("/api/calls/CA1/hint", content=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "request"), answer.text
    assert message in answer.json()["message"]
    assert len(answer.json()["message"]) < 500
    assert office.line_calls.taken == []


async def test_a_password_is_never_shown(office: Office) -> None:
    for password in (["hunter2"], "", "hunter2" * 200):
        async with office.http_client() as client:
            answer = await client.post(
                "/console/sign-in", json={"name": "anna", "password": password}
            )
        assert answer.status_code == 400
        assert answer.json()["message"] == (
            "password: expected a text of 1 to 1000 characters, got another value."
        )


@pytest.mark.parametrize("wanted", ["bytes=", "bytes=x-y", "lines=1-2", "bytes=0-1,2-3", "0-5"])
async def test_a_bad_range_is_refused(office: Office, wanted: str) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}", "Range": wanted}
    async with office.http_client(**headers) as client:
        answer = await client.get("/api/past/CA1/recording")
    assert answer.status_code == 400
    assert "Range: expected bytes=FIRST-LAST" in answer.json()["message"]
