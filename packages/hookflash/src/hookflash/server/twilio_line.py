"""A phone line at Twilio: its URLs, authentication, TwiML and REST client.

Create it before the calls: their carrier port (`control`) writes TwiML with the same tokens that
the server redeems.

    line = TwilioLine.open(public_url=..., auth_tokens=[...])
    control = line.control(account_sid=..., auth_token=..., api_url=...)
    app = create_app(switchboard_with(control), line)
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from msgspec.structs import replace
from starlette.requests import HTTPConnection

from hookflash.carriers.twilio.caller_ids import Parties
from hookflash.carriers.twilio.place_request import place_fields
from hookflash.carriers.twilio.rest import TwilioControl
from hookflash.carriers.twilio.ring_request import Fields, ring_fields
from hookflash.carriers.twilio.signature import Signatures
from hookflash.carriers.twilio.twiml import render, render_for_rest
from hookflash.carriers.twilio.urls import Urls
from hookflash.carriers.twilio.voices import LOCALES, Voices
from hookflash.client_address import ClientAddresses
from hookflash.core.commands import Instruction, RingHuman
from hookflash.core.setup import CallSetup
from hookflash.errors import ConfigError
from hookflash.server.refusals import SIGNATURE, Refusals
from hookflash.server.request_auth import RequestAuthenticator, StreamTokens, require_stand_ins
from hookflash.world import SYSTEM, World

MAX_PARTIES = 10_000

Find = Callable[[str], Parties | None]


class TwimlWriter:
    """Writes TwiML and ring requests for a call.

    `find` returns the parties of a call from the call itself, so that they are the same after a
    restart. It is set once the calls exist. Data that only a webhook has is remembered. `caller_id`
    is a number of the line, for calls that did not dial one.
    """

    def __init__(
        self,
        urls: Urls,
        tokens: StreamTokens,
        *,
        voices: Voices | None = None,
        caller_id: str | None = None,
    ) -> None:
        self.find: Find = lambda call_sid: None
        self.setup_of: Callable[[str], CallSetup | None] = lambda call_sid: None
        """Returns what a call is set up with. It is set once the calls exist."""
        self._urls = urls
        self._tokens = tokens
        self._voices = voices or Voices()
        self.caller_id = caller_id
        self._reported: OrderedDict[str, Parties] = OrderedDict()

    def remember(self, reported: Parties) -> None:
        """Remember the parties of a call from one of its webhooks."""
        before = self._reported.get(reported.call_sid)
        if before is not None and before.call_token and not reported.call_token:
            return
        self._reported[reported.call_sid] = reported
        while len(self._reported) > MAX_PARTIES:
            self._reported.popitem(last=False)

    def __call__(
        self, call_sid: str, instructions: Sequence[Instruction], *, leg_sid: str = ""
    ) -> str:
        """Return TwiML for the caller's leg, or for the human's leg `leg_sid` of that call."""
        return render(
            instructions,
            self._urls,
            parties=self._parties(call_sid, leg_sid),
            token=self._minting(leg_sid or call_sid),
            voices=self._voices_of(leg_sid, call_sid),
        )

    def for_rest(self, call_sid: str, instructions: Sequence[Instruction]) -> str:
        """Return TwiML for a REST update of the leg `call_sid`."""
        return render_for_rest(
            instructions,
            self._urls,
            parties=self._parties(call_sid),
            token=self._minting(call_sid),
            voices=self._voices_of(call_sid),
        )

    def _voices_of(self, *sids: str) -> Voices:
        """Return the language and the voice of the first of these calls that is known."""
        setup = next((found for sid in sids if (found := self.setup_of(sid))), None)
        if setup is None or (setup.language is None and setup.carrier_voice is None):
            return self._voices
        language = LOCALES.get(setup.language or "", self._voices.language)
        same = language == self._voices.language
        voice = setup.carrier_voice or (self._voices.voice if same else None)
        return Voices(language, voice)

    def ring_request(self, call_sid: str, what: RingHuman) -> Fields:
        """Return the form fields of a call to a human, for the call `call_sid`."""
        return ring_fields(what, self._urls, self._parties(call_sid))

    def place_request(self, caller: str, called: str, ring_seconds: int) -> Fields:
        """Return the form fields of a call that the line places."""
        return place_fields(
            caller=caller, called=called, ring_seconds=ring_seconds, urls=self._urls
        )

    def _parties(self, call_sid: str, leg_sid: str = "") -> Parties:
        reported = self._reported.get(call_sid)
        known = self.find(call_sid) or reported or Parties(call_sid=call_sid)
        token = reported.call_token if reported is not None else ""
        return replace(
            known,
            own_number=known.own_number or self.caller_id,
            call_token=token,
            consulting=known.consulting or bool(leg_sid),
        )

    def _minting(self, leg_sid: str) -> Callable[[int], str]:
        return lambda step: self._tokens.mint(leg_sid, step)


@dataclass(frozen=True)
class TwilioLine:
    urls: Urls
    tokens: StreamTokens
    write: TwimlWriter
    authenticator: RequestAuthenticator
    clients: ClientAddresses
    refusals: Refusals

    @classmethod
    def open(
        cls,
        *,
        public_url: str,
        auth_tokens: Iterable[str],
        shared_keys: Mapping[str, str] | None = None,
        allow_unsigned: bool = False,
        peers: Iterable[str] = (),
        worker: str = "",
        language: str | None = None,
        voice: str | None = None,
        caller_id: str | None = None,
        trusted_proxies: Iterable[str] = (),
        token_key: bytes = b"",
        world: World = SYSTEM,
    ) -> TwilioLine:
        """Create the parts of a line.

        `auth_tokens` are the valid tokens: one, or two during a rotation. `allow_unsigned` requires
        that the public URL and all `peers` (the URLs of Twilio's API and of the model) are on this
        machine. `worker` is the name of this process if there are several. `caller_id` is shown to
        humans if the caller dialled no number of the line. `trusted_proxies` are the addresses and
        networks of proxies that name their clients. Nodes with the same `token_key` accept each
        other's stream tokens. Raises `ConfigError`.
        """
        urls = Urls.under(public_url, worker=worker)
        try:
            clients = ClientAddresses(trusted_proxies, public_url=public_url)
        except ValueError as error:
            raise ConfigError(f"HOOKFLASH_TRUSTED_PROXIES: expected {error}") from None
        if allow_unsigned:
            require_stand_ins((public_url, *peers))
        tokens = StreamTokens(
            world.monotonic, world.entropy("stream-tokens"), key=token_key, wall=world.wall
        )
        signatures = Signatures(tuple(auth_tokens), shared_keys)
        authenticator = RequestAuthenticator(
            signatures=signatures, urls=urls, clients=clients, allow_unsigned=allow_unsigned
        )
        return cls(
            urls=urls,
            tokens=tokens,
            write=TwimlWriter(urls, tokens, voices=Voices(language, voice), caller_id=caller_id),
            authenticator=authenticator,
            clients=clients,
            refusals=Refusals(urls, clients, explain=authenticator.explain, now=world.monotonic),
        )

    def admits_media(self, socket: HTTPConnection) -> bool:
        """Return whether the upgrade of a media socket is signed; report it if it is not."""
        admitted = self.authenticator.admits(socket)
        if not admitted:
            self.refusals.report_upgrade(socket, SIGNATURE)
        return admitted

    def control(self, *, account_sid: str, auth_token: str, api_url: str) -> TwilioControl:
        """Return the REST client; close it with `aclose`."""
        return TwilioControl(
            account_sid=account_sid, auth_token=auth_token, api_url=api_url, writer=self.write
        )
