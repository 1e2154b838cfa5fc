"""The talk on one stream with one model.

`conversation.py` is the machine, `states.py` its states and their limits, `handlers.py` its events.
Each other file is one concept:

    what the caller has heard      playout, latency
    who speaks when                turns, requests, interruptions, backchannel, cut
    what is missed                 owed_answer (the agent's), silent_caller
    first and last words           speaking, farewell, consent
    the model's session            model_session, session_replacement
    tools                          tools, tool_calls, announced_action
    who else has a word in it      supervising, keypad
    what was said                  transcript
"""

from hookflash.core.conversation.conversation import Conversation

__all__ = ["Conversation"]
