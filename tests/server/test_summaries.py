from __future__ import annotations

import asyncio

import pytest

from hookflash import Settings
from hookflash.core.record import CallRecord, Utterance
from hookflash.errors import ModelError
from hookflash.server.summaries import OPENAI, QUEUE, Summaries, chat_endpoint

from ..settings_parts import settings_of

OWN_WORDS = 'The caller said: "My bell is broken".'


def record(call_sid: str = "CA1", text: str = "My bell is broken.") -> CallRecord:
    return CallRecord(
        call_sid=call_sid,
        agent="shop",
        caller="+15550100",
        called="+15550101",
        disposition="handled_by_agent",
        arrived_at=0.0,
        seconds=10.0,
        utterances=(Utterance(speaker="caller", text=text, started_at=1.0, ended_at=2.0),),
    )


class Office:
    """Where records and summaries go, and a chat model that says what it is told to."""

    def __init__(self, *answers: str | Exception) -> None:
        self.answers = list(answers)
        self.records: list[CallRecord] = []
        self.kept: dict[str, str] = {}
        self.missing = 0
        self.asked = 0

    def put(self, record: CallRecord) -> None:
        self.records.append(record)

    async def summarise(self, record: CallRecord) -> str:
        self.asked += 1
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def keep(self, call_sid: str, summary: str) -> bool:
        if self.missing:
            self.missing -= 1
            return False
        self.kept[call_sid] = summary
        return True

    def open(self, *, chat: bool = True) -> Summaries:
        summaries = Summaries(self, self if chat else None, self.keep, retry_seconds=(0.0, 0.0))
        summaries.start()
        return summaries


async def test_without_a_chat_model_the_extracted_summary_stays() -> None:
    office = Office()
    summaries = office.open(chat=False)
    summaries.put(record())
    assert [each.summary for each in office.records] == [OWN_WORDS]
    await summaries.flush()
    await summaries.close()
    assert office.kept == {}


async def test_the_chat_models_summary_replaces_the_extracted_one() -> None:
    office = Office("A broken bell.")
    summaries = office.open()
    summaries.put(record())
    assert [each.summary for each in office.records] == [OWN_WORDS], "at once, whatever comes"
    await summaries.flush()
    assert office.kept == {"CA1": "A broken bell."}
    await summaries.close()


async def test_a_chat_model_that_fails_changes_nothing_and_is_asked_again_for_the_next(
    caplog: pytest.LogCaptureFixture,
) -> None:
    office = Office(ModelError("no answer"), ValueError("odd"), "A broken bell.")
    summaries = office.open()
    for number in range(3):
        summaries.put(record(f"CA{number}"))
    await summaries.flush()
    assert office.kept == {"CA2": "A broken bell."}
    assert "no summary was written: no answer" in caplog.text
    await summaries.close()


async def test_a_record_that_is_not_there_yet_is_waited_for_and_one_that_is_gone_is_not() -> None:
    office = Office("A bell.", "A bell.")
    summaries = office.open()
    office.missing = 2
    summaries.put(record())
    await summaries.flush()
    assert office.kept == {"CA1": "A bell."}
    office.missing = 3
    summaries.put(record("CA2"))
    await summaries.flush()
    assert office.kept == {"CA1": "A bell."}
    await summaries.close()


async def test_a_call_in_which_the_caller_said_nothing_is_not_asked_about() -> None:
    office = Office()
    summaries = office.open()
    summaries.put(record(text=""))
    await summaries.flush()
    await summaries.close()
    assert office.asked == 0


async def test_the_number_of_waiting_requests_is_bounded(caplog: pytest.LogCaptureFixture) -> None:
    office = Office(*["A bell."] * QUEUE)
    summaries = office.open()
    for number in range(QUEUE + 2):
        summaries.put(record(f"CA{number}"))
    assert len(office.records) == QUEUE + 2
    assert caplog.text.count("too many calls wait") == 2
    await summaries.close()
    await asyncio.sleep(0)


async def test_news_of_a_call_that_was_erased_is_not_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    office = Office()
    summaries = office.open(chat=False)
    summaries.forget("CA1")
    summaries.put(record())
    assert office.records == []
    monkeypatch.setattr("hookflash.server.summaries._MAX_FORGOTTEN", 1)
    summaries.forget("CA2")
    summaries.put(record())
    assert [each.call_sid for each in office.records] == ["CA1"], "that was long ago"


def test_the_chat_model_is_the_owners_choice() -> None:
    assert chat_endpoint(Settings()) is None
    assert chat_endpoint(settings_of(openai_api_key="k")) is None, "nobody is charged unasked"
    local = chat_endpoint(settings_of(llm_url="http://localhost:1/v1", llm_model="small"))
    assert local is not None
    assert (local._url, local._model) == ("http://localhost:1/v1/chat/completions", "small")
    other = chat_endpoint(
        settings_of(llm_url="http://localhost:1/v1", llm_model="small", summary_model="large")
    )
    assert other is not None and other._model == "large"
    openai = chat_endpoint(settings_of(openai_api_key="k", summary_model="mini"))
    assert openai is not None and openai._url == f"{OPENAI}/chat/completions"
