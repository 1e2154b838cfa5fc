from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hookflash import Agent, ConfigError, Directory
from hookflash.agents.load_agent import load_agent

ONE = 'from hookflash import Agent\nagent = Agent("one", instructions="Help.")\n'
TWO = ONE + 'other = Agent("two", instructions="Help.")\n'
BOOK = TWO + (
    "from hookflash import Directory\n"
    "lines = Directory()\nlines.add(agent, lines=['+15550100'])\nlines.add(other)\n"
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory of our own; what was imported from it is forgotten."""
    monkeypatch.chdir(tmp_path)
    path, modules = list(sys.path), set(sys.modules)
    yield tmp_path
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        del sys.modules[name]


def write(name: str, text: str) -> str:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_text(text)
    return name


def name_of(loaded: Agent | Directory) -> str:
    assert isinstance(loaded, Agent)
    return loaded.name


def test_a_file_with_one_agent_is_enough() -> None:
    assert name_of(load_agent(write("my-agent.py", ONE))) == "one"


def test_one_of_several_agents_is_named() -> None:
    write("shop.py", TWO)
    assert name_of(load_agent("shop.py:other")) == "two"


def test_a_module_is_found_in_the_working_directory() -> None:
    write("company/__init__.py", "")
    write("company/lines.py", TWO)
    assert name_of(load_agent("company.lines:agent")) == "one"


def test_a_module_with_one_agent_needs_no_name() -> None:
    write("shopmodule.py", ONE)
    assert name_of(load_agent("shopmodule")) == "one"


def test_a_directory_stands_for_the_agents_in_it() -> None:
    loaded = load_agent(write("book.py", BOOK))
    assert isinstance(loaded, Directory)
    assert [agent.name for agent in loaded.agents] == ["one", "two"]


def test_an_agent_with_two_names_is_one_agent() -> None:
    assert name_of(load_agent(write("twice.py", ONE + "app = agent\n"))) == "one"


def test_a_file_may_import_what_lies_beside_it() -> None:
    write("place/facts.py", 'TEXT = "We are open."\n')
    write("place/shop.py", "import facts\n" + ONE.replace('"Help."', "facts.TEXT"))
    loaded = load_agent("place/shop.py")
    assert isinstance(loaded, Agent)
    assert loaded.instructions == "We are open."


def test_a_file_hides_no_module_of_its_name() -> None:
    import calendar

    load_agent(write("calendar.py", ONE))
    assert sys.modules["calendar"] is calendar


def test_tools_can_resolve_types_of_their_file() -> None:
    write(
        "typed.py",
        "from __future__ import annotations\nimport enum\n"
        + ONE
        + "class Size(enum.Enum):\n    BIG = 'big'\n"
        + "@agent.tool\ndef buy(size: Size) -> str:\n    'Buy it.'\n    return size.value\n",
    )
    loaded = load_agent("typed.py")
    assert isinstance(loaded, Agent)
    assert loaded.tools["buy"].spec.parameters["properties"]["size"]["enum"] == ["big"]


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        ("nowhere.py", "there is no file nowhere.py in "),
        ("place/nowhere", "there is no file place/nowhere in "),
        ("nowhere", "there is no module 'nowhere'; a file is named with .py"),
        ("nowhere.lines:shop", "there is no module 'nowhere'"),
        ("two.py", "several in it; say which one: two.py:agent or two.py:other"),
        ("two.py:third", "it has no 'third'; agents in it: agent, other"),
        ("two.py:Agent", "it has a type, no Agent, 'Agent'"),
        ("two.py:", "expected file.py, file.py:name or package.module:name"),
        (":agent", "expected file.py, file.py:name or package.module:name"),
        ("empty.py", r"there is no Agent in it; write agent = Agent\(...\)"),
        ("empty.py:agent", "it has no 'agent'; agents in it: none"),
        ("broken.py", r"it cannot be loaded \(broken.py, line 2\): ZeroDivisionError: "),
        ("exits.py", r"it cannot be loaded \(exits.py, line 2\): SystemExit: "),
        ("syntax.py", "it cannot be loaded.*SyntaxError"),
        ("needy.py", r"\(needy.py, line 1\): ModuleNotFoundError: No module named 'unheard_of'"),
        ("needy", r"\(needy.py, line 1\): ModuleNotFoundError: No module named 'unheard_of'"),
        ("brokenmodule", r"\(brokenmodule.py, line 1\): ZeroDivisionError"),
        ("notes.txt/", "there is no file"),
        ("place/notes.txt", "is not a Python file"),
    ],
)
def test_a_wrong_agent_is_explained(spec: str, complaint: str) -> None:
    write("two.py", TWO)
    write("empty.py", "")
    write("broken.py", "x = 1\ny = 1 / 0\n")
    write("brokenmodule.py", "1 / 0\n")
    write("exits.py", "import sys\nsys.exit(1)\n")
    write("syntax.py", "def (\n")
    write("needy.py", "import unheard_of\n")
    write("place/notes.txt", "hello")
    with pytest.raises(ConfigError, match=complaint) as caught:
        load_agent(spec)
    assert str(caught.value).startswith(f"AGENT {spec!r}: ")


def test_a_mistake_in_an_agent_is_told_as_it_is() -> None:
    write("wrong.py", ONE + "agent.handoff('Desk', when='always', plan=None)\n")
    for spec in ("wrong.py", "wrong"):
        with pytest.raises(
            ConfigError, match=r"^wrong.py, line \d: Agent 'one': handoff 'Desk': a key is"
        ):
            load_agent(spec)


def test_an_incomplete_agent_is_refused() -> None:
    write("lost.py", ONE.replace('"Help."', '"Help.", fallback="desk"'))
    with pytest.raises(ConfigError, match="fallback='desk' is not one of its destinations"):
        load_agent("lost.py")
