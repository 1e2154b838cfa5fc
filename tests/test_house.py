"""What must not creep in: long files without a reason, and what belongs to one machine or owner."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parent.parent
LONGEST = 400
BINARY = {".wav", ".png", ".onnx", ".db", ".ico", ".gz"}
GENERATED = {"requirements.lock", "scripts/build.lock"}

PRIVATE = {
    "a path of one machine": r"(?<![\w.])/(?:root|work|home/\w+|Users/\w+)/",
    "a registry's address": r"(?:py" r"pi\.org|python" r"hosted\.org|npm" r"js\.(?:org|com))",
    "an OpenAI key": r"\bsk-(?:proj-)?[A-Za-z0-9_-]{20,}",
    "a Twilio key": r"\bSK[0-9a-f]{32}\b",
    "a private key": r"BEGIN (?:RSA |EC )?PRIVATE KEY",
}
# Numbers that ring nobody: area code 555, 555-01xx, and Twilio's own documented test vector.
FICTIONAL = re.compile(r"\+1(?:555\d*|\d{3}55501\d\d)$|\+(?:14158675309|18005551212)$")
NUMBER = re.compile(r"(?<![\w+])\+[1-9]\d{9,14}\b")


def tracked() -> list[Path]:
    """Every text file that is, or is about to be, part of the repository."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\n")
    files = [ROOT / name for name in listed if name]
    return [file for file in files if file.suffix not in BINARY and file.is_file()]


def reasons() -> dict[str, str]:
    lines = (ROOT / "scripts" / "long-files.txt").read_text().splitlines()
    pairs = [line.split(":", 1) for line in lines if line.strip() and not line.startswith("#")]
    return {path.strip(): reason.strip() for path, reason in pairs}


def test_no_file_is_longer_than_400_lines_without_its_reason() -> None:
    stated = reasons()
    assert all(stated.values()), "every line of scripts/long-files.txt gives a reason"
    too_long = {}
    for file in tracked():
        name = file.relative_to(ROOT).as_posix()
        if file.suffix in {".py", ".sh", ".js", ".css", ".html", ".md", ""}:
            length = len(file.read_text().splitlines())
            if length > LONGEST and name not in stated and name not in GENERATED:
                too_long[name] = length
    too_long.pop("LICENSE", None)
    assert not too_long


def test_every_reason_is_about_a_file_that_is_long() -> None:
    for name in reasons():
        assert len((ROOT / name).read_text().splitlines()) > LONGEST, f"{name} is short enough now"


def test_nothing_private_is_in_the_tree() -> None:
    found = []
    for file in tracked():
        text = file.read_text()
        for what, pattern in PRIVATE.items():
            found += [
                f"{file.relative_to(ROOT)}: {what}: {hit.group()}"
                for hit in re.finditer(pattern, text)
            ]
    assert not found


def test_no_telephone_number_could_ring_anybody() -> None:
    found = []
    for file in tracked():
        if file.suffix in {".lock", ".svg"}:
            continue
        hits = {hit.group() for hit in NUMBER.finditer(file.read_text())}
        found += [
            f"{file.relative_to(ROOT)}: {hit}" for hit in sorted(hits) if not FICTIONAL.match(hit)
        ]
    assert not found


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        file.relative_to(ROOT).as_posix()
        for file in sorted((ROOT / "src").rglob("*.py"))
        if file.read_text().strip() and not re.match(r'(?:#.*\n)*"""\S', file.read_text())
    ]
    assert not silent
