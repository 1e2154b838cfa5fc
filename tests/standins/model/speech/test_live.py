"""Whole turns in real time with the real process: an answer, an interruption, a human."""

INSTRUCTIONS = (
    "You are the receptionist of Harbour Bikes.\n"
    "- We are open Monday to Friday from nine to six, and on Saturday from ten to two.\n"
    "- To cancel a subscription, write to us by the end of the month, with your name, your address"
    " and the number of your subscription, and we send you a confirmation within a week.\n"
)
TRANSFER = {
    "type": "function",
    "name": "transfer_to_human",
    "description": "Bring a human onto this call.",
    "parameters": {"type": "object", "properties": {"reason": {"type": "string"}}},
}
BUSY_SECONDS = 20.0
"""A bound for a machine that runs other tests; bench/turns.py measures what an idle one takes."""
