"""The messages between a page with a phone and the stand-in. No I/O.

Text messages are JSON objects with a `type`; binary messages are audio, 20 ms of mu-law each, both
ways. A page's first message is `register`. The stand-in answers it, and every change of state, with
`phone`, the whole state: a page shows the last `phone` it got and stores nothing but its token.
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from hookflash_local.carrier.media.playout import FRAME_SAMPLES

Role = Literal["caller", "human"]
PhoneState = Literal["idle", "calling", "ringing", "talking"]

KEYS = "0123456789*#"
ADDRESS = re.compile(r"\+[1-9][0-9]{4,14}|client:[\w.-]{1,60}|sips?:[^@\s]+@[^\s]+")


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


PageMessage = Register | Dial | Answer | Decline | HangUp | Press | Hold | Mute


class Shown(msgspec.Struct, frozen=True, tag="phone"):
    """Everything that a page shows of its phone.

    - `peer`: who calls or is called
    - `seconds`: how long the call was answered
    - `wants_key`: the call waits for a key
    - `connected`: somebody else is on the line
    - `said`: what the carrier itself spoke to this phone in this call (a whisper)
    - `ended`: how the last call ended
    - `call_sid`: the SID of this phone's leg; of a phone that dialled, that of the call
    """

    token: str
    number: str
    role: Role
    state: PhoneState = "idle"
    peer: str = ""
    seconds: float = 0.0
    muted: bool = False
    held: bool = False
    wants_key: bool = False
    connected: bool = False
    said: tuple[str, ...] = ()
    ended: str = ""
    call_sid: str = ""


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """The page's last message cannot be carried out; `why` is a sentence to show."""

    why: str


class Replaced(msgspec.Struct, frozen=True, tag="replaced"):
    """Another page has this phone now."""


_decoder = msgspec.json.Decoder(PageMessage)


def read_text(text: str) -> PageMessage:
    """Decode one text message of a page. Raises `BadMessage`."""
    try:
        message: PageMessage = _decoder.decode(text)
    except msgspec.ValidationError as error:
        raise BadMessage(f"not a message that a phone can send: {error}") from None
    except msgspec.DecodeError:
        raise BadMessage("expected a JSON object with a type") from None
    if isinstance(message, Press) and (len(message.key) != 1 or message.key not in KEYS):
        raise BadMessage(f"expected one key of {KEYS}, got {message.key!r}")
    if isinstance(message, Register) and message.number and not ADDRESS.fullmatch(message.number):
        raise BadMessage(
            f"expected a number such as +15550100002, client:name or sip:user@host,"
            f" got {message.number!r}"
        )
    return message


def check_frame(data: bytes) -> bytes:
    """Return a binary message of a page if it is a frame of sound. Raises `BadMessage`."""
    if len(data) != FRAME_SAMPLES:
        raise BadMessage(f"expected {FRAME_SAMPLES} bytes of mu-law (20 ms), got {len(data)}")
    return data


def write(message: Shown | Refused | Replaced) -> str:
    return msgspec.json.encode(message).decode()
