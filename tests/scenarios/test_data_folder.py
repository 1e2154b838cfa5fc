"""What a served line leaves on the disk is private, also in a folder that was open to others."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .conftest import eventually
from .test_prepared_speech import RENDERED, talkative
from .test_recording import GREETING, recorded_shop, script_agent

Stage = Callable[..., Any]


def shared(folder: Path) -> list[str]:
    """Return what other users can read, write or list."""
    return [
        path.relative_to(folder).as_posix()
        for path in [folder, *folder.rglob("*")]
        if stat.S_IMODE(path.lstat().st_mode) & 0o077
    ]


@pytest.fixture
def open_to_all(tmp_path: Path) -> Any:
    """The data folder of an earlier version, and a umask that takes nothing away."""
    before = os.umask(0)
    tmp_path.chmod(0o777)
    for name in ("journals", "recordings", "speech", "workers"):
        (tmp_path / name).mkdir()
    (tmp_path / "journals" / "CA0.jsonl").write_text("")
    (tmp_path / "hookflash.db-wal").touch()
    assert len(shared(tmp_path)) == 7
    yield
    os.umask(before)


@pytest.mark.usefixtures("open_to_all")
async def test_a_recorded_call_leaves_only_private_files(stage: Stage, tmp_path: Path) -> None:
    agent = recorded_shop()
    agent.prepared = talkative().prepared
    async with stage(agent, settings=RENDERED) as s:
        script_agent(s)
        call = await s.call()
        await eventually(lambda: GREETING in call.recording().heard)
        call.end("completed", by="caller")
        await s.record(call)
        assert s.line.recordings.flush()
        assert s.line.journals.flush()
        assert shared(tmp_path) == []
        assert (tmp_path / "journals" / f"{call.sid}.jsonl").stat().st_size
        assert (tmp_path / "recordings" / f"{call.sid}.wav").stat().st_size
        assert list((tmp_path / "speech").iterdir())


async def test_a_line_says_at_its_start_that_calls_are_deleted_after_90_days(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "hookflash.server")
    async with stage():
        said = [text for text in caplog.messages if text.startswith("retention: ")]
    assert said == [
        "retention: calls with their transcripts, journals and recordings are deleted after 90 days"
        " (HOOKFLASH_CALL_RETENTION_DAYS; 0: never)"
    ]
