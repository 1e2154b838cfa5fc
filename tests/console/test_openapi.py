"""The OpenAPI document has every route of the API, with what it takes, answers and refuses."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args

import pytest
from starlette.routing import Route

from hookflash.console import shapes
from hookflash.console.openapi import OPERATIONS, document
from hookflash.console.operations import OperationRoute
from hookflash.core.delivery_retries import DeliveryState

from .conftest import TOKEN, MakeOffice, Office

PAGES = {
    ("GET", "/console"),
    ("GET", "/console/"),
    ("GET", "/console/sign-in"),
    ("GET", "/console/static/{path:path}"),
}
"""These are for people."""

METHODS = {"get", "post", "delete"}
DOCUMENT = document(cookie="hookflash_session")


def operations(described: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (method.upper(), path): operation
        for path, item in described["paths"].items()
        for method, operation in item.items()
        if method in METHODS
    }


async def test_the_document_has_exactly_the_routes_that_are_served(office: Office) -> None:
    served = {
        (method, route.path)
        for route in office.app.routes
        if isinstance(route, Route)
        for method in (route.methods or set()) - {"HEAD"}
    }
    async with office.http_client(Authorization=f"Bearer {TOKEN}") as client:
        answer = await client.get("/api/openapi.json")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert served - PAGES == set(operations(answer.json()))
    assert PAGES <= served


async def test_each_operation_is_the_route_that_is_served_for_it(office: Office) -> None:
    routes = [each for each in office.app.routes if isinstance(each, OperationRoute)]
    assert {route.operation for route in routes} == set(OPERATIONS)
    for route in routes:
        assert route.path == route.operation.path
        assert (route.methods or set()) - {"HEAD"} == {route.operation.method}


async def test_the_document_names_the_prefix_and_the_cookie_of_the_public_url(
    make_office: MakeOffice,
) -> None:
    async with make_office(path="/phone") as office, office.signed_in("vera") as client:
        found = (await client.get("/api/openapi.json")).json()
    assert found["servers"] == [{"url": "/phone"}]
    schemes = found["components"]["securitySchemes"]
    assert schemes["session"]["name"] == "__Host-hookflash_session-phone"


async def test_a_stranger_does_not_get_the_document(office: Office) -> None:
    async with office.http_client() as client:
        assert (await client.get("/api/openapi.json")).status_code == 401


def references(node: object) -> set[str]:
    if isinstance(node, dict):
        own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
        return own.union(*map(references, node.values()))
    if isinstance(node, list):
        return set().union(*map(references, node))
    return set()


def test_each_reference_leads_to_a_schema_and_each_message_of_the_feed_has_one() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    assert references(DOCUMENT) <= {f"#/components/schemas/{name}" for name in schemas}
    assert {each.__name__ for each in get_args(shapes.AnyFeedMessage)} <= set(schemas)


def test_each_operation_has_a_name_of_its_own_and_says_what_it_is_for() -> None:
    found = operations(DOCUMENT)
    assert len({each["operationId"] for each in found.values()}) == len(found)
    for where, operation in found.items():
        assert operation["operationId"].isidentifier(), where
        assert operation["summary"].endswith("."), where


def test_the_retry_names_states_that_a_delivery_can_have() -> None:
    retry = operations(DOCUMENT)["POST", "/api/deliveries/{id}/retry"]
    named = re.findall("`(.*?)`", retry["summary"])
    assert named
    assert set(named) <= set(get_args(DeliveryState))


def test_who_may_ask_is_in_the_document() -> None:
    found = operations(DOCUMENT)
    assert found["GET", "/api/calls"]["security"] == [{"token": []}, {"session": []}]
    assert found["POST", "/api/calls/{sid}/hint"]["security"] == [
        {"token": []},
        {"session": [], "csrf": []},
    ]
    assert found["GET", "/console/feed"]["security"] == [{"session": []}]
    assert found["POST", "/console/sign-in"]["security"] == [{}]


@pytest.mark.parametrize(
    ("where", "statuses"),
    [
        (("GET", "/api/calls"), {200, 400, 401, 404, 503}),
        (("GET", "/api/audit"), {200, 400, 401, 403, 404, 503}),
        (
            ("POST", "/api/calls/{sid}/handoff"),
            {202, 400, 401, 403, 404, 408, 409, 413, 415, 503},
        ),
        (("POST", "/console/sign-in"), {200, 400, 401, 403, 404, 408, 413, 415, 429, 503}),
        (("DELETE", "/api/past/{sid}"), {204, 400, 401, 403, 404, 503}),
        (("GET", "/api/past/{sid}/recording"), {200, 206, 400, 401, 404, 416, 503}),
    ],
)
def test_each_status_is_in_the_document(where: tuple[str, str], statuses: set[int]) -> None:
    assert set(map(int, operations(DOCUMENT)[where]["responses"])) == statuses


def test_the_limits_of_a_parameter_are_those_that_are_checked() -> None:
    (step,) = (
        each
        for each in operations(DOCUMENT)["GET", "/api/figures"]["parameters"]
        if each["name"] == "step"
    )
    assert step["in"] == "query"
    assert step["schema"] == {
        "type": "number",
        "exclusiveMinimum": 0,
        "maximum": 253_402_300_799,
        "default": 86_400.0,
    }


def test_the_page_of_the_api_has_each_operation() -> None:
    page = (Path(__file__).parents[2] / "docs" / "reference" / "console-api.md").read_text()
    for operation in OPERATIONS:
        assert f"`{operation.method} {operation.path}" in page, operation.name
