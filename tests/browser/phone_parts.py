"""Telephones in a real browser: pages of phones, their microphones fed from recordings.

The browser reads its fake microphone from a file each time the microphone is opened, and a phone
that is muted has switched it off. So whatever is to be said is written to that file while the
phone is muted, and said when it is not: no test waits for a time, only for what happens.
"""

from __future__ import annotations

import asyncio
import copy
import json
import os
import shutil
import wave
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from playwright.async_api import Browser, Locator, Page, Playwright, WebSocket

from hookflash.g711 import decode_bytes
from hookflash_local.carrier.media import sounds

PATIENCE_SECONDS = 90.0
"""Long: a test that waits for what happens loses nothing by it on a machine that is busy."""

SILENCE = b"\xff"
FRAME = 160
BEFORE, AFTER = 1200, 4000
"""So many samples of silence are around what a microphone is given to say."""

Role = Literal["caller", "human"]


async def until(true: Callable[[], object], what: str, seconds: float = PATIENCE_SECONDS) -> None:
    """Look every 20 ms until something is true."""
    loop = asyncio.get_running_loop()
    seen = loop.create_future()

    def look() -> None:
        if seen.done():
            return
        if true():
            seen.set_result(None)
        else:
            loop.call_later(0.02, look)

    look()
    try:
        await asyncio.wait_for(seen, seconds)
    except TimeoutError:
        raise AssertionError(f"waited {seconds:g} s in vain until {what}") from None


async def launch(playwright: Playwright, microphone: Path) -> Browser:
    """Start Debian's chromium with a microphone that is a file."""
    write_wav(microphone, SILENCE * FRAME)
    return await playwright.chromium.launch(
        executable_path=shutil.which("chromium"),
        args=[
            "--no-sandbox",
            "--use-fake-ui-for-media-stream",
            "--use-fake-device-for-media-stream",
            f"--use-file-for-fake-audio-capture={microphone}%noloop",
            "--autoplay-policy=no-user-gesture-required",
            "--disable-background-networking",
        ],
    )


def write_wav(path: Path, sound: bytes) -> None:
    """Write mu-law as what the browser reads, with a little silence around it."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(decode_bytes(SILENCE * BEFORE + sound + SILENCE * AFTER))


def loud_seconds(sound: bytes) -> float:
    """Return for how long speech or tones are in `sound`."""
    frames = (sound[at : at + FRAME] for at in range(0, len(sound), FRAME))
    return sum(sounds.is_sound(frame) for frame in frames) * 0.02


@dataclass
class Sound:
    """What went through the sockets of one phone, mu-law."""

    heard: bytearray = field(default_factory=bytearray)
    sent: bytearray = field(default_factory=bytearray)


class PhonePage:
    """The phone of `role` on a page, or the only one. `heard` and `sent` are its sound, mu-law."""

    def __init__(self, page: Page, microphone: Path, role: Role | None = None) -> None:
        self.page = page
        self.troubles: list[str] = []
        self.fetched: list[str] = []
        self.microphone = microphone
        self._sounds: dict[str | None, Sound] = {None: Sound()}
        self._be(role)
        page.on("websocket", self._opened)
        page.on("pageerror", lambda error: self.troubles.append(str(error)))
        page.on("console", lambda told: self._told(told.type, told.text))
        page.on("request", lambda request: self.fetched.append(request.url))

    def _told(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.troubles.append(text)

    def _be(self, role: Role | None) -> None:
        self.phone: Locator = self.page.locator(
            "hookflash-phone" if role is None else f"hookflash-phone[as={role}]"
        )
        self._role = role

    def _opened(self, socket: WebSocket) -> None:
        sounds = [self._sounds[None]]

        def sent(data: str | bytes) -> None:
            if isinstance(data, bytes):
                for sound in sounds:
                    sound.sent += data
            elif (told := json.loads(data))["type"] == "register":
                # From then on it is known whose socket this is.
                sounds[1:] = [self._sounds.setdefault(told["role"], Sound())]

        def received(data: str | bytes) -> None:
            if isinstance(data, bytes):
                for sound in sounds:
                    sound.heard += data

        socket.on("framesent", sent)
        socket.on("framereceived", received)

    @property
    def heard(self) -> bytearray:
        return self._sounds.setdefault(self._role, Sound()).heard

    @property
    def sent(self) -> bytearray:
        return self._sounds.setdefault(self._role, Sound()).sent

    async def open(self, url: str) -> PhonePage:
        await self.page.goto(url)
        await self.phone.and_(self.page.locator("[data-link=open]")).wait_for()
        return self

    def other(self, role: Role) -> PhonePage:
        """Return another phone of the same page."""
        other = copy.copy(self)
        other._be(role)
        return other

    async def state(self, state: str) -> None:
        """Wait until the phone is idle, calling, ringing or talking."""
        await self.phone.and_(self.page.locator(f"[data-state={state}]")).wait_for(
            timeout=PATIENCE_SECONDS * 1000
        )

    async def connected(self) -> None:
        await self.phone.and_(self.page.locator("[data-connected=true]")).wait_for(
            timeout=PATIENCE_SECONDS * 1000
        )

    async def hears_whisper(self) -> str:
        """Wait until a key is wanted, and return what was said by then."""
        await self.phone.and_(self.page.locator("[data-wants-key=true]")).wait_for(
            timeout=PATIENCE_SECONDS * 1000
        )
        said = self.phone.get_by_role("region", name="Only you hear this")
        await said.wait_for(timeout=PATIENCE_SECONDS * 1000)
        return await said.inner_text()

    async def does(self, name: str) -> None:
        """Press a button by its label."""
        await self.phone.get_by_role("button", name=name, exact=True).click()

    async def says(self, sound: bytes) -> None:
        """Speak, and return when it was said."""
        await self.begins_to_say(sound)
        already = len(self.sent)
        wanted = already + BEFORE + len(sound) + 1200
        await until(lambda: len(self.sent) >= wanted, "the page has sent what was said")

    async def begins_to_say(self, sound: bytes) -> None:
        await self.does("Mute")
        write_wav(self.microphone, sound)
        await self.does("Unmute")
        already = len(self.sent)
        await until(lambda: len(self.sent) > already, "the page sends its microphone")

    async def hears(self, seconds: float = 0.5, since: int | None = None) -> None:
        """Wait until so much sound was heard, from now on or since a place in `heard`."""
        first = len(self.heard) if since is None else since
        await until(
            lambda: loud_seconds(bytes(self.heard[first:])) >= seconds, f"{seconds} s are heard"
        )

    async def hears_out(self, quiet: float = 1.5) -> None:
        """Wait until nothing was heard for so long."""
        size = int(quiet * 50) * FRAME
        first = len(self.heard)
        await until(
            lambda: (
                len(self.heard) - first >= size and loud_seconds(bytes(self.heard[-size:])) == 0
            ),
            f"it is quiet for {quiet} s",
        )

    async def picture(self, name: str) -> None:
        """Keep a picture of the page, where HOOKFLASH_SCREENSHOTS names a folder for it."""
        folder = os.environ.get("HOOKFLASH_SCREENSHOTS")
        if folder:
            await self.page.screenshot(path=Path(folder) / f"{name}.png")
