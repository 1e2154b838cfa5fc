"""The ports of one call: all external services that its driver uses."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from random import Random

from hookflash.core.commands import Message
from hookflash.core.setup import CallSetup, ModelSetup
from hookflash.runtime.journal import Journal
from hookflash.runtime.ports import (
    CarrierControl,
    Checks,
    Clock,
    Consults,
    Deliveries,
    EventSink,
    ModelConnector,
    RecordSink,
)
from hookflash.runtime.prepared_speech import PreparedSpeech
from hookflash.runtime.pressed_keys import PressedKeys
from hookflash.runtime.recorder import Recordings
from hookflash.runtime.tool_runner import ToolRunner
from hookflash.runtime.typed_digits import TypedDigits
from hookflash.world import SYSTEM


class Traffic:
    """Count audio frames, for all calls that share this object. `up` is caller to model."""

    __slots__ = ("down", "up")

    def __init__(self) -> None:
        self.up = 0
        self.down = 0


class CallPorts:
    """The ports of one call: everything that its driver may access.

    `chance` returns numbers from 0 to 1. They add jitter to the delays before a retry. Ids of
    collections of digits are generated from `entropy`. `bring_agent` returns how the call is set up
    for the agent that the present one knows by a key.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        control: CarrierControl,
        checks: Checks,
        consults: Consults,
        deliveries: Deliveries | None,
        connector: ModelConnector,
        model_setup: Callable[[tuple[Message, ...]], ModelSetup],
        make_tools: Callable[[EventSink, TypedDigits, PressedKeys], ToolRunner],
        records: RecordSink,
        journal: Journal,
        traffic: Traffic | None = None,
        recordings: Recordings | None = None,
        chance: Callable[[], float] = SYSTEM.entropy("ring-retry").random,
        prepared: PreparedSpeech | None = None,
        bring_agent: Callable[[str], Awaitable[CallSetup | None]] | None = None,
        entropy: Random = SYSTEM.entropy("digits"),
    ) -> None:
        self.clock = clock
        self.control = control
        self.checks = checks
        self.consults = consults
        self.deliveries = deliveries
        self.connector = connector
        self.model_setup = model_setup
        self.make_tools = make_tools
        self.records = records
        self.journal = journal
        self.traffic = traffic or Traffic()
        self.recordings = recordings
        self.chance = chance
        self.entropy = entropy
        self.prepared = prepared or PreparedSpeech.tones_only()
        self.bring_agent = bring_agent
