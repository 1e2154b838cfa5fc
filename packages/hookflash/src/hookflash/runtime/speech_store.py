"""Store rendered clips in the data folder, shared by processes, and render them in the background.

    added --the file is valid--> READY
          --no file--> claimed --rendered--> file written --> READY
                |           +--failed--> retried later, or given up (a fatal error)
                +--another process has the claim--> checked again later

A file's name is the SHA-256 of text, voice, language and the renderer's version, so a changed text
is rendered again. The file holds mu-law at 8 kHz, then its SHA-256, 32 bytes. A damaged file is
deleted and rendered again. A file is written under another name and then renamed. You may delete
the folder at any time.

    resource               acquired     released
    the rendering task     start()      aclose(), or when all is rendered
    a claim (file)         the task     when the rendering ends; another process may take over a
                                        claim older than `CLAIM_SECONDS`
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from hookflash.errors import ModelError
from hookflash.g711 import RATE
from hookflash.private_files import make_folder, open_descriptor, write_file
from hookflash.runtime.loudness import normalized
from hookflash.runtime.ports import SpeechRenderer
from hookflash.runtime.prepared_speech import Clip, Sentence
from hookflash.world import SYSTEM, World

log = logging.getLogger("hookflash.call.speech")

RENDER_SECONDS: Final = 60.0
"""The longest time to render one sentence."""

CLAIM_SECONDS: Final = 150.0
RETRY_SECONDS: Final = (15.0, 60.0, 300.0, 1800.0)
"""Seconds before the next round after a round with failures; the last value repeats."""

MAX_ROUNDS: Final = 20
"""How many rounds with failures are tried, about nine hours: each may cost money."""

CLAIMED_SECONDS: Final = 5.0
"""Seconds before the next round after one in which other processes were rendering."""

MAX_CONSECUTIVE_FAILURES: Final = 3
"""A round ends after this many failures in a row: the service is down."""

MAX_SENTENCES: Final = 1000

_SHORTEST, _LONGEST = RATE // 10, RATE * 60
_CHARACTER_SECONDS = (0.015, 0.4)
"""The shortest and longest plausible speech, in seconds per character."""

_DIGEST_BYTES = 32


class SpeechStore:
    """Clips by sentence (`prepared_speech.Clips`). Use it in the event loop's thread.

    Call `add` for all sentences, then `start`. `clip` returns each clip once it is ready. Without a
    `renderer` no clip becomes ready.
    """

    def __init__(
        self, folder: Path, renderer: SpeechRenderer | None, *, world: World = SYSTEM
    ) -> None:
        self._renderer = renderer
        self._files = _Files(folder, world)
        self._wanted: dict[Sentence, None] = {}
        self._clips: dict[Sentence, Clip] = {}
        self._task: asyncio.Task[None] | None = None
        self._tried = asyncio.Event()
        self._warned: set[str] = set()

    def add(self, sentences: Iterable[Sentence]) -> None:
        """Add sentences to render, in this order. Call it before `start`."""
        for sentence in sentences:
            if len(self._wanted) == MAX_SENTENCES and sentence not in self._wanted:
                self._warn_once(
                    "! more than %d prepared texts: the others are played as a tone; give fewer"
                    " texts or agents",
                    MAX_SENTENCES,
                )
                return
            self._wanted[sentence] = None

    def start(self) -> None:
        """Start rendering missing sentences, one after another. Returns at once."""
        if self._renderer is not None:
            self._task = asyncio.create_task(self._run(self._renderer), name="prepared speech")

    def clip(self, sentence: Sentence) -> Clip | None:
        """Return the clip of a sentence; None while it is not rendered. Never waits."""
        return self._clips.get(sentence)

    async def wait_until_tried(self) -> None:
        """Wait until every sentence was tried once. Returns at once if there is no renderer."""
        if self._task is not None:
            await self._tried.wait()

    async def aclose(self) -> None:
        """Stop rendering. Clips that are ready stay available."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    # --- the task -----------------------------------------------------------------------------

    async def _run(self, renderer: SpeechRenderer) -> None:
        try:
            await self._prepare(renderer)
        except Exception:
            # Calls continue; the tone is played for missing clips.
            log.exception("! prepared speech failed; the tone is played instead")
        finally:
            self._tried.set()

    async def _prepare(self, renderer: SpeechRenderer) -> None:
        # Load all stored clips first, so that they are available even if the service is down.
        missing = [each for each in self._wanted if not await self._load(renderer, each)]
        rounds = 0
        while missing:
            missing, wait = await self._round(renderer, missing)
            self._tried.set()
            if wait is None:
                return
            if not wait:
                if missing and rounds + 1 == MAX_ROUNDS:
                    self._warn_once(
                        "! prepared speech: %d texts failed to the last; the tone is played until"
                        " the server is started again",
                        len(missing),
                    )
                    return
                wait = RETRY_SECONDS[min(rounds, len(RETRY_SECONDS) - 1)]
                rounds += 1
            if missing:
                await asyncio.sleep(wait)

    async def _round(
        self, renderer: SpeechRenderer, wanted: list[Sentence]
    ) -> tuple[list[Sentence], float | None]:
        """Try each sentence once. Return the missing ones, and when to retry.

        The time is in seconds: 0 for the usual delay after a failure, None for never.
        """
        missing: list[Sentence] = []
        failures = 0
        wait = 0.0
        for number, sentence in enumerate(wanted):
            try:
                ready = await self._obtain(renderer, sentence)
                failures = 0
            except ModelError as error:
                self._warn_once("! prepared speech: %s; the tone is played instead", error)
                missing.append(sentence)
                failures += 1
                if error.fatal:
                    return [*missing, *wanted[number + 1 :]], None
                if failures == MAX_CONSECUTIVE_FAILURES:
                    return [*missing, *wanted[number + 1 :]], 0.0
            else:
                if not ready:
                    missing.append(sentence)
                    wait = CLAIMED_SECONDS
        return missing, wait

    async def _load(self, renderer: SpeechRenderer, sentence: Sentence) -> bool:
        """Load a clip from its file. Return False if there is none."""
        sound = await asyncio.to_thread(self._files.read, key_of(sentence, renderer.version))
        if sound is not None:
            self._clips[sentence] = Clip.of(sound, sentence.text)
        return sound is not None

    async def _obtain(self, renderer: SpeechRenderer, sentence: Sentence) -> bool:
        """Load or render one clip. Return False if another process is rendering it."""
        key = key_of(sentence, renderer.version)
        try:
            if not await asyncio.to_thread(self._files.claim, key):
                return await self._load(renderer, sentence)
            # The previous holder of the claim may have written the file.
            if await self._load(renderer, sentence):
                return True
            sound = await self._rendered(renderer, sentence)
            await self._save(key, sound)
        finally:
            self._files.release(key)
        self._clips[sentence] = Clip.of(sound, sentence.text)
        return True

    async def _rendered(self, renderer: SpeechRenderer, sentence: Sentence) -> bytes:
        try:
            async with asyncio.timeout(RENDER_SECONDS):
                sound = await renderer.render(sentence.text, sentence.voice, sentence.language)
        except TimeoutError:
            raise ModelError(
                f"expected a rendered text within {RENDER_SECONDS:g} s, none came"
            ) from None
        check_length(sound, sentence.text)
        return await asyncio.to_thread(normalized, sound)

    async def _save(self, key: str, sound: bytes) -> None:
        try:
            await asyncio.to_thread(self._files.write, key, sound)
        except OSError as error:
            self._warn_once(
                "! prepared speech cannot be stored in %s: %s; it is rendered again at every start:"
                " make the folder writable",
                self._files.folder,
                error.strerror or error,
            )

    def _warn_once(self, message: str, *values: object) -> None:
        text = message % values
        if text not in self._warned:
            self._warned.add(text)
            log.warning("%s", text)


def key_of(sentence: Sentence, version: str) -> str:
    """Return the name of a sentence's file, without its suffix."""
    parts = (sentence.text, sentence.voice, sentence.language, version)
    # The lengths prevent two different sets of parts from giving one text.
    whole = "".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.sha256(whole.encode()).hexdigest()


def check_length(sound: bytes, text: str) -> None:
    """Raise `ModelError` if `sound` (mu-law, 8 kHz) is too short or too long for `text`."""
    seconds = len(sound) / RATE
    low, high = (each * len(text) for each in _CHARACTER_SECONDS)
    if not _SHORTEST <= len(sound) <= _LONGEST or not low <= seconds <= high + 2.0:
        # Without the numbers, so that it is logged once and not per text.
        raise ModelError(
            "expected audio about as long as the spoken text, got audio that is much shorter or"
            " longer; check the service at HOOKFLASH_SPEECH_URL"
        )


class _Files:
    """The clip files. The disk may be slow: all but `release` is called in a thread."""

    def __init__(self, folder: Path, world: World) -> None:
        self.folder = folder
        self._world = world
        self._claimed: set[str] = set()

    def read(self, key: str) -> bytes | None:
        """Return the audio of a file, or None if there is none. A damaged file is deleted."""
        path = self.folder / f"{key}.ulaw"
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            log.warning("! %s cannot be read: %s; it is rendered again", path, error.strerror)
            return None
        sound, digest = data[:-_DIGEST_BYTES], data[-_DIGEST_BYTES:]
        if sound and hashlib.sha256(sound).digest() == digest:
            return sound
        log.warning("! %s is damaged: deleted, and rendered again", path)
        with contextlib.suppress(OSError):
            path.unlink()
        return None

    def claim(self, key: str) -> bool:
        """Claim the rendering of a clip. Return False if another process has claimed it.

        If the folder is not writable, no other process can share the clips, so the claim succeeds.
        """
        path = self._claim_path(key)
        try:
            make_folder(self.folder)
            with contextlib.suppress(FileNotFoundError):
                if self._world.wall() - path.stat().st_mtime > CLAIM_SECONDS:
                    path.unlink()
            os.close(open_descriptor(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        except FileExistsError:
            return path.parent.is_file()
        except OSError:
            return True
        self._claimed.add(key)
        self._world.stamp(path)
        return True

    def release(self, key: str) -> None:
        """Release a claim. Ignored if this process does not hold it."""
        if key in self._claimed:
            self._claimed.discard(key)
            with contextlib.suppress(OSError):
                self._claim_path(key).unlink()

    def write(self, key: str, sound: bytes) -> None:
        """Write the file of a clip. Raises `OSError`."""
        part = self.folder / f"{key}.{os.getpid()}.part"
        try:
            write_file(part, sound + hashlib.sha256(sound).digest())
            part.replace(self.folder / f"{key}.ulaw")
        except OSError:
            with contextlib.suppress(OSError):
                part.unlink()
            raise

    def _claim_path(self, key: str) -> Path:
        return self.folder / f"{key}.rendering"
