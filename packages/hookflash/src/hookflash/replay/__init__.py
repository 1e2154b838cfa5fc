"""Rebuild a call from its journal: timeline, transcript and picture."""
