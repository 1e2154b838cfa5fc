"""Load the agent, or the directory of agents, that the AGENT of a command names.

agent.py            the one Agent or Directory in this file
agent.py:shop       the one called `shop` in it
company.lines:shop  the one called `shop` in a module that can be imported
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
from pathlib import Path
from types import ModuleType

from hookflash.agents.agent import Agent
from hookflash.agents.directory import Directory
from hookflash.errors import ConfigError, HookflashError

_PACKAGE = Path(__file__).parent.parent


def load_agent(spec: str) -> Agent | Directory:
    """Load what `spec` names and check it. Raises `ConfigError` that says what is wrong."""
    place, name = _split(spec)
    if place.endswith(".py") or "/" in place or "\\" in place:
        module = _load_file(Path(place), spec)
    else:
        module = _load_module(place, spec)
    return (_by_name(module, name, spec) if name else _only(module, spec)).check()


def _split(spec: str) -> tuple[str, str]:
    place, colon, name = spec.rpartition(":")
    if not colon or (len(place) == 1 and name[:1] in ("\\", "/")):
        # No colon, or the one after the letter of a Windows drive.
        return spec, ""
    if not place or not name.isidentifier():
        raise ConfigError(f"AGENT {spec!r}: expected file.py, file.py:name or package.module:name")
    return place, name


def _load_file(path: Path, spec: str) -> ModuleType:
    if not path.is_file():
        raise ConfigError(f"AGENT {spec!r}: there is no file {path} in {Path.cwd()}")
    # Under a name of its own, so that a file called `calendar.py` hides nothing.
    name = "hookflash_agent_" + "".join(c if c.isalnum() else "_" for c in path.stem)
    module_spec = importlib.util.spec_from_file_location(name, path.resolve())
    if module_spec is None or module_spec.loader is None:
        raise ConfigError(f"AGENT {spec!r}: {path} is not a Python file (.py)")
    module = importlib.util.module_from_spec(module_spec)
    sys.modules[name] = module
    _look_in(path.resolve().parent)
    try:
        module_spec.loader.exec_module(module)
    except HookflashError as error:
        sys.modules.pop(name, None)
        raise _placed(error) from error
    except (Exception, SystemExit) as error:
        # It is the owner's code that runs: whatever it raises is told with the place of it.
        sys.modules.pop(name, None)
        raise ConfigError(_failed(spec, error)) from error
    return module


def _load_module(name: str, spec: str) -> ModuleType:
    _look_in(Path.cwd())
    try:
        return importlib.import_module(name)
    except HookflashError as error:
        raise _placed(error) from error
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise ConfigError(
                f"AGENT {spec!r}: there is no module {error.name!r}; a file is named with"
                " .py, such as agent.py"
            ) from error
        raise ConfigError(_failed(spec, error)) from error
    except (Exception, SystemExit) as error:
        # As above.
        raise ConfigError(_failed(spec, error)) from error


def _look_in(folder: Path) -> None:
    """Let an agent import modules beside it, as it can when `python` runs it."""
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


def _placed(error: HookflashError) -> HookflashError:
    """Return the error with the owner's line that caused it in front of its text."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [each for each in frames if "importlib" not in each.filename and not _ours(each.filename)]
    if not own or not isinstance(error, ConfigError):
        return error
    return ConfigError(f"{Path(own[-1].filename).name}, line {own[-1].lineno}: {error}")


def _ours(filename: str) -> bool:
    return Path(filename).is_relative_to(_PACKAGE)


def _failed(spec: str, error: BaseException) -> str:
    """Say where in the owner's code loading it went wrong."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "importlib" not in frame.filename]
    place = f" ({Path(own[-1].filename).name}, line {own[-1].lineno})" if len(own) > 1 else ""
    return f"AGENT {spec!r}: it cannot be loaded{place}: {type(error).__name__}: {error}"


def _by_name(module: ModuleType, name: str, spec: str) -> Agent | Directory:
    found = getattr(module, name, None)
    if isinstance(found, Agent | Directory):
        return found
    there = ", ".join(_candidates(module)) or "none"
    what = "has no" if not hasattr(module, name) else f"has a {type(found).__name__}, no Agent,"
    raise ConfigError(f"AGENT {spec!r}: it {what} {name!r}; agents in it: {there}")


def _only(module: ModuleType, spec: str) -> Agent | Directory:
    candidates = _candidates(module)
    directories = {n: each for n, each in candidates.items() if isinstance(each, Directory)}
    # The agents beside a directory are its entries.
    chosen = directories or candidates
    if not chosen:
        raise ConfigError(
            f"AGENT {spec!r}: there is no Agent in it; write agent = Agent(...) at top level"
        )
    first = next(iter(chosen.values()))
    if isinstance(first, Agent) and set(chosen.values()) <= set(Directory.of(first).agents):
        # The others only take its calls over.
        return first
    if len(chosen) > 1:
        raise ConfigError(
            f"AGENT {spec!r}: there are several in it; say which one: "
            + " or ".join(f"{spec}:{name}" for name in chosen)
        )
    return first


def _candidates(module: ModuleType) -> dict[str, Agent | Directory]:
    """Return every public Agent and Directory of `module` by name, each once."""
    seen: dict[int, str] = {}
    for name, value in vars(module).items():
        if isinstance(value, Agent | Directory) and not name.startswith("_"):
            seen.setdefault(id(value), name)
    return {name: getattr(module, name) for name in seen.values()}
