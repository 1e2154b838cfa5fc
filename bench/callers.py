"""Synthesised callers: their words, voices and line impairments.

    python bench/callers.py        synthesise the missing audio files

`bench/callers/callers.json` lists what is said. The audio is stored next to it, because a voice
never says the same twice. The voice `joe` is that of `hookflash-local`; faster and slower also make
it higher and lower. The other voices are those of flite and espeak-ng, two free programs that are
needed only to make the audio. Their licences do not cover the audio: joe is CC0, flite's voices are
free for any use, espeak-ng is GPL-3.0.

The impairments are those of `hookflash_local.audio.impairments`.
"""

from __future__ import annotations

import shutil
import struct
import subprocess
import sys
import tempfile
import wave
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import msgspec
import numpy as np

from hookflash_local.audio.impairments import IMPAIRMENTS
from hookflash_local.audio.wav import decode_wav
from hookflash_local.model.speech.assets import piper_voice
from hookflash_local.model.speech.pcm import (
    PHONE_RATE,
    mulaw_to_pcm16,
    pcm16_to_mulaw,
    resample,
)
from hookflash_local.model.speech.tts import PiperVoice

FOLDER = Path(__file__).parent / "callers"
LEAD = b"\xff" * 4000
"""Half a second of silence before the first word."""

SPEEDS = {"joe": 1.0, "joe, faster": 1.12, "joe, slower": 0.88}
ESPEAK = {"espeak-ng, American": "en-us", "espeak-ng, British woman": "en-gb+f3"}
_HEADROOM = 0.7


class Caller(msgspec.Struct, frozen=True):
    """One utterance. `wants` is `human`, or the number, name, yes or no to find in it."""

    said: str
    voice: str
    line: str
    wants: str = "human"

    @property
    def file(self) -> Path:
        words = "".join(letter if letter.isalnum() else "-" for letter in self.said.lower())
        voice = "".join(letter for letter in self.voice.lower() if letter.isalnum())
        return FOLDER / f"{words[:32].strip('-')}.{voice}.wav"


def callers() -> list[Caller]:
    """Return all callers, in the order of the list."""
    return msgspec.json.decode((FOLDER / "callers.json").read_bytes(), type=list[Caller])


def clean(caller: Caller) -> bytes:
    """Return the caller's audio as mu-law at 8 kHz, without impairment."""
    return LEAD + decode_wav(caller.file.read_bytes(), caller.file.name)


def on_the_line(caller: Caller) -> bytes:
    """Return the caller's audio as mu-law at 8 kHz, with the impairment of its line."""
    return IMPAIRMENTS[caller.line](clean(caller))


def _synthesize(caller: Caller) -> bytes:
    if caller.voice in SPEEDS:
        samples = mulaw_to_pcm16(b"".join(_joe().speak(caller.said)))
        samples = resample(samples, int(PHONE_RATE * SPEEDS[caller.voice]), PHONE_RATE)
        return pcm16_to_mulaw(samples)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "said.wav"
        subprocess.run(_command(caller, path), check=True)
        with wave.open(str(path)) as file:
            samples = np.frombuffer(file.readframes(file.getnframes()), np.int16)
            samples = resample(samples, file.getframerate(), PHONE_RATE)
    loudest = max(int(np.abs(samples.astype(int)).max()), 1)
    return pcm16_to_mulaw((samples / loudest * _HEADROOM * 32767).astype(np.int16))


@cache
def _joe() -> PiperVoice:
    return PiperVoice(piper_voice(None))


def _wav(sound: bytes) -> bytes:
    """Return mu-law as a WAV file."""
    form = struct.pack("<HHIIHHH", 7, 1, PHONE_RATE, PHONE_RATE, 1, 8, 0)
    chunks = b"fmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(sound))
    body = b"WAVE" + chunks + sound + b"\0" * (len(sound) % 2)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _command(caller: Caller, path: Path) -> Sequence[str]:
    if caller.voice in ESPEAK:
        voice = ESPEAK[caller.voice]
        return ["espeak-ng", "-v", voice, "-s", "150", "-w", str(path), caller.said]
    voice = caller.voice.removeprefix("flite, ")
    return ["flite", "-voice", voice, "-t", caller.said, "-o", str(path)]


def main() -> None:
    missing = [one for one in callers() if not one.file.exists()]
    needed = [program for program in ("flite", "espeak-ng") if shutil.which(program) is None]
    if any(one.voice not in SPEEDS for one in missing) and needed:
        sys.exit(f"missing programs, install them first: apt-get install {' '.join(needed)}")
    for caller in missing:
        caller.file.write_bytes(_wav(_synthesize(caller)))
        print(f"made {caller.file.name}")


if __name__ == "__main__":
    main()
