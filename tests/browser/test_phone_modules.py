"""The page's own modules against ours: G.711, resampling, the jitter buffer, the words."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from hookflash import g711

from .conftest import Line, Opened

Run = Callable[[str, str], Awaitable[Any]]
"""Runs a function of a module's exports in the page."""


async def g711_is_ours_byte_for_byte(run: Run) -> None:
    assert await run("g711.js", "({ LINEAR }) => [...LINEAR].map((each) => each * 32768)") == list(
        g711.LINEAR
    )
    samples = range(-32768, 32768, 7)
    encoded = await run(
        "g711.js",
        "({ encode }) => { const made = [];"
        " for (let n = -32768; n < 32768; n += 7) made.push(encode(n / 32768)); return made; }",
    )
    assert bytes(encoded) == g711.encode(samples)


TONE = """({ Resampler }) => {
  const resampler = new Resampler(%(from_)d, %(to)d);
  const made = [];
  for (let block = 0; block < 200; block++) {
    const samples = Float32Array.from({ length: 128 }, (_, n) =>
      Math.sin((2 * Math.PI * %(hertz)d * (block * 128 + n)) / %(from_)d));
    made.push(...resampler.push(samples));
  }
  const steady = made.slice(made.length >> 2);
  const power = steady.reduce((sum, each) => sum + each * each, 0) / steady.length;
  return [made.length, Math.sqrt(power)];
}"""


async def what_a_telephone_carries_passes_and_what_it_cannot_does_not(run: Run, rate: int) -> None:
    for hertz, least, most in ((300, 0.68, 0.73), (3000, 0.6, 0.73), (5200, 0.0, 0.02)):
        down = TONE % {"from_": rate, "to": 8000, "hertz": hertz}
        count, level = await run("resample.js", down)
        assert abs(count - 200 * 128 * 8000 / rate) < 20
        assert least <= level <= most, f"{hertz} Hz down"
    count, level = await run("resample.js", TONE % {"from_": 8000, "to": rate, "hertz": 1000})
    assert abs(count - 200 * 128 * rate / 8000) < 150
    assert 0.68 <= level <= 0.73


async def the_jitter_buffer_waits_learns_and_leaves_silence_out(run: Run) -> None:
    pulled = await run(
        "jitter.js",
        """({ Jitter }) => {
          const jitter = new Jitter(2);
          const loud = (n) => new Uint8Array(160).fill(n), told = [];
          const pull = () => told.push(jitter.pull()?.[0] ?? null);
          jitter.push(loud(1)); pull();
          jitter.push(loud(2)); pull(); pull(); pull();
          told.push(jitter.target, jitter.gaps);
          for (let n = 3; n < 6; n++) jitter.push(loud(n));
          for (let n = 0; n < 4; n++) jitter.push(new Uint8Array(160).fill(255));
          for (let n = 0; n < 4; n++) pull();
          jitter.push(loud(9)); jitter.push(loud(9)); jitter.push(loud(9));
          told.push(jitter.frames.length); pull(); told.push(jitter.frames.length);
          return told;
        }""",
    )
    assert pulled == [None, 1, 2, None, 3, 1, 3, 4, 5, 255, 6, 255, 4]


async def the_keys_that_a_whisper_names(run: Run) -> None:
    for said, keys in (
        ("Press 1 to take the call, or 2 to decline it.", ["1", "2"]),
        ("A call from Ben. Press one to accept.", ["1"]),
        ("Press * to give the caller back.", ["*"]),
        ("Order 4571, two copies.", []),
    ):
        assert (
            await run("state-texts.js", f"({{ namedKeys }}) => [...namedKeys([{said!r}]).keys()]")
            == keys
        )


@pytest.mark.realtime
async def test_the_modules_of_the_page_compute_as_ours_do(line: Line, opened: Opened) -> None:
    page = await opened(f"{line.server.url}phone?as=caller")

    async def run(module: str, function: str) -> Any:
        address = f"{line.server.url}static/{module}"
        return await page.page.evaluate(f"import('{address}').then({function})")

    await g711_is_ours_byte_for_byte(run)
    for rate in (44_100, 48_000):
        await what_a_telephone_carries_passes_and_what_it_cannot_does_not(run, rate)
    await the_jitter_buffer_waits_learns_and_leaves_silence_out(run)
    await the_keys_that_a_whisper_names(run)
