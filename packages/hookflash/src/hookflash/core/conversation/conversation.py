"""The machine of the conversation: its parts, and how it opens, closes and recovers.

    AWAY --the caller is to get a stream--> AWAITED --stream--> LIVE --stream lost--> CUT_OFF
      ^                                                          |                       |
      +--------- the caller's leg goes elsewhere ----------------+-----------------------+

While it is not LIVE, late events of the stream and the model only complete the transcript.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from hookflash.core import prompts
from hookflash.core.call_info import CallInfo
from hookflash.core.commands import (
    AddMessage,
    CloseModel,
    Message,
    OpenModel,
    ReportKeys,
    SendToolOutput,
)
from hookflash.core.conversation.announced_action import AnnouncedAction
from hookflash.core.conversation.call_length import CallLength
from hookflash.core.conversation.consent import Consent
from hookflash.core.conversation.cut_speech import CutSpeech
from hookflash.core.conversation.digit_buffer import DigitBuffer
from hookflash.core.conversation.digit_collection import DigitCollection
from hookflash.core.conversation.farewell import Farewell
from hookflash.core.conversation.limits import (
    CALLEE_LIMITS,
    JUDGE_LIMITS,
    JUDGE_SECONDS,
    KEYS_LIMITS,
    OWED_LIMITS,
    SILENCE_LIMITS,
    TOOL_LINE_LIMITS,
    TURN_LIMITS,
)
from hookflash.core.conversation.model_session import ModelSession
from hookflash.core.conversation.playout import Playout
from hookflash.core.conversation.requests import Kind, Request, Requests
from hookflash.core.conversation.running_tools import RunningTools
from hookflash.core.conversation.states import (
    CalleeState,
    ConversationState,
    JudgeState,
    KeysState,
    OwedState,
    SessionState,
    SilenceState,
    ToolLineState,
    TurnState,
)
from hookflash.core.conversation.transcript import Transcript
from hookflash.core.disposition import Disposition
from hookflash.core.machine_views import CallerLegView, HandoffView
from hookflash.core.phases import Phase
from hookflash.core.record import AgentTransfer, ToolUse
from hookflash.core.setup import CallSetup
from hookflash.core.signals import Step, StreamLost
from hookflash.core.summary import extract
from hookflash.core.timers import Timer, earliest
from hookflash.core.token_usage import Tokens


class AgentChange(msgspec.Struct, frozen=True):
    """A request that another agent takes the call. `call_id` is the tool call that asked."""

    key: str
    call_id: str
    reason: str
    summary: str


class Conversation:
    """What the agent and the caller say to each other, across all streams and sessions."""

    def __init__(
        self, setup: CallSetup, info: CallInfo, leg: CallerLegView, handoff: HandoffView
    ) -> None:
        self.setup = setup
        self.info = info
        self.leg = leg
        self.handoff = handoff
        self.state = ConversationState.AWAY
        self.opening: Request | None = None
        """What the agent says first when the stream and the session are both open."""
        self.streams = 0
        self.stalled = False
        """Whether the last stream carried nothing when it was given up."""
        self.barge_ins = 0
        self.tokens = Tokens()
        self.tool_uses: list[ToolUse] = []
        self.questions: dict[str, str] = {}
        """The questions that a human has not answered, by id."""
        self.decision: Literal["connect", "decline", "voicemail"] | None = None
        """What the human on a consulting leg has decided."""
        self.decision_reason = ""
        self.foreign: set[str] = set()
        """The ids of items that the caller hears and the session does not know."""
        self.playout = Playout(lead_ms=setup.lead_ms, chunk_ms=setup.chunk_ms)
        self.requests = Requests(setup.language)
        self.tools = RunningTools()
        self.farewell = Farewell(setup.farewell_seconds)
        self.announced = AnnouncedAction()
        self.model = ModelSession(
            seconds=setup.model_seconds,
            attempts=setup.model_attempts,
            session_seconds=setup.session_seconds,
        )
        self.digits = DigitBuffer()
        self.collection = DigitCollection()
        self.owed = Timer(OWED_LIMITS, OwedState.NOTHING)
        self.tool_line = Timer(TOOL_LINE_LIMITS, ToolLineState.NONE)
        self.owes_answer = False
        """Whether the caller's turn has ended, and the agent has not answered it yet."""
        self.not_an_answer: str | None = None
        """The response that was running when the caller's turn ended."""
        self.fillers = 0
        """How many fillers were played since the agent was heard."""
        self.ringings = 0
        self.prepared_count = 0
        self.prepared_id = ""
        """The item id of the newest prepared sound."""
        self.transcript = Transcript()
        self.turn = Timer(TURN_LIMITS, TurnState.OVER)
        self.silence = Timer(SILENCE_LIMITS, SilenceState.OFF)
        self.callee = Timer(CALLEE_LIMITS, CalleeState.NONE)
        self.keys = Timer(KEYS_LIMITS, KeysState.NONE)
        self.press: tuple[str, str] | None = None
        """The keys that are pressed: the id of the request, and the digits."""
        self.change: AgentChange | None = None
        """The agent that is being brought."""
        self.before: CallSetup | None = None
        """The setup of the agent before, until the present one has spoken."""
        self.transfers: list[AgentTransfer] = []
        self.machine: Disposition | None = None
        """How a call that a machine has answered ends, once that is known."""
        self.prompts = 0
        """How often the silent caller was asked whether they are there."""
        self.said_last: list[str] = []
        self.same_words = 0
        """How often in a row the caller has said the same words."""
        self.judge = Timer(JUDGE_LIMITS, JudgeState.NONE)
        self.cut: CutSpeech | None = None
        """The speech that was cut by a sound of the caller that is still to be judged."""
        # Only the caller's call is limited; the agent's call with a human belongs to it.
        self.speaks_on = False
        """Whether the agent just speaks on, and no rule has to be asked about its sound."""
        self.length = CallLength(setup.max_call_seconds if setup.consult is None else None)
        # A human who is consulted has not consented to a recording.
        wanted = setup.record and setup.consult is None
        self.consent = Consent(record=wanted, line=setup.consent)

    @property
    def live(self) -> bool:
        """Whether the caller has an open stream to the agent."""
        return self.state is ConversationState.LIVE

    @property
    def mailbox_greets(self) -> bool:
        """Whether a mailbox has answered and its greeting may go on: the agent says nothing."""
        return self.callee.state in (CalleeState.GREETING, CalleeState.QUIET, CalleeState.TONE)

    @property
    def answering(self) -> bool:
        """Whether the caller is on a stream and the session is open."""
        return self.live and self.model.state is SessionState.READY

    @property
    def hears(self) -> bool:
        """Whether the model hears the caller. Only an event other than sound can change it."""
        return self.live and self.model.listening and not self.collection.private

    @property
    def misses_turns(self) -> bool:
        """Whether no session reports what the caller says now, so their voice level decides."""
        unready = self.model.state in (SessionState.OPENING, SessionState.WAITING)
        heard = self.collection.private or self.farewell.purpose is not None
        return self.live and not heard and (unready or self.turn.state is TurnState.MISSED)

    @property
    def judging_seconds(self) -> float:
        """How long the transcript of a caller who spoke over the agent is awaited."""
        if self.setup.interruption.resume_false_interruption:
            return self.setup.interruption.false_interruption_timeout
        return JUDGE_SECONDS

    @property
    def spoke(self) -> bool:
        """Whether a response is running that has made a sound."""
        return self.requests.answering and self.requests.spoke

    @property
    def owed_due(self) -> float | None:
        """When something is played to a caller who waits; None: nothing is due."""
        return earliest(self.owed.due, self.tool_line.due)

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
            self.digits.deadline,
            self.collection.deadline,
            self.owed_due,
            self.turn.due,
            self.silence.due,
            self.callee.due if self.live else None,
            self.keys.due if self.live else None,
            self.judge.due,
            self.length.due,
        )

    # --- opening and closing ----------------------------------------------------------------------

    def expect(self, opening: Request | None, known: str, step: Step) -> None:
        """The caller is to get a stream: open a session, so that it is ready in time."""
        if self.model.listening:
            step.do(CloseModel())
        self.interrupt_collection(step)
        self.reset(step.now)
        self.state = ConversationState.AWAITED
        self.opening = opening
        if known:
            self.transcript.note(Message("system", known))
        self.model.open(step.now)
        step.do(OpenModel(self.transcript.history()))

    def report_keys(self, step: Step, *, pressed: bool) -> None:
        """Tell the tool that waits whether its keys were pressed."""
        press, self.press = self.press, None
        self.keys.enter(KeysState.NONE, step.now)
        if press is not None:
            step.do(ReportKeys(press[0], pressed))

    def cut_off(self, signal: StreamLost, step: Step) -> None:
        """The stream ended, not by a command."""
        self.report_keys(step, pressed=False)
        self.interrupt_collection(step)
        self.reset(step.now)
        self.stalled = signal.stalled
        self.state = ConversationState.CUT_OFF
        step.do(CloseModel())

    def leave(self, step: Step) -> None:
        """The caller leaves the agent: close the session."""
        self.report_keys(step, pressed=False)
        # Whether the newest agent can speak does not matter any more.
        self.before = self.change = None
        self.interrupt_collection(step)
        self.reset(step.now)
        self.state = ConversationState.AWAY
        self.farewell.end(step.now)
        self.opening = None
        step.do(CloseModel())

    def close(self, step: Step) -> None:
        """The call is over."""
        step.do(*self.tools.cancel_all())
        self.interrupt_collection(step, over=True)
        self.leave(step)
        self.transcript.close()

    def recover(self, step: Step) -> None:
        """The call was rebuilt from its journal: its stream, session and tools are gone."""
        self.report_keys(step, pressed=False)
        self.interrupt_collection(step)
        self.reset(step.now)
        self.tools.cancel_all()
        if self.live:
            self.state = ConversationState.CUT_OFF

    def resume(self, opening: Request | None) -> None:
        """Go on where another version of Hookflash left this conversation."""
        self.state = ConversationState.CUT_OFF
        self.opening = opening

    def settle(self, now: float) -> None:
        """The stream is over: write down what was heard of each item."""
        for settled in self.playout.stop(now):
            self.transcript.agent_heard(settled, now)

    def reset(self, now: float) -> None:
        """Forget everything that belongs to the stream and the session."""
        self.settle(now)
        self.requests.forget(now)
        self.requests.protected = False
        self.owed.enter(OwedState.NOTHING, now)
        self.tool_line.enter(ToolLineState.NONE, now)
        self.turn.enter(TurnState.OVER, now)
        self.silence.enter(SilenceState.OFF, now)
        self.judge.enter(JudgeState.NONE, now)
        self.length.pause(now)
        self.cut = None
        self.playout.release(now)
        self.owes_answer = False
        self.fillers = self.ringings = 0
        self.digits.take(now)
        self.tools.orphan_all()
        self.consent.stream_lost()
        self.model.close(now)

    def interrupt_collection(self, step: Step, *, over: bool = False) -> None:
        """End a collection of digits, which needs the stream. The next session is told of it."""
        was_open = self.collection.open
        step.do(*self.collection.interrupt(step.now, over=over))
        if was_open:
            self.transcript.note(Message("system", prompts.DIGITS_INTERRUPTED))

    # --- speaking to the model --------------------------------------------------------------------

    def tell(self, text: str, step: Step) -> None:
        """Add `text` to the conversation of this session and of every later one."""
        message = Message("system", text)
        self.transcript.note(message)
        if self.model.listening:
            step.do(AddMessage(message))

    def ask(self, request: Request, step: Step) -> None:
        """Have the model speak, now or as soon as the stream and the session are open."""
        if self.answering:
            step.do(*self.requests.ask(request, step.now))
        else:
            self.requests.put(request)

    def answer_tool(self, call_id: str, output: str, step: Step) -> None:
        """Answer the call of a built-in tool. A session that did not call it gets a message."""
        if self.tools.asked_before(call_id):
            self.tell(prompts.outcome_of_own_tool(output), step)
        else:
            step.do(SendToolOutput(call_id, output))

    def summary(self) -> str:
        """Return what the caller has said and what the tools found, for a human who is rung.

        It is used if the request for the human has no summary. Empty if nothing was said.
        """
        return extract(self.transcript.utterances(0.0), self.tool_uses, "")

    def greeting(self) -> Request | None:
        """Return the request for the greeting. None: the caller speaks first."""
        consult = self.setup.consult
        if consult is not None:
            return Request(Kind.GREETING, prompts.briefing(consult.briefing))
        if self.setup.greeting is None:
            return None
        return Request(Kind.GREETING, prompts.greeting(self.setup.greeting))
