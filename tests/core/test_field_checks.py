from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import Meta, inspect

from hookflash import ConfigError
from hookflash.core.field_checks import Rule, check_fields, check_rules, describe


class Door(msgspec.Struct, kw_only=True):
    width: Annotated[int, Meta(ge=1, le=9)] = 2
    height: Annotated[float, Meta(ge=0.5, le=3)] = 2.0
    side: Literal["left", "right"] | None = None
    name: Annotated[str, Meta(pattern="^[a-z]+$", description="a name in small letters")] = "front"


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"width": 0}, "Door: width must be a whole number from 1 to 9; got 0"),
        ({"width": 1.5}, "Door: width must be a whole number from 1 to 9; got 1.5"),
        ({"height": 4}, "Door: height must be a number from 0.5 to 3; got 4"),
        ({"side": "top"}, "Door: side must be one of left, right or None; got 'top'"),
        ({"name": "Front"}, "Door: name must be a name in small letters; got 'Front'"),
        ({"width": 0, "name": 1}, "Door: width must be a whole number from 1 to 9; got 0"),
    ],
)
def test_the_first_field_that_is_wrong_is_named_with_what_it_must_be(
    wrong: dict[str, Any], text: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        check_fields(Door(**wrong))
    assert str(raised.value) == text


def test_a_struct_as_declared_passes() -> None:
    check_fields(Door())
    check_fields(Door(width=9, height=1, side="left", name="back"))


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (int, "a whole number"),
        (float, "a number"),
        (bool, "True or False"),
        (str, "a text"),
        (str | None, "a text or None"),
        (tuple[int, ...], "a tuple, each a whole number"),
        (Annotated[str, Meta(title="A title")], "a text"),
        (Door, "of the type Door"),
    ],
)
def test_each_type_has_words(kind: Any, text: str) -> None:
    assert describe(inspect.type_info(kind)) == text


def test_a_type_that_has_no_words_is_named() -> None:
    assert describe(inspect.type_info(bytes)) == "of another type (BytesType)"


def test_the_first_broken_rule_is_told_with_values_of_the_struct() -> None:
    rules: tuple[Rule[Door], ...] = (
        (lambda door: door.width > 5, "a door of {0.width} m is a gate"),
        (lambda door: door.height > 2, "nobody reaches {0.height} m"),
    )
    check_rules(Door(), rules)
    with pytest.raises(ConfigError, match=r"^Door: a door of 6 m is a gate$"):
        check_rules(Door(width=6, height=3), rules)


def test_a_field_that_is_left_out_is_not_checked() -> None:
    check_fields(Door(width=0), but=("width",))
    with pytest.raises(ConfigError, match="Door: height must be"):
        check_fields(Door(width=0, height=4), but=("width",))
