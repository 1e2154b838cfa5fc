"""The agent: who answers the phone, what it knows, what it may do and whom it can bring in.

An `Agent` is what users write. It holds no call: it turns itself into the values that a call
and a model's session are set up with (`core.setup`). The model is shown destinations by key and
by when to choose them, never by number.
"""

from __future__ import annotations

import copy
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal, TypeVar, overload

import msgspec
from msgspec.structs import replace

from hookflash.agents import consult as consulting
from hookflash.agents.builtin_tool_specs import (
    END_CALL,
    STOP_RECORDING,
    agent_tool,
    handoff_tools,
)
from hookflash.agents.functions_of_call import Condition, TextFunction, check_takes_call
from hookflash.agents.hooks import Hooked
from hookflash.agents.mcp_servers import Approval, McpServer, make_hosted, make_server
from hookflash.agents.plans import (
    PLANS,
    AddressFunction,
    Plan,
    address_functions,
    handoff_plan,
)
from hookflash.agents.prepared_lines import own_texts
from hookflash.agents.tool import (
    DEFAULT_TIMEOUT_SECONDS,
    Tool,
    make_tool,
)
from hookflash.core.commands import Message
from hookflash.core.handoff_plan import Destination, HandoffPlan
from hookflash.core.interruption_settings import Interruption
from hookflash.core.model_options import ModelOptions, TurnDetection
from hookflash.core.phrases import ENGLISH, PHRASES, Phrases, phrases_of
from hookflash.core.setup import (
    LEAST_CALL_SECONDS,
    MOST_CALL_SECONDS,
    CallSetup,
    Consult,
    HostedServer,
    ModelSetup,
)
from hookflash.errors import ConfigError

CONSENT = ENGLISH.recording
"""What a caller hears before a recording begins, if the owner has not written a line."""

_F = TypeVar("_F", bound=Callable[..., Any])

_KEY = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_LANGUAGE = re.compile(r"[a-z]{2}")
_PHONE_KEY = re.compile(r"[0-9*#]")


class Agent(Hooked):
    """An AI agent that answers a line.

    - `name`: names the agent in logs, records and the console.
    - `instructions`: what the model is told, with the facts that it may tell callers. Or a function
      of the call that returns it, which needs `instructions_fallback`.
    - `instructions_fallback`: what the model is told if that function fails or is late.
    - `model`, `turn_detection`, `noise_reduction`, `transcription`, `speed` and
      `max_output_tokens`: this agent's model, where it differs from the line's settings. None takes
      the setting. `turn_detection` is a `ServerVad` or a `SemanticVad`. `noise_reduction` and
      `transcription` may be `"off"`. `speed` is 0.25 to 1.5, and `max_output_tokens` 1 to 4096 or
      `"inf"`.
    - `voice`: one of the model's voices; None takes the model's default.
    - `greeting`: what the agent says first, word for word. With `""` it greets in its own words;
      with None the caller speaks first. Or a function of the call that returns one of these. If it
      fails or is late, the agent greets in its own words.
    - `greeting_interruptible`: whether the caller can interrupt the greeting.
    - `language`: an ISO 639-1 code such as `"de"`. It helps the transcription, and chooses the
      phrases and the prepared texts.
    - `phrases`: your own words for what the carrier's voice says, in place of the language's.
    - `carrier_voice`: that voice, by Twilio's name such as `"Polly.Vicki-Neural"`; None: Twilio's
      for the language.
    - `fallback`: the key of the hand-off to use when no session with the model can be opened.
      Without it the caller then hears an apology.
    - `can_hang_up`: whether the model may end the call after saying goodbye.
    - `key_to_human`: a key such as `"0"` that brings a caller to a human.
    - `key_destination`: where that key leads; None takes `fallback`, or the only destination.
    - `digits`: whether the model gets what callers type on their keypad. `"hidden"`: it is told how
      many keys were pressed. `"shown"`: it is told which, and the journal has them as well. A tool
      gets digits by `CallContext.collect_digits`.
    - `record`: whether the call is recorded, from the moment when `consent` was heard.
    - `consent`: what the caller hears before a recording, by default the phrase `recording` of the
      language, "This call is recorded."; None says nothing and records from the start.
    - `prepared`: your texts for what callers hear while the model cannot speak, by the line's name:
      one text, or a list of variants, such as `{"filler": ["One moment.", "Let me see."]}`.
    - `interruption`: which sounds interrupt the agent; None takes `Interruption()`.
    - `away_timeout`: how long a caller may say nothing, in seconds, 1 to 3600. They are asked twice
      whether they are there; then the call ends with a goodbye. None waits without a limit.
    - `max_call_seconds`: how long the agent may talk with one caller, in seconds, 60 to 86400. Near
      the end it tells them; then it says goodbye and hangs up. Time in a queue or with a human does
      not count, and a talk with a human is not cut off. 0 is no limit; None takes the setting
      `HOOKFLASH_MAX_CALL_SECONDS`.

    Raises `ConfigError` if a value is invalid.
    """

    def __init__(
        self,
        name: str,
        *,
        instructions: str | TextFunction,
        instructions_fallback: str | None = None,
        model: str | None = None,
        turn_detection: TurnDetection | None = None,
        noise_reduction: Literal["near_field", "far_field", "off"] | None = None,
        transcription: str | None = None,
        speed: float | None = None,
        max_output_tokens: int | Literal["inf"] | None = None,
        voice: str | None = None,
        greeting: str | TextFunction | None = "",
        greeting_interruptible: bool = True,
        language: str | None = None,
        phrases: Phrases | None = None,
        carrier_voice: str | None = None,
        fallback: str | None = None,
        can_hang_up: bool = True,
        key_to_human: str | None = None,
        key_destination: str | None = None,
        digits: Literal["hidden", "shown"] = "hidden",
        record: bool = False,
        consent: str | None = CONSENT,
        prepared: Mapping[str, str | Sequence[str]] | None = None,
        interruption: Interruption | None = None,
        away_timeout: float | None = 20.0,
        max_call_seconds: float | None = None,
    ) -> None:
        if not isinstance(name, str) or not name.strip():
            raise ConfigError(f"Agent: its name must be a text, got {name!r}")
        functions: dict[str, TextFunction] = {}
        told: str | None
        if callable(instructions):
            check_takes_call(instructions, f"Agent {name!r}: instructions")
            functions["instructions"] = instructions
            told = instructions_fallback
            if told is None:
                raise ConfigError(
                    f"Agent {name!r}: instructions are a function of the call; say with"
                    " instructions_fallback what counts if it fails or is late"
                )
        else:
            told = instructions
            if instructions_fallback is not None:
                raise ConfigError(
                    f"Agent {name!r}: instructions_fallback is for instructions that are a function"
                    " of the call; leave it out"
                )
        if callable(greeting):
            check_takes_call(greeting, f"Agent {name!r}: greeting")
            functions["greeting"] = greeting
            greeting = ""
        try:
            self.model_options = ModelOptions(
                model=model,
                turn_detection=turn_detection,
                noise_reduction=noise_reduction,
                transcription=transcription,
                speed=speed,
                max_output_tokens=max_output_tokens,
            )
        except ConfigError as error:
            wrong = str(error).removeprefix("ModelOptions: ")
            raise ConfigError(f"Agent {name!r}: {wrong}") from None
        for what, text, needed in (
            ("instructions", told, True),
            ("voice", voice, False),
            ("carrier_voice", carrier_voice, False),
            ("greeting", greeting or None, False),
            ("consent", consent, False),
        ):
            if (needed or text is not None) and (not isinstance(text, str) or not text.strip()):
                raise ConfigError(f"Agent {name!r}: {what} must be a text, got {text!r}")
        if language is not None and not _LANGUAGE.fullmatch(language):
            raise ConfigError(
                f"Agent {name!r}: language must be an ISO 639-1 code of two letters such as"
                f" 'en', got {language!r}"
            )
        if phrases is not None and not isinstance(phrases, Phrases):
            raise ConfigError(
                f"Agent {name!r}: phrases must be a Phrases(...), got {type(phrases).__name__}"
            )
        if key_to_human is not None and not _PHONE_KEY.fullmatch(key_to_human):
            raise ConfigError(
                f"Agent {name!r}: key_to_human is one key of a telephone such as '0', got"
                f" {key_to_human!r}"
            )
        if digits not in ("hidden", "shown"):
            raise ConfigError(f"Agent {name!r}: digits must be 'hidden' or 'shown', got {digits!r}")
        if interruption is not None and not isinstance(interruption, Interruption):
            raise ConfigError(
                f"Agent {name!r}: interruption must be an Interruption(...), got {interruption!r}"
            )
        if away_timeout is not None and not 1 <= away_timeout <= 3600:
            raise ConfigError(
                f"Agent {name!r}: away_timeout must be 1 to 3600 seconds, or None, got"
                f" {away_timeout!r}"
            )
        if max_call_seconds is not None and not _is_call_length(max_call_seconds):
            raise ConfigError(
                f"Agent {name!r}: max_call_seconds must be {LEAST_CALL_SECONDS} to"
                f" {MOST_CALL_SECONDS} seconds, 0 for no limit, or None for the line's setting"
                f" (HOOKFLASH_MAX_CALL_SECONDS), got {max_call_seconds!r}"
            )
        super().__init__(name)
        self.instructions = inspect.cleandoc(told)
        self.voice = voice
        self.greeting = inspect.cleandoc(greeting) if greeting is not None else None
        self.greeting_interruptible = greeting_interruptible
        self.language = language
        self.phrases = phrases_of(language, phrases)
        # Without phrases in a language, the carrier says English ones, with an English voice.
        self.phrase_language = language if phrases is not None or language in PHRASES else "en"
        if language is None and phrases is None:
            self.phrase_language = None
        self.carrier_voice = carrier_voice
        self.fallback = fallback
        self.can_hang_up = can_hang_up
        self.key_to_human = key_to_human
        self.key_destination = key_destination
        self.digits = digits
        self.record = record
        self.consent = inspect.cleandoc(consent) if consent is not None else None
        if consent == CONSENT:
            self.consent = self.phrases.recording
        self.prepared = own_texts(prepared, where=f"Agent {name!r}")
        self.interruption = interruption or Interruption()
        self.away_timeout = away_timeout
        self.max_call_seconds = max_call_seconds
        self._text_functions = functions
        self._tool_conditions: dict[str, Condition] = {}
        self._tools: dict[str, Tool] = {}
        self._destinations: dict[str, Destination] = {}
        self._address_functions: dict[str, dict[int, AddressFunction]] = {}
        self._colleagues: dict[str, tuple[Agent, str]] = {}
        self._mcp_servers: tuple[McpServer, ...] = ()
        self._hosted: tuple[HostedServer, ...] = ()

    def __repr__(self) -> str:
        tools, destinations = list(self._tools), list(self._destinations)
        return f"Agent({self.name!r}, tools={tools}, destinations={destinations})"

    @property
    def tools(self) -> Mapping[str, Tool]:
        """The tools by name, in the order in which they were added."""
        return MappingProxyType(self._tools)

    @property
    def tool_lines(self) -> Mapping[str, tuple[str, ...]]:
        """The lines that a caller hears while a tool runs, by tool; only tools with own lines."""
        lines = {name: tool.filler for name, tool in self._tools.items() if tool.filler}
        # The tools of a server are not known yet, and their lines are rendered before a call.
        return lines | {each.lines_key: each.filler for each in self._mcp_servers if each.filler}

    @property
    def mcp_servers(self) -> tuple[McpServer, ...]:
        """The MCP servers whose tools Hookflash calls, in the order in which they were added."""
        return self._mcp_servers

    @property
    def destinations(self) -> tuple[Destination, ...]:
        """Where humans can be reached, in the order in which they were added."""
        asks = self.presence_hook is not None
        return tuple(
            msgspec.structs.replace(
                each,
                checked=asks or each.plan.hours is not None or key in self._address_functions,
            )
            for key, each in self._destinations.items()
        )

    @property
    def address_functions(self) -> Mapping[str, Mapping[int, AddressFunction]]:
        """The functions that return whom to ring: by destination, and by the target's place."""
        return self._address_functions

    @property
    def text_functions(self) -> Mapping[str, TextFunction]:
        """The functions of the call that return `instructions` and `greeting`."""
        return self._text_functions

    @property
    def tool_conditions(self) -> Mapping[str, Condition]:
        """The functions that say whether a call has a tool, by the tool's name."""
        return self._tool_conditions

    @overload
    def tool(self, function: _F, /) -> _F: ...

    @overload
    def tool(
        self,
        /,
        *,
        name: str | None = None,
        description: str | None = None,
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
        filler: str | Sequence[str] | bool | None = True,
        offered: Condition | None = None,
    ) -> Callable[[_F], _F]: ...

    def tool(
        self,
        function: Callable[..., Any] | None = None,
        /,
        *,
        name: str | None = None,
        description: str | None = None,
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
        filler: str | Sequence[str] | bool | None = True,
        offered: Condition | None = None,
    ) -> Any:
        """Let the model call a function: `@agent.tool`, or `@agent.tool(name=..., ...)`.

        A plain function runs in a thread, an async one in the event loop. The model sees its name,
        its docstring and its parameters. A parameter annotated `CallContext` gets the call and is
        not shown to the model. What the function returns goes to the model: a text as it is,
        anything else as JSON. Raise `ToolError` to tell the model what went wrong.

        `name` and `description` replace the function's own. A call that takes longer than
        `timeout_seconds` (20 by default) fails. The function is returned unchanged, so a test can
        call it. Raises `ConfigError` if the function cannot be described to the model, or if its
        name is taken.

        `filler` is what a caller hears while they wait for this tool: a text, or several that are
        played in turn. It is rendered beforehand, like `prepared`. It is not played if the tool
        answers within 0.8 s. True: the agent's own filler. False or None: a tone.

        `offered` is a function of the call that says whether this call has the tool, such as
        `def is_customer(call) -> bool`. It may be async. If it fails or is late, the call does not
        have the tool.
        """

        def add(wanted: Callable[..., Any]) -> Callable[..., Any]:
            tool = make_tool(
                wanted,
                agent=self.name,
                name=name,
                description=description,
                timeout_seconds=timeout_seconds,
                filler=filler,
            )
            if tool.name in self._tools:
                raise ConfigError(
                    f"Agent {self.name!r}: there are two tools named {tool.name!r};"
                    " give one of them another name="
                )
            if offered is not None:
                check_takes_call(offered, f"Agent {self.name!r}: tool {tool.name!r}: offered")
                self._tool_conditions[tool.name] = offered
            self._tools[tool.name] = tool
            return wanted

        return add if function is None else add(function)

    def mcp(
        self,
        server: str | Any | None = None,
        *,
        command: Sequence[str] | None = None,
        label: str | None = None,
        allowed_tools: Sequence[str] | None = None,
        headers: Mapping[str, str] | None = None,
        env: Mapping[str, str] | None = None,
        folder: str | None = None,
        prefix: str = "",
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
        filler: str | Sequence[str] | bool | None = True,
        approve: Approval = None,
        run_by: Literal["hookflash", "model"] = "hookflash",
    ) -> None:
        """Let the model use the tools of an MCP server beside your functions.

        `server` is the URL of a server (streamable HTTP), or an `MCPServer` of the `mcp` package in
        this program. `command` starts a server that talks over stdin and stdout, with `env` and in
        `folder`. It needs the extra `hookflash[mcp]`.

        - `label`: names the server in the log; by default its host or program.
        - `allowed_tools`: the only tools that the model sees; None shows it all.
        - `headers`: sent with each request, such as `{"Authorization": "Bearer ..."}`.
        - `prefix`: put before the name of each tool, to tell servers apart.
        - `timeout_seconds`, `filler`: as for a function, for each tool of the server.
        - `approve`: `"human"` asks a human before each call, as `CallContext.ask_human` does, while
          the agent goes on talking. A list of names asks only for these tools.
        - `run_by`: with `"model"` the model's own service calls the server, and Hookflash does not.

        The servers are connected when the line starts, and again whenever they are lost. A server
        that is down ends no call: its tools answer with an error that the model can tell. Raises
        `ConfigError` if a value is invalid, or if a label is taken.
        """
        if run_by not in ("hookflash", "model"):
            raise ConfigError(
                f"Agent {self.name!r}: mcp: run_by must be 'hookflash' or 'model', got {run_by!r}"
            )
        made: McpServer | HostedServer
        if run_by == "model":
            made = make_hosted(
                server,
                agent=self.name,
                label=label,
                allowed_tools=allowed_tools,
                headers=headers,
                others={
                    "command": command is not None,
                    "env": bool(env),
                    "folder": folder is not None,
                    "prefix": bool(prefix),
                    "timeout_seconds": timeout_seconds != DEFAULT_TIMEOUT_SECONDS,
                    "filler": filler is not True,
                    "approve": approve is not None,
                },
            )
        else:
            made = make_server(
                server,
                agent=self.name,
                command=command,
                label=label,
                allowed_tools=allowed_tools,
                headers=headers,
                env=env,
                folder=folder,
                prefix=prefix,
                timeout_seconds=timeout_seconds,
                filler=filler,
                approve=approve,
            )
        labels = [each.label for each in self._mcp_servers] + [each.label for each in self._hosted]
        if made.label in labels:
            raise ConfigError(
                f"Agent {self.name!r}: mcp: there are two servers with the label {made.label!r};"
                " give one of them another label="
            )
        if isinstance(made, McpServer):
            self._mcp_servers = (*self._mcp_servers, made)
        else:
            self._hosted = (*self._hosted, made)

    def handoff(self, key: str, *, when: str, plan: Plan) -> None:
        """Let the agent bring in a human.

        The model chooses `key`, and `when` tells it when. It never sees the plan. A key is a
        lower-case letter and then at most 63 lower-case letters, digits, `_` and `-`. The plan is a
        `Cold`, `Warm`, `Consult`, `Refer` or `Queue`.

        Raises `ConfigError` if the key is invalid or taken, or if the key or `when` holds one of
        the plan's numbers or addresses.
        """
        where = f"Agent {self.name!r}: handoff {key!r}"
        if not isinstance(key, str) or not _KEY.fullmatch(key):
            raise ConfigError(
                f"{where}: a key is a lower-case letter and then at most 63 lower-case letters,"
                " digits, _ and -, such as 'billing'"
            )
        if key in self._destinations:
            raise ConfigError(f"{where}: this key is taken; each destination needs its own")
        if not isinstance(when, str) or not when.strip():
            raise ConfigError(f"{where}: when must say when to choose it, got {when!r}")
        if not isinstance(plan, PLANS):
            known = ", ".join(f"{each.__name__}(...)" for each in PLANS)
            raise ConfigError(f"{where}: plan must be one of {known}; got {plan!r}")
        played = handoff_plan(plan, self.phrases)
        if sum(character.isdigit() for character in key) >= 6:
            raise ConfigError(f"{where}: a key must not hold a phone number; the model sees it")
        for target in played.targets:
            if target.kind in ("phone", "sip") and _reveals(when, target.address):
                raise ConfigError(
                    f"{where}: when holds the address of a target; the model sees this text, so"
                    " describe the occasion only"
                )
        self._destinations[key] = Destination(key=key, when=when.strip(), plan=played)
        if functions := address_functions(plan):
            self._address_functions[key] = functions

    def transfer_to(self, other: Agent, *, when: str, key: str | None = None) -> None:
        """Let another agent take the call, with its own voice, instructions and tools.

        The model chooses `key`, by default the other agent's name, and `when` tells it when. The
        other agent knows what was heard so far, and says first that it has taken over. Its own
        hand-offs to humans count from then on. It may give the call back if it has this agent as
        one of its own: `other.transfer_to(agent, when=...)`.

        Recording, consent and the longest time of the call stay as they are. Policies, hooks and
        `@agent.answers` are those of the agent that answered the call. If the other agent cannot
        be reached, this one has the call back. Raises `ConfigError` if a value is invalid.
        """
        where = f"Agent {self.name!r}: transfer_to"
        if not isinstance(other, Agent) or other is self:
            raise ConfigError(f"{where} expected another Agent, got {other!r}")
        if key is None:
            key = re.sub(r"[^a-z0-9_-]+", "_", other.name.lower()).strip("_-")
        if not _KEY.fullmatch(key):
            raise ConfigError(
                f"{where} {other.name!r}: a key is a lower-case letter and then at most 63"
                f" lower-case letters, digits, _ and -, got {key!r}; pass key="
            )
        if key in self._colleagues:
            raise ConfigError(f"{where}: the key {key!r} is taken; pass another key=")
        if not isinstance(when, str) or not when.strip():
            raise ConfigError(f"{where} {other.name!r}: when must say when to choose it")
        self._colleagues[key] = (other, when.strip())

    @property
    def colleagues(self) -> Mapping[str, Agent]:
        """The agents that may take the call, by key."""
        return {key: other for key, (other, _) in self._colleagues.items()}

    def with_plans(self, change: Callable[[HandoffPlan], HandoffPlan]) -> Agent:
        """Return a copy of this agent with each plan replaced by what `change` returns for it."""
        other = copy.copy(self)
        other._destinations = {
            key: replace(each, plan=change(each.plan)) for key, each in self._destinations.items()
        }
        return other

    def with_tools(self, functions: Mapping[str, Callable[..., Any]]) -> Agent:
        """Return a copy of this agent whose tools of these names run other functions.

        The model sees the tools unchanged, and a function gets the arguments of the tool that it
        replaces. For tests: a function that answers without your systems. Raises `ConfigError` for
        a name that is no tool of this agent.
        """
        unknown = sorted(set(functions) - set(self._tools))
        if unknown:
            raise ConfigError(
                f"Agent {self.name!r}: there is no tool {unknown[0]!r} to replace; its tools are"
                f" {', '.join(self._tools) or 'none'}"
            )
        other = copy.copy(self)
        other._tools = {
            name: replace(tool, function=functions.get(name, tool.function))
            for name, tool in self._tools.items()
        }
        return other

    def check(self) -> Agent:
        """Return the agent if it is complete, or raise `ConfigError`."""
        for what, key in (("fallback", self.fallback), ("key_destination", self.key_destination)):
            if key is not None and key not in self._destinations:
                known = ", ".join(self._destinations) or "none"
                raise ConfigError(
                    f"Agent {self.name!r}: {what}={key!r} is not one of its destinations"
                    f" ({known}); add agent.handoff({key!r}, ...) or change {what}"
                )
        if self.fallback is not None and self._destinations[self.fallback].plan.kinds == {
            "function"
        }:
            raise ConfigError(
                f"Agent {self.name!r}: fallback={self.fallback!r} has no target but functions of"
                " the call; it is rung when no model is available, at once: add a fixed target"
            )
        if self.key_to_human is not None and self._destination_of_key() is None:
            raise ConfigError(
                f"Agent {self.name!r}: key_to_human={self.key_to_human!r} leads nowhere: name one"
                f" of its destinations ({', '.join(self._destinations) or 'none'}) in"
                " key_destination"
            )
        self.check_policies(tuple(self._destinations))
        return self

    def call_setup(self, *, lead_ms: int = 5000, max_call_seconds: float = 0) -> CallSetup:
        """Return what a call answered by this agent is set up with.

        Both are the owner's settings. `lead_ms` is how far sent audio may run ahead of what was
        heard. `max_call_seconds` is the limit of an agent that has none of its own; 0: no limit.
        """
        self.check()
        setup = CallSetup(
            agent=self.name,
            greeting=self.greeting,
            greeting_interruptible=self.greeting_interruptible,
            destinations=self.destinations,
            colleagues=tuple(self._colleagues),
            fallback=self.fallback,
            key_to_human=self.key_to_human,
            key_destination=self._destination_of_key() if self.key_to_human else None,
            digits_shown=self.digits == "shown",
            record=self.record,
            consent=self.consent,
            interruption=self.interruption,
            away_timeout=self.away_timeout,
            tool_fillers={
                name: len(tool.filler)
                for name, tool in self._tools.items()
                if tool.filler is not None
            },
            max_call_seconds=self._max_call_seconds(max_call_seconds),
            lead_ms=lead_ms,
            language=self.phrase_language,
            phrases=self.phrases,
            carrier_voice=self.carrier_voice,
            apology=self.phrases.apology,
        )
        if "apology" in self.prepared:
            # The carrier's own voice says it where there is no stream to play it on.
            setup = replace(setup, apology=self.prepared["apology"][0])
        return setup

    def model_setup(
        self,
        history: Sequence[Message] = (),
        *,
        safety_identifier: str | None = None,
        recorded: bool | None = None,
    ) -> ModelSetup:
        """Return what a model's session is set up with; `history` is the call so far, as heard.

        `safety_identifier` is a stable name of the caller that does not reveal the number;
        `recorded` says whether the call is to be recorded, if not as the agent has it.
        """
        tools = [tool.spec for tool in self._tools.values()]
        tools += handoff_tools(self.destinations)
        tools += agent_tool({key: when for key, (_, when) in self._colleagues.items()})
        if self.can_hang_up:
            tools.append(END_CALL)
        if self.record if recorded is None else recorded:
            tools.append(STOP_RECORDING)
        return ModelSetup(
            instructions=self.instructions,
            voice=self.voice,
            language=self.language,
            tools=tuple(tools),
            hosted=self._hosted,
            history=tuple(history),
            safety_identifier=safety_identifier,
            own=self.model_options,
        )

    def consult_setup(
        self,
        consult: Consult,
        conversation: Sequence[Message],
        history: Sequence[Message] = (),
        *,
        instructions: str | None = None,
        safety_identifier: str | None = None,
    ) -> ModelSetup:
        """Return what a session is set up with in which this agent talks with a human.

        `conversation` is what was said with the caller, `history` what was said with the human.
        `instructions` replace the agent's own, if they depend on the call.
        """
        setup = consulting.consult_setup(
            instructions=instructions or self.instructions,
            briefing=consult.briefing,
            conversation=conversation,
            history=history,
            voice=self.voice,
            language=self.language,
            safety_identifier=safety_identifier,
        )
        return replace(setup, own=self.model_options)

    def _max_call_seconds(self, setting: float) -> float | None:
        own = setting if self.max_call_seconds is None else self.max_call_seconds
        return float(own) or None

    def _destination_of_key(self) -> str | None:
        """Return where `key_to_human` leads: as it was said, or as it cannot be otherwise."""
        if self.key_destination is not None or self.fallback is not None:
            return self.key_destination or self.fallback
        return next(iter(self._destinations)) if len(self._destinations) == 1 else None


def _is_call_length(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return value == 0 or LEAST_CALL_SECONDS <= value <= MOST_CALL_SECONDS


def _reveals(text: str, address: str) -> bool:
    """Say whether `text` holds `address`, however its digits are grouped."""
    if address.lower() in text.lower():
        return True
    digits = re.sub(r"\D", "", address)
    return (
        bool(digits)
        and not address.lower().startswith("sip")
        and digits in re.sub(r"[\s().-]", "", text)
    )
