"""The call made by hand that the replay tests use too."""

from ...replay.conftest import script, whole_call

__all__ = ["script", "whole_call"]
