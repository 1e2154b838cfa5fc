"""The machine of the conversation: what it consists of, and what the caller's leg does to it.

    AWAY --the caller is to get a stream--> AWAITED --stream--> LIVE --stream lost--> CUT_OFF
      ^                                                          |                       |
      +--------- the caller's leg goes elsewhere ----------------+-----------------------+

While it is not live, late events of stream and model only complete the transcript.
"""

from __future__ import annotations

from typing import Literal

from hookflash.core import lines
from hookflash.core.commands import (
    AddMessage,
    CloseModel,
    Message,
    OpenModel,
    SendToolOutput,
)
from hookflash.core.conversation.announced_action import AnnouncedAction
from hookflash.core.conversation.consent import Consent
from hookflash.core.conversation.cut import Cut
from hookflash.core.conversation.farewell import Farewell
from hookflash.core.conversation.keypad import Keypad
from hookflash.core.conversation.model_session import ModelSession
from hookflash.core.conversation.playout import Playout
from hookflash.core.conversation.requests import Kind, Request, Requests
from hookflash.core.conversation.states import (
    JUDGE_LIMITS,
    OWED_LIMITS,
    SILENCE_LIMITS,
    TURN_LIMITS,
    ConversationState,
    JudgeState,
    OwedState,
    SessionState,
    SilenceState,
    TurnState,
)
from hookflash.core.conversation.tool_calls import ToolCalls
from hookflash.core.conversation.transcript import Transcript
from hookflash.core.facts import Facts
from hookflash.core.phases import Phase
from hookflash.core.record import ToolUse
from hookflash.core.setup import CallSetup
from hookflash.core.signals import Step
from hookflash.core.timers import Timer, earliest
from hookflash.core.tokens import Tokens
from hookflash.core.views import CallerLegView, HandoffView

_LAST_WORDS_SECONDS = 1.5
"""How long it is waited for what a caller has said over the last words."""


class Conversation:
    """What the agent and the caller say to each other, across all streams and sessions."""

    def __init__(
        self, setup: CallSetup, facts: Facts, leg: CallerLegView, handoff: HandoffView
    ) -> None:
        self.setup = setup
        self.facts = facts
        self.leg = leg
        self.handoff = handoff
        self.state = ConversationState.AWAY
        self.opening: Request | None = None
        """What the agent says first when stream and model are both there."""
        self.streams = 0
        self.barge_ins = 0
        self.tokens = Tokens()
        self.tool_uses: list[ToolUse] = []
        self.questions: dict[str, str] = {}
        """What a human was asked and has not answered, by the question's id."""
        self.decision: Literal["connect", "decline", "voicemail"] | None = None
        """What was settled with the human of a consulting leg, and why."""
        self.decision_reason = ""
        self.foreign: set[str] = set()
        """What is being heard although the session that said it is gone: item ids."""
        self.playout = Playout(lead_ms=setup.lead_ms, chunk_ms=setup.chunk_ms)
        self.requests = Requests()
        self.tools = ToolCalls()
        self.farewell = Farewell(setup.farewell_seconds)
        self.announced = AnnouncedAction()
        self.model = ModelSession(
            seconds=setup.model_seconds,
            attempts=setup.model_attempts,
            session_seconds=setup.session_seconds,
        )
        self.keypad = Keypad()
        self.owed = Timer(OWED_LIMITS, OwedState.NOTHING)
        self.owes_answer = False
        """Whether the caller's turn has ended and nothing of the agent was heard since."""
        self.not_an_answer: str | None = None
        """The response that was being said when the caller's turn ended."""
        self.fills = 0
        """How often something prepared was played since the agent was heard."""
        self.ringings = 0
        self.fetched = 0
        self.fetching = ""
        """The newest sound that was fetched to be played without a model: its item id."""
        self.transcript = Transcript()
        self.turn = Timer(TURN_LIMITS, TurnState.OVER)
        self.silence = Timer(SILENCE_LIMITS, SilenceState.OFF)
        self.prompts = 0
        """How often a silent caller was asked whether they are there."""
        self.said_last: list[str] = []
        self.same_words = 0
        """How often the caller has said the same words, one time after another."""
        self.judge = Timer(JUDGE_LIMITS, JudgeState.NONE)
        self.cut: Cut | None = None
        """What was cut by a sound of the caller that is still to be judged."""
        # A human who is consulted has agreed to nothing.
        wanted = setup.record and setup.consult is None
        self.consent = Consent(record=wanted, line=setup.consent)

    @property
    def live(self) -> bool:
        """Whether the caller has an open stream to the agent."""
        return self.state is ConversationState.LIVE

    @property
    def answering(self) -> bool:
        """Whether there is a session to hear from; what comes of one that is gone is too late."""
        return self.live and self.model.state is SessionState.READY

    @property
    def hears(self) -> bool:
        """Whether somebody hears the caller. Only an event other than sound can change it."""
        return self.live and self.model.listening

    @property
    def judging_seconds(self) -> float:
        """How long the words of a caller who has spoken over the agent are waited for."""
        if self.setup.interruption.resume_false_interruption:
            return self.setup.interruption.false_interruption_timeout
        return _LAST_WORDS_SECONDS

    @property
    def spoke(self) -> bool:
        """Whether a response is running of which something was to be heard."""
        return self.requests.answering and self.requests.spoke

    @property
    def closed(self) -> bool:
        """Whether the call is over."""
        return self.leg.phase is Phase.ENDED

    @property
    def deadline(self) -> float | None:
        """When `expire` has something to do."""
        return earliest(
            self.playout.deadline,
            self.requests.deadline,
            self.farewell.deadline if self.live else None,
            self.model.deadline,
            self.keypad.deadline,
            self.owed.due,
            self.turn.due,
            self.silence.due,
            self.judge.due,
        )

    # --- what the caller's leg does ---------------------------------------------------------------

    def expect(self, opening: Request | None, known: str, step: Step) -> None:
        """The caller is to get a stream: have a model ready when it opens."""
        if self.model.listening:
            step.do(CloseModel())
        self.let_go(step.now)
        self.state = ConversationState.AWAITED
        self.opening = opening
        if known:
            self.transcript.note(Message("system", known))
        self.model.open(step.now)
        step.do(OpenModel(self.transcript.history()))

    def cut_off(self, step: Step) -> None:
        """The stream is over without our doing."""
        self.let_go(step.now)
        self.state = ConversationState.CUT_OFF
        step.do(CloseModel())

    def leave(self, step: Step) -> None:
        """The agent's part is over for now: its model is not needed, and nothing more is heard."""
        self.let_go(step.now)
        self.state = ConversationState.AWAY
        self.farewell.end(step.now)
        self.opening = None
        step.do(CloseModel())

    def close(self, step: Step) -> None:
        """The call is over."""
        step.do(*self.tools.cancel_all())
        self.leave(step)
        self.transcript.close()

    def recover(self, step: Step) -> None:
        """The call was rebuilt from its journal: stream, session and tools of before are gone."""
        self.let_go(step.now)
        self.tools.cancel_all()
        if self.live:
            self.state = ConversationState.CUT_OFF

    def resume(self, opening: Request | None) -> None:
        """Go on from where another version of the product has left this talk."""
        self.state = ConversationState.CUT_OFF
        self.opening = opening

    def settle(self, now: float) -> None:
        """The stream is over: what was heard on it was heard, and no more."""
        for fate in self.playout.stop(now):
            self.transcript.agent_heard(fate, now)

    def let_go(self, now: float) -> None:
        """Let go of stream and model: nothing more is heard or asked."""
        self.settle(now)
        self.requests.forget(now)
        self.requests.protected = False
        self.owed.enter(OwedState.NOTHING, now)
        self.turn.enter(TurnState.OVER, now)
        self.silence.enter(SilenceState.OFF, now)
        self.judge.enter(JudgeState.NONE, now)
        self.cut = None
        self.playout.release(now)
        self.owes_answer = False
        self.fills = self.ringings = 0
        self.keypad.take(now)
        self.tools.orphan_all()
        self.consent.interrupt()
        self.model.close(now)

    # --- speaking to the model --------------------------------------------------------------------

    def tell(self, text: str, step: Step) -> None:
        """Let this model know something, and any that comes after it."""
        message = Message("system", text)
        self.transcript.note(message)
        if self.model.listening:
            step.do(AddMessage(message))

    def ask(self, request: Request, step: Step) -> None:
        """Have the model speak, now or as soon as there is a session that is heard."""
        if self.answering:
            step.do(*self.requests.ask(request, step.now))
        else:
            self.requests.put(request)

    def answer_tool(self, call_id: str, output: str, step: Step) -> None:
        """Answer a call of one of our own tools; another session than asked is told in words."""
        if self.tools.asked_before(call_id):
            self.tell(lines.outcome_of_own_tool(output), step)
        else:
            step.do(SendToolOutput(call_id, output))

    def greeting(self) -> Request | None:
        """Return the first words of a call, before which nothing has to be said. None: the caller
        speaks first."""
        consult = self.setup.consult
        if consult is not None:
            return Request(Kind.GREETING, lines.briefing(consult.briefing))
        if self.setup.greeting is None:
            return None
        return Request(Kind.GREETING, lines.greeting(self.setup.greeting))
