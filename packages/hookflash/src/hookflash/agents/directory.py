"""Which agent answers which number, and when."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime

import msgspec

from hookflash.agents.agent import Agent
from hookflash.agents.hours import Hours, parse_hours
from hookflash.core.handoff_plan import E164
from hookflash.errors import ConfigError

_LINE = re.compile(rf"{E164.pattern}|(?:sips?|client):\S+", re.IGNORECASE)


class Entry(msgspec.Struct, frozen=True):
    """One rule: `agent` answers `lines` (empty: every line) inside `hours` (None: always)."""

    agent: Agent
    lines: frozenset[str]
    hours: Hours | None


class Directory:
    """The agents of one server, and which of them answers when.

        directory = Directory()
        directory.add(shop, lines=["+15550100"], hours="mon-fri 09:00-17:30 Europe/Berlin")
        directory.add(night)                     # every other line, every other hour

    The first entry that fits answers, in the order in which they were added. A line is what the
    caller dialled: a number in E.164 form, or a `sip:` or `client:` address.
    """

    def __init__(self) -> None:
        self._entries: list[Entry] = []

    def __repr__(self) -> str:
        return f"Directory({[entry.agent.name for entry in self._entries]})"

    @classmethod
    def of(cls, target: Agent | Directory) -> Directory:
        """Return `target` itself, or a directory in which this one agent answers everything."""
        if isinstance(target, Directory):
            return target
        directory = cls()
        directory.add(target)
        return directory

    @property
    def agents(self) -> tuple[Agent, ...]:
        """Every agent once: those that answer, in order, then those that only take calls over."""
        found = dict.fromkeys(self.answering)
        waiting = list(found)
        while waiting:
            for other in waiting.pop(0).colleagues.values():
                if other not in found:
                    found[other] = None
                    waiting.append(other)
        return tuple(found)

    @property
    def answering(self) -> tuple[Agent, ...]:
        """Every agent that answers a line, once, in order."""
        return tuple(dict.fromkeys(entry.agent for entry in self._entries))

    def add(
        self,
        agent: Agent,
        *,
        lines: Iterable[str] = (),
        hours: str | None = None,
        holidays: Iterable[str] = (),
    ) -> None:
        """Let `agent` answer `lines` during `hours`, except on `holidays`.

        No `lines` means every line, and no `hours` at any time. Hours are days, a span and a time
        zone, such as `"mon-fri 09:00-17:30, sat 10:00-14:00 Europe/Berlin"`. A holiday is a date
        such as `2026-12-25`, or `12-25 Christmas Day` for every year. Raises `ConfigError` if one
        of them cannot be read, or if another agent has the same name.
        """
        if not isinstance(agent, Agent):
            raise ConfigError(f"Directory.add: expected an Agent, got {type(agent).__name__}")
        if (self.get(agent.name) or agent) is not agent:
            raise ConfigError(
                f"Directory.add: two agents are named {agent.name!r}; records and restored calls"
                " know an agent by its name, so give one of them another"
            )
        if isinstance(lines, str):
            raise ConfigError(f"Directory.add: lines is a list of lines; write [{lines!r}]")
        chosen = frozenset(lines)
        for line in sorted(chosen):
            if not _LINE.fullmatch(line):
                raise ConfigError(
                    f"Directory.add: agent {agent.name!r}: a line is a number in E.164 form such"
                    f" as +15550100, or a sip: or client: address, got {line!r}"
                )
        if holidays and not hours:
            raise ConfigError(
                f"Directory.add: agent {agent.name!r} has holidays but no hours; they need a time"
                " zone: add hours='daily 00:00-24:00 Europe/Berlin'"
            )
        open_hours = parse_hours(hours, holidays) if hours else None
        self._entries.append(Entry(agent, chosen, open_hours))

    def check(self) -> Directory:
        """Return the directory if every agent in it is complete, or raise `ConfigError`."""
        if not self._entries:
            raise ConfigError("Directory: no agent answers; add one with directory.add(agent)")
        names: dict[str, Agent] = {}
        for agent in self.agents:
            agent.check()
            if names.setdefault(agent.name, agent) is not agent:
                raise ConfigError(
                    f"Directory: two agents are named {agent.name!r}, one of them by transfer_to;"
                    " records and restored calls know an agent by its name"
                )
        return self

    def find(self, called: str, at: datetime) -> Agent | None:
        """Return the agent that answers `called` at `at`; None if none does.

        `at` is a datetime with a time zone.
        """
        for entry in self._entries:
            if entry.lines and called not in entry.lines:
                continue
            if entry.hours is None or entry.hours.open_at(at):
                return entry.agent
        return None

    def get(self, name: str) -> Agent | None:
        """Return the agent of this name; None if there is none."""
        return next((agent for agent in self.agents if agent.name == name), None)
