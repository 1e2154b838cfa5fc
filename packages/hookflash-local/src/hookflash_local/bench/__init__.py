"""Benchmarks of the relay and of the playout ledger. They need no account."""
