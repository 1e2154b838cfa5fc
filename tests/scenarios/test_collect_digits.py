"""A tool collects a card number on a whole call: it is on no disk, in no log and at no model."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from hookflash import Agent, CallContext
from hookflash.core.commands import GiveDigits
from hookflash.core.events import DigitPressed
from hookflash.runtime.journal_replay import read_journal
from hookflash_local.audio.wav import read_wav
from hookflash_local.carrier.parties import Line

from .conftest import samples
from .test_handoff import asked_to, say
from .test_owner_hooks import calls
from .test_recording import CONSENT, GREETING, first, kept, recorded_shop

Stage = Callable[..., Any]
CARD = "4929831706451234"
BEFORE, DURING, AFTER = 0x45, 0x56, 0x67
PROMPT, PAID = 0x34, 0x1A
TYPING_SAMPLES = 28_000
"""Longer than it takes to press sixteen keys, and over before the model hears the caller again."""


def paying(got: list[str], *, secret: bool) -> Agent:
    """An agent that takes cards. The first digit is also the key that brings a human."""
    agent = recorded_shop()
    agent.key_to_human = CARD[0]

    @agent.tool
    async def pay(call: CallContext) -> str:
        """Take a payment by card."""
        got.append(await call.collect_digits(16, secret=secret, prompt="Please type your card."))
        return "Paid."

    return agent


def script_payment(s: Any) -> None:
    s.model.on("response.create", [say("consent", 700, CONSENT)], where=asked_to("must hear this"))
    s.model.on("response.create", [say("greeting", 600, GREETING)], where=asked_to("just begun"))
    s.model.on("response.create", [say("prompt", 900, PROMPT)], where=asked_to("type your card"))
    s.model.on("response.create", [say("paid", 500, PAID)])


def caller(s: Any) -> Callable[[Line], Any]:
    async def script(line: Line) -> None:
        await line.wait_for_sound()
        await line.wait_for_silence(0.8)
        await line.play(bytes([BEFORE]) * 4000)
        await s.model.perform([calls("pay")])
        await line.wait_for_sound()
        await line.wait_for_silence(0.4)
        # What sounds while they type: the tones of the keys, or the number read out.
        line.send(bytes([DURING]) * TYPING_SAMPLES)
        await line.press(CARD)
        await line.wait_for_sound()
        await line.pause(2.0)
        await line.play(bytes([AFTER]) * 4000)
        await line.pause(0.5)
        await line.hang_up()

    return script


async def test_a_secret_is_on_no_disk_in_no_log_and_at_no_model(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "hookflash")
    got: list[str] = []
    async with stage(paying(got, secret=True)) as s:
        script_payment(s)
        call = await s.call(caller(s))
        record = await s.record(call)
        wav = await kept(s, call)
        assert s.line.journals.flush()
        journal = s.folder / "journals" / f"{call.sid}.jsonl"
        _, lines = read_journal(journal)
        stored = {path: path.read_bytes() for path in s.folder.rglob("*") if path.is_file()}
    assert got == [CARD]
    # The journal has how many keys were pressed, and never which.
    pressed = [each.event for each in lines if isinstance(each.event, DigitPressed)]
    assert pressed == [DigitPressed()] * 16
    (given,) = [each.command for each in lines if isinstance(each.command, GiveDigits)]
    assert (given.typed, given.ending) == (16, "complete")
    assert not [path.name for path, data in stored.items() if CARD.encode() in data]
    assert CARD.encode() not in msgspec.json.encode(record)
    logged = "\n".join(
        each.getMessage()
        for each in caplog.records
        if each.name.startswith("hookflash") and "standin" not in each.name
    )
    assert logged.count("< DigitPressed(to_human=false, ends=false)") == 16
    assert CARD not in logged and "digit=" not in logged
    # The model was sent neither the sound nor a word about it.
    heard = b"".join(s.model.heard.values())
    assert [samples(heard, byte) > 0 for byte in (BEFORE, DURING, AFTER)] == [True, False, True]
    assert CARD not in str(s.model.received) and "keypad" not in str(s.model.received)
    # The recording has silence there, and the rest at its time.
    truth = call.recording()
    assert samples(truth.said, DURING) == TYPING_SAMPLES
    assert samples(wav.left, DURING) == 0
    assert samples(wav.left, BEFORE) == samples(wav.left, AFTER) == 4000
    assert samples(wav.right, PROMPT) == 900 * 8
    theirs = first(truth.said, AFTER) - first(truth.said, BEFORE)
    assert first(wav.left, AFTER) - first(wav.left, BEFORE) == theirs
    # The first digit was no wish for a human.
    assert record.handoffs == ()
    assert [(each.name, each.output) for each in record.tools] == [("pay", "Paid.")]


async def test_digits_that_are_no_secret_are_hidden_and_the_talk_goes_on(stage: Stage) -> None:
    got: list[str] = []
    async with stage(paying(got, secret=False)) as s:
        script_payment(s)
        call = await s.call(caller(s))
        await s.record(call)
        wav = await kept(s, call)
        assert s.line.journals.flush()
        _, lines = read_journal(s.folder / "journals" / f"{call.sid}.jsonl")
    assert got == [CARD]
    assert {each.event.digit for each in lines if isinstance(each.event, DigitPressed)} == {""}
    assert samples(b"".join(s.model.heard.values()), DURING) > 0
    assert samples(wav.left, DURING) == TYPING_SAMPLES


async def test_a_recording_at_twilio_is_paused_meanwhile(stage: Stage, tmp_path: Path) -> None:
    got: list[str] = []
    async with stage(paying(got, secret=True)) as s:
        script_payment(s)
        account = f"{s.carrier.api_url}/2010-04-01/Accounts/{s.carrier.account_sid}"
        auth = (s.carrier.account_sid, s.carrier.auth_token)
        async with httpx.AsyncClient(auth=auth, trust_env=False) as twilio:

            async def script(line: Line) -> None:
                recorded = f"{account}/Calls/{line.leg.sid}/Recordings.json"
                assert (await twilio.post(recorded)).status_code == 201
                await caller(s)(line)

            call = await s.call(script)
            await s.record(call)
            (found,) = (await twilio.get(f"{account}/Recordings.json")).json()["recordings"]
            sound = await twilio.get(f"{account}/Recordings/{found['sid']}.wav")
    assert got == [CARD]
    kept_at_twilio = tmp_path / "twilio.wav"
    kept_at_twilio.write_bytes(sound.content)
    theirs = read_wav(kept_at_twilio)
    assert [samples(theirs, byte) for byte in (BEFORE, DURING, AFTER)] == [4000, 0, 4000]
