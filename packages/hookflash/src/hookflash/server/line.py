"""A telephone line at Twilio: its addresses, who may come in, its answers, its REST side.

It is made before the calls are, because their carrier port (`control`) writes TwiML with the
same tokens that the server then redeems:

    line = TwilioLine.open(public_url=..., auth_tokens=[...])
    control = line.control(account_sid=..., auth_token=..., api_url=...)
    app = create_app(switchboard_with(control), line)
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from hookflash.carriers.twilio.parties import Parties
from hookflash.carriers.twilio.rest import TwilioControl
from hookflash.carriers.twilio.ringing import Fields, ring_fields
from hookflash.carriers.twilio.signature import Signatures
from hookflash.carriers.twilio.twiml import render, render_for_rest
from hookflash.carriers.twilio.urls import Urls
from hookflash.carriers.twilio.voices import Voices
from hookflash.core.commands import Instruction, RingHuman
from hookflash.server.guard import Guard, StreamTokens, require_stand_ins
from hookflash.world import SYSTEM, World

PARTIES_KEPT = 10_000

Find = Callable[[str], Parties | None]


class Writer:
    """Writes for a call what the carrier is told: TwiML, and the orders to ring a human.

    `find` says who is on a call, from what the call itself knows, so that it is the same after a
    restart; it is given when there are calls to ask. What only a webhook tells is remembered.
    `caller_id` is a number of ours for calls that came to none.
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
        self._urls = urls
        self._tokens = tokens
        self._voices = voices or Voices()
        self.caller_id = caller_id
        self._told: OrderedDict[str, Parties] = OrderedDict()

    def remember(self, told: Parties) -> None:
        """Keep who is on a call, as one of its webhooks told it."""
        before = self._told.get(told.call_sid)
        if before is not None and before.call_token and not told.call_token:
            return
        self._told[told.call_sid] = told
        while len(self._told) > PARTIES_KEPT:
            self._told.popitem(last=False)

    def __call__(
        self, call_sid: str, instructions: Sequence[Instruction], *, leg_sid: str = ""
    ) -> str:
        """Return TwiML for the caller's leg, or for `leg_sid`, a human's leg of that call."""
        return render(
            instructions,
            self._urls,
            parties=self._parties(call_sid, leg_sid),
            token=self._minting(leg_sid or call_sid),
            voices=self._voices,
        )

    def for_rest(self, call_sid: str, instructions: Sequence[Instruction]) -> str:
        """Return TwiML that REST takes, for the leg `call_sid`, whosever it is."""
        return render_for_rest(
            instructions,
            self._urls,
            parties=self._parties(call_sid),
            token=self._minting(call_sid),
            voices=self._voices,
        )

    def order(self, call_sid: str, what: RingHuman) -> Fields:
        """Return the fields of a call to a human, for the call `call_sid`."""
        return ring_fields(what, self._urls, self._parties(call_sid))

    def _parties(self, call_sid: str, leg_sid: str = "") -> Parties:
        told = self._told.get(call_sid)
        known = self.find(call_sid) or told or Parties(call_sid=call_sid)
        token = told.call_token if told is not None else ""
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
    write: Writer
    guard: Guard

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
        world: World = SYSTEM,
    ) -> TwilioLine:
        """Make the parts of a line.

        `auth_tokens` are those in force: one, or two while it is rotated. `allow_unsigned` is
        granted only if the public URL and all `peers` (the URLs of Twilio's API and of the
        model) name this machine. `worker` is the name of this process, where there are several.
        `caller_id` is shown to humans when the caller has dialled no number of ours.
        Raises `ConfigError`.
        """
        urls = Urls.under(public_url, worker=worker)
        if allow_unsigned:
            require_stand_ins((public_url, *peers))
        tokens = StreamTokens(world.monotonic, world.entropy("stream-tokens"))
        signatures = Signatures(tuple(auth_tokens), shared_keys)
        return cls(
            urls=urls,
            tokens=tokens,
            write=Writer(urls, tokens, voices=Voices(language, voice), caller_id=caller_id),
            guard=Guard(signatures=signatures, urls=urls, allow_unsigned=allow_unsigned),
        )

    def control(self, *, account_sid: str, auth_token: str, api_url: str) -> TwilioControl:
        """Return the REST side; close it with `aclose`."""
        return TwilioControl(
            account_sid=account_sid, auth_token=auth_token, api_url=api_url, writing=self.write
        )
