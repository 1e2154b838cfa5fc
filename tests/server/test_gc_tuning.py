from __future__ import annotations

import gc

from hookflash.server.gc_tuning import reduced_gc


def test_garbage_collection_is_rare_while_serving_and_normal_afterwards() -> None:
    before, frozen = gc.get_threshold(), gc.get_freeze_count()
    with reduced_gc():
        assert gc.get_threshold()[0] > before[0]
        assert gc.get_freeze_count() > frozen
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0


def test_what_is_made_while_serving_is_still_collected() -> None:
    class Ring:
        def __init__(self) -> None:
            self.me = self

    gone = []
    with reduced_gc():
        ring = Ring()
        gc.callbacks.append(lambda phase, info: gone.append(info["collected"]))
        try:
            del ring
            gc.collect()
        finally:
            gc.callbacks.pop()
    assert sum(gone) >= 1
