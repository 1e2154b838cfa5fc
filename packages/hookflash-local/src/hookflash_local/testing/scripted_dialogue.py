"""A dialogue manager that a test drives, line by line.

    request with its own sentence (greeting, farewell ...)  -> says that sentence
    request in a consult with a human                       -> answers by the local rules
    any other request                                       -> waits for the test

The test answers with `give`. While a request waits, the virtual clock stands still, unless the test
lets it go on.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Sequence

from hookflash_local.model.components import CallTool, DialogueRequest, Say
from hookflash_local.model.speech import consult
from hookflash_local.model.speech.receptionist import reply
from hookflash_local.model.speech.response_instructions import (
    described_sentence,
    quoted_sentence,
)
from hookflash_local.model.speech.tool_forms import read_forms

Act = Say | CallTool


class ScriptedDialogue:
    """A `DialogueManager` that says and does what `give` was given, one list for each request."""

    def __init__(self) -> None:
        self.told: list[str] = []
        """What the model was told: the notes, and the instructions of single responses."""
        self._given: deque[Sequence[Act]] = deque()
        self._asked: asyncio.Future[Sequence[Act]] | None = None

    @property
    def waits(self) -> bool:
        """Whether a request waits for the test's answer."""
        return self._asked is not None and not self._asked.done()

    def give(self, acts: Sequence[Act]) -> None:
        """Answer the request that waits, or the next one."""
        if self._asked is not None and not self._asked.done():
            self._asked.set_result(acts)
        else:
            self._given.append(acts)

    async def answer(self, request: DialogueRequest) -> AsyncIterator[Act]:
        """Yield what to say and do."""
        self._note(request)
        if request.added and (
            line := quoted_sentence(request.added) or described_sentence(request.added)
        ):
            yield Say(line)
            return
        if consult.is_consult(read_forms(request.tools)):
            for act in reply(request):
                yield act
            return
        for act in self._given.popleft() if self._given else await self._ask():
            yield act

    async def _ask(self) -> Sequence[Act]:
        self._asked = asyncio.get_running_loop().create_future()
        try:
            return await self._asked
        finally:
            # Also if the response was cancelled: the answer is then for the next request.
            self._asked = None

    def _note(self, request: DialogueRequest) -> None:
        notes = [turn.text for turn in request.conversation if turn.role == "system"]
        texts = [*notes, *([request.added] if request.added else [])]
        self.told += [text for text in dict.fromkeys(texts) if text not in self.told]


def tool_call(name: str, arguments: dict[str, object]) -> CallTool:
    """Return the act that calls a tool."""
    return CallTool(name, json.dumps(arguments))
