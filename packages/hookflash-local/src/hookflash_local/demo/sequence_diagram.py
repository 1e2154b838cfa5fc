"""Draw a hand-off as a sequence diagram, from a call's journal. No I/O.

    caller | hookflash | the model | a human | another human ...

Each row is one event or command with its time in seconds. Events that do not matter for the
hand-off, such as audio and marks, are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import Literal

import msgspec

from hookflash.core import commands as c
from hookflash.core import events as e
from hookflash.replay.svg import CHARACTER, STYLE, line, rect, shorten, text
from hookflash.runtime.journal_lines import JournalLine

_LEFT, _GAP, _TOP, _ROW = 58.0, 190.0, 64.0, 24.0
_DIAGRAM_STYLE = """
.arrow{stroke:var(--ink);fill:none}.head{fill:var(--ink)}.back{stroke-dasharray:4 3}
.life{stroke:var(--rule)}.met{fill:var(--human);opacity:.16}
"""

CALLER, HOOKFLASH, MODEL = "caller", "hookflash", "the model"

_QUOTED = 46
_VERBS = {
    c.ConnectAgent: "<Connect><Stream>",
    c.DialHumans: "<Dial><Number>",
    c.JoinRoom: "<Dial><Conference>",
    c.JoinQueue: "<Enqueue>",
    c.KeepInQueue: "<Gather><Say><Play>",
    c.LeaveQueue: "<Leave>",
    c.ReferCaller: "<Refer><Sip>",
    c.Hold: "<Say><Play><Redirect>",
    c.TakeVoicemail: "<Say><Record>",
    c.Screen: "<Gather><Say>",
    c.Bridge: "<Response/>",
    c.Speak: "<Say>",
    c.HangUp: "<Hangup/>",
}


Kind = Literal["arrow", "answer", "band"]


class Row(msgspec.Struct, frozen=True):
    """One row: an arrow, or a band while two parties hear each other.

    `at` is seconds since the call arrived; `source` and `target` are lifelines.
    """

    at: float
    source: str
    target: str
    words: str
    kind: Kind = "arrow"


class Sequence(msgspec.Struct):
    """The lifelines from left to right, and the rows from top to bottom."""

    lifelines: list[str]
    rows: list[Row]


def read_sequence(
    lines: Iterable[JournalLine], consults: Mapping[str, Iterable[JournalLine]] | None = None
) -> Sequence:
    """Read a journal's lines in order and return the sequence.

    `consults` maps the SID of a human's leg to the journal lines of the agent's consult with them.
    """
    return _Reader(consults or {}).read(lines)


class _Reader:
    def __init__(self, consults: Mapping[str, Iterable[JournalLine]]) -> None:
        self._consults = consults
        self._found = Sequence([CALLER, HOOKFLASH, MODEL], [])
        self._zero: float | None = None
        self._asked_by = CALLER
        self._human = human(1, 0)
        """The human who answered last."""
        self._dialled: dict[str, str] = {}
        self._said: dict[str, str] = {}

    def read(self, lines: Iterable[JournalLine]) -> Sequence:
        for each in lines:
            if self._zero is None:
                self._zero = each.at
            if each.event is not None:
                self._event(each.event, each.at - self._zero)
            elif each.command is not None:
                self._command(each.command, each.at - self._zero)
        self._found.rows.sort(key=lambda row: row.at)
        return self._found

    def _row(self, at: float, source: str, target: str, words: str, kind: Kind = "arrow") -> None:
        for lifeline in (source, target):
            if lifeline not in self._found.lifelines:
                self._found.lifelines.append(lifeline)
        self._found.rows.append(Row(at, source, target, words, kind))

    def _event(self, event: e.AnyEvent, at: float) -> None:
        match event:
            case e.CallArrived():
                self._asks(at, CALLER, "calls")
            case e.InstructionsAsked(point=point, outcome=outcome):
                suffix = f": {outcome}" if outcome else ""
                self._asks(at, CALLER, f"{point} is over{suffix}")
            case e.QueueAsked(position=position):
                self._asks(at, CALLER, f"waits, number {position}")
            case e.HumanAsked(wave=wave, leg=leg, point=point, digit=digit):
                words = {
                    "answered": "picks up",
                    "pressed": f"presses {digit}" if digit else "presses nothing",
                    "left": "presses *",
                    "parting": f"presses {digit}" if digit else "presses nothing",
                }[point]
                self._human = human(wave, leg)
                self._asks(at, self._human, words)
            case e.LegChanged():
                self._leg(event, at)
            case e.StreamStarted():
                self._row(at, CALLER, HOOKFLASH, "media stream opens")
            case e.RoomChanged(change="started"):
                self._row(at, CALLER, self._human, "hear each other", "band")
            case e.ToolCallRequested(name=name):
                self._row(at, MODEL, HOOKFLASH, f"{name}(...)")
            case e.CallerTranscribed(text=said) if said:
                self._row(at, CALLER, HOOKFLASH, quoted(said))
            case e.AgentTranscribed(item_id=item, text=words):
                self._said[item] = self._said.get(item, "") + words
            case e.ModelAudioEnded(item_id=item) if self._said.get(item):
                self._row(at, MODEL, CALLER, quoted(self._said.pop(item)))
            case e.ConsultDecided(decision=decision):
                self._row(at, self._human, HOOKFLASH, f"consulted: {decision}")
            case e.VoicemailTranscribed(text=words):
                self._row(at, CALLER, HOOKFLASH, f"voicemail: {quoted(words)}")
            case e.HandoffRequested(source=source):
                self._row(at, CALLER, HOOKFLASH, f"a human is wanted ({source})")
            case e.CallCompleted():
                self._row(at, CALLER, HOOKFLASH, "the call is over")

    def _asks(self, at: float, who: str, words: str) -> None:
        self._asked_by = who
        self._row(at, who, HOOKFLASH, words)

    def _leg(self, event: e.LegChanged, at: float) -> None:
        if event.leg is None:
            # The carrier dials these humans itself and bridges the first who answers.
            name = self._dialled.setdefault(event.leg_sid, f"human {len(self._dialled) + 1}")
        else:
            name = human(event.step, event.leg)
        if event.status == "answered" and event.leg is None:
            self._row(at, CALLER, name, "hear each other", "band")
        elif event.status in ("ringing", "completed"):
            over = event.outcome or "is over"
            self._row(at, name, HOOKFLASH, "rings" if event.status == "ringing" else over)

    def _talk(self, name: str, lines: Iterable[JournalLine]) -> None:
        """Add what the agent and a human say in a consult. Other events of it are left out."""
        said: dict[str, str] = {}
        for each in lines:
            at = each.at - (self._zero or 0.0)
            match each.event:
                case e.AgentTranscribed(item_id=item, text=words):
                    said[item] = said.get(item, "") + words
                case e.ModelAudioEnded(item_id=item) if said.get(item):
                    self._row(at, MODEL, name, quoted(said.pop(item)))
                case e.CallerTranscribed(text=words) if words:
                    self._row(at, name, MODEL, quoted(words))
                case e.ToolCallRequested(name=tool):
                    self._row(at, MODEL, HOOKFLASH, f"{tool}(...)")
            match each.command:
                case c.MoveCall(instructions=instructions):
                    self._row(at, HOOKFLASH, name, f"REST: {verbs(instructions)}")

    def _command(self, command: c.AnyCommand, at: float) -> None:
        match command:
            case c.AnswerCarrier(instructions=instructions):
                self._row(at, HOOKFLASH, self._asked_by, verbs(instructions), "answer")
            case c.MoveCall(instructions=instructions):
                self._row(at, HOOKFLASH, CALLER, f"REST: {verbs(instructions)}")
            case c.RingHuman(wave=wave, leg=leg):
                self._row(at, HOOKFLASH, human(wave, leg), "REST: POST Calls")
            case c.EndLeg():
                self._row(at, HOOKFLASH, self._human, "REST: end the leg")
            case c.CloseStream():
                self._row(at, HOOKFLASH, CALLER, "closes the stream")
            case c.OpenConsult(wave=wave, leg=leg, leg_sid=sid):
                self._row(at, HOOKFLASH, human(wave, leg), "<Connect><Stream>: the agent briefs")
                self._talk(human(wave, leg), self._consults.get(sid, ()))
            case c.SendToolOutput(output=output):
                self._row(at, HOOKFLASH, MODEL, quoted(_status(output)), "answer")
            case c.Deliver(delivery=delivery):
                self._row(at, HOOKFLASH, "the owner", f"{delivery.kind}, kept until delivered")


def human(wave: int, leg: int) -> str:
    """Return the name of a human's lifeline; `wave` counts from 1, `leg` from 0."""
    return f"human {wave}" if leg == 0 else f"human {wave}.{leg + 1}"


def verbs(instructions: Iterable[c.Instruction]) -> str:
    """Return the TwiML verbs of `instructions`, such as `<Gather><Say>`."""
    return " ".join(_VERBS[type(each)] for each in instructions)


def quoted(words: str) -> str:
    """Return `words` in quotes, cut at a word end after about 46 characters."""
    words = " ".join(words.split())
    return f"“{words if len(words) <= _QUOTED else words[:_QUOTED].rsplit(' ', 1)[0] + ' ...'}”"


def _status(output: str) -> str:
    try:
        found = msgspec.json.decode(output)
    except msgspec.DecodeError:
        return output
    return str(found.get("status", output)) if isinstance(found, dict) else output


def draw(sequence: Sequence, title: str) -> str:
    """Return the diagram as an SVG document that follows the browser's light or dark mode."""
    lifelines, rows = sequence.lifelines, sequence.rows
    width = max(_LEFT + _GAP * len(lifelines), 24 + 10.5 * len(title))
    height = _TOP + _ROW * (len(rows) + 1.5)
    at = {lifeline: _LEFT + _GAP * (index + 0.5) for index, lifeline in enumerate(lifelines)}
    parts = [text(12, 26, title, "title")]
    for lifeline, x in at.items():
        parts.append(line(x, _TOP - 12, x, height - 12, "life"))
        kind = (
            lifeline if lifeline == CALLER else "human" if lifeline.startswith("human") else "agent"
        )
        parts.append(text(x - 3.2 * len(lifeline), _TOP - 18, lifeline, f"{kind} name"))
    for index, row in enumerate(rows):
        y = _TOP + _ROW * (index + 0.8)
        parts.append(text(8, y + 4, f"{row.at:6.1f} s", "soft"))
        drawn = _band if row.kind == "band" else _arrow
        parts += drawn(at[row.source], at[row.target], y, row)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}"'
        f' width="{width:.0f}" role="img"><title>{escape(title)}</title>'
        f"<style>{STYLE}{_DIAGRAM_STYLE}</style>"
        f"{rect(0, 0, width, height, 'paper', 0)}{''.join(parts)}</svg>\n"
    )


def _arrow(x1: float, x2: float, y: float, row: Row) -> list[str]:
    direction = 1 if x2 > x1 else -1
    tip = f"M{x2:.1f} {y:.1f}l{-7 * direction} -3.5v7z"
    letters = int((abs(x2 - x1) - 16) / CHARACTER)
    return [
        line(x1, y, x2, y, "arrow back" if row.kind == "answer" else "arrow"),
        f'<path class="head" d="{tip}"/>',
        text(min(x1, x2) + 8, y - 4, shorten(row.words, letters)),
    ]


def _band(x1: float, x2: float, y: float, row: Row) -> list[str]:
    left, width = min(x1, x2), abs(x2 - x1)
    middle = left + width / 2 - 3.0 * len(row.words)
    return [
        rect(left, y - 13, width, _ROW - 5, "met", 9),
        text(middle, y, row.words, "human name"),
    ]
