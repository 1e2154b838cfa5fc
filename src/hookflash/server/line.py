"""A telephone line at Twilio: its addresses, who may come in, its answers, its REST side.

It is made before the calls are, because their carrier port (`control`) writes TwiML with the
same tokens that the server then redeems:

    line = TwilioLine.open(public_url=..., auth_tokens=[...])
    control = line.control(account_sid=..., auth_token=..., api_url=...)
    app = create_app(switchboard_with(control), line)
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from hookflash.carriers.twilio.rest import TwilioControl
from hookflash.carriers.twilio.signature import Signatures
from hookflash.carriers.twilio.twiml import render
from hookflash.carriers.twilio.urls import Urls
from hookflash.core.commands import Instruction
from hookflash.server.guard import Guard, StreamTokens, require_stand_ins

NUMBERS_KEPT = 10_000


class Writer:
    """Writes TwiML for a call: a token for each stream, and our number of the call as caller id.

    `language` and `voice` are those of what the carrier's own voice says.
    """

    def __init__(
        self,
        urls: Urls,
        tokens: StreamTokens,
        *,
        language: str | None = None,
        voice: str | None = None,
    ) -> None:
        self._urls = urls
        self._tokens = tokens
        self._language = language
        self._voice = voice
        self._numbers: OrderedDict[str, str] = OrderedDict()

    def remember(self, call_sid: str, own_number: str | None) -> None:
        """Keep the number of ours in a call, as its webhooks told it, for a later REST update."""
        if own_number is not None:
            self._numbers[call_sid] = own_number
            while len(self._numbers) > NUMBERS_KEPT:
                self._numbers.popitem(last=False)

    def __call__(self, call_sid: str, instructions: Sequence[Instruction]) -> str:
        return render(
            instructions,
            self._urls,
            token=lambda step: self._tokens.mint(call_sid, step),
            own_number=self._numbers.get(call_sid),
            language=self._language,
            voice=self._voice,
        )


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
    ) -> TwilioLine:
        """Make the parts of a line.

        `auth_tokens` are those in force: one, or two while it is rotated. `allow_unsigned` is
        granted only if the public URL and all `peers` (the URLs of Twilio's API and of the
        model) name this machine. `worker` is the name of this process, where there are several.
        Raises `ConfigError`.
        """
        urls = Urls.under(public_url, worker=worker)
        if allow_unsigned:
            require_stand_ins((public_url, *peers))
        tokens = StreamTokens()
        signatures = Signatures(tuple(auth_tokens), shared_keys)
        return cls(
            urls=urls,
            tokens=tokens,
            write=Writer(urls, tokens, language=language, voice=voice),
            guard=Guard(signatures=signatures, urls=urls, allow_unsigned=allow_unsigned),
        )

    def control(self, *, account_sid: str, auth_token: str, api_url: str) -> TwilioControl:
        """Return the REST side; close it with `aclose`."""
        return TwilioControl(
            account_sid=account_sid, auth_token=auth_token, api_url=api_url, render=self.write
        )
