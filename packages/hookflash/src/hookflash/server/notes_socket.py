"""The WebSockets of notes: receive the audio of a caller and a human.

    WS   /twilio/notes              both tracks of the caller's leg, while they are with a human
    WS   /twilio/notes/{worker}     the same for a call of that worker; a socket that reaches
                                    another worker is transferred (`connection_routing`)

As with the media socket, nothing is read before the signature of the upgrade is valid, and nothing
is done for a call before its token is valid. Nothing is sent, so ASGI is fast enough.
"""

from __future__ import annotations

from starlette.websockets import WebSocket

from hookflash.carriers.twilio.media import POLICY, Redeem
from hookflash.carriers.twilio.notes_stream import Attach, NotesStream
from hookflash.carriers.twilio.urls import NOTES
from hookflash.server.asgi_media import Outbound, serve_stream
from hookflash.server.refusals import SIGNATURE
from hookflash.server.twilio_line import TwilioLine
from hookflash.server.webhook_routes import SocketRoute


def notes_routes(
    line: TwilioLine, attach: Attach, redeem: Redeem | None = None
) -> list[SocketRoute]:
    """Return the routes, without the public URL's path prefix.

    `redeem` accepts the tokens of other nodes, too; without it, only those of this process count.
    """

    def opened(outbound: Outbound) -> NotesStream:
        return NotesStream(
            close_socket=outbound.close, redeem=redeem or line.tokens.redeem, attach=attach
        )

    async def listen(socket: WebSocket) -> None:
        if not line.authenticator.admits(socket):
            await socket.close(POLICY, SIGNATURE)
            return
        await serve_stream(socket, opened)

    return [SocketRoute(NOTES, listen), SocketRoute(f"{NOTES}/{{worker}}", listen)]
