"""Clocks, random numbers and threads come through the world port: reads every file and enforces it.

What bypasses `hookflash.world` makes a simulation depend on the machine. Found are uses of the
functions by the names under which a file imports them.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGES = Path(__file__).parent.parent / "packages"
SRC = PACKAGES / "hookflash" / "src" / "hookflash"
LOCAL_SRC = PACKAGES / "hookflash-local" / "src" / "hookflash_local"

PRODUCT = "agents carriers cluster console core mcp_client models runtime server stores".split()
STANDINS = "carrier model".split()
# They run models, processes and commands of the machine, and are in no simulation.
OUTSIDE = (
    "model/speech/",
    "model/speech_client.py",
    "model/speech_service.py",
    "model/local_model.py",
    "model/process.py",
    "model/__main__.py",
)

FORBIDDEN = {
    "datetime.date.today",
    "datetime.datetime.now",
    "datetime.datetime.today",
    "datetime.datetime.utcnow",
    "os.getrandom",
    "os.urandom",
    "threading.Thread",
    "threading.Timer",
    "uuid.getnode",
    "uuid.uuid1",
    "uuid.uuid4",
}
FORBIDDEN_MODULES = ("random", "secrets", "time")
"""Every name of these, but the class `random.Random`."""

BLOCKING = {"time.sleep", "time.*"}
"""What no module of the product uses: it stops the event loop, and so every call, for a time."""


def imported(tree: ast.Module) -> dict[str, str]:
    """Return what each name of a module stands for, as a dotted name."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.partition(".")[0]
                found[alias.asname or top] = alias.name if alias.asname else top
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                found[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return found


def dotted(node: ast.expr, names: dict[str, str]) -> str:
    """Return the dotted name of an expression; empty if it has none."""
    if isinstance(node, ast.Name):
        return names.get(node.id, "")
    if isinstance(node, ast.Attribute):
        owner = dotted(node.value, names)
        return f"{owner}.{node.attr}" if owner else ""
    return ""


def is_forbidden(name: str) -> bool:
    module, _, rest = name.partition(".")
    if module in FORBIDDEN_MODULES and rest:
        return name != "random.Random"
    return name in FORBIDDEN


def violations(source: str, *, may_seed: bool = False) -> list[tuple[int, str]]:
    """Return line and name of what goes past the port.

    With `may_seed` a file may make generators of a seed that it is given. A product may not: its
    secrets would not be random.
    """
    tree = ast.parse(source)
    names = imported(tree)
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            # Also what is imported under a name that is then handed on, and `import *`.
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                if is_forbidden(name):
                    found.add((node.lineno, name))
        elif isinstance(node, ast.Name | ast.Attribute):
            name = dotted(node, names)
            if is_forbidden(name):
                found.add((node.lineno, name))
        elif isinstance(node, ast.Call) and dotted(node.func, names) == "random.Random":
            if not (may_seed and node.args):
                found.add((node.lineno, "random.Random()"))
    return sorted(found)


def files(src: Path, folders: list[str]) -> dict[str, Path]:
    """Return the files of `folders` by their paths below `src`."""
    found = [file for name in folders for file in sorted((src / name).rglob("*.py"))]
    return {file.relative_to(src).as_posix(): file for file in found}


PRODUCT_FILES = files(SRC, PRODUCT)
ALL_PRODUCT_FILES = {file.relative_to(SRC).as_posix(): file for file in sorted(SRC.rglob("*.py"))}
STANDIN_FILES = {
    path: file for path, file in files(LOCAL_SRC, STANDINS).items() if not path.startswith(OUTSIDE)
}


@pytest.mark.parametrize("path", STANDIN_FILES)
def test_a_standin_reaches_the_machine_through_the_world_port(path: str) -> None:
    found = violations(STANDIN_FILES[path].read_text(), may_seed=True)
    wrong = [f"line {line}: {name}" for line, name in found]
    assert not wrong, f"{path}: take it from hookflash.world: {'; '.join(wrong)}"


@pytest.mark.parametrize("path", PRODUCT_FILES)
def test_the_product_reaches_the_machine_through_the_world_port(path: str) -> None:
    found = violations(PRODUCT_FILES[path].read_text())
    wrong = [f"line {line}: {name}" for line, name in found]
    assert not wrong, f"{path}: take it from hookflash.world: {'; '.join(wrong)}"


@pytest.mark.parametrize("path", ALL_PRODUCT_FILES)
def test_no_module_of_the_product_blocks_its_thread_with_a_sleep(path: str) -> None:
    found = violations(ALL_PRODUCT_FILES[path].read_text())
    wrong = [f"line {line}: {name}" for line, name in found if name in BLOCKING]
    assert not wrong, f"{path}: await asyncio.sleep() instead: {'; '.join(wrong)}"


def test_every_folder_has_files() -> None:
    for paths, names in ((PRODUCT_FILES, PRODUCT), (STANDIN_FILES, STANDINS)):
        for name in names:
            assert any(path.startswith(f"{name}/") for path in paths), name


WRONG = """
import os
import random
import secrets as s
import time
import uuid
from datetime import date, datetime
from threading import Thread
from time import monotonic as now

def f(clock=time.time):
    time.sleep(1)
    datetime.now()
    date.today()
    random.random()
    random.Random(1)
    s.token_hex(4)
    uuid.uuid4()
    os.urandom(4)
    later = now
"""

RIGHT = """
import datetime
import uuid
from datetime import UTC
from random import Random

def f(entropy: Random, loop, time):
    entropy.random()
    loop.time()
    time.time()
    uuid.UUID(bytes=entropy.randbytes(16), version=4)
    datetime.datetime.fromtimestamp(1, UTC)
"""


def test_the_check_finds_every_way_past_the_port() -> None:
    assert violations(WRONG) == [
        (8, "threading.Thread"),
        (9, "time.monotonic"),
        (11, "time.time"),
        (12, "time.sleep"),
        (13, "datetime.datetime.now"),
        (14, "datetime.date.today"),
        (15, "random.random"),
        (16, "random.Random()"),
        (17, "secrets.token_hex"),
        (18, "uuid.uuid4"),
        (19, "os.urandom"),
        (20, "time.monotonic"),
    ]


def test_the_check_lets_pass_what_is_handed_in() -> None:
    assert violations(RIGHT) == []


def test_only_a_generator_with_a_seed_is_a_stand_ins() -> None:
    source = "import random\na = random.Random()\nb = random.Random(1)\n"
    assert violations(source, may_seed=True) == [(2, "random.Random()")]
    assert violations("from time import *", may_seed=True) == [(1, "time.*")]
