"""Everything this package raises, in one tree, named by whose fault it is or by the remedy.

    HookflashError
      ConfigError              the owner must change something: says what and where
      ProtocolError            a peer broke the format
        CarrierProtocolError
        ModelProtocolError
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
    """A setting, an agent or a plan is missing or wrong; the text says what to change and where."""

    code = "config"


class ProtocolError(HookflashError):
    """A peer sent something that its protocol does not allow."""

    code = "protocol"


class CarrierProtocolError(ProtocolError):
    code = "carrier-protocol"


class ModelProtocolError(ProtocolError):
    code = "model-protocol"


class CarrierError(HookflashError):
    """The carrier refused a request, or did not answer it.

    `status` is the HTTP status (None when nothing came back), `carrier_code` the carrier's own
    number, `retryable` whether the same request may succeed a moment later, and `gone` whether
    the call was already over, which is a normal race and never a failure of the line.
    `retry_after` is how many seconds the carrier asks to wait before that, if it says so.
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
    """The model could not be had. `fatal` means that trying again cannot help."""

    code = "model"

    def __init__(self, message: str, *, model_code: str = "", fatal: bool = False) -> None:
        super().__init__(message)
        self.model_code = model_code
        self.fatal = fatal


class ToolError(HookflashError):
    """Raise this in a tool: its text goes to the model, which tells the caller in its own words."""

    code = "tool"


class IllegalTransition(HookflashError):
    """A state machine was given an event that its state cannot take: a bug of ours."""

    code = "illegal-transition"

    def __init__(self, state: str, event: str) -> None:
        super().__init__(f"event {event} is not possible in state {state}: please report this")
        self.state = state
        self.event = event
