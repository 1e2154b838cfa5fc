"""Every JSON that the console's page gets, as values. No I/O.

    list of calls      `Snapshot`, `CallEntry`
    one call           `CallDetail`: an entry and its lines, tools, stages, legs, barge-ins ...
    what changes       `FeedMessage`, each with the `id` of its server-sent event
    calls that are over `PastPage`, `PastCall`
    all calls together `Figures`
    who did what       `AuditPage`

Moments (`arrived_at`, `until`, `now`, an audit entry's `at`) are seconds since 1970; all other
times of a call are seconds since it arrived. Each part of a call has an `id`, unique among its
kind in that call: a part that comes again replaces the one with its id.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Role = Literal["viewer", "supervisor"]


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """The base of all shapes."""


# --- one call ---------------------------------------------------------------------------------


class Leg(Shape, frozen=True, kw_only=True):
    """One attempt to reach a human. What is still to come is null."""

    id: str
    status: Literal["ringing", "answered", "over"]
    started_at: float
    answered_at: float | None = None
    ended_at: float | None = None
    outcome: str = ""


class HandoffNow(Shape, frozen=True, kw_only=True):
    """The hand-off that runs: its state (`farewell`, `moving`, `ringing`, `with human`,
    `returning` ...) and when that state must have led somewhere, as a moment: time left is
    `until` less the time of now."""

    state: str
    destination: str
    reason: str
    summary: str
    source: str
    asked_at: float
    until: float | None = None


class Question(Shape, frozen=True, kw_only=True):
    """The agent asks a human, and waits for the answer until `until` (a moment)."""

    id: str
    text: str
    asked_at: float
    until: float | None = None


class Cost(Shape, frozen=True, kw_only=True):
    """What the call has cost so far, by the owner's prices: an estimate until the bill comes.
    `counted`: the model's part is of the tokens that it has told, not of minutes."""

    carrier: float = 0.0
    model: float = 0.0
    total: float = 0.0
    counted: bool = False
    currency: str = "USD"


class CallEntry(Shape, frozen=True, kw_only=True):
    """A live call as the list shows it. `phase` is `ringing`, `talking`, `handing off`, `with a
    human`, `ending` or `ended`; `running` are the names of the tools that run."""

    call_sid: str
    agent: str
    caller: str
    called: str
    arrived_at: float
    phase: str
    handoff: HandoffNow | None = None
    question: Question | None = None
    running: tuple[str, ...] = ()
    barge_ins: int = 0
    cost: Cost = Cost()


class Line(Shape, frozen=True, kw_only=True):
    """Who said what, as heard. Of the agent's words `text` was heard, `ahead` is prepared and not
    heard yet, `cut` will never be heard: show it greyed out. A `note` was said by nobody: the
    agent reads it. `ended_at` is null while the line is open."""

    id: str
    speaker: Literal["caller", "agent", "human", "note"]
    text: str
    started_at: float
    ended_at: float | None = None
    ahead: str = ""
    cut: str = ""


class Tool(Shape, frozen=True, kw_only=True):
    """A tool's use. `arguments` is JSON text as the model wrote it."""

    id: str
    name: str
    arguments: str
    status: Literal["running", "answered", "failed", "cancelled"]
    started_at: float
    seconds: float | None = None
    output: str = ""


class Stage(Shape, frozen=True, kw_only=True):
    """Where the call was: `answering`, `talking`, a state of the hand-off, `ending` ..."""

    id: str
    name: str
    started_at: float
    ended_at: float | None = None


class BargeIn(Shape, frozen=True, kw_only=True):
    """The caller spoke over the agent at `at`."""

    id: str
    at: float


class Latency(Shape, frozen=True, kw_only=True):
    """The caller stopped at `started_at` and heard the agent from `ended_at` on."""

    id: str
    started_at: float
    ended_at: float


class Action(Shape, frozen=True, kw_only=True):
    """What somebody at a console did to this call."""

    id: str
    at: float
    by: str
    kind: str
    text: str = ""


class Parts(Shape, frozen=True, kw_only=True):
    """What a call consists of. Speech on the timeline is `lines`: caller and agent from
    `started_at` to `ended_at`."""

    lines: tuple[Line, ...] = ()
    tools: tuple[Tool, ...] = ()
    stages: tuple[Stage, ...] = ()
    legs: tuple[Leg, ...] = ()
    barge_ins: tuple[BargeIn, ...] = ()
    latencies: tuple[Latency, ...] = ()
    actions: tuple[Action, ...] = ()


class CallDetail(Shape, frozen=True, kw_only=True):
    """A live call. `destinations` are the keys that a hand-off may name; `now` is when it was
    looked at."""

    entry: CallEntry
    parts: Parts
    now: float
    destinations: tuple[str, ...] = ()


class CallList(Shape, frozen=True, kw_only=True):
    """Live calls. `missing` are the worker processes that did not answer: theirs are not here."""

    calls: tuple[CallEntry, ...]
    now: float
    missing: tuple[str, ...] = ()


# --- the feed ---------------------------------------------------------------------------------


class FeedMessage(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The base of what the feed says; `type` names it, also as the name of the sent event."""


class Snapshot(FeedMessage, frozen=True, kw_only=True, tag=True):
    """All calls that are live: throw away what you had. Sent first, and again to a page that was
    away for longer than the feed remembers. `missing` as in `PartMissing`."""

    calls: tuple[CallEntry, ...]
    now: float
    missing: tuple[str, ...] = ()


class CallsChanged(FeedMessage, frozen=True, kw_only=True, tag=True):
    """These calls are there or have changed, and those of `gone` (call SIDs) are over."""

    calls: tuple[CallEntry, ...] = ()
    gone: tuple[str, ...] = ()


class PartMissing(FeedMessage, frozen=True, kw_only=True, tag=True):
    """These worker processes do not answer now: their calls are not known, or are as they last
    said. Empty: nothing is missing any more."""

    missing: tuple[str, ...] = ()


class CallShown(FeedMessage, frozen=True, kw_only=True, tag=True):
    """The call that the page has open, whole: throw away what you had of it."""

    detail: CallDetail


class CallPatched(FeedMessage, frozen=True, kw_only=True, tag=True):
    """What has changed of the call that the page has open. `entry` is null if it has not; each
    part of `parts` is new or replaces that with its id."""

    call_sid: str
    parts: Parts
    entry: CallEntry | None = None


class CallOver(FeedMessage, frozen=True, kw_only=True, tag=True):
    """The call that the page has open is over; in a moment it is at `/api/past/{sid}`."""

    call_sid: str


AnyFeedMessage = Snapshot | CallsChanged | PartMissing | CallShown | CallPatched | CallOver


# --- calls that are over ----------------------------------------------------------------------


class PastEntry(Shape, frozen=True, kw_only=True):
    """A call that is over, as the list shows it. `destination`, `outcome` and
    `seconds_to_human` are those of the last attempt to reach a human; `answer_seconds` is the
    median of how long the caller waited for the agent's answers; `excerpt` is a line in which
    the searched words were said."""

    call_sid: str
    agent: str
    caller: str
    called: str
    arrived_at: float
    seconds: float
    disposition: str
    destination: str = ""
    outcome: str = ""
    seconds_to_human: float | None = None
    answer_seconds: float | None = None
    barge_ins: int = 0
    cost: float = 0.0
    excerpt: str = ""


class PastPage(Shape, frozen=True, kw_only=True):
    """`next` is what to give as `before` for the page after this one; null on the last."""

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


class PastCall(Shape, frozen=True, kw_only=True):
    """A call that is over. `recording` is the address of its stereo sound, null without one; its
    first sample was heard at `recorded_from`."""

    entry: PastEntry
    parts: Parts
    handoffs: tuple[Attempt, ...] = ()
    summary: str = ""
    recording: str | None = None
    recorded_from: float = 0.0


# --- figures ----------------------------------------------------------------------------------


class Quantiles(Shape, frozen=True, kw_only=True):
    """How a duration was spread, in seconds; null where there was none."""

    count: int = 0
    mean: float | None = None
    p50: float | None = None
    p90: float | None = None


class Bucket(Shape, frozen=True, kw_only=True):
    """The calls that arrived from `since` until `until` (moments)."""

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
    """Figures over time: a bucket for each step, also for those without calls, and the whole."""

    step_seconds: float
    buckets: tuple[Bucket, ...]
    whole: Bucket
    currency: str = "USD"


# --- people -----------------------------------------------------------------------------------


class AuditEntry(Shape, frozen=True, kw_only=True):
    """Somebody did something: `action` is `sign-in`, `sign-in-refused`, `hint`, `say`, `handoff`
    ... `via` says how they had shown who they are: `session`, `token` or `open`."""

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
    """Who is signed in. `csrf` goes as `X-CSRF-Token` with every request that changes anything;
    `can` are the actions that may be offered; `rings` says that there is a telephone to take
    over on; `open` that nobody needs to sign in here; prices are in `currency`."""

    name: str
    role: Role
    csrf: str
    can: tuple[str, ...] = ()
    rings: bool = False
    open: bool = False
    currency: str = "USD"


class Taken(Shape, frozen=True, kw_only=True):
    """An action has reached the call. What it led to is seen on the feed."""

    taken: bool = True


class Fault(Shape, frozen=True, kw_only=True):
    """Why a request was refused: a stable `code`, and a sentence for a person."""

    code: str
    message: str
