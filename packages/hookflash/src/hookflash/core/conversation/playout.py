"""The playout ledger: what the caller has heard of each item the agent speaks.

The model generates several times faster than a caller listens, so sound waits twice. It waits here
while the sound that was sent is further ahead than the lead allows, and in the carrier's buffer.

    generated --(lead)--> sent --(carrier's buffer)--> heard
                            |                            |
                            +--- clear ------------------+--> cut

A mark follows every item and every `MARK_MS` of sound sent. It returns when the carrier has played
everything before it, or when a `clear` dropped it. So each name has a generation, `clear` begins a
new one, and marks of an older one are ignored. Marks that a `clear` has settled are not awaited:
some carriers return them, some do not.

Times of playing are on the *sender's clock*: a chunk sent at t into an empty buffer plays from t,
and a `clear` sent at t takes effect at t. So the estimate at a barge-in needs no delay. Only a
returning mark has made the whole round trip. Probes measure it: marks sent when nothing is buffered
return at once. The shortest round trip counts, because jitter only adds.

Between marks, sound plays at 8 bytes per millisecond from the moment playing (re)starts, and stops
when the buffer is empty. What was heard never decreases, and never exceeds what was sent. When
several items are queued, each has its own count.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import msgspec

from hookflash.core.audio import BYTES_PER_MS, ms, payload_end, split_payload
from hookflash.core.commands import ClearAudio, PlayAudio, SendMark
from hookflash.core.conversation.latency import Chunk, RoundTrip, Unmarked

FRAME_MS = 20.0
"""An item with less than this unheard counts as heard: a telephone cuts by whole frames."""

MARK_MS = 100.0
"""Short pieces of sound share a mark: it costs a message each way, and the clock is exact."""

_DRY_MS = 60.0
"""Sound sent with less than this left to play may find the carrier's buffer already empty."""

_REFILL_MS = 250.0
"""How far the lead may run down before more sound is sent: fewer, larger wake-ups."""

_LOST_MARK_MS = 1000.0
"""A mark that is this late counts as lost."""


PREPARED = "prepared:"
"""The prefix of ids of sounds that no model has made."""


class Item(msgspec.Struct):
    """One item of the agent's speech, while any of it is unheard."""

    item_id: str
    response_id: str
    generated: int = 0
    sent: int = 0
    confirmed: int = 0
    """Bytes that were played, by a mark or by the clock."""
    ended: bool = False
    heard_ms: float = 0.0
    began_at: float | None = None


class Settled(msgspec.Struct, frozen=True):
    """How much of an item was heard, finally. `cut`: a part of it will never be heard.

    `response_id` is empty if no response of this session has said the item.
    """

    item_id: str
    heard_ms: int
    generated_ms: int
    began_at: float | None
    cut: bool
    ended: bool
    response_id: str = ""


class Played(msgspec.Struct, frozen=True):
    """How far playing has come, for a recording.

    `confirmed` counts the chunks that were played, the last one until `edge_ms`. `waiting` are the
    chunks after those. A new `generation` means that everything that waited was cut.
    """

    generation: int
    open: bool
    confirmed: int
    edge_ms: float
    round_trip_ms: float
    waiting: Sequence[Chunk]


class Playout:
    """The ledger of one call. Times in `now` are seconds; all else says its unit.

    `sent_ahead_ms(now)` is bounded by `lead_ms` as long as no single chunk is longer.
    """

    def __init__(self, *, lead_ms: int = 5000, chunk_ms: int = 1000) -> None:
        self._lead_ms = float(lead_ms)
        # A chunk that fills the lead would have to wait until the buffer is empty.
        self._chunk_bytes = min(chunk_ms, lead_ms // 2) * 8
        self._generation = 0
        self._sequence = 0
        self._items: dict[str, Item] = {}
        self._held: deque[tuple[str, str, int]] = deque()
        self._chunks: deque[Chunk] = deque()
        self._confirmed = 0
        self._unmarked = Unmarked()
        self._round_trip = RoundTrip()
        self._dropped: set[str] = set()
        self._open = False
        self._is_held = False

    # --- the stream ---------------------------------------------------------------------------

    def start(self, now: float) -> list[PlayAudio | SendMark]:
        """A stream is open: measure its round trip, then send the sound that waits."""
        self._generation += 1
        self._open = True
        self._forget_chunks()
        self._round_trip = RoundTrip(ends_at=now * 1000)
        return [self._probe(now), *self._send(now)]

    def stop(self, now: float) -> list[Settled]:
        """The stream is over: settle every item."""
        if not self._open:
            return []
        self._open = False
        return self._settle_all(now)

    # --- the model's side ---------------------------------------------------------------------

    def add(
        self, response_id: str, item_id: str, payload: str, size: int, now: float
    ) -> list[PlayAudio | SendMark]:
        """Take a piece of speech; return what may be sent at once.

        Pieces of an item or a response that was cut are dropped.
        """
        if item_id in self._dropped or response_id in self._dropped or size <= 0:
            return []
        item = self._items.get(item_id)
        if item is None:
            item = self._items[item_id] = Item(item_id, response_id)
        item.generated += size
        if size <= self._chunk_bytes:
            self._held.append((item_id, payload, size))
        else:
            for piece, piece_size in split_payload(payload, size, self._chunk_bytes):
                self._held.append((item_id, piece, piece_size))
        return self._send(now)

    def speaks_on(self, response_id: str, item_id: str) -> bool:
        """Return whether a piece of this item would just prolong the only one that plays."""
        return bool(
            self._chunks
            and not self._held
            and item_id in self._items
            and len(self._items) == 1
            and item_id not in self._dropped
            and response_id not in self._dropped
        )

    @property
    def prolonged(self) -> bool:
        """Whether the newest sound waits behind other sound, so it makes no deadline earlier."""
        return len(self._chunks) > 1 and not self._held

    def drop(self, response_id: str) -> None:
        """Drop all sound of this response that is still to come."""
        self._dropped.add(response_id)

    def unheard(self, response_id: str, item_id: str) -> bool:
        """Return whether this item is new, and belongs to a dropped response."""
        if response_id not in self._dropped or item_id in self._dropped or item_id in self._items:
            return False
        self._dropped.add(item_id)
        return True

    def end_item(self, item_id: str) -> list[SendMark]:
        """No more will be generated of this item."""
        item = self._items.get(item_id)
        if item is None or item.ended:
            return []
        item.ended = True
        return self._last_mark(item)

    def end_response(self, response_id: str) -> list[SendMark]:
        """No more will be generated of any item of this response."""
        mine = [item for item in self._items.values() if item.response_id == response_id]
        return [mark for item in mine for mark in self.end_item(item.item_id)]

    def end_all(self) -> set[str]:
        """The session is lost: no item will grow. Return the ids of those still to be heard."""
        for item in self._items.values():
            item.ended = True
            self._dropped.add(item.item_id)
        return set(self._items)

    # --- the carrier's side -------------------------------------------------------------------

    def mark(self, name: str, now: float) -> list[PlayAudio | SendMark]:
        """A mark has returned. Unknown names and older generations change nothing."""
        generation, _, rest = name.partition(":")
        number, _, what = rest.partition(":")
        if not number.isdecimal():
            return []
        sequence = int(number)
        if what == "probe":
            # Nothing was buffered when it was sent, so a `clear` since then changes nothing.
            self._round_trip.measure(sequence, now * 1000)
            return []
        if generation != str(self._generation):
            return []
        # Marks return in order, so the next one also confirms the chunks of a lost one.
        while self._chunks and self._chunks[0].sequence <= sequence:
            chunk = self._confirm()
            self._round_trip.played(chunk, now * 1000, exact=chunk.sequence == sequence)
        self._round_trip.expect(self._chunks)
        return self._send(now)

    def unheard_pieces(self, now: float) -> list[tuple[str, int]]:
        """Return the sound that is not heard yet, as (payload, bytes), in order."""
        self._listen(now)
        pieces = []
        for chunk in self._chunks:
            heard = int(self._items[chunk.item_id].heard_ms * BYTES_PER_MS)
            left = min(chunk.size, chunk.end - heard)
            if left > 0:
                pieces.append((payload_end(chunk.payload, left, chunk.size), left))
        return [*pieces, *((payload, size) for _, payload, size in self._held)]

    def hold(self) -> None:
        """Send no more sound until `release`."""
        self._is_held = True

    def release(self, now: float) -> list[PlayAudio | SendMark]:
        """Send the sound that has waited."""
        self._is_held = False
        return self._send(now)

    def cut(self, now: float) -> tuple[list[ClearAudio], list[Settled]]:
        """Stop the sound at a barge-in; return the command, and what was heard of every item.

        Later sound of these items and their responses is dropped.
        """
        commands = [ClearAudio()] if self._chunks else []
        return commands, self._settle_all(now)

    def withdraw(self, item_id: str, now: float) -> list[ClearAudio]:
        """Stop a sound that is the only one playing, and forget it."""
        if self._items.pop(item_id, None) is None:
            return []
        self._held.clear()
        self._forget_chunks()
        self._generation += 1
        self._round_trip.cleared(now * 1000)
        return [ClearAudio()]

    # --- questions ----------------------------------------------------------------------------

    def heard(self) -> list[Settled]:
        """Return the items that were heard to their end since the last call, and forget them."""
        done = [
            item for item in self._items.values() if item.ended and item.confirmed == item.generated
        ]
        for item in done:
            del self._items[item.item_id]
        return [_settled(item, cut=False) for item in done]

    def has_heard_item(self) -> bool:
        """Return whether `heard` has something to return."""
        return any(item.ended and item.confirmed == item.generated for item in self._items.values())

    def item(self, item_id: str) -> Item | None:
        """Return an item that is not settled; None if it is, or is unknown."""
        return self._items.get(item_id)

    def has_unheard(self, response_id: str | None) -> bool:
        """Return whether a part of a response is still to be heard."""
        return any(item.response_id == response_id for item in self._items.values())

    def heard_ms(self, item_id: str, now: float) -> float:
        """Return how much of an item the caller has heard, or 0 if it is not queued."""
        self._listen(now)
        item = self._items.get(item_id)
        return item.heard_ms if item is not None else 0.0

    def played(self) -> Played:
        """Return how far playing has come; `waiting` is not a copy."""
        trip = self._round_trip
        return Played(
            generation=self._generation,
            open=self._open,
            confirmed=self._confirmed,
            edge_ms=trip.edge,
            round_trip_ms=trip.round_trip_ms,
            waiting=self._chunks,
        )

    def playing(self) -> bool:
        """Whether any sound is unheard: waiting here, or in the carrier's buffer."""
        return bool(self._chunks or self._held)

    def idle(self) -> bool:
        """Whether everything was heard, and no item can grow."""
        return not self.playing() and all(item.ended for item in self._items.values())

    def sent_ahead_ms(self, now: float) -> float:
        """Return how much sound was sent and is unheard, in milliseconds."""
        return max(0.0, self._round_trip.ends_at - now * 1000) if self._chunks else 0.0

    def quiet_at(self) -> float:
        """Return when all sound known now must have been heard and confirmed, in seconds."""
        held = sum(ms(size) for _, _, size in self._held)
        return (self._round_trip.ends_at + held + self._round_trip.round_trip_ms) / 1000

    @property
    def deadline(self) -> float | None:
        """When `expire` has something to do: the lead allows more, or a mark was lost."""
        if not self._open:
            return None
        if self._held and self._chunks and not self._is_held:
            reserve = max(self._lead_ms - _REFILL_MS, self._lead_ms / 2)
            room_at = self._round_trip.ends_at + ms(self._held[0][2]) - reserve
            return min(room_at, self._lost_at()) / 1000
        return self._lost_at() / 1000 if self._chunks else None

    def expire(self, now: float) -> list[PlayAudio | SendMark]:
        """Give up marks that are lost, and send what the lead allows."""
        while self._chunks and now >= self._lost_at() / 1000:
            self._round_trip.lost(self._confirm())
        return self._send(now)

    # --- inside -------------------------------------------------------------------------------

    def _send(self, now: float) -> list[PlayAudio | SendMark]:
        commands: list[PlayAudio | SendMark] = []
        if not self._open or self._is_held:
            return commands
        now_ms = now * 1000
        trip, chunks, unmarked = self._round_trip, self._chunks, self._unmarked
        while self._held:
            item_id, payload, size = self._held[0]
            sound_ms = ms(size)
            if chunks:
                ahead = trip.ends_at - now_ms
                if ahead > 0 and ahead + sound_ms > self._lead_ms:
                    break
            else:
                trip.edge = min(trip.edge, now_ms)
                if trip.probe_due(now_ms):
                    commands.append(self._probe(now))
            self._held.popleft()
            item = self._items[item_id]
            item.sent += size
            self._sequence += 1
            # Sound after a gap makes the whole stretch up to its mark uncertain.
            dry = trip.ends_at - now_ms < _DRY_MS or unmarked.dry
            chunks.append(Chunk(self._sequence, item_id, item.sent, size, now_ms, dry, payload))
            trip.sent(now_ms, sound_ms, dry)
            unmarked.add(sound_ms, dry)
            commands.append(PlayAudio(payload, size))
            if unmarked.ms >= MARK_MS or (item.ended and item.sent == item.generated):
                commands.append(self._mark(item))
        return commands

    def _mark(self, item: Item) -> SendMark:
        """Mark everything that was sent so far; `item` is what was sent last."""
        self._unmarked.clear()
        name = f"{self._generation}:{self._sequence}:{item.item_id}:{int(ms(item.sent))}"
        return SendMark(name)

    def _last_mark(self, item: Item) -> list[SendMark]:
        """Return a mark for the sound of an ended item that has none yet."""
        last = self._chunks[-1] if self._chunks and self._unmarked.ms else None
        waits = last is not None and last.item_id == item.item_id and item.sent == item.generated
        return [self._mark(item)] if waits and self._open else []

    def _confirm(self) -> Chunk:
        """Count the oldest chunk as played."""
        chunk = self._chunks.popleft()
        self._confirmed += 1
        item = self._items[chunk.item_id]
        if item.began_at is None:
            item.began_at = max(self._round_trip.edge, chunk.sent_at) / 1000
        item.confirmed = chunk.end
        item.heard_ms = max(item.heard_ms, ms(chunk.end))
        return chunk

    def _forget_chunks(self) -> None:
        self._chunks.clear()
        self._unmarked.clear()

    def _probe(self, now: float) -> SendMark:
        self._sequence += 1
        self._round_trip.probe(self._sequence, now * 1000)
        return SendMark(f"{self._generation}:{self._sequence}:probe")

    def _listen(self, now: float) -> None:
        """Bring each item's `heard_ms` up to `now` by interpolation."""
        cursor = self._round_trip.edge
        for chunk in self._chunks:
            start = max(cursor, chunk.sent_at)
            played = min(ms(chunk.size), now * 1000 - start)
            if played <= 0:
                break
            item = self._items[chunk.item_id]
            if item.began_at is None:
                item.began_at = start / 1000
            item.heard_ms = max(item.heard_ms, ms(chunk.end - chunk.size) + played)
            cursor = start + ms(chunk.size)

    def _settle_all(self, now: float) -> list[Settled]:
        self._listen(now)
        settled = []
        for item in self._items.values():
            left = ms(item.generated) - item.heard_ms
            cut = not item.ended or left >= FRAME_MS
            settled.append(_settled(item, cut=cut))
            if cut:
                self._dropped.update((item.item_id, item.response_id))
        self._items.clear()
        self._held.clear()
        self._forget_chunks()
        self._generation += 1
        self._round_trip.cleared(now * 1000)
        return settled

    def _lost_at(self) -> float:
        chunk = self._chunks[0]
        end = max(self._round_trip.edge, chunk.sent_at) + ms(chunk.size)
        return end + self._round_trip.round_trip_ms + _LOST_MARK_MS


def _settled(item: Item, *, cut: bool) -> Settled:
    generated_ms = ms(item.generated)
    heard_ms = min(item.heard_ms, generated_ms) if cut else generated_ms
    return Settled(
        item.item_id,
        int(heard_ms),
        int(generated_ms),
        item.began_at,
        cut,
        item.ended,
        item.response_id,
    )
