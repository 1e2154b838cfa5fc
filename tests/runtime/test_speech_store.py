"""Rendered clips: kept, shared, rendered once, again where damaged, and never in anybody's way."""

from __future__ import annotations

import asyncio
import base64
import logging
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hookflash.errors import ModelError
from hookflash.runtime import speech_store
from hookflash.runtime.loudness import normalized
from hookflash.runtime.prepared_speech import Sentence
from hookflash.runtime.speech_store import (
    CLAIM_SECONDS,
    CLAIMED_SECONDS,
    RENDER_SECONDS,
    RETRY_SECONDS,
    SpeechStore,
    check_length,
    key_of,
)
from hookflash_local.carrier.media.sounds import tone
from hookflash_local.simulation.world import SimulatedWorld

ONE = Sentence("One moment, please.", "marin", "en")
TWO = Sentence("Let me see.", "marin", "en")
THREE = Sentence("Just a second.", "marin", "en")
SOUND = tone((300.0,), 1000)


class Renderer:
    """Renders a second of tone; `takes` seconds, and raises what is in `fails` for a text."""

    def __init__(self, *, version: str = "test 1", takes: float = 0.0) -> None:
        self.version = version
        self.takes = takes
        self.fails: dict[str, Exception] = {}
        self.gives: dict[str, bytes] = {}
        self.asked: list[tuple[float, str]] = []
        self.running = 0
        self.most = 0

    @property
    def texts(self) -> list[str]:
        return [text for _, text in self.asked]

    async def render(self, text: str, voice: str, language: str) -> bytes:
        self.asked.append((asyncio.get_running_loop().time(), text))
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await asyncio.sleep(self.takes)
            if text in self.fails:
                raise self.fails[text]
            return self.gives.get(text, SOUND)
        finally:
            self.running -= 1


class Stores:
    """Makes stores of processes on one folder, and closes them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.world = SimulatedWorld(0)
        self.made: list[SpeechStore] = []

    def start(self, renderer: Renderer | None, *sentences: Sentence) -> SpeechStore:
        store = SpeechStore(self.folder, renderer, world=self.world)
        store.add(sentences or (ONE, TWO, THREE))
        store.start()
        self.made.append(store)
        return store

    def names(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())


@pytest.fixture
async def stores(tmp_path: Path) -> AsyncIterator[Stores]:
    made = Stores(tmp_path / "speech")
    yield made
    for store in made.made:
        await store.aclose()


def file_of(stores: Stores, sentence: Sentence, version: str = "test 1") -> Path:
    return stores.folder / f"{key_of(sentence, version)}.ulaw"


async def test_sentences_are_rendered_one_after_another_and_found(stores: Stores) -> None:
    renderer = Renderer(takes=2.0)
    store = stores.start(renderer)
    assert store.clip(ONE) is None
    await asyncio.sleep(3.0)
    assert (store.clip(ONE) is not None, store.clip(TWO)) == (True, None)
    await store.wait_until_tried()
    assert renderer.asked == [(0.0, ONE.text), (2.0, TWO.text), (4.0, THREE.text)]
    assert renderer.most == 1
    clip = store.clip(TWO)
    assert clip is not None
    assert (clip.text, base64.b64decode(clip.payload)) == (TWO.text, normalized(SOUND))
    assert clip.size == len(normalized(SOUND))
    assert stores.names() == sorted(file_of(stores, each).name for each in (ONE, TWO, THREE))


async def test_a_restart_renders_nothing_again(stores: Stores) -> None:
    first = stores.start(Renderer())
    await first.wait_until_tried()
    renderer = Renderer()
    again = stores.start(renderer)
    await again.wait_until_tried()
    assert renderer.asked == []
    assert again.clip(ONE) == first.clip(ONE) is not None


@pytest.mark.parametrize(
    "changed",
    [
        Sentence("One moment.", "marin", "en"),
        Sentence(ONE.text, "cedar", "en"),
        Sentence(ONE.text, "marin", "de"),
    ],
)
async def test_another_text_voice_or_language_is_rendered(
    stores: Stores, changed: Sentence
) -> None:
    await stores.start(Renderer(), ONE).wait_until_tried()
    renderer = Renderer()
    await stores.start(renderer, ONE, changed).wait_until_tried()
    assert renderer.texts == [changed.text]
    assert len(stores.names()) == 2


async def test_another_version_of_the_renderer_renders_anew(stores: Stores) -> None:
    await stores.start(Renderer(), ONE).wait_until_tried()
    renderer = Renderer(version="test 2")
    await stores.start(renderer, ONE).wait_until_tried()
    assert renderer.texts == [ONE.text]


def test_a_key_keeps_its_parts_apart() -> None:
    keys = {
        key_of(Sentence("ab", "c", "d"), "e"),
        key_of(Sentence("a", "bc", "d"), "e"),
        key_of(Sentence("ab", "c", ""), "de"),
        key_of(Sentence("ab1:c", "", "d"), "e"),
    }
    assert len(keys) == 4
    assert all(len(key) == 64 for key in keys)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[:-1],
        lambda data: data[:20],
        lambda data: bytes([data[0] ^ 1]) + data[1:],
    ],
)
async def test_a_damaged_file_is_deleted_and_rendered_again(
    stores: Stores, damage: object, caplog: pytest.LogCaptureFixture
) -> None:
    await stores.start(Renderer(), ONE).wait_until_tried()
    path = file_of(stores, ONE)
    whole = path.read_bytes()
    path.write_bytes(damage(whole))  # type: ignore[operator]
    renderer = Renderer()
    store = stores.start(renderer, ONE)
    await store.wait_until_tried()
    assert renderer.texts == [ONE.text]
    assert path.read_bytes() == whole
    assert store.clip(ONE) is not None
    assert f"{path} is damaged" in caplog.text


async def test_two_processes_render_each_sentence_once(stores: Stores) -> None:
    one, two = Renderer(takes=2.0), Renderer(takes=2.0)
    first, second = stores.start(one), stores.start(two)
    await asyncio.sleep(60.0)
    assert sorted(one.texts + two.texts) == sorted(each.text for each in (ONE, TWO, THREE))
    for sentence in (ONE, TWO, THREE):
        assert first.clip(sentence) == second.clip(sentence) is not None
    assert all(name.endswith(".ulaw") for name in stores.names())


async def test_what_another_process_renders_is_found_soon(stores: Stores) -> None:
    stores.start(Renderer(takes=CLAIMED_SECONDS / 2), ONE)
    await asyncio.sleep(0.1)
    renderer = Renderer()
    store = stores.start(renderer, ONE)
    await store.wait_until_tried()
    assert store.clip(ONE) is None
    await asyncio.sleep(CLAIMED_SECONDS)
    assert store.clip(ONE) is not None
    assert renderer.asked == []


async def test_the_claim_of_a_process_that_died_is_taken_over(stores: Stores) -> None:
    stores.folder.mkdir()
    claim = stores.folder / f"{key_of(ONE, 'test 1')}.rendering"
    claim.touch()
    stores.world.stamp(claim)
    renderer = Renderer()
    store = stores.start(renderer, ONE)
    await asyncio.sleep(CLAIM_SECONDS - 1.0)
    assert renderer.asked == []
    await asyncio.sleep(CLAIMED_SECONDS + 2.0)
    assert store.clip(ONE) is not None
    assert not claim.exists()


async def test_a_process_that_ends_releases_its_claim(stores: Stores) -> None:
    store = stores.start(Renderer(takes=30.0), ONE)
    await asyncio.sleep(1.0)
    assert [name for name in stores.names() if name.endswith(".rendering")]
    await store.aclose()
    assert stores.names() == []
    await asyncio.wait_for(store.wait_until_tried(), 1.0)


async def test_a_failure_is_logged_once_and_tried_again(
    stores: Stores, caplog: pytest.LogCaptureFixture
) -> None:
    renderer = Renderer()
    renderer.fails = {TWO.text: ModelError("status 500; check the key")}
    store = stores.start(renderer)
    await store.wait_until_tried()
    assert store.clip(TWO) is None
    assert store.clip(THREE) is not None, "others do not wait for it"
    await asyncio.sleep(RETRY_SECONDS[0] + RETRY_SECONDS[1] + 1.0)
    assert [at for at, text in renderer.asked if text == TWO.text] == [0.0, 15.0, 75.0]
    renderer.fails = {}
    await asyncio.sleep(RETRY_SECONDS[2])
    assert store.clip(TWO) is not None
    told = [record.getMessage() for record in caplog.records if record.name.endswith("speech")]
    assert told == [
        "! prepared speech: status 500; check the key; the tone is played instead",
    ]


async def test_a_failure_that_lasts_is_tried_again_every_half_hour(stores: Stores) -> None:
    renderer = Renderer()
    renderer.fails = {ONE.text: ModelError("status 500")}
    stores.start(renderer, ONE)
    await asyncio.sleep(8000.0)
    assert [at for at, _ in renderer.asked] == [
        0.0,
        15.0,
        75.0,
        375.0,
        2175.0,
        3975.0,
        5775.0,
        7575.0,
    ]


async def test_a_failure_that_never_ends_is_given_up_since_each_try_may_cost(
    stores: Stores, caplog: pytest.LogCaptureFixture
) -> None:
    renderer = Renderer()
    renderer.fails = {ONE.text: ModelError("status 500")}
    store = stores.start(renderer, ONE, TWO)
    await asyncio.sleep(1e6)
    assert renderer.texts.count(ONE.text) == speech_store.MAX_ROUNDS
    assert store.clip(TWO) is not None
    assert "1 texts failed to the last" in caplog.text


async def test_a_fatal_failure_ends_the_rendering(stores: Stores) -> None:
    renderer = Renderer()
    renderer.fails = {TWO.text: ModelError("status 401", fatal=True)}
    store = stores.start(renderer)
    await asyncio.sleep(10_000.0)
    assert renderer.texts == [ONE.text, TWO.text]
    assert store.clip(ONE) is not None
    assert store.clip(THREE) is None


async def test_a_service_that_is_down_is_not_asked_for_everything(stores: Stores) -> None:
    many = [Sentence(f"This is text {number}.", "marin", "en") for number in range(20)]
    await stores.start(Renderer(), many[-1]).wait_until_tried()
    renderer = Renderer()
    renderer.fails = {each.text: ModelError("status 500") for each in many}
    store = stores.start(renderer, *many)
    await store.wait_until_tried()
    assert len(renderer.asked) == speech_store.MAX_CONSECUTIVE_FAILURES
    assert store.clip(many[-1]) is not None, "what is kept is found all the same"


@pytest.mark.parametrize(
    "sound",
    [b"", SOUND[:700], b"\xff" * 8000, SOUND * 30, SOUND[:1600]],
    ids=["nothing", "a click", "silence", "too long", "too short for the text"],
)
async def test_sound_that_cannot_be_the_text_is_not_kept(
    stores: Stores, sound: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    renderer = Renderer()
    renderer.gives = {ONE.text: sound}
    store = stores.start(renderer, ONE)
    await store.wait_until_tried()
    assert store.clip(ONE) is None
    assert stores.names() == []
    assert "! prepared speech: expected" in caplog.text


async def test_a_renderer_that_never_answers_is_given_up(
    stores: Stores, caplog: pytest.LogCaptureFixture
) -> None:
    store = stores.start(Renderer(takes=1e6), ONE)
    await asyncio.sleep(RENDER_SECONDS + 1.0)
    assert store.clip(ONE) is None
    assert "expected a rendered text within 60 s, none came" in caplog.text


async def test_a_renderer_that_breaks_leaves_the_tones(
    stores: Stores, caplog: pytest.LogCaptureFixture
) -> None:
    renderer = Renderer()
    renderer.fails = {ONE.text: RuntimeError("a bug")}
    store = stores.start(renderer)
    await asyncio.wait_for(store.wait_until_tried(), 1.0)
    assert store.clip(ONE) is None
    (told,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert told.getMessage().startswith("! prepared speech failed")


async def test_a_folder_that_cannot_be_made_leaves_clips_in_memory(
    stores: Stores, caplog: pytest.LogCaptureFixture
) -> None:
    # A file where the folder would be; permissions do not stop root, who may run the tests.
    stores.folder.write_text("in the way")
    store = stores.start(Renderer())
    await store.wait_until_tried()
    assert None not in [store.clip(each) for each in (ONE, TWO, THREE)]
    told = [
        record.getMessage() for record in caplog.records if "cannot be stored" in record.message
    ]
    assert len(told) == 1
    assert "make the folder writable" in told[0]


async def test_a_disk_that_is_full_leaves_clips_in_memory_and_no_half_file(
    stores: Stores, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(path: Path, data: bytes) -> None:
        with path.open("wb") as file:
            file.write(data[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(speech_store, "write_file", full)
    store = stores.start(Renderer())
    await store.wait_until_tried()
    assert store.clip(ONE) is not None
    assert stores.names() == []
    assert caplog.text.count("No space left on device") == 1


async def test_a_file_that_cannot_be_read_is_rendered_again(
    stores: Stores, caplog: pytest.LogCaptureFixture
) -> None:
    file_of(stores, ONE).mkdir(parents=True)
    store = stores.start(Renderer(), ONE)
    await store.wait_until_tried()
    assert store.clip(ONE) is not None
    assert "cannot be read" in caplog.text


async def test_nothing_is_rendered_without_a_renderer(stores: Stores) -> None:
    store = stores.start(None)
    await asyncio.wait_for(store.wait_until_tried(), 1.0)
    assert store.clip(ONE) is None
    assert not stores.folder.exists()


async def test_the_number_of_sentences_is_limited(
    stores: Stores, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(speech_store, "MAX_SENTENCES", 2)
    renderer = Renderer()
    await stores.start(renderer, ONE, TWO, ONE, THREE).wait_until_tried()
    assert renderer.texts == [ONE.text, TWO.text]
    assert "more than 2 prepared texts" in caplog.text


async def test_a_file_is_the_sound_with_its_digest_and_nothing_else_is_left(stores: Stores) -> None:
    store = stores.start(Renderer(), ONE)
    await store.wait_until_tried()
    clip = store.clip(ONE)
    assert clip is not None
    data = file_of(stores, ONE).read_bytes()
    assert data[:-32] == base64.b64decode(clip.payload)
    assert not [
        name for name in os.listdir(stores.folder) if name.endswith((".part", ".rendering"))
    ]


@pytest.mark.parametrize(("text", "seconds"), [("Yes.", 0.4), ("Yes.", 3.0), ("x" * 100, 8.0)])
def test_a_length_that_can_be_the_text_passes(text: str, seconds: float) -> None:
    check_length(b"\x01" * round(seconds * 8000), text)
