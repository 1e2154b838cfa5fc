"""The call made by hand that the replay tests use too."""

from ...replay.conftest import record, script, whole_call

__all__ = ["record", "script", "whole_call"]
