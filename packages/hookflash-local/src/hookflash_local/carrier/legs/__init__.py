"""Legs: how a call begins, rings, is answered, is bridged and ends."""
