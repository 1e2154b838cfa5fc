"""Keys that the carrier itself presses towards whoever answered (SendDigits, sendDigits).

`w` waits half a second, `W` one; a key lasts 200 ms. The party's script sees them as events of
the kind `send-digits`, since a tone means nothing to a stand-in.
"""

from __future__ import annotations

from hookflash_local.carrier.exchange import Exchange
from hookflash_local.carrier.leg import Leg

_SECONDS = {"w": 0.5, "W": 1.0}
KEY_SECONDS = 0.2


async def send_digits(exchange: Exchange, leg: Leg, digits: str) -> None:
    """Press `digits` one after another and return when the last was sent."""
    leg.note("send-digits", digits=digits)
    await exchange.clock.sleep(sum(_SECONDS.get(digit, KEY_SECONDS) for digit in digits))
