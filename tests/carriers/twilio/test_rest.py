"""The REST side against a small server that misbehaves on demand."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from urllib.parse import parse_qsl

import pytest

from hookflash.carriers.twilio import rest
from hookflash.carriers.twilio.rest import TwilioControl
from hookflash.core.commands import HangUp, Instruction, RingHuman, Speak
from hookflash.core.handoff_plan import Target
from hookflash.errors import CarrierError, ConfigError

ACCOUNT = "AC00000000000000000000000000000000"
CALL = "CA22222222222222222222222222222222"
NUMBERLESS = Target.phone("+15550188")
"""A human for whom there is no number of ours."""
Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


def replies(status: int, /, **body: object) -> Answer:
    return raw(status, json.dumps(body).encode())


def raw(status: int, body: bytes, headers: bytes = b"") -> Answer:
    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(
            b"HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%s\r\n"
            % (status, len(body), headers)
            + body
        )
        await writer.drain()

    return answer


async def breaks(writer: asyncio.StreamWriter) -> None:
    writer.close()


async def hangs(writer: asyncio.StreamWriter) -> None:
    await writer.drain()


class Twilio:
    """Answers each request with the next of `answers`, and writes down what was asked."""

    def __init__(self, answers: Sequence[Answer]) -> None:
        self.answers = list(answers)
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.bodies: list[str] = []
        self.connections: list[asyncio.Task[None]] = []

    def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections.append(asyncio.create_task(self.serve(reader, writer)))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                fields = dict(
                    line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line
                )
                body = await reader.readexactly(int(fields.get("content-length", "0")))
                method, path, _ = head.split(" ", 2)
                assert method == ("GET" if path.endswith("RE1.wav") else "POST")
                authorization = next(
                    line.split(": ", 1)[1]
                    for line in head.split("\r\n")
                    if line.lower().startswith("authorization")
                )
                self.bodies.append(body.decode())
                self.requests.append((path, authorization, dict(parse_qsl(body.decode()))))
                await self.answers.pop(0)(writer)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


class InstructionWriter:
    """Writes short documents, and the fields that a test wants."""

    def for_rest(self, call_sid: str, instructions: Sequence[Instruction]) -> str:
        return f"<Response>{call_sid} {len(instructions)}</Response>"

    def ring_request(self, call_sid: str, what: RingHuman) -> dict[str, str | list[str]]:
        if what.caller_id is None and what.target == NUMBERLESS:
            raise ConfigError("no number of ours")
        shown = {"From": what.caller_id} if what.caller_id else {}
        return {
            "To": what.target.address,
            **shown,
            "StatusCallbackEvent": ["ringing", "completed"],
        }


@contextlib.asynccontextmanager
async def control(*answers: Answer) -> AsyncIterator[tuple[TwilioControl, Twilio]]:
    twilio = Twilio(answers)
    server = await asyncio.start_server(twilio.connected, "127.0.0.1", 0)
    made = TwilioControl(
        account_sid=ACCOUNT,
        auth_token="secret",
        api_url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/",
        writer=InstructionWriter(),
        pause_seconds=0,
    )
    try:
        yield made, twilio
    finally:
        await made.aclose()
        server.close()
        await asyncio.gather(*twilio.connections)
        await server.wait_closed()


async def refused(made: TwilioControl, seconds: float = 5) -> CarrierError:
    with pytest.raises(CarrierError) as caught:
        await made.move(CALL, (HangUp(),), seconds=seconds)
    return caught.value


OK = replies(200, sid=CALL, status="in-progress")


async def test_move_posts_the_rendered_document_with_basic_authentication() -> None:
    async with control(OK) as (made, twilio):
        await made.move(CALL, (Speak("x"), HangUp()), seconds=5)
    assert twilio.requests == [
        (
            f"/2010-04-01/Accounts/{ACCOUNT}/Calls/{CALL}.json",
            "Basic QUMwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDpzZWNyZXQ=",
            {"Twiml": f"<Response>{CALL} 2</Response>"},
        )
    ]


async def test_end_completes_the_call() -> None:
    async with control(OK) as (made, twilio):
        await made.end(CALL)
    assert [fields for *_, fields in twilio.requests] == [{"Status": "completed"}]


async def test_a_call_sid_cannot_reach_another_resource() -> None:
    async with control(OK) as (made, twilio):
        await made.end("CA1/../../x?y")
    assert twilio.requests[0][0].endswith("/Calls/CA1%2F..%2F..%2Fx%3Fy.json")


@pytest.mark.parametrize(("status", "code"), [(400, 21220), (404, 20404)])
async def test_a_call_that_is_over_is_gone_and_not_tried_again(status: int, code: int) -> None:
    async with control(replies(status, code=code, message="over", status=status)) as (made, twilio):
        error = await refused(made)
    assert (error.gone, error.retryable, error.status, error.carrier_code) == (
        True,
        False,
        status,
        code,
    )
    assert len(twilio.requests) == 1


@pytest.mark.parametrize("bad", [replies(500, code=20500), replies(429, code=20429)])
async def test_a_passing_failure_is_tried_once_more(bad: Answer) -> None:
    async with control(bad, OK) as (made, twilio):
        await made.move(CALL, (HangUp(),), seconds=5)
    assert len(twilio.requests) == 2
    assert twilio.requests[0] == twilio.requests[1]


@pytest.mark.parametrize(
    ("bad", "status", "code"),
    [
        (replies(500, code=20500, message="oops"), 500, 20500),
        (replies(429, code=20429), 429, 20429),
        (raw(503, b"<html>"), 503, None),
        (raw(502, b"[" * 50_000), 502, None),
        (replies(500, code="x", message=None), 500, None),
    ],
)
async def test_a_failure_that_stays_is_told_after_two_attempts(
    bad: Answer, status: int | None, code: int | None
) -> None:
    async with control(bad, bad) as (made, twilio):
        error = await refused(made)
    assert (error.status, error.carrier_code, error.retryable, error.gone) == (
        status,
        code,
        True,
        False,
    )
    assert len(twilio.requests) == 2


async def test_a_refusal_for_good_is_told_at_once() -> None:
    async with control(replies(401, code=20003, message="Authenticate")) as (made, _):
        error = await refused(made)
    assert (error.status, error.retryable, error.gone) == (401, False, False)
    assert "TWILIO_AUTH_TOKEN" in str(error)
    async with control(raw(404, b"no such page")) as (made, _):
        error = await refused(made)
    assert (error.status, error.gone) == (404, False)


@pytest.mark.parametrize("answers", [(hangs,), (replies(500), hangs)])
async def test_the_deadline_is_kept_whatever_happens(answers: tuple[Answer, ...]) -> None:
    loop = asyncio.get_running_loop()
    async with control(*answers) as (made, twilio):
        begun = loop.time()
        error = await refused(made, seconds=0.3)
        assert 0.25 < loop.time() - begun < 2
    assert "within 0.3 s" in str(error)
    assert error.retryable
    assert error.status is None
    assert len(twilio.requests) == len(answers)


async def test_nobody_at_the_address_is_told_within_the_time() -> None:
    async with control() as (made, _):
        pass
    made = TwilioControl(
        account_sid=ACCOUNT,
        auth_token="secret",
        api_url="http://127.0.0.1:1",
        writer=InstructionWriter(),
        pause_seconds=0,
    )
    error = await refused(made)
    assert (error.status, error.retryable) == (None, True)
    assert "could not be reached" in str(error)
    await made.aclose()


# --- ringing a human ----------------------------------------------------------------------------

LEG = "CA33333333333333333333333333333333"
RING = RingHuman(1, 0, Target.phone("+15550177"), 20)
PLACED = replies(201, sid=LEG, status="queued")


async def test_ringing_places_a_call_and_tells_its_leg() -> None:
    async with control(PLACED) as (made, twilio):
        assert await made.ring(CALL, RING, seconds=5) == LEG
    assert twilio.requests[0][0] == f"/2010-04-01/Accounts/{ACCOUNT}/Calls.json"
    assert twilio.bodies == [
        "To=%2B15550177&StatusCallbackEvent=ringing&StatusCallbackEvent=completed"
    ]


@pytest.mark.parametrize("bad", [breaks, hangs])
async def test_a_move_is_not_ordered_again_where_it_may_have_been_done(bad: Answer) -> None:
    async with control(bad, OK) as (made, twilio):
        with pytest.raises(CarrierError):
            await made.move(CALL, (HangUp(),), seconds=0.3)
    assert len(twilio.requests) == 1


@pytest.mark.parametrize("bad", [replies(500, code=20500), replies(503), breaks, hangs])
async def test_a_human_is_not_rung_again_where_it_may_have_been_done(bad: Answer) -> None:
    async with control(bad, PLACED) as (made, twilio):
        with pytest.raises(CarrierError):
            await made.ring(CALL, RING, seconds=0.3)
    assert len(twilio.requests) == 1


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (b"", None),
        (b"Retry-After: 7\r\n", 7.0),
        (b"Retry-After: Mon, 30 Nov 2026 09:00:00 GMT\r\n", None),
        (b"Retry-After: -1\r\n", None),
    ],
)
async def test_a_429_is_raised_with_the_time_to_wait(header: bytes, seconds: float | None) -> None:
    async with control(raw(429, b'{"code": 20429}', header)) as (made, twilio):
        with pytest.raises(CarrierError) as caught:
            await made.ring(CALL, RING, seconds=5)
    assert (caught.value.status, caught.value.retry_after) == (429, seconds)
    assert len(twilio.requests) == 1


SHOWS_CALLER = RingHuman(1, 0, Target.phone("+15550177"), 20, "caller")


@pytest.mark.parametrize("code", [21210, 21212])
async def test_a_number_that_twilio_does_not_show_gives_way_to_our_own_once(
    code: int, caplog: pytest.LogCaptureFixture
) -> None:
    message = "The source phone number provided, +15550142, is not yet verified"
    refusal = replies(400, code=code, message=message)
    async with control(refusal, PLACED) as (made, twilio):
        assert await made.ring(CALL, SHOWS_CALLER, seconds=5) == LEG
    assert [fields.get("From") for *_, fields in twilio.requests] == ["caller", None]
    assert str(code) in caplog.text and "15550142" not in caplog.text
    async with control(refusal, refusal) as (made, twilio):
        with pytest.raises(CarrierError) as caught:
            await made.ring(CALL, SHOWS_CALLER, seconds=5)
    assert caught.value.carrier_code == code
    assert len(twilio.requests) == 2


@pytest.mark.parametrize(
    ("what", "code"),
    [
        (RING, 21210),
        (RingHuman(1, 0, NUMBERLESS, 20, "caller"), 21210),
        (SHOWS_CALLER, 21211),
    ],
    ids=["it was our own", "there is none of ours", "another reason"],
)
async def test_an_order_that_our_own_number_cannot_save_is_refused(
    what: RingHuman, code: int
) -> None:
    async with control(replies(400, code=code)) as (made, twilio):
        with pytest.raises(CarrierError) as caught:
            await made.ring(CALL, what, seconds=5)
    assert caught.value.carrier_code == code
    assert len(twilio.requests) == 1


async def test_both_orders_are_given_within_the_time_of_one() -> None:
    async with control(replies(400, code=21210), hangs) as (made, twilio):
        began = asyncio.get_running_loop().time()
        with pytest.raises(CarrierError, match="within 0.3 s"):
            await made.ring(CALL, SHOWS_CALLER, seconds=0.3)
        assert asyncio.get_running_loop().time() - began == pytest.approx(0.3)
    assert len(twilio.requests) == 2


async def test_nobody_at_the_address_is_asked_twice_and_has_rung_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", "hookflash.call")
    made = TwilioControl(
        account_sid=ACCOUNT,
        auth_token="secret",
        api_url="http://127.0.0.1:1",
        writer=InstructionWriter(),
        pause_seconds=0,
    )
    with pytest.raises(CarrierError, match="could not be reached"):
        await made.ring(CALL, RING, seconds=5)
    assert "; retry" in caplog.text
    await made.aclose()


async def test_a_human_who_cannot_be_rung_is_told_with_its_reason() -> None:
    refusal = replies(400, code=21211, message="invalid To")
    async with control(refusal) as (made, twilio):
        with pytest.raises(CarrierError, match="invalid To") as caught:
            await made.ring(CALL, RING, seconds=5)
    assert (caught.value.status, caught.value.carrier_code) == (400, 21211)
    assert len(twilio.requests) == 1


@pytest.mark.parametrize("body", [b"", b"{}", b"<html>", b'{"sid": 7}', b"[" * 50_000])
async def test_a_call_that_was_placed_without_a_name_is_an_error(body: bytes) -> None:
    async with control(raw(201, body)) as (made, _):
        with pytest.raises(CarrierError, match="did not say which"):
            await made.ring(CALL, RING, seconds=5)


@pytest.mark.parametrize("answer", [OK, replies(404, code=20404), replies(400, code=21220)])
async def test_ending_a_leg_completes_it_and_one_that_is_over_is_no_error(answer: Answer) -> None:
    async with control(answer) as (made, twilio):
        await made.end_leg(LEG)
    assert twilio.requests[0][2] == {"Status": "completed"}


async def test_a_call_is_limited_and_goes_on_with_what_it_does() -> None:
    async with control(OK) as (made, twilio):
        await made.limit(CALL, 7350)
    path, _, fields = twilio.requests[0]
    assert path.endswith(f"/Calls/{CALL}.json")
    assert fields == {"TimeLimit": "7350"}


async def test_a_recording_is_paused_and_resumed() -> None:
    async with control(OK, OK) as (made, twilio):
        assert await made.pause_recording(CALL, paused=True)
        assert await made.pause_recording(CALL, paused=False)
    assert {path.partition("/Calls/")[2] for path, _, _ in twilio.requests} == {
        f"{CALL}/Recordings/Twilio.CURRENT.json"
    }
    assert [fields for _, _, fields in twilio.requests] == [
        {"Status": "paused", "PauseBehavior": "silence"},
        {"Status": "in-progress"},
    ]


async def test_a_call_that_nobody_records_is_no_error() -> None:
    async with control(replies(404, code=20404)) as (made, _):
        assert not await made.pause_recording(CALL, paused=True)


async def test_a_recording_is_read_from_the_api_and_from_nowhere_else() -> None:
    async with control(raw(200, b"RIFF")) as (made, twilio):
        ours = str(made._client.base_url).rstrip("/")
        assert await made.recording(f"{ours}/2010-04-01/Accounts/{ACCOUNT}/Recordings/RE1") == (
            b"RIFF"
        )
        with pytest.raises(CarrierError, match=r"at 127\.0\.0\.1 .*, got one at evil\.example"):
            await made.recording("https://evil.example/RE1")
        with pytest.raises(CarrierError, match="expected the address of a recording"):
            await made.recording("http://[::1")
    assert [path for path, _, _ in twilio.requests] == [
        f"/2010-04-01/Accounts/{ACCOUNT}/Recordings/RE1.wav"
    ]


@pytest.mark.parametrize("bad", [replies(404, code=20404), breaks])
async def test_a_recording_that_cannot_be_read_is_told(bad: Answer) -> None:
    async with control(bad) as (made, _):
        with pytest.raises(CarrierError, match="Twilio"):
            await made.recording(f"{str(made._client.base_url).rstrip('/')}/RE1")


async def test_a_recording_that_is_too_long_is_not_read_to_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rest, "RECORDING_BYTES", 3)
    async with control(raw(200, b"RIFF")) as (made, _):
        with pytest.raises(CarrierError, match="longer than 3 bytes"):
            await made.recording(f"{str(made._client.base_url).rstrip('/')}/RE1")


async def test_a_recording_that_cannot_be_paused_is_told() -> None:
    async with control(replies(500), replies(500)) as (made, twilio):
        with pytest.raises(CarrierError):
            await made.pause_recording(CALL, paused=True)
    assert len(twilio.requests) == 2


async def test_a_leg_that_cannot_be_ended_is_told() -> None:
    async with control(replies(500), replies(500)) as (made, twilio):
        with pytest.raises(CarrierError):
            await made.end_leg(LEG)
    assert len(twilio.requests) == 2
