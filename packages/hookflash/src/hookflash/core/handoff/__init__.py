"""Bringing a human onto the call: who is wanted, rung, asked, met, and what comes after.

`handoff.py` is the machine's state, `states.py` its table of states and limits. What happens:
`asking.py` (wanted, checked, called off), `ringing.py` (rung, one after another or all at once),
`screening.py` (asked whether they take the call), `meeting.py` (both meet and part), `outcome.py`
(nobody was reached, or the human is done), `left_messages.py` (what is left for the owner).
"""

from hookflash.core.handoff.handoff import Handoff

__all__ = ["Handoff"]
