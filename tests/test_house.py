"""What must not be in the repository: paths, addresses, keys and numbers of a machine or owner."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parent.parent
BINARY = {".wav", ".png", ".onnx", ".db", ".ico", ".gz"}

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
        for file in sorted((ROOT / "packages").rglob("*.py"))
        if file.read_text().strip() and not re.match(r'(?:#.*\n)*"""\S', file.read_text())
    ]
    assert not silent
