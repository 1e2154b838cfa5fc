"""What one simulated call consists of: a value that is drawn from a seed, printed and shrunk.

A plan has a caller who does one act after another, humans who can be rung, a model with troubles,
and faults of the carrier and of the machine. `draw(seed)` makes the plan of a seed, and always the
same one. A plan is data (JSON), so that a shrunk one can be kept as a named test.
"""

from __future__ import annotations

from random import Random
from typing import Literal, get_args

import msgspec

from hookflash.core.handoff.states import HandoffState

FRAMES_MS = 200
"""How much sound one media message of a caller carries, unless a plan says otherwise: ten times
what Twilio sends, because a tenth of the messages costs a tenth of the time."""


class Act(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One thing that the caller does.

    say        speak `text` for `seconds`, once the agent has been silent for a moment
    interrupt  speak `text` for `seconds` as soon as `after` seconds of the agent's sound were heard
    wait       do nothing for `seconds`
    press      press `digits`
    listen     wait until somebody has spoken and been silent for a moment, at most `seconds`
    stay       stay on the line with a human until the human is gone, at most `seconds`
    """

    kind: Literal["say", "interrupt", "wait", "press", "listen", "stay"]
    text: str = ""
    seconds: float = 0.0
    after: float = 0.0
    digits: str = ""


class HumanPlan(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Somebody who can be rung. `whispers` is how many they hear before they press a key."""

    does: Literal[
        "accepts",
        "declines",
        "ignores",
        "mailbox",
        "busy",
        "no-answer",
        "fails",
        "hangs-up",
    ] = "accepts"
    answer_after: float = 2.0
    whispers: int = 1
    talks_seconds: float = 6.0
    leaves: Literal["first", "last", "gives-back", "talks-on"] = "last"


TroubleKind = Literal[
    "slow",
    "failed",
    "rate-limited",
    "incomplete",
    "empty",
    "text-only",
    "silent",
    "freeze",
    "no-response",
    "no-speech-stopped",
    "tool-of-no-name",
    "tool-bad-arguments",
    "error-event",
    "drop",
    "close",
    "close-while-speaking",
]
SessionTroubleKind = Literal["refuse-upgrade", "no-session-created", "short-session"]
CarrierFaultKind = Literal[
    "rest-500",
    "rest-429",
    "rest-silent",
    "rest-late",
    "rest-broken",
    "webhook-twice",
    "webhook-never",
    "webhook-late",
    "stream-cut",
    "stream-frozen",
    "model-frozen",
    "model-dropped",
    "model-complains",
    "marks-not-returned",
    "jitter",
]
MachineFaultKind = Literal["kill", "restart", "disk-full"]

TROUBLES: tuple[TroubleKind, ...] = get_args(TroubleKind)
"""What can go wrong with a response."""

SESSION_TROUBLES: tuple[SessionTroubleKind, ...] = get_args(SessionTroubleKind)
"""What can go wrong with a session."""

FAULTS: tuple[CarrierFaultKind | MachineFaultKind, ...] = (
    *get_args(CarrierFaultKind),
    *get_args(MachineFaultKind),
)


class Trouble(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What goes wrong with the model's `number`-th response of the call, counted from 1.

    Of the kinds that are about a session it is the `number`-th connection; a short session (of so
    many `seconds`) is every one.
    """

    kind: TroubleKind | SessionTroubleKind
    number: int = 1
    detail: str = ""
    seconds: float = 0.0


class Fault(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What goes wrong with the carrier or the machine, `at` seconds after the call was placed.

    With `during` it is so many seconds after the hand-off has first come to that state.
    """

    kind: CarrierFaultKind | MachineFaultKind
    at: float = 0.0
    during: str = ""


OrderKind = Literal[
    "hint",
    "say",
    "hand-off",
    "cancel",
    "give-back",
    "hang-up",
    "stop-recording",
    "caller-hangs-up",
    "caller-speaks",
    "caller-presses",
    "human-hangs-up",
]
ORDERS: tuple[OrderKind, ...] = get_args(OrderKind)


class Order(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What somebody does at a given moment: at the console, in the owner's code, at a telephone.

    `at` and `during` are as those of a fault.
    """

    kind: OrderKind
    at: float = 0.0
    during: str = ""


class Plan(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One call. The fields from `manner` on are those of the agent's only destination."""

    seed: int
    acts: tuple[Act, ...] = ()
    humans: tuple[HumanPlan, ...] = (HumanPlan(),)
    troubles: tuple[Trouble, ...] = ()
    faults: tuple[Fault, ...] = ()
    orders: tuple[Order, ...] = ()
    frame_ms: int = FRAMES_MS
    pace: float = 4.0
    think_seconds: float = 0.4
    network_ms: float = 40.0
    record: bool = False
    greeting_interruptible: bool = True
    manner: Literal["cold", "warm", "consult", "refer"] = "cold"
    order: Literal["hunt", "ring"] = "hunt"
    accept: Literal["press-1", "any-answer", "human-detected"] | None = None
    ring_seconds: int = 15
    attempts: int = 1
    otherwise: Literal["return", "voicemail", "callback", "hang-up"] = "return"
    afterwards: Literal["hang-up", "return"] = "hang-up"
    notes: bool = False
    asks: Literal["nobody", "open", "closed", "slow"] = "nobody"
    """Whether somebody is asked who is free before anybody is rung, and what the answer is."""
    to: Literal["phones", "queue", "sip"] = "phones"
    by_sip: bool = False
    """The caller comes by SIP."""
    functions: Literal["none", "quick", "slow", "failing"] = "none"
    """Functions of the call for instructions, greeting and the first target, and how they do."""
    language: Literal["de"] | None = None
    """The language of the agent, if it is not English."""

    def __post_init__(self) -> None:
        if not self.humans:
            raise ValueError("humans: expected at least one, got none")
        if self.frame_ms < 20 or self.frame_ms % 20:
            raise ValueError(f"frame_ms: expected a multiple of 20, got {self.frame_ms}")
        states = [state.value for state in HandoffState]
        for each in (*self.faults, *self.orders):
            if each.during and each.during not in states:
                raise ValueError(
                    f"during: expected one of {', '.join(states)}; got {each.during!r}"
                )


# --- from a seed ----------------------------------------------------------------------------------

QUESTIONS = ("When are you open?", "What does it cost?", "Do you repair bicycles?", "Is it far?")


def draw(seed: int) -> Plan:
    """Return the plan of a seed."""
    random = Random(f"plan/{seed}")
    manner = random.choice(("cold", "cold", "cold", "warm", "warm", "consult"))
    to = random.choice(("phones",) * 8 + ("queue", "sip"))
    if to == "queue":
        manner = "cold"
    if to == "sip":
        manner = random.choice(("cold", "refer"))
    accept = None
    if manner in ("cold", "warm"):
        accept = random.choice((None, None, "press-1", "any-answer", "human-detected"))
    targets = 1 if to != "phones" else random.choice((1, 1, 2, 3))
    functions = Random(f"functions/{seed}").choice(("none",) * 7 + ("quick", "slow", "failing"))
    return Plan(
        seed=seed,
        functions=functions,  # type: ignore[arg-type]  # one of the words above
        acts=_with_code(_acts(random), Random(f"code/{seed}")),
        humans=tuple(_human(random) for _ in range(targets)),
        troubles=_troubles(random),
        faults=_faults(random),
        orders=_orders(random),
        pace=random.choice((1.2, 2.0, 4.0, 8.0)),
        think_seconds=random.choice((0.2, 0.5, 0.8)),
        network_ms=random.choice((0.0, 40.0, 120.0)),
        record=random.random() < 0.2,
        greeting_interruptible=random.random() < 0.7,
        manner=manner,  # type: ignore[arg-type]
        order=random.choice(("hunt", "hunt", "ring")),  # type: ignore[arg-type]
        accept=accept,  # type: ignore[arg-type]
        ring_seconds=random.choice((8, 15, 20)),
        attempts=random.choice((1, 1, 2)),
        otherwise=random.choice(  # type: ignore[arg-type]
            ("return", "return", "voicemail", "callback", "hang-up")
        ),
        afterwards=random.choice(("hang-up", "return")),  # type: ignore[arg-type]
        notes=random.random() < 0.1,
        asks=random.choice(("nobody",) * 5 + ("open", "closed", "slow")),  # type: ignore[arg-type]
        to=to,  # type: ignore[arg-type]
        by_sip=manner == "refer" and random.random() < 0.8,
    )


def _acts(random: Random) -> tuple[Act, ...]:
    acts: list[Act] = []
    if random.random() < 0.15:
        acts.append(Act("say", "hello", 0.6))
    for _ in range(random.randint(4, 12)):
        acts += _exchange(random)
    if random.random() < 0.75:
        acts.append(Act("say", "human", round(random.uniform(0.8, 2.5), 1)))
        acts += _waiting(random)
        acts.append(Act("stay", seconds=40.0))
        if random.random() < 0.4:
            acts += [*_exchange(random), Act("say", "human", 1.0), Act("stay", seconds=40.0)]
    if random.random() < 0.1:
        acts.append(Act("say", "question", 1.0))
    if random.random() < 0.5:
        acts.append(Act("say", "goodbye", 0.8))
        acts.append(Act("wait", seconds=8.0))
    return tuple(acts)


CODE_SHARE = 0.15
"""The share of calls in which the caller types a code for a tool."""

CODES = ("7398",) * 4 + ("73#", "73", "", "73981")


def _with_code(acts: tuple[Act, ...], random: Random) -> tuple[Act, ...]:
    """Let the caller of some calls type a code, which a tool waits for."""
    if random.random() >= CODE_SHARE:
        return acts
    typed = random.choice(CODES)
    ask = Act("say", "code", round(random.uniform(0.6, 1.5), 1))
    prompt = Act("listen", seconds=8.0) if random.random() < 0.8 else Act("wait", seconds=0.3)
    code = [ask, prompt, Act("press", digits=typed) if typed else Act("wait", seconds=18.0)]
    starts = [number for number, act in enumerate(acts) if act.kind == "say"]
    before = random.choice(starts) if starts else 0
    return (*acts[:before], *code, *acts[before:])


def _exchange(random: Random) -> list[Act]:
    question = random.choice(QUESTIONS)
    speak = Act("say", question, round(random.uniform(0.6, 4.0), 1))
    kind = random.random()
    if kind < 0.45:
        return [speak]
    if kind < 0.65:
        after = round(random.uniform(0.1, 3.0), 2)
        return [speak, Act("interrupt", random.choice(QUESTIONS), 1.2, after)]
    if kind < 0.75:
        return [Act("say", "order", 1.5)]
    if kind < 0.85:
        return [Act("press", digits=random.choice(("5", "12", "#", "0")))]
    if kind < 0.93:
        return [speak, Act("wait", seconds=random.choice((3.0, 12.0)))]
    # Speaks again before the answer to the first sentence can have begun.
    return [speak, Act("wait", seconds=0.7), Act("say", question, 0.8)]


def _waiting(random: Random) -> list[Act]:
    """What a caller does while a human is being brought."""
    kind = random.random()
    if kind < 0.5:
        return []
    if kind < 0.6:
        return [Act("interrupt", "okay", 0.4, 0.3)]
    if kind < 0.7:
        return [Act("interrupt", "cancel", 0.9, round(random.uniform(0.1, 1.0), 2))]
    if kind < 0.85:
        return [Act("listen", seconds=6.0), Act("say", "order", 1.5)]
    return [Act("wait", seconds=random.choice((1.0, 6.0, 15.0)))]


def _human(random: Random) -> HumanPlan:
    does = random.choice(
        ("accepts",) * 6
        + ("declines", "ignores", "mailbox", "busy", "no-answer", "fails", "hangs-up")
    )
    return HumanPlan(
        does,  # type: ignore[arg-type]
        answer_after=round(random.uniform(0.5, 9.0), 1),
        whispers=random.choice((1, 1, 2, 3)),
        talks_seconds=round(random.uniform(2.0, 15.0), 1),
        leaves=random.choice(("first", "last", "last", "gives-back", "talks-on")),  # type: ignore[arg-type]
    )


def _troubles(random: Random) -> tuple[Trouble, ...]:
    found = []
    while random.random() < 0.35 and len(found) < 3:
        if random.random() < 0.1:
            kind = random.choice(SESSION_TROUBLES)
            seconds = random.choice((20.0, 45.0)) if kind == "short-session" else 0.0
            found.append(Trouble(kind, random.randint(1, 2), seconds=seconds))
            continue
        kind = random.choice(TROUBLES)
        seconds = 0.0
        if kind in ("slow", "freeze", "close-while-speaking", "rate-limited"):
            seconds = round(random.uniform(0.3, 2.0), 1)
        detail = ""
        if kind == "incomplete":
            detail = random.choice(("max_output_tokens", "content_filter"))
        found.append(Trouble(kind, random.randint(1, 8), detail, seconds))
    return tuple(found)


def _faults(random: Random) -> tuple[Fault, ...]:
    found = []
    while random.random() < 0.45 and len(found) < 3:
        kind = random.choice(FAULTS)
        found.append(Fault(kind, *_moment(random)))
    return tuple(found)


def _orders(random: Random) -> tuple[Order, ...]:
    found = []
    while random.random() < 0.35 and len(found) < 3:
        found.append(Order(random.choice(ORDERS), *_moment(random)))
    return tuple(found)


def _moment(random: Random) -> tuple[float, str]:
    """Draw when something happens: at any time, or in a state that would seldom be met."""
    if random.random() < 0.4:
        return round(random.uniform(0.0, 90.0), 1), ""
    delay = random.choice((0.0, 0.05, 0.3, 1.0, 3.0))
    return delay, random.choice([state.value for state in HandoffState])


# --- into each state ------------------------------------------------------------------------------

_ACCEPTS = (HumanPlan("accepts", answer_after=3.0, talks_seconds=8.0),)
_BUSY = (HumanPlan("busy", answer_after=1.0),)

_BRIEF = (HandoffState.MOVING, HandoffState.BRIDGING, HandoffState.RETURNING)

_LEADS_TO: dict[HandoffState, dict[str, object]] = {
    HandoffState.IDLE: {},
    HandoffState.CHECKING: {"asks": "slow", "manner": "warm", "humans": _ACCEPTS},
    HandoffState.FAREWELL: {"manner": "cold", "humans": _ACCEPTS},
    HandoffState.MOVING: {"manner": "cold", "humans": _BUSY + _ACCEPTS},
    HandoffState.RINGING: {"manner": "warm", "humans": _ACCEPTS},
    HandoffState.SCREENING: {"manner": "warm", "accept": "press-1", "humans": _ACCEPTS},
    HandoffState.CLOSING: {"manner": "warm", "accept": "press-1", "humans": _ACCEPTS},
    HandoffState.BRIDGING: {"manner": "warm", "accept": "any-answer", "humans": _ACCEPTS},
    HandoffState.WITH_HUMAN: {
        "manner": "warm",
        "afterwards": "return",
        "notes": True,
        "humans": _ACCEPTS,
    },
    HandoffState.PARTING: {
        "manner": "warm",
        "accept": "any-answer",
        "humans": (HumanPlan("accepts", 3.0, talks_seconds=8.0, leaves="talks-on"),),
    },
    HandoffState.RETURNING: {"manner": "cold", "otherwise": "return", "humans": _BUSY},
    HandoffState.MESSAGE: {"manner": "cold", "otherwise": "voicemail", "humans": _BUSY},
    HandoffState.DONE: {
        "manner": "cold",
        "humans": (HumanPlan("accepts", 3.0, talks_seconds=3.0, leaves="first"),),
    },
    HandoffState.FAILED: {"manner": "cold", "otherwise": "hang-up", "humans": _BUSY},
}


def directed(first_seed: int) -> list[Plan]:
    """Return a short call for each state and each thing that can happen at a moment in it."""
    plans = []
    acts = (
        Act("say", QUESTIONS[0], 1.0),
        Act("say", "human", 1.0),
        Act("stay", seconds=40.0),
        Act("say", "question", 1.0),
        Act("wait", seconds=5.0),
        Act("say", "human", 1.0),
        Act("stay", seconds=20.0),
    )
    happenings = [*ORDERS, *FAULTS]
    for state, settings in _LEADS_TO.items():
        for kind in happenings:
            seed = first_seed + len(plans)
            random = Random(f"directed/{seed}")
            delay = random.choice((0.0, 0.05, 0.3, 0.8))
            during = "" if state is HandoffState.IDLE else state.value
            if not during:
                # Before anything is said, or in the middle of the talk.
                delay = random.choice((0.1, 4.0, 9.0)) if kind in ORDERS else 0.0
            brief = state in _BRIEF
            if brief:
                # The state lasts as long as a message is on the road.
                delay = 0.0
            happens: dict[str, object] = (
                {"orders": (Order(kind, delay, during),)}  # type: ignore[arg-type]
                if kind in ORDERS
                else {"faults": (Fault(kind, delay, during),)}
            )
            plan = Plan(
                seed=seed,
                acts=acts,
                think_seconds=random.choice((0.2, 0.6)),
                network_ms=40.0 if brief else random.choice((0.0, 40.0)),
                record=random.random() < 0.3,
            )
            plans.append(msgspec.structs.replace(plan, **settings, **happens))
    return plans
