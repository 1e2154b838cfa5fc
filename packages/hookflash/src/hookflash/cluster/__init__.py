"""Several processes on one line: who has which call, how they ask one another, who starts them.

Everything here is local to one machine and one data folder, and knows nothing of telephony.
Unix only: Windows has neither the sockets nor the locks, and serves with one process.
"""
