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
status callback is never answered with TwiML. The core decides at once; what may be waited for is
another worker that has the call, and if that one hangs the answer is 503: the carrier asks again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from hashlib import sha256

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from hookflash.carriers.twilio import webhooks
from hookflash.carriers.twilio.media import POLICY
from hookflash.carriers.twilio.twiml import own_number
from hookflash.carriers.twilio.urls import PREFIX
from hookflash.carriers.twilio.webhooks import Form
from hookflash.core.events import AnyEvent, CallArrived, CallCompleted, InstructionsAsked
from hookflash.server.desk import APOLOGY, Answering, Calls, Desk, Question
from hookflash.server.line import TwilioLine
from hookflash.server.media import serve_media

__all__ = ["APOLOGY", "Calls", "Voice"]

log = logging.getLogger("hookflash.call")

IDEMPOTENCY_HEADER = "i-twilio-idempotency-token"

Asked = tuple[CallArrived | InstructionsAsked | None, CallCompleted | None]
"""What a form asks, and whether the caller's leg is over too."""
Read = Callable[[Form, int], Asked]
Notice = Callable[[Form, int], tuple[str, AnyEvent | None]]


class Voice:
    """The routes of one line.

    Where other workers serve the line too, the application's `state.answering` is asked in place
    of the calls of this process. `apology` is said when we fail ourselves.
    """

    def __init__(self, calls: Calls, line: TwilioLine, *, apology: str = APOLOGY) -> None:
        self._calls = calls
        self._line = line
        self._desk = Desk(calls, line, apology=apology)

    def routes(self) -> list[Route | WebSocketRoute]:
        """Return the routes, without the public URL's path prefix."""
        return [
            Route(f"{PREFIX}/voice", self._question(_arrived), methods=["POST"]),
            Route(
                f"{PREFIX}/connect/{{step:int}}", self._question(_connect_ended), methods=["POST"]
            ),
            Route(f"{PREFIX}/dial/{{step:int}}", self._question(_dial_ended), methods=["POST"]),
            Route(f"{PREFIX}/queue/{{step:int}}", self._question(_queue_ended), methods=["POST"]),
            Route(
                f"{PREFIX}/leg/{{step:int}}", self._notice(webhooks.leg_changed), methods=["POST"]
            ),
            Route(f"{PREFIX}/status", self._notice(_call_status), methods=["POST"]),
            Route(f"{PREFIX}/stream", self._notice(_stream_status), methods=["POST"]),
            WebSocketRoute(f"{PREFIX}/media", self._media),
            WebSocketRoute(f"{PREFIX}/media/{{worker}}", self._media),
        ]

    # --- questions ------------------------------------------------------------------------------

    def _question(self, read: Read) -> Callable[[Request], object]:
        async def answer(request: Request) -> Response:
            form, body = await self._line.guard.form(request)
            try:
                question = _as_question(request, form, body, read)
                twiml = await self._asked(request).answer(question)
            except TimeoutError:
                log.error("! %s the worker that has the call is silent", form["CallSid"])
                raise HTTPException(503) from None
            except Exception:
                # A request ends here: the caller hears an apology, and the owner the reason.
                log.exception("! %s failed: apology and hang-up", request.scope["path"])
                twiml = self._desk.sorry(form.get("CallSid", ""))
            return Response(twiml, media_type="text/xml")

        return answer

    # --- notices --------------------------------------------------------------------------------

    def _notice(self, read: Notice) -> Callable[[Request], object]:
        async def take(request: Request) -> Response:
            form, _ = await self._line.guard.form(request)
            try:
                call_sid, event = read(form, request.path_params.get("step", 0))
                if event is None:
                    log.info("< %s %s", call_sid, _said(form))
                elif not await self._asked(request).take(call_sid, event):
                    log.info("< %s %s after the call", call_sid, type(event).__name__)
            except Exception:
                # A request ends here: Twilio does not care, and sends no notice again.
                log.exception("! %s failed", request.scope["path"])
            return Response(status_code=204)

        return take

    def _asked(self, request: Request) -> Answering:
        answering: Answering = getattr(request.app.state, "answering", self._desk)
        return answering

    # --- the media socket -----------------------------------------------------------------------

    async def _media(self, socket: WebSocket) -> None:
        if not self._line.guard.admits(socket):
            log.warning("! media socket refused: signature")
            await socket.close(POLICY)
            return
        await serve_media(socket, redeem=self._line.tokens.redeem, attach=self._calls.attach)


def _as_question(request: Request, form: Form, body: bytes, read: Read) -> Question:
    path: str = request.scope["path"]
    call_sid = webhooks.call_sid(form)
    names = [(path, call_sid, sha256(body).hexdigest())]
    if token := request.headers.get(IDEMPOTENCY_HEADER):
        names.append((path, call_sid, f"token {token}"))
    asked, over = read(form, request.path_params.get("step", 0))
    return Question(
        call_sid=call_sid,
        names=tuple(names),
        asked=asked,
        over=over,
        own_number=own_number(webhooks.direction(form), form.get("From", ""), form.get("To", "")),
    )


def _arrived(form: Form, _: int) -> Asked:
    return webhooks.call_arrived(form), None


def _connect_ended(form: Form, step: int) -> Asked:
    over = _over(form)
    # When nobody is left to connect, asking the core would open another model.
    return (None if over else webhooks.connect_ended(form, step)), over


def _dial_ended(form: Form, step: int) -> Asked:
    return webhooks.dial_ended(form, step), _over(form)


def _queue_ended(form: Form, step: int) -> Asked:
    return webhooks.queue_ended(form, step), _over(form)


def _over(form: Form) -> CallCompleted | None:
    return CallCompleted(form["CallStatus"]) if webhooks.is_over(form) else None


def _call_status(form: Form, _: int) -> tuple[str, AnyEvent | None]:
    return webhooks.call_status(form)


def _stream_status(form: Form, _: int) -> tuple[str, AnyEvent | None]:
    return webhooks.stream_status(form)


def _said(form: Form) -> str:
    """Return what a notice without an event said, for the log: no number is among it."""
    names = ("StreamEvent", "StreamError", "CallStatus")
    return " ".join(form[name][:120] for name in names if name in form) or "nothing we know"
