"""Rebuild a call from its journal: timeline, transcript, picture and files."""
