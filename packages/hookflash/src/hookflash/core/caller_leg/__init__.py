"""Where the caller's leg is, and how it is moved.

`caller_leg.py` is the machine, `states.py` has its states, `limits.py` how long each may last.
`route.py` moves the leg: by REST, or by closing the stream.
"""

from hookflash.core.caller_leg.caller_leg import CallerLeg

__all__ = ["CallerLeg"]
