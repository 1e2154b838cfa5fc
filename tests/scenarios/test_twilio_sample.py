"""The guide from the Twilio sample, followed to the letter: before, the change, after."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shlex
import shutil
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from hookflash_local.carrier import Human, Line, NumberConfig, StandinCarrier
from hookflash_local.model.scripted import ScriptedModel

from ..settings_parts import settings_of
from .conftest import CALLER, LINE, PUBLIC, SPEED, samples
from .test_handoff import FRAME, GREETING, HUMAN, asked_to, desk, greeted, say
from .test_mounted_line import stored

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "examples" / "twilio_sample"
GUIDE = (ROOT / "docs" / "how-to" / "from-the-twilio-sample.md").read_text()
BEFORE, AFTER = re.findall(r"^```sh\n(.*?)^```", GUIDE, re.M | re.S)
(CHANGE,) = re.findall(r"^```diff\n(.*?)^```", GUIDE, re.M | re.S)
FIRST_HUMAN, SECOND_HUMAN = "+15550102", "+15550103"


def changed(text: str, diff: str) -> str:
    """Apply a unified diff. Every line that it removes or keeps must be there."""
    lines, found, at = text.splitlines(), list[str](), 0
    for line in diff.splitlines()[2:]:
        if hunk := re.match(r"@@ -(\d+)", line):
            begin = int(hunk[1]) - 1
            found += lines[at:begin]
            at = begin
        elif line.startswith("+"):
            found.append(line[1:])
        else:
            assert lines[at] == line[1:]
            found += [line[1:]] if line.startswith(" ") else []
            at += 1
    return "\n".join([*found, *lines[at:], ""])


def exported(block: str) -> set[str]:
    return set(re.findall(r"^export (\w+)=", block, re.M))


@asynccontextmanager
async def started(block: str, folder: Path, **environ: str) -> AsyncIterator[int]:
    """Run the command of a block of the guide, with the variables that it names; yield the port."""
    needed = exported(block)
    assert needed <= set(environ)
    (command,) = [line for line in block.splitlines() if line.startswith("uvicorn")]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = shlex.split(command.replace("5050", str(port)))
    inherited = {name: text for name, text in os.environ.items() if name not in needed}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", *words), cwd=folder, env={**inherited, **environ}
    )
    try:
        async with httpx.AsyncClient() as client:
            for _ in range(1500):
                with contextlib.suppress(httpx.TransportError):
                    answer = await client.get(f"http://127.0.0.1:{port}/")
                    assert answer.json() == "Riverside Bicycles"
                    break
                assert process.returncode is None
                await asyncio.sleep(0.02)
        yield port
        process.send_signal(signal.SIGTERM)
        assert await process.wait() in (0, -signal.SIGTERM)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.fixture
def sample(tmp_path: Path) -> Iterator[Path]:
    shutil.copy(SAMPLE / "before.py", tmp_path)
    yield tmp_path


def test_the_change_in_the_guide_is_short_and_makes_one_file_of_the_other() -> None:
    assert changed((SAMPLE / "before.py").read_text(), CHANGE) == (SAMPLE / "after.py").read_text()
    added = [line for line in CHANGE.splitlines() if re.match(r"\+(?!\+\+)", line)]
    assert len(added) <= 20


@pytest.mark.realtime
async def test_before_the_change_the_sample_answers_and_the_caller_can_cut_in(
    sample: Path,
) -> None:
    async with ScriptedModel(speed=SPEED) as model, StandinCarrier(speed=SPEED) as carrier:
        model.on("response.create", [say("hi", 3000, GREETING)], where=asked_to("just begun"))
        environ = {"OPENAI_API_KEY": "any", "MODEL_URL": f"{model.url}?model=gpt-realtime"}
        async with started(BEFORE, sample, **environ) as port:
            carrier.tunnel[PUBLIC] = f"http://127.0.0.1:{port}"
            # The sample takes the host from the request, and the local carrier asks this one.
            carrier.tunnel["https://127.0.0.1"] = f"http://127.0.0.1:{port}"
            carrier.numbers[LINE] = NumberConfig(f"{PUBLIC}/incoming-call")

            async def script(line: Line) -> None:
                await line.wait_for_sound()
                await line.pause(0.5)
                await model.perform([{"hears": {"text": "wait", "ms": 300, "respond": False}}])
                await model.until("conversation.item.truncate")
                await line.wait_for_silence(0.5)
                await line.hang_up()

            call = await carrier.place_call(from_=CALLER, to=LINE, script=script)
            await call.ended()
            heard = samples(call.recording().heard, GREETING)
        assert carrier.alerts.entries == []
        assert 0 < heard < 3000 * 8


@pytest.mark.realtime
async def test_after_the_change_a_human_takes_the_call(sample: Path) -> None:
    before = sample / "before.py"
    (sample / "after.py").write_text(changed(before.read_text(), CHANGE))
    before.unlink()
    async with ScriptedModel(speed=SPEED) as model, StandinCarrier(speed=SPEED) as carrier:
        model.on("response.create", [say("hi", 800, GREETING)], where=asked_to("just begun"))
        carrier.humans[FIRST_HUMAN] = Human.busy()
        carrier.humans[SECOND_HUMAN] = Human(answer_after=0.5, script=desk)
        environ = {
            "HOOKFLASH_PUBLIC_URL": f"{PUBLIC}/voice",
            "TWILIO_ACCOUNT_SID": carrier.account_sid,
            "TWILIO_AUTH_TOKEN": carrier.auth_token,
            "OPENAI_API_KEY": "any",
            # The stand-ins, and their compressed time.
            "HOOKFLASH_TWILIO_API_URL": carrier.api_url,
            "HOOKFLASH_MODEL_URL": model.url,
            "HOOKFLASH_SPEED": str(SPEED),
        }
        assert all(
            f"https://example.com/voice/twilio/{each}" in GUIDE for each in ("voice", "status")
        )
        async with started(AFTER, sample, **environ) as port:
            carrier.tunnel[PUBLIC] = f"http://127.0.0.1:{port}"
            carrier.numbers[LINE] = NumberConfig(
                f"{PUBLIC}/voice/twilio/voice",
                fallback_url=f"{PUBLIC}/voice/twilio/voice",
                status_callback=f"{PUBLIC}/voice/twilio/status",
            )

            async def script(line: Line) -> None:
                await greeted(line)
                arguments = {"destination": "shop", "reason": "a person", "summary": "A tyre."}
                hears = {"hears": {"text": "a person please", "ms": 600, "respond": True}}
                transfer = {"call_tool": {"name": "transfer_to_human", "arguments": arguments}}
                await model.perform([hears, transfer])
                await line.wait_for("bridged")

            call = await carrier.place_call(from_=CALLER, to=LINE, script=script)
            await call.ended()
            await carrier.callbacks_sent()
        assert samples(call.recording().heard, HUMAN) >= 8000 - FRAME
        assert carrier.alerts.entries == []
    record = await stored(settings_of(data_dir=sample / "hookflash-data"), call.sid)
    assert record is not None
    assert record.disposition == "handed_off"
    assert [each.outcome for each in record.handoffs] == ["busy", "bridged"]


@pytest.mark.realtime
async def test_a_bridge_that_stays_brings_a_human_by_rest(sample: Path) -> None:
    shutil.copy(SAMPLE / "with_a_human.py", sample)
    async with ScriptedModel(speed=SPEED) as model, StandinCarrier(speed=SPEED) as carrier:
        model.on("response.create", [say("hi", 800, GREETING)], where=asked_to("just begun"))
        carrier.humans[FIRST_HUMAN] = Human.busy()
        carrier.humans[SECOND_HUMAN] = Human.accepts(0.5, then=desk)
        environ = {
            "HOOKFLASH_PUBLIC_URL": f"{PUBLIC}/voice",
            "TWILIO_ACCOUNT_SID": carrier.account_sid,
            "TWILIO_AUTH_TOKEN": carrier.auth_token,
            "OPENAI_API_KEY": "any",
            "OWN_URL": PUBLIC,
            "MODEL_URL": f"{model.url}?model=gpt-realtime",
            "HOOKFLASH_TWILIO_API_URL": carrier.api_url,
            "HOOKFLASH_SPEED": str(SPEED),
        }
        run = "uvicorn with_a_human:app --port 5050"
        assert run in (SAMPLE / "with_a_human.py").read_text()
        async with started(run, sample, **environ) as port, httpx.AsyncClient() as client:
            carrier.tunnel[PUBLIC] = f"http://127.0.0.1:{port}"
            carrier.tunnel["https://127.0.0.1"] = f"http://127.0.0.1:{port}"
            carrier.numbers[LINE] = NumberConfig(f"{PUBLIC}/incoming-call")

            async def script(line: Line) -> None:
                await greeted(line)
                human = f"http://127.0.0.1:{port}/calls/{line.leg.sid}/human"
                asked = await client.post(human, params={"summary": "A flat tyre."})
                assert asked.json() == {"status": "ringing"}
                await line.wait_for("bridged")

            call = await carrier.place_call(from_=CALLER, to=LINE, script=script)
            await call.ended()
            await carrier.callbacks_sent()
        heard = call.recording().heard
        assert samples(heard, GREETING) == 800 * 8
        assert samples(heard, HUMAN) >= 8000 - FRAME
        assert carrier.alerts.entries == []
    record = await stored(settings_of(data_dir=sample / "hookflash-data"), call.sid)
    assert record is not None
    assert [each.outcome for each in record.handoffs] == ["busy", "bridged"]
