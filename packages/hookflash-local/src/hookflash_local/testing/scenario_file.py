"""Read a YAML file of scenarios: calls that are played against an agent, and what is expected.

    scenarios:
      - name: The caller asks for an order
        humans: {support: busy}
        turns:
          - caller: Where is my order 4571?
          - expect: {agent_said: Friday}
          - caller: I want to speak to a person
        expect:
          - handed_off: {to: support, outcome: busy}

Every error is a `ConfigError` with the file and the line: what was expected, and what stands there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn, TypeVar, get_args

import msgspec
import yaml

from hookflash.core.disposition import Disposition
from hookflash.errors import ConfigError
from hookflash_local.testing.human_choices import HUMAN_NAMES

T = TypeVar("T")

MOST_REPEATS = 100
MOST_TURNS = 100
_DEFAULT_TURNS = 12


class Check(msgspec.Struct, frozen=True):
    """One expectation: its kind, such as `agent_said`, what it is given, and its line."""

    kind: str
    given: dict[str, Any]
    line: int


class Turn(msgspec.Struct, frozen=True):
    """One step of a scenario: its kind, such as `caller`, what it is given, and its line."""

    kind: str
    given: dict[str, Any]
    line: int
    checks: tuple[Check, ...] = ()


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """One call that is played. `persona` is None where the caller's turns are written down."""

    name: str
    line: int
    repeat: int = 1
    at_least: int | None = None
    """How many of the repeated calls must pass; None: all of them."""
    at: datetime | None = None
    caller: str | None = None
    humans: Mapping[str, str | list[str]]
    tools: Mapping[str, Any]
    turns: tuple[Turn, ...] = ()
    persona: str | None = None
    max_turns: int = _DEFAULT_TURNS
    checks: tuple[Check, ...] = ()

    @property
    def scripted(self) -> bool:
        """Whether the scenario says itself what the agent's model does."""
        return any(turn.kind.startswith("model") for turn in self.turns)

    @property
    def needs_chat(self) -> str:
        """Why a chat model is needed: `persona` or `judge`; empty if none is."""
        if self.persona is not None:
            return "persona"
        checks = (*self.checks, *(check for turn in self.turns for check in turn.checks))
        return "judge" if any(check.kind == "judge" for check in checks) else ""


class ScenarioFile(msgspec.Struct, frozen=True):
    """The scenarios of a file. `agent` is None if the file names none."""

    path: Path
    agent: str | None
    scenarios: tuple[Scenario, ...]


def read_scenarios(path: Path) -> ScenarioFile:
    """Read a file. Raises `ConfigError`, which names the line."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigError(f"{path}: cannot be read: {reason}") from None
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f", line {mark.line + 1}" if mark is not None else ""
        raise ConfigError(f"{path}{place}: this is no YAML: {error.problem}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: this is no YAML: {error}") from None
    if root is None:
        raise ConfigError(f"{path}: expected scenarios, the file is empty")
    return _read_file(path, _Node(path, root, "the file"))


class _Node:
    """A place in the file, read as what is expected there."""

    def __init__(self, path: Path, node: yaml.Node, what: str) -> None:
        self.path = path
        self.what = what
        self._node = node

    @property
    def line(self) -> int:
        return int(self._node.start_mark.line) + 1

    @property
    def is_mapping(self) -> bool:
        return isinstance(self._node, yaml.MappingNode)

    @property
    def is_list(self) -> bool:
        return isinstance(self._node, yaml.SequenceNode)

    def fail(self, expected: str) -> NoReturn:
        raise ConfigError(
            f"{self.path}, line {self.line}: {self.what}: expected {expected}, got {self._shown()}"
        )

    def value(self) -> Any:
        """Return the plain value: a text, number, list or object of such."""
        loader = yaml.SafeLoader("")
        try:
            return loader.construct_object(self._node, deep=True)
        except yaml.YAMLError:
            self.fail("a plain value")
        finally:
            loader.dispose()

    def text(self) -> str:
        # A number or a date without quotes is a text as it was written.
        if not isinstance(self._node, yaml.ScalarNode) or not self._node.value.strip():
            self.fail("a text")
        return str(self._node.value)

    def number(self, low: float, high: float, *, whole: bool = False) -> float:
        kind = "a whole number" if whole else "a number"
        value = self.value()
        if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
            self.fail(f"{kind} from {low:g} to {high:g}")
        if not low <= value <= high:
            self.fail(f"{kind} from {low:g} to {high:g}")
        return float(value)

    def items(self) -> list[_Node]:
        if not isinstance(self._node, yaml.SequenceNode):
            self.fail("a list")
        return [
            _Node(self.path, node, f"{self.what} {number}")
            for number, node in enumerate(self._node.value, 1)
        ]

    def entries(self) -> dict[str, _Node]:
        if not isinstance(self._node, yaml.MappingNode):
            self.fail("names with values, such as `name: value`")
        found: dict[str, _Node] = {}
        for key, node in self._node.value:
            name = str(key.value)
            if name in found:
                raise ConfigError(
                    f"{self.path}, line {key.start_mark.line + 1}: {self.what}: {name} is given"
                    " twice"
                )
            found[name] = _Node(self.path, node, name)
        return found

    def fields(self, known: tuple[str, ...], *, needed: tuple[str, ...] = ()) -> dict[str, _Node]:
        """Return the entries, all of which must be `known`."""
        found = self.entries()
        for name, node in found.items():
            if name not in known:
                raise ConfigError(
                    f"{self.path}, line {node.line}: {self.what}: expected"
                    f" {', '.join(known)}, got {name!r}"
                )
        for name in needed:
            if name not in found:
                raise ConfigError(f"{self.path}, line {self.line}: {self.what}: {name} is missing")
        return found

    def _shown(self) -> str:
        if isinstance(self._node, yaml.ScalarNode):
            return repr(self._node.value) if self._node.value else "nothing"
        return "a list" if self.is_list else "names with values"


def _optional(found: Mapping[str, _Node], name: str, read: Callable[[_Node], T], otherwise: T) -> T:
    return read(found[name]) if name in found else otherwise


def _values(found: Mapping[str, _Node], name: str) -> dict[str, Any]:
    """Return the names and plain values under `name`; none if it is not there."""
    if name not in found:
        return {}
    return {key: each.value() for key, each in found[name].entries().items()}


def _read_file(path: Path, root: _Node) -> ScenarioFile:
    found = root.fields(("agent", "scenarios"), needed=("scenarios",))
    scenarios = tuple(_scenario(node) for node in found["scenarios"].items())
    if not scenarios:
        found["scenarios"].fail("at least one scenario")
    names: dict[str, int] = {}
    for scenario in scenarios:
        if scenario.name in names:
            raise ConfigError(
                f"{path}, line {scenario.line}: another scenario (line {names[scenario.name]}) has"
                f" the name {scenario.name!r} already"
            )
        names[scenario.name] = scenario.line
    return ScenarioFile(path, _optional(found, "agent", _Node.text, None), scenarios)


_SCENARIO = (
    "name", "repeat", "at_least", "at", "from", "humans", "tools", "turns", "persona",
    "max_turns", "expect",
)  # fmt: skip


def _scenario(node: _Node) -> Scenario:
    found = node.fields(_SCENARIO, needed=("name",))
    name = found["name"].text()
    if ("turns" in found) == ("persona" in found):
        node.fail("either turns, or a persona that a chat model plays")
    repeat = int(_optional(found, "repeat", lambda n: n.number(1, MOST_REPEATS, whole=True), 1.0))
    at_least = None
    if "at_least" in found:
        at_least = int(found["at_least"].number(0, repeat, whole=True))
    scenario = Scenario(
        name=name,
        line=node.line,
        repeat=repeat,
        at_least=at_least,
        at=_optional(found, "at", _moment, None),
        caller=_optional(found, "from", _Node.text, None),
        humans=_humans(found["humans"]) if "humans" in found else {},
        tools=_values(found, "tools"),
        turns=_optional(found, "turns", lambda n: tuple(map(_turn, n.items())), ()),
        persona=_optional(found, "persona", _Node.text, None),
        max_turns=int(
            _optional(
                found,
                "max_turns",
                lambda n: n.number(1, MOST_TURNS, whole=True),
                float(_DEFAULT_TURNS),
            )
        ),
        checks=_optional(found, "expect", _checks, ()),
    )
    if not scenario.checks and not any(turn.checks for turn in scenario.turns):
        node.fail(f"something under expect in scenario {name!r}: without it the scenario checks"
                  " nothing")  # fmt: skip
    return scenario


def _moment(node: _Node) -> datetime:
    expected = "a time with a time zone, such as 2026-12-24T18:30:00+01:00"
    try:
        moment = datetime.fromisoformat(node.text())
    except ValueError:
        node.fail(expected)
    if moment.tzinfo is None:
        node.fail(expected)
    return moment


def _humans(node: _Node) -> dict[str, str | list[str]]:
    found: dict[str, str | list[str]] = {}
    for key, each in node.entries().items():
        found[key] = [_human(one) for one in each.items()] if each.is_list else _human(each)
    return found


def _human(node: _Node) -> str:
    name = node.text()
    if name not in HUMAN_NAMES:
        node.fail(f"one of {', '.join(HUMAN_NAMES)}")
    return name


# --- turns ----------------------------------------------------------------------------------------


def _turn(node: _Node) -> Turn:
    if not node.is_mapping:
        if node.text() not in ("hangs_up", "human_hangs_up"):
            node.fail(f"one of {', '.join((*_TURNS, 'hangs_up', 'human_hangs_up'))}")
        return Turn(node.text(), {}, node.line)
    entries = node.fields(tuple(_TURNS))
    if len(entries) != 1:
        node.fail("one step, such as `caller: text`")
    ((kind, given),) = entries.items()
    if kind == "expect":
        return Turn(kind, {}, given.line, _checks(given))
    return Turn(kind, _TURNS[kind](given), given.line)


def _only_text(node: _Node) -> dict[str, Any]:
    return {"text": node.text()}


def _caller(node: _Node) -> dict[str, Any]:
    if not node.is_mapping:
        return {"text": node.text()}
    found = node.fields(("says", "interrupting"), needed=("says",))
    interrupting = _optional(found, "interrupting", _flag, False)
    return {"text": found["says"].text(), "interrupting": interrupting}


def _flag(node: _Node) -> bool:
    value = node.value()
    if not isinstance(value, bool):
        node.fail("true or false")
    return value


def _model_calls(node: _Node) -> dict[str, Any]:
    if not node.is_mapping:
        return {"tool": node.text(), "arguments": {}, "saying": ""}
    found = node.fields(("tool", "arguments", "saying"), needed=("tool",))
    return {
        "tool": found["tool"].text(),
        "arguments": _values(found, "arguments"),
        "saying": _optional(found, "saying", _Node.text, ""),
    }


def _model_hands_off(node: _Node) -> dict[str, Any]:
    if not node.is_mapping:
        return {"to": node.text()}
    found = node.fields(("to", "reason", "summary", "saying"), needed=("to",))
    return {name: each.text() for name, each in found.items()}


_TURNS: dict[str, Callable[[_Node], dict[str, Any]]] = {
    "caller": _caller,
    "presses": _only_text,
    "waits": lambda node: {"seconds": node.number(0, 3600)},
    "human": _only_text,
    "model": _only_text,
    "model_calls": _model_calls,
    "model_hands_off": _model_hands_off,
    "expect": lambda node: {},
}


# --- expectations ---------------------------------------------------------------------------------


def _checks(node: _Node) -> tuple[Check, ...]:
    parts = node.items() if node.is_list else [node]
    found: list[Check] = []
    for part in parts:
        entries = part.fields(tuple(_CHECKS))
        if not entries:
            part.fail(f"one of {', '.join(_CHECKS)}")
        found += [Check(kind, _CHECKS[kind](each), each.line) for kind, each in entries.items()]
    return tuple(found)


def _called(node: _Node) -> dict[str, Any]:
    if not node.is_mapping:
        return {"tool": node.text(), "arguments": {}}
    found = node.fields(("tool", "arguments"), needed=("tool",))
    return {"tool": found["tool"].text(), "arguments": _values(found, "arguments")}


def _handed_off(node: _Node) -> dict[str, Any]:
    if not node.is_mapping:
        return {"to": node.text()}
    found = node.fields(("to", "outcome", "reason"), needed=("to",))
    return {name: each.text() for name, each in found.items()}


def _delivered(node: _Node) -> dict[str, Any]:
    found = {"kind": node} if not node.is_mapping else node.fields(
        ("kind", "number", "says"), needed=("kind",)
    )  # fmt: skip
    if found["kind"].text() not in ("voicemail", "callback", "message"):
        found["kind"].fail("voicemail, callback or message")
    return {name: each.text() for name, each in found.items()}


def _disposition(node: _Node) -> dict[str, Any]:
    if node.text() not in get_args(Disposition):
        node.fail(f"one of {', '.join(get_args(Disposition))}")
    return {"text": node.text()}


def _true(node: _Node) -> dict[str, Any]:
    if node.value() is not True:
        node.fail("true")
    return {}


_CHECKS: dict[str, Callable[[_Node], dict[str, Any]]] = {
    "agent_said": _only_text,
    "agent_did_not_say": _only_text,
    "caller_said": _only_text,
    "human_heard": _only_text,
    "model_was_told": _only_text,
    "called": _called,
    "did_not_call": _only_text,
    "handed_off": _handed_off,
    "not_handed_off": _true,
    "delivered": _delivered,
    "disposition": _disposition,
    "at_most_seconds": lambda node: {"seconds": node.number(1, 24 * 3600)},
    "judge": _only_text,
}
