"""Debian's Firefox over WebDriver BiDi: what a test needs of it, and no more.

    async with Firefox() as firefox:
        await firefox.goto(url)
        await firefox.until("document.querySelector('h1')?.textContent === 'Calls now'")

Playwright drives only a Firefox of its own. This one is started with `--remote-debugging-port`, and
speaks the W3C's protocol (https://w3c.github.io/webdriver-bidi/). Its microphone is a fake one, and
it may play sound.

resource     acquired      released
profile      `__aenter__`  `__aexit__`
process      `__aenter__`  `__aexit__`
WebSocket    `__aenter__`  `__aexit__`
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import os
import re
import shutil
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from websockets.asyncio.client import ClientConnection, connect

PROGRAM = "firefox-esr"
PATIENCE_SECONDS = 90.0
PREFERENCES = {
    "media.navigator.permission.disabled": True,
    "media.navigator.streams.fake": True,
    "media.autoplay.default": 0,
    "media.autoplay.blocking_policy": 0,
    "app.update.enabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
}


class Firefox:
    """A Firefox without a screen, with one page. `errors` are the errors of its pages."""

    def __init__(self) -> None:
        self.errors: list[str] = []
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}

    async def __aenter__(self) -> Self:
        self._profile = tempfile.mkdtemp(prefix="firefox-")
        lines = (
            f"user_pref({json.dumps(name)}, {json.dumps(value)});"
            for name, value in PREFERENCES.items()
        )
        _write(Path(self._profile, "user.js"), "\n".join(lines).encode())
        self._process = await asyncio.create_subprocess_exec(
            PROGRAM,
            *("--headless", "--no-remote", "--profile", self._profile),
            *("--remote-debugging-port", "0"),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env=os.environ | {"HOME": self._profile, "MOZ_HEADLESS_WIDTH": "1280"},
        )
        try:
            address = await asyncio.wait_for(self._address(), PATIENCE_SECONDS)
            self._socket: ClientConnection = await connect(f"{address}/session", max_size=None)
            self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._drain())]
            await self.command("session.new", capabilities={})
            await self.command("session.subscribe", events=["log.entryAdded"])
            tree = await self.command("browsingContext.getTree")
            self._context = tree["contexts"][0]["context"]
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._socket.close()
        await self._stop()

    async def command(self, method: str, /, **params: Any) -> dict[str, Any]:
        """Send a command and return its result. Raises `AssertionError` with the error's text."""
        number = next(self._numbers)
        answering = self._answers[number] = asyncio.get_running_loop().create_future()
        await self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        try:
            answer = await asyncio.wait_for(answering, PATIENCE_SECONDS + 10)
        finally:
            del self._answers[number]
        assert answer["type"] == "success", f"{method}: {answer}"
        result: dict[str, Any] = answer["result"]
        return result

    async def goto(self, url: str) -> None:
        await self.command(
            "browsingContext.navigate", context=self._context, url=url, wait="complete"
        )

    async def resize(self, width: int, height: int) -> None:
        size = {"width": width, "height": height}
        await self.command("browsingContext.setViewport", context=self._context, viewport=size)

    async def evaluate(self, expression: str) -> Any:
        """Return what a JavaScript expression gives, as JSON can have it; a promise is awaited."""
        answer = await self.command(
            "script.evaluate",
            expression=f"(async () => JSON.stringify((await ({expression})) ?? null))()",
            target={"context": self._context},
            awaitPromise=True,
            userActivation=True,
        )
        assert answer["type"] == "success", answer["exceptionDetails"]["text"]
        return json.loads(answer["result"]["value"])

    async def until(self, expression: str) -> None:
        """Wait until an expression is true."""
        seen = await self.evaluate(
            f"""(async () => {{
              const end = performance.now() + {PATIENCE_SECONDS * 1000};
              for (;;) {{
                if ({expression}) return true;
                if (performance.now() > end) return false;
                await new Promise((next) => setTimeout(next, 50));
              }}
            }})()"""
        )
        if not seen:
            text = await self.evaluate("document.body.innerText.slice(0, 2000)")
            raise AssertionError(f"in vain: {expression}; the page says:\n{text}")

    async def click(self, selector: str) -> None:
        """Click an element as soon as it is there and enabled."""
        found = f"document.querySelector({json.dumps(selector)})"
        await self.until(f"{found}?.checkVisibility() && !{found}.disabled")
        await self.evaluate(f"{found}.click()")

    async def press(self, key: str) -> None:
        """Press a key at whatever has the focus."""
        keys = [{"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]
        source = {"type": "key", "id": "keyboard", "actions": keys}
        await self.command("input.performActions", context=self._context, actions=[source])

    async def picture(self, name: str) -> None:
        """Keep a picture of the page, where HOOKFLASH_SCREENSHOTS names a folder for it."""
        folder = os.environ.get("HOOKFLASH_SCREENSHOTS")
        if folder:
            shot = await self.command("browsingContext.captureScreenshot", context=self._context)
            _write(Path(folder, f"{name}.png"), base64.b64decode(shot["data"]))

    # --- the process ------------------------------------------------------------------------------

    async def _address(self) -> str:
        assert self._process.stderr is not None
        async for line in self._process.stderr:
            if found := re.search(rb"WebDriver BiDi listening on (ws://\S+)", line):
                return found[1].decode()
        raise AssertionError("Firefox has ended before it listened")

    async def _drain(self) -> None:
        """Read on, so that Firefox never waits for a full pipe."""
        assert self._process.stderr is not None
        while await self._process.stderr.read(65_536):
            pass

    async def _read(self) -> None:
        async for text in self._socket:
            told = json.loads(text)
            if "id" in told and told["id"] in self._answers:
                self._answers[told["id"]].set_result(told)
            elif told.get("method") == "log.entryAdded" and told["params"]["level"] == "error":
                self.errors.append(str(told["params"]["text"]))

    async def _stop(self) -> None:
        if self._process.returncode is None:
            self._process.terminate()
            try:
                await asyncio.wait_for(self._process.wait(), 20)
            except TimeoutError:
                self._process.kill()
                await self._process.wait()
        shutil.rmtree(self._profile, ignore_errors=True)


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)
