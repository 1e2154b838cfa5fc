"""Commands with real speech in this process, on a virtual clock.

Speech takes as long as it sounds, and hearing and thinking take no time.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from piper import SynthesisConfig

from hookflash.cli import main
from hookflash_local.cli import _call_output
from hookflash_local.demo import local_call
from hookflash_local.model.local_model import local_model
from hookflash_local.model.speech import LocalComponents, SpeechOptions, load_components
from hookflash_local.simulation.loop import VirtualLoop
from hookflash_local.simulation.world import SimulatedWorld

NO_ACCOUNT = ("OPENAI_API_KEY", "TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN")


@pytest.fixture(scope="session")
def components() -> LocalComponents:
    loaded = load_components(lambda what, done: None, SpeechOptions())
    # Without its noise the voice says a sentence in the same way each time.
    piper = loaded.voice._piper  # type: ignore[attr-defined]  # it has no setting for this
    quiet = SynthesisConfig(noise_scale=0.0, noise_w_scale=0.0)
    piper.synthesize = partial(piper.synthesize, syn_config=quiet)
    return loaded


Run = Callable[..., tuple[dict[str, Any], list[str]]]


@pytest.fixture
def simulated(
    components: LocalComponents,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """Run a command here, and return what it says at its end, and the lines it shows until then."""

    class Model:
        """The local model, in this process."""

        def __init__(self, **_: Any) -> None:
            self._model = local_model(components)
            self.url = ""

        async def __aenter__(self) -> Model:
            self.url = (await self._model.__aenter__()).url
            return self

        async def __aexit__(self, *error: Any) -> None:
            await self._model.__aexit__(*error)

    async def hold(*arguments: Any, **options: Any) -> Any:
        world = SimulatedWorld(0)
        try:
            return await local_call.make_call(*arguments, **options, world=world)
        finally:
            world.close()

    def run_virtually(main: Coroutine[Any, Any, Any]) -> Any:
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            return runner.run(main)

    monkeypatch.setattr(local_call, "ModelProcess", Model)
    monkeypatch.setattr(_call_output, "make_call", hold)
    monkeypatch.setattr(asyncio, "run", run_virtually)
    monkeypatch.chdir(tmp_path)
    for name in NO_ACCOUNT:
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: str, code: int = 0) -> tuple[dict[str, Any], list[str]]:
        with pytest.raises(SystemExit) as left:
            main([*arguments, "--json"])
        told = capsys.readouterr()
        assert left.value.code == code, told.err
        # What an agent prints comes before.
        return json.loads(told.out.splitlines()[-1]), told.err.splitlines()

    return run
