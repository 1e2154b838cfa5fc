"""The simulated model: a Realtime server that listens, answers, uses tools, and has troubles.

It stands behind the stand-in's protocol (`ModelServer`), detects turns in the caller's sound, and
answers by what it was asked: an instruction with a sentence of its own is spoken, a caller who
asks for a person is brought to one, a tool's output is told. `Trouble`s of the plan make single
responses or sessions go wrong.

    response    number -> trouble? -> after the time to think: tool call, or a sentence in deltas
    session     created -> trouble? -> turns -> closed by either side
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from hookflash_local.model.realtime_conversation import (
    FeedAudio,
    Job,
    Respond,
    StopResponse,
    Transcribe,
)
from hookflash_local.model.responses import Response
from hookflash_local.model.server import ModelServer
from hookflash_local.model.session import Close, Drop, Session
from hookflash_local.model.timing import Timing
from hookflash_local.model.validation import Refusal

from .checks import Checks
from .plan import SESSION_TROUBLES, Plan, Trouble
from .voices import LOUD, SAMPLES_PER_MS, Sentence, Voices

SILENCE_MS = 500
"""Endpointing: so much silence ends a turn."""

TRANSCRIPTION_SECONDS = 0.3
BARGE_IN_SECONDS = 1.0
"""Within this time whoever speaks over the agent has the floor, whatever the network takes."""

TOOL_SECONDS = 8.0
"""So long after it was called a tool has answered, if its session is open for as long."""

CODE_SECONDS = 40.0
"""The same for a tool for which the caller types a code, or does not."""

_EXAMPLE = re.compile(r'"([^"]+)"')


@dataclass
class Spoken:
    """An item of the agent's speech as it was generated, and where."""

    session: Session
    response_id: str
    item_id: str
    sentence: Sentence
    instructions: str
    at: float
    """When its first sound was sent, in seconds of the loop."""
    generated: int = 0
    """Bytes sent so far."""


@dataclass
class SimulatedModel:
    """The model of one simulation.

    `note` is told what it does, for the timeline, `strike` which trouble has happened.
    """

    plan: Plan
    voices: Voices
    random: Random
    note: Callable[[str], None]
    strike: Callable[[str], None]
    wall: Callable[[], float]
    checks: Checks
    spoken: list[Spoken] = field(default_factory=list)
    errors: list[dict[str, Any]] = field(default_factory=list)
    """Errors that the product caused: bodies of the `error` events."""
    truncations: list[tuple[str, int, float]] = field(default_factory=list)
    outputs: list[tuple[Session, str, bool]] = field(default_factory=list)
    """Tool outputs: the session, the call's id, and whether that session had asked."""
    responses: int = 0
    asked: dict[str, tuple[Session, float]] = field(default_factory=dict)
    """Tool calls: the session that asked, and when."""
    codes: set[str] = field(default_factory=set)
    """The tool calls that wait for a code of the caller."""
    understood: list[tuple[Session, str]] = field(default_factory=list)
    """What callers and humans said, in order, and to which session."""
    opened: dict[Session, float] = field(default_factory=dict)
    closed: dict[Session, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        seconds = next((t.seconds for t in self.plan.troubles if t.kind == "short-session"), 3600.0)
        self.server = ModelServer(
            lambda: Mind(self),
            timing=Timing(network_ms=self.plan.network_ms, session_seconds=seconds),
            entropy=self.random,
            wall=self.wall,
        )
        self._connections = 0

    def trouble(self, kind: str, number: int) -> Trouble | None:
        return next((t for t in self.plan.troubles if (t.kind, t.number) == (kind, number)), None)

    def connected(self) -> None:
        """Somebody connects: the next session may be one that goes wrong from the start."""
        self._connections += 1
        faults = self.server.faults
        faults.refuse_upgrade = 503 if self.trouble("refuse-upgrade", self._connections) else None
        silent = self.trouble("no-session-created", self._connections)
        faults.silent = "session" if silent else None
        if faults.refuse_upgrade or silent:
            self.strike("refuse-upgrade" if faults.refuse_upgrade else "no-session-created")
            self.note(f"trouble: connection {self._connections} makes no session")

    def trouble_of_response(self, number: int) -> Trouble | None:
        return next(
            (
                t
                for t in self.plan.troubles
                if t.kind not in SESSION_TROUBLES and t.number == number
            ),
            None,
        )

    def calls(self) -> list[tuple[str, float, float]]:
        """Return each tool call: its id, when its answer is due, when its session was closed."""
        now = asyncio.get_running_loop().time()
        return [
            (call_id, at + self._seconds_of_tool(call_id), self.closed.get(session, now))
            for call_id, (session, at) in self.asked.items()
        ]

    def _seconds_of_tool(self, call_id: str) -> float:
        return CODE_SECONDS if call_id in self.codes else TOOL_SECONDS

    def find(self, item_id: str) -> Spoken | None:
        return next((each for each in self.spoken if each.item_id == item_id), None)


def _tool_names(session: Session) -> list[str]:
    return [tool["name"] for tool in session.conversation.session.get("tools") or ()]


class Mind:
    """What stands behind one session."""

    def __init__(self, model: SimulatedModel) -> None:
        self._model = model
        self._speaking = False
        self._quiet_ms = 0.0
        self._turn = bytearray()
        self.understood: dict[str, str] = {}

    # --- the stand-in's protocol ------------------------------------------------------------------

    def received(self, session: Session, event: Any, refusals: Sequence[dict[str, Any]]) -> None:
        model = self._model
        model.opened.setdefault(session, asyncio.get_running_loop().time())
        kind = event.get("type")
        model.errors += [each["error"] for each in refusals]
        for each in refusals:
            model.note(f"model refuses {kind}: {each['error'].get('code')}")
        if refusals:
            return
        if kind == "conversation.item.truncate":
            told = (event["item_id"], event["audio_end_ms"], asyncio.get_running_loop().time())
            model.truncations.append(told)
            model.note(f"model < truncate {event['item_id']} at {event['audio_end_ms']} ms")
        elif kind == "conversation.item.delete":
            model.note(f"model < delete {event['item_id']}")
        elif kind == "conversation.item.create":
            item = event["item"]
            if item.get("type") == "function_call_output":
                asked = model.asked.get(item["call_id"], (None, 0.0))[0] is session
                model.outputs.append((session, item["call_id"], asked))
                model.note(f"model < output of {item['call_id']}: {item['output'][:60]}")
        elif kind in ("response.create", "response.cancel"):
            model.note(f"model < {kind}")

    def perform(self, session: Session, job: Job) -> None:
        if isinstance(job, FeedAudio):
            self._hear(session, job.audio)
        elif isinstance(job, Transcribe):
            session.spawn(f"transcribe {job.item_id}", self._transcribe(session, job.item_id))
        elif isinstance(job, Respond):
            self._model.responses += 1
            self._model.checks.model_asked(session)
            work = self._respond(session, job.response_id, self._model.responses)
            session.spawn(job.response_id, work)
        elif isinstance(job, StopResponse):
            self._model.note(f"model halts {job.response_id}")

    def sent(self, session: Session, event: dict[str, Any]) -> None:
        """The protocol's events need no note: what they say is noted where it is decided."""

    def closed(self, session: Session) -> None:
        if any(trouble.kind == "short-session" for trouble in self._model.plan.troubles):
            self._model.strike("short-session")
        self._model.closed[session] = asyncio.get_running_loop().time()
        self._model.note("model's session is closed")

    # --- ears -------------------------------------------------------------------------------------

    def _hear(self, session: Session, audio: bytes) -> None:
        conversation = session.conversation
        loud = audio.translate(LOUD).rfind(b"\x01")
        if not self._speaking:
            if loud < 0:
                return
            self._speaking = True
            self._turn.clear()
            at_ms = max(0, conversation.input.written_ms - len(audio) // SAMPLES_PER_MS)
            self._model.note("model hears speech begin")
            session.apply(conversation.speech_started(at_ms))
            if conversation.active is not None:
                asyncio.get_running_loop().call_later(
                    BARGE_IN_SECONDS,
                    self._model.checks.spoken_over,
                    session,
                    conversation.active.id,
                )
        self._turn += audio
        quiet = (len(audio) - loud - 1) / SAMPLES_PER_MS
        self._quiet_ms = self._quiet_ms + quiet if loud < 0 else quiet
        if self._quiet_ms >= SILENCE_MS and not self._deaf():
            self._speaking = False
            self._model.note(f"model hears a turn: {self._model.voices.understood(self._turn)!r}")
            respond = None
            if self._model.trouble("no-response", self._model.responses + 1):
                respond = False
                self._model.responses += 1
                self._model.note("trouble: no response follows")
                self._model.strike("no-response")
            session.apply(
                conversation.speech_stopped(
                    conversation.input.written_ms, bytes(self._turn), respond=respond
                )
            )

    def _deaf(self) -> bool:
        """Whether the end of this turn is never noticed."""
        deaf = self._model.trouble("no-speech-stopped", self._model.responses + 1) is not None
        if deaf:
            self._model.strike("no-speech-stopped")
        return deaf

    async def _transcribe(self, session: Session, item_id: str) -> None:
        entry = session.conversation.items.get(item_id)
        text = self._model.voices.understood(bytes(entry.audio)) if entry is not None else ""
        self.understood[item_id] = text
        await session.timing.wait(TRANSCRIPTION_SECONDS * 1000)
        session.apply(session.conversation.transcribed(item_id, text))
        if "connect_caller" not in _tool_names(session):
            self._model.understood.append((session, text))

    # --- answers ----------------------------------------------------------------------------------

    async def _respond(self, session: Session, response_id: str, number: int) -> None:
        model = self._model
        response = session.conversation.responses[response_id]
        trouble = model.trouble_of_response(number)
        seconds = model.plan.think_seconds
        if trouble is not None:
            model.note(f"trouble: {trouble.kind} in response {number}")
            model.strike(trouble.kind)
            if trouble.kind == "slow":
                seconds += trouble.seconds
            elif await self._fail(session, response, trouble):
                return
        await asyncio.sleep(seconds)
        call = self._wanted_call(response)
        if call is not None:
            name, arguments = call
            if trouble is not None and trouble.kind == "tool-of-no-name":
                name = "no_such_tool"
            written = json.dumps(arguments)
            if trouble is not None and trouble.kind == "tool-bad-arguments":
                written = written[:-1]
            self._call_tool(session, response, name, written)
            return
        cut_after = None
        if trouble is not None and trouble.kind in ("freeze", "close-while-speaking"):
            cut_after = int(trouble.seconds * 1000)
        await self._say(session, response, self._sentence(response), cut_after)
        if trouble is not None and trouble.kind == "freeze":
            await asyncio.Event().wait()
        if trouble is not None and trouble.kind == "close-while-speaking":
            session.end(Close(1011, "keepalive ping timeout"))
            return
        session.apply(response.close_message())
        session.apply(response.finish())

    async def _fail(self, session: Session, response: Response, trouble: Trouble) -> bool:
        """Let a response go wrong. Return whether that was all that comes of it."""
        conversation = session.conversation
        kind = trouble.kind
        if kind == "failed":
            code = trouble.detail or "server_error"
            error = {"type": "server_error", "code": code, "message": f"As planned: {code}."}
            session.apply(response.finish("failed", error=error))
        elif kind == "rate-limited":
            message = f"Rate limit reached. Please try again in {trouble.seconds:g}s."
            error = {"type": "requests", "code": "rate_limit_exceeded", "message": message}
            session.apply(response.finish("failed", error=error))
        elif kind == "incomplete":
            reason = trouble.detail or "max_output_tokens"
            session.apply(response.finish("incomplete", reason=reason))
        elif kind == "empty":
            session.apply(response.finish())
        elif kind == "text-only":
            session.apply(response.open_message(None))
            session.apply(response.add_transcript("I can only write today."))
            session.apply(response.close_message())
            session.apply(response.finish())
        elif kind == "silent":
            await asyncio.Event().wait()
        elif kind == "error-event":
            session.apply([conversation.refused(Refusal("server_error", "As planned."))])
            return False
        elif kind == "drop":
            session.end(Drop())
        elif kind == "close":
            session.end(Close(1011, "internal error"))
        else:
            return False
        return True

    def _call_tool(self, session: Session, response: Response, name: str, arguments: str) -> None:
        call_id = f"call_{self._model.random.getrandbits(48):012x}"
        if name == "type_code":
            self._model.codes.add(call_id)
        self._model.asked[call_id] = (session, asyncio.get_running_loop().time())
        self._model.note(f"model > calls {name} {arguments} as {call_id}")
        session.apply(response.call_tool(name, arguments, call_id, None))
        session.apply(response.finish())

    async def _say(
        self, session: Session, response: Response, sentence: Sentence, cut_after: int | None
    ) -> None:
        model = self._model
        session.apply(response.open_message(None))
        item = response.writing
        assert item is not None
        instructions = str(response.settings.get("own_instructions") or "")
        now = asyncio.get_running_loop().time()
        spoken = Spoken(session, response.id, item.id, sentence, instructions, now)
        model.spoken.append(spoken)
        model.note(f"model > says {item.id} ({sentence.ms} ms): {sentence.text!r}")
        session.apply(response.add_transcript(sentence.text))
        sound = sentence.sound
        step = 400 * SAMPLES_PER_MS
        for start in range(0, len(sound), step):
            piece = sound[start : start + step]
            if cut_after is not None and start + len(piece) > cut_after * SAMPLES_PER_MS:
                piece = piece[: cut_after * SAMPLES_PER_MS - start]
                if piece:
                    spoken.generated += len(piece)
                    session.apply(response.add_audio(piece))
                model.note(f"trouble: the sound stops after {cut_after} ms")
                return
            spoken.generated += len(piece)
            session.apply(response.add_audio(piece))
            await asyncio.sleep(len(piece) / SAMPLES_PER_MS / 1000 / model.plan.pace)

    # --- what to say ------------------------------------------------------------------------------

    def _wanted_call(self, response: Response) -> tuple[str, dict[str, str]] | None:
        """Return the tool that this response calls, if it is one that calls any."""
        choice = response.settings.get("tool_choice")
        if choice == "none":
            return None
        tools = [tool["name"] for tool in response.settings.get("tools") or ()]
        if isinstance(choice, dict):
            return str(choice["name"]), self._arguments(str(choice["name"]))
        if response.settings.get("own_instructions"):
            return None
        last = response.context[-1].item if response.context else {}
        if last.get("role") != "user":
            return None
        text = self.understood.get(last.get("id", ""), "")
        wanted = {
            "human": "transfer_to_human",
            "order": "order_status",
            "code": "type_code",
            "question": "ask_colleague",
            "goodbye": "end_call",
            "cancel": "cancel_transfer",
            "take it": "connect_caller",
            "leave it": "decline_caller",
        }.get(text)
        return (wanted, self._arguments(wanted)) if wanted in tools else None  # type: ignore[arg-type]

    def _arguments(self, name: str) -> dict[str, str]:
        if name == "transfer_to_human":
            return {"destination": "desk", "reason": "wants a person", "summary": "A bicycle."}
        if name == "order_status":
            return {"number": "4571"}
        return {}

    def _sentence(self, response: Response) -> Sentence:
        instructions = str(response.settings.get("own_instructions") or "")
        dictated = _EXAMPLE.findall(instructions)
        if dictated:
            text = dictated[-1]
        else:
            length = self._model.random.randint(3, 16)
            text = " ".join(["well"] * length) + "."
        ms = max(400, min(6000, 65 * len(text)))
        return self._model.voices.agent(text, ms // 20 * 20)
