"""Plans by the fields of the core's: for tests that try several manners in turn."""

from __future__ import annotations

from typing import Any

from hookflash.agents.plans import Cold, Consult, Plan, Queue, Refer, Warm
from hookflash.core.handoff_plan import Target

_CLASSES: dict[str, type[Cold | Warm | Consult | Refer]] = {
    "cold": Cold,
    "warm": Warm,
    "consult": Consult,
    "refer": Refer,
}


def plan_of(targets: tuple[Target, ...], manner: str = "cold", **fields: Any) -> Plan:
    """Return the plan that an author writes for these fields of the core's plan.

    A field that is None is left to its default, and so is one that the plan does not have. The
    fields `announce_seconds` and `leave_key` are those of a queue.
    """
    if targets[-1].kind == "queue":
        fields |= {"name": targets[-1].address, "first": targets[:-1]}
        made: type[Plan] = Queue
    else:
        fields |= {"targets": targets}
        made = _CLASSES[manner]
    known = {name: value for name, value in fields.items() if name in made.__struct_fields__}
    return made(**{name: value for name, value in known.items() if value is not None})
