from __future__ import annotations

import importlib.metadata
import tomllib
from pathlib import Path

import pytest
from starlette.applications import Starlette

from hookflash.errors import ConfigError
from hookflash.server import app as server_app
from hookflash.server.pinned_versions import PINNED, check_versions

PROJECT = Path(__file__).parents[2] / "packages" / "hookflash" / "pyproject.toml"


def test_each_library_with_private_parts_is_pinned_exactly() -> None:
    declared = tomllib.loads(PROJECT.read_text())["project"]["dependencies"]
    assert {f"{name}=={version}" for name, version in PINNED.items()} <= set(declared)
    check_versions()


def test_all_other_versions_are_named_with_what_to_install() -> None:
    check_versions(PINNED)
    with pytest.raises(ConfigError) as raised:
        check_versions({"picows": "2.4.0", "uvicorn": "0.55.0"})
    assert f"picows {PINNED['picows']} is needed and 2.4.0 is installed" in str(raised.value)
    assert f"uvicorn {PINNED['uvicorn']} is needed and 0.55.0 is installed" in str(raised.value)
    assert f"install picows=={PINNED['picows']}" in str(raised.value)


async def test_a_server_with_another_version_does_not_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    actual = importlib.metadata.version
    monkeypatch.setattr(
        importlib.metadata, "version", lambda name: "9.9" if name == "picows" else actual(name)
    )
    with pytest.raises(ConfigError, match="picows .* is needed and 9.9 is installed"):
        await server_app.serve(Starlette(), calls=None, port=0)  # type: ignore[arg-type]
