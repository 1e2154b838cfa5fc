"""What a page with a telephone and the stand-in say to each other. No I/O.

Text messages are JSON objects with a `type`; binary ones are sound, 20 ms of mu-law each, both
ways. The first message of a page is `register`; it is answered with `phone`, the whole state,
and so is everything that changes it: a page shows the last `phone` it got and remembers nothing
but its token.
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from hookflash_local.carrier.playout import FRAME_SAMPLES

Role = Literal["caller", "human"]
State = Literal["idle", "calling", "ringing", "talking"]

KEYS = "0123456789*#"
_ADDRESS = re.compile(r"\+[1-9][0-9]{4,14}|client:[\w.-]{1,60}|sips?:[^@\s]+@[^\s]+")


class BadMessage(ValueError):
    """A page sent what is no message; the text says what was expected."""


class Register(msgspec.Struct, frozen=True, tag="register"):
    """Be a phone. With the `token` of a former page, go on with its phone and its call.

    `number` is a number, `client:name` or `sip:...`; a caller may leave it out and is given one.
    """

    role: Role
    number: str = ""
    token: str = ""


class Dial(msgspec.Struct, frozen=True, tag="dial"):
    to: str


class Answer(msgspec.Struct, frozen=True, tag="answer"):
    pass


class Decline(msgspec.Struct, frozen=True, tag="decline"):
    pass


class HangUp(msgspec.Struct, frozen=True, tag="hang-up"):
    pass


class Press(msgspec.Struct, frozen=True, tag="press"):
    key: str


class Hold(msgspec.Struct, frozen=True, tag="hold"):
    on: bool


class Mute(msgspec.Struct, frozen=True, tag="mute"):
    on: bool


Asked = Register | Dial | Answer | Decline | HangUp | Press | Hold | Mute


class Shown(msgspec.Struct, frozen=True, tag="phone"):
    """Everything that a page shows of its phone.

    `peer` is who calls or is called; `seconds` how long the call was answered; `said` what the
    carrier itself spoke to this phone in this call (a whisper); `wants_key` that the call waits
    for a key; `connected` that somebody else is on the line; `ended` how the last call ended.
    """

    token: str
    number: str
    role: Role
    state: State = "idle"
    peer: str = ""
    seconds: float = 0.0
    muted: bool = False
    held: bool = False
    wants_key: bool = False
    connected: bool = False
    said: tuple[str, ...] = ()
    ended: str = ""


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """What the page asked for cannot be; `why` is a sentence to show."""

    why: str


class Replaced(msgspec.Struct, frozen=True, tag="replaced"):
    """Another page has this phone now."""


_asked = msgspec.json.Decoder(Asked)


def read_text(text: str) -> Asked:
    """Decode one text message of a page. Raises `BadMessage`."""
    try:
        asked: Asked = _asked.decode(text)
    except msgspec.ValidationError as error:
        raise BadMessage(f"not a message that a phone can send: {error}") from None
    except msgspec.DecodeError:
        raise BadMessage("expected a JSON object with a type") from None
    if isinstance(asked, Press) and (len(asked.key) != 1 or asked.key not in KEYS):
        raise BadMessage(f"expected one key of {KEYS}, got {asked.key!r}")
    if isinstance(asked, Register) and asked.number and not _ADDRESS.fullmatch(asked.number):
        raise BadMessage(
            f"expected a number such as +15550100002, client:name or sip:user@host,"
            f" got {asked.number!r}"
        )
    return asked


def check_frame(data: bytes) -> bytes:
    """Return a binary message of a page if it is a frame of sound. Raises `BadMessage`."""
    if len(data) != FRAME_SAMPLES:
        raise BadMessage(f"expected {FRAME_SAMPLES} bytes of mu-law (20 ms), got {len(data)}")
    return data


def write(told: Shown | Refused | Replaced) -> str:
    return msgspec.json.encode(told).decode()
