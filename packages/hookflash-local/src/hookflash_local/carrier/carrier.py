"""A small Twilio on loopback: for tests, demos and browsers, with no account and no internet.

    async with StandinCarrier(tunnel={"https://line.example.test": "http://127.0.0.1:8080"}) as c:
        c.numbers["+15550100001"] = NumberConfig("https://line.example.test/twilio/voice")
        c.humans["+15550100002"] = Human(answer_after=1.0, script=anna)
        call = await c.place_call(from_="+15550100009", to="+15550100001", script=caller)
        await call.ended()

It reads Twilio's protocol on its own: nothing here imports an adapter. It signs what it sends, and
can fail on purpose (`faults`). It records every mistake of the application (`alerts`) and what each
party heard (`Leg.recording`). It never connects to anything but loopback.

resource         | acquired      | released
REST server      | `__aenter__`  | `__aexit__`
tasks, timers    | `__aenter__`  | `__aexit__`, after all calls were ended
HTTP connections | `__aenter__`  | `__aexit__`
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from types import TracebackType
from typing import Self
from xml.sax.saxutils import escape

from hookflash.world import SYSTEM
from hookflash_local.carrier import parties
from hookflash_local.carrier.alerts import Alerts, Unconfirmed
from hookflash_local.carrier.clock import Clock
from hookflash_local.carrier.exchange import Exchange, NumberConfig, Settings, Transcribe
from hookflash_local.carrier.faults import Faults
from hookflash_local.carrier.http_server import ApiServer, Listen, open_port
from hookflash_local.carrier.legs.inbound import arrive
from hookflash_local.carrier.legs.leg import Leg
from hookflash_local.carrier.legs.outbound import OutboundCall, place
from hookflash_local.carrier.media import sounds
from hookflash_local.carrier.media.frame_clock import FRAME_MS, FrameClock
from hookflash_local.carrier.parties import Human, Line, Script, Sound, Speak
from hookflash_local.carrier.queues import Queue
from hookflash_local.carrier.randomness import RandomStreams
from hookflash_local.carrier.rest.app import Rest
from hookflash_local.carrier.tasks import Tasks
from hookflash_local.carrier.twiml.fetch import TwimlText
from hookflash_local.carrier.twiml.verbs import (
    connect,
    dial,
    enqueue,
    flow,
    gather,
    record_verb,
    refer,
    speech,
    start,
)
from hookflash_local.carrier.webhooks import Sent, Webhooks

VERB_MODULES = (connect, dial, enqueue, flow, gather, record_verb, refer, speech, start)
"""The language this carrier speaks: their import registers the verbs."""

LAST_CALLBACKS_SECONDS = 2.0
"""How long (in real time) leaving the carrier waits for status callbacks under way."""

ACCOUNT_SID = "AC" + "0" * 32
AUTH_TOKEN = "standin-token-not-a-secret"

__all__ = ["ACCOUNT_SID", "AUTH_TOKEN", "StandinCarrier"]


class StandinCarrier:
    """A local Twilio; use it with `async with`.

    `speed` runs its clock faster. `network_ms` is the latency of media streams, each way. `tunnel`
    maps public origins to loopback ones. `allow_insecure` allows streams to `ws://` on loopback.
    `speak` is its voice (text to mu-law). `calls_per_second` is the rate at which REST starts
    calls. `transcribe` turns recordings (mu-law) to text; without it, the text is what scripts
    `say`. `recordings_need_auth` is the account's setting.

    SIDs, tokens and jitter come from `entropy`, if it is given; dates from `wall`. `media_frame_ms`
    is how much audio a message of a media stream carries to the server, and how often parties
    hear: a multiple of Twilio's 20 ms. More is faster and less exact. `port` is REST's port, 0 for
    a free one; `listen` opens it.
    """

    def __init__(
        self,
        account_sid: str = ACCOUNT_SID,
        auth_token: str = AUTH_TOKEN,
        *,
        speed: float = 1.0,
        network_ms: float = 0.0,
        tunnel: Mapping[str, str] | None = None,
        allow_insecure: bool = False,
        speak: Speak = sounds.voice_pattern,
        unconfirmed: Unconfirmed | None = None,
        calls_per_second: float = 1.0,
        transcribe: Transcribe | None = None,
        recordings_need_auth: bool = True,
        entropy: Random | None = None,
        wall: Callable[[], float] = SYSTEM.wall,
        media_frame_ms: int = FRAME_MS,
        port: int = 0,
        listen: Listen = open_port,
    ) -> None:
        if media_frame_ms < FRAME_MS or media_frame_ms % FRAME_MS:
            raise ValueError(f"media_frame_ms must be a multiple of 20, got {media_frame_ms}")
        self.account_sid = account_sid
        self.auth_token = auth_token
        self.faults = Faults()
        self.tunnel: dict[str, str] = dict(tunnel or {})
        self.exchange: Exchange
        self._speed = speed
        self._wall = wall
        self._frames_at_once = media_frame_ms // FRAME_MS
        self._settings = Settings(
            account_sid,
            auth_token,
            speak,
            network_ms / 1000,
            allow_insecure,
            calls_per_second,
            transcribe,
            recordings_need_auth,
            RandomStreams(entropy),
        )
        self._unconfirmed = unconfirmed or Unconfirmed()
        self._port = port
        self._listen = listen
        self._rest: Rest
        self._server: ApiServer

    async def __aenter__(self) -> Self:
        sounds.prepare()
        clock, tasks, found = Clock(self._speed, self._wall), Tasks(), Alerts()
        webhooks = Webhooks(
            clock,
            tasks,
            self.faults,
            found,
            auth_token=self.auth_token,
            tunnel=self.tunnel,
            entropy=self._settings.random.requests,
        )
        frame_clock = FrameClock(clock, self._frames_at_once)
        self.exchange = Exchange(
            self._settings,
            clock,
            tasks,
            frame_clock,
            self.faults,
            found,
            webhooks,
            self._unconfirmed,
        )
        frame_clock.start(tasks)
        self._rest = Rest(self.exchange)
        self._server = ApiServer(self._rest.app, port=self._port, listen=self._listen)
        self._server.start()
        self.exchange.live.api_url = self.api_url
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        tasks = self.exchange.tasks
        for leg in self.calls:
            leg.end("completed" if leg.about.answered else "canceled", by="carrier")
        self._rest.closing.set()
        await self._server.stop()
        for kind_of_task in ("execution", "stream", "callback"):
            await tasks.settle(kind_of_task, LAST_CALLBACKS_SECONDS)
        try:
            await tasks.close()
        finally:
            await self.exchange.webhooks.close()

    @property
    def api_url(self) -> str:
        """The base that REST clients are pointed at."""
        return f"http://127.0.0.1:{self._server.port}"

    @property
    def numbers(self) -> dict[str, NumberConfig]:
        """The account's numbers; fill it."""
        return self.exchange.directory.numbers

    @property
    def humans(self) -> dict[str, Human]:
        """Who answers elsewhere, by number, `client:name` or `sip:...`; fill it."""
        return self.exchange.directory.humans

    @property
    def verified(self) -> set[str]:
        """Further numbers that may be shown as caller id; fill it."""
        return self.exchange.directory.verified

    @property
    def alerts(self) -> Alerts:
        """The mistakes of the application."""
        return self.exchange.alerts

    @property
    def calls_per_second(self) -> float:
        """The account's pace: so many calls made by REST are started a second, the rest waits."""
        return self._settings.calls_per_second

    @property
    def calls(self) -> list[Leg]:
        """Every leg so far, in order, the dialled ones included."""
        return list(self.exchange.live.legs.values())

    @property
    def requests(self) -> list[Sent]:
        """Every webhook request that was sent, in order."""
        return self.exchange.webhooks.log

    def now(self) -> float:
        """Carrier seconds since the start."""
        return self.exchange.clock.now()

    async def place_call(
        self,
        *,
        from_: str,
        to: str,
        script: Script | Sound | None = None,
        extra: dict[str, str] | None = None,
        refer_answer: str = "202",
    ) -> Leg:
        """Place a call to one of the account's numbers; returns while it rings.

        `script` runs from the answer on. `extra` are further webhook parameters. `refer_answer` is
        what a SIP caller's device says to `<Refer>`: 202, or an error such as 405. Raises KeyError
        for a number that is not in `numbers`.
        """
        leg = arrive(self.exchange, from_, to, extra=extra, refer_answer=refer_answer)
        wanted = parties.as_script(script)
        if wanted:
            self.exchange.tasks.start(self._when_answered(leg, wanted), f"caller {leg.sid}")
        return leg

    def queue(self, name: str) -> Queue:
        """Return a queue (by name, or a workflow by its `WW...`), made if there is none yet."""
        return enqueue.queue_named(self.exchange, name)

    async def take_from_queue(self, queue: str, human: str) -> Leg:
        """Ring `human` and connect them to the first caller of `queue` (a name, or `WW...`)."""
        self.queue(queue)
        dial = f'<Dial timeout="600"><Queue>{escape(queue)}</Queue></Dial>'
        own = next(iter(self.numbers), "+15550100000")
        return place(
            self.exchange,
            OutboundCall(to=human, from_=own, entry=TwimlText(f"<Response>{dial}</Response>")),
        )

    def staff(self, queue: str, human: str, *, after: float = 1.0) -> None:
        """Let `human` work at a queue or workflow: `after` so many seconds of somebody waiting
        they are rung, for one caller after another."""
        self.exchange.tasks.start(self._work(queue, human, after), f"worker {human}")

    async def _work(self, queue: str, human: str, after: float) -> None:
        while True:
            await self.queue(queue).front()
            await self.exchange.clock.sleep(after)
            if self.queue(queue).members:
                await (await self.take_from_queue(queue, human)).ended()

    def line(self, leg: Leg) -> Line:
        """Return the telephone of a leg, to be driven without a script."""
        return Line(leg, self._settings.speak)

    async def go_down(self) -> None:
        """REST refuses connections from now on."""
        await self._server.stop()

    def come_back(self) -> None:
        """REST listens again, on the same port."""
        self._server.start()

    async def callbacks_sent(self) -> None:
        """Wait until no status callback is under way."""
        await self.exchange.tasks.settle("callback", 60.0)

    def leftovers(self) -> list[str]:
        """Describe what is still running: legs, sockets, conferences, queues, recordings."""
        return self.exchange.leftovers()

    async def _when_answered(self, leg: Leg, script: Script) -> None:
        if await leg.answered():
            parties.connect(leg, script, self._settings.speak, self.exchange.tasks)
