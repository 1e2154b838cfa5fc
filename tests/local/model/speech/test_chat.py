import asyncio
import json
from contextlib import asynccontextmanager

import pytest

from hookflash.core import prompts
from hookflash_local.model.components import CallTool, DialogueRequest, Say, Turn
from hookflash_local.model.speech.chat import APOLOGY, ChatDialogueManager

TOOL = {"type": "function", "name": "look_up", "description": "Look.", "parameters": {}}


@asynccontextmanager
async def chat_server(write_answer):
    """A small chat endpoint: keeps requests, and lets `write_answer` write the response."""
    requests = []

    async def serve(reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = next(
            int(line.split(":")[1])
            for line in head.split("\r\n")
            if "content-length" in line.lower()
        )
        requests.append((head, json.loads(await reader.readexactly(length))))
        try:
            await write_answer(writer)
        finally:
            writer.close()
            await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}/v1", requests


def events(*deltas):
    lines = [json.dumps({"choices": [{"delta": delta}]}) for delta in deltas]
    body = "".join(f"data: {line}\n\n" for line in [*lines, "[DONE]"])
    head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
    return (head + ": a comment\n\n" + body).encode()


def answering(data):
    async def write(writer):
        writer.write(data)
        await writer.drain()

    return write


async def collect(url, request, **options):
    manager = ChatDialogueManager(url, "small", **options)
    return [each async for each in manager.answer(request)]


async def test_sentences_come_out_of_a_stream_of_fragments():
    data = events({"content": "Hel"}, {"content": "lo. It costs 3"}, {"content": ".5 **dollars**."})
    async with chat_server(answering(data)) as (url, requests):
        answer = await collect(url, DialogueRequest("Be kind.", [Turn("user", "Hi")]), key="secret")
    assert answer == [Say("Hello."), Say("It costs 3.5 dollars.")]
    head, body = requests[0]
    assert head.startswith("POST /v1/chat/completions ")
    assert "Bearer secret" in head
    assert body["model"] == "small" and body["stream"] is True
    assert body["messages"][0]["content"].startswith("Be kind.")
    assert body["messages"][1] == {"role": "user", "content": "Hi"}
    assert "tools" not in body


@pytest.mark.parametrize(
    ("order", "line"),
    [
        ('Say exactly: "Ben is on the line: \\"a refund\\"."', 'Ben is on the line: "a refund".'),
        (prompts.greeting("Hello, this is Anna."), "Hello, this is Anna."),
        (prompts.consent("We record this call."), "We record this call."),
        (prompts.say('Say "yes".'), 'Say "yes".'),
    ],
)
async def test_what_is_dictated_is_said_as_it_stands_and_nobody_is_asked(order, line):
    async with chat_server(answering(events({"content": "Well, "}))) as (url, requests):
        answer = await collect(url, DialogueRequest("Be kind.", [], added=order))
    assert answer == [Say(line)]
    assert requests == []


async def test_a_sentence_is_said_while_the_next_is_still_being_written():
    go_on = asyncio.Event()

    async def write(writer):
        first, rest = events({"content": "One moment. "}, {"content": "Done."}).split(b"Done", 1)
        writer.write(first.rsplit(b"data:", 1)[0])
        await writer.drain()
        await go_on.wait()
        writer.write(b"data:" + first.rsplit(b"data:", 1)[1] + b"Done" + rest)
        await writer.drain()

    async with chat_server(write) as (url, _):
        stream = ChatDialogueManager(url, "small").answer(DialogueRequest("", [Turn("user", "Hi")]))
        assert await anext(stream) == Say("One moment.")
        go_on.set()
        assert [each async for each in stream] == [Say("Done.")]


async def test_tool_calls_are_put_together_from_their_pieces():
    def piece(index, **function):
        return {"tool_calls": [{"index": index, "function": function}]}

    data = events(
        {"content": "One moment."},
        piece(0, name="look_up", arguments='{"number"'),
        piece(0, arguments=': "4571"}'),
        piece(1, name="end_call"),
    )
    request = DialogueRequest("", [Turn("user", "Hi")], [TOOL], "required", added='Say "hi".')
    async with chat_server(answering(data)) as (url, requests):
        answer = await collect(url, request)
    assert answer == [
        Say("One moment."),
        CallTool("look_up", '{"number": "4571"}'),
        CallTool("end_call", "{}"),
    ]
    body = requests[0][1]
    assert body["tool_choice"] == "required"
    assert body["tools"][0]["function"]["name"] == "look_up"
    assert body["messages"][-1] == {"role": "system", "content": 'Say "hi".'}


@pytest.mark.parametrize(
    "pieces",
    [
        [{"index": 0, "function": {"name": "look_up", "arguments": {"number": "4571"}}}],
        [
            {"index": 0, "function": {"name": "look_up", "arguments": '{"number":'}},
            {"index": 0, "function": {"name": "look_up", "arguments": '"4571"}'}},
        ],
        [
            {"index": 0, "function": {"name": "look", "arguments": '{"number":'}},
            {"index": 0, "function": {"name": "look_up", "arguments": '"4571"}'}},
        ],
        [
            {"index": 0, "function": {"name": "look_"}},
            {"index": 0, "function": {"name": "up", "arguments": '{"number":"4571"}'}},
        ],
        [
            {"id": "c1", "function": {"name": "look_up", "arguments": '{"number":'}},
            {"index": None, "function": {"name": None, "arguments": '"4571"}'}},
        ],
    ],
    ids=["object", "repeated name", "growing name", "split name", "no index"],
)
async def test_the_tool_calls_of_other_endpoints_are_understood(pieces):
    data = events(*({"tool_calls": [piece]} for piece in pieces))
    async with chat_server(answering(data)) as (url, _):
        answer = await collect(url, DialogueRequest("", [Turn("user", "Hi")], [TOOL]))
    assert answer == [CallTool("look_up", '{"number":"4571"}')]


async def test_two_tool_calls_without_an_index_are_two():
    pieces = [{"id": name, "function": {"name": name, "arguments": {}}} for name in ("one", "two")]
    async with chat_server(answering(events({"tool_calls": pieces}))) as (url, _):
        answer = await collect(url, DialogueRequest("", [Turn("user", "Hi")], [TOOL]))
    assert answer == [CallTool("one", "{}"), CallTool("two", "{}")]


async def test_the_conversation_is_told_as_chat_wants_it():
    turns = [
        Turn("user", "Where is 4571?"),
        Turn("tool_call", "", "look_up", '{"number": "4571"}', "c1"),
        Turn("user", "Hello?"),
        Turn("tool_output", "shipped", "look_up", "", "c1"),
        Turn("tool_call", "", "look_up", "", "c2"),
        Turn("assistant", "It was shipped."),
        Turn("system", "A note."),
        Turn("assistant", ""),
    ]
    async with chat_server(answering(events({"content": "Yes."}))) as (url, requests):
        await collect(url, DialogueRequest("", turns, [TOOL], "look_up"))
    messages = requests[0][1]["messages"][1:]
    assert [message["role"] for message in messages] == [
        "user", "assistant", "tool", "user", "assistant", "tool", "assistant", "system",
    ]  # fmt: skip
    assert messages[2] == {"role": "tool", "tool_call_id": "c1", "content": "shipped"}
    assert messages[5]["tool_call_id"] == "c2"
    forced = requests[0][1]["tool_choice"]
    assert forced == {"type": "function", "function": {"name": "look_up"}}


async def test_thoughts_are_not_spoken():
    data = events(
        {"content": "<think>Hm. A caller"}, {"content": ". Well.</think>Good"}, {"content": " day."}
    )
    async with chat_server(answering(data)) as (url, _):
        assert await collect(url, DialogueRequest("", [Turn("user", "Hi")])) == [Say("Good day.")]


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 500 Oops\r\nContent-Length: 4\r\nConnection: close\r\n\r\nOops",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\ndata: {broken\n\n",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\ndata: [1]\n\n",
        b'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\ndata: {"error": {"message": "full"}}\n\n',
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\ndata: [DONE]\n\n",
        b"nonsense",
    ],
    ids=["status", "broken", "list", "error", "empty", "no-http"],
)
async def test_an_endpoint_that_fails_is_a_spoken_apology(data, caplog):
    async with chat_server(answering(data)) as (url, _):
        named = url.replace("//", "//anna:secret@")
        answer = await collect(named, DialogueRequest("", [Turn("user", "Hi")]), key="secret")
    assert answer == [Say(APOLOGY)]
    assert f"{url}/chat/completions failed" in caplog.text
    assert "secret" not in caplog.text


async def test_an_endpoint_that_is_not_there_is_a_spoken_apology():
    url = "http://127.0.0.1:9/v1"
    assert await collect(url, DialogueRequest("", [Turn("user", "Hi")])) == [Say(APOLOGY)]


async def test_an_endpoint_that_stays_silent_is_given_up():
    over = asyncio.Event()

    async def write(writer):
        await over.wait()

    async with chat_server(write) as (url, _):
        request = DialogueRequest("", [Turn("user", "Hi")])
        assert await collect(url, request, wait_seconds=20.0) == [Say(APOLOGY)]
        assert asyncio.get_running_loop().time() == 20.0
        over.set()
