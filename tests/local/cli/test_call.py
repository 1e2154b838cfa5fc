"""Whole calls with real speech, through the command line: few and telling.

One runs in processes and in real time. The others run in this process, on a virtual clock: speech
takes as long as it sounds, and hearing and thinking take no time.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import wave
from pathlib import Path
from typing import Any, get_args

import jiwer
import pytest
from rich.console import Console

from hookflash.cli import main
from hookflash.core.disposition import Disposition
from hookflash.core.record import CallRecord, Utterance
from hookflash.errors import ModelError
from hookflash.replay.timeline import Timeline
from hookflash.settings import Settings
from hookflash_local.audio import load
from hookflash_local.audio.wav import write_mulaw
from hookflash_local.cli import _call_output
from hookflash_local.demo import local_call
from hookflash_local.model.speech import SpeechOptions
from hookflash_local.model.speech.assets import whisper_directory

from .conftest import NO_ACCOUNT, Run

pytestmark = pytest.mark.timeout(240)


def hookflash(folder: Path, *arguments: str) -> dict[str, Any]:
    """Return what a command says at its end."""
    environment = {name: value for name, value in os.environ.items() if name not in NO_ACCOUNT}
    finished = subprocess.run(
        [sys.executable, "-m", "hookflash", *arguments, "--json"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=220,
    )
    assert finished.returncode == 0, finished.stderr
    told: dict[str, Any] = json.loads(finished.stdout)
    return told


def words(said: str) -> str:
    return "".join(each for each in said.lower() if each.isalpha() or each in " '").strip()


@pytest.mark.realtime
def test_a_real_voice_asking_for_support_ends_with_a_human(tmp_path: Path) -> None:
    recording = load("speak-to-customer-support")
    # Without the silence around it: this call takes as long as it sounds.
    write_mulaw(tmp_path / "caller.wav", recording.audio[12_000:38_400])
    told = hookflash(tmp_path, "call", "--wav", "caller.wav", "--manner", "cold")
    record = told["record"]
    assert record["disposition"] == "handed_off"
    assert [attempt["outcome"] for attempt in record["handoffs"]] == ["bridged"]
    caller = next(one["text"] for one in record["utterances"] if one["speaker"] == "caller")
    wrong = jiwer.process_words(words(recording.transcript), words(caller))
    assert wrong.substitutions + wrong.deletions + wrong.insertions <= 1

    files = {Path(path).name: tmp_path / path for path in told["files"]}
    assert files["call.wav"].parent.parent == tmp_path / "hookflash-data" / "calls"
    with wave.open(str(files["call.wav"])) as sound:
        assert (sound.getnchannels(), sound.getframerate()) == (2, 8000)
        assert sound.getnframes() / 8000 == pytest.approx(record["seconds"], abs=0.5)
    assert caller in files["transcript.txt"].read_text()
    assert "with human" in files["timeline.svg"].read_text()
    assert json.loads(files["record.json"].read_text()) == record

    replayed = hookflash(tmp_path, "replay", str(files["journal.jsonl"]))
    assert replayed["same"]


def test_a_third_human_hears_what_the_caller_said_while_the_first_two_were_tried(
    simulated: Run, tmp_path: Path
) -> None:
    write_mulaw(tmp_path / "caller.wav", load("speak-to-customer-support").audio)
    humans = "busy,no-answer,accepts"
    told, shown = simulated("call", "--wav", "caller.wav", "--manner", "warm", "--human", humans)
    record = told["record"]
    assert record["disposition"] == "handed_off"
    outcomes = [(each["outcome"], each["target"]) for each in record["handoffs"]]
    assert outcomes == [("busy", 0), ("no-answer", 1), ("bridged", 2)]

    def place(*text: str) -> int:
        """Return where it was shown; each of it on one line."""
        (found,) = [at for at, each in enumerate(shown) if all(part in each for part in text)]
        return found

    steps = [
        place("human 1 is called"),
        place("human 1 is busy"),
        place("human 2 is called"),
        place("human 2 does not answer"),
        place("human 3 is called"),
        place("human 3 picks up"),
        place("human 3 hears:", "Since then they said", "order", "4571"),
        place("human 3 presses 1"),
        place("caller and human hear each other"),
    ]
    assert steps == sorted(steps)
    # While the humans were called, caller and agent went on talking.
    first = record["handoffs"][0]["started_at"]
    met = first + record["handoffs"][-1]["seconds_to_human"]
    talk = [one for one in record["utterances"] if first < one["started_at"] < met]
    (question,) = [one for one in talk if one["speaker"] == "caller"]
    assert "4571" in question["text"]
    company = [one for one in talk if one["speaker"] == "agent"]
    assert [one for one in company if one["started_at"] < question["started_at"]]
    answer = next(one for one in company if "Friday" in one["text"])
    assert question["started_at"] < answer["started_at"]
    assert "connecting you with support" in company[-1]["text"]
    assert company[-1]["started_at"] > answer["started_at"]


def test_a_call_without_a_recording_plays_a_voice_that_asks_for_support(simulated: Run) -> None:
    record = simulated("call", "--manner", "cold")[0]["record"]
    caller = next(one["text"] for one in record["utterances"] if one["speaker"] == "caller")
    assert "customer support" in words(caller)
    assert record["disposition"] == "handed_off"


def test_the_last_lines_say_how_it_ended_how_long_the_call_was_and_where_its_files_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    timeline = Timeline(disposition="handed_off", seconds=22.34)
    _call_output._print_end(Console(), timeline, [Path("calls", "call.wav")])
    told = capsys.readouterr().out
    assert told == f"\nhanded off; the call lasted 22.3 s\n  {Path('calls', 'call.wav')}\n"


def test_the_demo_is_interrupted_uses_a_tool_and_brings_a_human(simulated: Run) -> None:
    record = simulated("demo", "--headless")[0]["record"]
    assert record["disposition"] == "handed_off"
    assert record["barge_ins"] == 1
    assert any(one["cut"] for one in record["utterances"])
    (tool,) = record["tools"]
    assert tool["name"] == "order_status" and json.loads(tool["arguments"]) == {"number": "4571"}
    assert record["handoffs"][-1]["seconds_to_human"] > 0


def test_what_the_settings_file_says_of_the_local_speech_counts_here_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Process:
        """Looks for the weights, as the process of the model does."""

        def __init__(self, *, options: SpeechOptions, **_: Any) -> None:
            whisper_directory(options.whisper_model)

    monkeypatch.setattr(local_call, "ModelProcess", Process)
    for name in NO_ACCOUNT:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    write_mulaw(tmp_path / "caller.wav", load("speak-to-customer-support").audio)
    (tmp_path / "hookflash.toml").write_text('[local]\nwhisper_model = "no-such-model"\n')
    with pytest.raises(SystemExit) as left:
        main(["call", "--wav", "caller.wav"])
    assert left.value.code == 2
    told = capsys.readouterr().err
    assert "no-such-model" in told and "HOOKFLASH_WHISPER_MODEL" in told


def test_a_call_that_takes_too_long_is_ended_and_says_what_it_waited_for(simulated: Run) -> None:
    queue = str(Path(__file__).parents[3] / "examples" / "07_queue.py")
    told, shown = simulated(
        *("call", "--agent", queue, "--human", "no-answer", "--limit", "40"),
        *("--say", "I want to speak to a person."),
        code=_call_output.LIMIT_REACHED,
    )
    waited_for = "the carrier to move the call, or a human to take it from the queue"
    assert told["waited_for"] == waited_for
    assert shown[-1] == (
        f"hookflash: the call was ended after 40 s; it waited for {waited_for}. --limit allows more"
    )
    assert told["record"]["seconds"] < 60


def test_an_exit_code_is_that_of_a_disposition() -> None:
    # The others are those of calls that the line makes.
    assert set(_call_output.EXIT_CODES) <= set(get_args(Disposition))


async def test_a_chat_model_writes_the_summary_if_it_answers(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Chat:
        async def summarise(self, record: CallRecord) -> str:
            if record.agent == "silent":
                raise ModelError("no answer")
            return "A caller wants a book."

    def record(agent: str, *said: str) -> CallRecord:
        return CallRecord(
            call_sid="CA1",
            agent=agent,
            caller="+15550100",
            called="+15550101",
            disposition="handled_by_agent",
            arrived_at=0.0,
            seconds=1.0,
            summary="own",
            utterances=tuple(
                Utterance(speaker="caller", text=text, started_at=0.0, ended_at=1.0)
                for text in said
            ),
        )

    settings = Settings()
    assert (await local_call._summarised(settings, record("shop", "A book"))).summary == "own"
    monkeypatch.setattr(local_call, "chat_endpoint", lambda settings: Chat())
    for agent, said, summary in (
        ("shop", ["A book"], "A caller wants a book."),
        ("shop", [], "own"),
        ("silent", ["A book"], "own"),
    ):
        assert (await local_call._summarised(settings, record(agent, *said))).summary == summary
    assert "the chat model wrote no summary: no answer" in caplog.text
