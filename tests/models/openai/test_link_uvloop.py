"""The link under the event loop that serves calls, on real sockets: the same sentences hold."""

from __future__ import annotations

import asyncio

import pytest
import uvloop

from . import test_link as link
from . import test_link_ends as ends

SCENARIOS = [
    link.test_a_session_opens_speaks_and_closes_cleanly,
    link.test_fragments_are_joined_into_messages_and_binary_is_read_too,
    link.test_a_peer_that_never_answers_the_upgrade_is_given_up,
    link.test_a_peer_that_hangs_up_unanswered_is_worth_another_try,
    ends.test_a_dropped_connection_is_worth_another_try,
    ends.test_a_model_that_stops_reading_is_lost_and_fills_no_memory,
    ends.test_a_session_over_tls,
    ends.test_closing_while_connecting_leaves_nothing_behind,
    ends.test_closing_the_connector_ends_even_a_handshake_that_hangs,
    ends.test_a_peer_that_does_not_answer_our_close_is_dropped,
]


@pytest.mark.realtime
def test_the_link_behaves_the_same_on_uvloop() -> None:
    for scenario in SCENARIOS:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            try:
                runner.run(scenario())
            except BaseException as error:
                error.add_note(f"in {scenario.__name__}")
                raise
