// The words for states. Generated from `hookflash/core/state_words.py` by `make reference`.

export const CALL_STATES = {
  "answering": {
    "means": "The call has arrived, and the agent has not answered yet.",
    "kind": "quiet"
  },
  "talking": {
    "means": "The caller talks with the agent.",
    "kind": "agent"
  },
  "asking": {
    "means": "The agent waits for an answer from a console.",
    "kind": "asks"
  },
  "checking": {
    "means": "Hookflash asks who is free.",
    "kind": "handoff"
  },
  "farewell": {
    "means": "The agent speaks its last words to the caller.",
    "kind": "handoff"
  },
  "moving": {
    "means": "The carrier moves the caller off the stream.",
    "kind": "handoff"
  },
  "ringing": {
    "means": "A human's phone rings.",
    "kind": "handoff"
  },
  "screening": {
    "means": "A human answered and hears the whisper.",
    "kind": "handoff"
  },
  "closing": {
    "means": "A human accepted, and the agent speaks its last words.",
    "kind": "handoff"
  },
  "bridging": {
    "means": "The caller and the human are connected.",
    "kind": "handoff"
  },
  "with human": {
    "means": "The caller talks with a human.",
    "kind": "human"
  },
  "parting": {
    "means": "The human is leaving the caller.",
    "kind": "handoff"
  },
  "returning": {
    "means": "The caller goes back to the agent.",
    "kind": "handoff"
  },
  "message": {
    "means": "Nobody was reached, and a message is taken.",
    "kind": "handoff"
  },
  "handing off": {
    "means": "The caller is on the way to a human.",
    "kind": "handoff"
  },
  "ending": {
    "means": "The call is about to end.",
    "kind": "quiet"
  },
  "ended": {
    "means": "The call is over.",
    "kind": "quiet"
  }
};

export const OUTCOMES = {
  "bridged": "The human talked with the caller",
  "busy": "was busy",
  "no-answer": "did not answer",
  "declined": "declined",
  "failed": "could not be rung",
  "machine": "had a mailbox answer",
  "timeout": "took too long",
  "refused": "was refused by the carrier",
  "human-gone": "took the call and hung up too soon",
  "closed": "was closed",
  "cancelled": "was cancelled",
  "caller-gone": "was too late: the caller hung up"
};

export const DISPOSITIONS = {
  "handled_by_agent": "handled by agent",
  "handed_off": "handed off",
  "voicemail": "voicemail",
  "callback": "callback",
  "abandoned": "abandoned",
  "failed": "failed",
  "time_limit": "time limit",
  "busy": "busy",
  "no_answer": "no answer",
  "cancelled": "cancelled",
  "machine": "machine",
  "message_left": "message left",
  "fax": "fax"
};

export const DELIVERY_STATES = {
  "waiting": "The next attempt is due.",
  "delivered": "A receiver has accepted it.",
  "dead": "All attempts failed. It can be retried.",
  "unroutable": "No function and no webhook accepts it. It can be retried."
};

export const TOOL_STATES = {
  "running": "The tool runs.",
  "answered": "The tool has answered.",
  "failed": "The tool raised, took too long, or got arguments that do not fit.",
  "cancelled": "The answer was no longer needed."
};

export const SOURCES = {
  "tool": "the agent",
  "caller": "the caller",
  "console": "a supervisor",
  "policy": "a policy",
  "failure": "a failure",
  "application": "an application of yours"
};
