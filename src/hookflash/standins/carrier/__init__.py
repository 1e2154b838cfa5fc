"""The stand-in carrier: see `carrier.py`. It imports no adapter."""

from hookflash.standins.carrier.carrier import ACCOUNT_SID, AUTH_TOKEN, StandinCarrier
from hookflash.standins.carrier.exchange import NumberConfig
from hookflash.standins.carrier.faults import (
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
from hookflash.standins.carrier.humans import Human
from hookflash.standins.carrier.leg import Leg, Recording
from hookflash.standins.carrier.notices import Notice, Notices, Unconfirmed
from hookflash.standins.carrier.party import Line, Script, says
from hookflash.standins.carrier.phone_server import Desk, Offer, PhoneServer, phone_app
from hookflash.standins.carrier.phones import Phones
from hookflash.standins.carrier.playout import Playout
from hookflash.standins.carrier.stream import Stream
from hookflash.standins.carrier.timeline import Event, Timeline

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
