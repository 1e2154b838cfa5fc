from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Literal, Optional, TypedDict

import msgspec
import pytest

import hookflash
from hookflash import CallContext, ConfigError, ToolError
from hookflash.agents.schema import read_signature


class Size(enum.Enum):
    SMALL = "small"
    LARGE = "large"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


@dataclass
class Person:
    name: str
    age: int = 30


class Address(TypedDict):
    street: str


class Order(msgspec.Struct):
    """An order of ours."""

    number: int
    people: list[Person]


class Tree(msgspec.Struct):
    branches: list[Tree]


class Opaque:
    pass


def properties(function: Callable[..., Any]) -> dict[str, Any]:
    found: dict[str, Any] = read_signature(function, "tool").schema()["properties"]
    return found


def decode(function: Callable[..., Any], arguments: str) -> dict[str, Any]:
    return read_signature(function, "tool").decode(arguments)


# --- the schema -------------------------------------------------------------------------------


def test_simple_types_are_described() -> None:
    def tool(a: str, b: int, c: float, d: bool, e: list[str], f: dict[str, int], g: date) -> None:
        pass

    assert properties(tool) == {
        "a": {"type": "string"},
        "b": {"type": "integer"},
        "c": {"type": "number"},
        "d": {"type": "boolean"},
        "e": {"type": "array", "items": {"type": "string"}},
        "f": {"type": "object", "additionalProperties": {"type": "integer"}},
        "g": {"type": "string", "format": "date"},
    }


def test_choices_are_described() -> None:
    def tool(a: Literal["x", "y"], b: Size, c: Level, d: Literal[1, 2]) -> None:
        pass

    assert properties(tool) == {
        "a": {"type": "string", "enum": ["x", "y"]},
        "b": {"type": "string", "enum": ["large", "small"]},
        "c": {"enum": [1, 2]},
        "d": {"enum": [1, 2]},
    }


def test_what_has_a_default_may_be_left_out() -> None:
    def tool(a: str, b: int = 3, c: str | None = None, d: Optional[int] = 7) -> None:  # noqa: UP045  (both spellings are in use)
        pass

    schema = read_signature(tool, "tool").schema()
    assert schema["required"] == ["a"]
    assert schema["additionalProperties"] is False
    assert schema["properties"]["b"] == {"type": "integer", "default": 3}
    assert schema["properties"]["c"]["anyOf"] == [{"type": "string"}, {"type": "null"}]
    assert schema["properties"]["d"]["default"] == 7


def test_a_default_without_json_form_is_left_to_the_function() -> None:
    def tool(a: Any = Opaque) -> None:
        pass

    assert properties(tool) == {"a": {}}


def test_structured_types_are_written_out_in_place() -> None:
    def tool(order: Order, address: Address) -> None:
        pass

    person = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "age": {"type": "integer", "default": 30}},
        "required": ["name"],
    }
    assert properties(tool) == {
        "order": {
            "description": "An order of ours.",
            "type": "object",
            "properties": {
                "number": {"type": "integer"},
                "people": {"type": "array", "items": person},
            },
            "required": ["number", "people"],
        },
        "address": {
            "type": "object",
            "properties": {"street": {"type": "string"}},
            "required": ["street"],
        },
    }


@pytest.mark.parametrize(
    "docstring",
    [
        """Book a table.

        It is held for a quarter of an hour.

        Args:
            people: How many come.
            day: Which day.
        """,
        """Book a table.

        It is held for a quarter of an hour.

        :param people: How many come.
        :param day: Which day.
        """,
        """Book a table.

        It is held for a quarter of an hour.

        Parameters
        ----------
        people : int
            How many come.
        day : str
            Which day.
        """,
    ],
)
def test_the_docstring_describes_the_tool_and_its_parameters(docstring: str) -> None:
    def book(people: int, day: str, name: str = "") -> None:
        pass

    book.__doc__ = docstring
    signature = read_signature(book, "tool")
    assert signature.description == "Book a table.\n\nIt is held for a quarter of an hour."
    assert signature.parameters["people"].schema["description"] == "How many come."
    assert signature.parameters["day"].schema["description"] == "Which day."
    assert "description" not in signature.parameters["name"].schema


def test_an_annotation_describes_its_parameter_before_the_docstring_does() -> None:
    def tool(
        a: Annotated[str, "The order's number"],
        b: Annotated[str, "The day"] | None = None,
        c: Annotated[int, msgspec.Meta(ge=1, description="How many")] = 1,
        d: Annotated[Person, "Who comes"] = Person("nobody"),  # noqa: B008  (a default of this kind is the test)
    ) -> None:
        """Do it.

        Args:
            a: Not this.
        """

    found = properties(tool)
    assert found["a"] == {"type": "string", "description": "The order's number"}
    assert found["b"]["description"] == "The day"
    assert found["c"] == {
        "type": "integer",
        "minimum": 1,
        "description": "How many",
        "default": 1,
    }
    assert found["d"]["description"] == "Who comes"
    assert found["d"]["default"] == {"name": "nobody", "age": 30}


def test_a_function_without_parameters_has_an_empty_schema() -> None:
    def tool() -> None:
        pass

    assert read_signature(tool, "tool").schema() == {
        "type": "object",
        "properties": {},
        "required": [],
        "additionalProperties": False,
    }


# --- the context ------------------------------------------------------------------------------


def test_the_context_is_not_in_the_schema() -> None:
    def tool(context: CallContext, day: str) -> None:
        pass

    signature = read_signature(tool, "tool")
    assert signature.context_parameter == "context"
    assert list(signature.parameters) == ["day"]


def test_the_context_is_known_however_it_is_annotated() -> None:
    def qualified(call: hookflash.CallContext) -> None:
        pass

    def optional(call: CallContext | None = None) -> None:
        pass

    def annotated(call: Annotated[CallContext, "this call"]) -> None:
        pass

    for function in (qualified, optional, annotated):
        signature = read_signature(function, "tool")
        assert signature.context_parameter == "call"
        assert signature.parameters == {}


def test_the_context_is_known_where_it_is_imported_for_type_checking_alone() -> None:
    namespace: dict[str, Any] = {}
    source = "from __future__ import annotations\ndef tool(call: CallContext, day: str): ..."
    exec(source, namespace)
    assert read_signature(namespace["tool"], "tool").context_parameter == "call"


def test_one_context_is_enough() -> None:
    def tool(a: CallContext, b: CallContext) -> None:
        pass

    with pytest.raises(ConfigError, match="both 'a' and 'b' take the CallContext"):
        read_signature(tool, "tool")


# --- what cannot be described -----------------------------------------------------------------


def test_parameters_that_a_model_cannot_fill_in_are_refused() -> None:
    def many(*days: str) -> None:
        pass

    def any_(**days: str) -> None:
        pass

    def positional(day: str, /) -> None:
        pass

    def bare(day) -> None:  # type: ignore[no-untyped-def]  # the mistake is the test
        pass

    def opaque(day: Opaque) -> None:
        pass

    def recursive(tree: Tree) -> None:
        pass

    for function, complaint in (
        (many, r"shop: \*days.* cannot be described to a model; name each parameter"),
        (any_, r"shop: \*\*days.* cannot be described to a model"),
        (positional, "shop: parameter 'day' is positional-only"),
        (bare, "shop: parameter 'day' has no annotation; .* `day: str`"),
        (opaque, "shop: parameter 'day' has no JSON form .*Opaque"),
        (recursive, "shop: parameter 'tree': type Tree contains itself"),
    ):
        with pytest.raises(ConfigError, match=complaint):
            read_signature(function, "shop")


def test_an_annotation_that_cannot_be_resolved_is_refused() -> None:
    namespace: dict[str, Any] = {}
    exec(
        "def missing(day: 'Weekday'): ...\ndef broken(day: 'not ('): ...\n"
        "import datetime\ndef wrong(day: 'datetime.day'): ...",
        namespace,
    )
    with pytest.raises(ConfigError, match="'Weekday' is not defined.*top level of the file"):
        read_signature(namespace["missing"], "shop")
    for name in ("broken", "wrong"):
        with pytest.raises(ConfigError, match="shop: its annotations cannot be read"):
            read_signature(namespace[name], "shop")


# --- decoding ---------------------------------------------------------------------------------


def test_arguments_become_values_of_the_functions_types() -> None:
    def tool(size: Size, order: Order, day: date, note: str = "") -> None:
        pass

    text = '{"size":"small","order":{"number":7,"people":[{"name":"Ann"}]},"day":"2027-03-01"}'
    assert decode(tool, text) == {
        "size": Size.SMALL,
        "order": Order(number=7, people=[Person("Ann")]),
        "day": date(2027, 3, 1),
    }


def test_plain_values_are_converted_leniently() -> None:
    def tool(a: int, b: float, c: bool, d: int | None = 1, e: str | None = None) -> None:
        pass

    text = '{"a":"5","b":"1.5","c":"true","d":"null","e":"null"}'
    assert decode(tool, text) == {"a": 5, "b": 1.5, "c": True, "d": None, "e": "null"}


def test_no_arguments_at_all_are_an_empty_object() -> None:
    def tool(day: str = "today") -> None:
        pass

    assert decode(tool, "") == {}
    assert decode(tool, "{}") == {}


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ('{"people":"two","size":"huge"}', 'people: Expected int, got str ("two")'),
        ('{"people":2.5,"size":"small"}', "people: Expected int, got float (2.5)"),
        ('{"people":2,"size":"huge"}', 'size: expected one of large, small, got "huge"'),
        ('{"people":2}', "size: missing"),
        (
            '{"people":2,"size":"small","dog":true}',
            "dog: there is no such argument (arguments: people, size)",
        ),
        ("[1]", "must be a JSON object, but [1] came"),
        ('{"people":2', "not valid JSON"),
    ],
)
def test_wrong_arguments_are_explained_to_the_model(arguments: str, text: str) -> None:
    def book(people: int, size: Size) -> None:
        pass

    with pytest.raises(ToolError) as caught:
        decode(book, arguments)
    assert text in str(caught.value)


def test_all_that_is_wrong_is_said_at_once() -> None:
    def book(people: int, size: Size, day: str) -> None:
        pass

    with pytest.raises(ToolError) as caught:
        decode(book, '{"people":null,"size":1,"dog":1}')
    assert [str(caught.value).count(name) for name in ("people:", "size:", "day:", "dog:")] == [
        1,
        1,
        1,
        1,
    ]


def test_a_long_wrong_value_is_not_repeated_in_full() -> None:
    def book(people: int) -> None:
        pass

    with pytest.raises(ToolError) as caught:
        decode(book, '{"people":"' + "x" * 5000 + '"}')
    assert len(str(caught.value)) < 200
