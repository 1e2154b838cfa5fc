"""The sockets on which we only listen to a caller and a human.

    WS   /twilio/notes              both tracks of the caller's leg, while they are with a human
    WS   /twilio/notes/{worker}     the same, of a worker's call; one that came to another worker
                                    goes on to it (`crossing`)

As on the media socket nothing is looked at before the signature of the upgrade was good, and
nothing done for a call before its token was. Nothing is sent, so this road is quick enough.
"""

from __future__ import annotations

import logging

from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from hookflash.carriers.twilio.media import POLICY
from hookflash.carriers.twilio.notes import Attach, NotesStream
from hookflash.carriers.twilio.urls import NOTES
from hookflash.server.line import TwilioLine
from hookflash.server.media import Outbound, serve_stream

log = logging.getLogger("hookflash.call")


def notes_routes(line: TwilioLine, attach: Attach) -> list[WebSocketRoute]:
    """Return the routes, without the public URL's path prefix."""

    def opened(outbound: Outbound) -> NotesStream:
        return NotesStream(close_socket=outbound.close, redeem=line.tokens.redeem, attach=attach)

    async def listen(socket: WebSocket) -> None:
        if not line.guard.admits(socket):
            log.warning("! notes socket refused: signature")
            await socket.close(POLICY)
            return
        await serve_stream(socket, opened)

    return [WebSocketRoute(NOTES, listen), WebSocketRoute(f"{NOTES}/{{worker}}", listen)]
