"""The talk on one stream with one model.

`conversation.py` is the machine; each other file is one concept: what the caller has heard
(`playout.py`, `latency.py`), who speaks when (`turns.py`, `requests.py`), what is said last
(`farewell.py`), the model's session (`sessions.py`, `model_session.py`), tools (`tools.py`,
`tool_calls.py`), consent to recording (`consent.py`), the keypad, the transcript, and people
around the call who have a word in it (`supervising.py`).
"""

from hookflash.core.conversation.conversation import Conversation

__all__ = ["Conversation"]
