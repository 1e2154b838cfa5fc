"""What is counted elsewhere and shown in `/metrics`: functions that fill it in when it is asked."""

from __future__ import annotations

from collections.abc import Callable

from hookflash.core.phases import Phase
from hookflash.models.pool import WarmPool
from hookflash.runtime.journal import Journals
from hookflash.runtime.outbox import Outbox
from hookflash.runtime.recorder import Recordings
from hookflash.runtime.switchboard import Switchboard
from hookflash.server.counts import Counts, count

Refresh = Callable[[Counts], None]


def live_calls(switchboard: Switchboard) -> Refresh:
    def refresh(counts: Counts) -> None:
        counts.live = {phase.value: 0 for phase in Phase if phase is not Phase.ENDED}
        for driver in switchboard.live:
            count(counts.live, driver.call.phase.value)
        # The caller's sound is counted where it passes: no watch is told of it.
        counts.frames_up = switchboard.traffic.up

    return refresh


def lost_to_the_disk(journals: Journals, recordings: Recordings) -> Refresh:
    def refresh(counts: Counts) -> None:
        counts.journal_lines_lost = journals.lost
        counts.recording_seconds_lost = round(recordings.lost_seconds)

    return refresh


def delivery_outcomes(outbox: Outbox) -> Refresh:
    def refresh(counts: Counts) -> None:
        counts.deliveries = dict(outbox.outcomes)

    return refresh


def warm_sessions(pool: WarmPool) -> Refresh:
    def refresh(counts: Counts) -> None:
        counts.warm_ready, counts.warm_given, counts.warm_missed = (
            pool.ready,
            pool.given,
            pool.missed,
        )

    return refresh
