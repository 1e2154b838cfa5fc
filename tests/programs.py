"""The programs of `scripts/` as modules, for their tests."""

from __future__ import annotations

import importlib.util
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent


def load(path: str) -> Any:
    """Return the Python file at `path`, relative to the repository, as a module."""
    name = "program_" + path.replace("/", "_").removesuffix(".py")
    loader = SourceFileLoader(name, str(ROOT / path))
    spec = importlib.util.spec_from_loader(name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up by its name.
    sys.modules[name] = module
    loader.exec_module(module)
    return module
