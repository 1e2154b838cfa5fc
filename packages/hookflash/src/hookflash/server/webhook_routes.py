"""Twilio's webhooks and the media socket, as routes.

    POST /twilio/voice                  a call has arrived: return instructions     TwiML
    POST /twilio/connect/{step}         the stream has ended: instructions          TwiML
    POST /twilio/dial/{step}            the dialled leg has ended: instructions     TwiML
    POST /twilio/queue/{step}           the caller left the queue: instructions     TwiML
    POST /twilio/wait/{step}            what a caller in a queue hears              TwiML
    POST /twilio/room/{step}            the caller left the room: instructions      TwiML
    POST /twilio/hold/{step}            the hold music has ended: instructions      TwiML
    POST /twilio/refer/{step}           the SIP REFER has succeeded or failed       TwiML
    POST /twilio/voicemail/{step}       the caller has left a message, or none      TwiML
    POST /twilio/human/{call_sid}/{wave}/{leg}/answered | pressed | parting | left
                                        a human's leg asks for instructions         TwiML
    POST /twilio/consult/{call_sid}/{step}
                                        the stream of a human's leg has ended       TwiML
    POST /twilio/leg/{step}             a dialled human's leg rings, is answered    204
    POST /twilio/human/{call_sid}/{wave}/{leg}/status
                                        the same for a leg placed by REST           204
    POST /twilio/room-events/{call_sid}/{wave}
                                        somebody joined or left a room              204
    POST /twilio/recording/{step}       a voicemail is ready                        204
    POST /twilio/transcription/{step}   a voicemail was transcribed                 204
    POST /twilio/status                 the caller's leg has ended                  204
    POST /twilio/detected               who has answered a call that was placed     204
    POST /twilio/stream                 the stream has ended or failed              204
    GET  /twilio/music/{seconds}.wav    hold music                                  audio
    WS   /twilio/media                  the audio of the caller and the agent
    WS   /twilio/notes                  a caller and a human: see `notes_socket`

Rules: nothing is read before its signature is valid, except for the music, which contains no data.
A question is always answered with valid TwiML, if necessary an apology and a hang-up: for an error
page Twilio reads "an application error has occurred" to the caller. The exception is a form or path
without a valid call SID, which Twilio never sends: the answer is 400. A repeated delivery gets the
same answer. A slash at the end of a path has no effect. A status callback is never answered with
TwiML. The core decides at once. Only a request to another worker that has the call may take time;
if that worker does not answer, the answer is 503 and the carrier retries.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial
from hashlib import sha256
from typing import Protocol, TypeVar, get_args

from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route, WebSocketRoute
from starlette.types import Scope
from starlette.websockets import WebSocket

from hookflash.carriers.twilio import webhooks
from hookflash.carriers.twilio.media import POLICY, MediaStream, Sink
from hookflash.carriers.twilio.urls import PREFIX, Point
from hookflash.carriers.twilio.webhooks import Form, is_call_sid
from hookflash.errors import CarrierProtocolError
from hookflash.server import webhook_forms
from hookflash.server.asgi_media import serve_media
from hookflash.server.carrier_answers import APOLOGY, Answerer, Calls, LocalAnswerer, Question
from hookflash.server.music import serve_music
from hookflash.server.refusals import SIGNATURE, Refusal
from hookflash.server.twilio_line import TwilioLine
from hookflash.server.webhook_forms import ReadNotice, ReadQuestion

__all__ = ["APOLOGY", "Calls", "Streams", "WebhookRoutes"]

log = logging.getLogger("hookflash.call")

_T = TypeVar("_T")

IDEMPOTENCY_HEADER = "i-twilio-idempotency-token"


class NumberConvertor(Convertor[int]):
    """A whole number in a path, of at most nine digits.

    Python refuses to read a number of more than 4300 digits, which would be an error of the server.
    """

    regex = "[0-9]{1,9}"

    def convert(self, value: str) -> int:
        return int(value)

    def to_string(self, value: int) -> str:
        return str(value)


register_url_convertor("number", NumberConvertor())

_CALL = "{call_sid}/{wave:number}"
_HUMAN = f"{PREFIX}/human/{_CALL}/{{leg:number}}"


class WebhookRoute(Route):
    """A route whose path may end with a slash, because owners type some paths by hand."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        return _match(super().matches, scope)


class SocketRoute(WebSocketRoute):
    """A WebSocket route whose path may end with a slash."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        return _match(super().matches, scope)


def _match(matches: Callable[[Scope], tuple[Match, Scope]], scope: Scope) -> tuple[Match, Scope]:
    """Match the path without a slash at its end. The path in `scope`, which is signed, stays."""
    path: str = scope["path"]
    return matches({**scope, "path": path.removesuffix("/")})


class Streams(Protocol):
    """Finds the call of a media stream on any node (`server.nodes.Nodes`)."""

    @property
    def ready(self) -> bool: ...

    def redeem(self, call_sid: str, token: str) -> int | None: ...

    def attach(self, call_sid: str, stream: MediaStream) -> Sink | None: ...


class WebhookRoutes:
    """The routes of one line.

    If other workers serve the line too, the application's `state.answerer` answers instead of the
    calls of this process, and `streams` connects the media sockets. `apology` is spoken if
    answering fails.
    """

    def __init__(
        self,
        calls: Calls,
        line: TwilioLine,
        *,
        apology: str = APOLOGY,
        streams: Streams | None = None,
    ) -> None:
        self._line = line
        self._redeem = streams.redeem if streams is not None else line.tokens.redeem
        self._attach = streams.attach if streams is not None else calls.attach
        self._local = LocalAnswerer(calls, line, apology=apology)

    def routes(self) -> list[Route | WebSocketRoute]:
        """Return the routes, without the public URL's path prefix."""
        question = partial(self._route, self._question)
        notice = partial(self._route, self._notice)
        return [
            question(f"{PREFIX}/voice", webhook_forms.arrived),
            question(f"{PREFIX}/connect/{{step:number}}", webhook_forms.connect_ended),
            question(f"{PREFIX}/dial/{{step:number}}", webhook_forms.dial_ended),
            question(f"{PREFIX}/queue/{{step:number}}", webhook_forms.queue_ended),
            question(f"{PREFIX}/wait/{{step:number}}", webhook_forms.queue_asked),
            question(f"{PREFIX}/room/{{step:number}}", webhook_forms.room_ended),
            question(f"{PREFIX}/hold/{{step:number}}", webhook_forms.hold_ended),
            question(f"{PREFIX}/refer/{{step:number}}", webhook_forms.refer_ended),
            question(f"{PREFIX}/voicemail/{{step:number}}", webhook_forms.voicemail_ended),
            *(
                question(f"{_HUMAN}/{point}", webhook_forms.human_asked(point))
                for point in get_args(Point)
            ),
            question(f"{PREFIX}/consult/{{call_sid}}/{{step:number}}", webhook_forms.consult_ended),
            notice(f"{PREFIX}/leg/{{step:number}}", webhook_forms.leg_changed),
            notice(f"{_HUMAN}/status", webhook_forms.human_changed),
            notice(f"{PREFIX}/room-events/{_CALL}", webhook_forms.room_changed),
            notice(f"{PREFIX}/recording/{{step:number}}", webhook_forms.recording_ready),
            notice(f"{PREFIX}/transcription/{{step:number}}", webhook_forms.transcribed),
            notice(f"{PREFIX}/status", webhook_forms.call_status),
            notice(f"{PREFIX}/detected", webhook_forms.callee_detected),
            notice(f"{PREFIX}/stream", webhook_forms.stream_status),
            WebhookRoute(f"{PREFIX}/music/{{seconds:number}}.wav", serve_music, methods=["GET"]),
            SocketRoute(f"{PREFIX}/media", self._media),
            SocketRoute(f"{PREFIX}/media/{{worker}}", self._media),
        ]

    @staticmethod
    def _route(kind: Callable[[_T], Callable[[Request], object]], path: str, read: _T) -> Route:
        return WebhookRoute(path, kind(read), methods=["POST"])

    # --- questions ------------------------------------------------------------------------------

    def _question(self, read: ReadQuestion) -> Callable[[Request], object]:
        async def answer(request: Request) -> Response:
            form, body = await self._line.authenticator.form(request)
            _check_path(request.path_params)
            if error := webhooks.error_of(form):
                path = request.scope["path"]
                log.warning("! %s Twilio reports with %s: %s", form.get("CallSid"), path, error)
            try:
                question = _as_question(request, form, body, read)
                twiml = await self._asked(request).answer(question)
            except TimeoutError:
                log.error("! %s the worker that has the call does not answer", form["CallSid"])
                raise Refusal(503, "worker") from None
            except CarrierProtocolError as error:
                raise Refusal(400, "call_sid", str(error)) from None
            except Exception:
                # The request ends here. The caller hears an apology, and the log has the reason.
                log.exception("! %s failed: apology and hang-up", request.scope["path"])
                twiml = self._local.apology(form.get("CallSid", ""))
            return Response(twiml, media_type="text/xml")

        return answer

    # --- notices --------------------------------------------------------------------------------

    def _notice(self, read: ReadNotice) -> Callable[[Request], object]:
        async def take(request: Request) -> Response:
            form, _ = await self._line.authenticator.form(request)
            _check_path(request.path_params)
            try:
                call_sid, event = read(form, request.path_params)
                if event is None:
                    log.info("< %s %s", call_sid, webhook_forms.describe_notice(form))
                elif not await self._asked(request).take(call_sid, event):
                    log.info("< %s %s after the call", call_sid, type(event).__name__)
            except CarrierProtocolError as error:
                raise Refusal(400, "call_sid", str(error)) from None
            except Exception:
                # The request ends here. Twilio ignores the status and does not repeat a notice.
                log.exception("! %s failed", request.scope["path"])
            return Response(status_code=204)

        return take

    def _asked(self, request: Request) -> Answerer:
        answerer: Answerer = getattr(request.app.state, "answerer", self._local)
        return answerer

    # --- the media socket -----------------------------------------------------------------------

    async def _media(self, socket: WebSocket) -> None:
        if not self._line.authenticator.admits(socket):
            await socket.close(POLICY, SIGNATURE)
            return
        await serve_media(socket, redeem=self._redeem, attach=self._attach)


def _check_path(path: Mapping[str, object]) -> None:
    """Raise `Refusal` if the path of a webhook has an invalid call SID."""
    sid = path.get("call_sid")
    if sid is not None and not is_call_sid(str(sid)):
        raise Refusal(400, "call_sid", "webhook: expected a call SID in the path, got another text")


def _as_question(request: Request, form: Form, body: bytes, read: ReadQuestion) -> Question:
    path: str = request.scope["path"]
    webhook = read(form, request.path_params)
    leg_sid = webhook.leg_sid or webhook.call_sid
    names: list[tuple[str, ...]] = []
    if not webhook.again:
        # A call that comes for a human again has another query.
        query: bytes = request.scope["query_string"]
        names.append((path, query.decode("latin-1"), leg_sid, sha256(body).hexdigest()))
    if token := request.headers.get(IDEMPOTENCY_HEADER):
        names.append((path, leg_sid, f"token {token}"))
    return Question(
        call_sid=webhook.call_sid,
        names=tuple(names),
        leg_sid=webhook.leg_sid,
        asked=webhook.asked,
        over=webhook.over,
        parties=webhook.parties,
        forwarded=webhook.forwarded,
        loops=webhook.loops,
    )
