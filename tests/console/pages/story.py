"""One call with everything that the console can show, for its pictures in the documentation."""

from __future__ import annotations

import struct
from typing import Any

from hookflash.console import shapes as s
from hookflash_local.audio import load

TALKED = (
    ("agent", 0.8, 4.3, "Hello, this is Riverside Books. How can I help you?", ""),
    ("caller", 5.2, 8.1, "Hi, I wanted to know when you are open on Saturday.", ""),
    (
        "agent",
        8.9,
        13.2,
        "On Saturday we are open from nine until five, and the reading room opens half an",
        "hour earlier, which is a good time to come if you like it quiet.",
    ),
    ("caller", 13.1, 17.0, "Sorry, before that: where is my order? It is number 4 4 1 7.", ""),
    (
        "agent",
        18.0,
        22.6,
        "Order 4417 left our warehouse yesterday. It should be with you tomorrow.",
        "",
    ),
    ("caller", 23.8, 27.0, "It was meant to come on Monday. Can I talk to somebody?", ""),
    (
        "agent",
        28.1,
        31.4,
        "Of course. I am connecting you with support now. One moment please.",
        "",
    ),
    ("human", 39.2, 43.4, "Hello, this is Anna. I see that order 4417 is late.", ""),
    ("caller", 44.0, 46.3, "Yes, and it is a birthday present.", ""),
    ("human", 47.0, 51.8, "I am sorry. I will send a second copy by courier this afternoon.", ""),
    ("caller", 52.4, 54.4, "That is wonderful, thank you.", ""),
)
STAGES = (
    ("answering", 0.0),
    ("talking", 0.4),
    ("farewell", 28.0),
    ("moving", 31.4),
    ("ringing", 31.9),
    ("with human", 38.9),
    ("ended", 55.2),
)
WAITS = ((8.1, 8.9), (17.0, 18.0), (27.0, 28.1))
SECONDS = 55.2


def turns() -> tuple[s.Turn, ...]:
    """Return how the agent's answers came about."""
    return tuple(
        s.Turn(
            id=str(number),
            stopped_at=stopped,
            generated_at=stopped + 0.31,
            heard_at=heard,
            tokens_read=900 + 130 * number,
            tokens_written=140 + 20 * number,
        )
        for number, (stopped, heard) in enumerate(WAITS)
    )


def parts(until: float = SECONDS) -> s.Parts:
    """What there is of the call at this second of it."""
    lines = tuple(
        s.Line(
            id=str(number),
            speaker=speaker,
            text=text,
            cut=cut,
            started_at=start,
            ended_at=end,
        )
        for number, (speaker, start, end, text, cut) in enumerate(TALKED)
        if end <= until
    )
    ends = [start for _, start in STAGES[1:]] + [SECONDS]
    stages = tuple(
        s.Stage(id=name, name=name, started_at=start, ended_at=end if end <= until else None)
        for (name, start), end in zip(STAGES, ends, strict=True)
        if start <= until
    )
    return s.Parts(
        lines=lines,
        stages=stages,
        tools=(
            s.Tool(
                id="t1",
                name="find_order",
                arguments='{"number": "4417"}',
                status="answered",
                started_at=17.1,
                seconds=0.72,
                output='{"state": "on its way", "due": "tomorrow"}',
            ),
            s.Tool(
                id="t2",
                name="transfer_to_human",
                arguments='{"destination": "support", "reason": "order 4417 is late"}',
                status="answered",
                started_at=27.9,
                seconds=0.01,
                output="A human is on the way.",
            ),
        ),
        legs=(
            s.Leg(
                id="l1",
                status="over" if until >= SECONDS else "ringing",
                started_at=31.9,
                answered_at=38.9 if until >= SECONDS else None,
                ended_at=SECONDS if until >= SECONDS else None,
                outcome="bridged" if until >= SECONDS else "",
            ),
        ),
        barge_ins=(s.BargeIn(id="b1", at=13.2),),
        latencies=tuple(
            s.Latency(id=str(number), started_at=start, ended_at=end)
            for number, (start, end) in enumerate(WAITS)
        ),
        outcomes=(
            s.HandoffOutcome(
                id="0", at=55.2, destination="support", outcome="bridged", text="The human hung up"
            ),
        )
        if until >= SECONDS
        else (),
        actions=(
            s.Action(
                id="a1", at=22.9, by="omar", kind="hint", text="Order 4417 was due on Monday."
            ),
        ),
    )


def past_call(entry: s.PastEntry) -> s.PastCall:
    """The call when it is over."""
    return s.PastCall(
        entry=entry,
        parts=parts(),
        handoffs=(
            s.Attempt(
                id="1",
                destination="support",
                reason="order 4417 is late",
                source="tool",
                started_at=31.4,
                outcome="bridged",
                seconds_to_human=10.8,
            ),
        ),
        summary=(
            "The caller asked for Saturday's opening hours, then for order 4417, which was due on"
            " Monday and is late. Anna in support sends a second copy by courier this afternoon."
        ),
        recording=f"/api/past/{entry.call_sid}/recording",
        has_journal=True,
        turns=turns(),
    )


def recording() -> bytes:
    """A stereo WAV in which somebody speaks wherever the call says so."""
    voices = {
        "caller": load("librivox_0870").audio,
        "agent": load("LJ050-0131").audio,
        "human": load("jfk").audio,
    }
    sides = {True: bytearray(b"\xff" * int(SECONDS * 8000))}
    sides[False] = bytearray(sides[True])
    for speaker, start, end, _, _ in TALKED:
        first, size = int(start * 8000), int((end - start) * 8000)
        words = voices[speaker]
        begins = int(start * 2000) % max(1, len(words) - size)
        said = words[begins : begins + size]
        sides[speaker == "caller"][first : first + len(said)] = said
    data = bytes(sample for pair in zip(sides[True], sides[False], strict=True) for sample in pair)
    layout = struct.pack("<HHIIHHH", 7, 2, 8000, 16_000, 2, 8, 0)
    chunks = b"fmt " + struct.pack("<I", len(layout)) + layout
    chunks += b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def figures(since: float) -> dict[str, Any]:
    """Thirty days of a shop's calls, more in the week than at its end."""
    buckets = [_day(since + 86_400.0 * day, day) for day in range(30)]
    whole = _sum(buckets)
    return {"step_seconds": 86_400.0, "buckets": tuple(buckets), "whole": whole}


def _day(since: float, day: int) -> s.Bucket:
    calls = (22, 31, 28, 34, 30, 41, 12)[day % 7] + (day * 7) % 9
    human, lost = calls // 4 + day % 3, 1 + day % 2
    return s.Bucket(
        since=since,
        until=since + 86_400.0,
        calls=calls,
        seconds=calls * (96.0 + day % 5 * 7),
        cost=calls * 0.11,
        dispositions={
            "handled_by_agent": calls - human - lost,
            "handed_off": human,
            "abandoned": lost,
        },
        outcomes={"bridged": human, "no-answer": 2 + day % 4, "busy": day % 3},
        to_human=s.Quantiles(count=human, mean=12.0, p50=9.0 + day % 4, p90=19.0 + day * 5 % 8),
        answer=s.Quantiles(count=calls, mean=0.9, p50=0.82 + day % 5 / 40, p90=1.3 + day % 7 / 20),
    )


def _sum(buckets: list[s.Bucket]) -> s.Bucket:
    def added(name: str) -> dict[str, int]:
        total: dict[str, int] = {}
        for bucket in buckets:
            for kind, count in getattr(bucket, name).items():
                total[kind] = total.get(kind, 0) + count
        return total

    return s.Bucket(
        since=buckets[0].since,
        until=buckets[-1].until,
        calls=sum(one.calls for one in buckets),
        seconds=sum(one.seconds for one in buckets),
        cost=sum(one.cost for one in buckets),
        dispositions=added("dispositions"),
        outcomes=added("outcomes"),
        to_human=s.Quantiles(count=300, mean=12.0, p50=10.4, p90=22.0),
        answer=s.Quantiles(count=900, mean=0.9, p50=0.86, p90=1.5),
    )
