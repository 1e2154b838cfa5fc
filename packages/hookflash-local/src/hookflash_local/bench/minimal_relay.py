"""A minimal relay in Python, the second reference of `hookflash bench` beside `native/relay.c`.

It does what `native/relay.c` does and nothing else, with the sockets of Hookflash (picows, uvloop).
It searches a message for a few texts and slices the payload out. It checks nothing, and has no
playout ledger, mark, journal, record, metric or log. So it shows what Python costs by itself.

    python minimal_relay.py CARRIER_PORT MODEL_PORT [tls]   0 takes a free port; prints it
"""

from __future__ import annotations

import asyncio
import ssl
import sys

import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect, ws_create_server

TEXT = WSMsgType.TEXT
PCMU = b'{"format":{"type":"audio/pcmu"}}'
SESSION = (
    b'{"type":"session.update","session":{"type":"realtime","audio":{"input":%b,"output":%b}}}'
)


def text_of(message: bytes, name: bytes) -> bytes:
    """Return the text after `"name":"`; empty if there is none."""
    start = message.find(b'"%b":"' % name) + len(name) + 4
    return message[start : message.find(b'"', start)] if start > len(name) + 3 else b""


class Carrier(WSListener):
    """The media socket of a call."""

    def __init__(self, url: str, tls: ssl.SSLContext | None) -> None:
        self.url, self.tls = url, tls
        self.socket: WSTransport | None = None
        self.model: WSTransport | None = None
        self.ready = False
        self.stream = self.media = b""
        self.opening: asyncio.Task[object] | None = None

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.socket = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        message = frame.get_payload_as_bytes()
        if message.startswith(b'{"event":"media"'):
            if self.model is not None and self.ready:
                start = message.find(b'"payload":"') + 11
                payload = message[start : message.find(b'"', start)]
                append = b'{"type":"input_audio_buffer.append","audio":"%b"}' % payload
                self.model.send(TEXT, append)
        elif message.startswith(b'{"event":"start"'):
            self.stream = text_of(message, b"streamSid")
            self.media = b'{"event":"media","streamSid":"%b","media":{"payload":"' % self.stream
            self.opening = asyncio.create_task(self.open())
        elif message.startswith(b'{"event":"stop"') or frame.msg_type == WSMsgType.CLOSE:
            transport.disconnect()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self.socket = None
        if self.model is not None:
            self.model.disconnect()

    async def open(self) -> None:
        self.model, _ = await ws_connect(lambda: Model(self), self.url, ssl_context=self.tls)
        self.model.send(TEXT, SESSION % (PCMU, PCMU))


class Model(WSListener):
    """The model's socket of a call."""

    def __init__(self, call: Carrier) -> None:
        self.call = call

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        message, call = frame.get_payload_as_bytes(), self.call
        if call.socket is None:
            transport.disconnect()
        elif message.startswith(b'{"type":"response.output_audio.delta"'):
            start = message.find(b'"delta":"') + 9
            payload = message[start : message.find(b'"', start)]
            call.socket.send(TEXT, call.media + payload + b'"}}')
        elif message.startswith(b'{"type":"input_audio_buffer.speech_started"'):
            call.socket.send(TEXT, b'{"event":"clear","streamSid":"%b"}' % call.stream)
        elif message.startswith(b'{"type":"session.updated"'):
            call.ready = True
            transport.send(TEXT, b'{"type":"response.create","response":{}}')

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self.call.ready = False
        if self.call.socket is not None:
            self.call.socket.disconnect()


async def main(port: str, model_port: str, *options: str) -> None:
    tls = ssl.create_default_context() if "tls" in options else None
    if tls is not None:
        # As in `native/relay.c`: only the cost of TLS on the loopback is measured.
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    url = f"{'wss' if tls else 'ws'}://127.0.0.1:{model_port}/v1/realtime?model=minimal"
    server = await ws_create_server(lambda request: Carrier(url, tls), "127.0.0.1", int(port))
    print("listening", server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))
