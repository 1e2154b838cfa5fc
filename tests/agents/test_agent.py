from __future__ import annotations

import json
from typing import Any

import pytest

from hookflash import Agent, Cold, ConfigError, Phrases, SemanticVad, ServerVad, Target
from hookflash.agents.agent import CONSENT
from hookflash.core.commands import Message
from hookflash.core.model_options import ModelOptions
from hookflash.core.phrases import PHRASES
from hookflash.core.setup import CallSetup, Consult, ToolSpec

PLAN = Cold([Target.phone("+15550101"), Target.sip("sip:desk@example.com")])


def make_agent(**changes: Any) -> Agent:
    return Agent("reception", **{"instructions": "Be kind.", **changes})


def tool_of(agent: Agent, name: str) -> ToolSpec:
    return next(tool for tool in agent.model_setup().tools if tool.name == name)


# --- tools ------------------------------------------------------------------------------------


def test_a_tool_stays_a_plain_function() -> None:
    agent = make_agent()

    @agent.tool
    def opening_hours(day: str) -> str:
        """Say when we are open."""
        return f"{day}: 9 to 5"

    assert opening_hours("monday") == "monday: 9 to 5"
    assert agent.tools["opening_hours"].function is opening_hours


def test_a_tool_may_be_given_a_name_a_description_and_a_timeout() -> None:
    agent = make_agent()

    @agent.tool(name="find-order", description="Look up an order.", timeout_seconds=3)
    async def find(number: int) -> str:
        return str(number)

    tool = agent.tools["find-order"]
    assert (tool.description, tool.timeout_seconds) == ("Look up an order.", 3)
    assert not tool.blocking


@pytest.mark.parametrize(
    ("own", "setting", "found"),
    [(None, 7200.0, 7200.0), (None, 0, None), (0, 7200.0, None), (600, 7200.0, 600.0)],
)
def test_an_agents_own_call_length_comes_before_the_lines(
    own: float | None, setting: float, found: float | None
) -> None:
    agent = make_agent(max_call_seconds=own)
    assert agent.call_setup(max_call_seconds=setting).max_call_seconds == found


@pytest.mark.parametrize("wrong", [-1, 59, 86401, "600", True, float("nan")])
def test_a_call_length_that_cannot_be_is_refused(wrong: Any) -> None:
    with pytest.raises(ConfigError, match="max_call_seconds must be 60 to 86400 seconds, 0 for"):
        make_agent(max_call_seconds=wrong)


def test_a_tool_may_have_lines_of_its_own_for_a_caller_who_waits_or_none() -> None:
    agent = make_agent()
    chosen: dict[str, Any] = {
        "one": "Let me  look\nthat up.",
        "several": ["I am looking.", "Still looking."],
        "off": False,
        "none": None,
        "default": True,
    }
    for name, filler in chosen.items():
        agent.tool(name=name, description="Look.", filler=filler)(lambda: None)
    agent.tool(name="plain", description="Look.")(lambda: None)
    assert dict(agent.tool_lines) == {
        "one": ("Let me look that up.",),
        "several": ("I am looking.", "Still looking."),
    }
    assert agent.call_setup().tool_fillers == {"one": 1, "several": 2, "off": 0, "none": 0}


@pytest.mark.parametrize(
    ("filler", "complaint"),
    [
        ("", "must be a text of 1 to 400 characters, or False .*, got ''"),
        ("  ", "must be a text of 1 to 400 characters"),
        ("a" * 401, "must be a text of 1 to 400 characters"),
        (7, "must be a text or a list of 1 to 8 texts, or False for none, .*, got 7"),
        ([], "must be a text or a list of 1 to 8 texts"),
        (["x"] * 9, "must be a text or a list of 1 to 8 texts"),
        (["Right.", 7], "must be a text of 1 to 400 characters, .*, got 7"),
        ({"en": "One moment."}, "must be a text or a list of 1 to 8 texts"),
    ],
)
def test_a_filler_that_cannot_be_spoken_is_refused_with_the_name_of_its_tool(
    filler: Any, complaint: str
) -> None:
    def look() -> None:
        """Look."""

    with pytest.raises(ConfigError, match=rf"tool 'look' \(.*\): filler {complaint}"):
        make_agent().tool(filler=filler)(look)


def test_the_model_sees_the_tools_in_order_and_then_the_agents_own() -> None:
    agent = make_agent()

    @agent.tool
    def second() -> None:
        """Second in the alphabet, first here."""

    @agent.tool
    def first() -> None:
        """First in the alphabet, second here."""

    agent.handoff("desk", when="always", plan=PLAN)
    names = [tool.name for tool in agent.model_setup().tools]
    assert names == ["second", "first", "transfer_to_human", "end_call"]


def test_two_tools_of_one_name_are_refused() -> None:
    agent = make_agent()
    agent.tool(name="look", description="Look.")(lambda: None)
    with pytest.raises(ConfigError, match="Agent 'reception': there are two tools named 'look'"):
        agent.tool(name="look", description="Look again.")(lambda: None)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"name": "transfer_to_human"}, "the agent's own; choose another name"),
        ({"name": "end_call"}, "the agent's own; choose another name"),
        ({"name": "find order"}, "a tool's name is"),
        ({"name": "x" * 65}, "a tool's name is"),
        ({"name": ""}, "a tool's name is"),
        ({"description": " "}, "it has no description"),
        ({"timeout_seconds": 0}, "timeout_seconds must be more than 0, got 0"),
    ],
)
def test_a_tool_that_cannot_be_is_refused_with_its_place(
    changes: dict[str, Any], complaint: str
) -> None:
    agent = make_agent()

    def look() -> None:
        """Look."""

    with pytest.raises(ConfigError, match=complaint) as caught:
        agent.tool(**changes)(look)
    assert "Agent 'reception': tool " in str(caught.value)
    assert "(test_agent.py, line " in str(caught.value)


def test_a_lambda_needs_a_name() -> None:
    with pytest.raises(ConfigError, match="pass name="):
        make_agent().tool(lambda: None)


def test_what_is_no_function_is_no_tool() -> None:
    with pytest.raises(ConfigError, match="expected a function, got str"):
        make_agent().tool("look")  # type: ignore[call-overload]  # the mistake is the test


def test_a_generator_is_no_tool() -> None:
    def count() -> Any:
        """Count."""
        yield 1

    with pytest.raises(ConfigError, match="a generator cannot answer once"):
        make_agent().tool(count)


def test_a_method_may_be_a_tool() -> None:
    class Shop:
        def open(self, day: str) -> str:
            """Say whether the shop is open."""
            return day

    agent = make_agent()
    shop = Shop()
    agent.tool(shop.open)
    assert list(tool_of(agent, "open").parameters["properties"]) == ["day"]


# --- hand-offs --------------------------------------------------------------------------------


def test_the_model_chooses_a_destination_by_key_and_reads_when() -> None:
    agent = make_agent()
    agent.handoff("billing", when="the caller disputes an invoice", plan=PLAN)
    agent.handoff("sales", when="the caller wants to buy", plan=PLAN)
    transfer = tool_of(agent, "transfer_to_human")
    assert transfer.parameters["properties"]["destination"]["enum"] == ["billing", "sales"]
    assert transfer.parameters["required"] == ["destination", "reason", "summary"]
    assert "- billing: the caller disputes an invoice\n" in transfer.description
    assert transfer.description.endswith("- sales: the caller wants to buy")


def test_the_model_never_sees_where_a_human_is_reached() -> None:
    agent = make_agent()
    agent.handoff("billing", when="the caller disputes an invoice", plan=PLAN)
    seen = json.dumps(
        [tool.parameters | {"d": tool.description} for tool in agent.model_setup().tools]
    )
    assert "5550101" not in seen
    assert "example.com" not in seen


def test_without_destinations_there_is_no_transfer() -> None:
    assert [tool.name for tool in make_agent().model_setup().tools] == ["end_call"]


def test_an_agent_that_may_not_hang_up_has_no_tool_for_it() -> None:
    assert make_agent(can_hang_up=False).model_setup().tools == ()


@pytest.mark.parametrize(
    "key", ["", "Billing", "bil ling", "-x", "7", "+15550101", "désk", "a" * 65, "a\n"]
)
def test_a_key_with_other_characters_is_refused(key: str) -> None:
    with pytest.raises(ConfigError, match="a key is a lower-case letter"):
        make_agent().handoff(key, when="always", plan=PLAN)


def test_a_key_must_not_hold_a_phone_number() -> None:
    with pytest.raises(ConfigError, match="must not hold a phone number"):
        make_agent().handoff("desk-1555-0101", when="always", plan=PLAN)


@pytest.mark.parametrize(
    "when", ["ask for +15550101", "ask for +1 555 (01) 01", "write to SIP:desk@example.com"]
)
def test_when_must_not_hold_the_address_of_a_target(when: str) -> None:
    with pytest.raises(ConfigError, match="holds the address of a target"):
        make_agent().handoff("desk", when=when, plan=PLAN)


def test_when_may_speak_of_other_numbers() -> None:
    agent = make_agent()
    agent.handoff("desk", when="the caller mentions form 1040 or room 5550", plan=PLAN)
    assert [each.key for each in agent.destinations] == ["desk"]


def test_a_key_is_taken_once() -> None:
    agent = make_agent()
    agent.handoff("desk", when="always", plan=PLAN)
    with pytest.raises(ConfigError, match="Agent 'reception': handoff 'desk': this key is taken"):
        agent.handoff("desk", when="never", plan=PLAN)


def test_a_handoff_needs_an_occasion_and_a_plan() -> None:
    with pytest.raises(ConfigError, match="when must say when to choose it"):
        make_agent().handoff("desk", when=" ", plan=PLAN)
    with pytest.raises(
        ConfigError, match=r"plan must be one of Cold\(\.\.\.\), .*; got '\+15550101'"
    ):
        make_agent().handoff("desk", when="always", plan="+15550101")  # type: ignore[arg-type]  # the mistake is the test


# --- set-up -----------------------------------------------------------------------------------


def test_a_call_is_set_up_with_what_the_owner_decided() -> None:
    agent = make_agent(greeting="Hello.", greeting_interruptible=False, fallback="desk")
    agent.handoff("desk", when="always", plan=PLAN)
    assert agent.call_setup(lead_ms=2000) == CallSetup(
        agent="reception",
        greeting="Hello.",
        greeting_interruptible=False,
        destinations=agent.destinations,
        fallback="desk",
        consent=CONSENT,
        lead_ms=2000,
    )


def test_a_models_session_is_set_up_with_instructions_voice_language_and_history() -> None:
    agent = make_agent(voice="cedar", language="de", can_hang_up=False)
    history = [Message("user", "Guten Tag")]
    setup = agent.model_setup(history, safety_identifier="abc")
    assert (setup.instructions, setup.voice, setup.language) == ("Be kind.", "cedar", "de")
    assert setup.history == (Message("user", "Guten Tag"),)
    assert setup.safety_identifier == "abc"


def test_instructions_may_be_indented_as_the_code_around_them() -> None:
    agent = make_agent(
        instructions="""
        Be kind.
          - and brief
        """
    )
    assert agent.instructions == "Be kind.\n  - and brief"


def test_an_unknown_fallback_is_named_with_the_keys_that_there_are() -> None:
    agent = make_agent(fallback="desk")
    agent.handoff("billing", when="always", plan=PLAN)
    with pytest.raises(ConfigError, match=r"fallback='desk' is not one of .* \(billing\)"):
        agent.call_setup()


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"instructions": ""}, "instructions must be a text"),
        ({"instructions": None}, "instructions must be a text"),
        ({"greeting": " "}, "greeting must be a text"),
        ({"voice": 7}, "voice must be a text"),
        ({"language": "english"}, "ISO 639-1 code of two letters"),
    ],
)
def test_a_wrong_agent_says_which_part_is_wrong(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        make_agent(**changes)


def test_an_agent_needs_a_name() -> None:
    with pytest.raises(ConfigError, match="its name must be a text"):
        Agent(" ", instructions="Be kind.")


def test_everything_after_the_name_is_named() -> None:
    with pytest.raises(TypeError):
        Agent("reception", "Be kind.")  # type: ignore[misc, call-arg]  # the mistake is the test


def test_an_agent_shows_what_it_has_but_no_number() -> None:
    agent = make_agent()
    agent.handoff("desk", when="always", plan=PLAN)
    assert repr(agent) == "Agent('reception', tools=[], destinations=['desk'])"


def test_an_agent_that_records_says_so_and_takes_a_no() -> None:
    agent = make_agent(record=True)
    assert (agent.call_setup().record, agent.call_setup().consent) == (True, CONSENT)
    assert "stop_recording" in [tool.name for tool in agent.model_setup().tools]
    assert make_agent(record=True, consent=None).call_setup().consent is None
    plain = make_agent()
    assert not plain.call_setup().record
    assert "stop_recording" not in [tool.name for tool in plain.model_setup().tools]
    recorded = plain.model_setup(recorded=True)
    assert "stop_recording" in [tool.name for tool in recorded.tools]


def test_a_line_of_consent_must_be_a_text() -> None:
    with pytest.raises(ConfigError, match="consent must be a text"):
        make_agent(record=True, consent=" ")


# --- its own model --------------------------------------------------------------------------------


def test_what_an_agent_sets_for_its_model_is_in_every_session() -> None:
    agent = make_agent(model="gpt-realtime-mini", speed=1.1, turn_detection=SemanticVad())
    own = ModelOptions(model="gpt-realtime-mini", speed=1.1, turn_detection=SemanticVad())
    assert agent.model_setup().own == own
    consult = Consult(parent_sid="CA1", wave=1, leg=0, destination="desk", briefing="x")
    assert agent.consult_setup(consult, ()).own == own


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"model": ""}, "model must be the name of a model or None; got ''"),
        ({"speed": 2}, "speed must be a number from 0.25 to 1.5 or None; got 2"),
        ({"max_output_tokens": 0}, "max_output_tokens must be"),
        ({"noise_reduction": "loud"}, "noise_reduction must be one of far_field, near_field, off"),
        ({"turn_detection": "server_vad"}, "turn_detection must be"),
        ({"instructions": lambda call: "x"}, "say with instructions_fallback what counts"),
        ({"instructions_fallback": "x"}, "instructions_fallback is for instructions that are"),
        (
            {"instructions": lambda: "x", "instructions_fallback": "x"},
            "instructions: <lambda> must take one argument, the call",
        ),
        ({"greeting": lambda a, b: "x"}, "greeting: <lambda> must take one argument, the call"),
    ],
)
def test_a_wrong_option_of_the_model_or_the_call_is_refused(
    wrong: dict[str, Any], says: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        make_agent(**wrong)
    assert str(raised.value).startswith("Agent 'reception': ")
    assert says in str(raised.value)


def test_a_condition_of_a_tool_takes_the_call() -> None:
    with pytest.raises(ConfigError, match="tool 'look': offered: <lambda> must take one argument"):

        @make_agent().tool(offered=lambda: True)  # type: ignore[misc, arg-type]
        def look() -> str:
            """Look."""
            return ""


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: ServerVad(silence_ms=5), "ServerVad: silence_ms must be a whole number from 100"),
        (lambda: ServerVad(threshold=2), "ServerVad: threshold must be a number from 0 to 1"),
        (lambda: SemanticVad(eagerness="x"), "SemanticVad: eagerness must be one of auto, high"),
    ],
)
def test_a_wrong_turn_detection_is_refused(make: Any, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        make()


# --- its language ---------------------------------------------------------------------------------


def test_the_language_chooses_what_the_carrier_says() -> None:
    agent = make_agent(language="de", phrases=Phrases(on_hold="Bitte warten."), record=True)
    agent.handoff("desk", when="always", plan=PLAN)
    setup = agent.call_setup()
    assert (setup.language, setup.consent) == ("de", "Dieses Gespräch wird aufgezeichnet.")
    assert setup.phrases.on_hold == "Bitte warten."
    assert setup.phrases.taken == PHRASES["de"].taken
    assert setup.apology == PHRASES["de"].apology
    (destination,) = setup.destinations
    assert destination.plan.sorry == PHRASES["de"].sorry
    assert destination.plan.voicemail_prompt == PHRASES["de"].voicemail_prompt


def test_a_plans_own_texts_come_first() -> None:
    agent = make_agent(language="de")
    agent.handoff("desk", when="always", plan=Cold(Target.phone("+15550101"), sorry="Nein."))
    assert agent.destinations[0].plan.sorry == "Nein."


@pytest.mark.parametrize(
    ("options", "spoken"),
    [
        ({}, None),
        ({"language": "en"}, "en"),
        ({"language": "fr"}, "fr"),
        # There are no phrases in Polish: the English ones are said by an English voice.
        ({"language": "pl"}, "en"),
        ({"language": "pl", "phrases": Phrases(on_hold="Chwileczke.")}, "pl"),
    ],
)
def test_the_carrier_speaks_the_language_of_the_phrases(
    options: dict[str, Any], spoken: str | None
) -> None:
    assert make_agent(**options).call_setup().language == spoken


@pytest.mark.parametrize("wrong", [{"phrases": {"on_hold": "x"}}, {"carrier_voice": ""}])
def test_phrases_and_voice_are_checked(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=f"{next(iter(wrong))} must be a"):
        make_agent(**wrong)
