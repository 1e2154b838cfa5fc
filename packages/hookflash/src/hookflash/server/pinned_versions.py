"""Check at start that the libraries whose private parts the server uses have the pinned versions.

`media_upgrade` makes a media socket of a connection with `picows.picows.WSProtocol`. That class has
sixteen positional arguments and is not public. picows has no public way to take over a connection
that another server has accepted. `connection_routing` and `media_upgrade` extend protocols of
uvicorn that are not documented. The distribution pins both libraries exactly. An environment can
have other versions all the same, and calls would then fail instead of the start.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from typing import Final

from hookflash.errors import ConfigError

PINNED: Final = {"picows": "2.3.1", "uvicorn": "0.54.0"}
"""The versions that the server was tested with. `pyproject.toml` pins the same ones."""


def check_versions(installed: Mapping[str, str] | None = None) -> None:
    """Raise `ConfigError` that names every library whose version differs from the pinned one.

    `installed` replaces the versions of this environment, by name.
    """
    if installed is None:
        installed = {name: importlib.metadata.version(name) for name in PINNED}
    wrong = [
        f"{name} {version} is needed and {installed[name]} is installed"
        for name, version in PINNED.items()
        if installed[name] != version
    ]
    if wrong:
        needed = " ".join(f"{name}=={version}" for name, version in PINNED.items())
        raise ConfigError(
            f"the server cannot start: {'; '.join(wrong)}. It uses parts of these libraries that"
            f" change between versions; install {needed}"
        )
