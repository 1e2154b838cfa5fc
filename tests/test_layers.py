"""Arrows point inward: reads every import and enforces who may know whom.

Of the core it also reads the assignments: only `core/timers.py` computes a deadline.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGES = Path(__file__).parent.parent / "packages"
SRC = PACKAGES / "hookflash" / "src"
LOCAL_SRC = PACKAGES / "hookflash-local" / "src"
INNER = (
    "hookflash.core",
    "hookflash.errors",
    "hookflash.g711",
    "hookflash.private_files",
    "hookflash.world",
)
# Which of our own modules a layer may import, besides itself.
MAY_KNOW = {
    "hookflash.core": ("hookflash.errors",),
    "hookflash.carriers": INNER,
    "hookflash.models": INNER,
    "hookflash.stores": INNER,
    "hookflash.mcp_client": (*INNER, "hookflash.agents"),
    # A recording's format is defined by the runtime, which writes it.
    "hookflash.files": (*INNER, "hookflash.runtime.wav"),
    "hookflash.runtime": (*INNER, "hookflash.agents"),
    "hookflash.agents": (*INNER, "hookflash.runtime.ports"),
}
# The stand-ins are a second reading of the protocols, so they know no adapter.
STANDINS = tuple(f"hookflash_local.{name}" for name in ("audio", "carrier", "model"))
STANDINS_MAY_KNOW = (
    "hookflash.core.audio",
    "hookflash.errors",
    "hookflash.g711",
    "hookflash.world",
)
MAY_KNOW |= {name: (*STANDINS, *STANDINS_MAY_KNOW) for name in STANDINS}
PURE = set(sys.stdlib_module_names) | {"msgspec"}
WORLD = set(
    "asyncio logging os pathlib random secrets select selectors socket ssl subprocess threading"
    " time http urllib.request".split()
)
NETWORK = set(
    "socket ssl selectors http urllib.request aiohttp httpx openai picows redis obstore requests"
    " sqlalchemy starlette twilio.rest twilio.http uvicorn uvloop websockets".split()
)
NO_IO = set(
    "carriers/twilio/messages carriers/twilio/twiml"
    " carriers/twilio/webhooks"
    " carriers/twilio/ring_request carriers/twilio/caller_ids carriers/twilio/document_text"
    " carriers/twilio/signature models/openai/messages models/openai/session".split()
)

CALL = "hookflash.core.call"
MACHINES = ("hookflash.core.conversation", "hookflash.core.handoff", "hookflash.core.caller_leg")
TIMERS = "hookflash.core.timers"

DEADLINE = re.compile(r"(?:^|_)(?:due|deadline|until)$|_at$")
NOW = {"now", "now_ms"}
# What has the form of a deadline and is the deadline of no state: where, and why.
NO_DEADLINES = {
    "hookflash.core.conversation.latency: ends_at": "When the sound that was sent will have been"
    " played: an estimate, which marks correct.",
    "hookflash.core.delivery_retries: due_at": "When a delivery is tried again. Deliveries outlast"
    " the call; no machine of a call waits for them.",
    "hookflash.core.delivery_retries: _due": "As above.",
}


def is_in(module: str, packages: Iterable[str]) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in packages)


def imports(tree: ast.Module) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"relative import in line {node.lineno}"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


FILES = {
    file.relative_to(src).with_suffix("").as_posix(): file
    for src in (SRC, LOCAL_SRC)
    for file in sorted(src.rglob("*.py"))
}


@pytest.mark.parametrize("path", FILES)
def test_imports_only_what_its_layer_may_know(path: str) -> None:
    tree = ast.parse(FILES[path].read_text())
    layer = ".".join(path.split("/")[:2])
    path = path.removeprefix("hookflash/")
    wrong = set()
    for module in imports(tree):
        if is_in(module, ["hookflash_local"]) and is_in(layer, ["hookflash"]):
            wrong.add(module)
        elif is_in(module, ["hookflash", "hookflash_local"]):
            if layer in MAY_KNOW and not is_in(module, [layer, *MAY_KNOW[layer]]):
                wrong.add(module)
        elif layer == "hookflash.core":
            if module.split(".")[0] not in PURE or is_in(module, WORLD):
                wrong.add(module)
        if path in NO_IO and is_in(module, NETWORK | {"asyncio"}):
            wrong.add(module)
        if "no i/o" in (ast.get_docstring(tree) or "").lower() and is_in(module, NETWORK):
            wrong.add(module)
    assert not wrong, f"{path} must not import {', '.join(sorted(wrong))}"


def test_the_files_without_io_exist() -> None:
    missing = {name for name in NO_IO if not (SRC / "hookflash" / f"{name}.py").exists()}
    assert not missing


# --- the machines of the core ---------------------------------------------------------------------


def modules_of(package: str) -> dict[str, ast.Module]:
    """Return the modules of a package by name; an `__init__` has the name of its package."""
    found = {}
    for file in sorted((SRC / package.replace(".", "/")).rglob("*.py")):
        name = ".".join(file.relative_to(SRC).with_suffix("").parts).removesuffix(".__init__")
        found[name] = ast.parse(file.read_text())
    return found


def import_graph(modules: Mapping[str, ast.Module]) -> dict[str, set[str]]:
    """Return which of `modules` each of them imports, those for type checking included.

    Who imports a module of a package from outside that package imports its `__init__` as well.
    """
    graph = {}
    for importer, tree in modules.items():
        found = set()
        for name in imports(tree):
            parts = name.split(".")
            longest_first = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
            known = [module for module in longest_first if module in modules]
            found |= set(known[:1])
            found |= {package for package in known[1:] if not is_in(importer, [package])}
        graph[importer] = found - {importer}
    return graph


def import_circle(graph: Mapping[str, set[str]]) -> list[str]:
    """Return modules that import one another, the first also as the last; empty if none do."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return [str(module) for module in error.args[1]]
    return []


def forbidden_machine_imports(graph: Mapping[str, set[str]]) -> list[str]:
    """Return the imports by which a module other than `core/call.py` knows a machine of others."""
    return [
        f"{importer} imports {imported}"
        for importer, all_imported in sorted(graph.items())
        for imported in sorted(all_imported)
        for machine in MACHINES
        if is_in(imported, [machine]) and not is_in(importer, [machine, CALL])
    ]


def computed_deadlines(tree: ast.Module) -> Iterator[str]:
    """Yield the names of deadlines that a module computes: `due = now + 2.0` and the like."""
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=targets, value=value) if _adds_to_now(value):
                yield from (name for target in targets for name in _deadlines_in(target))
            case ast.AnnAssign(target=target, value=ast.expr() as value) if _adds_to_now(value):
                yield from _deadlines_in(target)
            case ast.NamedExpr(target=target, value=value) if _adds_to_now(value):
                yield from _deadlines_in(target)
            case ast.AugAssign(target=target, op=ast.Add()):
                yield from _deadlines_in(target)
            case ast.keyword(arg=str(name), value=value) if _adds_to_now(value):
                yield from [name] if DEADLINE.search(name) else []
            case ast.FunctionDef(name=name) if DEADLINE.search(name):
                returns = [each for each in ast.walk(node) if isinstance(each, ast.Return)]
                if any(each.value is not None and _adds_to_now(each.value) for each in returns):
                    yield name


def _deadlines_in(target: ast.expr) -> Iterator[str]:
    for node in ast.walk(target):
        name = node.id if isinstance(node, ast.Name) else getattr(node, "attr", "")
        if DEADLINE.search(name):
            yield name


def _adds_to_now(value: ast.expr) -> bool:
    """Whether a value is a sum in which the time of now stands: also within `min()` and so on."""
    sums = [
        node
        for node in ast.walk(value)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add)
    ]
    named = (part for each in sums for part in ast.walk(each))
    return any(
        (isinstance(part, ast.Name) and part.id in NOW)
        or (isinstance(part, ast.Attribute) and part.attr in NOW)
        for part in named
    )


def test_no_modules_of_the_core_import_one_another_in_a_circle() -> None:
    assert import_circle(import_graph(modules_of("hookflash.core"))) == []


def test_the_machines_of_the_core_never_import_one_another_and_only_the_call_knows_them() -> None:
    graph = import_graph(modules_of("hookflash.core"))
    assert forbidden_machine_imports(graph) == []
    known = {machine for machine in MACHINES for each in graph[CALL] if is_in(each, [machine])}
    assert known == set(MACHINES)


def test_nothing_in_the_core_but_its_timers_computes_a_deadline() -> None:
    modules = modules_of("hookflash.core")
    found = {
        f"{module}: {name}"
        for module, tree in modules.items()
        for name in computed_deadlines(tree)
        if module != TIMERS
    }
    assert sorted(found - set(NO_DEADLINES)) == []
    assert sorted(set(NO_DEADLINES) - found) == [], "NO_DEADLINES names what is not there any more"
    assert list(computed_deadlines(modules[TIMERS])) == ["due"]


def test_how_long_a_state_may_last_stands_in_limits_of_its_machine() -> None:
    """A newcomer who asks "how long?" opens `limits.py`."""
    found = {
        module
        for module, tree in modules_of("hookflash.core").items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "Limit"
    }
    assert found == {f"{machine}.limits" for machine in MACHINES}


# --- these tests can fail -------------------------------------------------------------------------


def made_up(**sources: str) -> dict[str, set[str]]:
    """Return the import graph of modules of the core; `__` in a name stands for a dot."""
    return import_graph(
        {
            f"hookflash.core.{name.replace('__', '.')}": ast.parse(source)
            for name, source in sources.items()
        }
    )


def test_a_circle_of_imports_is_found() -> None:
    assert import_circle(made_up(a="import hookflash.core.b", b="x = 1")) == []
    circle = made_up(
        a="from hookflash.core.b import x",
        b="if TYPE_CHECKING:\n    from hookflash.core import c",
        c="def later():\n    import hookflash.core.a",
    )
    assert set(import_circle(circle)) == {f"hookflash.core.{name}" for name in "abc"}


def test_a_circle_by_way_of_a_package_is_found() -> None:
    inside = made_up(
        p="from hookflash.core.p.a import A",
        p__a="from hookflash.core.p import b",
        p__b="x = 1",
    )
    assert import_circle(inside) == []
    outside = made_up(
        p="from hookflash.core.p.a import A",
        p__a="from hookflash.core import b",
        p__c="x = 1",
        b="from hookflash.core.p import c",
    )
    assert set(import_circle(outside)) == {f"hookflash.core.{name}" for name in ("p", "p.a", "b")}


@pytest.mark.parametrize("importer", ["handoff__legs", "handoff", "timers"])
def test_a_module_that_imports_a_machine_that_is_not_its_own_is_found(importer: str) -> None:
    graph = made_up(
        **{importer: "from hookflash.core.conversation import turns"},
        conversation="x = 1",
        conversation__turns="from hookflash.core.conversation import x",
        call="from hookflash.core.conversation import turns",
    )
    assert forbidden_machine_imports(graph) == [
        f"hookflash.core.{importer.replace('__', '.')} imports hookflash.core.conversation",
        f"hookflash.core.{importer.replace('__', '.')} imports hookflash.core.conversation.turns",
    ]


@pytest.mark.parametrize(
    "source",
    [
        "self.due = now + 2.0",
        "self._deadline = step.now + SECONDS",
        "until: float = 2.0 + now",
        "handoff.give_up_at = min(plan.end, now + plan.seconds)",
        "talk.until, x = (now + 1.0, 2)",
        "ends_at = max(begun, now_ms) + sound_ms",
        "timer.due += 5.0",
        "Wave(end_at=step.now + 1.0)",
        "if (due := now + 1.0): pass",
        "def retry_at(now):\n    return now + 1.0",
    ],
)
def test_a_deadline_that_is_computed_is_found(source: str) -> None:
    assert len(list(computed_deadlines(ast.parse(source)))) == 1


@pytest.mark.parametrize(
    "source",
    [
        "began_at = now",
        "self.due = None",
        "cut.ended_at = step.now",
        "seconds = now - began_at",
        "total = now + 1.0",
        "heard_at = edge + ms(size)",
        "def seconds_left(now):\n    return now + 1.0",
    ],
)
def test_a_fact_is_no_deadline(source: str) -> None:
    assert list(computed_deadlines(ast.parse(source))) == []
