"""The talk between the caller and the agent, on one stream with one model.

`conversation.py` is the machine. `dispatch.py` says which function takes each event. `states.py`
has the states, `limits.py` how long each may last. Each other file is one concept:

    playout              what the caller has heard of the agent's speech
    latency              the round trip to the carrier, and when sound is played
    turns                who speaks when: speech both ways, responses, keys
    requests             requests for responses: what is said first, and what waits
    interruptions        barge-in, and whether the caller meant it
    backchannel_words    words such as "mm-hm" that interrupt nothing
    cut_speech           the speech that a barge-in has cut
    speaking             first words, last words, and what waits until the agent is silent
    farewell             how far the last words are
    consent              the line that must be heard before recording begins
    fillers              what a caller hears while an answer, a tool or a human takes time
    silent_caller        what happens when the caller says nothing
    tools                what each tool call does
    running_tools        which tools have not answered yet
    announced_action     an agent that announces a transfer has to make it
    model_session        whether there is a session with the model
    session_replacement  how a lost or old session is replaced
    transcript           who said what, as heard
    keypad               the key that brings a human, and entries for the model
    digit_buffer         keys are counted until an entry is complete
    digit_collection     whether a tool waits for digits, and how many were typed
    collecting           how digits are collected for a tool
    supervising          supervisors, and humans who are asked something
"""

from hookflash.core.conversation.conversation import Conversation

__all__ = ["Conversation"]
