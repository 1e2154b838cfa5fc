"""A local Twilio that a test drives without asyncio: it runs in a thread and every method waits.

    def test_menu(twilio_carrier):
        twilio_carrier.serve(app, voice="/voice")        # a WSGI or ASGI application
        call = twilio_carrier.call()
        call.wait_for_say("Press 1")
        call.press("1")
        call.wait_for_say("We are open")
        assert call.wait_until_ended() == "completed"

`<Say>` is checked as text: its audio is a short tone, so that a test does not wait for speech.
Everything else takes as long as at Twilio: `<Pause>`, the timeout of `<Gather>`, ringing.

resource                    | acquired    | released
the carrier's thread, loop  | `__enter__` | `__exit__`
an application's thread     | `serve`     | `__exit__`
"""

from __future__ import annotations

import asyncio
import inspect
import socketserver
import threading
import wsgiref.simple_server
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from hookflash_local.carrier.alerts import Alert
from hookflash_local.carrier.carrier import ACCOUNT_SID, AUTH_TOKEN, StandinCarrier
from hookflash_local.carrier.exchange import NumberConfig
from hookflash_local.carrier.http_server import ApiServer
from hookflash_local.carrier.legs.leg import Leg
from hookflash_local.carrier.legs.timeline import Event
from hookflash_local.carrier.media import sounds
from hookflash_local.carrier.parties import Human, Script, Speak
from hookflash_local.carrier.webhooks import Sent

if TYPE_CHECKING:
    from twilio.http.http_client import TwilioHttpClient
    from twilio.rest import Client

T = TypeVar("T")

NUMBER = "+15550100001"
CALLER = "+15550100009"
WAIT_SECONDS = 10.0
"""How long a `wait_...` method waits by default, in real seconds."""


def short_tone(text: str) -> bytes:
    """Return 40 ms of a tone for any text."""
    return sounds.tone((440.0,), 40) if text else b""


class _LoopThread:
    """An event loop in a thread of its own."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` in the thread and return its result."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class LocalTwilio:
    """A local Twilio with one number.

    `speed` runs its clock faster: with 10, a `<Pause length="5"/>` takes half a second. The time
    that the application has for an answer and the time limits of `wait_...` stay in real seconds.
    `speak` turns the text of `<Say>` to mu-law at 8 kHz; None is a short tone. `calls_per_second`
    is the rate at which REST starts calls (Twilio: 1).
    """

    def __init__(
        self,
        *,
        speed: float = 1.0,
        speak: Speak | None = None,
        calls_per_second: float = 100.0,
        account_sid: str = ACCOUNT_SID,
        auth_token: str = AUTH_TOKEN,
    ) -> None:
        self.number = NUMBER
        self.account_sid = account_sid
        self.auth_token = auth_token
        self.carrier = StandinCarrier(
            account_sid,
            auth_token,
            speed=speed,
            speak=speak or short_tone,
            calls_per_second=calls_per_second,
            allow_insecure=True,
        )
        self._thread: _LoopThread
        self._applications: list[Callable[[], None]] = []
        self._expected: set[int] = set()

    def __enter__(self) -> Self:
        self._thread = _LoopThread("local twilio")
        try:
            self._thread.run(self.carrier.__aenter__())
        except BaseException:
            self._thread.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self._thread.run(self.carrier.__aexit__(None, None, None))
        finally:
            for stop in self._applications:
                stop()
            self._thread.stop()

    @property
    def api_url(self) -> str:
        """The address of REST, in place of https://api.twilio.com."""
        return self.carrier.api_url

    @property
    def humans(self) -> dict[str, Human]:
        """Who answers when the application calls a number; fill it (`Human.accepts()` ...)."""
        return self.carrier.humans

    @property
    def alerts(self) -> list[Alert]:
        """The mistakes of the application so far, with Twilio's error codes."""
        return self.carrier.alerts.entries

    @property
    def requests(self) -> list[Sent]:
        """Every request to the application so far, with its parameters."""
        return list(self.carrier.requests)

    @property
    def calls(self) -> list[LocalCall]:
        """Every call so far, those that the application made or dialled included."""
        return [LocalCall(self, leg) for leg in self.carrier.calls]

    def serve(self, app: Any, *, voice: str = "", status: str = "") -> str:
        """Serve a WSGI or ASGI application in a thread and return its address.

        `voice` and `status` are paths of it: the voice URL and the status callback of `number`.
        """
        is_asgi = inspect.iscoroutinefunction(app) or inspect.iscoroutinefunction(
            getattr(app, "__call__", None)  # noqa: B004 - the method itself is looked at
        )
        url = self._serve_asgi(app) if is_asgi else self._serve_wsgi(app)
        if voice:
            self.voice(url + voice, status_callback=url + status if status else None)
        return url

    def voice(
        self,
        url: str,
        *,
        method: str = "POST",
        fallback_url: str | None = None,
        status_callback: str | None = None,
    ) -> None:
        """Set the voice URL of `number`. It must be on this machine."""
        self.carrier.numbers[self.number] = NumberConfig(
            url, fallback_url=fallback_url, status_callback=status_callback, voice_method=method
        )

    def call(self, from_: str = CALLER, *, script: Script | None = None) -> LocalCall:
        """Call `number` and return the call, which may still ring.

        `script` is what the caller does once it is answered, for a caller who is not driven by the
        test. Raises AssertionError if `number` has no voice URL.
        """
        if self.number not in self.carrier.numbers:
            raise AssertionError(
                "the number has no voice URL: use serve(app, voice='/path') or voice(url) first"
            )
        place = self.carrier.place_call(from_=from_, to=self.number, script=script)
        return LocalCall(self, self.run(place))

    def client(self) -> Client:
        """Return Twilio's own client, which sends its requests here.

        Raises ImportError if the package `twilio` is not installed.
        """
        from twilio.rest import Client

        return Client(self.account_sid, self.auth_token, http_client=self.http_client())

    def http_client(self) -> TwilioHttpClient:
        """Return what an application gives to `twilio.rest.Client` as its `http_client`."""
        from twilio.http.http_client import TwilioHttpClient

        api_url = self.api_url

        class LocalHttpClient(TwilioHttpClient):  # type: ignore[misc]  # twilio has no types
            def request(self, method: str, url: str, *args: Any, **more: Any) -> Any:
                local = url.replace("https://api.twilio.com", api_url, 1)
                return super().request(method, local, *args, **more)

        return LocalHttpClient()

    def wait_for_call(self, to: str, seconds: float = WAIT_SECONDS) -> LocalCall:
        """Wait until the application calls or dials `to` and return that call."""

        async def appears() -> Leg:
            while True:
                for leg in self.carrier.calls:
                    if leg.about.to == to:
                        return leg
                await asyncio.sleep(0.01)

        return LocalCall(self, self.wait(appears(), seconds, f"no call to {to}"))

    def wait_for_callbacks(self) -> None:
        """Wait until every status callback under way was answered."""
        self.run(self.carrier.callbacks_sent())

    def expect_alerts(self, *codes: int) -> None:
        """Allow alerts with these error codes: they do not fail the test."""
        self._expected |= set(codes)

    def check_alerts(self) -> None:
        """Raise AssertionError if there are alerts that were not expected."""
        found = [str(alert) for alert in self.alerts if alert.code not in self._expected]
        if found:
            raise AssertionError("Twilio would report these errors:\n" + "\n".join(found))

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the carrier's loop and return its result."""
        return self._thread.run(work)

    def wait(self, work: Coroutine[Any, Any, T], seconds: float, failed: str) -> T:
        """Run `work` for at most `seconds`. Raises AssertionError after that."""

        async def limited() -> T:
            async with asyncio.timeout(seconds):
                return await work

        try:
            return self.run(limited())
        except TimeoutError:
            alerts = f"; alerts: {self.carrier.alerts}" if self.alerts else ""
            raise AssertionError(f"{failed} in {seconds:g} s{alerts}") from None

    def _serve_asgi(self, app: Any) -> str:
        thread = _LoopThread("application")
        server = ApiServer(app, sockets=True)

        async def start() -> None:
            server.start()

        def stop() -> None:
            thread.run(server.stop())
            thread.stop()

        self._applications.append(stop)
        thread.run(start())
        return f"http://127.0.0.1:{server.port}"

    def _serve_wsgi(self, app: Any) -> str:
        server = wsgiref.simple_server.make_server(
            "127.0.0.1", 0, app, server_class=_ThreadingServer, handler_class=_SilentHandler
        )
        thread = threading.Thread(target=server.serve_forever, name="application", daemon=True)
        thread.start()

        def stop() -> None:
            server.shutdown()
            server.server_close()
            thread.join()

        self._applications.append(stop)
        return f"http://127.0.0.1:{server.server_port}"


class LocalCall:
    """One call as its party hears it. Every `wait_...` method raises AssertionError after its time,
    and says what was heard instead."""

    def __init__(self, local: LocalTwilio, leg: Leg) -> None:
        self.leg = leg
        self._local = local
        self._line = local.carrier.line(leg)
        self._seen = 0
        """How many events of the call `wait_for_say` has passed."""

    @property
    def sid(self) -> str:
        return self.leg.sid

    @property
    def status(self) -> str:
        """As REST shows it: queued, ringing, in-progress, completed, busy ..."""
        return self.leg.status

    @property
    def said(self) -> list[str]:
        """What `<Say>` has said to this party so far, in order."""
        return [str(event.detail["text"]) for event in self.leg.timeline.find("say", self.sid)]

    @property
    def events(self) -> list[Event]:
        """What happened on this call so far (`hookflash_local.carrier.legs.timeline`)."""
        return [event for event in self.leg.timeline.events if event.call_sid == self.sid]

    @property
    def dialled(self) -> list[LocalCall]:
        """The calls that `<Dial>` made from this one."""
        return [LocalCall(self._local, leg) for leg in self.leg.children]

    def wait_for_say(self, text: str = "", seconds: float = WAIT_SECONDS) -> str:
        """Wait until `<Say>` says something that contains `text`, and return all of it.

        What an earlier `wait_for_say` has returned does not count again.
        """

        async def said() -> str:
            while True:
                for event in await self.leg.timeline.after(self._seen):
                    self._seen += 1
                    ours = event.kind == "say" and event.call_sid == self.sid
                    if ours and text in str(event.detail["text"]):
                        return str(event.detail["text"])

        failed = f"expected to hear {text!r}, heard {self.said}"
        try:
            return self._local.wait(said(), seconds, failed)
        except AssertionError as error:
            # What was heard while it waited belongs to the message too.
            text_ = str(error).replace(failed, f"expected to hear {text!r}, heard {self.said}")
            raise AssertionError(text_) from None

    def wait_for(self, kind: str, count: int = 1, seconds: float = WAIT_SECONDS) -> Event:
        """Wait for the `count`-th event of a kind, such as `bridged` or `gathering`."""
        found = self.leg.timeline.until(kind, self.sid, count)
        return self._local.wait(found, seconds, f"no event {kind!r} of {self.sid}")

    def wait_until_answered(self, seconds: float = WAIT_SECONDS) -> bool:
        """Wait until the call is answered (True), or over without an answer (False)."""
        return self._local.wait(self.leg.answered(), seconds, f"{self.sid} was not answered")

    def wait_until_ended(self, seconds: float = WAIT_SECONDS) -> str:
        """Wait until the call is over and return its status."""
        self._local.wait(self.leg.ended(), seconds, f"the call did not end: it is {self.status}")
        return self.status

    def press(self, digits: str) -> None:
        """Press keys one after another; `w` waits half a second."""
        self._local.run(self._line.press(digits))

    def say(self, text: str) -> None:
        """Let the party speak; `<Gather input="speech">` and a transcription get this text."""
        self._local.run(self._line.say(text))

    def hang_up(self) -> None:
        self._local.run(self._line.hang_up())


class _ThreadingServer(socketserver.ThreadingMixIn, wsgiref.simple_server.WSGIServer):
    daemon_threads = True


class _SilentHandler(wsgiref.simple_server.WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing: the carrier lists its requests."""
