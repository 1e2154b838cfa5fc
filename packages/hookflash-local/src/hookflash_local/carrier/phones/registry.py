"""Telephones in browsers as parties of the stand-in carrier: who has which number.

    phones = Phones(carrier)
    phone = phones.register(Register("human", "+15550100002"), page)   # its number can be called
    await phones.handle(phone, Dial("+15550100001"))                    # and it can call the line

Several phones may have one number: they ring together, and the first that picks up has the call.
While at least one phone has a number, it replaces the human whom `carrier.humans` had there.

resource          | acquired     | released
a phone's number  | `register`   | when its page was gone for `grace_seconds`
waiting, by Tasks | `leave`      | after `grace_seconds`, or when a page is back
"""

from __future__ import annotations

import asyncio
import itertools

from hookflash.world import url_token
from hookflash_local.carrier.carrier import StandinCarrier
from hookflash_local.carrier.legs.leg import Leg
from hookflash_local.carrier.parties import Human, Outcome
from hookflash_local.carrier.phones.messages import (
    Answer,
    BadMessage,
    Decline,
    Dial,
    HangUp,
    Hold,
    Mute,
    PageMessage,
    Press,
    Register,
)
from hookflash_local.carrier.phones.phone import Page, Phone

FIRST_CALLER = 15550100200
"""Callers that name no number of their own are +15550100200 and those that follow."""


class Extension:
    """All phones with one number."""

    def __init__(self, before: Human | None) -> None:
        self.phones: list[Phone] = []
        self.before = before
        """Who was to be called here before there was a phone."""

    async def decide(self, leg: Leg) -> Outcome:
        """Ring every phone that is free until one picks up or all have declined (`Decide`)."""
        ringing = {phone.ring(leg): phone for phone in self.phones if phone.call is None}
        waiting: set[asyncio.Future[bool]] = set(ringing)
        winner: Phone | None = None
        ended = "missed"
        try:
            while waiting and winner is None:
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for choice in done:
                    if winner is None and choice.result():
                        winner, ended = ringing[choice], "answered-elsewhere"
                    elif not choice.result():
                        ringing.pop(choice).stop_ringing("declined")
        finally:
            for phone in ringing.values():
                if phone is winner:
                    phone.pick_up()
                else:
                    phone.stop_ringing(ended)
        return "answers" if winner is not None else "busy"


class Phones:
    """`grace_seconds` (real ones) is how long a phone lives without its page."""

    def __init__(self, carrier: StandinCarrier, *, grace_seconds: float = 15.0) -> None:
        self.by_token: dict[str, Phone] = {}
        self._carrier = carrier
        self._grace_seconds = grace_seconds
        self._extensions: dict[str, Extension] = {}
        self._waiting: dict[str, asyncio.Task[None]] = {}
        self._callers = itertools.count(FIRST_CALLER)

    def register(self, asked: Register, page: Page) -> Phone:
        """Give a page its phone: the one it had, or one of its own."""
        phone = self.by_token.get(asked.token)
        other = phone is not None and asked.number not in ("", phone.number)
        if phone is None or phone.role != asked.role or other:
            phone = self._new_phone(asked)
        if waiting := self._waiting.pop(phone.token, None):
            waiting.cancel()
        phone.attach(page)
        return phone

    def leave(self, phone: Phone, page: Page) -> None:
        """`page` is gone; if none comes back in time, so is the phone."""
        if phone.page is not page:
            return
        phone.page = None
        name = f"phone without page {phone.number}"
        self._waiting[phone.token] = self._carrier.exchange.tasks.start(self._wait(phone), name)

    async def handle(self, phone: Phone, message: PageMessage) -> None:
        """Do what a page asks. Raises `BadMessage` with a sentence to show if it cannot be."""
        match message:
            case Dial(to):
                await self._dial(phone, to)
            case Answer():
                phone.decide(True)
            case Decline():
                phone.decide(False)
            case HangUp():
                await phone.hang_up()
            case Press(key):
                phone.press(key)
            case Hold(on):
                phone.hold(on)
            case Mute(on):
                phone.mute(on)
            case Register():
                raise BadMessage("this page has its phone already")

    async def _dial(self, phone: Phone, to: str) -> None:
        if phone.call is not None:
            raise BadMessage("Hang up before you call somebody else.")
        if to not in self._carrier.numbers:
            raise BadMessage(f"{to} is not a number of this line.")
        phone.dialled(await self._carrier.place_call(from_=phone.number, to=to))

    def _new_phone(self, asked: Register) -> Phone:
        number = asked.number
        if not number:
            if asked.role == "human":
                raise BadMessage("A human's phone needs the number at which it is called.")
            number = f"+{next(self._callers)}"
        token = url_token(self._carrier.exchange.settings.random.phones, 18)
        phone = Phone(self._carrier.exchange, token, number, asked.role)
        self.by_token[token] = phone
        if asked.role == "human":
            humans = self._carrier.humans
            extension = self._extensions.get(number)
            if extension is None:
                extension = self._extensions[number] = Extension(humans.get(number))
                humans[number] = Human(decide=extension.decide)
            extension.phones.append(phone)
        return phone

    async def _wait(self, phone: Phone) -> None:
        await asyncio.sleep(self._grace_seconds)
        del self.by_token[phone.token]
        del self._waiting[phone.token]
        extension = self._extensions.get(phone.number) if phone.role == "human" else None
        if extension is not None:
            extension.phones.remove(phone)
            if not extension.phones:
                self._give_back(phone.number, extension)
        await phone.hang_up()

    def _give_back(self, number: str, extension: Extension) -> None:
        del self._extensions[number]
        if extension.before is None:
            self._carrier.humans.pop(number, None)
        else:
            self._carrier.humans[number] = extension.before
