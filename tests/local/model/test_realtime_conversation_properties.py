"""Whatever a client sends, in whatever order: no crash, and the rules of a session hold."""

from __future__ import annotations

import base64
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.realtime import RealtimeServerEvent
from pydantic import TypeAdapter

from hookflash_local.model.items import Ids
from hookflash_local.model.realtime_conversation import Conversation

OFFICIAL: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)
NAMES = st.sampled_from(["a", "b", "root", "nowhere"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
SOUND = st.integers(0, 300).map(lambda ms: base64.b64encode(b"\x01" * ms * 8).decode())


def event(kind: str, **fields: Any) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({"type": st.just(kind), **fields})


TEXT = st.just([{"type": "input_text", "text": "hi"}])
ITEM = st.fixed_dictionaries(
    {"type": st.just("message"), "role": st.just("user"), "id": NAMES, "content": TEXT}
)
SENSIBLE = st.one_of(
    event("input_audio_buffer.append", audio=SOUND),
    event("input_audio_buffer.commit"),
    event("input_audio_buffer.clear"),
    event("conversation.item.create", item=ITEM, previous_item_id=NAMES),
    event("conversation.item.create", item=ITEM),
    event("conversation.item.delete", item_id=NAMES),
    event("conversation.item.retrieve", item_id=NAMES),
    event(
        "conversation.item.truncate",
        item_id=NAMES,
        content_index=st.just(0),
        audio_end_ms=st.integers(0, 400),
    ),
    event("response.create"),
    event("response.create", response=st.just({"conversation": "none"})),
    event("response.cancel"),
)
TYPES = st.sampled_from(
    ["session.update", "input_audio_buffer.append", "conversation.item.create", "response.create"]
)
NONSENSE = JSON | st.builds(
    lambda kind, name, value: {"type": kind, name: value},
    TYPES,
    st.sampled_from(["session", "audio", "item", "response", "x"]),
    JSON,
)
# What happens on the model's side in between.
WITHIN = st.tuples(
    st.sampled_from(["open a", "open b", "sound", "words", "tool", "finish", "began", "ended"])
)
PCMU = {"format": {"type": "audio/pcmu"}}


def within(conversation: Conversation, what: str) -> list[Any]:
    if what == "began":
        return conversation.speech_started(0)
    if what == "ended":
        return conversation.speech_stopped(100, b"\x01" * 800)
    response = next((one for one in conversation.responses.values() if one.running), None)
    if response is None:
        return []
    name = what.removeprefix("open ")
    if name != what:
        return [] if conversation.items.get(name) else response.open_message(name)
    doing = {
        "sound": lambda: response.add_audio(b"\x01" * 800),
        "words": lambda: response.add_transcript(" word"),
        "tool": lambda: response.call_tool("t", "{}"),
        "finish": response.finish,
    }
    events: list[Any] = doing[what]()
    return events


@settings(max_examples=300, deadline=None)
@given(st.lists(SENSIBLE | NONSENSE | WITHIN, max_size=30))
def test_no_order_of_events_breaks_the_rules_of_a_session(steps: list[Any]) -> None:
    conversation = Conversation(Ids("p"), model="m", expires_at=1)
    session = {"type": "realtime", "audio": {"input": PCMU, "output": PCMU}}
    conversation.receive({"type": "session.update", "session": session})
    ids: list[str] = []
    for step in steps:
        known = {entry.id: entry.audio_ms for entry in conversation.items}
        effects = (
            within(conversation, *step)
            if isinstance(step, tuple)
            else conversation.receive(json.loads(json.dumps(step)))
        )
        events = [one for one in effects if isinstance(one, dict)]
        for one in events:
            assert OFFICIAL.validate_python(one).type == one["type"]
            ids.append(one["event_id"])
            if one["type"] == "conversation.item.truncated":
                assert one["audio_end_ms"] <= known[one["item_id"]]
        running = [one for one in conversation.responses.values() if one.running]
        assert len([one for one in running if one.in_conversation]) <= 1
        names = [entry.id for entry in conversation.items]
        assert len(names) == len(set(names))
    assert len(ids) == len(set(ids))
