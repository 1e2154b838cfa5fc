# The bridge that many begin with: uvicorn before:app --port 5050
"""A caller talks with the model. Nobody can bring a human: the stream cannot dial."""

import asyncio
import json
import os
from typing import Any

import websockets
from fastapi import FastAPI, Request, Response, WebSocket, WebSocketDisconnect

INSTRUCTIONS = """
You answer the telephone of Riverside Bicycles: one or two short sentences at a time. We are open
Monday to Friday from nine in the morning to six in the evening.
"""
VOICE = "marin"
MODEL_URL = os.environ.get("MODEL_URL", "wss://api.openai.com/v1/realtime?model=gpt-realtime")

app = FastAPI()


@app.get("/")
async def index() -> str:
    return "Riverside Bicycles"


@app.post("/incoming-call")
async def incoming_call(request: Request) -> Response:
    url = f"wss://{request.url.hostname}/media-stream"
    twiml = f'<Response><Connect><Stream url="{url}" /></Connect></Response>'
    return Response(twiml, media_type="text/xml")


@app.websocket("/media-stream")
async def media_stream(carrier: WebSocket) -> None:
    await carrier.accept()
    key = {"Authorization": f"Bearer {os.environ.get('OPENAI_API_KEY', '')}"}
    async with websockets.connect(MODEL_URL, additional_headers=key) as model:
        await start_session(model)
        bridge = Bridge(carrier, model)
        both = [asyncio.create_task(bridge.hear()), asyncio.create_task(bridge.speak())]
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        for task in both:
            task.cancel()


async def start_session(model: Any) -> None:
    audio: dict[str, Any] = {
        "input": {"format": {"type": "audio/pcmu"}, "turn_detection": {"type": "server_vad"}},
        "output": {"format": {"type": "audio/pcmu"}, "voice": VOICE},
    }
    session = {"type": "realtime", "instructions": INSTRUCTIONS, "audio": audio}
    await model.send(json.dumps({"type": "session.update", "session": session}))
    greet = {"instructions": "Greet the caller: the call has just begun."}
    await model.send(json.dumps({"type": "response.create", "response": greet}))


class Bridge:
    """One call: sound in both directions, and a guess of what was heard when the caller cuts in."""

    def __init__(self, carrier: WebSocket, model: Any) -> None:
        self.carrier, self.model = carrier, model
        self.stream_sid = self.item = ""
        self.now_ms = self.begun_ms = 0

    async def hear(self) -> None:
        try:
            async for text in self.carrier.iter_text():
                message = json.loads(text)
                if message["event"] == "start":
                    self.stream_sid = message["start"]["streamSid"]
                elif message["event"] == "media":
                    self.now_ms = int(message["media"]["timestamp"])
                    sound = {"type": "input_audio_buffer.append"}
                    await self.model.send(
                        json.dumps(sound | {"audio": message["media"]["payload"]})
                    )
        except WebSocketDisconnect:
            return

    async def speak(self) -> None:
        async for text in self.model:
            event = json.loads(text)
            if event["type"] == "response.output_audio.delta":
                if event["item_id"] != self.item:
                    self.item, self.begun_ms = event["item_id"], self.now_ms
                await self.send({"event": "media", "media": {"payload": event["delta"]}})
            elif event["type"] == "input_audio_buffer.speech_started" and self.item:
                await self.cut_in()

    async def cut_in(self) -> None:
        heard_ms = self.now_ms - self.begun_ms
        cut = {"item_id": self.item, "content_index": 0, "audio_end_ms": heard_ms}
        await self.model.send(json.dumps({"type": "conversation.item.truncate"} | cut))
        await self.send({"event": "clear"})
        self.item = ""

    async def send(self, message: dict[str, Any]) -> None:
        await self.carrier.send_text(json.dumps({"streamSid": self.stream_sid} | message))
