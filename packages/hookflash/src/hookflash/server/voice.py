"""Twilio's webhooks and the media socket, as routes.

    POST /twilio/voice                  a call has arrived: what now?               TwiML
    POST /twilio/connect/{step}         the stream is over: what now?               TwiML
    POST /twilio/dial/{step}            the dialled leg is over: what now?          TwiML
    POST /twilio/queue/{step}           the queue was left: what now?               TwiML
    POST /twilio/wait/{step}            what does a caller in a queue hear?         TwiML
    POST /twilio/room/{step}            the room is over for the caller: what now?  TwiML
    POST /twilio/hold/{step}            a moment on hold is over: what now?         TwiML
    POST /twilio/refer/{step}           the caller was handed over, or was not      TwiML
    POST /twilio/voicemail/{step}       the caller has left a message, or none      TwiML
    POST /twilio/human/{call_sid}/{wave}/{leg}/answered | pressed | parting | left
                                        a human's leg: what now?                    TwiML
    POST /twilio/consult/{call_sid}/{step}
                                        the stream of a human's leg is over         TwiML
    POST /twilio/leg/{step}             a dialled human's leg rings, is answered    204
    POST /twilio/human/{call_sid}/{wave}/{leg}/status
                                        so does one that we have placed             204
    POST /twilio/room-events/{call_sid}/{wave}
                                        somebody came into a room, or left it       204
    POST /twilio/recording/{step}       a voicemail can be fetched                  204
    POST /twilio/transcription/{step}   a voicemail was written down                204
    POST /twilio/status                 the caller's leg is over                    204
    POST /twilio/stream                 the stream is over, or has failed           204
    GET  /twilio/music/{seconds}.wav    what somebody hears who waits               a sound
    WS   /twilio/media                  the caller's and the agent's voice
    WS   /twilio/notes                  the caller and a human: see `notes`

Rules: nothing is looked at before its signature was good (the music tells nothing of anybody). A
question is always answered with valid TwiML, if need be with an apology and a hang-up, because an
error page would be read to the caller as "an application error has occurred". The same delivery
twice gets the same answer. A status callback is never answered with TwiML. The core decides at
once; what may be waited for is another worker that has the call, and if that one hangs the answer
is 503: the carrier asks again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from typing import TypeVar, get_args

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from hookflash.carriers.twilio import webhooks
from hookflash.carriers.twilio.media import POLICY
from hookflash.carriers.twilio.urls import PREFIX, Point
from hookflash.carriers.twilio.webhooks import Form
from hookflash.server import asking
from hookflash.server.asking import Notice, Read
from hookflash.server.desk import APOLOGY, Answering, Calls, Desk, Question
from hookflash.server.line import TwilioLine
from hookflash.server.media import serve_media
from hookflash.server.music import serve_music

__all__ = ["APOLOGY", "Calls", "Voice"]

log = logging.getLogger("hookflash.call")

_T = TypeVar("_T")

IDEMPOTENCY_HEADER = "i-twilio-idempotency-token"

_CALL = "{call_sid}/{wave:int}"
_HUMAN = f"{PREFIX}/human/{_CALL}/{{leg:int}}"


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
        question = partial(self._route, self._question)
        notice = partial(self._route, self._notice)
        return [
            question(f"{PREFIX}/voice", asking.arrived),
            question(f"{PREFIX}/connect/{{step:int}}", asking.connect_ended),
            question(f"{PREFIX}/dial/{{step:int}}", asking.dial_ended),
            question(f"{PREFIX}/queue/{{step:int}}", asking.queue_ended),
            question(f"{PREFIX}/wait/{{step:int}}", asking.queue_asked),
            question(f"{PREFIX}/room/{{step:int}}", asking.room_ended),
            question(f"{PREFIX}/hold/{{step:int}}", asking.hold_ended),
            question(f"{PREFIX}/refer/{{step:int}}", asking.refer_ended),
            question(f"{PREFIX}/voicemail/{{step:int}}", asking.voicemail_ended),
            *(
                question(f"{_HUMAN}/{point}", asking.human_asked(point))
                for point in get_args(Point)
            ),
            question(f"{PREFIX}/consult/{{call_sid}}/{{step:int}}", asking.consult_ended),
            notice(f"{PREFIX}/leg/{{step:int}}", asking.leg_changed),
            notice(f"{_HUMAN}/status", asking.human_changed),
            notice(f"{PREFIX}/room-events/{_CALL}", asking.room_changed),
            notice(f"{PREFIX}/recording/{{step:int}}", asking.recording_ready),
            notice(f"{PREFIX}/transcription/{{step:int}}", asking.transcribed),
            notice(f"{PREFIX}/status", asking.call_status),
            notice(f"{PREFIX}/stream", asking.stream_status),
            Route(f"{PREFIX}/music/{{seconds:int}}.wav", serve_music, methods=["GET"]),
            WebSocketRoute(f"{PREFIX}/media", self._media),
            WebSocketRoute(f"{PREFIX}/media/{{worker}}", self._media),
        ]

    @staticmethod
    def _route(kind: Callable[[_T], Callable[[Request], object]], path: str, read: _T) -> Route:
        return Route(path, kind(read), methods=["POST"])

    # --- questions ------------------------------------------------------------------------------

    def _question(self, read: Read) -> Callable[[Request], object]:
        async def answer(request: Request) -> Response:
            form, body = await self._line.guard.form(request)
            if error := webhooks.error_of(form):
                path = request.scope["path"]
                log.warning("! %s Twilio reports with %s: %s", form.get("CallSid"), path, error)
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
                call_sid, event = read(form, request.path_params)
                if event is None:
                    log.info("< %s %s", call_sid, asking.said(form))
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
    put = read(form, request.path_params)
    leg_sid = put.leg_sid or put.call_sid
    names: list[tuple[str, ...]] = []
    if not put.again:
        names.append((path, leg_sid, sha256(body).hexdigest()))
    if token := request.headers.get(IDEMPOTENCY_HEADER):
        names.append((path, leg_sid, f"token {token}"))
    return Question(
        call_sid=put.call_sid,
        names=tuple(names),
        leg_sid=put.leg_sid,
        asked=put.asked,
        over=put.over,
        parties=put.parties,
        forwarded=put.forwarded,
        loops=put.loops,
    )
