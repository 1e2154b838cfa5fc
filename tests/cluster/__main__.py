"""Play the scenarios of several nodes, and print what came of them.

.venv/bin/python -m tests.cluster                      # all of them: about five minutes
.venv/bin/python -m tests.cluster killed --calls 30
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time

from tests.cluster.rig import open_rig
from tests.cluster.scenarios import SCENARIOS


async def play(name: str, calls: int | None, *, nodes: int, show_log: bool) -> bool:
    """Play one scenario on a rig of its own. Return whether it passed."""
    began = time.monotonic()
    # Twilio's own messages have 20 ms. Larger ones leave more of the machine for the rest.
    frame_ms = 20 if name == "costs" else 40
    async with open_rig(nodes=nodes, media_frame_ms=frame_ms) as rig:
        started = time.monotonic() - began
        try:
            figures = await SCENARIOS[name](rig, **({} if calls is None else {"calls": calls}))
        except (AssertionError, TimeoutError) as error:
            print(f"{name}: FAILED: {type(error).__name__}: {str(error)[:1500]}", flush=True)
            figures = None
        for fault in rig.faults()[:20]:
            print(f"  {fault}", end="", flush=True)
        if show_log:
            for node in rig.nodes:
                print(f"--- node {node.number}\n{node.log}", flush=True)
    if figures is None:
        return False
    print(f"{name}: passed in {time.monotonic() - began:.0f} s ({started:.1f} s to start)")
    for what, value in figures.items():
        print(f"  {what}: {value}", flush=True)
    return True


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description=__doc__)
    parser.add_argument("scenario", nargs="*", help=", ".join(SCENARIOS) + "; default: all")
    parser.add_argument("--calls", type=int, help="How many calls at once.")
    parser.add_argument("--nodes", type=int, default=3, choices=(1, 2, 3, 4), help="Default: 3.")
    parser.add_argument("--log", action="store_true", help="Print the nodes' logs.")
    given = parser.parse_args()
    unknown = set(given.scenario) - SCENARIOS.keys()
    if unknown:
        parser.error(f"expected one of {', '.join(SCENARIOS)}; got {', '.join(sorted(unknown))}")
    names = given.scenario or list(SCENARIOS)
    passed = [
        asyncio.run(play(name, given.calls, nodes=given.nodes, show_log=given.log))
        for name in names
    ]
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
