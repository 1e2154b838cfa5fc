"""Arrows point inward: reads every import and enforces who may know whom."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

SRC = Path(__file__).parent.parent / "src"
INNER = ("hookflash.core", "hookflash.errors", "hookflash.g711", "hookflash.world")
# Which of our own modules a layer may import, besides itself.
MAY_KNOW = {
    "hookflash.core": ("hookflash.errors",),
    "hookflash.carriers": INNER,
    "hookflash.models": INNER,
    "hookflash.stores": INNER,
    "hookflash.runtime": (*INNER, "hookflash.agents"),
    "hookflash.agents": (*INNER, "hookflash.runtime.ports"),
    "hookflash.standins": ("hookflash.core.audio", "hookflash.errors", "hookflash.world"),
}
PURE = set(sys.stdlib_module_names) | {"msgspec"}
WORLD = set(
    "asyncio logging os pathlib random secrets select selectors socket ssl subprocess threading"
    " time http urllib.request".split()
)
NETWORK = set(
    "socket ssl selectors http urllib.request aiohttp httpx openai picows redis requests"
    " sqlalchemy starlette twilio.rest twilio.http uvicorn uvloop websockets".split()
)
NO_IO = set(
    "carriers/twilio/messages carriers/twilio/twiml carriers/twilio/twiml_humans"
    " carriers/twilio/twiml_waiting carriers/twilio/webhooks carriers/twilio/leg_webhooks"
    " carriers/twilio/ringing carriers/twilio/parties carriers/twilio/texts"
    " carriers/twilio/signature models/openai/messages models/openai/session".split()
)


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


@pytest.mark.parametrize("file", sorted(SRC.rglob("*.py")), ids=lambda f: str(f.relative_to(SRC)))
def test_imports_only_what_its_layer_may_know(file: Path) -> None:
    tree = ast.parse(file.read_text())
    path = file.relative_to(SRC / "hookflash").with_suffix("").as_posix()
    layer = "hookflash." + path.split("/")[0]
    if path.startswith("standins/simulation/"):
        # It plays the whole line, so it knows everybody and nobody knows it.
        layer = "hookflash.standins.simulation"
    wrong = set()
    for module in imports(tree):
        if is_in(module, ["hookflash"]):
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
