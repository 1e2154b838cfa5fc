"""The page of the Python API has every public name, field and method, and each is described."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import griffe
import msgspec
import pytest
from tests.programs import ROOT, load

import hookflash
from hookflash.settings import SETTINGS

PAGE = (ROOT / "docs" / "reference" / "python.md").read_text()
NAMES = [name for name in hookflash.__all__ if name != "__version__"]


@pytest.fixture(scope="module")
def api() -> Any:
    return load("scripts/python_api.py")


def part(name: str) -> str:
    """Return what the page says about one public name."""
    written = name.replace("_", r"\_")
    found = re.search(rf"^### {re.escape(written)}\n(.*?)(?=^###? |\Z)", PAGE, re.M | re.S)
    assert found, f"{name} has no heading on the page"
    return found[1]


def test_the_page_has_the_public_names_and_no_others() -> None:
    headings = re.findall(r"^### (\S+)$", PAGE, re.M)
    assert sorted(each.replace("\\", "") for each in headings) == sorted(hookflash.__all__)


@pytest.mark.parametrize("name", NAMES)
def test_each_field_is_on_the_page_with_its_type_and_meaning(name: str) -> None:
    value = getattr(hookflash, name)
    if isinstance(value, type) and issubclass(value, msgspec.Struct):
        fields = set(value.__struct_fields__)
    elif value is hookflash.Settings:
        fields = {f"{each.section}.{each.name}" for each in SETTINGS if not each.hidden}
    else:
        pytest.fail(f"{name} is a new kind of value") if not _is_plain(value) else None
        return
    rows = re.findall(r"^\| `([\w.]+)` \| (`.+?`) \| (.+?) \| (.+?) \|$", part(name), re.M)
    assert {row[0] for row in rows} == fields


def _is_plain(value: object) -> bool:
    """Say whether a name has no fields: a class with methods, an error, or a type of words."""
    return isinstance(value, type) or inspect.isfunction(value) or "Literal" in repr(value)


@pytest.mark.parametrize("name", NAMES)
def test_each_parameter_of_a_function_is_on_the_page(name: str) -> None:
    value = getattr(hookflash, name)
    if inspect.isfunction(value):
        parameters = set(inspect.signature(value).parameters)
        assert {each for each in parameters if f"`{each}`" not in part(name)} == set()


@pytest.mark.parametrize("name", NAMES)
def test_each_method_that_users_call_is_on_the_page(api: Any, name: str) -> None:
    value = getattr(hookflash, name)
    if not isinstance(value, type) or issubclass(value, Exception):
        return
    methods = {
        member
        for member, found in inspect.getmembers(value)
        if not member.startswith("_")
        and (inspect.isroutine(found) or isinstance(found, property))
        and "hookflash" in (getattr(found, "__module__", None) or found.fget.__module__)
    }
    shown = set(re.findall(rf"^#### {name}\.(\w+)$", part(name), re.M))
    assert shown == methods - api.OF_THE_SERVER.get(name, set())


@pytest.mark.parametrize("name", NAMES)
def test_each_parameter_is_on_the_page(name: str) -> None:
    value = getattr(hookflash, name)
    is_value = isinstance(value, type) and issubclass(value, msgspec.Struct | hookflash.Settings)
    if not is_value and "__init__" in vars(value):
        parameters = set(inspect.signature(value).parameters)
        assert {each for each in parameters if not re.search(rf"\b{each}\b", part(name))} == set()


def described(api: Any, source: str) -> str:
    with griffe.temporary_visited_package("sample", {"__init__.py": source}) as package:
        return str(api.section(package, "Samples", ("Sample",)))


def test_a_struct_is_a_table_of_its_fields(api: Any) -> None:
    text = described(
        api,
        """
from typing import Annotated, Literal
import msgspec
from msgspec import Meta

Mode = Literal["a", "b"]
Size = Annotated[int, Meta(ge=1)]

class Sample(msgspec.Struct, frozen=True, kw_only=True):
    '''A sample.'''

    mode: Mode
    '''How.'''
    size: Size | None = 3
    '''How many.'''
    text: str | None = None
    '''What.

    More of it.
    '''
""",
    )
    assert "given by keyword" in text
    assert "| `mode` | `Literal['a', 'b']` | required | How. |" in text
    assert "| `size` | `int \\| None` | `3` | How many. |" in text
    assert "| `text` | `str \\| None` | `None` | What. |" in text
    assert "`text`:\n\nMore of it." in text


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("class Sample:\n    pass", "sample.Sample has no docstring"),
        (
            "import msgspec\nclass Sample(msgspec.Struct):\n    '''Sized.'''\n    size: int",
            "sample.Sample.size has no docstring",
        ),
        (
            "class Sample:\n    '''A sample.'''\n    def __init__(self, size): pass",
            "does not explain `size`",
        ),
        ("Sample = 1", "sample.Sample has no docstring"),
    ],
)
def test_what_is_not_described_is_an_error(api: Any, source: str, complaint: str) -> None:
    with pytest.raises(api.Undocumented, match=complaint):
        described(api, source)


def test_a_public_name_without_a_group_is_an_error(api: Any) -> None:
    with pytest.raises(api.Undocumented, match="Telephone"):
        api.page([*hookflash.__all__, "Telephone"])


def test_a_long_signature_has_a_parameter_a_line(api: Any) -> None:
    long = ", ".join(f"parameter_{number}: int = {number}" for number in range(5))
    source = f"def short(a, /, b=1, *, c): ...\ndef long(*, {long}) -> None: ..."
    with griffe.temporary_visited_package("sample", {"__init__.py": source}) as package:
        assert api.signature("short", package["short"]) == "short(a, /, b=1, *, c)"
        assert api.signature("long", package["long"]).splitlines() == [
            "long(",
            "    *,",
            *(f"    parameter_{number}: int = {number}," for number in range(5)),
            ") -> None",
        ]


def test_the_page_is_in_the_repository_as_it_would_be_written(api: Any, tmp_path: Path) -> None:
    assert api.page(hookflash.__all__) in PAGE
