"""What a test expects of a call. Each check returns the expectations again: checks form a chain.

A check that fails raises AssertionError: what was expected, what came, and the call's timeline.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal, Self

from hookflash.core.disposition import Disposition
from hookflash.replay.timeline import ToolSpan, read_timeline

if TYPE_CHECKING:
    from hookflash_local.testing.played_call import PlayedCall

Text = str | re.Pattern[str]
"""A text that is contained, in any case of letters, or a pattern that is found."""


class Expectations:
    """The checks of one call up to now."""

    def __init__(self, call: PlayedCall) -> None:
        self._call = call

    def agent_said(self, text: Text) -> Self:
        """The caller has heard the agent say `text`, in one sentence or across several."""
        __tracebackhide__ = True
        said = self._heard("agent")
        return self._check(
            contains(" ".join(said), text), f"the agent to say {_shown(text)}", _list(said)
        )

    def agent_did_not_say(self, text: Text) -> Self:
        """The caller has not heard the agent say `text`."""
        __tracebackhide__ = True
        said = self._heard("agent")
        found = contains(" ".join(said), text)
        return self._check(not found, f"the agent not to say {_shown(text)}", _list(said))

    def caller_said(self, text: Text) -> Self:
        """The agent has understood the caller to say `text`."""
        __tracebackhide__ = True
        said = self._heard("caller")
        return self._check(
            contains(" ".join(said), text), f"the caller to say {_shown(text)}", _list(said)
        )

    def human_heard(self, text: Text) -> Self:
        """A human who was called has heard `text` from the carrier's voice, as in a whisper."""
        __tracebackhide__ = True
        heard = self._call.humans_heard
        return self._check(
            contains(" ".join(heard), text), f"a human to hear {_shown(text)}", _list(heard)
        )

    def model_was_told(self, text: Text) -> Self:
        """The model was told `text`, by instructions of a response or the output of a tool."""
        __tracebackhide__ = True
        told = self._call.told
        return self._check(
            contains("\n".join(told), text), f"the model to be told {_shown(text)}", _list(told)
        )

    def called(self, tool: str, /, **arguments: object) -> Self:
        """The model has called a tool of the agent, with at least these arguments."""
        __tracebackhide__ = True
        uses = [use for use in self._tools() if use.name == tool]
        wanted = f"a call of {tool}" + (f" with {_json(arguments)}" if arguments else "")
        fits = any(_has(use.arguments, arguments) for use in uses)
        came = _list([f"{use.name} {use.arguments}" for use in self._tools()])
        return self._check(fits, wanted, came)

    def did_not_call(self, tool: str, /) -> Self:
        """The model has not called this tool of the agent."""
        __tracebackhide__ = True
        uses = [use for use in self._tools() if use.name == tool]
        came = _list([f"{use.name} {use.arguments}" for use in uses])
        return self._check(not uses, f"no call of {tool}", came)

    def handed_off(
        self, destination: str, *, outcome: str = "bridged", reason: Text | None = None
    ) -> Self:
        """There was an attempt to reach `destination` that ended with `outcome`.

        Outcomes are those of the record, such as `bridged`, `busy`, `no-answer`, `declined`,
        `machine` and `closed`. A talk with a human that still goes on counts as `bridged`.
        """
        __tracebackhide__ = True
        attempts = [(each.destination, each.outcome, each.reason) for each in self._call.attempts]
        attempts += self._call.talks_now
        wanted = f"a hand-off to {destination} with outcome {outcome}"
        if reason is not None:
            wanted += f" and reason {_shown(reason)}"
        fits = any(
            key == destination and ended == outcome and (reason is None or contains(why, reason))
            for key, ended, why in attempts
        )
        came = _list([f"{key}: {ended} ({why})" for key, ended, why in attempts])
        return self._check(fits, wanted, came)

    def not_handed_off(self, destination: str | None = None) -> Self:
        """No caller was connected with a human, of this destination or at all."""
        __tracebackhide__ = True
        attempts = [(each.destination, each.outcome) for each in self._call.attempts]
        attempts += [(key, ended) for key, ended, _ in self._call.talks_now]
        bridged = [
            key for key, ended in attempts if ended == "bridged" and destination in (None, key)
        ]
        return self._check(not bridged, "no human to be connected", _list(bridged))

    def delivered(
        self,
        kind: Literal["voicemail", "callback", "message"],
        *,
        number: str | None = None,
        says: Text | None = None,
    ) -> Self:
        """The call has left something for its owner, such as a callback.

        `number` is the callback's, `says` is in the wish, the transcript or the summary.
        """
        __tracebackhide__ = True
        wanted = f"a delivery of kind {kind}"
        wanted += f" with number {number}" if number else ""
        wanted += f" that says {_shown(says)}" if says is not None else ""
        found = self._call.deliveries
        fits = any(
            each.kind == kind
            and number in (None, each.number)
            and (
                says is None or contains(" ".join((each.wish, each.transcript, each.summary)), says)
            )
            for each in found
        )
        came = _list(
            [f"{each.kind} {each.number} {each.wish or each.transcript}" for each in found]
        )
        return self._check(fits, wanted, came)

    def disposition(self, wanted: Disposition) -> Self:
        """The call has ended like this. Wait for its end first, with `ends` or by hanging up."""
        __tracebackhide__ = True
        record = self._call.record
        came = "the call has no record yet" if record is None else record.disposition
        return self._check(came == wanted, f"the disposition {wanted}", came)

    def _check(self, holds: bool, wanted: str, came: str) -> Self:
        __tracebackhide__ = True
        if not holds:
            raise self._call.failure(f"expected {wanted}; came: {came}")
        return self

    def _heard(self, speaker: str) -> list[str]:
        spoken = sorted(read_timeline(self._call.journal).spoken, key=lambda each: each.start)
        return [each.text for each in spoken if each.speaker == speaker and each.text]

    def _tools(self) -> list[ToolSpan]:
        return read_timeline(self._call.journal).tools


def contains(text: str, wanted: Text) -> bool:
    """Whether `text` has `wanted`: contained in any case of letters, or found by a pattern."""
    if isinstance(wanted, re.Pattern):
        return wanted.search(text) is not None
    return " ".join(wanted.lower().split()) in " ".join(text.lower().split())


def _has(arguments: str, wanted: Mapping[str, object]) -> bool:
    try:
        found = json.loads(arguments)
    except ValueError:
        found = {}
    return isinstance(found, dict) and all(
        name in found and found[name] == value for name, value in wanted.items()
    )


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _shown(text: Text) -> str:
    return f"/{text.pattern}/" if isinstance(text, re.Pattern) else repr(text)


def _list(parts: Iterable[str]) -> str:
    return " | ".join(part for part in parts if part) or "nothing"
