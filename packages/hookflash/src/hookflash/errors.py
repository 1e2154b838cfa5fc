"""Everything this package raises, in one tree, named by whose fault it is or by the remedy.

    HookflashError
      ConfigError              the owner must change something: says what and where
      ProtocolError            a peer broke the format
        CarrierProtocolError
        ModelProtocolError
      CallNotPlaced            a call may not be placed now: reason, retry_after
      CarrierError             the carrier refused: status, code, retryable, gone
      ModelError               the model refused: code, fatal
      ToolError                raised by a tool; its text is for the model
      IllegalTransition        our own mistake: names event and state

Each class has a stable `code` for logs, `--json` output and tests. A message says what was
expected, what came and what to do.
"""

from __future__ import annotations


class HookflashError(Exception):
    """The root of the tree: catch this to catch everything that Hookflash raises on purpose."""

    code = "hookflash"


class ConfigError(HookflashError):
    """A setting, an agent or a plan is missing or invalid; its text says what to change."""

    code = "config"


class ProtocolError(HookflashError):
    """A peer sent something that its protocol does not allow."""

    code = "protocol"


class CarrierProtocolError(ProtocolError):
    """The carrier sent something that its protocol does not allow."""

    code = "carrier-protocol"


class ModelProtocolError(ProtocolError):
    """The model's service sent something that its protocol does not allow."""

    code = "model-protocol"


class CallNotPlaced(HookflashError):
    """A call may not be placed, or not now.

    - `reason`: `do_not_call`, `hours`, `time_zone`, `prefix`, `lines` (as many calls as allowed are
      out already), `spend` or `draining`.
    - `retry_after`: in how many seconds it may be placed; None if that is not known.
    """

    code = "call-not-placed"

    def __init__(self, message: str, *, reason: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.retry_after = retry_after


class CarrierError(HookflashError):
    """The carrier refused a request, or did not answer it.

    - `status`: the HTTP status; None if no answer came.
    - `carrier_code`: the carrier's own number for the error, if it gave one.
    - `retryable`: whether the same request may succeed a moment later.
    - `gone`: whether the call was already over. That is a normal race, not a failure.
    - `retry_after`: how many seconds the carrier asks to wait before that; None if it does not say.
    """

    code = "carrier"

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        carrier_code: int | None = None,
        retryable: bool = False,
        gone: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.carrier_code = carrier_code
        self.retryable = retryable
        self.gone = gone
        self.retry_after = retry_after


class ModelError(HookflashError):
    """The model refused a session, or did not answer.

    - `model_code`: the model's own code for the error; empty if it gave none.
    - `fatal`: whether trying again cannot help, such as after a wrong key.
    """

    code = "model"

    def __init__(self, message: str, *, model_code: str = "", fatal: bool = False) -> None:
        super().__init__(message)
        self.model_code = model_code
        self.fatal = fatal


class ToolError(HookflashError):
    """Raise this in a tool. Its text goes to the model, which tells the caller in its own words."""

    code = "tool"


class IllegalTransition(HookflashError):
    """A state machine got an event that its state cannot take: a bug in Hookflash.

    - `state`: the state's name.
    - `event`: the event's name.
    """

    code = "illegal-transition"

    def __init__(self, state: str, event: str) -> None:
        super().__init__(f"event {event} is not possible in state {state}: please report this")
        self.state = state
        self.event = event
