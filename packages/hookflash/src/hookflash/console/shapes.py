"""All JSON of the console's API, as values. No I/O.

    list of calls      `Snapshot`, `CallEntry`
    one call           `CallDetail`: an entry and its lines, tools, stages, legs, barge-ins ...
    changes            `FeedMessage`, each with the `id` of its server-sent event
    ended calls        `PastPage`, `PastCall`
    deliveries         `DeliveryPage`
    figures            `Figures`
    audit trail        `AuditPage`

These times are seconds since 1970: `arrived_at`, `until`, `now`, `created_at`, `due_at`,
`delivered_at`, and an audit entry's `at`. All other times of a call are seconds since it arrived.
Each part of a call has an `id`, unique among the parts of its kind in that call. A part with a
known `id` replaces the earlier one.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Role = Literal["viewer", "supervisor"]


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """The base of all shapes."""


# --- one call ---------------------------------------------------------------------------------


class Leg(Shape, frozen=True, kw_only=True):
    """One attempt to reach a human. Times that have not come yet are null."""

    id: str
    status: Literal["ringing", "answered", "over"]
    started_at: float
    answered_at: float | None = None
    ended_at: float | None = None
    outcome: str = ""


class HandoffNow(Shape, frozen=True, kw_only=True):
    """The running hand-off: its state (`farewell`, `moving`, `ringing`, `with human`, `returning`
    ...).

    `until` is when that state times out, in seconds since 1970; null if it has no limit. While a
    phone rings, it is when the ringing ends; null until the phone rings.
    """

    state: str
    destination: str
    reason: str
    summary: str
    source: str
    asked_at: float
    until: float | None = None


class Question(Shape, frozen=True, kw_only=True):
    """The agent asks a human, and waits for the answer until `until`."""

    id: str
    text: str
    asked_at: float
    until: float | None = None


class Cost(Shape, frozen=True, kw_only=True):
    """The cost of the call so far, by the owner's prices: an estimate.

    `counted`: the model's part is computed from reported tokens, not from minutes.
    """

    carrier: float = 0.0
    model: float = 0.0
    total: float = 0.0
    counted: bool = False
    currency: str = "USD"


class LastLine(Shape, frozen=True, kw_only=True):
    """The last line that was heard in a call."""

    speaker: Literal["caller", "agent", "human"]
    text: str


class CallEntry(Shape, frozen=True, kw_only=True):
    """A live call as the list shows it.

    `state` is a word of the table in `docs/reference/states.md`, the same as the name of the
    running stage, or `asking` while there is a `question`. `phase` is `ringing`, `talking`,
    `handing off`, `with a human`, `ending` or `ended`. `running` are the names of the running
    tools. `speaking` is who speaks now, or empty.

    `direction` is `inbound`, or `outbound` for a call that the line has placed to `called`.
    """

    call_sid: str
    agent: str
    caller: str
    called: str
    arrived_at: float
    phase: str
    state: str = ""
    last: LastLine | None = None
    speaking: Literal["caller", "agent", ""] = ""
    direction: Literal["inbound", "outbound"] = "inbound"
    handoff: HandoffNow | None = None
    question: Question | None = None
    running: tuple[str, ...] = ()
    barge_ins: int = 0
    cost: Cost = Cost()


class Line(Shape, frozen=True, kw_only=True):
    """A line of the transcript, as heard.

    Of the agent's words, `text` was heard, `ahead` is prepared and not heard yet, and `cut` will
    never be heard: show it greyed out. A `note` is context for the agent that nobody said.
    `ended_at` is null while the line is open.
    """

    id: str
    speaker: Literal["caller", "agent", "human", "note"]
    text: str
    started_at: float
    ended_at: float | None = None
    ahead: str = ""
    cut: str = ""


class Tool(Shape, frozen=True, kw_only=True):
    """One use of a tool. `arguments` is JSON text as the model wrote it."""

    id: str
    name: str
    arguments: str
    status: Literal["running", "answered", "failed", "cancelled"]
    started_at: float
    seconds: float | None = None
    output: str = ""


class Stage(Shape, frozen=True, kw_only=True):
    """A stage of the call: `answering`, `talking`, a state of the hand-off, `ending` ..."""

    id: str
    name: str
    started_at: float
    ended_at: float | None = None


class BargeIn(Shape, frozen=True, kw_only=True):
    """The caller spoke over the agent at `at`."""

    id: str
    at: float


class Latency(Shape, frozen=True, kw_only=True):
    """The caller stopped at `started_at` and heard the agent from `ended_at`."""

    id: str
    started_at: float
    ended_at: float


class Action(Shape, frozen=True, kw_only=True):
    """What a supervisor did to this call."""

    id: str
    at: float
    by: str
    kind: str
    text: str = ""


class HandoffOutcome(Shape, frozen=True, kw_only=True):
    """How an attempt to reach a human ended, or the talk with them: "support was busy".

    `outcome` is a word of `docs/reference/dispositions.md`; `text` says it in words.
    """

    id: str
    at: float
    destination: str
    outcome: str
    text: str


class SoundLevels(Shape, frozen=True, kw_only=True):
    """How loud both sides were for two seconds from `started_at`: 20 hexadecimal digits a second.

    `left` is the caller, `right` what the caller heard, each from `0` to `f`. A live call has these
    from when somebody opened it; a past call has a recording.
    """

    id: str
    started_at: float
    left: str
    right: str


class Parts(Shape, frozen=True, kw_only=True):
    """The parts of a call. The timeline shows each of `lines` from `started_at` to `ended_at`."""

    lines: tuple[Line, ...] = ()
    tools: tuple[Tool, ...] = ()
    stages: tuple[Stage, ...] = ()
    legs: tuple[Leg, ...] = ()
    barge_ins: tuple[BargeIn, ...] = ()
    latencies: tuple[Latency, ...] = ()
    actions: tuple[Action, ...] = ()
    outcomes: tuple[HandoffOutcome, ...] = ()
    sound: tuple[SoundLevels, ...] = ()


class CallDetail(Shape, frozen=True, kw_only=True):
    """A live call. `destinations` are the keys that a hand-off may name; `now` is the time of the
    reply."""

    entry: CallEntry
    parts: Parts
    now: float
    destinations: tuple[str, ...] = ()


class CallList(Shape, frozen=True, kw_only=True):
    """Live calls. `missing` are the worker processes that did not answer: their calls are not
    included."""

    calls: tuple[CallEntry, ...]
    now: float
    missing: tuple[str, ...] = ()


# --- the feed ---------------------------------------------------------------------------------


class FeedMessage(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The base of the feed's messages. `type` names the message and its server-sent event."""


class Snapshot(FeedMessage, frozen=True, kw_only=True, tag=True):
    """All live calls: discard earlier data.

    It is sent first, and again to a page that was away for longer than the feed's buffer reaches.
    `missing` as in `PartMissing`.
    """

    calls: tuple[CallEntry, ...]
    now: float
    missing: tuple[str, ...] = ()


class CallsChanged(FeedMessage, frozen=True, kw_only=True, tag=True):
    """These calls are new or have changed; those in `gone` (call SIDs) have ended."""

    calls: tuple[CallEntry, ...] = ()
    gone: tuple[str, ...] = ()


class PartMissing(FeedMessage, frozen=True, kw_only=True, tag=True):
    """These worker processes do not answer now: their calls are unknown or may be out of date.

    An empty list means that all processes answer.
    """

    missing: tuple[str, ...] = ()


class CallShown(FeedMessage, frozen=True, kw_only=True, tag=True):
    """The open call with all its parts: discard earlier data of it."""

    detail: CallDetail


class CallPatched(FeedMessage, frozen=True, kw_only=True, tag=True):
    """Changes of the open call. `entry` is null if it has not changed.

    Each part in `parts` is new, or replaces the part with its `id`.
    """

    call_sid: str
    parts: Parts
    entry: CallEntry | None = None


class CallOver(FeedMessage, frozen=True, kw_only=True, tag=True):
    """The open call has ended; it will soon be at `/api/past/{sid}`."""

    call_sid: str


class CallUnknown(FeedMessage, frozen=True, kw_only=True, tag=True):
    """No process has the open call. It may have ended earlier, or never have existed."""

    call_sid: str


AnyFeedMessage = (
    Snapshot | CallsChanged | PartMissing | CallShown | CallPatched | CallOver | CallUnknown
)


# --- ended calls ------------------------------------------------------------------------------


class PastEntry(Shape, frozen=True, kw_only=True):
    """An ended call as the list shows it.

    `direction` is `inbound`, or `outbound` for a call that the line has placed to `called`.
    `answered_by` is then `human`, `machine`, `fax` or `unknown`.
    `destination`, `outcome` and `seconds_to_human` are those of the last attempt to reach a human.
    `answer_seconds` is the median time that the caller waited for an answer. `excerpt` is a line
    that contains the searched words.
    """

    call_sid: str
    agent: str
    caller: str
    called: str
    arrived_at: float
    seconds: float
    disposition: str
    direction: str = "inbound"
    answered_by: str = ""
    destination: str = ""
    outcome: str = ""
    seconds_to_human: float | None = None
    answer_seconds: float | None = None
    barge_ins: int = 0
    cost: float = 0.0
    excerpt: str = ""


class PastPage(Shape, frozen=True, kw_only=True):
    """`next` is the value of `before` for the next page; null on the last page."""

    calls: tuple[PastEntry, ...]
    next: str | None = None


class Attempt(Shape, frozen=True, kw_only=True):
    id: str
    destination: str
    reason: str
    source: str
    started_at: float
    outcome: str
    seconds_to_human: float | None = None


class Turn(Shape, frozen=True, kw_only=True):
    """An answer of the agent, from the end of the caller's speech to the first sound heard.

    Times that are not known are null: a greeting answers nobody, and an answer that was cut off may
    never be heard. `tokens_read` and `tokens_written` are those that the model reported for it.
    """

    id: str
    stopped_at: float | None = None
    generated_at: float | None = None
    heard_at: float | None = None
    tokens_read: int = 0
    tokens_written: int = 0


class Voicemail(Shape, frozen=True, kw_only=True):
    """A message that the caller left: its words, if they are known, and its recording.

    `recording_url` is at the carrier.
    """

    id: str
    text: str = ""
    seconds: float = 0.0
    recording_url: str = ""


class AgentChange(Shape, frozen=True, kw_only=True):
    """Another agent was to take the call. `outcome` is `taken` or `failed`."""

    from_agent: str
    to_agent: str
    reason: str
    started_at: float
    outcome: str


class PastCall(Shape, frozen=True, kw_only=True):
    """An ended call. `recording` is the path of its stereo audio, or null.

    The first sample of the recording was heard at `recorded_from`. `has_journal`: the call's events
    can be downloaded. `turns` are read from the journal. `voicemails` are the messages that the
    caller left.
    """

    entry: PastEntry
    parts: Parts
    handoffs: tuple[Attempt, ...] = ()
    transfers: tuple[AgentChange, ...] = ()
    summary: str = ""
    recording: str | None = None
    recorded_from: float = 0.0
    has_journal: bool = False
    turns: tuple[Turn, ...] = ()
    voicemails: tuple[Voicemail, ...] = ()


# --- deliveries ----------------------------------------------------------------------------------


class DeliveryEntry(Shape, frozen=True, kw_only=True):
    """A voicemail, a callback request or a message.

    `state` is `waiting` (the next attempt is at `due_at`), `delivered`, `dead` (given up) or
    `unroutable` (no outlet wants it). `error` is the reason of the last failed attempt. `said` has
    the caller's words, if there are some. `recording_url` is at the carrier.
    """

    id: str
    kind: Literal["voicemail", "callback", "message"]
    state: Literal["waiting", "delivered", "dead", "unroutable"]
    call_sid: str
    agent: str
    destination: str
    created_at: float
    caller: str
    number: str = ""
    reason: str = ""
    said: str = ""
    recording_url: str = ""
    recording_seconds: float = 0.0
    attempts: int = 0
    due_at: float | None = None
    delivered_at: float | None = None
    accepted: tuple[str, ...] = ()
    error: str = ""


class DeliveryPage(Shape, frozen=True, kw_only=True):
    """The newest first; `next` as in `PastPage`. `counts` is the number of deliveries in each
    state."""

    deliveries: tuple[DeliveryEntry, ...]
    counts: dict[str, int]
    next: str | None = None


# --- figures ----------------------------------------------------------------------------------


class Quantiles(Shape, frozen=True, kw_only=True):
    """The distribution of a duration, in seconds; null if there are no values."""

    count: int = 0
    mean: float | None = None
    p50: float | None = None
    p90: float | None = None


class Bucket(Shape, frozen=True, kw_only=True):
    """The calls that arrived from `since` until `until` (seconds since 1970)."""

    since: float
    until: float
    calls: int = 0
    seconds: float = 0.0
    barge_ins: int = 0
    cost: float = 0.0
    dispositions: dict[str, int] = {}
    outcomes: dict[str, int] = {}
    to_human: Quantiles = Quantiles()
    answer: Quantiles = Quantiles()


class Figures(Shape, frozen=True, kw_only=True):
    """Figures over time: a bucket for each step, including empty ones, and the total."""

    step_seconds: float
    buckets: tuple[Bucket, ...]
    whole: Bucket
    currency: str = "USD"


# --- people -----------------------------------------------------------------------------------


class AuditEntry(Shape, frozen=True, kw_only=True):
    """An action: `action` is `sign-in`, `sign-in-refused`, `hint`, `say`, `handoff` ...

    `via` is how the person was authenticated: `session`, `token` or `open`.
    """

    id: int
    at: float
    who: str
    via: str
    action: str
    call_sid: str = ""
    text: str = ""
    peer: str = ""


class AuditPage(Shape, frozen=True, kw_only=True):
    entries: tuple[AuditEntry, ...]
    next: int | None = None


class Session(Shape, frozen=True, kw_only=True):
    """The signed-in user.

    `csrf` is sent as `X-CSRF-Token` with every request that changes something. `can` are the
    permitted actions. `rings`: the user has a phone to take over calls. `open`: no sign-in is
    needed. Prices are in `currency`.
    """

    name: str
    role: Role
    csrf: str
    can: tuple[str, ...] = ()
    rings: bool = False
    open: bool = False
    currency: str = "USD"


class Placed(Shape, frozen=True, kw_only=True):
    """A call that the carrier has accepted. It rings."""

    call_sid: str


class Taken(Shape, frozen=True, kw_only=True):
    """An action has reached the call. Its effect appears on the feed."""

    taken: bool = True


class Fault(Shape, frozen=True, kw_only=True):
    """Why a request was refused: a stable `code`, and a sentence for people."""

    code: str
    message: str
