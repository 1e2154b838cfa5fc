from __future__ import annotations

import importlib.metadata
import inspect
import re
import subprocess
import sys

import pytest
from tests.programs import ROOT

import hookflash
from hookflash import errors

PUBLIC = """
    Agent AgentTransfer asgi_app bring_human CallContext CallNotPlaced CallRecord CallStarted
    CallView CarrierError CarrierProtocolError Cold ConfigError Consult Delivery Directory
    Disposition Frustration HandoffAttempt HandoffEnded HookflashError HumanOutcome
    IllegalTransition Interruption LineApp ModelError ModelProtocolError Phrases PlacedCall
    ProtocolError Queue Refer RunningLine SemanticVad ServerVad Settings Target ToolError
    ToolUse TranscriptLine Utterance Warm __version__
""".split()


def run(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout


def test_the_public_names_are_these_and_no_others() -> None:
    assert sorted(PUBLIC) == sorted(hookflash.__all__)
    assert dir(hookflash) == sorted(hookflash.__all__)


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_can_be_imported(name: str) -> None:
    assert getattr(hookflash, name) is not None


def test_one_page_lists_the_public_names_and_no_others() -> None:
    page = (ROOT / "docs" / "reference" / "python.md").read_text()
    table = page.partition("## All names\n")[2].partition("\n## ")[0]
    assert sorted(re.findall(r"^\| \[`(\w+)`\]\(#\w+\) \| \S", table, re.M)) == sorted(PUBLIC)


def test_every_error_is_public() -> None:
    tree = {
        name
        for name, value in vars(errors).items()
        if inspect.isclass(value) and issubclass(value, errors.HookflashError)
    }
    assert tree <= set(hookflash.__all__)


def test_an_unknown_name_is_refused_as_usual() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Robot'"):
        hookflash.Robot  # noqa: B018  (asking for it is the test)


def test_the_version_is_the_installed_one() -> None:
    assert hookflash.__version__ == importlib.metadata.version("hookflash")


def test_importing_loads_nothing_heavy() -> None:
    """One process, that imports more and more, and says what is loaded after each."""
    steps = {
        "import hookflash": "pydantic sqlalchemy alembic twilio httpx starlette uvicorn picows"
        " rich click asyncio msgspec",
        "from hookflash import Agent, Target, Warm": "pydantic sqlalchemy alembic twilio"
        " httpx starlette uvicorn picows",
        "import hookflash_local.model.speech.receptionist": "piper ctranslate2 onnxruntime numpy",
    }
    code = "; ".join(f"{step}; print(*sys.modules)" for step in steps)
    loaded = run(f"import sys; {code}").splitlines()
    assert len(loaded) == len(steps)
    for (step, heavy), modules in zip(steps.items(), loaded, strict=True):
        assert not set(modules.split()) & set(heavy.split()), step
