"""A node says at its start what several machines cannot do with its settings."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.settings_parts import settings_of

from hookflash.runtime.journal import Journals
from hookflash.server.cluster_setup import open_cluster
from hookflash_local.simulation.world import SimulatedWorld


@pytest.mark.parametrize("shared", [True, False], ids=["shared", "not shared"])
async def test_data_that_other_machines_do_not_see_is_warned_of(
    shared: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    world = SimulatedWorld(0)
    chosen = {"database_url": "postgresql://db/calls", "files_url": "s3://calls"} if shared else {}
    settings = settings_of(
        public_url="https://line.example.test",
        data_dir=tmp_path,
        cluster_url="redis://127.0.0.1:1",
        cluster_secret="a secret of these nodes",
        **chosen,
    )
    journals = Journals(tmp_path / "journals", world=world)
    async with open_cluster(settings, journals, slot=1, world=world) as cluster:
        assert cluster is not None
    journals.close()
    found = [record.message for record in caplog.records if "HOOKFLASH_" in record.message]
    assert [name in "".join(found) for name in ("DATABASE_URL", "FILES_URL")] == [not shared] * 2
