"""Write the files of a finished call:

call.wav         stereo recording: left what the caller said, right what the caller heard
transcript.txt   who said what, as heard
timeline.svg     the picture of the call; opens in any browser
journal.jsonl    every event and command; `hookflash replay` runs it again
record.json      the record as it is stored
"""

from __future__ import annotations

import re
import time
import wave
from pathlib import Path

import msgspec

from hookflash.core.record import CallRecord
from hookflash.errors import ConfigError
from hookflash.g711 import RATE, decode_bytes
from hookflash.private_files import create_folder, open_file, write_file
from hookflash.replay.journal_json import read_lines
from hookflash.replay.picture import draw
from hookflash.replay.sound import Tracks
from hookflash.replay.timeline import Timeline, read_timeline
from hookflash.replay.transcript import transcript_text


def call_folder(data_dir: Path, call_sid: str, arrived_at: float) -> Path:
    """Return the folder for a call's files. Names begin with the time, so they sort by time.

    `arrived_at` is seconds since 1970.
    """
    when = time.strftime("%Y%m%d-%H%M%S", time.localtime(arrived_at))
    safe = re.sub(r"[^A-Za-z0-9]", "", call_sid)[:10] or "call"
    return data_dir / "calls" / f"{when}-{safe}"


def write_call(
    folder: Path, journal: Path, tracks: Tracks, *, record: CallRecord | None = None
) -> tuple[Timeline, list[Path]]:
    """Write all files of a call into `folder`. Return the call's timeline and the files' paths.

    `record` is the record as it was stored, with its summary; None takes the journal's.
    Raises `ConfigError` if the journal has no record, because the call did not end.
    """
    timeline = read_timeline(read_lines(journal))
    if timeline.record is None:
        raise ConfigError(
            f"the journal {journal} has no record: expected a call that has ended;"
            " see the log for why it did not"
        )
    timeline.record = record or timeline.record
    create_folder(folder)
    said, heard = align_tracks(tracks)
    paths = [folder / name for name in ("call.wav", "transcript.txt", "timeline.svg")]
    write_stereo(paths[0], said, heard)
    write_file(paths[1], transcript_text(timeline))
    write_file(paths[2], draw(timeline, tracks))
    copy = folder / "journal.jsonl"
    if copy.resolve() != journal.resolve():
        write_file(copy, journal.read_bytes())
    stored = folder / "record.json"
    write_file(stored, msgspec.json.format(msgspec.json.encode(timeline.record)) + b"\n")
    return timeline, [*paths, copy, stored]


def align_tracks(tracks: Tracks) -> tuple[bytes, bytes]:
    """Return both tracks starting when the call arrived: a player then shows the picture's times.

    Earlier audio is cut off; a later start is padded with silence.
    """
    first = round(tracks.starts_at * 8000)
    if first < 0:
        return tracks.said[-first:], tracks.heard[-first:]
    return b"\xff" * first + tracks.said, b"\xff" * first + tracks.heard


def write_stereo(path: Path, left: bytes, right: bytes) -> None:
    """Write two mu-law tracks as one stereo WAV file, 16-bit PCM at 8 kHz.

    The shorter track is padded with silence.
    """
    frames = max(len(left), len(right))
    sound = bytearray(4 * frames)
    for offset, track in ((0, left), (2, right)):
        samples = decode_bytes(track.ljust(frames, b"\xff"))
        sound[offset::4] = samples[0::2]
        sound[offset + 1 :: 4] = samples[1::2]
    with open_file(path, "wb") as plain, wave.open(plain, "wb") as file:
        file.setparams((2, 2, RATE, frames, "NONE", ""))
        file.writeframes(bytes(sound))
