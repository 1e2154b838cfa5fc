"""The two distributions: built, installed each into an environment of its own, and used there.

An environment holds exactly what the metadata of the installed wheels asks for, so what a
distribution imports and does not declare is missing. The packages are those of the test's own
environment, linked, so nothing is fetched.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
import subprocess
import sys
import time
import urllib.request
import venv
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import hookflash.cli

ROOT = Path(__file__).parents[2]
OURS = {"hookflash", "hookflash-local"}


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Build both distributions; return their wheels by name."""
    folder = tmp_path_factory.mktemp("dist")
    built = {}
    for name in sorted(OURS):
        subprocess.run(
            [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder / name)],
            cwd=ROOT / "packages" / name,
            check=True,
            capture_output=True,
        )
        (built[name],) = (folder / name).glob("*.whl")
    return built


def requirements(wheel: Path) -> Iterator[Requirement]:
    """Yield what a wheel needs without any extra."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (each for each in archive.namelist() if each.endswith(".dist-info/METADATA"))
        text = archive.read(name).decode()
    for line in re.findall(r"^Requires-Dist: (.*)$", text, re.M):
        yield Requirement(line)


def closure(wanted: Iterator[Requirement]) -> dict[str, importlib.metadata.Distribution]:
    """Return the distributions that `wanted` and their own requirements lead to, by name."""
    found: dict[str, importlib.metadata.Distribution] = {}
    open_, seen = list(wanted), set()
    while open_:
        one = open_.pop()
        name = canonicalize_name(one.name)
        for extra in ("", *one.extras):
            if name in OURS or (name, extra) in seen:
                continue
            seen.add((name, extra))
            if one.marker is not None and not one.marker.evaluate({"extra": ""}):
                continue
            found[name] = importlib.metadata.distribution(name)
            for text in found[name].requires or ():
                further = Requirement(text)
                if further.marker is None or further.marker.evaluate({"extra": extra}):
                    further.marker = None
                    open_.append(further)
    return found


def environment(folder: Path, *wheels: Path) -> Path:
    """Make an environment with the wheels and what they need; return its folder of programs."""
    venv.create(folder, with_pip=False)
    (site,) = folder.glob("lib/python*/site-packages")
    needed = closure(each for wheel in wheels for each in requirements(wheel))
    for distribution in needed.values():
        for file in distribution.files or ():
            top = file.parts[0]
            if top not in {"..", "__pycache__"} and not (site / top).exists():
                (site / top).symlink_to(Path(str(distribution.locate_file(top))))
    programs = folder / "bin"
    pip = [sys.executable, "-m", "pip", "--python", str(programs / "python"), "install"]
    subprocess.run(
        [*pip, "--quiet", "--no-index", "--no-deps", *map(str, wheels)],
        check=True,
        env=os.environ | {"PIP_DISABLE_PIP_VERSION_CHECK": "1"},
    )
    return programs


def clean_environ(**more: str) -> dict[str, str]:
    names = ("HOME", "LANG", "PATH", "TMPDIR")
    return {name: os.environ[name] for name in names if name in os.environ} | more


@pytest.fixture(scope="module")
def product(wheels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return environment(tmp_path_factory.mktemp("product") / "env", wheels["hookflash"])


@pytest.fixture(scope="module")
def both(wheels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return environment(tmp_path_factory.mktemp("both") / "env", *wheels.values())


def run(programs: Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [programs / "hookflash", *arguments],
        cwd=cwd,
        env=clean_environ(),
        capture_output=True,
        text=True,
    )


def test_the_product_carries_no_recording_and_no_standin(wheels: dict[str, Path]) -> None:
    with zipfile.ZipFile(wheels["hookflash"]) as archive:
        names = archive.namelist()
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {"hookflash"}
    assert not [name for name in names if name.endswith((".wav", ".c", ".h", ".onnx"))]


def test_each_wheel_has_its_data_and_its_licences(wheels: dict[str, Path]) -> None:
    wanted = {
        "hookflash": ("console/static/index.html", "py.typed", "stores/migrations/env.py"),
        "hookflash-local": (
            "audio/manifest.json",
            "bench/native/relay.c",
            "carrier/phones/static/phone.html",
            "carrier/rest/api_v2010.json",
            "demo/sounds/caller-order.wav",
            "py.typed",
        ),
    }
    for name, files in wanted.items():
        package = name.replace("-", "_")
        with zipfile.ZipFile(wheels[name]) as archive:
            names = set(archive.namelist())
            assert {f"{package}/{file}" for file in files} <= names
            texts = {
                each.rsplit("/", 1)[1]: archive.read(each) for each in names if "/licenses/" in each
            }
        assert texts["LICENSE"] == (ROOT / "LICENSE").read_bytes()
        assert "NOTICE" in texts


def test_links_of_the_published_pages_are_whole(wheels: dict[str, Path]) -> None:
    for name in wheels:
        page = (ROOT / "packages" / name / "README.md").read_text()
        links = re.findall(r"\]\(([^)]+)\)", page)
        assert links and all(link.startswith("https://") for link in links), name


def test_without_the_workshop_its_commands_say_what_to_install(
    product: Path, tmp_path: Path
) -> None:
    listed = run(product, "--help", cwd=tmp_path)
    assert " serve " in listed.stdout and " demo " not in listed.stdout
    for name in hookflash.cli.LOCAL_COMMANDS:
        refused = run(product, name, cwd=tmp_path)
        assert refused.returncode == 2
        assert f"`hookflash {name}` is part of the distribution hookflash-local" in refused.stderr


def test_the_list_of_commands_of_the_workshop_is_complete() -> None:
    points = importlib.metadata.distribution("hookflash-local").entry_points
    names = {each.name for each in points.select(group="hookflash.commands")}
    assert names == set(hookflash.cli.LOCAL_COMMANDS)


@contextmanager
def running(programs: Path, folder: Path, *arguments: str, **environ: str) -> Iterator[Path]:
    """Run `hookflash` with `arguments` and yield the file of what it prints; end it afterwards."""
    log = folder / "output.log"
    with log.open("wb") as to:
        process = subprocess.Popen(
            [programs / "hookflash", *arguments],
            cwd=folder,
            env=clean_environ(**environ),
            stdout=to,
            stderr=subprocess.STDOUT,
        )
        try:
            yield log
        finally:
            process.terminate()
            process.wait()


def printed(log: Path, pattern: str) -> str:
    """Wait until the pattern is printed; return its first group."""
    deadline = time.monotonic() + 100
    while not (found := re.search(pattern, log.read_text())):
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)
    return found[1]


def test_the_product_alone_serves_a_line(product: Path, tmp_path: Path) -> None:
    (tmp_path / "agent.py").write_text(
        'from hookflash import Agent\n\nagent = Agent("shop", instructions="Sell books.")\n'
    )
    environ = {
        "OPENAI_API_KEY": "sk-test",
        "TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
        "TWILIO_AUTH_TOKEN": "0" * 32,
        "HOOKFLASH_PUBLIC_URL": "https://line.example.com",
    }
    with running(product, tmp_path, "serve", "agent.py", "--port", "0", **environ) as log:
        port = printed(log, r"port (\d+)")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz") as answer:
            assert answer.status == 200


def test_with_the_workshop_the_demo_runs_outside_the_repository(both: Path, tmp_path: Path) -> None:
    with running(both, tmp_path, "demo", "--no-open", "--port", "0") as log:
        address = printed(log, r"(http://127\.0\.0\.1:\d+/\S*)")
        with urllib.request.urlopen(address) as answer:
            assert answer.status == 200 and b"<html" in answer.read()
