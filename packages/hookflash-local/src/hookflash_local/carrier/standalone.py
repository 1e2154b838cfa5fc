"""The carrier alone, for any TwiML application: what `hookflash carrier` runs.

resource           | acquired        | released, in reverse
carrier, REST port | `serve_carrier` | when `stop` is set
phones' port       | `serve_carrier` | likewise
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from hookflash.errors import ConfigError
from hookflash_local.carrier.alerts import Alert
from hookflash_local.carrier.carrier import ACCOUNT_SID, AUTH_TOKEN, StandinCarrier
from hookflash_local.carrier.checks import absolute_url
from hookflash_local.carrier.exchange import NumberConfig, Transcribe
from hookflash_local.carrier.media import sounds
from hookflash_local.carrier.parties import Speak
from hookflash_local.carrier.phones.messages import ADDRESS
from hookflash_local.carrier.phones.server import HumanPhone, Offer, PhoneServer
from hookflash_local.carrier.webhooks import NotReachable, Sent, tunnel_route

NUMBER = "+15550100001"
HUMAN = "+15550100002"

_NUMBER = re.compile(r"\+[1-9][0-9]{6,14}")
_ACCOUNT = re.compile(r"AC[0-9a-f]{32}")
_TOKEN = re.compile(r"[!-~]{1,128}")


@dataclass(frozen=True)
class CarrierOptions:
    """What to serve. `humans` are names by number, `tunnel` local origins by public ones.

    Raises ConfigError, which names the option, if a value is not allowed.
    """

    voice: NumberConfig
    numbers: tuple[str, ...] = (NUMBER,)
    humans: Mapping[str, str] = field(default_factory=lambda: {HUMAN: ""})
    tunnel: Mapping[str, str] = field(default_factory=dict)
    account_sid: str = ACCOUNT_SID
    auth_token: str = AUTH_TOKEN
    port: int = 0
    phones_port: int = 0

    def __post_init__(self) -> None:
        voice = self.voice
        for public, local in self.tunnel.items():
            for url in (public, local):
                if not absolute_url(url) or urlsplit(url).path.strip("/"):
                    raise ConfigError(
                        f"--tunnel: expected PUBLIC=LOCAL, two addresses without a path such as"
                        f" https://app.example.test=http://127.0.0.1:5000, got {public}={local}"
                    )
            try:
                tunnel_route(public, self.tunnel)
            except NotReachable:
                raise ConfigError(
                    f"--tunnel: expected a local address on 127.0.0.1 or localhost, got {local}"
                ) from None
        self._check_url("--voice-url", voice.voice_url)
        self._check_url("--fallback-url", voice.fallback_url)
        self._check_url("--status-url", voice.status_callback)
        for number in self.numbers:
            if not _NUMBER.fullmatch(number):
                raise ConfigError(f"--number: expected a number such as {NUMBER}, got {number!r}")
        for address in self.humans:
            if not ADDRESS.fullmatch(address):
                raise ConfigError(
                    f"--human: expected a number such as {HUMAN}, client:anna or"
                    f" sip:anna@example.test, got {address!r}"
                )
            if address in self.numbers:
                raise ConfigError(
                    f"--human: {address} is a --number of the application; choose another one"
                )
        if not _ACCOUNT.fullmatch(self.account_sid):
            raise ConfigError(
                f"--account-sid: expected AC and 32 digits of 0-9 and a-f, got {self.account_sid!r}"
            )
        if not _TOKEN.fullmatch(self.auth_token):
            raise ConfigError(
                "--auth-token: expected 1 to 128 letters, digits and signs without a space"
            )
        if self.port and self.port == self.phones_port:
            raise ConfigError(f"--port and --phones-port are both {self.port}: choose two ports")

    def _check_url(self, option: str, url: str | None) -> None:
        if url is None:
            return
        if not absolute_url(url):
            raise ConfigError(
                f"{option}: expected an address such as http://127.0.0.1:5000/voice, got {url!r}"
            )
        try:
            tunnel_route(url, self.tunnel)
        except NotReachable:
            origin = "://".join(urlsplit(url)[:2])
            raise ConfigError(
                f"{option}: {url} is not on this machine, and the local carrier connects to nothing"
                f" else; add --tunnel {origin}=http://127.0.0.1:PORT to say where it runs"
            ) from None


@dataclass(frozen=True)
class Serving:
    """Where the carrier can be reached, and with which credentials."""

    api_url: str
    phones_url: str
    account_sid: str
    auth_token: str


async def serve_carrier(
    options: CarrierOptions,
    *,
    on_ready: Callable[[Serving], None],
    speak: Speak = sounds.voice_pattern,
    transcribe: Transcribe | None = None,
    on_request: Callable[[Sent], None] = lambda sent: None,
    on_alert: Callable[[Alert], None] = lambda alert: None,
    stop: asyncio.Event,
) -> None:
    """Serve REST and a page of phones until `stop` is set. Media streams may be `ws://`.

    `speak` turns the text of `<Say>` to mu-law, `transcribe` recordings to text.
    Raises ConfigError if a port cannot be opened.
    """
    carrier = StandinCarrier(
        options.account_sid,
        options.auth_token,
        tunnel=options.tunnel,
        allow_insecure=True,
        speak=speak,
        transcribe=transcribe,
        port=options.port,
    )
    try:
        await carrier.__aenter__()
    except OSError as error:
        raise ConfigError(
            f"--port: cannot open port {options.port}: {error.strerror}; stop what has it, or"
            " choose another port (0 takes a free one)"
        ) from None
    try:
        for number in options.numbers:
            carrier.numbers[number] = options.voice
        carrier.alerts.on_alert = on_alert
        carrier.exchange.webhooks.on_answer = on_request
        humans = tuple(HumanPhone(number, name) for number, name in options.humans.items())
        phones = PhoneServer(carrier, Offer(options.numbers, "", humans), port=options.phones_port)
        async with phones:
            on_ready(Serving(carrier.api_url, phones.url, options.account_sid, options.auth_token))
            await stop.wait()
    finally:
        await carrier.__aexit__(None, None, None)
