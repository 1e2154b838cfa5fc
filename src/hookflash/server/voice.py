"""Twilio's webhooks and the media socket, as routes.

    POST /twilio/voice           a call has arrived: what now?      TwiML
    POST /twilio/connect/{step}  the stream is over: what now?      TwiML
    POST /twilio/dial/{step}     the dialled leg is over: what now? TwiML
    POST /twilio/queue/{step}    the queue was left: what now?      TwiML
    POST /twilio/leg/{step}      a human's leg rings, is answered   204
    POST /twilio/status          the caller's leg is over           204
    POST /twilio/stream          the stream is over, or has failed  204
    WS   /twilio/media           the caller's and the agent's voice

Rules: nothing is looked at before its signature was good. A question is always answered with
valid TwiML, if need be with an apology and a hang-up, because an error page would be read to the
caller as "an application error has occurred". The same delivery twice gets the same answer. A
status callback is never answered with TwiML. The core decides at once; nothing here waits.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Protocol

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from hookflash.carriers.twilio import webhooks
from hookflash.carriers.twilio.media import POLICY, MediaStream, Sink
from hookflash.carriers.twilio.twiml import own_number
from hookflash.carriers.twilio.urls import PREFIX
from hookflash.carriers.twilio.webhooks import Form
from hookflash.core.commands import HangUp, Instruction, Speak
from hookflash.core.events import AnyEvent, CallArrived, CallCompleted, InstructionsAsked
from hookflash.core.setup import CallSetup
from hookflash.server.guard import Answers
from hookflash.server.line import TwilioLine
from hookflash.server.media import serve_media

log = logging.getLogger("hookflash.call")

IDEMPOTENCY_HEADER = "i-twilio-idempotency-token"
APOLOGY = CallSetup().apology


class Calls(Protocol):
    """The live calls, as far as the server needs them (`runtime.switchboard.Switchboard`)."""

    draining: bool

    def arrive(self, arrived: CallArrived) -> tuple[Instruction, ...]: ...

    def ask(self, call_sid: str, asked: InstructionsAsked) -> tuple[Instruction, ...]: ...

    def post(self, call_sid: str, event: AnyEvent) -> bool: ...

    def attach(self, call_sid: str, stream: MediaStream) -> Sink | None: ...

    async def drain(self, seconds: float) -> None: ...


Decide = Callable[[Form, int], Sequence[Instruction]]
Notice = Callable[[Form, int], tuple[str, AnyEvent | None]]


class Voice:
    """The routes of one line. `apology` is said when we fail ourselves."""

    def __init__(self, calls: Calls, line: TwilioLine, *, apology: str = APOLOGY) -> None:
        self._calls = calls
        self._line = line
        self._answers = Answers()
        self._apology = (Speak(apology), HangUp())

    def routes(self) -> list[Route | WebSocketRoute]:
        """Return the routes, without the public URL's path prefix."""
        return [
            Route(f"{PREFIX}/voice", self._question(self._arrive), methods=["POST"]),
            Route(
                f"{PREFIX}/connect/{{step:int}}", self._question(self._connect), methods=["POST"]
            ),
            Route(f"{PREFIX}/dial/{{step:int}}", self._question(self._dial), methods=["POST"]),
            Route(f"{PREFIX}/queue/{{step:int}}", self._question(self._queue), methods=["POST"]),
            Route(
                f"{PREFIX}/leg/{{step:int}}", self._notice(webhooks.leg_changed), methods=["POST"]
            ),
            Route(f"{PREFIX}/status", self._notice(_call_status), methods=["POST"]),
            Route(f"{PREFIX}/stream", self._notice(_stream_status), methods=["POST"]),
            WebSocketRoute(f"{PREFIX}/media", self._media),
        ]

    # --- questions ------------------------------------------------------------------------------

    def _question(self, decide: Decide) -> Callable[[Request], object]:
        async def answer(request: Request) -> Response:
            form, body = await self._line.guard.form(request)
            twiml = self._answer(request, form, body, decide)
            return Response(twiml, media_type="text/xml")

        return answer

    def _answer(self, request: Request, form: Form, body: bytes, decide: Decide) -> str:
        path: str = request.scope["path"]
        call_sid = form.get("CallSid", "")
        keys = [(path, call_sid, sha256(body).hexdigest())]
        if token := request.headers.get(IDEMPOTENCY_HEADER):
            keys.append((path, call_sid, f"token {token}"))
        known = self._answers.find(keys)
        if known is not None:
            log.info("< %s %s again: answered as before", call_sid, path)
            return known
        try:
            webhooks.call_sid(form)
            self._line.write.remember(
                call_sid,
                own_number(webhooks.direction(form), form.get("From", ""), form.get("To", "")),
            )
            instructions = decide(form, request.path_params.get("step", 0))
            twiml = self._line.write(call_sid, instructions)
        except Exception:
            # A request ends here: the caller hears an apology, and the owner finds the reason.
            log.exception("! %s %s failed: apology and hang-up", call_sid, path)
            return self._line.write(call_sid, self._apology)
        self._answers.keep(keys, twiml)
        return twiml

    def _arrive(self, form: Form, _: int) -> Sequence[Instruction]:
        return self._calls.arrive(webhooks.call_arrived(form))

    def _connect(self, form: Form, step: int) -> Sequence[Instruction]:
        if webhooks.is_over(form):
            # Nobody is left to connect: asking the core would open another model.
            self._calls.post(form["CallSid"], CallCompleted(form["CallStatus"]))
            return ()
        return self._calls.ask(form["CallSid"], webhooks.connect_ended(form, step))

    def _dial(self, form: Form, step: int) -> Sequence[Instruction]:
        return self._ask(form, webhooks.dial_ended(form, step))

    def _queue(self, form: Form, step: int) -> Sequence[Instruction]:
        return self._ask(form, webhooks.queue_ended(form, step))

    def _ask(self, form: Form, asked: InstructionsAsked) -> Sequence[Instruction]:
        """Ask first, so that the outcome is told; then say that the call is over, if it is."""
        instructions = self._calls.ask(form["CallSid"], asked)
        if webhooks.is_over(form):
            self._calls.post(form["CallSid"], CallCompleted(form["CallStatus"]))
        return instructions

    # --- notices --------------------------------------------------------------------------------

    def _notice(self, read: Notice) -> Callable[[Request], object]:
        async def take(request: Request) -> Response:
            form, _ = await self._line.guard.form(request)
            try:
                call_sid, event = read(form, request.path_params.get("step", 0))
                if event is None:
                    log.info("< %s %s", call_sid, _said(form))
                elif not self._calls.post(call_sid, event):
                    log.info("< %s %s after the call", call_sid, type(event).__name__)
            except Exception:
                # A request ends here: Twilio does not care, and sends no notice again.
                log.exception("! %s failed", request.scope["path"])
            return Response(status_code=204)

        return take

    # --- the media socket -----------------------------------------------------------------------

    async def _media(self, socket: WebSocket) -> None:
        if not self._line.guard.admits(socket):
            log.warning("! media socket refused: signature")
            await socket.close(POLICY)
            return
        await serve_media(socket, redeem=self._line.tokens.redeem, attach=self._calls.attach)


def _call_status(form: Form, _: int) -> tuple[str, AnyEvent | None]:
    return webhooks.call_status(form)


def _stream_status(form: Form, _: int) -> tuple[str, AnyEvent | None]:
    return webhooks.stream_status(form)


def _said(form: Form) -> str:
    """Return what a notice without an event said, for the log: no number is among it."""
    names = ("StreamEvent", "StreamError", "CallStatus")
    return " ".join(form[name][:120] for name in names if name in form) or "nothing we know"
