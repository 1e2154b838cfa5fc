"""The stand-in carrier: see `carrier.py`. It imports no adapter."""

from hookflash_local.carrier.carrier import ACCOUNT_SID, AUTH_TOKEN, StandinCarrier
from hookflash_local.carrier.exchange import NumberConfig
from hookflash_local.carrier.faults import (
    BrokenOff,
    Delayed,
    Dropped,
    Faults,
    Late,
    Never,
    OutOfOrder,
    Refused,
    Silent,
    Twice,
)
from hookflash_local.carrier.humans import Human
from hookflash_local.carrier.leg import Leg, Recording
from hookflash_local.carrier.notices import Notice, Notices, Unconfirmed
from hookflash_local.carrier.party import Line, Script, says
from hookflash_local.carrier.phone_server import Desk, Offer, PhoneServer, phone_app
from hookflash_local.carrier.phones import Phones
from hookflash_local.carrier.playout import Playout
from hookflash_local.carrier.stream import Stream
from hookflash_local.carrier.timeline import Event, Timeline

__all__ = [
    "ACCOUNT_SID",
    "AUTH_TOKEN",
    "BrokenOff",
    "Delayed",
    "Desk",
    "Dropped",
    "Event",
    "Faults",
    "Human",
    "Late",
    "Leg",
    "Line",
    "Never",
    "Notice",
    "Notices",
    "NumberConfig",
    "Offer",
    "OutOfOrder",
    "PhoneServer",
    "Phones",
    "Playout",
    "Recording",
    "Refused",
    "Script",
    "Silent",
    "StandinCarrier",
    "Stream",
    "Timeline",
    "Twice",
    "Unconfirmed",
    "phone_app",
    "says",
]
