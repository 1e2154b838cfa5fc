"""One process has a call: claims taken, refused, let go of, and freed by a death."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hookflash.cluster.claims import Claims, ClaimThread
from hookflash.errors import ConfigError

HOLD = """
import sys
from pathlib import Path
from hookflash.cluster.claims import Claims
claims = Claims(Path(sys.argv[1]), "w9-dead")
print(claims.take("CA1"), flush=True)
sys.stdin.read()
"""


def test_the_first_process_claims_the_call_and_the_others_learn_which(tmp_path: Path) -> None:
    one, two = Claims(tmp_path, "w1"), Claims(tmp_path, "w2")
    assert one.take("CA1") == "w1"
    assert one.take("CA1") == "w1"
    assert two.take("CA1") == "w1"
    assert two.take("CA2") == "w2"


def test_a_call_that_was_let_go_can_be_had_and_leaves_no_file(tmp_path: Path) -> None:
    one, two = Claims(tmp_path, "w1"), Claims(tmp_path, "w2")
    one.take("CA1")
    two.release("CA1")
    assert two.take("CA1") == "w1"
    one.release("CA1")
    assert list(tmp_path.iterdir()) == []
    assert two.take("CA1") == "w2"
    two.close()
    assert list(tmp_path.iterdir()) == []


def test_a_lock_on_a_removed_file_is_taken_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = Claims(tmp_path, "w1"), Claims(tmp_path, "w2")
    one.take("CA1")
    opened = os.open

    def open_then_lose(path: Path, flags: int, mode: int) -> int:
        file = opened(path, flags, mode)
        monkeypatch.setattr(os, "open", opened)
        one.release("CA1")
        return file

    monkeypatch.setattr(os, "open", open_then_lose)
    assert two.take("CA1") == "w2"
    assert one.take("CA1") == "w2"


@pytest.mark.realtime
def test_the_death_of_a_process_frees_its_calls_and_one_of_many_gets_them(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"w9-dead\n"
        others = [Claims(tmp_path, f"w{number}") for number in range(10)]
        assert {other.take("CA1") for other in others} == {"w9-dead"}
        holder.kill()
        holder.wait()
    assert {other.take("CA1") for other in others} == {"w0"}


def test_claims_of_dead_processes_are_deleted_and_live_ones_kept(tmp_path: Path) -> None:
    one, two = Claims(tmp_path, "w1"), Claims(tmp_path, "w2")
    (tmp_path / "CA1").write_text("w9-dead")
    one.take("CA2")
    two.take("CA3")
    assert two.sweep() == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["CA2", "CA3"]
    assert two.take("CA3") == "w2"


@pytest.mark.parametrize("sid", ["", "../CA1", "a/b", "x" * 65])
def test_a_name_that_is_no_call_never_becomes_a_path(tmp_path: Path, sid: str) -> None:
    with pytest.raises(ConfigError, match="a call SID is"):
        Claims(tmp_path, "w1").take(sid)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.realtime
async def test_in_a_thread_of_their_own_claims_are_taken_and_let_go_in_order(
    tmp_path: Path,
) -> None:
    other = Claims(tmp_path, "w2")
    with ClaimThread(Claims(tmp_path, "w1")) as thread:
        assert await thread.take("CA1") == "w1"
        thread.release("CA1")
        assert await asyncio.gather(*(thread.take("CA1") for _ in range(5))) == ["w1"] * 5
        assert other.take("CA1") == "w1"
        with pytest.raises(ConfigError):
            await thread.take("")
    assert other.take("CA1") == "w2"
