"""Bringing a human onto the call, and what comes after.

`handoff.py` is the machine: its request, its times and its attempts. `dispatch.py` says which
function takes each event. `states.py` says what leads from one state to another, `limits.py` how
long each state may last. Each other file is one concept:

    starting        somebody asks for a human: opening hours, and how the hand-off begins
    ring_order      which targets ring together, and which ring next
    ringing         the carrier rings the humans' telephones
    legs            the humans' legs
    screening       a human answers: the whisper, and the key that takes the call
    whisper         the text that a human hears first
    bridging        the caller and the human are bridged, talk, and part
    outcome         nobody was reached, or the human is done
    cancelling      the hand-off is cancelled, or telephones stop ringing
    queueing        what a caller in a queue hears
    left_messages   voicemail, callbacks and unanswered questions, for the owner
"""

from hookflash.core.handoff.handoff import Handoff

__all__ = ["Handoff"]
