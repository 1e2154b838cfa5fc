"""The stand-in carrier: see `carrier.py`. It imports no adapter."""

from hookflash_local.carrier.alerts import Alert, Alerts, Unconfirmed
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
from hookflash_local.carrier.legs.leg import Leg, Recording
from hookflash_local.carrier.legs.timeline import Event, Timeline
from hookflash_local.carrier.media.playout import Playout
from hookflash_local.carrier.media.streams import Stream
from hookflash_local.carrier.parties import Human, Line, Script, says
from hookflash_local.carrier.phones.registry import Phones
from hookflash_local.carrier.phones.server import HumanPhone, Offer, PhoneServer, phone_app

__all__ = [
    "ACCOUNT_SID",
    "AUTH_TOKEN",
    "Alert",
    "Alerts",
    "BrokenOff",
    "Delayed",
    "HumanPhone",
    "Dropped",
    "Event",
    "Faults",
    "Human",
    "Late",
    "Leg",
    "Line",
    "Never",
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
