"""Where the caller's leg is, and the two roads from one place to the next.

`caller_leg.py` is the machine, `places.py` its table of states and limits, `route.py` the roads.
"""

from hookflash.core.caller_leg.caller_leg import CallerLeg

__all__ = ["CallerLeg"]
