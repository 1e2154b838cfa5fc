"""Requests that Schemathesis makes up from the OpenAPI document: every answer is as it says.

Each operation is asked in the application itself, on a virtual clock, with a fixed number of valid
and of invalid requests that are the same in every run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from hookflash.console.calls import PlaceForm
from hookflash.console.console import Hooks
from hookflash.console.openapi import DOCUMENT, OPERATIONS, document, query_parameters
from hookflash.console.operations import Operation
from hookflash_local.simulation.loop import VirtualLoop

from .conftest import TOKEN, MakeOffice, Office, detail
from .test_deliveries import left, put
from .test_ended_calls import record

ORIGIN = "https://line.example.test"
COOKIE = "__Host-hookflash_session"
EXAMPLES = 10

ENDLESS = {"follow_calls"}
"""The feed never ends. `test_feed` and `test_bad_requests` ask for it."""

WITHOUT_SUCCESS = {"get_recording", "get_journal", "get_replay", "get_voicemail", "sign_in"}
"""What answers only 404 here, or 401: there is no file in the folder, and nobody's password."""

LIMITED_BY_MORE = {
    "find_ended_calls": "`text` has a word, and `before` is a call that exists",
    "get_table_of_calls": "`text` has a word",
    "list_deliveries": "`before` is a delivery that exists",
    "get_figures": "`since` is before `until`, in at most 1000 steps",
    "post_handoff": "`destination` is one of the agent's",
}
"""Operations that refuse some requests that a schema cannot exclude, and what a request must be."""

CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
]

CONFIG = schemathesis.Config.from_dict({"generation": {"with-security-parameters": False}})
SCHEMA = schemathesis.openapi.from_dict(document(cookie=COOKIE), config=CONFIG)
POSITIVE, NEGATIVE = schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE
ASKED = [each for each in OPERATIONS if each.name not in ENDLESS]


def takes_something(operation: Operation[Any]) -> bool:
    return operation.has_body or "{" in operation.path or any(query_parameters(operation))


@dataclass
class Asker:
    """Somebody who is signed in, and what they ask about: a live call, an ended one, a delivery."""

    office: Office
    client: httpx.AsyncClient
    runner: asyncio.Runner

    def ask(self, case: schemathesis.Case) -> httpx.Response:
        return self.runner.run(self._ask(case))

    async def _ask(self, case: schemathesis.Case) -> httpx.Response:
        await self.office.store.put(record("CA1"))
        self.office.line_calls.add(detail("CA1"))
        # As a real client writes it.
        made = requests.Request(**case.as_transport_kwargs(base_url=ORIGIN)).prepare()
        headers = {name: str(value) for name, value in made.headers.items()}
        assert made.method is not None and made.url is not None
        return await self.client.request(
            made.method, made.url, content=made.body or b"", headers=headers
        )


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        yield runner


@pytest.fixture
def asker(make_office: MakeOffice, runner: asyncio.Runner) -> Iterator[Asker]:
    async def place(order: PlaceForm) -> str:
        return f"CA{order.to}"

    made = make_office(hooks=Hooks(place=place))
    office = runner.run(made.__aenter__())
    runner.run(put(office, left(1), ()))
    signed_in = office.signed_in()
    client = runner.run(signed_in.__aenter__())
    yield Asker(office, client, runner)
    runner.run(signed_in.__aexit__(None, None, None))
    runner.run(made.__aexit__(None, None, None))


def bounded(test: Any) -> Any:
    """Return the test with examples that are few and the same in every run."""
    return settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )(test)


def has_values(case: schemathesis.Case) -> bool:
    """Whether each parameter has a value: one without counts as not given."""
    return "" not in (case.query or {}).values()


def make_it_exist(case: schemathesis.Case) -> None:
    """Name the live call, the ended call or the delivery that there is."""
    for name in case.path_parameters or {}:
        case.path_parameters[name] = {"sid": "CA1", "id": "CA1-callback"}[name]
    if isinstance(case.body, dict) and "destination" in case.body:
        case.body["destination"] = "desk"


@pytest.mark.parametrize("operation", ASKED, ids=lambda each: each.name)
def test_valid_requests_are_answered_as_the_document_says(
    asker: Asker, operation: Operation[Any]
) -> None:
    described = SCHEMA[operation.path][operation.method]
    statuses = set()

    @bounded
    @given(case=described.as_strategy(generation_mode=POSITIVE))
    def ask(case: schemathesis.Case) -> None:
        for exists in (False, True):
            if exists:
                make_it_exist(case)
            answer = asker.ask(case)
            case.validate_response(answer, checks=CHECKS)
            if operation.name not in LIMITED_BY_MORE:
                assert answer.status_code != 400, answer.text
            statuses.add(answer.status_code)

    ask()
    assert operation.name in WITHOUT_SUCCESS or operation.status in statuses


@pytest.mark.parametrize(
    "operation", [each for each in ASKED if takes_something(each)], ids=lambda each: each.name
)
def test_invalid_requests_are_refused_as_the_document_says(
    asker: Asker, operation: Operation[Any]
) -> None:
    described = SCHEMA[operation.path][operation.method]
    refused = 0

    @bounded
    @given(case=described.as_strategy(generation_mode=NEGATIVE).filter(has_values))
    def ask(case: schemathesis.Case) -> None:
        nonlocal refused
        answer = asker.ask(case)
        case.validate_response(answer, checks=CHECKS)
        refused += answer.status_code >= 400

    ask()
    assert refused >= EXAMPLES / 2


def test_the_document_is_an_openapi_document() -> None:
    SCHEMA.validate()


def test_every_operation_is_asked_but_the_feed() -> None:
    assert {each.name for each in OPERATIONS} - {each.name for each in ASKED} == ENDLESS
    assert set(LIMITED_BY_MORE) <= {each.name for each in ASKED}
    assert DOCUMENT in ASKED


def test_a_token_is_answered_as_a_session_is(asker: Asker) -> None:
    async def both() -> list[bytes]:
        async with asker.office.http_client(Authorization=f"Bearer {TOKEN}") as program:
            return [(await each.get("/api/calls")).content for each in (asker.client, program)]

    first, second = asker.runner.run(both())
    assert first == second
