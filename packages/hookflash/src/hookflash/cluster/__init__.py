"""Several processes for one line: which process has a call, how they communicate, who starts them.

Everything here is local to one machine and one data folder, and independent of telephony. Unix
only: Windows has neither the sockets nor the locks, so it serves with one process.
"""
